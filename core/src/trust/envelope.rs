//! What carries every signed object: a type, the payload as it was signed, and signatures.
//!
//! postcard: `typ u8` ‖ `payload` (length, bytes) ‖ number of signatures ‖ for each `key_id[8]` ‖
//! `alg u8` ‖ `sig` (length, bytes). A signature covers the domain of the type, ended by a zero
//! byte, then the payload as received (TRUST section 2).

use core::borrow::Borrow;

use heapless::Vec;
use serde::{Deserialize, Serialize};

use super::Refused;
use super::public::Public;
use super::role::KeyId;
use super::wire::Reader;

/// No envelope has more bytes: a key set of post-quantum keys, with their signatures, fits.
pub const MAX_ENVELOPE: usize = 64 * 1024;
/// No envelope carries more signatures.
pub const MAX_SIGNATURES: usize = 8;

/// A type of signed object. The number stands in the envelope, the domain in front of what is
/// signed.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum Kind {
    /// Which snapshot is in force for a group.
    Manifest = 1,
    /// Which keys may sign what.
    KeySet = 2,
    /// What time it is.
    Beacon = 3,
    /// What was revoked since a snapshot.
    Revoked = 4,
    /// How far a gateway's audit has come.
    Checkpoint = 5,
    /// How much of it a collector holds.
    Receipt = 6,
    /// What a gateway runs on.
    Status = 7,
}

impl Kind {
    /// Every type, in the order of the numbers.
    pub const ALL: [Self; 7] = [
        Self::Manifest,
        Self::KeySet,
        Self::Beacon,
        Self::Revoked,
        Self::Checkpoint,
        Self::Receipt,
        Self::Status,
    ];

    /// Returns what is signed in front of the payload, with the zero byte that ends it.
    #[must_use]
    pub const fn domain(self) -> &'static [u8] {
        match self {
            Self::Manifest => b"gwd-manifest-v1\0",
            Self::KeySet => b"gwd-keyset-v1\0",
            Self::Beacon => b"gwd-beacon-v1\0",
            Self::Revoked => b"gwd-revoked-v1\0",
            Self::Checkpoint => b"gwd-checkpoint-v1\0",
            Self::Receipt => b"gwd-receipt-v1\0",
            Self::Status => b"gwd-status-v1\0",
        }
    }
}

/// An object as it arrived: nothing about it is verified but its shape and its type.
#[derive(Deserialize, Serialize)]
pub(super) struct Envelope<'a> {
    pub(super) typ: u8,
    #[serde(borrow)]
    pub(super) payload: &'a [u8],
    #[serde(borrow)]
    pub(super) signatures: Vec<Signed<'a>, MAX_SIGNATURES>,
}

/// A signature, and the key that is said to have made it.
#[derive(Deserialize, Serialize)]
pub(super) struct Signed<'a> {
    pub(super) key: KeyId,
    pub(super) algorithm: u8,
    pub(super) bytes: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Reads an envelope of the type that belongs here.
    pub(super) fn open(bytes: &'a [u8], expected: Kind) -> Result<Self, Refused> {
        if bytes.len() > MAX_ENVELOPE {
            return Err(Refused::TooLong);
        }
        let envelope = Self::read(bytes)?;
        if envelope.typ != expected as u8 {
            return Err(Refused::OtherType);
        }

        Ok(envelope)
    }

    /// Reads all of `bytes`, in the one spelling that is written.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Refused> {
        let mut from = Reader::new(bytes);
        let (typ, payload) = (from.byte()?, from.bytes()?);
        let mut signatures = Vec::new();
        for _ in 0..from.at_most(MAX_SIGNATURES)? {
            let signed = Signed {
                key: KeyId(*from.array()?),
                algorithm: from.byte()?,
                bytes: from.bytes()?,
            };
            // There is room for as many as may be.
            signatures.push(signed).map_err(|_| Refused::Malformed)?;
        }
        from.end()?;

        Ok(Self { typ, payload, signatures })
    }

    /// Returns which of `keys` signed this as a `kind`, in their order. A key is looked for once, so
    /// it counts once however often its signature stands there.
    pub(super) fn signers(
        &self,
        kind: Kind,
        keys: impl Iterator<Item = (KeyId, impl Borrow<Public>)>,
    ) -> impl Iterator<Item = KeyId> {
        keys.filter_map(move |(id, key)| self.is_signed(kind, id, key.borrow()).then_some(id))
            .take(MAX_SIGNATURES)
    }

    /// Returns whether the key with this id signed this as a `kind`. What a signature says of its
    /// algorithm only decides whether it is looked at: it is verified with that of the key.
    pub(super) fn is_signed(&self, kind: Kind, id: KeyId, public: &Public) -> bool {
        self.signatures
            .iter()
            .filter(|signed| signed.key == id && signed.algorithm == public.algorithm() as u8)
            .any(|signed| public.verifies(kind.domain(), self.payload, signed.bytes))
    }
}
