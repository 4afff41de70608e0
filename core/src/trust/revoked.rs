//! What was revoked since a snapshot: a message of a few bytes that takes effect before the next
//! snapshot has arrived (TRUST section 3).
//!
//! Payload in postcard after format and account: `audience [u8; 16]` ‖ `keyset u32` ‖ `counter u64` ‖
//! `base_version u64` ‖ `issued_at u64` ‖ tokens (list of u64, ascending) ‖ principals (list of u32,
//! ascending). The lists stay where they arrived, so reading one needs no room.

use core::fmt;
use core::marker::PhantomData;

use serde::{Deserialize, Serialize};

use super::envelope::{Envelope, Kind};
use super::keys::KeySet;
use super::role::Role;
use super::signers::Signers;
use super::wire::Reader;
use super::{Audience, Refused, Version, wire};
use crate::time::UnixSeconds;

/// The most entries of one list; beyond that a new snapshot says it (TRUST section 2).
pub const MAX_ENTRIES: usize = 4_096;

/// What a payload begins with, as postcard frames it; the two lists follow.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(super) struct Head {
    pub(super) audience: Audience,
    pub(super) keyset: u32,
    pub(super) counter: u64,
    pub(super) base_version: u64,
    pub(super) issued_at: u64,
}

impl Head {
    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, Refused> {
        Ok(Self {
            audience: Audience(*from.array()?),
            keyset: from.u32()?,
            counter: from.u64()?,
            base_version: from.u64()?,
            issued_at: from.u64()?,
        })
    }
}

/// A revocation list that as many keys signed as must, for this account and this audience.
///
/// Whether it follows the one held is for [`super::Floor::admit_revoked`] to say.
#[derive(Clone, Debug)]
pub struct Revoked<'a> {
    head: Head,
    tokens: Ids<'a, u64>,
    principals: Ids<'a, u32>,
    signers: Signers,
}

impl<'a> Revoked<'a> {
    /// Verifies an envelope with the key set held.
    ///
    /// # Errors
    ///
    /// Returns why it says nothing. [`Refused::NewerKeys`] comes before any signature is looked at.
    #[inline(never)]
    pub fn verify(envelope: &'a [u8], keys: &KeySet, audience: Audience) -> Result<Self, Refused> {
        let envelope = Envelope::open(envelope, Kind::Revoked)?;
        let (account, rest) = wire::take_account(envelope.payload)?;
        let mut from = Reader::new(rest);
        let head = Head::read(&mut from)?;
        keys.expects(account, head.audience, audience, head.keyset)?;
        let signers = keys.signers(&envelope, Kind::Revoked, Role::Snapshot, Some(audience))?;
        let (tokens, principals) = (Ids::take(&mut from)?, Ids::take(&mut from)?);
        from.end()?;
        if tokens.left + principals.left > MAX_ENTRIES {
            return Err(Refused::Malformed);
        }
        if u32::try_from(head.issued_at).is_err() {
            return Err(Refused::Absurd);
        }

        Ok(Self { head, tokens, principals, signers })
    }

    /// Returns its number: it only ever grows.
    #[must_use]
    pub const fn number(&self) -> Version {
        Version { epoch: self.head.keyset, number: self.head.counter }
    }

    /// Returns the version of the snapshot that already denies whatever this list leaves out.
    #[must_use]
    pub const fn base(&self) -> Version {
        Version { epoch: self.head.keyset, number: self.head.base_version }
    }

    /// Returns when it was signed.
    #[must_use]
    pub const fn issued_at(&self) -> UnixSeconds {
        UnixSeconds(self.head.issued_at)
    }

    /// Returns the ids of the tokens, ascending.
    #[must_use]
    pub const fn tokens(&self) -> Ids<'a, u64> {
        self.tokens
    }

    /// Returns the keys of the principals, ascending.
    #[must_use]
    pub const fn principals(&self) -> Ids<'a, u32> {
        self.principals
    }

    /// Returns who signed.
    #[must_use]
    pub const fn signed_by(&self) -> Signers {
        self.signers
    }

    /// Returns whether it would not have been accepted without keys that any of `sets` calls
    /// compromised: a thief may have revoked everybody.
    #[must_use]
    pub fn is_voided_by<'k>(&self, sets: impl IntoIterator<Item = &'k KeySet>) -> bool {
        self.signers.are_too_few_by(sets)
    }
}

/// Ids in strictly ascending order, read where they arrived.
pub struct Ids<'a, T> {
    bytes: &'a [u8],
    left: usize,
    kind: PhantomData<T>,
}

impl<T> Clone for Ids<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Ids<'_, T> {}

impl<T> fmt::Debug for Ids<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ids({})", self.left)
    }
}

/// A number that lists are made of.
pub trait Id: PartialOrd + TryFrom<u64> {}

impl Id for u32 {}
impl Id for u64 {}

fn id<T: Id>(from: &mut Reader<'_>) -> Result<T, Refused> {
    T::try_from(from.u64()?).map_err(|_| Refused::Malformed)
}

impl<'a, T: Id> Ids<'a, T> {
    /// Reads a list; walks it once, so that reading it later never ends early.
    fn take(from: &mut Reader<'a>) -> Result<Self, Refused> {
        let left = from.at_most(MAX_ENTRIES)?;
        let bytes = from.rest();
        let mut last = None;
        for _ in 0..left {
            let id = id::<T>(from)?;
            if last.is_some_and(|last| last >= id) {
                return Err(Refused::Malformed);
            }
            last = Some(id);
        }

        Ok(Self { bytes, left, kind: PhantomData })
    }
}

impl<T: Id> Iterator for Ids<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        let mut from = Reader::new(self.bytes);
        let id = id(&mut from).ok()?;
        self.bytes = from.rest();

        Some(id)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<T: Id> ExactSizeIterator for Ids<'_, T> {}
