//! A beacon to be signed.

extern crate alloc;

use alloc::vec::Vec;

use super::{Signer, TooMany, seal};
use crate::name::Uuid;
use crate::time::UnixSeconds;
use crate::trust::{Audience, Kind, beacon};

/// A beacon to be signed; see [`crate::trust::Beacon`].
#[derive(Clone, Copy, Debug)]
pub struct BeaconDraft {
    /// The account.
    pub account: Uuid,
    /// The group of gateways.
    pub audience: Audience,
    /// Epoch of the key set it is signed under.
    pub keyset: u32,
    /// One more than the one before in this epoch.
    pub number: u64,
    /// Now.
    pub time: UnixSeconds,
    /// The newest version of the snapshot in this epoch.
    pub version: u64,
    /// Number of the newest revocation list in this epoch.
    pub revoked_counter: u64,
}

impl BeaconDraft {
    /// Signs the beacon with beacon keys.
    ///
    /// # Errors
    ///
    /// There are too many signers.
    pub fn sign<S: Signer + ?Sized>(&self, signers: &[&S]) -> Result<Vec<u8>, TooMany> {
        let body = beacon::Body {
            audience: self.audience,
            keyset: self.keyset,
            number: self.number,
            time: self.time.0,
            version: self.version,
            revoked_counter: self.revoked_counter,
        };

        seal(Kind::Beacon, self.account, &body, signers)
    }
}
