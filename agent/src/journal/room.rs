//! Who gets how much of `max_bytes`, and what goes when there is no more.
//!
//! What lets nobody through to anything guarded (denials, pass-through, public routes) takes a
//! quarter at most, so whoever asks in vain cannot make an allow fail (ARCHITECTURE, decision 8;
//! DOMAIN I6). Allows take what is left of nine tenths; the last tenth is for events.

use std::os::unix::fs::MetadataExt as _;
use std::{fmt, fs, io, mem};

use gateward_core::audit::{Event, Outcome};
use gateward_core::decide::Reason;

use super::checkpoints;
use super::frame::MAX_FRAME;
use super::medium::is_unreadable;
use super::slots::Slot;
use super::writer::{Segment, Writer, segment_path};
use super::{Draft, NotWritten};

/// What a record may need: its frame, and one more to say what was dropped for it.
const ROOM: usize = 2 * MAX_FRAME;

/// Whose room a record takes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Share {
    /// Somebody was let through to something guarded.
    Allow,
    /// Anybody can bring it about, as often as they like.
    Bounded,
    /// The agent's own.
    Event,
}

impl Share {
    pub(crate) const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Allow(Reason::OkPublic) | Outcome::Deny(_) | Outcome::Passthrough(_) => {
                Self::Bounded
            }
            Outcome::Allow(_) => Self::Allow,
            Outcome::Event(_) => Self::Event,
        }
    }
}

/// How full the journal is, as its events tell it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Level {
    /// Below three quarters.
    Room,
    /// Three quarters or more.
    High,
    /// No room for a decision.
    Full,
}

/// Says whether what nobody else holds may be dropped now.
pub(crate) struct Permission(pub(crate) Box<dyn Fn() -> bool + Send>);

impl fmt::Debug for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permission").field(&self.0()).finish()
    }
}

/// Frames that are about to be written as one.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) frames: Vec<u8>,
    /// Bytes of [`Share::Bounded`] among them.
    pub(crate) bounded: u64,
    /// Bytes of [`Share::Bounded`] on disk before them.
    pub(crate) held: u64,
    /// What records among them own up to having dropped.
    pub(crate) dropped: Option<(u64, u64)>,
}

/// The numbers from the first of both to the last of both: what is dropped is always the oldest.
pub(crate) fn together(one: Option<(u64, u64)>, other: Option<(u64, u64)>) -> Option<(u64, u64)> {
    match (one, other) {
        (Some((first, last)), Some((from, to))) => Some((first.min(from), last.max(to))),
        (one, other) => one.or(other),
    }
}

impl Writer {
    pub(crate) fn bytes(&self) -> u64 {
        self.set_aside + self.segments.iter().map(|segment| segment.bytes).sum::<u64>()
    }

    /// The bytes of [`Share::Bounded`] in segments that the collector does not hold whole.
    ///
    /// A start reads the last segment only, and takes what older ones held from the file `share`;
    /// it is counted until the collector holds the last of those.
    pub(crate) fn bounded(&self) -> u64 {
        self.bounded_before(u64::MAX)
    }

    /// The same of the segments that begin before record `first`.
    fn bounded_before(&self, first: u64) -> u64 {
        let nexts = self.segments.iter().skip(1).map(|segment| segment.first);
        let ends = nexts.chain([self.chain.seq + 1]);
        let held = self.segments.iter().zip(ends).filter(|(_, end)| *end > self.released + 1);
        let before = held.filter(|(segment, _)| segment.first < first);

        before.map(|(segment, _)| segment.bounded).sum()
    }

    /// Keeps what the segments before `first` hold, for the next start, what is lost and not owned up to yet,
    /// and how much the collector holds.
    pub(crate) fn keep_share(&mut self, first: u64) {
        let (from, to) = self.noted.unwrap_or_default();
        let mut value = [0; 32];
        let words = [self.bounded_before(first), from, to, self.released.max(self.held_before)]
            .map(u64::to_le_bytes);
        value.iter_mut().zip(words.as_flattened()).for_each(|(place, byte)| *place = *byte);
        if let Err(error) = self.share.write_next(&value) {
            tracing::warn!(%error, "the share of denials in the audit was not written; a restart may count too little");
        }
    }

    /// Takes up what [`Self::keep_share`] kept; the share counts for the last segment but one.
    /// `owned` is the last number that a record of the segment that goes on owns up to: a note outlives its record's
    /// last sync, but not always the process.
    pub(crate) fn take_up_share(&mut self, kept: Option<&Slot>, owned: u64) {
        let Some(kept) = kept else { return };
        let mut words = kept.value.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
        let mut next = || words.next().unwrap_or_default();
        let (bounded, from, to) = (next(), next(), next());
        if let Some(older) = self.segments.iter_mut().rev().nth(1) {
            older.bounded = bounded;
        }
        self.noted = Some((from, to)).filter(|noted| *noted != (0, 0));
        // What is still there was not dropped after all.
        let oldest = self.segments.front().map_or(u64::MAX, |oldest| oldest.first);
        let to = to.min(oldest.saturating_sub(1)).min(self.chain.seq);
        let from = if from > 0 { from.max(owned.saturating_add(1)) } else { from };
        self.lost = Some((from, to)).filter(|(from, to)| (1..=*to).contains(from));
        self.held_before = next().min(self.chain.seq);
    }

    /// Forgets what is lost once everything that owns up to it is durable.
    pub(crate) fn let_go(&mut self) {
        if self.noted != self.lost {
            self.note_lost(self.lost);
        }
    }

    /// Keeps what is lost before it goes: a power cut may come before the record that owns up to it.
    fn note_lost(&mut self, lost: Option<(u64, u64)>) {
        self.noted = lost;
        self.keep_share(self.segments.back().map_or(0, |last| last.first));
        if let Err(error) = self.share.sync() {
            tracing::warn!(%error, "what is dropped from the audit was not noted; a power cut now would hide how much");
        }
    }

    /// Returns whether there is no room for a decision.
    pub(crate) fn is_full(&self) -> bool {
        let needed = u64::try_from(ROOM).unwrap_or(u64::MAX);

        self.used() + needed > self.limit(Share::Allow) && !self.may_drop()
    }

    /// Writes down, once, that the journal fills or has room again.
    ///
    /// Before the first word of what is released, a journal full of released records would pass
    /// for full.
    pub(crate) fn tell(&mut self) {
        let level = self.level();
        if level == self.level {
            self.logged = level;
        }
        if self.failing || !self.is_told || level == self.level {
            return;
        }
        let (used, max) = (self.used(), self.options.max_bytes);
        let remedy = if self.set_aside > 0 {
            "connect the collector, raise `audit.max_bytes`, or move away the `.damaged` files in the journal's folder"
        } else {
            "connect the collector or raise `audit.max_bytes`"
        };
        // Where there is no room even for the event, the log has it once all the same.
        let is_news = mem::replace(&mut self.logged, level) != level;
        let event = if level < self.level {
            if is_news {
                tracing::info!(used, max, "the audit has room again");
            }
            Event::AuditRoom
        } else if level == Level::Full {
            if is_news {
                tracing::error!(used, max, remedy, "the audit is full and nothing is allowed");
            }
            Event::AuditFull
        } else {
            if is_news {
                tracing::warn!(used, max, remedy, "the audit is nearly full");
            }
            Event::AuditHighWater
        };
        let event = Draft::event(event, self.last, &format!("{used} of {max} bytes"));
        // What could not be written down is said again.
        if self.commit([event].iter()).iter().all(Result::is_ok) {
            self.level = level;
        }
    }

    /// Takes a segment away, and then what is signed about it.
    ///
    /// One that nobody else holds is emptied, too: the upload may have it open, and its room would stay taken.
    fn remove(&self, first: u64, released: bool) -> io::Result<()> {
        let path = segment_path(&self.folder, first);
        // Under another name it is evidence.
        let is_alone =
            || fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_file() && facts.nlink() == 1);
        let file = (!released && is_alone()).then(|| self.medium.open(&path));
        self.medium.remove(&path)?;
        // Once it cannot come back: it would be one without its records.
        if let Some(Ok(mut file)) = file
            && self.medium.sync_folder(&self.folder).is_ok()
        {
            let _cut_or_not = file.cut(0);
        }
        // A journal older than checkpoints has none; one that stays proves nothing wrong.
        let _there_or_not = self.medium.remove(&checkpoints::path(&self.folder, first));

        Ok(())
    }

    fn level(&self) -> Level {
        let max = self.options.max_bytes;
        match () {
            () if self.is_full() => Level::Full,
            () if self.used() >= max - max / 4 => Level::High,
            () => Level::Room,
        }
    }

    /// Bytes that nobody else holds.
    fn used(&self) -> u64 {
        self.bytes() - self.reclaimable().map(|segment| segment.bytes).sum::<u64>()
    }

    /// The operator's wish alone is not enough.
    fn may_drop(&self) -> bool {
        self.options.drop_oldest
            && self.permission.as_ref().is_some_and(|permission| permission.0())
    }

    const fn limit(&self, share: Share) -> u64 {
        let max = self.options.max_bytes;
        match share {
            Share::Event => max,
            Share::Allow | Share::Bounded => max - max / 10,
        }
    }

    /// Whole segments that the collector holds, oldest first; never the one being written.
    fn reclaimable(&self) -> impl Iterator<Item = &Segment> {
        let nexts = self.segments.iter().skip(1);
        let pairs = self.segments.iter().zip(nexts);

        pairs.take_while(|(_, next)| next.first <= self.released + 1).map(|(segment, _)| segment)
    }

    /// Makes room for one more frame behind `pending`; records that nobody else holds and that had to go
    /// for it are [`Writer::lost`], also where that was not enough.
    pub(crate) fn make_room(&mut self, share: Share, pending: &Pending) -> Result<(), NotWritten> {
        let frame = u64::try_from(MAX_FRAME).unwrap_or(u64::MAX);
        let bounded = pending.held + pending.bounded + frame;
        if share == Share::Bounded && bounded > self.options.max_bytes / 4 {
            return Err(NotWritten::Bounded);
        }
        let needed = u64::try_from(pending.frames.len() + ROOM).unwrap_or(u64::MAX);
        let mut has_dropped = false;
        while self.bytes() + needed > self.limit(share) {
            match self.drop_oldest() {
                Ok(is_lost) => has_dropped |= is_lost,
                Err(_) if has_dropped => break,
                Err(full) => return Err(full),
            }
        }

        Ok(())
    }

    /// Takes the oldest segment away; returns whether nobody else holds what went with it.
    fn drop_oldest(&mut self) -> Result<bool, NotWritten> {
        let released = self.reclaimable().next().is_some();
        let (Some(oldest), Some(next)) = (self.segments.front(), self.segments.get(1)) else {
            return Err(NotWritten::Full);
        };
        if !released && !self.may_drop() {
            return Err(NotWritten::Full);
        }
        let (first, last, oldest_bytes) = (oldest.first, next.first - 1, oldest.bytes);
        let before = self.lost;
        if !released {
            let lost = Some((first.max(self.released + 1), last));
            self.lost = together(before, lost);
            self.note_lost(together(self.noted, lost));
        }
        if let Err(error) = self.remove(first, released) {
            if !is_unreadable(&error) {
                self.lost = before;
                return Err(NotWritten::Full);
            }
            // It stays, and nothing behind it waits for it.
            tracing::error!(%error, first, "a segment of the audit cannot be removed; replace the disk");
            self.set_aside += oldest_bytes;
        }
        self.segments.pop_front();

        Ok(!released)
    }

    /// Takes the oldest segment away for a disk that is full, long before `max_bytes` perhaps: one that the
    /// collector holds at any time, others until they were more than `most` bytes. Returns whether one went;
    /// what nobody else holds is owned up to with the next write.
    pub(crate) fn give_way(&mut self, most: u64) -> bool {
        let held = self.reclaimable().next().is_some();
        let Some(oldest) = self.segments.front().filter(|_| held || self.given < most) else {
            return false;
        };
        let bytes = oldest.bytes;
        let Ok(is_lost) = self.drop_oldest() else { return false };
        if is_lost {
            self.given = self.given.saturating_add(bytes);
        }
        tracing::warn!(lost = ?self.lost, "the disk is full, and the oldest records went; make room");

        true
    }
}
