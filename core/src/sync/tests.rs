//! The machine alone, and the machine against a broker that misbehaves for a while.

extern crate std;

use std::collections::{BTreeMap, BTreeSet};
use std::vec::Vec;

use proptest::prelude::*;

use sha2::{Digest as _, Sha256};

use super::*;
use crate::name::Uuid;
use crate::snapshot::chunk;
use crate::time::UnixSeconds;
use crate::trust::sign::{KeyDraft, KeySetDraft, ManifestDraft};
use crate::trust::{Audience, DeltaRef, KeySet, SigningKey};

mod delta;

type Machine = CatchUp<Vec<u8>>;

const CHUNK: usize = 4096;

const ANNOUNCEMENTS: [GroupTopic; 4] =
    [GroupTopic::Keys, GroupTopic::Revoked, GroupTopic::Manifest, GroupTopic::Time];

#[test]
fn a_first_snapshot_is_listed_fetched_and_checked() {
    let snapshot = Snapshot::new(1, 3 * CHUNK - 7);
    let mut machine = connected();
    let control = subscribed(&mut machine);
    assert_eq!(control, ANNOUNCEMENTS);

    machine.aim(&snapshot.manifest, snapshot.room(), Millis(0)).unwrap();
    let root = snapshot.root();
    assert_eq!(subscribed(&mut machine), [GroupTopic::List { root, piece: 0 }]);

    machine.piece(root, 0, &snapshot.list, Millis(1)).unwrap();
    assert_eq!(machine.poll(Millis(1)), Some(Output::Begin));
    assert_eq!(machine.poll(Millis(1)), unsubscribe(&[GroupTopic::List { root, piece: 0 }]));
    machine.begun([1].into_iter(), Millis(1));
    let wanted = [0, 2].map(|index| GroupTopic::Chunk { root, index });
    assert_eq!(subscribed(&mut machine), wanted);

    for index in [2, 0] {
        machine.chunk(root, index, snapshot.chunk(index), Millis(2)).unwrap();
        machine.kept(index, Millis(2));
    }
    assert_eq!(machine.poll(Millis(2)), Some(Output::Check));
    assert_eq!(machine.poll(Millis(2)), unsubscribe(&wanted));
    machine.settled(Settled::InForce, Millis(2));
    assert_eq!(machine.poll(Millis(2)), None);
    assert!(machine.target().is_none());
}

#[test]
fn h18_an_older_manifest_that_arrives_late_changes_nothing() {
    let (older, newer) = (Snapshot::new(1, 10), Snapshot::new(2, 20));
    let mut machine = connected();
    machine.aim(&newer.manifest, newer.room(), Millis(0)).unwrap();

    assert_eq!(machine.aim(&older.manifest, older.room(), Millis(0)), Err(Dropped::Older));
    assert_eq!(machine.aim(&newer.manifest, newer.room(), Millis(0)), Err(Dropped::Known));
    assert_eq!(machine.target().unwrap().version(), newer.manifest.version());
}

#[test]
fn h7_another_root_under_the_version_being_fetched_is_a_fork() {
    let (one, other) = (Snapshot::new(1, CHUNK), Snapshot::new(1, CHUNK + 1));
    let mut machine = connected();
    machine.aim(&one.manifest, one.room(), Millis(0)).unwrap();

    assert_eq!(machine.aim(&other.manifest, other.room(), Millis(0)), Err(Dropped::Fork));
}

#[test]
fn a_chunk_that_was_altered_moved_or_repeated_is_not_kept() {
    let snapshot = Snapshot::new(1, 3 * CHUNK);
    let root = snapshot.root();
    let mut machine = fetching(&snapshot);
    let mut altered = snapshot.chunk(0).to_vec();
    altered[7] ^= 1;

    let mut offer = |index, bytes: &[u8]| machine.chunk(root, index, bytes, Millis(0));
    assert_eq!(offer(0, &altered), Err(Dropped::Altered));
    assert_eq!(offer(0, snapshot.chunk(1)), Err(Dropped::Altered));
    assert_eq!(offer(0, &snapshot.chunk(0)[1..]), Err(Dropped::Altered));
    assert_eq!(offer(3, snapshot.chunk(0)), Err(Dropped::NotAskedFor));
    machine.chunk(root, 0, snapshot.chunk(0), Millis(0)).unwrap();
    machine.kept(0, Millis(0));
    assert_eq!(machine.chunk(root, 0, snapshot.chunk(0), Millis(0)), Err(Dropped::Known));
    assert_eq!(machine.chunk([9; 8], 1, snapshot.chunk(1), Millis(0)), Err(Dropped::NotAskedFor));
}

#[test]
fn a_list_that_its_root_does_not_cover_is_asked_for_again() {
    let snapshot = Snapshot::new(1, 3 * CHUNK);
    let root = snapshot.root();
    let mut machine = connected();
    machine.aim(&snapshot.manifest, snapshot.room(), Millis(0)).unwrap();
    assert!(!subscribed(&mut machine).is_empty());
    let mut wrong = snapshot.list.clone();
    wrong[40] ^= 1;

    assert_eq!(machine.piece(root, 0, &wrong, Millis(0)), Err(Dropped::Altered));
    assert_eq!(machine.piece(root, 0, &wrong[1..], Millis(0)), Err(Dropped::Altered));
    assert_eq!(machine.piece(root, 1, &wrong, Millis(0)), Err(Dropped::NotAskedFor));
    let later = machine.timeout().unwrap();
    let mut again = Vec::new();
    while let Some(output) = machine.poll(later) {
        if let Output::Subscribe(topics) = output {
            again.extend(topics);
        }
    }
    assert!(again.contains(&GroupTopic::List { root, piece: 0 }), "{again:?}");
    machine.piece(root, 0, &snapshot.list, later).unwrap();
    assert_eq!(machine.poll(later), Some(Output::Begin));
}

#[test]
fn a_lost_link_loses_nothing_that_arrived() {
    let snapshot = Snapshot::new(1, 3 * CHUNK);
    let root = snapshot.root();
    let mut machine = fetching(&snapshot);
    machine.chunk(root, 1, snapshot.chunk(1), Millis(0)).unwrap();
    machine.kept(1, Millis(0));

    machine.link_down();
    assert_eq!(machine.poll(Millis(1)), None);
    assert_eq!(machine.timeout(), None);
    machine.link_up(Millis(2));

    let wanted = [0, 2].map(|index| GroupTopic::Chunk { root, index });
    assert_eq!(subscribed(&mut machine), ANNOUNCEMENTS);
    assert_eq!(subscribed(&mut machine), wanted);
    assert_eq!(machine.poll(Millis(2)), None);
}

#[test]
fn h11_a_full_disk_is_tried_again_later_and_only_then() {
    let snapshot = Snapshot::new(1, CHUNK);
    let mut machine = connected();
    while machine.poll(Millis(0)).is_some() {}
    machine.aim(&snapshot.manifest, snapshot.room(), Millis(0)).unwrap();
    machine.piece(snapshot.root(), 0, &snapshot.list, Millis(0)).unwrap();
    assert_eq!(machine.poll(Millis(0)), Some(Output::Begin));

    machine.not_now(Millis(0));

    assert_eq!(machine.poll(Millis(1)), None);
    let again = Millis(STORE_PAUSE_MS);
    assert_eq!(machine.poll(again), Some(Output::Begin));
}

#[test]
fn a_snapshot_that_was_refused_is_not_fetched_again_until_there_is_another() {
    let (bad, good) = (Snapshot::new(1, CHUNK), Snapshot::new(2, CHUNK));
    let mut machine = fetching(&bad);
    machine.chunk(bad.root(), 0, bad.chunk(0), Millis(0)).unwrap();
    machine.kept(0, Millis(0));
    assert_eq!(machine.poll(Millis(0)), Some(Output::Check));
    machine.settled(Settled::Refused, Millis(0));

    let again = machine.aim(&bad.manifest, bad.room(), Millis(1));
    assert_eq!(again, Err(Dropped::RefusedBefore));
    assert_eq!(machine.aim(&good.manifest, good.room(), Millis(1)), Ok(()));
}

#[test]
fn key_sets_are_walked_one_by_one_and_then_the_manifest_is_asked_for_again() {
    let mut machine = connected();
    while machine.poll(Millis(0)).is_some() {}

    machine.keys_behind(3, 5, Millis(1));
    assert_eq!(subscribed(&mut machine), [GroupTopic::KeysOf(4)]);
    machine.keys_held(4, Millis(2));
    assert!(subscribed(&mut machine).contains(&GroupTopic::KeysOf(5)));
    machine.keys_held(5, Millis(3));
    assert_eq!(subscribed(&mut machine), ANNOUNCEMENTS[1..]);
    assert_eq!(machine.poll(Millis(3)), None);
}

#[test]
fn a_snapshot_whose_list_does_not_fit_the_room_given_is_refused_at_once() {
    let snapshot = Snapshot::new(1, CHUNK);
    let mut machine = connected();

    let room = Vec::new();
    let dropped = machine.aim(&snapshot.manifest, room, Millis(0));
    assert!(matches!(dropped, Err(Dropped::TooManyChunks { .. })), "{dropped:?}");
}

#[test]
fn a_list_in_several_pieces_arrives_in_any_order() {
    let snapshot = Snapshot::new(1, 2_050 * CHUNK);
    let root = snapshot.root();
    let mut machine = connected();
    machine.aim(&snapshot.manifest, snapshot.room(), Millis(0)).unwrap();

    let pieces: Vec<_> = snapshot.list.chunks(1024 * 32).collect();
    assert_eq!(pieces.len(), 3);
    for piece in [2, 0, 1] {
        machine.piece(root, piece, pieces[piece as usize], Millis(0)).unwrap();
    }
    assert_eq!(machine.poll(Millis(0)), Some(Output::Begin));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Loss, duplication, reordering, alteration, publishing and lost links, in any order; then
    /// peace.
    #[test]
    fn once_the_broker_behaves_the_newest_snapshot_is_in_force(
        chunks in 1..40_usize,
        mischief in proptest::collection::vec((0..12_u8, any::<u8>()), 0..200),
    ) {
        let mut world = World::new(chunks);
        for (kind, pick) in mischief {
            world.misbehave(kind, pick);
        }
        world.settle();
    }
}

/// One gateway and one broker, in simulated time.
struct World {
    machine: Machine,
    now: Millis,
    chunks: usize,
    newest: Snapshot,
    in_force: u64,
    online: bool,
    retained: BTreeMap<std::string::String, (GroupTopic, Vec<u8>)>,
    subscribed: Vec<GroupTopic>,
    on_the_way: Vec<(GroupTopic, Vec<u8>)>,
    /// The delta that arrived.
    delta: Vec<u8>,
    /// What the gateway wrote, by root: its disk.
    disk: BTreeMap<[u8; 8], BTreeMap<u32, Vec<u8>>>,
    lists: BTreeSet<[u8; 8]>,
}

impl World {
    fn new(chunks: usize) -> Self {
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

    fn snapshot(version: u64, chunks: usize) -> Snapshot {
        Snapshot::new(version, chunks * CHUNK - usize::try_from(version).unwrap())
    }

    fn misbehave(&mut self, kind: u8, pick: u8) {
        let pick = usize::from(pick);
        match kind {
            0 if self.online => self.cut(),
            1 | 2 => self.connect(),
            3 => {
                self.lose(pick);
            }
            4 => {
                if let Some(message) = self.choose(pick).cloned() {
                    self.on_the_way.push(message);
                }
            }
            5 => {
                if let Some((_, payload)) = self.choose(pick)
                    && let Some(byte) = payload.get_mut(pick)
                {
                    *byte ^= 1;
                }
            }
            6 => {
                let version = self.newest.version + 1;
                self.newest = Self::snapshot(version, self.chunks);
                self.retain();
                let manifest = self.retained["manifest"].clone();
                if self.subscribed.contains(&GroupTopic::Manifest) {
                    self.on_the_way.push(manifest);
                }
            }
            7 => self.wait(),
            _ => {
                if let Some((what, payload)) = self.lose(pick) {
                    self.deliver(what, &payload);
                }
            }
        }
        self.act();
    }

    /// From here on every message arrives, once and in order.
    fn settle(&mut self) {
        self.on_the_way.clear();
        self.connect();
        self.act();
        let mut messages = 0;
        let mut waits = 0;
        while self.in_force != self.newest.version {
            if self.on_the_way.is_empty() {
                self.wait();
                waits += 1;
            } else {
                let (what, payload) = self.on_the_way.remove(0);
                self.deliver(what, &payload);
                messages += 1;
            }
            self.act();
            assert!(messages <= 2 * self.chunks + 64, "{messages} messages");
            assert!(waits <= 12, "{waits} waits");
        }
        while !self.on_the_way.is_empty() {
            let (what, payload) = self.on_the_way.remove(0);
            self.deliver(what, &payload);
            self.act();
        }
        let rest: Vec<_> = self.subscribed.iter().filter(|what| !is_control(**what)).collect();
        assert!(rest.is_empty(), "still subscribed: {rest:?}");
    }

    fn retain(&mut self) {
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

    fn choose(&mut self, pick: usize) -> Option<&mut (GroupTopic, Vec<u8>)> {
        let len = self.on_the_way.len();
        self.on_the_way.get_mut(pick % len.max(1))
    }

    fn lose(&mut self, pick: usize) -> Option<(GroupTopic, Vec<u8>)> {
        let len = self.on_the_way.len();
        (len > 0).then(|| self.on_the_way.remove(pick % len))
    }

    fn cut(&mut self) {
        self.online = false;
        self.subscribed.clear();
        self.on_the_way.clear();
        self.machine.link_down();
    }

    fn connect(&mut self) {
        if !self.online {
            self.online = true;
            self.machine.link_up(self.now);
        }
    }

    fn wait(&mut self) {
        if let Some(until) = self.machine.timeout() {
            self.now = self.now.max(until);
        }
    }

    fn deliver(&mut self, what: GroupTopic, payload: &[u8]) {
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

    fn act(&mut self) {
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

fn is_control(what: GroupTopic) -> bool {
    !matches!(what, GroupTopic::Chunk { .. } | GroupTopic::Delta { .. } | GroupTopic::List { .. })
}

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
    machine.aim(&snapshot.manifest, snapshot.room(), Millis(0)).unwrap();
    machine.piece(snapshot.root(), 0, &snapshot.list, Millis(0)).unwrap();
    assert_eq!(machine.poll(Millis(0)), Some(Output::Begin));
    machine.begun(core::iter::empty(), Millis(0));
    while machine.poll(Millis(0)).is_some() {}
    machine
}

#[test]
fn a_list_or_a_beacon_that_may_not_exist_is_looked_for_now_and_then_and_a_missing_list_until_it_is_here()
 {
    let mut machine = Machine::new();
    machine.link_up(Millis(0));
    assert_eq!(subscribed(&mut machine), ANNOUNCEMENTS);
    let minute = 60_000;
    let answer = |machine: &mut Machine, minutes| {
        for topic in [GroupTopic::Keys, GroupTopic::Manifest] {
            machine.heard(topic, Millis(minutes * minute));
        }
    };
    answer(&mut machine, 0);
    let asks = |machine: &mut Machine, minutes| match machine.poll(Millis(minutes * minute)) {
        Some(Output::Subscribe(topics)) => topics.to_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!(machine.poll(Millis(14 * minute)), None);
    assert_eq!(asks(&mut machine, 16), ANNOUNCEMENTS);
    answer(&mut machine, 16);

    machine.list_missed(Millis(17 * minute));
    assert_eq!(asks(&mut machine, 17), [GroupTopic::Revoked]);
    assert_eq!(asks(&mut machine, 18), [GroupTopic::Revoked], "nobody answered");
    machine.list_missed(Millis(18 * minute));
    machine.heard(GroupTopic::Revoked, Millis(18 * minute));
    assert_eq!(machine.poll(Millis(19 * minute)), None);
}

fn subscribed(machine: &mut Machine) -> Vec<GroupTopic> {
    match machine.poll(Millis(2)) {
        Some(Output::Subscribe(topics)) => topics.to_vec(),
        other => panic!("{other:?}"),
    }
}

fn unsubscribe(topics: &[GroupTopic]) -> Option<Output> {
    Some(Output::Unsubscribe(Topics::from_slice(topics).unwrap()))
}
