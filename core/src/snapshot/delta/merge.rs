//! One pass over a table of the base and what a delta does to it, in the order of the keys.
//!
//! What lies between two changes comes as one run, so that it can be copied whole; the next place is
//! found by doubling steps, which costs little for changes far apart and for changes side by side.

use core::iter::Peekable;
use core::ops::Range;

use zerocopy::FromBytes;
use zerocopy::little_endian::U64;

use super::read::{Entry, Keyed, List, ResourceKey};
use super::{Changes, NotApplied};
use crate::snapshot::View;
use crate::snapshot::layout::{GrantRecord, PrincipalRecord, ResourceRecord};

/// A table of a snapshot: keys in strictly ascending order.
pub(super) trait Table: Copy {
    type Key: Copy + Ord;

    fn len(&self) -> usize;
    fn key(&self, at: usize) -> Option<Self::Key>;

    /// Returns the first place at or after `from` whose key is not below `key`.
    fn place(&self, key: Self::Key, from: usize) -> usize {
        let below = |at: usize| self.key(at).is_some_and(|other| other < key);
        let (mut low, mut step) = (from, 1);
        while below(low + step - 1) {
            low += step;
            step *= 2;
        }
        let mut high = (low + step - 1).min(self.len());
        while low < high {
            let middle = low.midpoint(high);
            if below(middle) { low = middle + 1 } else { high = middle }
        }

        low
    }
}

impl Table for &[GrantRecord] {
    type Key = u32;

    fn len(&self) -> usize {
        <[GrantRecord]>::len(self)
    }

    fn key(&self, at: usize) -> Option<u32> {
        self.get(at).map(|record| record.key.get())
    }
}

impl Table for &[U64] {
    type Key = u64;

    fn len(&self) -> usize {
        <[U64]>::len(self)
    }

    fn key(&self, at: usize) -> Option<u64> {
        self.get(at).map(|id| id.get())
    }
}

impl Table for &[ResourceRecord] {
    type Key = ResourceKey;

    fn len(&self) -> usize {
        <[ResourceRecord]>::len(self)
    }

    fn key(&self, at: usize) -> Option<ResourceKey> {
        self.get(at).map(|record| (record.kind, record.id))
    }
}

/// The principals, which are not of one length for every snapshot.
#[derive(Clone, Copy)]
pub(super) struct Principals<'a>(pub(super) View<'a>);

impl<'a> Principals<'a> {
    pub(super) fn record(&self, at: usize) -> Option<&'a PrincipalRecord> {
        let bytes = self.0.principal_bytes(at)?;

        PrincipalRecord::ref_from_prefix(bytes).ok().map(|(record, _)| record)
    }

    /// Returns where the name of the principal at `at` begins; that past the last one is the end.
    pub(super) fn name_start(&self, at: usize) -> usize {
        let start = self.record(at).and_then(|record| usize::try_from(record.name_off.get()).ok());

        start.unwrap_or(self.0.heap.len())
    }

    /// Returns the names of a run, which stand without gaps.
    pub(super) fn names(&self, run: &Range<usize>) -> &'a [u8] {
        let names = self.name_start(run.start)..self.name_start(run.end);

        self.0.heap.get(names).unwrap_or_default()
    }
}

impl Table for Principals<'_> {
    type Key = u32;

    fn len(&self) -> usize {
        self.0.principal_count()
    }

    fn key(&self, at: usize) -> Option<u32> {
        self.record(at).map(|record| record.key.get())
    }
}

/// What happens next.
pub(super) enum Step<P> {
    /// Records of the base stay as they are.
    Keep(Range<usize>),
    /// The record at this place of the base goes.
    Drop(usize),
    /// A record takes the place of one of the base.
    Replace(P),
    /// A record comes before this place of the base.
    Insert(usize, P),
}

/// The walk; it ends with the first error.
pub(super) struct Merge<'a, T: Table, P: Entry<'a>>
where
    T::Key: Entry<'a>,
{
    table: T,
    gone: Peekable<List<'a, T::Key>>,
    put: Peekable<List<'a, P>>,
    at: usize,
}

impl<'a, T, P> Merge<'a, T, P>
where
    T: Table<Key: Entry<'a, Key = T::Key>>,
    P: Entry<'a, Key = T::Key>,
{
    pub(super) fn new(table: T, changes: &Changes<'a, T::Key, P>) -> Self {
        let Changes { gone, put } = changes.clone();

        Self { table, gone: gone.peekable(), put: put.peekable(), at: 0 }
    }

    fn keep(&mut self, end: usize) -> Option<Step<P>> {
        let run = self.at..end;
        self.at = end;

        (!run.is_empty()).then_some(Step::Keep(run))
    }

    fn change(&mut self, key: T::Key, goes: bool) -> Result<Step<P>, NotApplied> {
        let at = self.at;
        let held = self.table.key(at) == Some(key);
        self.at += usize::from(held);
        if goes {
            self.gone.next();
            return if held { Ok(Step::Drop(at)) } else { Err(NotApplied::Missing) };
        }
        let put = self.put.next().ok_or(NotApplied::Malformed)?;

        Ok(if held { Step::Replace(put) } else { Step::Insert(at, put) })
    }
}

impl<'a, T, P> Iterator for Merge<'a, T, P>
where
    T: Table<Key: Entry<'a, Key = T::Key>>,
    P: Entry<'a, Key = T::Key>,
{
    type Item = Result<Step<P>, NotApplied>;

    fn next(&mut self) -> Option<Self::Item> {
        let (gone, put) = (self.gone.peek().copied(), self.put.peek().map(Keyed::key));
        let Some(key) = gone.into_iter().chain(put).min() else {
            return self.keep(self.table.len()).map(Ok);
        };
        if gone == put {
            return Some(Err(NotApplied::Order));
        }
        let place = self.table.place(key, self.at);

        Some(match self.keep(place) {
            Some(run) => Ok(run),
            None => self.change(key, gone == Some(key)),
        })
    }
}
