//! The tokens of the new file, in the order of their ids.
//!
//! A token whose owner goes, goes with it: so where owners go, each row is looked at, once where
//! there are marks left to remember those that go, else each time.

use core::ops::Range;

use super::merge::{Merge, Step, Table};
use super::moves::{Mark, Moves};
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
    /// Those of these places, in order.
    Listed(&'a [Mark]),
    /// There are more than marks.
    Unlisted,
}

impl<'a> Gone<'a> {
    /// Looks at each row where owners go.
    pub(super) fn list(view: &View<'a>, owners: &Moves<'_>, marks: &'a mut [Mark]) -> Self {
        if !owners.any_gone() {
            return Self::Listed(&[]);
        }
        let mut used = 0;
        for at in gone(view, owners, 0..view.ids.len()) {
            let Some((mark, at)) = marks.get_mut(used).zip(u32::try_from(at).ok()) else {
                return Self::Unlisted;
            };
            *mark = Mark::at(at);
            used += 1;
        }
        let marks: &'a [Mark] = marks;

        Self::Listed(marks.get(..used).unwrap_or_default())
    }
}

/// Returns the places in `run` of the tokens whose owner goes.
fn gone<'d>(
    view: &View<'d>,
    owners: &'d Moves<'_>,
    run: Range<usize>,
) -> impl Iterator<Item = usize> + 'd {
    let rows = view.rows(&run).chunks_exact(view.row_len);
    let goes = |row: &[u8]| {
        let owner = row.first_chunk().map_or(0, |owner| u32::from_le_bytes(*owner));
        owners.goes(owner & !TOKEN_DISABLED)
    };

    run.zip(rows).filter(move |(_, row)| goes(row)).map(|(at, _)| at)
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
        let Gone::Listed(places) = self.gone else {
            return split(&run, gone(&self.view, self.owners, run.clone()), give);
        };
        let first = places.partition_point(|mark| mark.place() < run.start);
        let within = places.get(first..).unwrap_or_default().iter().map(Mark::place);

        split(&run, within.take_while(|at| *at < run.end), give)
    }

    /// Gives the ids, in order.
    fn each_id(
        &self,
        mut give: impl FnMut(u64) -> Result<(), NotApplied>,
    ) -> Result<(), NotApplied> {
        self.each(|next| match next {
            Next::Keep(run) => {
                self.view.ids.get(run).unwrap_or_default().iter().try_for_each(|id| give(id.get()))
            }
            Next::Put(put) => give(put.id),
        })
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
    pub(super) fn directory(
        &self,
        bits: u8,
        mut give: impl FnMut(u32) -> Result<(), NotApplied>,
    ) -> Result<(), NotApplied> {
        let (mut next, mut rank) = (0, 0_u32);
        self.each_id(|id| {
            while next <= bucket(id, bits) {
                give(rank)?;
                next += 1;
            }
            rank += 1;
            Ok(())
        })?;

        (next..=1 << bits).try_for_each(|_| give(rank))
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
