//! Attacks on what a gateway believes, and what must still be accepted.

extern crate std;

use std::vec;
use std::vec::Vec;

use super::sign::{KeyDraft, KeySetDraft, ManifestDraft, ReceiptDraft};
use super::*;
use crate::audit::Head;
use crate::time::{TimeQuality, UnixSeconds};

mod beacon;
mod clock;
mod floor;
mod gateway;
#[cfg(feature = "hybrid")]
mod hybrid;
mod keys;
mod manifest;
mod promise;
mod revoked;
mod theft;
mod walk;
mod wire;

const ACCOUNT: Uuid = Uuid([0xac; 16]);
const OTHER: Uuid = Uuid([0xad; 16]);
const T0: u64 = 1_800_000_000;
const DAY: u64 = 86_400;

/// The key drawn for a test by its number.
fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn public(key: &SigningKey) -> Vec<u8> {
    key.verifying_key().to_bytes().to_vec()
}

fn id(key: &SigningKey) -> KeyId {
    KeyId::of(&public(key))
}

fn with_roles(key: &SigningKey, roles: &[Role]) -> KeyDraft {
    let roles = roles.iter().fold(0, |bits, role| bits | role.bit());

    KeyDraft::of(key, roles)
}

const ROOTS: [u8; 3] = [1, 2, 3];
const SNAPSHOT: u8 = 4;
const NEXT_SNAPSHOT: u8 = 5;
const BEACON: u8 = 6;
const COLLECTOR: u8 = 7;
const STRANGER: u8 = 9;

/// Three root keys of which two must sign, and one key for every other role.
fn key_set(epoch: u32) -> KeySetDraft {
    let mut keys: Vec<_> = ROOTS.iter().map(|n| with_roles(&key(*n), &[Role::Root])).collect();
    keys.push(with_roles(&key(SNAPSHOT), &[Role::Snapshot]));
    keys.push(with_roles(&key(BEACON), &[Role::Beacon]));
    keys.push(with_roles(&key(COLLECTOR), &[Role::Collector]));

    KeySetDraft {
        account: ACCOUNT,
        epoch,
        issued_at: UnixSeconds(T0 - DAY),
        expires: UnixSeconds(T0 + 365 * DAY),
        thresholds: [2, 1, 1, 1],
        required: [Algorithm::Ed25519.bit(); 4],
        keys,
        retired: vec![],
        compromised: vec![],
    }
}

fn signed_by_roots(draft: &KeySetDraft) -> Vec<u8> {
    draft.sign(&[&key(1), &key(2)]).unwrap()
}

fn anchor() -> KeySet {
    anchored(&key_set(1))
}

fn anchored(draft: &KeySetDraft) -> KeySet {
    KeySet::anchor(&signed_by_roots(draft), ACCOUNT).unwrap()
}

fn audience() -> Audience {
    Audience::of(ACCOUNT, "line-1")
}

fn draft(version: u64) -> ManifestDraft {
    ManifestDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: 1,
        version,
        issued_at: UnixSeconds(T0),
        stale_after: 3_600,
        expires_after: 7 * 86_400,
        file_len: 100_000,
        chunk_log2: 15,
        root: Root([7; 32]),
        revoked_counter: 3,
        allow_observe: true,
        allow_drop: false,
        deltas: vec![DeltaRef { from: 1, len: 42, sha256: [8; 32] }],
    }
}

fn envelope(draft: &ManifestDraft) -> Vec<u8> {
    draft.sign(&[&key(SNAPSHOT)]).unwrap()
}

fn manifest(draft: &ManifestDraft) -> Manifest {
    manifest_under(draft, &anchor())
}

fn manifest_under(draft: &ManifestDraft, keys: &KeySet) -> Manifest {
    Manifest::verify(&envelope(draft), keys, audience()).unwrap()
}

fn refusal(draft: &ManifestDraft) -> Refused {
    Manifest::verify(&envelope(draft), &anchor(), audience()).unwrap_err()
}

/// Calls `accepts` with every truncation, every single flipped bit and every appended byte.
fn every_damage_is_refused(good: &[u8], accepts: impl Fn(&[u8]) -> bool) {
    assert!(accepts(good));
    for len in 0..good.len() {
        assert!(!accepts(&good[..len]), "cut to {len}");
    }
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.to_vec();
            bad[at] ^= 1 << bit;
            assert!(!accepts(&bad), "bit {bit} of byte {at}");
        }
    }
    for byte in [0, 1, 0x80, 0xff] {
        assert!(!accepts(&[good, &[byte]].concat()), "{byte} appended");
    }
}

#[test]
fn ids_are_derived_as_written_down() {
    let digest = Sha256::digest([b"gwd-audience-v1\0".as_slice(), &ACCOUNT.0, b"line-1"].concat());
    assert_eq!(audience().0, digest[..16]);
    let digest = Sha256::digest([b"gwd-gateway-v1\0".as_slice(), &ACCOUNT.0, b"gw"].concat());
    assert_eq!(GatewayId::of(ACCOUNT, "gw").0, digest[..16]);
    assert_ne!(Audience::of(ACCOUNT, "a"), Audience::of(OTHER, "a"));
}

#[test]
fn every_type_has_its_own_number_and_its_own_domain() {
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, at + 1);
        let domain = kind.domain();
        assert!(domain.starts_with(b"gwd-") && domain.ends_with(b"-v1\0"));
        assert_eq!(Kind::ALL.iter().filter(|other| other.domain() == domain).count(), 1);
    }
}

#[test]
fn an_epoch_counts_before_a_number() {
    let version = |epoch, number| Version { epoch, number };
    assert!(version(2, 1) > version(1, u64::MAX));
    assert!(version(1, 2) > version(1, 1));
    assert_eq!(std::format!("{}", version(2, 17)), "2.17");
}
