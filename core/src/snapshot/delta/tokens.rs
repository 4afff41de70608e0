//! The tokens of the new file, in the order of their ids.
//!
//! A token whose owner goes, goes with it: so where owners go, each row is looked at.

use core::ops::Range;

use super::merge::{Merge, Step, Table};
use super::moves::Moves;
use super::read::TokenPut;
use super::{Changes, NotApplied};
use crate::snapshot::layout::{TOKEN_DISABLED, bucket};
use crate::snapshot::{MAX_WINDOW, View};

/// What stands next.
pub(super) enum Next<'a> {
    /// Tokens of the base; the owner of none of them goes.
    Keep(Range<usize>),
    /// One of the delta.
    Put(TokenPut<'a>),
}

/// All tokens of the new file.
pub(super) struct Tokens<'a, 'd> {
    pub(super) view: View<'a>,
    pub(super) changes: &'d Changes<'a, u64, TokenPut<'a>>,
    pub(super) owners: Moves<'a>,
}

impl<'a> Tokens<'a, '_> {
    /// Gives all of them, in order.
    pub(super) fn each(
        &self,
        mut give: impl FnMut(Next<'a>) -> Result<(), NotApplied>,
    ) -> Result<(), NotApplied> {
        for step in Merge::new(self.view.ids, self.changes) {
            match step? {
                Step::Keep(run) if self.owners.any_gone() => self.owned(run, &mut give)?,
                Step::Keep(run) => give(Next::Keep(run))?,
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
        let mut start = run.start;
        for at in run.clone() {
            if self.owner(at).is_none() {
                if start < at {
                    give(Next::Keep(start..at))?;
                }
                start = at + 1;
            }
        }

        if start < run.end { give(Next::Keep(start..run.end)) } else { Ok(()) }
    }

    /// Returns the new place of the owner of the token at `at`; none where it goes.
    #[inline]
    fn owner(&self, at: usize) -> Option<u32> {
        let (owner, _, _) = self.view.row(at)?;

        self.owners.place(owner & !TOKEN_DISABLED)
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

    /// Returns how many there are, where the owner of each that comes will be there.
    pub(super) fn count(&self, owners: &impl Table<Key = u32>) -> Result<usize, NotApplied> {
        let mut count = 0;
        self.each(|next| {
            count += match next {
                Next::Keep(run) => run.len(),
                Next::Put(put) if self.owners.place_of(owners, put.owner).is_some() => 1,
                Next::Put(_) => return Err(NotApplied::Dangling),
            };
            Ok(())
        })?;

        Ok(count)
    }

    /// Gives the entries of the directory: the number of ids before each bucket, and of all.
    pub(super) fn directory(
        &self,
        bits: u8,
        mut give: impl FnMut(u32) -> Result<(), NotApplied>,
    ) -> Result<(), NotApplied> {
        let (mut next, mut rank) = (0, 0);
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

    /// Returns the width of the window that holds the fullest bucket.
    pub(super) fn window(&self, bits: u8) -> Result<u8, NotApplied> {
        let (mut before, mut fullest) = (0, 0);
        self.directory(bits, |rank| {
            fullest = fullest.max(rank - before);
            before = rank;
            Ok(())
        })?;
        let window = u8::try_from(fullest.next_multiple_of(4)).unwrap_or(u8::MAX);

        if window > MAX_WINDOW { Err(NotApplied::TooMany) } else { Ok(window) }
    }
}
