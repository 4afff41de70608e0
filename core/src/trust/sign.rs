//! Making what gateways believe: for the control plane, the collector and tests.
//!
//! Nothing is checked here that verifying checks: what comes out is read again with
//! [`super::Manifest::verify`] and its like before it is published.

extern crate alloc;

use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;

mod beacon;
mod manifest;
mod revoked;

pub use beacon::BeaconDraft;
pub use manifest::ManifestDraft;
pub use revoked::RevokedDraft;

use super::envelope::{Envelope, Kind, Signed};
use super::keys;
use super::receipt;
use super::role::{Algorithm, KeyId};
use super::{Audience, GatewayId, Incarnation, Key, KeySet, wire};
use crate::audit::Head;
use crate::name::Uuid;
use crate::time::UnixSeconds;

mod private;

pub use private::{PrivateKey, Signer};

/// A list has more entries than the format has room for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooMany(
    /// Of what.
    pub &'static str,
);

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "too many {} for one object; leave out those that are no longer needed", self.0)
    }
}

impl core::error::Error for TooMany {}

/// A key set to be signed; see [`super::KeySet`].
#[derive(Clone, Debug)]
pub struct KeySetDraft {
    /// The account.
    pub account: Uuid,
    /// One more than the set before; the first is 1.
    pub epoch: u32,
    /// Now.
    pub issued_at: UnixSeconds,
    /// From when on it accepts nothing new.
    pub expires: UnixSeconds,
    /// How many keys must sign, by [`super::Role`]; at least 1 each.
    pub thresholds: [u8; 4],
    /// Which algorithms must have signed, by [`super::Role`]; bits of [`Algorithm`].
    pub required: [u8; 4],
    /// The keys.
    pub keys: Vec<KeyDraft>,
    /// Keys that sign nothing new; what they signed stays good until it expires.
    pub retired: Vec<KeyId>,
    /// Keys whose signatures are void.
    pub compromised: Vec<KeyId>,
}

/// A key of a set.
#[derive(Clone, Debug)]
pub struct KeyDraft {
    /// The algorithm that it signs with.
    pub algorithm: Algorithm,
    /// The public key.
    pub public: Vec<u8>,
    /// Bits of [`super::Role`].
    pub roles: u8,
    /// The groups that it may sign for; none means all.
    pub audiences: Option<Vec<Audience>>,
}

impl KeyDraft {
    /// A key with these bits of [`super::Role`], for all groups.
    #[must_use]
    pub fn of(key: &impl Signer, roles: u8) -> Self {
        Self { algorithm: key.algorithm(), public: key.public(), roles, audiences: None }
    }
}

/// The key as it stands in its set, for the next one.
impl From<&Key> for KeyDraft {
    fn from(key: &Key) -> Self {
        Self {
            algorithm: key.algorithm(),
            public: key.public.bytes(),
            roles: key.roles(),
            audiences: key.audiences().map(Vec::from),
        }
    }
}

impl KeySetDraft {
    /// Begins the set that follows `set` with all that it says, to be changed before it is signed.
    #[must_use]
    pub fn after(set: &KeySet) -> Self {
        let (thresholds, required) = set.demands();

        Self {
            account: set.account(),
            epoch: set.epoch().saturating_add(1),
            issued_at: set.issued_at(),
            expires: set.expires(),
            thresholds,
            required,
            keys: set.keys().iter().map(KeyDraft::from).collect(),
            retired: set.retired().to_vec(),
            compromised: set.compromised().to_vec(),
        }
    }

    /// Signs the set with root keys: those of the set before, and its own.
    ///
    /// # Errors
    ///
    /// A list is too long.
    pub fn sign<S: Signer + ?Sized>(&self, signers: &[&S]) -> Result<Vec<u8>, TooMany> {
        let mut keys = heapless::Vec::new();
        for KeyDraft { algorithm, public, roles, audiences } in &self.keys {
            let audiences = match audiences {
                Some(all) => Some(fit("audiences of a key", all)?),
                None => None,
            };
            let (algorithm, roles) = (*algorithm as u8, *roles);
            let key = keys::KeyBody { public, algorithm, roles, audiences };
            keys.push(key).map_err(|_| TooMany("keys"))?;
        }
        let body = keys::Body {
            epoch: self.epoch,
            issued_at: self.issued_at.0,
            expires: self.expires.0,
            thresholds: self.thresholds,
            required: self.required,
            keys,
            retired: fit("retired keys", &self.retired)?,
            compromised: fit("compromised keys", &self.compromised)?,
        };

        seal(Kind::KeySet, self.account, &body, signers)
    }
}

/// A receipt to be signed; see [`super::Receipt`].
#[derive(Clone, Copy, Debug)]
pub struct ReceiptDraft {
    /// The account.
    pub account: Uuid,
    /// The gateway.
    pub gateway: GatewayId,
    /// Its enrolment.
    pub incarnation: Incarnation,
    /// Number of the last record held, with all before.
    pub through: u64,
    /// Head of the chain after it.
    pub head: Head,
    /// Now.
    pub time: UnixSeconds,
}

impl ReceiptDraft {
    /// Signs the receipt with a collector key.
    ///
    /// # Errors
    ///
    /// There are too many signers.
    pub fn sign<S: Signer + ?Sized>(&self, signers: &[&S]) -> Result<Vec<u8>, TooMany> {
        let Self { account, gateway, incarnation, through, head, time } = *self;
        let body = receipt::Body { gateway, incarnation, through, head, time };

        seal(Kind::Receipt, account, &body, signers)
    }
}

/// Returns what is published on the topic `manifest`: the signed manifest with its deltas, each
/// with the version that it starts from.
///
/// # Errors
///
/// There are too many deltas.
pub fn message(envelope: &[u8], deltas: &[(u64, &[u8])]) -> Result<Vec<u8>, TooMany> {
    let mut own = heapless::Vec::new();
    for (from, bytes) in deltas {
        let delta = super::manifest::Delta { from: *from, bytes };
        own.push(delta).map_err(|_| TooMany("deltas"))?;
    }

    encode(&super::manifest::Message { envelope, deltas: own })
}

fn fit<T: Clone, const N: usize>(
    what: &'static str,
    list: &[T],
) -> Result<heapless::Vec<T, N>, TooMany> {
    heapless::Vec::from_slice(list).map_err(|_| TooMany(what))
}

fn seal<S: Signer + ?Sized>(
    kind: Kind,
    account: Uuid,
    body: &impl Serialize,
    signers: &[&S],
) -> Result<Vec<u8>, TooMany> {
    let payload = encode(&(wire::FORMAT, account.0, body))?;

    seal_payload(kind, &payload, signers)
}

pub(super) fn seal_payload<S: Signer + ?Sized>(
    kind: Kind,
    payload: &[u8],
    signers: &[&S],
) -> Result<Vec<u8>, TooMany> {
    let parts = [kind.domain(), payload];
    let signed: Vec<_> =
        signers.iter().map(|key| (key.id(), key.algorithm(), key.signature(&parts))).collect();
    let mut signatures = heapless::Vec::new();
    for (key, algorithm, bytes) in &signed {
        let signature = Signed { key: *key, algorithm: *algorithm as u8, bytes };
        signatures.push(signature).map_err(|_| TooMany("signatures"))?;
    }

    encode(&Envelope { typ: kind as u8, payload, signatures })
}

/// Nothing that is written here can fail but for memory, which aborts.
fn encode(value: &impl Serialize) -> Result<Vec<u8>, TooMany> {
    postcard::to_allocvec(value).map_err(|_| TooMany("bytes"))
}
