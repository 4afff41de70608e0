//! Where the journal ends: the last record that can be followed, and what is wrong behind it.

use std::collections::VecDeque;
use std::{fs, io};

use gateward_core::audit::{Event, Head, Outcome, Record, SnapshotName};

use super::super::checkpoints::Found;
use super::super::frame::{Frame, HEAD_LEN, SegmentHead};
use super::super::medium::is_unreadable;
use super::super::torn::signed_for;
use super::super::verify::Walk;
use super::super::writer::{DROPPED, Segment, segment_path};
use super::{Recovery, list};

/// How far the last good segment goes.
pub(super) struct End {
    pub(super) last: u64,
    pub(super) head: Head,
    pub(super) snapshot: Option<SnapshotName>,
    pub(super) good: usize,
    /// How much of it anybody could have brought about.
    pub(super) bounded: u64,
    /// The last number that a record in it owns up to as dropped.
    pub(super) owned: u64,
    /// Its last record is that of a stop in good order.
    pub(super) stopped: bool,
    /// The segment to go on with; none where a new one must begin.
    pub(super) segment: Option<u64>,
}

impl Recovery<'_> {
    pub(super) fn segments(&self) -> io::Result<VecDeque<Segment>> {
        let mut segments = Vec::new();
        for first in list(self.folder)? {
            let bytes = match fs::symlink_metadata(segment_path(self.folder, first)) {
                Ok(facts) => facts.len(),
                Err(error) if is_unreadable(&error) => 0,
                Err(error) => return Err(error),
            };
            segments.push(Segment { first, bytes, bounded: 0 });
        }

        Ok(segments.into())
    }

    /// Finds where the journal goes on, from the last segment backwards to one that can be read.
    pub(super) fn end(&mut self, segments: &mut VecDeque<Segment>) -> io::Result<End> {
        // Where there never was anything, nothing can be missing of it.
        let stopped = segments.is_empty() && self.files.durable() == 0;
        while let Some(last) = segments.back_mut() {
            let path = segment_path(self.folder, last.first);
            let read = fs::read(&path);
            let lost = read.as_ref().is_err_and(is_unreadable);
            // Nothing of it can be followed; it is kept, and what it held is missing.
            let bytes = if lost { Vec::new() } else { read? };
            let head = SegmentHead::decode(&bytes)
                .filter(|head| head.first == last.first && head.gateway == self.by.gateway)
                .filter(|head| head.first <= self.files.most());
            if let Some(head) = head {
                let end = self.walk(&head, &bytes)?;
                last.bytes = u64::try_from(end.good).unwrap_or_default();
                last.bounded = end.bounded;
                return Ok(end);
            }
            if !lost && bytes.len() <= HEAD_LEN && self.files.durable() < last.first {
                // It was being begun when the power went, and held nothing.
                self.found.cut += u64::try_from(bytes.len()).unwrap_or_default();
                self.medium.remove(&path)?;
            } else {
                let behind = behind(&bytes, 0, self.files.most()).unwrap_or_default();
                let first = Some(last.first).filter(|first| *first <= self.files.most());
                self.seen = self.seen.max(first.unwrap_or_default()).max(behind);
                match self.set_aside(last.first, None) {
                    // A file system that is broken may not even let go of it; a new segment has another name.
                    Err(error) if lost => {
                        tracing::error!(%error, "a segment of the audit stays in its place; replace the disk");
                        self.found.damaged.push(path);
                    }
                    done => done?,
                }
            }
            segments.pop_back();
        }

        Ok(End {
            last: 0,
            head: Head::START,
            snapshot: None,
            good: 0,
            bounded: 0,
            owned: 0,
            stopped,
            segment: None,
        })
    }

    fn walk(&mut self, head: &SegmentHead, bytes: &[u8]) -> io::Result<End> {
        let mut walk = Walk::new(head, bytes);
        let mut key = self.files.key();
        // A bad block under the checkpoints is no reason to do without the records.
        let signed = Found::read(self.folder, head.first, &self.by, self.incarnation)
            .inspect_err(|error| tracing::warn!(%error, "the audit's checkpoints cannot be read"))
            .unwrap_or_default();
        let mut before = (walk.at, walk.last, walk.head, walk.snapshot, walk.bounded);
        // What is signed for stands, whatever was made of the key file and of what follows.
        let mut proven = before;
        let (mut stopped, mut stop, mut dropped) = (None, None, Vec::new());
        while let Some(frame) = walk.step() {
            if let Some((number, key)) = &mut key
                && *number + 1 == walk.last
            {
                if !key.accepts(&walk.head, &frame.tag) {
                    break;
                }
                key.step();
                *number += 1;
            }
            let here = (walk.at, walk.last, walk.head, walk.snapshot, walk.bounded);
            match signed.heads.get(&walk.last) {
                Some(head) if *head != walk.head => {
                    before = proven;
                    break;
                }
                Some(_) => proven = here,
                None => {}
            }
            before = here;
            let record = Record::decode(frame.record).ok();
            let boot = record.as_ref().map(|record| record.boot);
            dropped.extend(record.as_ref().and_then(dropped_by));
            if record.is_some_and(|record| record.outcome == Outcome::Event(Event::Stop)) {
                stop = boot;
            }
            // What the same life writes behind its stop are sums of what was counted.
            stopped = Some((walk.last, stop.is_some() && stop == boot));
        }
        let (good, last, chain, snapshot, bounded) = before;
        let rest = bytes.get(good..).unwrap_or_default();
        let behind = behind(rest, last, self.files.most());
        let known = self.files.durable().max(self.signed_for());
        let short = last < known && self.found.damaged.is_empty();
        if behind.is_some() || short {
            self.seen = self.seen.max(behind.unwrap_or_default());
            self.set_aside(head.first, bytes.get(..good))?;
        } else if !rest.is_empty() {
            self.found.cut += u64::try_from(rest.len()).unwrap_or_default();
            let mut file = self.medium.open(&segment_path(self.folder, head.first))?;
            file.cut(u64::try_from(good).unwrap_or_default())?;
            file.sync()?;
        }

        let stopped = stopped.is_some_and(|(number, stopped)| stopped && number == last);
        let segment = Some(head.first);
        let owned = dropped.into_iter().filter(|(by, _)| *by <= last).map(|(_, to)| to).max();
        let owned = owned.unwrap_or_default();

        Ok(End { last, head: chain, snapshot, good, bounded, owned, stopped, segment })
    }

    /// The last record that a checkpoint is signed for, and notes it as seen.
    pub(super) fn signed_for(&mut self) -> u64 {
        let last = signed_for(self.folder, &self.by, self.incarnation);
        self.seen = self.seen.max(last);

        last
    }
}

/// Returns its own number and the last one that it owns up to, of a record that says what was dropped.
fn dropped_by(record: &Record<'_>) -> Option<(u64, u64)> {
    let says = record.outcome == Outcome::Event(Event::Gap) && record.resource == Some(DROPPED);

    record.span.filter(|_| says).map(|(_, last)| (record.seq, last))
}

/// Returns the highest number of a whole record anywhere in `bytes` that comes after `last`; one
/// above `most` shows that there is one, and its number is not believed.
pub(in crate::journal) fn behind(bytes: &[u8], last: u64, most: u64) -> Option<u64> {
    let mut highest = None;
    let mut rest = bytes;
    while !rest.is_empty() {
        let frame = Frame::read(rest);
        let record = frame.and_then(|frame| Record::decode(frame.record).ok());
        let found = record.map(|record| record.seq).filter(|seq| *seq > last);
        highest = highest.max(found.map(|seq| if seq > most { last } else { seq }));
        let skip = frame.filter(|_| found.is_some()).map_or(1, |frame| frame.len());
        rest = rest.get(skip..).unwrap_or_default();
    }

    highest
}
