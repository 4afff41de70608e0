//! A floor as it stands on disk.
//!
//! Magic, the fields in order, little-endian, and the first 8 bytes of the SHA-256 of all that. The
//! sum is there for a damaged disk, not against whoever can write it.

use sha2::{Digest, Sha256};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Floor;
use crate::time::UnixSeconds;
use crate::trust::{Refused, Root, Signers, Version};

/// Length of a floor in bytes.
pub const FLOOR_LEN: usize = size_of::<Wire>() + SUM_LEN;

const MAGIC: [u8; 8] = *b"GWDFLOR1";
const SUM_LEN: usize = 8;

impl Floor {
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
            list_epoch: self.list.epoch.into(),
            list: self.list.number.into(),
            newest_epoch: self.newest.epoch.into(),
            newest: self.newest.number.into(),
            beacon_epoch: self.beacon.epoch.into(),
            beacon: self.beacon.number.into(),
            beacon_time: self.beacon_time.0.into(),
            signed: self.signed.0.into(),
            lived: self.lived.0.into(),
            agreed: self.agreed.0.into(),
            boots: self.boots.into(),
            rooted: self.rooted.0.into(),
            held: self.held.0.into(),
            manifest_by: self.manifest_by,
            beacon_by: self.beacon_by,
            agreed_by: self.agreed_by,
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
            list: Version { epoch: wire.list_epoch.get(), number: wire.list.get() },
            newest: Version { epoch: wire.newest_epoch.get(), number: wire.newest.get() },
            beacon: Version { epoch: wire.beacon_epoch.get(), number: wire.beacon.get() },
            beacon_time: UnixSeconds(wire.beacon_time.get()),
            signed: UnixSeconds(wire.signed.get()),
            lived: UnixSeconds(wire.lived.get()),
            agreed: UnixSeconds(wire.agreed.get()),
            boots: wire.boots.get(),
            rooted: UnixSeconds(wire.rooted.get()),
            held: UnixSeconds(wire.held.get()),
            manifest_by: wire.manifest_by,
            beacon_by: wire.beacon_by,
            agreed_by: wire.agreed_by,
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
    list_epoch: U32,
    list: U64,
    newest_epoch: U32,
    newest: U64,
    beacon_epoch: U32,
    beacon: U64,
    beacon_time: U64,
    signed: U64,
    lived: U64,
    agreed: U64,
    boots: U32,
    rooted: U64,
    held: U64,
    manifest_by: Signers,
    beacon_by: Signers,
    agreed_by: [Signers; 2],
}

fn sum(bytes: &[u8]) -> [u8; SUM_LEN] {
    crate::trust::first(Sha256::new_with_prefix(bytes))
}
