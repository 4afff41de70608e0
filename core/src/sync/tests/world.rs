//! One gateway and one broker, in simulated time: nothing is delivered, lost or waited for unless a
//! test says so.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

pub(super) struct World {
    machine: Machine,
    now: Millis,
    pub(super) chunks: usize,
    pub(super) newest: Snapshot,
    pub(super) in_force: u64,
    pub(super) online: bool,
    pub(super) retained: BTreeMap<std::string::String, (GroupTopic, Vec<u8>)>,
    pub(super) subscribed: Vec<GroupTopic>,
    pub(super) on_the_way: Vec<(GroupTopic, Vec<u8>)>,
    /// The delta that arrived.
    delta: Vec<u8>,
    /// What the gateway wrote, by root: its disk.
    disk: BTreeMap<[u8; 8], BTreeMap<u32, Vec<u8>>>,
    lists: BTreeSet<[u8; 8]>,
}

impl World {
    pub(super) fn new(chunks: usize) -> Self {
        let newest = Snapshot::new(1, chunks * CHUNK - 1);
        let mut world = Self {
            machine: Machine::new(),
            now: Millis(0),
            chunks,
            newest,
            in_force: 0,
            online: false,
            retained: BTreeMap::new(),
            subscribed: Vec::new(),
            on_the_way: Vec::new(),
            delta: Vec::new(),
            disk: BTreeMap::new(),
            lists: BTreeSet::new(),
        };
        world.retain();
        world
    }

    pub(super) fn snapshot(version: u64, chunks: usize) -> Snapshot {
        Snapshot::new(version, chunks * CHUNK - usize::try_from(version).unwrap())
    }

    pub(super) fn retain(&mut self) {
        let root = self.newest.root();
        let mut put = |what: GroupTopic, bytes: &[u8]| {
            self.retained.insert(std::format!("{what}"), (what, bytes.to_vec()));
        };
        // The machine is handed the manifest itself; only its version travels here.
        let (version, delta) = (self.newest.version, self.newest.delta());
        let mut message = version.to_le_bytes().to_vec();
        if version.is_multiple_of(2) {
            message.extend(delta);
        } else {
            put(GroupTopic::Delta { from: version - 1 }, &delta);
        }
        put(GroupTopic::Manifest, &message);
        put(GroupTopic::Keys, b"the key set that is held");
        put(GroupTopic::List { root, piece: 0 }, &self.newest.list);
        for index in 0..u32::try_from(self.chunks).unwrap() {
            put(GroupTopic::Chunk { root, index }, self.newest.chunk(index));
        }
    }

    pub(super) fn choose(&mut self, pick: usize) -> Option<&mut (GroupTopic, Vec<u8>)> {
        let len = self.on_the_way.len();
        self.on_the_way.get_mut(pick % len.max(1))
    }

    pub(super) fn lose(&mut self, pick: usize) -> Option<(GroupTopic, Vec<u8>)> {
        let len = self.on_the_way.len();
        (len > 0).then(|| self.on_the_way.remove(pick % len))
    }

    pub(super) fn cut(&mut self) {
        self.online = false;
        self.subscribed.clear();
        self.on_the_way.clear();
        self.machine.link_down();
    }

    pub(super) fn connect(&mut self) {
        if !self.online {
            self.online = true;
            self.machine.link_up(self.now);
        }
    }

    pub(super) fn wait(&mut self) {
        if let Some(until) = self.machine.timeout() {
            self.now = self.now.max(until);
        }
    }

    pub(super) fn deliver(&mut self, what: GroupTopic, payload: &[u8]) {
        self.machine.heard(what, self.now);
        match what {
            GroupTopic::Manifest => {
                // An altered manifest does not verify; an old one is not admitted.
                let (version, along) = payload.split_first_chunk().unwrap();
                let version = u64::from_le_bytes(*version);
                if version == self.newest.version && version > self.in_force {
                    let room = self.newest.room();
                    let aimed = self.machine.aim(&self.newest.manifest, room, self.now);
                    if aimed.is_ok()
                        && self.machine.by_delta(self.in_force, self.now)
                        && !along.is_empty()
                    {
                        self.hear_delta(self.in_force, along);
                    }
                }
            }
            GroupTopic::Delta { from } => self.hear_delta(from, payload),
            GroupTopic::List { root, piece } => {
                let _ = self.machine.piece(root, piece, payload, self.now);
            }
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

    fn hear_delta(&mut self, from: u64, payload: &[u8]) {
        if self.machine.delta(from, payload, self.now).is_ok() {
            self.delta = payload.to_vec();
        }
    }

    /// Some deltas lead elsewhere, and for some there is no room at first.
    fn patch(&mut self) {
        let target = self.machine.target().unwrap();
        let (version, root) = (target.version().number, target.root().short());
        assert_eq!(self.delta, delta(version));
        assert_eq!(self.in_force, version - 1, "a delta on another base");
        match version % 5 {
            3 => self.machine.not_patched(self.now),
            4 => assert!(self.machine.patched(&[7; 32], self.now).is_err()),
            2 if self.now.0.is_multiple_of(2) => self.machine.not_now(self.now.plus(1)),
            _ => {
                // The newest may be newer than the target.
                let one = Self::snapshot(version, self.chunks);
                let chunks = (0..).zip(one.file.chunks(CHUNK).map(<[u8]>::to_vec));
                self.disk.insert(root, chunks.collect());
                self.machine.patched(&one.list, self.now).unwrap();
            }
        }
    }

    pub(super) fn act(&mut self) {
        let mut outputs = 0;
        while let Some(output) = self.machine.poll(self.now) {
            outputs += 1;
            assert!(outputs < 100, "the machine does not come to rest: {output:?}");
            match output {
                Output::Begin => {
                    let root = self.machine.target().unwrap().root().short();
                    self.lists.insert(root);
                    let kept: Vec<u32> =
                        self.disk.entry(root).or_default().keys().copied().collect();
                    self.machine.begun(kept.into_iter(), self.now);
                }
                Output::Check => self.check(),
                Output::Patch => self.patch(),
                Output::Subscribe(topics) => self.subscribe(&topics),
                Output::Unsubscribe(topics) => {
                    self.subscribed.retain(|what| !topics.contains(what))
                }
            }
        }
    }

    fn check(&mut self) {
        let target = self.machine.target().unwrap();
        let bytes: Vec<u8> =
            self.disk[&target.root().short()].values().flatten().copied().collect();
        assert_eq!(chunk::root_of(&bytes, target.chunk_log2()), Some(target.root()));
        self.in_force = target.version().number;
        self.machine.settled(Settled::InForce, self.now);
    }

    fn subscribe(&mut self, topics: &Topics) {
        assert!(self.online);
        for what in topics {
            if let GroupTopic::Chunk { root, index } = what {
                let kept = self.disk.get(root).is_some_and(|chunks| chunks.contains_key(index));
                assert!(!kept, "asked for chunk {index}, which it has");
            }
            if !self.subscribed.contains(what) {
                self.subscribed.push(*what);
            }
            self.on_the_way.extend(self.retained.get(&std::format!("{what}")).cloned());
        }
        let open = self.subscribed.iter().filter(|what| !is_control(**what)).count();
        assert!(open <= WINDOW, "{open} subscriptions at a time");
    }
}

pub(super) fn is_control(what: GroupTopic) -> bool {
    !matches!(what, GroupTopic::Chunk { .. } | GroupTopic::Delta { .. } | GroupTopic::List { .. })
}
