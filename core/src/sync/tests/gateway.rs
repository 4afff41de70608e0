//! The gateway of the simulations: the machine, a disk, and what it must never ask for.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// What a gateway says to its broker.
pub(super) enum Request {
    Subscribe(Topics),
    Unsubscribe(Topics),
}

/// Every snapshot that the control plane has signed, by version.
pub(super) type Published = BTreeMap<u64, Snapshot>;

pub(super) struct Gateway {
    pub(super) machine: Machine,
    pub(super) now: Millis,
    pub(super) in_force: u64,
    /// The delta that arrived, and is not applied.
    delta: Option<Vec<u8>>,
    /// What was written, by root.
    disk: BTreeMap<[u8; 8], BTreeMap<u32, Vec<u8>>>,
    /// The pieces of the target's list that arrived, as far as they may be good.
    pieces: BTreeSet<u32>,
}

impl Gateway {
    pub(super) fn new() -> Self {
        Self {
            machine: Machine::new(),
            now: Millis(0),
            in_force: 0,
            delta: None,
            disk: BTreeMap::new(),
            pieces: BTreeSet::new(),
        }
    }

    pub(super) fn hear(&mut self, what: GroupTopic, payload: &[u8], published: &Published) {
        self.machine.heard(what, self.now);
        match what {
            GroupTopic::Manifest => self.hear_manifest(payload, published),
            GroupTopic::Delta { from } => self.hear_delta(from, payload),
            GroupTopic::List { root, piece } => self.hear_piece(root, piece, payload, published),
            GroupTopic::Chunk { root, index }
                if self.machine.chunk(root, index, payload, self.now).is_ok() =>
            {
                self.disk.entry(root).or_default().insert(index, payload.to_vec());
                self.machine.kept(index, self.now);
            }
            GroupTopic::Chunk { .. }
            | GroupTopic::Keys
            | GroupTopic::KeysOf(_)
            | GroupTopic::Revoked
            | GroupTopic::Time => {}
        }
    }

    /// Only what the control plane signed verifies, and only what is newer is admitted.
    fn hear_manifest(&mut self, payload: &[u8], published: &Published) {
        let Some((version, along)) = payload.split_first_chunk() else { return };
        let version = u64::from_le_bytes(*version);
        let Some(snapshot) = published.get(&version).filter(|_| version > self.in_force) else {
            return;
        };
        if self.machine.aim(&snapshot.manifest, snapshot.room()).is_err() {
            return;
        }
        self.delta = None;
        self.pieces.clear();
        if self.machine.by_delta(self.in_force) && !along.is_empty() {
            self.hear_delta(self.in_force, along);
        }
    }

    fn hear_delta(&mut self, from: u64, payload: &[u8]) {
        if self.machine.delta(from, payload, self.now).is_ok() {
            self.delta = Some(payload.to_vec());
        }
    }

    fn hear_piece(&mut self, root: [u8; 8], piece: u32, payload: &[u8], published: &Published) {
        let Some(version) = self.machine.target().map(|target| target.version().number) else {
            return;
        };
        let whole = published[&version].piece(piece).map(<[u8]>::len) == Some(payload.len());
        match self.machine.piece(root, piece, payload, self.now) {
            Ok(()) => drop(self.pieces.insert(piece)),
            Err(Dropped::Altered) if whole => self.pieces.clear(),
            Err(_) => {}
        }
    }

    /// Does all that the machine says; returns what it says to the broker.
    pub(super) fn act(&mut self, published: &Published) -> Vec<Request> {
        let mut requests = Vec::new();
        let mut outputs = 0;
        while let Some(output) = self.machine.poll(self.now) {
            outputs += 1;
            assert!(outputs < 100, "the machine does not come to rest: {output:?}");
            match output {
                Output::Begin => {
                    let root = self.machine.target().unwrap().root().short();
                    let kept: Vec<u32> =
                        self.disk.entry(root).or_default().keys().copied().collect();
                    self.machine.begun(kept.into_iter(), self.now);
                }
                Output::Check => self.check(),
                Output::Patch => self.patch(published),
                Output::Subscribe(topics) => {
                    topics.iter().for_each(|what| self.lacks(*what));
                    requests.push(Request::Subscribe(topics));
                }
                Output::Unsubscribe(topics) => requests.push(Request::Unsubscribe(topics)),
            }
        }

        requests
    }

    fn lacks(&self, what: GroupTopic) {
        let has = match what {
            GroupTopic::Chunk { root, index } => {
                self.disk.get(&root).is_some_and(|chunks| chunks.contains_key(&index))
            }
            GroupTopic::Delta { .. } => self.delta.is_some(),
            GroupTopic::List { piece, .. } => self.pieces.contains(&piece),
            GroupTopic::Keys
            | GroupTopic::KeysOf(_)
            | GroupTopic::Manifest
            | GroupTopic::Revoked
            | GroupTopic::Time => false,
        };
        assert!(!has, "asked for {what}, which it has");
    }

    fn check(&mut self) {
        let target = self.machine.target().unwrap();
        let bytes: Vec<u8> =
            self.disk[&target.root().short()].values().flatten().copied().collect();
        assert_eq!(chunk::root_of(&bytes, target.chunk_log2()), Some(target.root()), "a mix");
        assert!(target.version().number > self.in_force, "an older one");
        self.in_force = target.version().number;
        self.machine.settled(Settled::InForce, self.now);
    }

    /// Some deltas lead elsewhere, and for some there is no room at first.
    fn patch(&mut self, published: &Published) {
        let target = self.machine.target().unwrap();
        let (version, root) = (target.version().number, target.root().short());
        assert_eq!(self.delta.as_deref(), Some(&delta(version)[..]));
        assert_eq!(self.in_force, version - 1, "a delta on another base");
        match version % 5 {
            2 if self.now.0.is_multiple_of(2) => {
                self.machine.not_now(self.now.plus(1));
                return;
            }
            3 => self.machine.not_patched(),
            4 => assert!(self.machine.patched(&[7; 32], self.now).is_err()),
            _ => {
                let snapshot = &published[&version];
                let chunks = (0..).zip(snapshot.file.chunks(CHUNK).map(<[u8]>::to_vec));
                self.disk.insert(root, chunks.collect());
                self.machine.patched(&snapshot.list, self.now).unwrap();
            }
        }
        self.delta = None;
    }
}
