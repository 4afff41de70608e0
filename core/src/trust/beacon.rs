//! What time it is, and what is the newest: short, signed often, with a key that grants nothing
//! (TRUST sections 2 to 4).
//!
//! Payload in postcard after format and account: `audience [u8; 16]` ‖ `keyset u32` ‖ `number u64` ‖
//! `time u64` ‖ `version u64` ‖ `revoked_counter u64`.

use serde::{Deserialize, Serialize};

use super::envelope::{Envelope, Kind};
use super::keys::KeySet;
use super::role::Role;
use super::signers::Signers;
use super::wire::Reader;
use super::{Audience, Refused, Version, wire};
use crate::time::UnixSeconds;

/// A payload as postcard frames it.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Body {
    pub(super) audience: Audience,
    pub(super) keyset: u32,
    pub(super) number: u64,
    pub(super) time: u64,
    pub(super) version: u64,
    pub(super) revoked_counter: u64,
}

impl Body {
    /// Reads all of `bytes`, in the one spelling that is written.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refused> {
        let mut from = Reader::new(bytes);
        let body = Self {
            audience: Audience(*from.array()?),
            keyset: from.u32()?,
            number: from.u64()?,
            time: from.u64()?,
            version: from.u64()?,
            revoked_counter: from.u64()?,
        };
        from.end()?;

        Ok(body)
    }
}

/// A beacon that as many keys signed as must, for this account and this audience.
///
/// Whether it says anything new, and how far it may lift the time, is for [`super::Floor`] to say.
#[derive(Clone, Copy, Debug)]
pub struct Beacon {
    body: Body,
    keys_expire: UnixSeconds,
    signers: Signers,
}

impl Beacon {
    /// Verifies an envelope with the key set held.
    ///
    /// # Errors
    ///
    /// Returns why it says nothing. [`Refused::NewerKeys`] comes before any signature is looked at.
    #[inline(never)]
    pub fn verify(envelope: &[u8], keys: &KeySet, audience: Audience) -> Result<Self, Refused> {
        let envelope = Envelope::open(envelope, Kind::Beacon)?;
        let (account, body) = wire::take_account(envelope.payload)?;
        let body = Body::read(body)?;
        keys.expects(account, body.audience, audience, body.keyset)?;
        let signers = keys.signers(&envelope, Kind::Beacon, Role::Beacon, Some(audience))?;
        if body.time >= keys.expires().0 {
            return Err(Refused::KeysExpired);
        }

        Ok(Self { body, keys_expire: keys.expires(), signers })
    }

    /// Returns its number: it only ever grows.
    #[must_use]
    pub const fn number(&self) -> Version {
        Version { epoch: self.body.keyset, number: self.body.number }
    }

    /// Returns what it says the time is.
    #[must_use]
    pub const fn time(&self) -> UnixSeconds {
        UnixSeconds(self.body.time)
    }

    /// Returns the newest version of the snapshot.
    #[must_use]
    pub const fn version(&self) -> Version {
        Version { epoch: self.body.keyset, number: self.body.version }
    }

    /// Returns the number of the newest revocation list; 0 where nothing was ever revoked.
    #[must_use]
    pub const fn revoked(&self) -> Version {
        Version { epoch: self.body.keyset, number: self.body.revoked_counter }
    }

    /// Returns from when on its key set accepts nothing new.
    pub(super) const fn keys_expire(&self) -> UnixSeconds {
        self.keys_expire
    }

    /// Returns who signed.
    pub(super) const fn signed_by(&self) -> Signers {
        self.signers
    }

    /// Makes one that nobody signed, for models that try very many.
    #[cfg(test)]
    pub(super) const fn unsigned(body: Body, keys_expire: UnixSeconds, signers: Signers) -> Self {
        Self { body, keys_expire, signers }
    }
}
