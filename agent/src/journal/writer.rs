//! The one owner of the journal's files: numbers, chains, writes, syncs.
//!
//! After a failed write the chain goes back, the file is cut back to what counts as written, and
//! everything is refused until that has worked. After a failed sync the kernel may have forgotten which
//! pages were dirty, so those bytes are never synced again: the file is cut back to its last durable
//! byte, and what counts as written is written anew.

mod disk;

use core::hint::black_box;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::{io, mem};

use gateward_core::audit::{DecisionId, Event, Head, MAX_RECORD, Outcome, Ratchet, SnapshotName};
use gateward_core::decide::{Class, Reason};
use gateward_core::name::MAX_NAME;
use gateward_core::trust::{GatewayId, Incarnation};

use super::checkpoints::Checkpoints;
use super::frame::{Frame, MAX_FRAME, crc32};
use super::medium::{Handle, Medium};
use super::room::{Level, Pending, Permission, Share, together};
use super::slots::Slots;
use super::tally::Tally;
use super::thread::Kept;
use super::{Draft, NotWritten, Options, Stamp, Status, Written};
use crate::store::disk::is_full;

/// A segment is ended when it has grown to this.
const SEGMENT: u64 = 4 << 20;

/// The most bytes that an owner takes in a record: an id, a length, a name.
const WHO_LEN: usize = 16 + 2 + MAX_NAME;

/// Where the chain stands: after record `seq`, with the key for the next one.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) seq: u64,
    pub(crate) head: Head,
    pub(crate) key: Ratchet,
    pub(crate) snapshot: Option<SnapshotName>,
}

/// A segment on disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) first: u64,
    pub(crate) bytes: u64,
    /// Bytes of frames of [`Share::Bounded`].
    pub(crate) bounded: u64,
}

/// The file name of the segment that begins with record `first`.
pub(crate) fn segment_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.seg"))
}

/// What a gap record says of records that went to make room.
pub(crate) const DROPPED: &str = "dropped to make room";

pub(crate) struct Writer {
    pub(crate) medium: Arc<dyn Medium>,
    pub(crate) folder: PathBuf,
    pub(crate) gateway: GatewayId,
    pub(crate) incarnation: Incarnation,
    pub(crate) options: Options,
    /// In order; the last one is being written.
    pub(crate) segments: VecDeque<Segment>,
    /// Bytes of files that were set aside.
    pub(crate) set_aside: u64,
    pub(crate) file: Option<Box<dyn Handle>>,
    pub(crate) chain: Chain,
    pub(crate) tally: Tally,
    /// What a power cut leaves: this chain, and this many bytes of the last segment.
    pub(crate) durable: (Chain, u64),
    /// Frames that count as written and are not synced; empty with [`Durability::Group`].
    pub(crate) unsynced: Vec<u8>,
    pub(crate) key: Slots,
    /// The key is made up: it is not kept, so that each start says so.
    pub(crate) has_lost_key: bool,
    pub(crate) mark: Slots,
    /// What [`Writer::bounded`] was when the last segment was begun.
    pub(crate) share: Slots,
    pub(crate) checkpoints: Checkpoints,
    /// Bytes that went to the flash since the start.
    pub(crate) written: Arc<AtomicU64>,
    pub(crate) released: u64,
    /// Somebody has said what is released.
    pub(crate) is_told: bool,
    /// What the last event about it said.
    pub(crate) level: Level,
    pub(crate) permission: Option<Permission>,
    /// Records go on in a segment that is still to begin: what is missing before them, or damaged, is not
    /// gone on from.
    pub(crate) begins: bool,
    /// The file may hold bytes of a write that failed, or that nobody has synced.
    pub(crate) torn: bool,
    /// A sync failed: the kernel may have forgotten what was not synced.
    pub(crate) forgotten: bool,
    /// The last write failed; over when one has succeeded.
    pub(crate) failing: bool,
    /// There was no room on the disk for it.
    pub(crate) no_space: bool,
    /// What the disk said when it began to fail.
    pub(crate) why: String,
    pub(crate) refused: u32,
    /// Denials for which there was no room in the queue to this thread.
    pub(crate) missed: Arc<AtomicU32>,
    pub(crate) dropped: u32,
    /// Numbers of records that were dropped and that no record owns up to yet; it comes before any other.
    pub(crate) lost: Option<(u64, u64)>,
    /// Bytes that nobody else holds and that went for a disk that is full, since a record was written last.
    pub(crate) given: u64,
    /// What the next start owns up to: also what is owned up to in a record that is not durable yet.
    pub(crate) noted: Option<(u64, u64)>,
    /// What the life before knew to be released.
    pub(crate) held_before: u64,
    /// The level that the log was told.
    pub(crate) logged: Level,
    /// What was found at start and had no room yet; nothing is written before it.
    pub(crate) unsaid: Vec<Draft>,
    /// What waits for a key on disk that no record was written with.
    pub(crate) kept: Option<Kept>,
    pub(crate) last: Stamp,
}

impl Writer {
    pub(crate) fn status(&self) -> Status {
        Status {
            seq: self.durable.0.seq,
            head: self.durable.0.head,
            bytes: self.bytes(),
            written: self.written.load(Ordering::Relaxed),
            released: self.released,
            full: self.is_full(),
            failing: self.failing,
            no_space: self.failing && self.no_space,
        }
    }

    /// Writes `drafts` as one, with one sync; a disk that is full is given room first, where there are
    /// segments that may go.
    pub(crate) fn commit<'d>(
        &mut self,
        drafts: impl ExactSizeIterator<Item = &'d Draft> + Clone,
    ) -> Vec<Result<Written, NotWritten>> {
        let count = drafts.len();
        if count == 0 && !self.failing && self.lost.is_none() {
            return Vec::new();
        }
        loop {
            let error = match self.try_commit(drafts.clone()) {
                Ok(results) => return results,
                Err(error) => error,
            };
            if is_full(&error) && self.give_way(enough(count)) {
                self.torn = true;
                continue;
            }
            let refused = drafts.filter(|draft| !(is_full(&error) && needs_no_room(draft.outcome)));
            self.fail(&error, refused.count());
            let why = if self.no_space { NotWritten::NoSpace } else { NotWritten::Failed };
            return vec![Err(why); count];
        }
    }

    /// Leaves everything as it was where the disk refuses.
    fn try_commit<'d>(
        &mut self,
        drafts: impl Iterator<Item = &'d Draft>,
    ) -> io::Result<Vec<Result<Written, NotWritten>>> {
        self.ready()?;
        let (before, kept) = (self.chain.clone(), self.unsynced.len());
        let (dropped, refused) = (self.dropped, self.refused);
        let mut pending = Pending { held: self.bounded(), ..Pending::default() };
        // There is room: it was made for this record before it could not be written.
        let _fits = self.say_lost(self.last, &mut pending);
        if self.failing || self.refused > 0 {
            let count = mem::take(&mut self.refused).max(1);
            let event = Draft::event(Event::AuditFailed, self.last, &self.why);
            if self.add(&Draft { count, ..event }, &mut pending).is_err() {
                self.refused = refused;
            }
        }
        let unsaid = mem::take(&mut self.unsaid);
        for found in &unsaid {
            if self.add(found, &mut pending).is_err() {
                self.unsaid.push(found.clone());
            }
        }
        let results: Vec<_> = drafts.map(|draft| self.add(draft, &mut pending)).collect();

        if let Err(error) = self.write(&pending) {
            self.chain = before;
            self.unsynced.truncate(kept);
            self.lost = together(pending.dropped, self.lost);
            (self.dropped, self.refused, self.unsaid) = (dropped, refused, unsaid);
            return Err(error);
        }
        // Where nothing had room, nothing shows that the disk takes records again.
        if self.unsynced.is_empty() && !self.torn {
            self.let_go();
        }
        if !pending.frames.is_empty() {
            self.given = 0;
            if mem::take(&mut self.failing) {
                tracing::info!("audit records can be written again");
            }
        }

        Ok(results)
    }

    /// Gives `draft` the next number and appends its frame, where there is room for it.
    fn add(&mut self, draft: &Draft, pending: &mut Pending) -> Result<Written, NotWritten> {
        self.last = draft.stamp;
        let share = Share::of(draft.outcome);
        self.make_room(share, pending)?;
        self.say_lost(draft.stamp, pending)?;
        let before = len(&pending.frames);
        let written = self.encode(draft, &mut pending.frames)?;
        if share == Share::Bounded {
            pending.bounded += len(&pending.frames) - before;
        }

        Ok(written)
    }

    /// Appends the frame that owns up to what was dropped, if anything was.
    fn say_lost(&mut self, at: Stamp, pending: &mut Pending) -> Result<(), NotWritten> {
        let Some((first, last)) = self.lost else { return Ok(()) };
        // The collector may have got some of them, or all, in time after all.
        let from = self.released.max(self.held_before) + 1;
        let first = first.max(from);
        if first > last {
            self.lost = None;
            return Ok(());
        }
        let lost = u32::try_from(last - first + 1).unwrap_or(u32::MAX);
        self.dropped = self.dropped.saturating_add(lost);
        let event = Draft::event(Event::Gap, at, DROPPED);
        // From the last receipt on: the gap record before this one may be among what went.
        let gap = Draft { span: Some((from, last)), count: lost, ..event };
        self.encode(&gap, &mut pending.frames)?;
        pending.dropped = together(pending.dropped, self.lost.take());

        Ok(())
    }

    fn encode(&mut self, draft: &Draft, frames: &mut Vec<u8>) -> Result<Written, NotWritten> {
        let seq = self.chain.seq + 1;
        let mut buffer = [0; MAX_RECORD];
        let record = draft.record(seq, self.options.boot, self.dropped);
        // Every text of a draft is short enough, so this does not happen.
        let len = record.encode(&mut buffer).map_err(|_| NotWritten::Failed)?;
        let record = buffer.get(..len).unwrap_or_default();
        self.even_out(draft);
        self.chain.seq = seq;
        self.chain.head = self.chain.head.next(record);
        let tag = self.chain.key.tag(&self.chain.head);
        self.chain.key.step();
        self.chain.snapshot = draft.snapshot.or(self.chain.snapshot);
        self.dropped = 0;
        Frame { record, tag }.write(frames);
        let (gateway, incarnation) = (self.gateway, self.incarnation);
        let decision_id = DecisionId::new(gateway, incarnation, self.options.boot, seq);

        Ok(Written { seq, decision_id })
    }

    /// Hashes and sums as many bytes more as the owner of a refused token takes fewer than the longest
    /// name would: the time of a 401 shall not tell that its record knows somebody (DOMAIN J3).
    fn even_out(&self, draft: &Draft) {
        let Outcome::Deny(reason) = draft.outcome else { return };
        if reason.class() == Class::Authn {
            let taken = draft
                .principal
                .as_ref()
                .map_or(0, |(id, name)| id.0.len() + 1 + name.as_str().len());
            let spare = [0; WHO_LEN];
            let spare = black_box(spare.get(taken..).unwrap_or_default());
            black_box((self.chain.head.next(spare), crc32(&[spare])));
        }
    }
}

/// Returns whether an answer goes out although a full disk has no room for its record (decision 0057).
const fn needs_no_room(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Passthrough(_) | Outcome::Allow(Reason::OkPublic))
}

/// More than so many records take on disk: who is given that and finds no room has a neighbour who takes
/// it, and no audit should go for that.
const fn enough(records: usize) -> u64 {
    (records as u64 + 16) * MAX_FRAME as u64
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
