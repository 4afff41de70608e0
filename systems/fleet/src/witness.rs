//! Asks a gateway about every watched token in the moment that what is in force there changes.
//!
//! Nothing looks again and again: what a gateway decides changes only with what is in force, so a
//! witness sleeps until that is replaced, decides as a request would be decided, and writes down when
//! a token was refused first.

use std::sync::Arc;

use gateward_agent::now::TrustedClock;
use gateward_agent::store::{Current, InForce};
use gateward_agent::sync::Notice;
use gateward_core::decide::{Ask, Mode, decide};
use gateward_core::division::DivisionRules;
use gateward_core::permission::Operation;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::ledger::{Ledger, Seen};

/// What is asked for: nothing that waits for a fresh snapshot, so that only a revocation refuses it.
const PERMISSION: &str = "manage_device";

/// Follows one gateway.
#[derive(Debug)]
pub(crate) struct Witness {
    ledger: Arc<Ledger>,
    gateway: usize,
    place: Option<OwnedSemaphorePermit>,
}

impl Witness {
    /// Follows the gateway of this number, and gives up its `place` once something is in force.
    pub(crate) const fn new(
        ledger: Arc<Ledger>,
        gateway: usize,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self { ledger, gateway, place: Some(place) }
    }

    /// Follows until the gateway has ended.
    pub(crate) async fn watch(
        mut self,
        mut current: Current,
        mut notices: mpsc::Receiver<Notice>,
        time: TrustedClock,
    ) {
        loop {
            tokio::select! {
                changed = current.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let in_force = current.borrow_and_update().clone();
                    self.ask(in_force.as_deref(), &time);
                    self.place = None;
                }
                notice = notices.recv() => match notice {
                    Some(notice) => self.note(&notice),
                    None => return,
                }
            }
        }
    }

    fn ask(&self, in_force: Option<&InForce>, time: &TrustedClock) {
        let at = self.ledger.now();
        self.ledger.with(self.gateway, |seen| {
            let Some(in_force) = in_force else {
                seen.fault(at, "nothing is in force any more");
                return;
            };
            let manifest = in_force.verified.manifest();
            seen.served_at = seen.served_at.or(Some(at));
            seen.version = manifest.version();
            seen.list = in_force.revoked;
            seen.lacks = in_force.missing.is_some();
            self.judge(in_force, time, seen);
        });
    }

    fn judge(&self, in_force: &InForce, time: &TrustedClock, seen: &mut Seen) {
        let view = in_force.view();
        let write = Some(Operation::Write);
        let ask = Ask::of_permissions(&view, [PERMISSION].into_iter(), write, None, Mode::Direct);
        let (at, now) = (self.ledger.now(), time.now().at);
        let rules = DivisionRules::default();
        for (number, held) in self.ledger.tokens().iter().enumerate() {
            let decision = decide(&view, &ask, held, now, rules);
            let revoked = self.ledger.is_revoked(number);
            seen.answered(number, decision.reason, revoked, at);
        }
    }

    fn note(&self, notice: &Notice) {
        let at = self.ledger.now();
        self.ledger.with(self.gateway, |seen| match notice {
            Notice::LinkUp => (seen.up, seen.up_at) = (true, at),
            Notice::LinkDown => seen.up = false,
            Notice::Rejected { code, .. } => seen.rejected.push((*code).to_owned()),
            Notice::StorageFailed { .. } => seen.fault(at, "the store could not keep something"),
            Notice::Expired { .. } | Notice::Stale { .. } => {
                seen.fault(at, "what is in force has become too old");
            }
            Notice::Accepted { .. }
            | Notice::KeysAccepted { .. }
            | Notice::Refreshed { .. }
            | Notice::Revoked { .. } => {}
        });
    }
}
