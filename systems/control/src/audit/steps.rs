//! What a place of batches has to show, in the order in which it is followed.

use std::io;

use gateward_agent::proof::{Follower, Mistake, Witness};
use gateward_core::audit::Head;
use gateward_core::trust::Incarnation;

use super::witnesses::Said;

/// Where batches of a gateway come from, one at a time.
pub(super) trait Batches {
    /// Shows every batch in order, and what is wrong with the place itself.
    fn each(self, show: &mut dyn FnMut(Step<'_>)) -> io::Result<()>;
}

/// One thing that a place of batches has.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// A batch.
    Batch(&'a [u8]),
    /// After the batches of an enrolment: where its collectors say that they end.
    End { incarnation: Incarnation, through: u64, head: Head },
    /// Behind that: what is said of the enrolment elsewhere; `end` is what its collectors say.
    Said { said: &'a Said, end: u64 },
    /// Something is wrong with the place.
    Wrong(Mistake),
}

impl<'a> Step<'a> {
    /// Writes down what is wrong with the place; returns the batch, where it is one.
    pub(super) fn heed(self, follower: &mut Follower) -> Option<&'a [u8]> {
        match self {
            Self::Batch(message) => return Some(message),
            Self::End { incarnation, through, head } => {
                let end = follower.at().filter(|at| at.incarnation == incarnation);
                let end = end.map_or((0, Head::START), |at| (at.last, at.head));
                hold_to(follower, incarnation, through, Witness::Receipts);
                if end.0 >= through && end != (through, head) {
                    follower.note(Mistake::OtherEnd { incarnation, through });
                }
            }
            Self::Said { said, end } => said.hold(follower, end),
            Self::Wrong(mistake) => follower.note(mistake),
        }

        None
    }
}

/// A store that was cut short at its end is whole in itself; only what was receipted tells, or who else knows.
pub(super) fn hold_to(
    follower: &mut Follower,
    incarnation: Incarnation,
    through: u64,
    by: Witness,
) {
    let at = follower.at().filter(|at| at.incarnation == incarnation);
    let found = at.map_or(0, |at| at.last);
    if found < through {
        follower.note(Mistake::CutShort { incarnation, found, through, by });
    }
}
