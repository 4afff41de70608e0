//! The machine alone, and the machine against a broker that misbehaves for a while.

extern crate std;

use std::vec::Vec;

use sha2::{Digest as _, Sha256};

use super::*;
use crate::name::Uuid;
use crate::snapshot::chunk;
use crate::time::UnixSeconds;
use crate::trust::sign::{KeyDraft, KeySetDraft, ManifestDraft};
use crate::trust::{Audience, DeltaRef, KeySet, SigningKey};

mod aim;
mod announced;
mod delta;
mod fetch;
mod gateway;
mod lossy;
mod mischief;
mod world;

type Machine = CatchUp<Vec<u8>>;

const CHUNK: usize = 4096;

const ANNOUNCEMENTS: [GroupTopic; 4] =
    [GroupTopic::Keys, GroupTopic::Revoked, GroupTopic::Manifest, GroupTopic::Time];

struct Snapshot {
    version: u64,
    manifest: Manifest,
    file: Vec<u8>,
    list: Vec<u8>,
}

impl Snapshot {
    fn new(version: u64, len: usize) -> Self {
        let seed = usize::try_from(version).unwrap();
        let mut file = std::vec![0; len.max(80)];
        for (sevens, piece) in file.chunks_mut(7).enumerate() {
            piece.fill(u8::try_from((sevens + seed) % 256).unwrap());
        }
        let manifest = manifest(version, &file);
        let leaves = (0..).zip(file.chunks(CHUNK)).map(|(index, bytes)| chunk::leaf(index, bytes));

        Self { version, manifest, list: leaves.flatten().collect(), file }
    }

    fn root(&self) -> [u8; 8] {
        self.manifest.root().short()
    }

    /// The delta from the version before.
    fn delta(&self) -> Vec<u8> {
        delta(self.version)
    }

    fn room(&self) -> Vec<u8> {
        std::vec![0; self.list.len()]
    }

    fn chunk(&self, index: u32) -> &[u8] {
        self.file.chunks(CHUNK).nth(index as usize).unwrap()
    }

    /// The hash list as it travels: no piece is longer than a chunk.
    fn pieces(&self) -> impl Iterator<Item = (u32, &[u8])> {
        (0..).zip(self.list.chunks(CHUNK))
    }

    fn piece(&self, piece: u32) -> Option<&[u8]> {
        self.list.chunks(CHUNK).nth(piece as usize)
    }
}

/// How often to repeat what is repeated `usual` times in every run: ten times as often in a soak.
fn cases(usual: u32) -> u32 {
    let named = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let soak = std::env::var_os("GATEWARD_SOAK").is_some();

    named.unwrap_or(if soak { 10 * usual } else { usual })
}

fn delta(version: u64) -> Vec<u8> {
    std::format!("the delta to version {version}").into_bytes()
}

/// A manifest that one key of everything signed, with a delta from the version before.
fn manifest(version: u64, file: &[u8]) -> Manifest {
    let account = Uuid([1; 16]);
    let audience = Audience::of(account, "plant-7");
    let signer = SigningKey::from_bytes(&[7; 32]);
    let keys = KeySetDraft {
        account,
        epoch: 1,
        issued_at: UnixSeconds(1),
        expires: UnixSeconds(1_000_000),
        thresholds: [1; 4],
        required: [1; 4],
        keys: std::vec![KeyDraft::of(&signer, 0b1111)],
        retired: Vec::new(),
        compromised: Vec::new(),
    };
    let keys = KeySet::anchor(&keys.sign(&[&signer]).unwrap(), account).unwrap();
    let delta = delta(version);
    let delta = DeltaRef {
        from: version - 1,
        len: u32::try_from(delta.len()).unwrap(),
        sha256: Sha256::digest(&delta).into(),
    };
    let draft = ManifestDraft {
        account,
        audience,
        keyset: 1,
        version,
        issued_at: UnixSeconds(version),
        stale_after: 600,
        expires_after: 6_000,
        file_len: u32::try_from(file.len()).unwrap(),
        chunk_log2: 12,
        root: chunk::root_of(file, 12).unwrap(),
        revoked_counter: 0,
        allow_observe: false,
        allow_drop: false,
        deltas: std::vec![delta],
    };

    Manifest::verify(&draft.sign(&[&signer]).unwrap(), &keys, audience).unwrap()
}

fn connected() -> Machine {
    let mut machine = Machine::new();
    machine.link_up(Millis(0));
    machine
}

/// A machine that has the hash list and no chunk, with its subscriptions made.
fn fetching(snapshot: &Snapshot) -> Machine {
    let mut machine = connected();
    machine.aim(&snapshot.manifest, snapshot.room()).unwrap();
    machine.piece(snapshot.root(), 0, &snapshot.list, Millis(0)).unwrap();
    assert_eq!(machine.poll(Millis(0)), Some(Output::Begin));
    machine.begun(core::iter::empty(), Millis(0));
    while machine.poll(Millis(0)).is_some() {}
    machine
}

fn subscribed(machine: &mut Machine) -> Vec<GroupTopic> {
    match machine.poll(Millis(2)) {
        Some(Output::Subscribe(topics)) => topics.to_vec(),
        other => panic!("{other:?}"),
    }
}

/// Every topic that is subscribed until the machine rests.
fn asked(machine: &mut Machine, now: Millis) -> Vec<GroupTopic> {
    let mut asked = Vec::new();
    while let Some(output) = machine.poll(now) {
        if let Output::Subscribe(topics) = output {
            asked.extend(topics);
        }
    }

    asked
}

fn unsubscribe(topics: &[GroupTopic]) -> Option<Output> {
    Some(Output::Unsubscribe(Topics::from_slice(topics).unwrap()))
}
