//! What the sync task does about deltas.

use gateward_core::snapshot::chunk::HASH_LEN;
use gateward_core::sync::Dropped;
use gateward_core::time::Millis;
use gateward_core::trust::manifest::Delta;
use tracing::{info, warn};

use super::{Ask, Sync, Unheard};
use crate::store::NotPatched;

/// Refused: not the bytes that the manifest names, or not the file.
const BAD_DELTA: &str = "bad_delta";

impl<A: Ask> Sync<A> {
    /// Sends the machine on its way to a new target: by delta from the snapshot in force, which may
    /// have come along with the manifest, or else by the whole file.
    pub(super) fn set_out(&mut self, along: &[Delta<'_>], now: Millis) -> Result<(), Unheard> {
        let current = self.parts.store.current().borrow().clone();
        let held = current.map(|current| current.verified.manifest().version().number);
        let Some(held) = held.filter(|held| self.machine.by_delta(*held)) else {
            self.offer_list(now);
            return Ok(());
        };
        match along.iter().find(|delta| delta.from == held) {
            Some(delta) => self.hear_delta(held, delta.bytes, now),
            None => Ok(()),
        }
    }

    /// Gives the machine the hash list where one on disk is the target's.
    fn offer_list(&mut self, now: Millis) {
        let Some(manifest) = self.machine.target() else { return };
        let root = manifest.root().short();
        let piece_len = manifest.hashes_a_piece() as usize * HASH_LEN;
        let Some(list) = self.parts.store.list_of(manifest) else { return };
        for (piece, bytes) in (0..).zip(list.chunks(piece_len)) {
            let _ = self.machine.piece(root, piece, bytes, now);
        }
    }

    pub(super) fn hear_delta(
        &mut self,
        from: u64,
        payload: &[u8],
        now: Millis,
    ) -> Result<(), Unheard> {
        match self.machine.delta(from, payload, now) {
            Ok(()) => {
                self.delta = payload.to_vec();
                Ok(())
            }
            Err(Dropped::Altered) => {
                self.offer_list(now);
                Err(Unheard::Refused(BAD_DELTA))
            }
            Err(dropped) => Err(dropped.into()),
        }
    }

    /// Applies the delta that came.
    pub(super) fn patch(&mut self, now: Millis) {
        let Some(manifest) = self.machine.target().cloned() else { return };
        let delta = core::mem::take(&mut self.delta);
        let bytes = delta.len();
        let refused = match self.parts.store.patch(&manifest, &delta) {
            Ok(list) => match self.machine.patched(&list, now) {
                Ok(()) => {
                    info!(bytes, version = %manifest.version(), "delta applied");
                    return;
                }
                Err(_) => BAD_DELTA,
            },
            Err(NotPatched::Io(error)) => {
                self.delta = delta;
                self.storage_failed(&error);
                self.machine.not_now(now);
                return;
            }
            Err(NotPatched::NotApplied(why)) => {
                warn!(%why, "delta not applied");
                why.code()
            }
            Err(why @ (NotPatched::NoBase | NotPatched::OtherLength)) => {
                warn!(%why, "delta not applied");
                BAD_DELTA
            }
        };
        self.machine.not_patched();
        self.offer_list(now);
        self.reject(refused, "delta", "delta", &delta);
    }
}
