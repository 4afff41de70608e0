//! A manifest for the table: only a signed snapshot can grow stale.

use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::sign::{KeyDraft, KeySetDraft, ManifestDraft};
use gateward_core::trust::{Algorithm, Audience, KeySet, Manifest, Role, SigningKey};

const CHUNK_LOG2: u8 = 15;
const YEAR: u64 = 31_536_000;

/// Vouches for `file`, from `now` on.
pub(crate) fn vouch(account: Uuid, file: &[u8], now: UnixSeconds) -> Manifest {
    let key = SigningKey::from_bytes(&[1; 32]);
    let roles = KeyDraft::of(&key, Role::Root.bit() | Role::Snapshot.bit());
    let keys = KeySetDraft {
        account,
        epoch: 1,
        issued_at: now,
        expires: UnixSeconds(now.0 + YEAR),
        thresholds: [1; 4],
        required: [Algorithm::Ed25519.bit(); 4],
        keys: vec![roles],
        retired: Vec::new(),
        compromised: Vec::new(),
    };
    let keys = keys.sign(&[&key]).expect("one key fits");
    let keys = KeySet::anchor(&keys, account).expect("it was just signed");
    let audience = Audience::of(account, "constant-time");
    let manifest = ManifestDraft {
        keyset: keys.epoch(),
        ..ManifestDraft::of(account, audience, now, file, CHUNK_LOG2).expect("the table is small")
    };
    let envelope = manifest.sign(&[&key]).expect("one signature fits");

    Manifest::verify(&envelope, &keys, audience).expect("it was just signed")
}
