//! The snapshot that decisions are made with, what is revoked beside it, and until when.
//!
//! What is stale is said here and nowhere else: the manifest alone does not know that the floor was
//! lost, that it speaks of revocations that are not held, or that there is a newer snapshot.

use core::fmt;
use std::sync::Arc;

use gateward_core::snapshot::{Revocation, Verified, View};
use gateward_core::time::UnixSeconds;
use gateward_core::trust::{Floor, Version};

use super::revoked::Bits;

/// The snapshot that decisions are made with.
#[derive(Debug)]
pub struct InForce {
    /// The snapshot, with the manifest that vouches for it. Decide with [`InForce::view`].
    pub verified: Verified<Arc<[u8]>>,
    /// When it, or the last refresh of its manifest, was put in force in this run.
    pub since: UnixSeconds,
    /// What this gateway knows to be missing: operations marked `fresh` wait for it.
    pub missing: Option<Missing>,
    /// Number of the revocation list held; 0 for none.
    pub revoked: Version,
    /// How many tokens and principals are revoked beside it.
    pub revocations: usize,
    pub(super) bits: Bits,
}

/// What a gateway knows that it does not have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Missing {
    /// The floor was lost, so nobody knows whether this is the newest snapshot that was ever
    /// accepted: only a newer manifest says (ARCHITECTURE 4).
    Floor,
    /// The snapshot of this version, which is out and was refused in this run.
    Refused(Version),
    /// The revocation list of this number, of which a manifest or a beacon spoke (TRUST section 3).
    Revocations(Version),
    /// The snapshot of this version, of which a beacon or a revocation list spoke.
    Snapshot(Version),
}

impl Missing {
    /// Returns what a gateway with this floor lacks that holds the revocation list numbered `list`.
    pub(super) fn of(floor: &Floor, list: Version) -> Option<Self> {
        let snapshot = || floor.lacks_snapshot().map(Self::Snapshot);

        floor.lacks_list(list).map(Self::Revocations).or_else(snapshot)
    }

    /// Returns the word for it in status and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Refused(_) => "refused",
            Self::Revocations(_) => "revocations",
            Self::Snapshot(_) => "snapshot",
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Floor => f.write_str("the floor was lost; a newer manifest settles it"),
            Self::Refused(version) => {
                write!(f, "version {version} is out and was refused; the audit says why")
            }
            Self::Revocations(number) => write!(f, "revocation list {number} has not arrived"),
            Self::Snapshot(version) => write!(f, "version {version} is out and has not arrived"),
        }
    }
}

impl InForce {
    /// A snapshot that nothing is missing from and nobody of which is revoked, for a rehearsal.
    #[must_use]
    pub fn alone(verified: Verified<Arc<[u8]>>, since: UnixSeconds) -> Option<Self> {
        let view = verified.view();
        let room = view.revocation_room();
        let clear = |len| vec![0; len].into_boxed_slice();
        let bits = Revocation::none(&view, clear(room.rows), clear(room.principals)).ok()?;
        let (missing, revoked, revocations) = (None, Version::default(), 0);

        Some(Self { verified, since, missing, revoked, revocations, bits })
    }

    /// Returns the snapshot as decisions read it.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        self.verified.view_stale_from(self.stale_at()).with_revocation(self.bits.bits())
    }

    /// Returns the first second at which operations marked `fresh` stop; 0 where something is
    /// missing, whatever the time is.
    #[must_use]
    pub fn stale_at(&self) -> UnixSeconds {
        match self.missing {
            Some(_) => UnixSeconds(0),
            None => self.verified.manifest().stale_at(),
        }
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
