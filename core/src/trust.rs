//! What a gateway believes, from whom, and how late it thinks it is (TRUST sections 2 to 4).
//!
//! Whoever reads a signed object says what it expects: the type and the domain of a signature never
//! come from the envelope, and the keys come from a [`KeySet`] that is held already. Whether the
//! broker, the disk or a stick brought the bytes makes no difference.
//!
//! | module | takes | gives |
//! |---|---|---|
//! | `envelope` | bytes | a payload and who signed it |
//! | `public` | a key and a signature | whether that is one |
//! | `signers` | names of keys, and which were stolen | whether enough of them are left |
//! | `keys` | the anchor of enrolment, then one key set after another | [`KeySet`] |
//! | [`manifest`] | an envelope and a key set | [`Manifest`] |
//! | [`revoked`] | an envelope and a key set | [`Revoked`]: what no longer counts |
//! | `beacon` | an envelope and a key set | [`Beacon`]: the time, and what is the newest |
//! | `floor` | one of these and the time | whether it may follow what was accepted |
//! | `clock` | a clock that may be wrong | [`Now`] |
//! | `gateway` | what a gateway says of itself | [`Checkpoint`], [`Status`] |
//! | `receipt` | what a collector holds | [`Receipt`] |

use core::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::name::{Hex, Uuid};

mod beacon;
mod clock;
mod envelope;
mod floor;
mod gateway;
mod keys;
pub mod manifest;
#[cfg(feature = "hybrid")]
mod ml_dsa_65;
mod public;
mod receipt;
mod refused;
pub mod revoked;
mod role;
#[cfg(any(test, feature = "build"))]
pub mod sign;
mod signers;
pub(crate) mod wire;

pub use beacon::Beacon;
pub use clock::{Now, Shown, TrustedTime};
pub use ed25519_dalek::{SigningKey, VerifyingKey};
pub use envelope::{Kind, MAX_ENVELOPE, MAX_SIGNATURES};
pub use floor::{Admission, FLOOR_LEN, Floor, MAX_AHEAD, MAX_BEACON_LIFT};
pub use gateway::{Checkpoint, SEALED_LEN, Status, TooSmall};
pub use keys::{Key, KeySet, MAX_AUDIENCES, MAX_KEYS, MAX_REVOKED_KEYS, Vouched};
pub use manifest::{DeltaRef, Manifest};
pub use receipt::Receipt;
pub use refused::Refused;
pub use revoked::Revoked;
pub use role::{Algorithm, KeyId, Role};
pub use signers::Signers;

/// A group of gateways that gets the same snapshot.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Audience(pub [u8; 16]);

impl Audience {
    /// Returns the first 16 bytes of SHA-256(`gwd-audience-v1\0` ‖ account ‖ group).
    #[must_use]
    pub fn of(account: Uuid, group: &str) -> Self {
        Self(derived(b"gwd-audience-v1\0", account, group))
    }
}

/// One gateway.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct GatewayId(pub [u8; 16]);

impl GatewayId {
    /// Returns the first 16 bytes of SHA-256(`gwd-gateway-v1\0` ‖ account ‖ name).
    #[must_use]
    pub fn of(account: Uuid, gateway: &str) -> Self {
        Self(derived(b"gwd-gateway-v1\0", account, gateway))
    }
}

fn derived(domain: &[u8], account: Uuid, name: &str) -> [u8; 16] {
    let hash = Sha256::new_with_prefix(domain).chain_update(account.0).chain_update(name);

    first(hash)
}

fn first<const N: usize>(hash: Sha256) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.iter_mut().zip(hash.finalize()).for_each(|(place, byte)| *place = byte);

    bytes
}

/// One enrolment of a gateway: its audit starts again under a new one, so that numbers never
/// collide (TRUST section 5).
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Incarnation(pub [u8; 8]);

/// What every byte of a snapshot goes into; see [`crate::snapshot::chunk`].
#[derive(Clone, Copy, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Root(pub [u8; 32]);

impl Root {
    /// Returns the first 8 bytes, which name the snapshot in topics and in status.
    #[must_use]
    pub fn short(&self) -> [u8; 8] {
        let mut short = [0; 8];
        short.iter_mut().zip(self.0).for_each(|(place, byte)| *place = byte);

        short
    }
}

macro_rules! shown_as_hex {
    ($($name:ident)*) => {
        $(
            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    Hex(&self.0).fmt(f)
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    Hex(&self.0).fmt(f)
                }
            }
        )*
    };
}

shown_as_hex! { Audience GatewayId Incarnation Root }

/// Number of something that only ever grows within an epoch of keys.
///
/// The epoch counts first: a stolen key may sign the greatest number there is, and the next key set
/// makes every number lower again (TRUST section 3).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Version {
    /// Epoch of the key set that it was signed under; 0 for none.
    pub epoch: u32,
    /// The number within that epoch.
    pub number: u64,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.number)
    }
}

#[cfg(test)]
mod tests;
