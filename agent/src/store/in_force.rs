//! The snapshot that decisions are made with, and until when.
//!
//! What is stale is said here and nowhere else: the manifest alone does not know that the floor was
//! lost, or that it speaks of revocations that are not held.

use std::sync::Arc;

use gateward_core::snapshot::{Verified, View};
use gateward_core::time::UnixSeconds;

/// The snapshot that decisions are made with.
#[derive(Debug)]
pub struct InForce {
    /// The snapshot, with the manifest that vouches for it. Decide with [`InForce::view`].
    pub verified: Verified<Arc<[u8]>>,
    /// When it, or the last refresh of its manifest, was put in force in this run.
    pub since: UnixSeconds,
    /// The floor was lost, so nobody knows whether this is the newest snapshot that was ever
    /// accepted: operations marked `fresh` wait for a newer manifest (ARCHITECTURE 4).
    pub floor_rebuilt: bool,
}

impl InForce {
    /// Returns the snapshot as decisions read it.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        self.verified.view_stale_from(self.stale_at())
    }

    /// Returns the first second at which operations marked `fresh` stop; 0 where they wait for
    /// another manifest whatever the time is.
    ///
    /// That is so while [`InForce::floor_rebuilt`], and where the manifest speaks of a revocation
    /// list, since this build holds none (TRUST section 3).
    #[must_use]
    pub fn stale_at(&self) -> UnixSeconds {
        let manifest = self.verified.manifest();
        if self.floor_rebuilt || manifest.revoked_counter() > 0 {
            return UnixSeconds(0);
        }

        manifest.stale_at()
    }

    /// Returns the first second at which every keyed operation stops.
    #[must_use]
    pub fn expires_at(&self) -> UnixSeconds {
        self.verified.manifest().expires_at()
    }

    /// Returns whether operations marked `fresh` are refused at `now`.
    #[must_use]
    pub fn is_stale(&self, now: UnixSeconds) -> bool {
        now >= self.stale_at()
    }

    /// Returns whether every keyed operation is refused at `now`.
    #[must_use]
    pub fn is_expired(&self, now: UnixSeconds) -> bool {
        now >= self.expires_at()
    }
}
