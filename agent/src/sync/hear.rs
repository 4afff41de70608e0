//! Key sets, manifests and chunks: what leads to another snapshot.

use bytes::Bytes;
use gateward_core::sync::MAX_CHUNKS;
use gateward_core::time::Millis;
use gateward_core::trust::{Admission, Manifest, Refused, manifest};
use tracing::info;

use super::{Ask, Notice, Sync, Unheard};
use crate::store::{NotAdmitted, NotStored};

impl<A: Ask> Sync<A> {
    pub(super) fn hear_keys(&mut self, payload: &[u8], now: Millis) -> Result<(), Unheard> {
        let held = self.parts.store.keys().epoch();
        let served = self.parts.store.current().borrow().is_some();
        let accepted = self.parts.store.accept_keys(payload);
        self.tell_if_served_again(served, now);
        match accepted {
            Ok(epoch) => {
                info!(epoch, "key set accepted");
                self.machine.keys_held(epoch, now);
                self.accepted(Notice::KeysAccepted { epoch }, now);
                Ok(())
            }
            Err(NotAdmitted::Refused(Refused::NewerKeys(epoch))) => {
                self.machine.keys_behind(held, epoch, now);
                Ok(())
            }
            Err(NotAdmitted::Refused(Refused::OldKeys)) => {
                self.machine.keys_known(held, now);
                Ok(())
            }
            Err(NotAdmitted::Refused(refused)) => Err(Unheard::Refused(refused.code())),
            // It is held all the same, and written when there is room.
            Err(NotAdmitted::Io(error)) => {
                let epoch = self.parts.store.keys().epoch();
                self.machine.keys_held(epoch, now);
                self.accepted(Notice::KeysAccepted { epoch }, now);
                Err(Unheard::Storage(error))
            }
        }
    }

    pub(super) fn hear_manifest(&mut self, payload: &Bytes, now: Millis) -> Result<(), Unheard> {
        let manifest::Message { envelope, deltas } = manifest::split(payload)?;
        let trusted = self.parts.time.reader().now();
        let (manifest, admission) = match self.parts.store.admit(envelope, &trusted) {
            Err(Refused::NewerKeys(epoch)) => {
                self.machine.keys_behind(self.parts.store.keys().epoch(), epoch, now);
                return Ok(());
            }
            Err(refused @ Refused::Unconfirmed) => {
                self.keep_candidate(envelope, payload);
                return Err(refused.into());
            }
            admitted => admitted?,
        };
        let in_force = self.parts.store.current().borrow().is_some();
        match admission {
            Admission::Same if in_force => Ok(()),
            Admission::Refresh if in_force => self.refresh(&manifest, envelope, now),
            Admission::Newer | Admission::Refresh | Admission::Same => {
                self.aim(&manifest, envelope, now)?;
                self.set_out(&deltas, now)
            }
        }
    }

    fn refresh(
        &mut self,
        manifest: &Manifest,
        envelope: &[u8],
        now: Millis,
    ) -> Result<(), Unheard> {
        let trusted = self.parts.time.reader().now();
        match self.parts.store.refresh(manifest, envelope, &trusted) {
            Ok(()) => {
                self.accepted(Notice::Refreshed { version: manifest.version() }, now);
                Ok(())
            }
            Err(NotStored::Io(error)) => Err(Unheard::Storage(error)),
            Err(NotStored::NotAdmitted(refused)) => Err(Unheard::Refused(refused.code())),
            Err(NotStored::NotBegun | NotStored::Refused(_)) => Err(Unheard::Useless),
        }
    }

    pub(super) fn aim(
        &mut self,
        manifest: &Manifest,
        envelope: &[u8],
        now: Millis,
    ) -> Result<(), Unheard> {
        // No more room than the largest list, whatever the manifest says.
        let room = vec![0; manifest.chunk_count().min(MAX_CHUNKS) as usize * 32];
        self.machine.aim(manifest, room)?;
        self.envelope = envelope.to_vec();
        let written = self.parts.store.hear_of(manifest);
        self.parts.time.follow(self.parts.store.floor());
        self.ask_for_what_is_missing(now);

        written.map_err(Unheard::Storage)
    }

    pub(super) fn hear_chunk(
        &mut self,
        root: [u8; 8],
        index: u32,
        payload: &[u8],
        now: Millis,
    ) -> Result<(), Unheard> {
        self.machine.chunk(root, index, payload, now)?;
        self.parts.store.keep_chunk(index, payload).map_err(Unheard::Storage)?;
        self.machine.kept(index, now);

        Ok(())
    }
}
