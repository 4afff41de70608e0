//! The tokens of the new file, in the order of their ids.
//!
//! A token whose owner goes, goes with it: so where owners go, each row is looked at, once where
//! there is room left for a bit for each token, else each time.

use core::num::NonZeroUsize;
use core::ops::Range;

use super::merge::{Merge, Step, Table};
use super::moves::{Mark, Moves, take};
use super::read::TokenPut;
use super::{Changes, NotApplied};
use crate::snapshot::layout::{TOKEN_DISABLED, bucket, dir_bits};
use crate::snapshot::{MAX_WINDOW, View};

/// What stands next.
pub(super) enum Next<'a> {
    /// Tokens of the base; the owner of none of them goes.
    Keep(Range<usize>),
    /// One of the delta.
    Put(TokenPut<'a>),
}

/// Which tokens of the base go with their owners.
#[derive(Clone, Copy)]
pub(super) enum Gone<'a> {
    /// Those whose bits are set, 32 to a word; past the last word none.
    Listed(&'a [u32]),
    /// There was no room for their bits.
    Unlisted,
}

/// So many tokens have their bits in one word.
const A_WORD: NonZeroUsize = NonZeroUsize::MIN.saturating_add(31);

/// Returns how many words the bits of so many tokens take.
pub(super) const fn words(tokens: usize) -> usize {
    tokens.div_ceil(A_WORD.get())
}

impl<'a> Gone<'a> {
    /// Looks at each row where owners go.
    pub(super) fn list(view: &View<'_>, owners: &Moves<'_>, room: &'a mut [Mark]) -> Self {
        if !owners.any_gone() {
            return Self::Listed(&[]);
        }
        let (Some(listed), _) = take(room, words(view.ids.len())) else { return Self::Unlisted };
        let rows_a_word = view.row_len.saturating_mul(A_WORD);
        for (word, rows) in listed.iter_mut().zip(view.rows.chunks(rows_a_word.get())) {
            let gone =
                rows.chunks_exact(view.row_len.get()).map(|row| u32::from(goes(owners, row)));
            *word = gone.zip(0..).fold(0, |word, (gone, at)| word | gone << at);
        }

        Self::Listed(listed)
    }
}

/// Returns whether the owner of a row goes.
fn goes(owners: &Moves<'_>, row: &[u8]) -> bool {
    let owner = row.first_chunk().map_or(0, |owner| u32::from_le_bytes(*owner));

    owners.place(owner & !TOKEN_DISABLED).is_none()
}

/// Returns the places in `run` of the tokens whose owner goes.
fn gone<'d>(
    view: &View<'d>,
    owners: &'d Moves<'_>,
    run: Range<usize>,
) -> impl Iterator<Item = usize> + 'd {
    let rows = view.rows(&run).chunks_exact(view.row_len.get());

    run.zip(rows).filter(|(_, row)| goes(owners, row)).map(|(at, _)| at)
}

/// The places from one to another whose bits are set.
struct Set<'a> {
    words: &'a [u32],
    next: usize,
    end: usize,
}

impl Iterator for Set<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.next < self.end {
            let left = self.words.get(self.next / 32)? >> (self.next % 32);
            if left != 0 {
                let at = self.next + left.trailing_zeros() as usize;
                self.next = at + 1;
                return (at < self.end).then_some(at);
            }
            self.next = (self.next / 32 + 1) * 32;
        }

        None
    }
}

/// All tokens of the new file.
pub(super) struct Tokens<'a, 'd> {
    pub(super) view: View<'a>,
    pub(super) changes: &'d Changes<'a, u64, TokenPut<'a>>,
    pub(super) owners: &'d Moves<'a>,
    pub(super) gone: Gone<'a>,
}

impl<'a> Tokens<'a, '_> {
    /// Gives all of them, in order.
    pub(super) fn each(
        &self,
        mut give: impl FnMut(Next<'a>) -> Result<(), NotApplied>,
    ) -> Result<(), NotApplied> {
        for step in Merge::new(self.view.ids, self.changes) {
            match step? {
                Step::Keep(run) => self.owned(run, &mut give)?,
                Step::Drop(_) => {}
                Step::Replace(put) | Step::Insert(_, put) => give(Next::Put(put))?,
            }
        }

        Ok(())
    }

    /// Gives those of a run whose owner stays.
    fn owned(
        &self,
        run: Range<usize>,
        give: &mut impl FnMut(Next<'a>) -> Result<(), NotApplied>,
    ) -> Result<(), NotApplied> {
        match self.gone {
            Gone::Listed(words) => {
                let gone = Set { words, next: run.start, end: run.end };
                split(&run, gone, give)
            }
            Gone::Unlisted => split(&run, gone(&self.view, self.owners, run.clone()), give),
        }
    }

    /// Returns how many there are and the width of the window that holds the fullest bucket of a
    /// directory for so many.
    pub(super) fn survey(&self, owners: &impl Table<Key = u32>) -> Result<(usize, u8), NotApplied> {
        let there = |owner| self.owners.place_of(owners, owner).is_some();
        if !self.changes.put.clone().all(|put| there(put.owner)) {
            return Err(NotApplied::Dangling);
        }
        // Most often the directory is as wide as it was, and one pass is enough.
        let guess = self.view.header.dir_bits;
        let (count, window) = self.window(guess)?;
        let bits = dir_bits(count);
        let (_, window) = if bits == guess { (count, window) } else { self.window(bits)? };

        if window > usize::from(MAX_WINDOW) {
            return Err(NotApplied::TooMany);
        }
        Ok((count, u8::try_from(window).unwrap_or(MAX_WINDOW)))
    }

    /// Gives the entries of the directory: the number of ids before each bucket, and of all.
    ///
    /// Within a run that is kept they are those of the base, moved.
    pub(super) fn directory(
        &self,
        bits: u8,
        mut give: impl FnMut(u32) -> Result<(), NotApplied>,
    ) -> Result<(), NotApplied> {
        let (mut next, mut rank) = (0, 0_u32);
        let bucket_at = |at: usize| self.view.ids.get(at).map_or(0, |id| bucket(id.get(), bits));
        self.each(|part| {
            let (run, first) = match part {
                Next::Keep(run) => (run.clone(), bucket_at(run.start)),
                Next::Put(put) => (0..1, bucket(put.id, bits)),
            };
            while next <= first {
                give(rank)?;
                next += 1;
            }
            let count = u32::try_from(run.len()).map_err(|_| NotApplied::TooMany)?;
            if count > 1 {
                let moved = rank.wrapping_sub(u32::try_from(run.start).unwrap_or_default());
                let last = bucket_at(run.end - 1);
                while next <= last {
                    give(self.before(next, bits).wrapping_add(moved))?;
                    next += 1;
                }
            }
            rank += count;
            Ok(())
        })?;

        (next..=1 << bits).try_for_each(|_| give(rank))
    }

    /// Returns how many ids of the base stand before a bucket of a directory of so many bits.
    fn before(&self, at: usize, bits: u8) -> u32 {
        let View { directory, header, ids, .. } = self.view;
        let entry = |at: usize| directory.get(at).map_or(0, |entry| entry.get());
        let Some(finer) = bits.checked_sub(header.dir_bits).filter(|finer| *finer > 0) else {
            return entry(at << (header.dir_bits - bits));
        };
        let (low, high) = (entry(at >> finer), entry((at >> finer) + 1));
        let within = ids.get(low as usize..high as usize).unwrap_or_default();
        let before = within.partition_point(|id| bucket(id.get(), bits) < at);

        low + u32::try_from(before).unwrap_or_default()
    }

    /// Returns how many there are, and the fullest bucket in steps of four.
    fn window(&self, bits: u8) -> Result<(usize, usize), NotApplied> {
        let (mut before, mut fullest) = (0, 0);
        self.directory(bits, |rank| {
            fullest = fullest.max(rank - before);
            before = rank;
            Ok(())
        })?;
        let count = usize::try_from(before).map_err(|_| NotApplied::TooMany)?;
        let fullest = usize::try_from(fullest).map_err(|_| NotApplied::TooMany)?;

        Ok((count, fullest.next_multiple_of(4)))
    }
}

/// Gives what lies between the places in `run` that go.
fn split<'a>(
    run: &Range<usize>,
    gone: impl Iterator<Item = usize>,
    give: &mut impl FnMut(Next<'a>) -> Result<(), NotApplied>,
) -> Result<(), NotApplied> {
    let mut start = run.start;
    for at in gone {
        if start < at {
            give(Next::Keep(start..at))?;
        }
        start = at + 1;
    }

    if start < run.end { give(Next::Keep(start..run.end)) } else { Ok(()) }
}
