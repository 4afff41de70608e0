//! From bytes in memory to a snapshot that may be decided with: the signature of the manifest, the
//! hashes of the file, its shape.

use gateward_core::snapshot::{self, chunk};
use gateward_core::trust::sign::{KeyDraft, KeySetDraft, ManifestDraft};
use gateward_core::trust::{Audience, KeySet, Manifest, Role, SigningKey};

use crate::allocations;
use crate::measure::{middle, once};
use crate::table::Table;
use crate::workload::{NOW, World};

/// As the control plane publishes.
const CHUNK_LOG2: u8 = 15;
const GROUP: &str = "plant-7";
const ROUNDS: usize = 9;

pub fn print(table: &mut Table, name: &str, world: &World, file: &[u8], budget: f64) {
    let audience = Audience::of(world.contents.account, GROUP);
    let (keys, envelope) = signed(world, file);
    let (mut whole, mut root, mut shape, mut allocated) = (vec![], vec![], vec![], 0);
    for _ in 0..ROUNDS {
        let (count, (seconds, opened)) = allocations::during(|| {
            once(|| {
                let manifest = Manifest::verify(&envelope, &keys, audience);
                snapshot::open(file, manifest.expect("it was just signed")).is_ok()
            })
        });
        assert!(opened, "it was just compiled");
        allocated += count;
        whole.push(seconds * 1e3);
        root.push(once(|| chunk::root_of(file, CHUNK_LOG2)).0 * 1e3);
        shape.push(once(|| snapshot::unsigned(file).is_ok()).0 * 1e3);
    }

    let what = format!("open, verify and validate {name} tokens");
    table.timed(&what, middle(whole), "ms", budget);
    table.show("  of which the hashes of the file", middle(root), "ms");
    table.show("  of which its shape", middle(shape), "ms");
    table.exact("  allocations", allocated as f64, "", 0.0);
}

/// Returns a key set, and a manifest for `file` that it verifies.
fn signed(world: &World, file: &[u8]) -> (KeySet, Vec<u8>) {
    let account = world.contents.account;
    let (root, key) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
    let draft = |key: &SigningKey, role: Role| KeyDraft::of(key, role.bit());
    let set = KeySetDraft {
        account,
        epoch: 1,
        issued_at: NOW,
        expires: NOW.plus(365 * 86_400),
        thresholds: [1; 4],
        required: [1; 4],
        keys: vec![draft(&root, Role::Root), draft(&key, Role::Snapshot)],
        retired: vec![],
        compromised: vec![],
    };
    let set = set.sign(&[&root]).expect("one signature fits");
    let manifest = ManifestDraft::of(account, Audience::of(account, GROUP), NOW, file, CHUNK_LOG2)
        .expect("a snapshot is not that long");

    let keys = KeySet::anchor(&set, account).expect("it was just signed");
    (keys, manifest.sign(&[&key]).expect("one signature fits"))
}
