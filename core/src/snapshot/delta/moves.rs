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

impl Mark {
    /// Remembers no more than a place.
    pub(super) const fn at(place: u32) -> Self {
        Self { key: 0, from: place, shift: 0, gone: false }
    }

    pub(super) const fn place(&self) -> usize {
        self.from as usize
    }
}

/// In how many blocks the places of a table are taken together.
const BLOCKS: usize = 128;

/// All marks of one table, in the order of their keys.
pub(super) struct Moves<'a> {
    marks: &'a [Mark],
    any_gone: bool,
    /// A place is in the block that stands after so many of its bits are dropped.
    bits: u32,
    /// How many marks move all places of a block, and at the end all marks: in most blocks there is
    /// none to be looked for.
    before: [u32; BLOCKS + 1],
    /// In which blocks something goes.
    gone: [bool; BLOCKS],
}

impl<'a> Moves<'a> {
    pub(super) fn new(marks: &'a [Mark], places: usize) -> Self {
        let mut bits = 0;
        while places >> bits >= BLOCKS {
            bits += 1;
        }
        let mut before = [0; BLOCKS + 1];
        for (block, count) in before.iter_mut().enumerate() {
            let moved = |mark: &Mark| u64::from(mark.from) <= (block as u64) << bits;
            *count = u32::try_from(marks.partition_point(moved)).unwrap_or(u32::MAX);
        }

        let mut gone = [false; BLOCKS];
        for mark in marks.iter().filter(|mark| mark.gone) {
            // It stood before the first place that it moves.
            let block = (mark.from.saturating_sub(1) >> bits) as usize;
            gone.get_mut(block).into_iter().for_each(|gone| *gone = true);
        }

        Self { marks, any_gone: gone.contains(&true), bits, before, gone }
    }

    /// Returns whether every place is the one that it was.
    pub(super) const fn is_still(&self) -> bool {
        self.marks.is_empty()
    }

    pub(super) const fn any_gone(&self) -> bool {
        self.any_gone
    }

    /// Returns whether what stands at `at` goes.
    #[inline]
    pub(super) fn goes(&self, at: u32) -> bool {
        let block = (at >> self.bits) as usize;

        self.gone.get(block) == Some(&true) && self.is_gone(at, self.next(at))
    }

    fn is_gone(&self, at: u32, next: usize) -> bool {
        self.marks.get(next).is_some_and(|mark| mark.gone && mark.from == at + 1)
    }

    /// Returns the new place of what stood at `at`; none where that goes.
    #[inline]
    pub(super) fn place(&self, at: u32) -> Option<u32> {
        let next = self.next(at);
        if self.any_gone && self.is_gone(at, next) {
            return None;
        }

        at.checked_add_signed(self.shift(next))
    }

    /// Returns how many marks move the place `at`.
    #[inline]
    fn next(&self, at: u32) -> usize {
        let block = (at >> self.bits) as usize;
        let count = |block: usize| {
            let count = self.before.get(block).map_or(self.marks.len(), |count| *count as usize);
            count.min(self.marks.len())
        };
        let (first, last) = (count(block), count(block + 1));
        let within = self.marks.get(first..last).unwrap_or_default();

        first + within.partition_point(|mark| mark.from <= at)
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

    /// Returns what was marked in a table of so many places, and the room that is left.
    pub(super) fn done(self, places: usize) -> (Moves<'a>, &'a mut [Mark]) {
        let used = self.used.min(self.marks.len());
        let (marks, rest) = self.marks.split_at_mut(used);

        (Moves::new(marks, places), rest)
    }
}
