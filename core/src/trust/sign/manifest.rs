//! Manifests: what the control plane says of a snapshot, before it is signed.

extern crate alloc;

use alloc::vec::Vec;

use super::{Signer, TooMany, fit, seal};
use crate::name::Uuid;
use crate::snapshot::chunk;
use crate::time::UnixSeconds;
use crate::trust::manifest::{self, DeltaRef};
use crate::trust::{Audience, Kind, Root};

/// A manifest to be signed; see [`Manifest`](crate::trust::Manifest).
#[derive(Clone, Debug)]
pub struct ManifestDraft {
    /// The account.
    pub account: Uuid,
    /// The group of gateways.
    pub audience: Audience,
    /// Epoch of the key set it is signed under.
    pub keyset: u32,
    /// Version of the snapshot; one more than the one before.
    pub version: u64,
    /// Now.
    pub issued_at: UnixSeconds,
    /// Seconds until operations that need a fresh snapshot stop.
    pub stale_after: u32,
    /// Seconds until every keyed operation stops.
    pub expires_after: u32,
    /// Length of the file in bytes.
    pub file_len: u32,
    /// Binary logarithm of the length of a chunk.
    pub chunk_log2: u8,
    /// See [`crate::snapshot::chunk::root_of`].
    pub root: Root,
    /// Number of the newest revocation list.
    pub revoked_counter: u64,
    /// Whether gateways may run in observe mode.
    pub allow_observe: bool,
    /// Whether gateways may go on where records can no longer be written.
    pub allow_drop: bool,
    /// Ways from older snapshots.
    pub deltas: Vec<DeltaRef>,
}

impl ManifestDraft {
    /// Begins the first manifest of a snapshot, under the first key set: with the limits that a policy
    /// has where it says nothing (INTERFACES section 2), no list, no delta, and nothing loosened. None
    /// where no manifest can name the file.
    #[must_use]
    pub fn of(
        account: Uuid,
        audience: Audience,
        issued_at: UnixSeconds,
        file: &[u8],
        chunk_log2: u8,
    ) -> Option<Self> {
        Some(Self {
            account,
            audience,
            keyset: 1,
            version: 1,
            issued_at,
            stale_after: 86_400,
            expires_after: 604_800,
            file_len: u32::try_from(file.len()).ok()?,
            chunk_log2,
            root: chunk::root_of(file, chunk_log2)?,
            revoked_counter: 0,
            allow_observe: false,
            allow_drop: false,
            deltas: Vec::new(),
        })
    }

    /// Signs the manifest with snapshot keys.
    ///
    /// # Errors
    ///
    /// There are too many deltas or signers.
    pub fn sign<S: Signer + ?Sized>(&self, signers: &[&S]) -> Result<Vec<u8>, TooMany> {
        let body = manifest::Body {
            audience: self.audience,
            keyset: self.keyset,
            version: self.version,
            issued_at: self.issued_at.0,
            stale_after: self.stale_after,
            expires_after: self.expires_after,
            file_len: self.file_len,
            chunk_log2: self.chunk_log2,
            root: self.root,
            revoked_counter: self.revoked_counter,
            allow: u8::from(self.allow_observe) | u8::from(self.allow_drop) << 1,
            deltas: fit("deltas", &self.deltas)?,
        };

        seal(Kind::Manifest, self.account, &body, signers)
    }
}
