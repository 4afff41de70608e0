//! Revocation lists and beacons: small messages that count at once.

use bytes::Bytes;
use gateward_core::time::Millis;
use gateward_core::trust::{Admission, Refused};
use tracing::info;

use super::{Ask, Notice, Sync, Unheard};
use crate::store::{Missing, NotAdmitted};

impl<A: Ask> Sync<A> {
    /// A list takes effect before it is answered for by a snapshot, and without one (DOMAIN H19).
    pub(super) fn hear_revoked(&mut self, payload: &[u8], now: Millis) -> Result<(), Unheard> {
        let served = self.parts.store.current().borrow().is_some();
        let accepted = self.parts.store.accept_revoked(payload);
        self.tell_if_served_again(served, now);
        match self.walked(accepted, now)? {
            None | Some(Admission::Same) => Ok(()),
            Some(Admission::Newer | Admission::Refresh) => {
                let number = self.parts.store.revoked_number();
                info!(%number, "revocation list in force");
                self.accepted(Notice::Revoked { number }, now);
                Ok(())
            }
        }
    }

    /// What arrived last may have been all that kept a snapshot from being served, where none was.
    pub(super) fn tell_if_served_again(&mut self, served: bool, now: Millis) {
        let current = self.parts.store.current().borrow().clone().filter(|_| !served);
        if let Some(current) = current {
            let manifest = current.verified.manifest();
            let (version, root) = (manifest.version(), manifest.root());
            self.accepted(Notice::Accepted { version, root }, now);
        }
    }

    /// A beacon lifts the time, shows what is missing, and confirms a manifest that waits for it.
    pub(super) fn hear_beacon(&mut self, payload: &[u8], now: Millis) -> Result<(), Unheard> {
        let trusted = self.parts.time.now();
        let accepted = self.parts.store.accept_beacon(payload, &trusted);
        match self.walked(accepted, now)? {
            None | Some(Admission::Same) => return Ok(()),
            Some(Admission::Newer | Admission::Refresh) => {
                self.parts.time.follow(self.parts.store.floor());
                self.ask_for_what_is_missing(now);
                if let Some(Missing::Snapshot(_)) = self.parts.store.missing() {
                    self.machine.snapshot_missed(now);
                }
            }
        }
        let Some((_, candidate)) = self.candidate.take() else { return Ok(()) };
        match self.hear_manifest(&candidate, now) {
            // It was the manifest that is refused, not the beacon that made it count.
            Err(Unheard::Refused(code)) => {
                self.reject(code, "manifest", "manifest", &candidate);
                Ok(())
            }
            heard => heard,
        }
    }

    /// Keeps the newest manifest that is signed and says a time which nobody else says yet (DOMAIN
    /// H20). An older one that a broker brings again does not take its place.
    pub(super) fn keep_candidate(&mut self, envelope: &[u8], payload: &Bytes) {
        let Some(age) = self.parts.store.age_of(envelope) else { return };
        if self.candidate.as_ref().is_none_or(|(kept, _)| *kept <= age) {
            self.candidate = Some((age, payload.clone()));
        }
    }

    /// Asks for a revocation list for as long as it is known to be there and is not held.
    pub(super) fn ask_for_what_is_missing(&mut self, now: Millis) {
        if self.parts.store.lacks_list().is_some() {
            self.machine.list_missed(now);
        }
    }

    /// Walks the key sets where what arrived is of a later epoch; what is of an earlier one is old.
    fn walked(
        &mut self,
        accepted: Result<Admission, NotAdmitted>,
        now: Millis,
    ) -> Result<Option<Admission>, Unheard> {
        match accepted {
            Ok(admission) => Ok(Some(admission)),
            Err(NotAdmitted::Refused(Refused::NewerKeys(epoch))) => {
                self.machine.keys_behind(self.parts.store.keys().epoch(), epoch, now);
                Ok(None)
            }
            Err(NotAdmitted::Refused(Refused::OldKeys)) => Ok(None),
            Err(NotAdmitted::Refused(refused)) => Err(Unheard::Refused(refused.code())),
            Err(NotAdmitted::Io(error)) => Err(Unheard::Storage(error)),
        }
    }
}
