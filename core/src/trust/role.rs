//! What a key may sign, with which algorithm, and how a key is named.

use core::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::name::Hex;

/// What a key may sign.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Role {
    /// The next key set.
    Root = 0,
    /// Manifests and revocation lists.
    Snapshot = 1,
    /// Beacons.
    Beacon = 2,
    /// Receipts.
    Collector = 3,
}

impl Role {
    /// Every role, in the order of the numbers.
    pub const ALL: [Self; 4] = [Self::Root, Self::Snapshot, Self::Beacon, Self::Collector];

    /// Returns the bit of the role in a key's roles.
    #[must_use]
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }

    pub(super) fn of<T: Copy + Default>(self, places: &[T; 4]) -> T {
        places.get(self as usize).copied().unwrap_or_default()
    }
}

/// A signature algorithm.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Algorithm {
    /// Ed25519 (RFC 8032), verified strictly; always required.
    Ed25519 = 1,
    /// ML-DSA-65 (FIPS 204) with an empty context; only a build with the feature `hybrid` has it.
    MlDsa65 = 2,
}

impl Algorithm {
    /// Every algorithm, the cheapest first: whoever cannot sign with that causes no other work.
    pub const ALL: [Self; 2] = [Self::Ed25519, Self::MlDsa65];

    /// What this build can verify, as bits of what a role requires.
    pub const SUPPORTED: u8 =
        Self::Ed25519.bit() | if cfg!(feature = "hybrid") { Self::MlDsa65.bit() } else { 0 };

    /// Returns the bit of the algorithm in what a role requires.
    #[must_use]
    pub const fn bit(self) -> u8 {
        1 << (self as u8 - 1)
    }
}

/// The first 8 bytes of SHA-256(public key).
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct KeyId(pub [u8; 8]);

impl KeyId {
    /// Returns the id of a public key.
    #[must_use]
    pub fn of(public: &[u8]) -> Self {
        Self(super::first(Sha256::new_with_prefix(public)))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}
