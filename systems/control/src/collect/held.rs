//! What the collector holds of one gateway, and whether a batch goes on from there.
//!
//! Only what follows without a gap, or behind one that the gateway has owned up to, has the right head and carries the tag of a key that the
//! gateway has since destroyed is taken (TRUST section 5), and only with the signed checkpoint of its
//! last record: what is kept can be shown to others. A batch is taken whole or not at all. Nothing
//! that it says beside its records is believed.

use std::collections::BTreeMap;

use gateward_agent::journal::json::Origin;
use gateward_agent::upload::batch::{Batch, Entry};
use gateward_core::audit::{Head, Ratchet, SnapshotName};
use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::{Checkpoint, Incarnation};

use crate::enroll::Enrolled;
use crate::fleet::alarm::Alarm;

use super::bound::Bound;
use super::hole::{Behind, Hole, behind};
use super::late::{LateUse, Use};
use super::store::Rows;

/// The contiguous prefix of one gateway's records that is on disk.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// The enrolment it is of.
    pub(super) incarnation: Incarnation,
    /// Number of the last record; 0 for none.
    pub(super) through: u64,
    /// The chain's head after it.
    pub(super) head: Head,
    /// The key of the record that comes next; secret.
    pub(super) ratchet: Ratchet,
    /// The snapshot in force after it.
    pub(super) snapshot: Option<SnapshotName>,
    /// Length of the gateway's lines, over all its enrolments.
    pub(super) bytes: u64,
    /// Length of its batches as they came, over all its enrolments.
    pub(super) batches: u64,
}

/// What is wrong with a batch, or with what it came as.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Trouble {
    #[error("{0}")]
    Alarm(Alarm),
    #[error(
        "what is held of the gateway was altered in the database by somebody else; nothing more of it is \
         taken until the tables `gateward.position` and `gateward.batch` are restored"
    )]
    Altered,
    #[error("a batch cannot be read: {0}")]
    BadBatch(String),
    #[error(
        "the checkpoint of a batch that ends with record {0} is missing or not the gateway's; nothing \
         of it is taken"
    )]
    BadCheckpoint(u64),
    #[error(
        "record {0} does not carry the tag of the gateway's key: forged, or altered on its way"
    )]
    ForgedTag(u64),
    #[error("the chain forks at record {0}: the gateway's journal was replaced, or a batch forged")]
    Fork(u64),
    #[error("records {first} to {last} are missing; nothing after them is taken")]
    Gap { first: u64, last: u64 },
    #[error("the gateway is back")]
    Back,
    #[error("the gateway has left the broker, or its connection broke")]
    Gone,
    #[error(
        "for {0} s the gateway has said nothing that it had not said before: its disk takes no writes, or \
         the broker brings its last words again"
    )]
    NothingNew(u64),
    #[error("records {first} to {last} are lost: the gateway itself says that it cannot read them")]
    Lost { first: u64, last: u64 },
    #[error("a batch of another enrolment; was the gateway enrolled again elsewhere?")]
    OtherEnrolment,
    #[error(
        "record {0} is held with another content: the gateway's store was put back from a backup, or \
         somebody has its keys"
    )]
    Restored(u64),
    #[error("nothing was heard from the gateway for {0} s")]
    Silent(u64),
    #[error("{0}")]
    UsedAfterRevocation(LateUse),
    #[error("the name is not one of a gateway enrolled in the policy folder")]
    Unknown,
}

impl Trouble {
    /// A stable word for it.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Alarm(Alarm::FellBack { .. }) => "fell_back",
            Self::Alarm(Alarm::TwoRoots { .. }) => "two_roots",
            Self::Altered => "position_altered",
            Self::Back => "back",
            Self::BadBatch(_) => "bad_batch",
            Self::BadCheckpoint(_) => "bad_checkpoint",
            Self::ForgedTag(_) => "forged_tag",
            Self::Fork(_) => "fork",
            Self::Gap { .. } => "gap",
            Self::Gone => "gone",
            Self::Lost { .. } => "lost",
            Self::NothingNew(_) => "nothing_new",
            Self::OtherEnrolment => "other_enrolment",
            Self::Restored(_) => "restored_backup",
            Self::Silent(_) => "silent",
            Self::Unknown => "unknown_gateway",
            Self::UsedAfterRevocation(_) => "used_after_revocation",
        }
    }
}

impl Trouble {
    /// Whether a signature of the gateway's, or the lack of any word of it, is behind it: nobody else can
    /// make it up.
    pub(super) const fn is_vouched_for(&self) -> bool {
        matches!(
            self,
            Self::Alarm(_)
                | Self::Back
                | Self::Gone
                | Self::Lost { .. }
                | Self::NothingNew(_)
                | Self::Restored(_)
                | Self::Silent(_)
                | Self::UsedAfterRevocation(_)
        )
    }

    /// Whether who has heard it once can bring it again, though he cannot make it up.
    pub(super) const fn can_be_replayed(&self) -> bool {
        matches!(self, Self::Alarm(_) | Self::Restored(_))
    }

    /// What a script needs beside the text.
    pub(super) fn details(&self) -> serde_json::Map<String, serde_json::Value> {
        if let Self::UsedAfterRevocation(late) = self { late.details() } else { <_>::default() }
    }
}

/// What was written down since the collector began.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The last trouble of each gateway: repeated, it is no news.
    troubles: BTreeMap<String, Trouble>,
    bound: Bound,
}

impl Told {
    /// Returns whether it is to be written down; whoever asks does so.
    pub(super) fn is_news(&mut self, gateway: &str, trouble: &Trouble, now: UnixSeconds) -> bool {
        if let Trouble::UsedAfterRevocation(_) = trouble {
            // Only a gateway with its keys brings this here, and each time it is another record.
            return true;
        }
        let is_known = self.troubles.get(gateway) == Some(trouble);
        if is_known || !self.bound.has_room(gateway, trouble, now) {
            return false;
        }
        self.bound.take(gateway, trouble, now);
        self.troubles.insert(gateway.to_owned(), trouble.clone());

        true
    }
}

/// What a batch comes to.
#[derive(Debug)]
pub(super) struct Taken<R> {
    /// The new records.
    pub(super) rows: R,
    /// The chain's head after the batch's last record.
    pub(super) head: Head,
    /// What is held with them.
    pub(super) held: Held,
    /// Those of them that allowed something to somebody.
    pub(super) uses: Vec<Use>,
    /// What was lost before them.
    pub(super) lost: Option<Hole>,
    /// What the gateway owns up to, though what is behind that has not come.
    pub(super) told: Option<Hole>,
    /// Why not all of it was taken, or what else is wrong.
    pub(super) trouble: Option<Trouble>,
}

impl Held {
    /// Nothing yet; `bytes` and `batches` are the lengths of the files from earlier enrolments.
    pub(super) fn nothing(enrolled: &Enrolled, (bytes, batches): (u64, u64)) -> Self {
        Self {
            incarnation: enrolled.incarnation,
            through: 0,
            head: Head::START,
            ratchet: enrolled.audit.clone(),
            snapshot: None,
            bytes,
            batches,
        }
    }

    /// Takes what of `batch` goes on from here, or nothing of it; `owned` is what the gateway owned up to
    /// in an earlier one.
    pub(super) fn take<R: Rows>(
        &self,
        batch: &Batch,
        enrolled: &Enrolled,
        account: Uuid,
        owned: Option<Hole>,
    ) -> Taken<R> {
        let origin =
            Origin { account, gateway: enrolled.id(account), incarnation: enrolled.incarnation };
        if let Err(trouble) = self.follows(batch, &origin) {
            let Trouble::Gap { .. } = trouble else { return self.nothing_new(Some(trouble)) };
            return match behind(self, batch, enrolled, account, owned) {
                Behind::Owned(start, lost) => {
                    let taken = start.go_on(batch, enrolled, &origin);
                    if taken.trouble.is_some() {
                        taken
                    } else {
                        Taken { lost: Some(lost), ..taken }
                    }
                }
                Behind::Open { told, trouble } => Taken { told, ..self.nothing_new(Some(trouble)) },
            };
        }

        self.go_on(batch, enrolled, &origin)
    }

    /// Takes what is new of a batch that goes on from here, or nothing of it.
    fn go_on<R: Rows>(&self, batch: &Batch, enrolled: &Enrolled, origin: &Origin) -> Taken<R> {
        let mut taken = self.nothing_new(None);
        let walked = batch
            .walk(|entry| taken.add(self, &entry, origin))
            .map_err(|bad| Trouble::BadBatch(bad.to_string()));
        let trouble = match (walked, taken.trouble.take()) {
            (Err(trouble), _) | (_, Some(trouble)) => Some(trouble),
            (Ok(head), None) => (!checkpoint_fits(batch, head, enrolled, origin.account))
                .then(|| Trouble::BadCheckpoint(batch.last())),
        };

        if trouble.is_some() { self.nothing_new(trouble) } else { taken }
    }

    fn nothing_new<R: Rows>(&self, trouble: Option<Trouble>) -> Taken<R> {
        let (rows, uses) = (R::default(), Vec::new());

        let (lost, told) = (None, None);

        Taken { rows, head: self.head, held: self.clone(), uses, lost, told, trouble }
    }

    fn follows(&self, batch: &Batch, origin: &Origin) -> Result<(), Trouble> {
        if (batch.gateway, batch.incarnation) != (origin.gateway, self.incarnation) {
            return Err(Trouble::OtherEnrolment);
        }
        let next = self.through.saturating_add(1);
        if batch.first > next {
            return Err(Trouble::Gap { first: next, last: batch.first - 1 });
        }
        if batch.first == next && batch.before != self.head {
            return Err(Trouble::Fork(next));
        }

        Ok(())
    }
}

impl<R: Rows> Taken<R> {
    fn add(&mut self, before: &Held, entry: &Entry<'_>, origin: &Origin) {
        let seq = entry.record.seq;
        self.head = entry.head;
        if self.trouble.is_some() || seq < before.through {
            return;
        }
        if seq == before.through {
            if entry.head != before.head {
                self.trouble = Some(Trouble::Fork(seq));
            }
            return;
        }
        if !self.held.ratchet.accepts(&entry.head, &entry.tag) {
            self.trouble = Some(Trouble::ForgedTag(seq));
            return;
        }
        let held = &mut self.held;
        held.ratchet.step();
        (held.through, held.head) = (seq, entry.head);
        // The one that the batch names is not in the chain.
        held.snapshot = entry.record.snapshot.or(held.snapshot);
        self.rows.add(&entry.record, origin, held.snapshot, &entry.head);
        self.uses.extend(Use::of(&entry.record));
    }
}

/// Without a checkpoint, records can be shown to nobody who does not have the gateway's first key.
pub(super) fn checkpoint_fits(
    batch: &Batch,
    head: Head,
    enrolled: &Enrolled,
    account: Uuid,
) -> bool {
    let id = enrolled.id(account);

    Checkpoint::verify(&batch.checkpoint, &enrolled.key, account, id).is_ok_and(|checkpoint| {
        (checkpoint.incarnation, checkpoint.number, checkpoint.head)
            == (batch.incarnation, batch.last(), head)
    })
}
