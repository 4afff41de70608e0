//! What was accepted so far, and never less again.
//!
//! Writing the floor is the commit of a switch (ARCHITECTURE 4). It holds no secret and no
//! signature: whoever can write the disk can lower it, and the collector sees that.

use sha2::{Digest, Sha256};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::{KeySet, Manifest, Now, Refused, Root, Version};
use crate::time::{TimeQuality, UnixSeconds};

/// Length of a floor in bytes.
pub const FLOOR_LEN: usize = size_of::<Wire>() + SUM_LEN;
/// How many seconds ahead of a running clock something may have been issued (TRUST section 4).
pub const MAX_AHEAD: u64 = 600;

const MAGIC: [u8; 8] = *b"GWDFLOR1";
const SUM_LEN: usize = 8;

/// What was accepted so far. Nothing yet is [`Floor::default`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Floor {
    /// Epoch of the newest key set accepted.
    pub keys: u32,
    /// Version of the snapshot in force.
    pub version: Version,
    /// Root of the snapshot in force.
    pub root: Root,
    /// When the manifest in force was signed.
    pub issued_at: UnixSeconds,
    /// The greatest number of a revocation list that an accepted manifest spoke of.
    pub revoked: Version,
    /// S: the latest signed time accepted.
    pub signed: UnixSeconds,
    /// L: S and the run time since, as far as it was written down.
    pub lived: UnixSeconds,
    /// How often the agent has started on this state.
    pub boots: u32,
}

/// How an admitted manifest stands to the one in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admission {
    /// Another snapshot, to be fetched.
    Newer,
    /// The snapshot in force, signed again later: it is valid for longer.
    Refresh,
    /// The manifest in force: nothing to do (DOMAIN H6).
    Same,
}

impl Floor {
    /// Returns whether `manifest` may follow what was accepted.
    ///
    /// # Errors
    ///
    /// Returns why the gateway goes on with what it has.
    pub fn admit(&self, manifest: &Manifest, now: &Now) -> Result<Admission, Refused> {
        let (held, offered) = (self.version, manifest.version());
        if offered.epoch < self.keys {
            return Err(Refused::OldKeys);
        }
        let same = offered == held;
        if same && manifest.root() != self.root {
            return Err(Refused::Fork);
        }
        if offered < held || same && manifest.issued_at() < self.issued_at {
            return Err(Refused::Rollback { held, offered });
        }
        if same && manifest.issued_at() == self.issued_at {
            return Ok(Admission::Same);
        }
        if manifest.expires_at() <= now.at {
            return Err(Refused::Expired);
        }
        if manifest.keys_expire() <= now.at {
            return Err(Refused::KeysExpired);
        }
        // A clock that runs outweighs one signer: a manifest alone must not lift time far. Where
        // there is none, what is signed is all that says how late it is (DOMAIN H20).
        let clocked = matches!(now.quality, TimeQuality::Synced | TimeQuality::Holdover);
        if clocked && manifest.issued_at() > now.at.plus(MAX_AHEAD) {
            return Err(Refused::IssuedAhead);
        }

        Ok(if same { Admission::Refresh } else { Admission::Newer })
    }

    /// Returns the floor once `manifest`, which was admitted, is in force.
    #[must_use]
    pub fn with(&self, manifest: &Manifest) -> Self {
        let version = manifest.version();
        let revoked = Version { epoch: version.epoch, number: manifest.revoked_counter() };
        let signed = self.signed.max(manifest.issued_at());

        Self {
            keys: self.keys.max(version.epoch),
            version,
            root: manifest.root(),
            issued_at: manifest.issued_at(),
            revoked: self.revoked.max(revoked),
            signed,
            lived: self.lived.max(signed),
            boots: self.boots,
        }
    }

    /// Returns the floor once `keys`, which follows the key set held, is accepted.
    ///
    /// Signed time only ever rises, but for one case: a key set that calls a key compromised sets it
    /// to its own time, since that key may have pushed it ahead (TRUST section 4).
    #[must_use]
    pub fn with_keys(&self, keys: &KeySet) -> Self {
        let mut floor = Self { keys: self.keys.max(keys.epoch()), ..*self };
        if keys.epoch() > self.keys && keys.resets_time() {
            floor.signed = keys.issued_at();
            floor.lived = keys.issued_at();
        } else {
            floor.signed = self.signed.max(keys.issued_at());
            floor.lived = self.lived.max(floor.signed);
        }

        floor
    }

    /// Returns the bytes for the disk: magic, the fields in order, little-endian, and the first 8
    /// bytes of the SHA-256 of all that.
    #[must_use]
    pub fn encode(&self) -> [u8; FLOOR_LEN] {
        let wire = Wire {
            magic: MAGIC,
            keys: self.keys.into(),
            version_epoch: self.version.epoch.into(),
            version: self.version.number.into(),
            root: self.root.0,
            issued_at: self.issued_at.0.into(),
            revoked_epoch: self.revoked.epoch.into(),
            revoked: self.revoked.number.into(),
            signed: self.signed.0.into(),
            lived: self.lived.0.into(),
            boots: self.boots.into(),
        };
        let mut bytes = [0; FLOOR_LEN];
        let sum = sum(wire.as_bytes());
        let all = wire.as_bytes().iter().chain(&sum);
        bytes.iter_mut().zip(all).for_each(|(place, byte)| *place = *byte);

        bytes
    }

    /// Reads what [`Floor::encode`] wrote.
    ///
    /// # Errors
    ///
    /// The bytes are anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refused> {
        let (body, stated) = bytes.split_last_chunk::<SUM_LEN>().ok_or(Refused::Damaged)?;
        let wire = Wire::read_from_bytes(body).map_err(|_| Refused::Damaged)?;
        if wire.magic != MAGIC || sum(body) != *stated {
            return Err(Refused::Damaged);
        }

        Ok(Self {
            keys: wire.keys.get(),
            version: Version { epoch: wire.version_epoch.get(), number: wire.version.get() },
            root: Root(wire.root),
            issued_at: UnixSeconds(wire.issued_at.get()),
            revoked: Version { epoch: wire.revoked_epoch.get(), number: wire.revoked.get() },
            signed: UnixSeconds(wire.signed.get()),
            lived: UnixSeconds(wire.lived.get()),
            boots: wire.boots.get(),
        })
    }
}

#[derive(FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned)]
#[repr(C)]
struct Wire {
    magic: [u8; 8],
    keys: U32,
    version_epoch: U32,
    version: U64,
    root: [u8; 32],
    issued_at: U64,
    revoked_epoch: U32,
    revoked: U64,
    signed: U64,
    lived: U64,
    boots: U32,
}

fn sum(bytes: &[u8]) -> [u8; SUM_LEN] {
    super::first(Sha256::new_with_prefix(bytes))
}
