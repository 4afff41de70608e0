//! Prints what verifying a hybrid manifest takes with the keys kept decoded, beside Ed25519 alone.
//!
//! Both run in turns in one process, so that a shared machine slows both.
//! Run: `cargo bench -p gateward-core --features hybrid --bench hybrid`.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that measures and prints"
)]

use core::hint::black_box;
use std::time::Instant;

use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::sign::{KeyDraft, KeySetDraft, ManifestDraft, PrivateKey};
use gateward_core::trust::{Algorithm, Audience, KeySet, Manifest, Root};

const ACCOUNT: Uuid = Uuid([7; 16]);
const GROUP: &str = "plant-7";
const BUDGET_US: f64 = 200.0;
/// Calls of each kind, one by one: the least was not interrupted.
const ROUNDS: usize = 2_001;

fn main() {
    let worlds = [vec![Algorithm::Ed25519], vec![Algorithm::Ed25519, Algorithm::MlDsa65]]
        .map(|algorithms| World::new(&algorithms));
    let mut verified = worlds.each_ref().map(|_| Vec::new());
    let mut anchored = worlds.each_ref().map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (world, (verified, anchored)) in
            worlds.iter().zip(verified.iter_mut().zip(&mut anchored))
        {
            verified.push(time(|| world.verify()));
            anchored.push(time(|| world.anchor()));
        }
    }
    let bytes = worlds.each_ref().map(|world| world.manifest.len());

    println!("                          Ed25519 alone        hybrid     budget");
    for (pick, least_or_middle) in [("least", 0), ("middle", 1)] {
        let [alone, hybrid] = verified.each_ref().map(|times| shown(times)[least_or_middle]);
        println!(
            "verify a manifest, {pick:>6} {alone:>10.1} us {hybrid:>10.1} us {BUDGET_US:>7.0} us"
        );
        let [alone, hybrid] = anchored.each_ref().map(|times| shown(times)[least_or_middle]);
        println!("read a key set, {pick:>9} {alone:>10.1} us {hybrid:>10.1} us          -");
    }
    println!("bytes of the manifest     {:>12} {:>13}          -", bytes[0], bytes[1]);
}

/// A key set and a manifest that one key of each algorithm signed.
struct World {
    anchor: Vec<u8>,
    keys: KeySet,
    manifest: Vec<u8>,
}

impl World {
    fn new(algorithms: &[Algorithm]) -> Self {
        let key = |one: &Algorithm| PrivateKey::from_seed(*one, &[9; 32]);
        let own: Vec<_> = algorithms.iter().map(key).collect();
        let signers: Vec<_> = own.iter().collect();
        let set = KeySetDraft {
            account: ACCOUNT,
            epoch: 1,
            issued_at: UnixSeconds(1),
            expires: UnixSeconds(1_000_000),
            thresholds: [1; 4],
            required: [algorithms.iter().fold(0, |bits, one| bits | one.bit()); 4],
            keys: own.iter().map(|key| KeyDraft::of(key, 0b1111)).collect(),
            retired: Vec::new(),
            compromised: Vec::new(),
        };
        let anchor = set.sign(&signers).expect("it fits");
        let keys = KeySet::anchor(&anchor, ACCOUNT).expect("it was just signed");
        let manifest = ManifestDraft {
            account: ACCOUNT,
            audience: Audience::of(ACCOUNT, GROUP),
            keyset: 1,
            version: 1,
            issued_at: UnixSeconds(2),
            stale_after: 86_400,
            expires_after: 604_800,
            file_len: 100_000,
            chunk_log2: 15,
            root: Root([7; 32]),
            revoked_counter: 0,
            allow_observe: false,
            allow_drop: false,
            deltas: Vec::new(),
        };
        let manifest = manifest.sign(&signers).expect("it fits");

        Self { anchor, keys, manifest }
    }

    fn verify(&self) -> bool {
        let audience = Audience::of(ACCOUNT, GROUP);
        Manifest::verify(black_box(&self.manifest), &self.keys, audience).is_ok()
    }

    fn anchor(&self) -> bool {
        KeySet::anchor(black_box(&self.anchor), ACCOUNT).is_ok()
    }
}

/// Microseconds for one call.
fn time(call: impl FnOnce() -> bool) -> f64 {
    let start = Instant::now();
    assert!(black_box(call()));

    start.elapsed().as_secs_f64() * 1e6
}

/// The least and the middle.
fn shown(times: &[f64]) -> [f64; 2] {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);

    [times[0], times[times.len() / 2]]
}
