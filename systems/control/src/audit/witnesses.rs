//! How far a store must go by the word of those whom nobody writes to with it: the gateway, which signs how
//! far it was given receipts, and the collector, which marks in the policy folder what it committed.
//!
//! Only with keys, and only about the enrolment that the policy folder knows: of one before there are none.

use gateward_agent::proof::{Follower, Mistake, Witness};
use gateward_core::name::Uuid;
use gateward_core::trust::{Incarnation, Refused, Status};

use super::steps::hold_to;
use crate::enroll::Enrolled;

/// What is said of an enrolment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Said {
    pub(super) incarnation: Incarnation,
    /// The furthest, and who says so; none where nobody says anything.
    pub(super) through: Option<(u64, Witness)>,
    /// Somebody has put words into the gateway's mouth.
    pub(super) has_false_status: bool,
}

impl Said {
    /// Takes what is kept as the gateway's words, and how far a collector has marked.
    pub(super) fn of(
        enrolled: &Enrolled,
        account: Uuid,
        statuses: &[Vec<u8>],
        mark: Option<u64>,
    ) -> Self {
        let incarnation = enrolled.incarnation;
        let read = statuses.iter().map(|status| read(status, enrolled, account));
        let read: Vec<_> = read.collect();
        let receipted = read.iter().filter_map(|read| read.ok()?).max();
        let both = [(mark, Witness::Mark), (receipted, Witness::Gateway)];
        let through = both.into_iter().filter_map(|(through, by)| Some((through?, by)));
        let through = through.filter(|(through, _)| *through > 0).max_by_key(|one| one.0);

        Self { incarnation, through, has_false_status: read.iter().any(Result::is_err) }
    }

    /// Whether it says that something was held, or is wrong itself.
    pub(super) const fn is_something(&self) -> bool {
        self.through.is_some() || self.has_false_status
    }

    /// Holds what was followed of the enrolment to it; `end` is what the store itself was held to.
    pub(super) fn hold(&self, follower: &mut Follower, end: u64) {
        if self.has_false_status {
            follower.note(Mistake::FalseStatus(self.incarnation));
        }
        // One cut is told once, unless somebody says that there was more of it.
        if let Some((through, by)) = self.through.filter(|(through, _)| *through > end) {
            hold_to(follower, self.incarnation, through, by);
        }
    }
}

/// Words that only somebody else can have put there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct False;

/// Returns up to where the gateway was given receipts in that enrolment, where a status says so.
fn read(status: &[u8], enrolled: &Enrolled, account: Uuid) -> Result<Option<u64>, False> {
    let is_of = |incarnation| incarnation == enrolled.incarnation;
    match Status::verify(status, &enrolled.key, account, enrolled.id(account)) {
        Ok(said) => {
            Ok(is_of(said.incarnation).then_some(said.audit_number.saturating_sub(said.backlog)))
        }
        Err(_) => match Status::claimed(status) {
            // Signed before the gateway was enrolled again, with a key of which nothing is kept; or
            // written by a later program.
            Ok(other) if !is_of(other) => Ok(None),
            Err(Refused::UnknownFormat) => Ok(None),
            // Collectors keep only what they could verify.
            Ok(_) | Err(_) => Err(False),
        },
    }
}
