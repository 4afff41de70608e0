//! Opening the journal after whatever happened: a crash, a power cut, a flipped bit, a thief.
//!
//! Only what was never a whole record is cut off. A bad record with a good one behind it, or an end
//! before the high-water mark, is damage: the file is kept aside as it is, what is good of it stays
//! in the journal, and the journal says what is missing.

mod aside;
mod hole;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use std::{fs, io};

use gateward_core::audit::{Event, Head, Outcome, Record, SnapshotName};
use gateward_core::trust::{GatewayId, Incarnation};

pub(crate) use aside::free;
use aside::{set_aside_bytes, set_other_enrolment_aside};

use super::checkpoints::{Checkpoints, Found, Signer};
use super::frame::{Frame, HEAD_LEN, SegmentHead};
use super::known::{Known, open_or_set_aside};
use super::medium::Medium;
use super::medium::is_unreadable;
use super::metered::Metered;
use super::room::Level;
use super::room::together;
use super::tally::Tally;
use super::torn::signed_for;
use super::verify::Walk;
use super::writer::{Chain, Segment, Writer, segment_path};
use super::{Draft, Durability, Options};
use crate::identity::Identity;

/// What was found and mended at start.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Recovered {
    /// The number of the last record that was found.
    pub last: u64,
    /// Bytes cut off that were never a whole record.
    pub cut: u64,
    /// Files that were set aside.
    pub damaged: Vec<PathBuf>,
    /// Numbers of records that are missing, first and last.
    pub gap: Option<(u64, u64)>,
    /// The key file is lost, and the key is too far from enrolment's to be found again: no tag from
    /// here on is the gateway's, which only a new enrolment mends.
    pub lost_key: bool,
    /// The agent before ended without a stop, after so long at most without a sync; what it answered in
    /// that time may be missing.
    pub unsynced: Option<Duration>,
}

/// How far the last good segment goes.
struct End {
    last: u64,
    head: Head,
    snapshot: Option<SnapshotName>,
    good: usize,
    /// How much of it anybody could have brought about.
    bounded: u64,
    /// Its last record is that of a stop in good order.
    stopped: bool,
    /// The segment to go on with; none where a new one must begin.
    segment: Option<u64>,
}

struct Recovery<'a> {
    folder: &'a Path,
    medium: &'a dyn Medium,
    by: Signer,
    incarnation: Incarnation,
    files: Known,
    found: Recovered,
    /// The highest number seen in what is damaged, or signed for.
    seen: u64,
}

/// Opens the files in `folder` and writes down what was wrong with them.
pub(crate) fn recover(
    medium: Arc<dyn Medium>,
    folder: &Path,
    gateway: GatewayId,
    identity: &Identity,
    options: Options,
) -> io::Result<(Writer, Recovered)> {
    let written = Arc::new(AtomicU64::new(0));
    let medium: Arc<dyn Medium> = Arc::new(Metered::new(medium, Arc::clone(&written)));
    medium.make_folder(folder)?;
    set_other_enrolment_aside(&*medium, folder, gateway, identity)?;
    let mut files = Known::open(&*medium, folder, identity.incarnation)?;
    let share = folder.join("share");
    let (share_slots, share) =
        open_or_set_aside(&*medium, &share, identity.incarnation, &mut files.damaged)?;
    medium.sync_folder(folder)?;
    let found = Recovered::default();
    let incarnation = identity.incarnation;
    let mut checkpoints = Checkpoints::new(options.account, identity.key.clone());
    let by = checkpoints.signer(gateway);
    let mut recovery =
        Recovery { folder, medium: &*medium, by, incarnation, files, found, seen: 0 };
    let mut segments = recovery.segments()?;
    let end = recovery.end(&mut segments)?;
    recovery.found.damaged.append(&mut recovery.files.damaged);

    let to = recovery.files.durable().max(recovery.signed_for()).max(recovery.seen).max(end.last);
    recovery.found.last = end.last;
    let is_cut = to > end.last;
    let untold = recovery.untold(&segments, &end)?;
    recovery.found.gap = together(untold, is_cut.then_some((end.last + 1, to)));
    let marked = recovery.files.head_after(to).filter(|_| is_cut);
    let key = recovery.files.key_after(to, identity.first_key());
    recovery.found.lost_key = key.is_none();
    let has_lost_key = key.is_none();
    if !has_lost_key {
        recovery.forget_old_keys()?;
    }
    if let (Durability::Interval(every), false) = (options.sync, end.stopped) {
        recovery.found.unsynced = Some(every);
    }
    let chain = Chain {
        seq: to,
        head: marked.unwrap_or(end.head),
        // A number is never used twice, so the chain goes on; any key will do for a tag that
        // proves nothing.
        key: key.unwrap_or_else(|| identity.audit.clone()),
        snapshot: end.snapshot,
    };
    let segment = end.segment.filter(|_| !is_cut);
    let bytes = u64::try_from(end.good).unwrap_or_default();
    let file = segment.map(|first| medium.open(&segment_path(folder, first))).transpose()?;
    if let Some(first) = segment
        && let Err(error) = checkpoints.resume(&*medium, folder, first)
    {
        tracing::warn!(%error, "the audit's checkpoints cannot be written for a while");
    }
    let Recovery { files, found, .. } = recovery;
    let mut writer = Writer {
        folder: folder.to_owned(),
        gateway,
        incarnation,
        options,
        segments,
        set_aside: set_aside_bytes(folder)?,
        file,
        durable: (chain.clone(), bytes),
        chain,
        tally: Tally::default(),
        unsynced: Vec::new(),
        key: files.key_slots,
        has_lost_key,
        mark: files.mark_slots,
        share: share_slots,
        checkpoints,
        written,
        released: 0,
        is_told: false,
        level: Level::Room,
        permission: None,
        begins: segment.is_none(),
        torn: false,
        forgotten: false,
        failing: false,
        no_space: false,
        why: String::new(),
        refused: 0,
        missed: Arc::default(),
        dropped: 0,
        lost: None,
        given: 0,
        noted: None,
        held_before: 0,
        logged: Level::Room,
        unsaid: Vec::new(),
        kept: None,
        last: options.now,
        medium,
    };
    writer.take_up_share(share.as_ref());
    let events = events(&found, options);
    let said = writer.commit(events.iter());
    // What has no room, or meets a disk that fails, goes before the first record that there is room for.
    let unsaid = events.into_iter().zip(said).filter(|(_, said)| said.is_err());
    writer.unsaid = unsaid.map(|(event, _)| event).collect();

    Ok((writer, found))
}

/// One event for each finding; they are the first records of this start.
fn events(found: &Recovered, options: Options) -> Vec<Draft> {
    let mut events = Vec::new();
    let mut event = |event, particulars: &str, span| {
        events.push(Draft { span, ..Draft::event(event, options.now, particulars) });
    };
    if found.cut > 0 {
        event(Event::TailCut, &format!("{} bytes", found.cut), None);
    }
    for path in &found.damaged {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        event(Event::SegmentDamaged, &name, None);
    }
    if found.lost_key {
        event(Event::SegmentDamaged, "key", None);
    }
    if let Some(every) = found.unsynced {
        event(Event::Unsynced, &format!("{} ms", every.as_millis()), None);
    }
    if let Some((first, last)) = found.gap {
        event(Event::Gap, "missing at start", Some((first, last)));
    }

    events
}

impl Recovery<'_> {
    fn segments(&self) -> io::Result<VecDeque<Segment>> {
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
    fn end(&mut self, segments: &mut VecDeque<Segment>) -> io::Result<End> {
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
        let (mut stopped, mut stop) = (None, None);
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

        Ok(End { last, head: chain, snapshot, good, bounded, stopped, segment })
    }

    /// The last record that a checkpoint is signed for, and notes it as seen.
    fn signed_for(&mut self) -> u64 {
        let last = signed_for(self.folder, &self.by, self.incarnation);
        self.seen = self.seen.max(last);

        last
    }
}

/// Returns the highest number of a whole record anywhere in `bytes` that comes after `last`; one
/// above `most` shows that there is one, and its number is not believed.
pub(super) fn behind(bytes: &[u8], last: u64, most: u64) -> Option<u64> {
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

/// The first numbers of the segments in `folder`, ascending.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<u64>> {
    list_of(folder, "seg")
}

/// The numbers of the files in `folder` that are named by one and end like this, ascending.
pub(crate) fn list_of(folder: &Path, extension: &str) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let parts = name.to_str().and_then(|name| name.split_once('.'));
        let first = parts.filter(|(_, end)| *end == extension).map(|(first, _)| first);
        let digits = first.filter(|digits| digits.len() == 20);
        firsts.extend(digits.and_then(|digits| digits.parse::<u64>().ok()));
    }
    // No record has number 0, and no segment begins with it.
    firsts.retain(|first| *first > 0);
    firsts.sort_unstable();

    Ok(firsts)
}
