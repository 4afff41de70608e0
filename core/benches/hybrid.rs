//! Prints what verifying a hybrid manifest takes with the keys kept decoded, beside Ed25519 alone.
//!
//! Both run in turns in one process, so that a shared machine slows both.
//! Run: `cargo bench -p gateward-core --features hybrid --bench hybrid`.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
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
const ROUNDS: usize = 41;
const BATCH: u32 = 50;

fn main() {
    let worlds = [vec![Algorithm::Ed25519], vec![Algorithm::Ed25519, Algorithm::MlDsa65]]
        .map(|algorithms| World::new(&algorithms));
    let mut verified = worlds.each_ref().map(|_| Vec::new());
    let mut anchored = worlds.each_ref().map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (world, (verified, anchored)) in
            worlds.iter().zip(verified.iter_mut().zip(&mut anchored))
        {
            verified.push(each(|| world.verify()));
            anchored.push(each(|| world.anchor()));
        }
    }
    let [alone, hybrid] = verified.map(middle);
    let [set_alone, set_hybrid] = anchored.map(middle);
    let [small, large] = worlds.map(|world| world.manifest.len());

    println!("                        Ed25519 alone       hybrid   budget");
    println!("verify a manifest       {alone:>10.1} us {hybrid:>9.1} us {BUDGET_US:>5.0} us");
    println!("read a key set          {set_alone:>10.1} us {set_hybrid:>9.1} us        -");
    println!("bytes of the manifest   {small:>12}  {large:>11}        -");
    assert!(hybrid <= BUDGET_US, "a hybrid manifest takes longer than its budget");
}

/// A key set and a manifest that one key of each algorithm signed.
struct World {
    anchor: Vec<u8>,
    keys: KeySet,
    manifest: Vec<u8>,
}

impl World {
    fn new(algorithms: &[Algorithm]) -> Self {
        let key = |one: &Algorithm| PrivateKey::from_seed(*one, &[9; 32]).expect("it is built in");
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
fn each(mut call: impl FnMut() -> bool) -> f64 {
    let start = Instant::now();
    for _ in 0..BATCH {
        assert!(black_box(call()));
    }

    start.elapsed().as_secs_f64() * 1e6 / f64::from(BATCH)
}

fn middle(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::MAX)
}
