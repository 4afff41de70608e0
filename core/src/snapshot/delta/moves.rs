//! Where records stand after others came and went before them.
//!
//! Rows say who owns a token by the owner's place, and principals say what they may do by the
//! grant's. A place moves by how many came before it less how many went, which changes only where
//! one comes or goes: so it is enough to remember these few.

use super::NotApplied;
use super::merge::Table;

/// Remembers one record that comes or goes; the caller of [`Delta::on`](super::Delta::on) brings
/// room for some.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    key: u32,
    /// The first place of the base that is moved by it.
    from: u32,
    /// By how much places from here on move, with all marks before.
    shift: i32,
    gone: bool,
}

/// All marks of one table, in the order of their keys.
#[derive(Clone, Copy)]
pub(super) struct Moves<'a> {
    marks: &'a [Mark],
    any_gone: bool,
}

impl<'a> Moves<'a> {
    pub(super) fn new(marks: &'a [Mark]) -> Self {
        Self { marks, any_gone: marks.iter().any(|mark| mark.gone) }
    }

    /// Returns whether every place is the one that it was.
    pub(super) const fn is_still(&self) -> bool {
        self.marks.is_empty()
    }

    pub(super) const fn any_gone(&self) -> bool {
        self.any_gone
    }

    /// Returns the new place of what stood at `at`; none where that goes.
    #[inline]
    pub(super) fn place(&self, at: u32) -> Option<u32> {
        let next = self.marks.partition_point(|mark| mark.from <= at);
        let goes = |mark: &Mark| mark.gone && mark.from == at + 1;
        if self.any_gone && self.marks.get(next).is_some_and(goes) {
            return None;
        }

        at.checked_add_signed(self.shift(next))
    }

    /// Returns the new place of the record of `key`; none where there is none.
    pub(super) fn place_of(&self, table: &impl Table<Key = u32>, key: u32) -> Option<u32> {
        let at = u32::try_from(table.place(key, 0)).ok()?;
        let next = self.marks.partition_point(|mark| mark.key < key);
        let moved = at.checked_add_signed(self.shift(next))?;
        let marked = self.marks.get(next).filter(|mark| mark.key == key);
        let is_there = match marked {
            Some(mark) => !mark.gone,
            None => table.key(usize::try_from(at).ok()?) == Some(key),
        };

        is_there.then_some(moved)
    }

    fn shift(&self, next: usize) -> i32 {
        let last = next.checked_sub(1).and_then(|last| self.marks.get(last));

        last.map_or(0, |mark| mark.shift)
    }
}

/// Makes marks, in the order of their keys.
pub(super) struct Marker<'a> {
    marks: &'a mut [Mark],
    used: usize,
    shift: i32,
}

impl<'a> Marker<'a> {
    pub(super) const fn new(marks: &'a mut [Mark]) -> Self {
        Self { marks, used: 0, shift: 0 }
    }

    /// The record of `key` comes before place `at` of the base.
    pub(super) fn comes(&mut self, key: u32, at: usize) -> Result<(), NotApplied> {
        self.shift += 1;

        self.mark(key, at, false)
    }

    /// The record of `key` at place `at` of the base goes.
    pub(super) fn goes(&mut self, key: u32, at: usize) -> Result<(), NotApplied> {
        self.shift -= 1;

        self.mark(key, at + 1, true)
    }

    fn mark(&mut self, key: u32, from: usize, gone: bool) -> Result<(), NotApplied> {
        let from = u32::try_from(from).map_err(|_| NotApplied::TooMany)?;
        let mark = self.marks.get_mut(self.used).ok_or(NotApplied::NoRoom)?;
        *mark = Mark { key, from, shift: self.shift, gone };
        self.used += 1;

        Ok(())
    }

    /// Returns what was marked, and the room that is left.
    pub(super) fn done(self) -> (Moves<'a>, &'a mut [Mark]) {
        let used = self.used.min(self.marks.len());
        let (marks, rest) = self.marks.split_at_mut(used);

        (Moves::new(marks), rest)
    }
}
