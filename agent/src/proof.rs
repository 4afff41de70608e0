//! Following the chain through batches that are kept: an export of a gateway, or what a collector
//! received.
//!
//! A mistake never ends the walk: what can still be followed behind it is followed, so that all of
//! what is wrong is told, and where.

mod mistake;
mod report;

use std::collections::BTreeSet;

use gateward_core::audit::{Event, Head, Outcome, Ratchet, SnapshotName};
use gateward_core::name::Uuid;
use gateward_core::trust::{Checkpoint, GatewayId, Incarnation, VerifyingKey};

pub use mistake::{Mistake, Mistakes, Witness};
pub use report::{Report, of_file};

use crate::upload::batch::{Batch, Entry};

/// Over no longer a hole is the key of the tags carried; a number in a file must not cost hours.
const MAX_HOLE: u64 = 1 << 26;

/// What is known of an enrolment from elsewhere.
#[derive(Clone, Debug)]
pub struct Known {
    /// Whose gateway it is.
    pub account: Uuid,
    /// Verifies its checkpoints.
    pub key: VerifyingKey,
    /// The first key of its tags; none where only the chain and the checkpoints are looked at.
    pub ratchet: Option<Ratchet>,
}

/// How much has been looked at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Seen {
    /// Records on the chain.
    pub records: u64,
    /// Checkpoints whose signature is the gateway's.
    pub checkpoints: u64,
    /// Checkpoints whose signature could not be looked at.
    pub unsigned: u64,
    /// Tags that are the gateway's.
    pub tags: u64,
}

/// Goes through the batches of one gateway in order.
#[derive(Debug)]
pub struct Follower {
    /// The first record must be there, as in a collector's store; an export may begin later.
    whole: bool,
    /// The number that the first batch begins with, where it may be any.
    begins: u64,
    at: Option<At>,
    left: BTreeSet<Incarnation>,
    batches: u64,
    seen: Seen,
    /// Numbers that records own up to having lost.
    gaps: Vec<(u64, u64)>,
    mistakes: Mistakes,
}

/// Where the chain has been followed to.
#[derive(Clone, Debug)]
pub struct At {
    /// Whose records they are.
    pub gateway: GatewayId,
    /// Of which enrolment.
    pub incarnation: Incarnation,
    /// The number of the last record; 0 for none.
    pub last: u64,
    /// The chain's head after it.
    pub head: Head,
    snapshot: Option<SnapshotName>,
    known: Option<Known>,
    /// Holes that no gap record has owned up to yet.
    open: Vec<(u64, u64)>,
    /// Nothing was followed yet, so the first batch says where it begins.
    fresh: bool,
}

impl Follower {
    /// Begins; `whole` where nothing may be missing before the first batch.
    #[must_use]
    pub fn new(whole: bool) -> Self {
        Self {
            whole,
            begins: 1,
            at: None,
            left: BTreeSet::new(),
            batches: 0,
            seen: Seen::default(),
            gaps: Vec::new(),
            mistakes: Mistakes::default(),
        }
    }

    /// Follows one batch, shows each record that it adds with the snapshot in force, and writes down
    /// what is wrong. `known` says what is known of an enrolment.
    pub fn take(
        &mut self,
        message: &[u8],
        known: impl FnOnce(GatewayId, Incarnation) -> Option<Known>,
        mut show: impl FnMut(&At, &Entry<'_>, Option<SnapshotName>),
    ) {
        self.batches += 1;
        let batch = match Batch::decode(message) {
            Ok(batch) => batch,
            Err(bad) => {
                let why = bad.to_string();
                self.mistakes.add(Mistake::Batch { batch: self.batches, why });
                return;
            }
        };
        let Some(mut at) = self.enter(&batch, known) else { return };
        self.connect(&mut at, &batch);
        let (last, mut compared) = (at.last, false);
        let mut counted = Seen::default();
        let walked = batch.walk(|entry| {
            let number = entry.record.seq;
            if number < last {
                return;
            }
            if number == last {
                compared = true;
                if entry.head != at.head {
                    self.mistakes.add(Mistake::Fork { incarnation: at.incarnation, number });
                }
                return;
            }
            at.add(&entry, &mut counted, &mut self.gaps, &mut self.mistakes);
            show(&at, &entry, at.snapshot);
        });
        self.seen.records += counted.records;
        self.seen.tags += counted.tags;
        match walked {
            Err(bad) => {
                let why = bad.to_string();
                self.mistakes.add(Mistake::Batch { batch: self.batches, why });
            }
            Ok(_) if batch.last() < last || (batch.first <= last && !compared) => {
                let (first, last) = (batch.first, batch.last());
                self.mistakes.add(Mistake::Repeated { batch: self.batches, first, last });
            }
            Ok(head) => self.checkpoint(&batch, head, &at),
        }
        self.at = Some(at);
    }

    /// Returns how far the chain has been followed.
    #[must_use]
    pub const fn at(&self) -> Option<&At> {
        self.at.as_ref()
    }

    /// Returns the number of the first record that is there, where it need not be the first of all.
    #[must_use]
    pub const fn begins(&self) -> u64 {
        self.begins
    }

    /// Writes down what is wrong beside the chain.
    pub fn note(&mut self, mistake: Mistake) {
        self.mistakes.add(mistake);
    }

    /// Writes down all that is wrong beside the chain.
    pub fn note_all(&mut self, mistakes: Mistakes) {
        self.mistakes.add_all(mistakes);
    }

    /// Ends, and returns what was looked at, what the records say is missing, and all mistakes.
    #[must_use]
    pub fn finish(mut self) -> (Seen, Vec<(u64, u64)>, Mistakes) {
        if let Some(at) = self.at.take() {
            self.leave(&at);
        }

        (self.seen, self.gaps, self.mistakes)
    }

    /// Returns the place that the batch is to be held against: another one where it is of another
    /// enrolment.
    fn enter(
        &mut self,
        batch: &Batch,
        known: impl FnOnce(GatewayId, Incarnation) -> Option<Known>,
    ) -> Option<At> {
        let (gateway, incarnation) = (batch.gateway, batch.incarnation);
        if let Some(at) = self.at.take() {
            if (at.gateway, at.incarnation) == (gateway, incarnation) {
                return Some(at);
            }
            if at.gateway != gateway || self.left.contains(&incarnation) {
                self.mistakes.add(Mistake::Astray { batch: self.batches, incarnation });
                self.at = Some(at);
                return None;
            }
            self.leave(&at);
            self.left.insert(at.incarnation);
        }

        Some(At {
            gateway,
            incarnation,
            last: 0,
            head: Head::START,
            snapshot: None,
            known: known(gateway, incarnation),
            open: Vec::new(),
            fresh: true,
        })
    }

    fn leave(&mut self, at: &At) {
        for (first, last) in at.open.iter().copied() {
            let incarnation = at.incarnation;
            self.mistakes.add(Mistake::Missing { incarnation, first, last });
        }
    }

    /// Sees whether the batch goes on from where the chain is; where it does not, goes on from it.
    fn connect(&mut self, at: &mut At, batch: &Batch) {
        let (next, incarnation) = (at.last.saturating_add(1), at.incarnation);
        // Only what came first of all may have been forgotten, or left out of an export.
        let may_begin_here = at.fresh && !self.whole && self.left.is_empty();
        at.fresh = false;
        if may_begin_here {
            self.begins = batch.first;
        }
        if batch.first > next {
            if !may_begin_here {
                at.open.push((next, batch.first - 1));
            }
            at.skip_to(batch.first, &mut self.mistakes);
        } else if batch.first == next && batch.before != at.head {
            self.mistakes.add(Mistake::Fork { incarnation, number: next });
        } else {
            return;
        }
        at.head = batch.before;
        if may_begin_here {
            // No record before says it, so the batch's word has to do, as for whoever exported it.
            at.snapshot = batch.snapshot;
        }
    }

    /// A batch may come without a checkpoint, but not with a wrong one.
    fn checkpoint(&mut self, batch: &Batch, head: Head, at: &At) {
        if batch.checkpoint.is_empty() {
            return;
        }
        let Some(known) = &at.known else {
            self.seen.unsigned += 1;
            return;
        };
        let said = Checkpoint::verify(&batch.checkpoint, &known.key, known.account, at.gateway);
        let fits = said.is_ok_and(|said| {
            (said.incarnation, said.number, said.head) == (batch.incarnation, batch.last(), head)
        });
        if fits {
            self.seen.checkpoints += 1;
        } else {
            let (incarnation, number) = (at.incarnation, batch.last());
            self.mistakes.add(Mistake::Checkpoint { incarnation, number });
        }
    }
}

impl At {
    fn add(
        &mut self,
        entry: &Entry<'_>,
        seen: &mut Seen,
        gaps: &mut Vec<(u64, u64)>,
        mistakes: &mut Mistakes,
    ) {
        let (number, incarnation) = (entry.record.seq, self.incarnation);
        seen.records += 1;
        if let Some(ratchet) = self.known.as_mut().and_then(|known| known.ratchet.as_mut()) {
            if ratchet.accepts(&entry.head, &entry.tag) {
                seen.tags += 1;
            } else {
                mistakes.add(Mistake::Tag { incarnation, first: number, last: number });
            }
            ratchet.step();
        }
        (self.last, self.head) = (number, entry.head);
        // The one that the batch names is not in the chain.
        self.snapshot = entry.record.snapshot.or(self.snapshot);
        if let (Outcome::Event(Event::Gap), Some((first, last))) =
            (entry.record.outcome, entry.record.span)
        {
            self.open.retain(|hole| hole.0 < first || hole.1 > last);
            gaps.push((first, last));
        }
    }

    /// Carries the key of the tags over a hole.
    fn skip_to(&mut self, first: u64, mistakes: &mut Mistakes) {
        let missing = first - 1 - self.last;
        self.last = first - 1;
        let Some(known) = &mut self.known else { return };
        if missing > MAX_HOLE {
            if known.ratchet.take().is_some() {
                let incarnation = self.incarnation;
                mistakes.add(Mistake::TooFar { incarnation, number: first });
            }
            return;
        }
        if let Some(ratchet) = &mut known.ratchet {
            (0..missing).for_each(|_| ratchet.step());
        }
    }
}
