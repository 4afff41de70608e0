//! Records that are lost for good, and the record in which the gateway owns up to it.
//!
//! A gateway says with which numbers nothing can be read any more, under the key that follows them and
//! with a signed checkpoint (the `gap` event of its own audit). What follows is taken then, and that
//! records are lost is an event of its own here. A gateway that says nothing is waited for.

use gateward_agent::upload::batch::Batch;
use gateward_core::audit::{Event, Outcome, Ratchet};
use gateward_core::name::Uuid;

use super::held::{Held, Trouble, checkpoint_fits};
use crate::enroll::Enrolled;

/// So many keys are reckoned on to look behind a hole; it takes some seconds.
const MOST: u64 = 1 << 26;

/// Numbers that no record can be read for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Hole {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl Hole {
    pub(super) const fn covers(self, other: Self) -> bool {
        self.first <= other.first && self.last >= other.last
    }

    pub(super) const fn holds(self, number: u64) -> bool {
        self.first <= number && number <= self.last
    }
}

/// What a batch behind a hole comes to.
#[derive(Debug)]
pub(super) enum Behind {
    /// The gateway has owned up to the hole: the batch goes on from behind it.
    Owned(Box<Held>, Hole),
    /// It has not.
    Open {
        /// What the batch owns up to, where the hole begins in it: another batch is behind that.
        told: Option<Hole>,
        trouble: Trouble,
    },
}

impl Behind {
    const fn open(trouble: Trouble) -> Self {
        Self::Open { told: None, trouble }
    }
}

/// Looks at a batch of the gateway's that begins behind what is held; `owned` is what the gateway has
/// owned up to in an earlier one.
pub(super) fn behind(
    held: &Held,
    batch: &Batch,
    enrolled: &Enrolled,
    account: Uuid,
    owned: Option<Hole>,
) -> Behind {
    let missing = Hole { first: held.through.saturating_add(1), last: batch.first - 1 };
    let gap = Trouble::Gap { first: missing.first, last: missing.last };
    // First what costs a forger a signature: also before a gap is told, and before a batch waits.
    let mut told = match owned_in(batch, enrolled, account) {
        Ok(told) => told,
        Err(trouble) => return Behind::open(trouble),
    };
    told.retain(|hole| hole.holds(missing.first));
    let is_owned = owned.iter().chain(&told).any(|hole| hole.covers(missing));
    if (!is_owned && told.is_empty()) || missing.last.saturating_sub(held.through) > MOST {
        return Behind::open(gap);
    }
    let again = told.iter().find(|hole| owned.is_some_and(|known| known.covers(**hole)));
    if let (false, Some(hole)) = (is_owned, again) {
        // Said before: no second walk along the keys.
        return Behind::Open { told: Some(*hole), trouble: gap };
    }
    let mut ratchet = held.ratchet.clone();
    (missing.first..=missing.last).for_each(|_| ratchet.step());
    if let Some(forged) = forged(batch, ratchet.clone()) {
        return Behind::open(Trouble::ForgedTag(forged));
    }
    if !is_owned {
        return Behind::Open { told: told.pop(), trouble: gap };
    }
    let (through, head) = (missing.last, batch.before);

    Behind::Owned(Box::new(Held { through, head, ratchet, ..held.clone() }), missing)
}

/// Returns the holes that a batch owns up to, for which the gateway has signed.
fn owned_in(batch: &Batch, enrolled: &Enrolled, account: Uuid) -> Result<Vec<Hole>, Trouble> {
    let mut told = Vec::new();
    let walked = batch.walk(|entry| {
        if let (Outcome::Event(Event::Gap), Some((first, last))) =
            (entry.record.outcome, entry.record.span)
        {
            told.push(Hole { first, last });
        }
    });
    let head = walked.map_err(|bad| Trouble::BadBatch(bad.to_string()))?;
    if !checkpoint_fits(batch, head, enrolled, account) {
        return Err(Trouble::BadCheckpoint(batch.last()));
    }

    Ok(told)
}

/// Returns whether a batch as it came shows that the gateway has owned up to a hole in that enrolment.
pub(super) fn proves(message: &[u8], hole: Hole, enrolled: &Enrolled, account: Uuid) -> bool {
    let Ok(batch) = Batch::decode(message) else { return false };
    let whose = (enrolled.id(account), enrolled.incarnation);

    (batch.gateway, batch.incarnation) == whose
        && owned_in(&batch, enrolled, account)
            .is_ok_and(|told| told.iter().any(|one| one.covers(hole)))
}

/// Returns the first record without the tag of its key.
fn forged(batch: &Batch, mut ratchet: Ratchet) -> Option<u64> {
    let mut forged = None;
    let walked = batch.walk(|entry| {
        if !ratchet.accepts(&entry.head, &entry.tag) {
            forged = forged.or(Some(entry.record.seq));
        }
        ratchet.step();
    });

    forged.or_else(|| walked.is_err().then_some(batch.first))
}
