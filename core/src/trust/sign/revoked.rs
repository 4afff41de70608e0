//! A revocation list to be signed.

extern crate alloc;

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::{Signer, TooMany, seal};
use crate::name::Uuid;
use crate::time::UnixSeconds;
use crate::trust::{Audience, Kind, revoked};

/// A revocation list to be signed; see [`crate::trust::Revoked`].
#[derive(Clone, Debug)]
pub struct RevokedDraft {
    /// The account.
    pub account: Uuid,
    /// The group of gateways.
    pub audience: Audience,
    /// Epoch of the key set it is signed under.
    pub keyset: u32,
    /// One more than the one before in this epoch; at least 1.
    pub counter: u64,
    /// The snapshot that denies whatever was on an earlier list and is not on this one.
    pub base_version: u64,
    /// Now.
    pub issued_at: UnixSeconds,
    /// Ids of tokens.
    pub tokens: BTreeSet<u64>,
    /// Keys of principals.
    pub principals: BTreeSet<u32>,
}

impl RevokedDraft {
    /// Signs the list with snapshot keys.
    ///
    /// # Errors
    ///
    /// There are more than [`revoked::MAX_ENTRIES`] entries, or too many signers.
    pub fn sign<S: Signer + ?Sized>(&self, signers: &[&S]) -> Result<Vec<u8>, TooMany> {
        if self.tokens.len() + self.principals.len() > revoked::MAX_ENTRIES {
            return Err(TooMany("revocations"));
        }
        let head = revoked::Head {
            audience: self.audience,
            keyset: self.keyset,
            counter: self.counter,
            base_version: self.base_version,
            issued_at: self.issued_at.0,
        };

        seal(Kind::Revoked, self.account, &(head, &self.tokens, &self.principals), signers)
    }
}
