//! Who signs: keys from fixed seeds, for one account and one group of gateways.

use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::sign::{BeaconDraft, KeyDraft, KeySetDraft, ManifestDraft, RevokedDraft};
use gateward_core::trust::{Algorithm, Audience, Role, SigningKey};

/// The account.
pub const ACCOUNT: Uuid = Uuid([
    0x01, 0x93, 0xa5, 0xd4, 0x0b, 0x9e, 0x7c, 0x61, 0x8d, 0x5e, 0x3f, 0x1a, 0x7b, 0x2c, 0x9d, 0x10,
]);
/// Somebody else's.
pub const OTHER_ACCOUNT: Uuid = Uuid([0x42; 16]);
/// The group of gateways.
pub const GROUP: &str = "plant-7";

/// When the first manifest was signed.
pub const T0: u64 = 1_790_000_000;
/// Seconds of a day.
pub const DAY: u64 = 86_400;
/// Binary logarithm of the length of a chunk.
pub const CHUNK_LOG2: u8 = 12;

/// Seeds of the keys: 32 bytes of this number. Two of three root keys must sign.
pub const ROOTS: [u8; 3] = [1, 2, 3];
/// Signs manifests and revocation lists.
pub const SNAPSHOT: u8 = 4;
/// Signs them too.
pub const SNAPSHOT_TOO: u8 = 5;
/// Signs beacons.
pub const BEACON: u8 = 6;
/// Is in no key set.
pub const STRANGER: u8 = 9;
/// Takes the place of the third root key in the second epoch.
pub const NEW_ROOT: u8 = 11;

/// Returns the private key from this seed.
#[must_use]
pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// Returns the group of gateways.
#[must_use]
pub fn audience() -> Audience {
    Audience::of(ACCOUNT, GROUP)
}

/// Begins the key set of `epoch`, with these root keys.
#[must_use]
pub fn key_set(epoch: u32, roots: [u8; 3]) -> KeySetDraft {
    let of = |seed: u8, role: Role| KeyDraft::of(&key(seed), role.bit());
    let mut keys: Vec<_> = roots.into_iter().map(|seed| of(seed, Role::Root)).collect();
    keys.extend([SNAPSHOT, SNAPSHOT_TOO].map(|seed| of(seed, Role::Snapshot)));
    keys.push(of(BEACON, Role::Beacon));

    KeySetDraft {
        account: ACCOUNT,
        epoch,
        issued_at: UnixSeconds(T0 - 30 * DAY + u64::from(epoch)),
        expires: UnixSeconds(T0 + 365 * DAY),
        thresholds: [2, 1, 1, 1],
        required: [Algorithm::Ed25519.bit(); 4],
        keys,
        retired: Vec::new(),
        compromised: Vec::new(),
    }
}

/// Begins a manifest of `file`, under the first key set.
///
/// # Panics
///
/// If `file` is too long for any.
#[must_use]
pub fn manifest(file: &[u8], version: u64) -> ManifestDraft {
    ManifestDraft {
        version,
        ..ManifestDraft::of(ACCOUNT, audience(), UnixSeconds(T0), file, CHUNK_LOG2)
            .expect("the file is small")
    }
}

/// Begins a revocation list that adds to the first version.
#[must_use]
pub fn revoked(
    counter: u64,
    tokens: impl IntoIterator<Item = u64>,
    principals: impl IntoIterator<Item = u32>,
) -> RevokedDraft {
    RevokedDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: 1,
        counter,
        base_version: 1,
        issued_at: UnixSeconds(T0 + 60 * counter),
        tokens: tokens.into_iter().collect(),
        principals: principals.into_iter().collect(),
    }
}

/// Begins a beacon that speaks of this version and of this list.
#[must_use]
pub fn beacon(number: u64, version: u64, revoked_counter: u64) -> BeaconDraft {
    BeaconDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: 1,
        number,
        time: UnixSeconds(T0 + 600 * number),
        version,
        revoked_counter,
    }
}
