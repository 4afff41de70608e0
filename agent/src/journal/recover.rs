//! Opening the journal after whatever happened: a crash, a power cut, a flipped bit, a thief.
//!
//! Only what was never a whole record is cut off. A bad record with a good one behind it, or an end
//! before the high-water mark, is damage: the file is kept aside as it is, what is good of it stays
//! in the journal, and the journal says what is missing.

mod aside;
mod end;
mod hole;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use std::{fs, io};

use gateward_core::audit::Event;
use gateward_core::trust::{GatewayId, Incarnation};

pub(crate) use aside::free;
use aside::{set_aside_bytes, set_other_enrolment_aside};
use end::End;
pub(super) use end::behind;

use super::checkpoints::{Checkpoints, Signer};
use super::known::{Known, open_or_set_aside};
use super::medium::Medium;
use super::metered::Metered;
use super::room::Level;
use super::room::together;
use super::tally::Tally;
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
    let (chain, segment) = recovery.go_on(&segments, &end, identity)?;
    if let (Durability::Interval(every), false) = (options.sync, end.stopped) {
        recovery.found.unsynced = Some(every);
    }
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
        has_lost_key: found.lost_key,
        mark: files.mark_slots,
        share: share_slots,
        checkpoints,
        written,
        released: 0,
        is_told: false,
        level: Level::Room,
        permission: None,
        begins: segment.is_none(),
        // What a killed agent wrote is there, and nobody may have synced it: that comes before the first record.
        torn: segment.is_some(),
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
    // Where a new segment begins, nobody waits for the disk to have the one before.
    writer.take_up_share(share.as_ref(), if segment.is_some() { end.owned } else { 0 });
    writer.tell_found(events(&found, options));

    Ok((writer, found))
}

impl Writer {
    /// Writes what was found; what has no room, or meets a disk that fails, goes before the first record that there is
    /// room for.
    fn tell_found(&mut self, events: Vec<Draft>) {
        let said = self.commit(events.iter());
        let unsaid = events.into_iter().zip(said).filter(|(_, said)| said.is_err());
        self.unsaid = unsaid.map(|(event, _)| event).collect();
    }
}

impl Recovery<'_> {
    /// Notes what is missing, and returns the chain that goes on behind it, and in which segment; in none where a new
    /// one must begin.
    fn go_on(
        &mut self,
        segments: &VecDeque<Segment>,
        end: &End,
        identity: &Identity,
    ) -> io::Result<(Chain, Option<u64>)> {
        self.found.damaged.append(&mut self.files.damaged);
        let to = self.files.durable().max(self.signed_for()).max(self.seen).max(end.last);
        self.found.last = end.last;
        let is_cut = to > end.last;
        let untold = self.untold(segments, end)?;
        self.found.gap = together(untold, is_cut.then_some((end.last + 1, to)));
        let marked = self.files.head_after(to).filter(|_| is_cut);
        let key = self.files.key_after(to, identity.first_key());
        self.found.lost_key = key.is_none();
        if key.is_some() {
            self.forget_old_keys()?;
        }
        let chain = Chain {
            seq: to,
            head: marked.unwrap_or(end.head),
            // A number is never used twice, so the chain goes on; any key will do for a tag that
            // proves nothing.
            key: key.unwrap_or_else(|| identity.audit.clone()),
            snapshot: end.snapshot,
        };

        Ok((chain, end.segment.filter(|_| !is_cut)))
    }
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
