//! Where records stand after others came and went before them.
//!
//! Rows say who owns a token by the owner's place, and principals say what they may do by the
//! grant's. A place moves by how many came before it less how many went, which changes only where
//! one comes or goes: so it is enough to remember these few.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::NotApplied;
use super::merge::Table;

/// Remembers one record that comes or goes; the caller of [`Delta::on`](super::Delta::on) brings
/// room for some. Any bytes are one, so that what is left of the room can hold other numbers.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Mark {
    key: u32,
    /// The first place of the base that is moved by it.
    from: u32,
    /// By how much places from here on move, with all marks before.
    shift: i32,
    /// 1 where the record goes.
    gone: u32,
}

impl Mark {
    const fn goes(&self) -> bool {
        self.gone != 0
    }
}

/// Returns how many marks have room for so many numbers.
pub(super) const fn marks_for(numbers: usize) -> usize {
    numbers.div_ceil(size_of::<Mark>() / size_of::<u32>())
}

/// Takes room for so many numbers, where there is that much, and returns what is left.
pub(super) fn take(room: &mut [Mark], numbers: usize) -> (Option<&mut [u32]>, &mut [Mark]) {
    let needed = marks_for(numbers);
    let fits = needed <= room.len();
    let (taken, rest) = room.split_at_mut(if fits { needed } else { 0 });
    let taken = <[u32]>::mut_from_bytes(taken.as_mut_bytes()).ok();

    (taken.and_then(|all| all.get_mut(..numbers)).filter(|_| fits), rest)
}

/// Stands in a table of places for a record that goes: no table has so many.
const GONE: u32 = u32::MAX;

/// All marks of one table, in the order of their keys.
pub(super) struct Moves<'a> {
    marks: &'a [Mark],
    any_gone: bool,
    /// The new place of every record, where there was room: one look instead of a search.
    places: &'a [u32],
}

impl<'a> Moves<'a> {
    fn new(marks: &'a [Mark]) -> Self {
        Self { marks, any_gone: marks.iter().any(Mark::goes), places: &[] }
    }

    /// Writes down where each of `len` records goes, if there is room; returns what is left of it.
    pub(super) fn listed(self, len: usize, room: &'a mut [Mark]) -> (Self, &'a mut [Mark]) {
        if self.is_still() {
            return (self, room);
        }
        let (places, rest) = take(room, len);
        let Some(places) = places else { return (self, rest) };
        let (mut start, mut shift) = (0_u32, 0);
        let end = Mark { from: u32::try_from(len).unwrap_or(GONE), ..Mark::default() };
        for mark in self.marks.iter().chain([&end]) {
            let run = start as usize..mark.from as usize;
            for (place, at) in places.get_mut(run).unwrap_or_default().iter_mut().zip(start..) {
                *place = at.wrapping_add_signed(shift);
            }
            (start, shift) = (mark.from, mark.shift);
            if mark.goes()
                && let Some(place) = places.get_mut((mark.from as usize).wrapping_sub(1))
            {
                *place = GONE;
            }
        }

        (Self { places, ..self }, rest)
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
        match self.places.get(at as usize) {
            Some(&place) => (place != GONE).then_some(place),
            None => self.find(at),
        }
    }

    fn find(&self, at: u32) -> Option<u32> {
        let next = self.marks.partition_point(|mark| mark.from <= at);
        // A record that goes stood before the first place that it moves.
        let gone = self.marks.get(next).is_some_and(|mark| mark.goes() && mark.from == at + 1);

        if gone { None } else { at.checked_add_signed(self.shift(next)) }
    }

    /// Returns the new place of the record of `key`; none where there is none.
    pub(super) fn place_of(&self, table: &impl Table<Key = u32>, key: u32) -> Option<u32> {
        let at = u32::try_from(table.place(key, 0)).ok()?;
        let next = self.marks.partition_point(|mark| mark.key < key);
        let moved = at.checked_add_signed(self.shift(next))?;
        let marked = self.marks.get(next).filter(|mark| mark.key == key);
        let is_there = match marked {
            Some(mark) => !mark.goes(),
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
        *mark = Mark { key, from, shift: self.shift, gone: gone.into() };
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
