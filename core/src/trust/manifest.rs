//! Which snapshot is in force for a group of gateways, and until when.
//!
//! Payload in postcard after format and account: the fields of TRUST section 2, row 1, in that
//! order, one list of deltas at the end.

use heapless::Vec;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::envelope::{Envelope, Kind, MAX_ENVELOPE};
use super::keys::KeySet;
use super::role::Role;
use super::signers::Signers;
use super::wire::Reader;
use super::{Audience, Refused, Root, Version, wire};
use crate::name::Uuid;
use crate::snapshot::MAX_FILE;
use crate::snapshot::chunk::hashes_a_piece;
use crate::time::UnixSeconds;

/// The most deltas that a manifest names.
pub const MAX_DELTAS: usize = 4;
/// The longest that a snapshot may be used without a newer manifest: 90 days (DOMAIN Q8).
pub const MAX_EXPIRES_AFTER: u32 = 90 * 86_400;
/// Chunks are from 4 KiB to 1 MiB.
pub const CHUNK_LOG2: core::ops::RangeInclusive<u8> = 12..=20;
/// The most bytes of a message on the topic `manifest`.
pub const MAX_MESSAGE: usize = 1 << 20;

const MIN_FILE: u32 = 80;
const ALLOW_OBSERVE: u8 = 1;
const ALLOW_DROP: u8 = 2;

/// A way from an older snapshot to the one that the manifest names.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DeltaRef {
    /// Version number that it starts from, in any epoch.
    pub from: u64,
    /// Its length in bytes.
    pub len: u32,
    /// Its SHA-256: a delta is believed only where this is right.
    pub sha256: [u8; 32],
}

impl DeltaRef {
    /// Returns whether `bytes` are those that are named.
    #[must_use]
    pub fn accepts(&self, bytes: &[u8]) -> bool {
        // What has the wrong length is not worth hashing.
        u32::try_from(bytes.len()) == Ok(self.len)
            && <[u8; 32]>::from(Sha256::digest(bytes)) == self.sha256
    }
}

/// A payload as postcard frames it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Body {
    pub(super) audience: Audience,
    pub(super) keyset: u32,
    pub(super) version: u64,
    pub(super) issued_at: u64,
    pub(super) stale_after: u32,
    pub(super) expires_after: u32,
    pub(super) file_len: u32,
    pub(super) chunk_log2: u8,
    pub(super) root: Root,
    pub(super) revoked_counter: u64,
    /// What the gateways of the group may do. Each bit loosens something, so one that this build does
    /// not know is as good as not set: it grants nothing (DOMAIN N6), and a control plane that uses
    /// it stops no older gateway.
    pub(super) allow: u8,
    pub(super) deltas: Vec<DeltaRef, MAX_DELTAS>,
}

/// A manifest that as many keys signed as must, for this account and this audience.
///
/// Whether it may follow what was accepted before is for [`super::Floor::admit`] to say.
#[derive(Clone, Debug)]
pub struct Manifest {
    account: Uuid,
    body: Body,
    keys_expire: UnixSeconds,
    signers: Signers,
}

impl Manifest {
    /// Verifies an envelope with the key set held.
    ///
    /// # Errors
    ///
    /// Returns why it says nothing. [`Refused::NewerKeys`] comes before any signature is looked at:
    /// the keys that could verify it are not held yet.
    #[inline(never)]
    pub fn verify(envelope: &[u8], keys: &KeySet, audience: Audience) -> Result<Self, Refused> {
        let envelope = Envelope::open(envelope, Kind::Manifest)?;
        let (account, body) = wire::take_account(envelope.payload)?;
        let body = Body::read(body)?;
        keys.expects(account, body.audience, audience, body.keyset)?;
        let signers = keys.signers(&envelope, Kind::Manifest, Role::Snapshot, Some(audience))?;
        if !body.is_sane() {
            return Err(Refused::Absurd);
        }
        if body.issued_at >= keys.expires().0 {
            return Err(Refused::KeysExpired);
        }

        Ok(Self { account, body, keys_expire: keys.expires(), signers })
    }

    /// Returns the account.
    #[must_use]
    pub const fn account(&self) -> Uuid {
        self.account
    }

    /// Returns the group that it is for.
    #[must_use]
    pub const fn audience(&self) -> Audience {
        self.body.audience
    }

    /// Returns the version of the snapshot.
    #[must_use]
    pub const fn version(&self) -> Version {
        Version { epoch: self.body.keyset, number: self.body.version }
    }

    /// Returns when it was signed.
    #[must_use]
    pub const fn issued_at(&self) -> UnixSeconds {
        UnixSeconds(self.body.issued_at)
    }

    /// Returns the first second at which operations that need a fresh snapshot stop.
    #[must_use]
    pub fn stale_at(&self) -> UnixSeconds {
        self.issued_at().plus(self.body.stale_after.into())
    }

    /// Returns the first second at which every keyed operation stops.
    #[must_use]
    pub fn expires_at(&self) -> UnixSeconds {
        self.issued_at().plus(self.body.expires_after.into())
    }

    /// Returns the length of the file in bytes.
    #[must_use]
    pub const fn file_len(&self) -> u32 {
        self.body.file_len
    }

    /// Returns the binary logarithm of the length of every chunk but the last.
    #[must_use]
    pub const fn chunk_log2(&self) -> u8 {
        self.body.chunk_log2
    }

    /// Returns the number of chunks, at least 1.
    #[must_use]
    pub const fn chunk_count(&self) -> u32 {
        self.body.file_len.div_ceil(1 << self.body.chunk_log2)
    }

    /// Returns in how many pieces the hash list travels.
    #[must_use]
    pub const fn piece_count(&self) -> u32 {
        self.chunk_count().div_ceil(self.hashes_a_piece())
    }

    /// Returns how many hashes each piece of the hash list but the last carries.
    #[must_use]
    pub const fn hashes_a_piece(&self) -> u32 {
        hashes_a_piece(self.body.chunk_log2)
    }

    /// Returns the root over the whole file.
    #[must_use]
    pub const fn root(&self) -> Root {
        self.body.root
    }

    /// Returns the number of the newest revocation list when it was signed, in its epoch.
    #[must_use]
    pub const fn revoked_counter(&self) -> u64 {
        self.body.revoked_counter
    }

    /// Returns whether gateways may run in observe mode, which lets requests pass unchecked.
    #[must_use]
    pub const fn allow_observe(&self) -> bool {
        self.body.allow & ALLOW_OBSERVE != 0
    }

    /// Returns whether gateways may go on where records can no longer be written.
    #[must_use]
    pub const fn allow_drop(&self) -> bool {
        self.body.allow & ALLOW_DROP != 0
    }

    /// Returns the ways from older snapshots to this one.
    #[must_use]
    pub fn deltas(&self) -> &[DeltaRef] {
        &self.body.deltas
    }

    /// Returns the number of the newest revocation list when it was signed; 0 where nothing was ever
    /// revoked.
    #[must_use]
    pub const fn revoked(&self) -> Version {
        Version { epoch: self.body.keyset, number: self.body.revoked_counter }
    }

    /// Makes one that nobody signed, for models that try very many.
    #[cfg(test)]
    pub(super) const fn unsigned(body: Body, keys_expire: UnixSeconds, signers: Signers) -> Self {
        Self { account: Uuid([0; 16]), body, keys_expire, signers }
    }

    /// Returns from when on its key set accepts nothing new.
    pub(super) const fn keys_expire(&self) -> UnixSeconds {
        self.keys_expire
    }

    /// Returns whether it would not have been accepted without keys that any of `sets` calls
    /// compromised: it is unusable from now on, whenever it was signed.
    #[must_use]
    pub fn is_voided_by<'k>(&self, sets: impl IntoIterator<Item = &'k KeySet>) -> bool {
        self.signers.are_too_few_by(sets)
    }

    /// Returns who signed.
    pub(super) const fn signed_by(&self) -> Signers {
        self.signers
    }
}

impl Body {
    /// Reads all of `bytes`, in the one spelling that is written.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refused> {
        let mut from = Reader::new(bytes);
        let mut body = Self {
            audience: Audience(*from.array()?),
            keyset: from.u32()?,
            version: from.u64()?,
            issued_at: from.u64()?,
            stale_after: from.u32()?,
            expires_after: from.u32()?,
            file_len: from.u32()?,
            chunk_log2: from.byte()?,
            root: Root(*from.array()?),
            revoked_counter: from.u64()?,
            allow: from.byte()?,
            deltas: Vec::new(),
        };
        for _ in 0..from.at_most(MAX_DELTAS)? {
            let delta = DeltaRef { from: from.u64()?, len: from.u32()?, sha256: *from.array()? };
            // There is room for as many as may be.
            body.deltas.push(delta).map_err(|_| Refused::Malformed)?;
        }
        from.end()?;

        Ok(body)
    }

    /// A key that signs nonsense is still only one key: nothing here may overflow or never end
    /// (DOMAIN E12, H17).
    fn is_sane(&self) -> bool {
        (MIN_FILE as usize..=MAX_FILE).contains(&(self.file_len as usize))
            && CHUNK_LOG2.contains(&self.chunk_log2)
            && (1..=MAX_EXPIRES_AFTER).contains(&self.expires_after)
            && self.stale_after <= self.expires_after
            && u32::try_from(self.issued_at).is_ok()
    }
}

/// What arrives on the topic `manifest`. Nothing in it is verified.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Message<'a> {
    /// The signed manifest, for [`Manifest::verify`].
    #[serde(borrow)]
    pub envelope: &'a [u8],
    /// Deltas, each believed only where its SHA-256 is the one in the manifest.
    #[serde(borrow)]
    pub deltas: Vec<Delta<'a>, MAX_DELTAS>,
}

/// A delta as it arrived.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct Delta<'a> {
    /// Version number that it says to start from.
    pub from: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Takes apart a message on the topic `manifest`.
///
/// # Errors
///
/// The message is longer than any, or not what belongs on that topic.
pub fn split(message: &[u8]) -> Result<Message<'_>, Refused> {
    if message.len() > MAX_MESSAGE {
        return Err(Refused::TooLong);
    }
    let message: Message<'_> = wire::read(message)?;
    if message.envelope.len() > MAX_ENVELOPE {
        return Err(Refused::TooLong);
    }

    Ok(message)
}
