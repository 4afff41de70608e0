//! Somebody has one of the keys, or nobody has: what he gets, and how he is locked out.
//!
//! A thief has the key and the broker, and uses neither our commands nor our folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use gateward_control::enroll::Enrolled;
use gateward_control::keys::{Chain, list, signing_key};
use gateward_core::audit::Head;
use gateward_core::name::unhex;
use gateward_core::snapshot::chunk;
use gateward_core::time::UnixSeconds;
use gateward_core::topic::{GatewayTopic, GatewayTopics, GroupTopic, GroupTopics};
use gateward_core::trust::sign::{self, BeaconDraft, ManifestDraft, PrivateKey, ReceiptDraft};
use gateward_core::trust::{Audience, KeyId, Role};
use gateward_tests::{Deck, Gateway, built, run, until};
use serde_json::{Value, json};

/// What `ana.ruiz` may not do until a thief publishes that she may.
const WIDER: &str = "view_app_health";

/// A gateway that works, and a token.
struct Drill {
    deck: Deck,
    gateway: Gateway,
    ana: String,
}

impl Drill {
    fn new() -> Self {
        let deck = Deck::new();
        let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
        let version = deck.publish();
        let mut gateway = deck.gateway("edge-7a");
        gateway.start_ready();
        gateway.reaches(version);
        let drill = Self { deck, gateway, ana };
        drill.is_well();

        drill
    }

    /// It decides as the policy says.
    fn is_well(&self) {
        assert_eq!(self.gateway.allows(&self.ana, "manage_device"), Some(true));
        assert_eq!(self.gateway.allows(&self.ana, WIDER), Some(false));
    }

    /// It refuses everything, because it has nothing to decide with.
    fn denies(&self) {
        let question = json!({ "token": self.ana, "permission": "manage_device" });
        let answer = self.gateway.authorize(&question);
        assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("no_snapshot")));
    }

    fn restart(&mut self) {
        assert!(self.gateway.stop().success());
        self.gateway.start();
    }

    /// With the cable out and restarted it is as before.
    fn survives_alone(&mut self) {
        assert!(self.gateway.stop().success());
        self.deck.broker.stop();
        self.gateway.start_ready();
        self.is_well();
        self.deck.broker.restart();
    }

    fn rotate(&self, args: &[&str]) -> String {
        self.deck.control("keys rotate", args).ok()
    }

    fn topic(&self, what: GroupTopic) -> String {
        let topics = GroupTopics::new(self.deck.account(), "plant-7").expect("a good name");

        topics.topic(what).to_string()
    }

    /// Publishes the newest key set, and not yet what is signed under it.
    fn announce_keys(&self) {
        let chain = Chain::load(&self.deck.dir(), self.deck.account()).expect("good key sets");
        let admin = self.deck.admin();
        for (set, envelope) in chain.sets().iter().zip(chain.envelopes()) {
            admin.plant(&self.topic(GroupTopic::KeysOf(set.epoch())), envelope);
        }
        admin.plant(&self.topic(GroupTopic::Keys), chain.anchor());
    }

    /// Waits until it holds the key set of this epoch.
    fn holds_keys(&self, epoch: u32) {
        let resource = format!("epoch {epoch}");
        until("the event of a key set", || {
            self.events("key_set_accepted").contains(&resource).then_some(())
        });
    }

    /// What these events in the audit are about, oldest first.
    fn events(&self, action: &str) -> Vec<String> {
        let tail = self.gateway.cli(&["audit", "tail", "-n", "1000", "--format", "json"]);
        let records = tail.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let records = records.filter(|record| record["action"] == action);

        records.map(|record| record["resource"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn until_refused(&self, why: &str) {
        until(why, || {
            let refused = self.events("snapshot_rejected");
            refused.iter().any(|one| one.starts_with(why)).then_some(())
        });
    }

    fn key(&self, role: Role) -> PrivateKey {
        signing_key(&self.deck.dir(), role).expect("`init` made the key")
    }

    fn root_ids(&self) -> Vec<KeyId> {
        let sets = list(&self.deck.dir()).expect("good key sets");
        let newest = sets.last().expect("there is a first one");
        let trusted = newest.keys.iter().filter(|key| key.roles == [Role::Root]);

        trusted.filter(|key| key.standing.name() == "trusted").map(|key| key.id).collect()
    }

    fn root_file(&self, number: u8) -> PathBuf {
        self.deck.dir().join(format!("private/root-{number}/root.key"))
    }

    /// The snapshot that a thief makes: everybody's role is the widest.
    fn wider(&self) -> Vec<u8> {
        let copy = self.deck.root().join("thief");
        let file = self.deck.root().join("thief.snapshot");
        if !copy.exists() {
            let said = run(Command::new("cp").arg("-a").arg(self.deck.dir()).arg(&copy), b"");
            assert_eq!(said.code, 0, "{}", said.err);
            let control = |words: &[&str], more: &[&str]| {
                let mut command = Command::new(built("gateward-control"));
                drop(run(command.args(words).arg(&copy).args(more), b"").ok());
            };
            control(&["user", "set"], &["ana.ruiz", "--role", "iot_system_admin"]);
            let out = file.display().to_string();
            control(&["compile"], &["--group", "plant-7", "--out", &out]);
        }

        fs::read(file).expect("it was compiled")
    }

    /// Publishes the wider snapshot under any version.
    fn thief_publishes(&self, key: &PrivateKey, epoch: u32, number: u64) {
        let file = self.wider();
        let audience = Audience::of(self.deck.account(), "plant-7");
        let draft = ManifestDraft {
            account: self.deck.account(),
            audience,
            keyset: epoch,
            version: number,
            issued_at: gateward_control::clock::now(),
            stale_after: 86_400,
            expires_after: 604_800,
            file_len: u32::try_from(file.len()).expect("a small file"),
            chunk_log2: 15,
            root: chunk::root_of(&file, 15).expect("a snapshot"),
            revoked_counter: 0,
            allow_observe: false,
            allow_drop: false,
            deltas: Vec::new(),
        };
        let root = draft.root.short();
        let list: Vec<u8> = chunk::leaves(&file, 15).flatten().collect();
        let envelope = draft.sign(&[key]).expect("one signer");
        let message = sign::message(&envelope, &[]).expect("no delta");
        let admin = self.deck.admin();
        admin.plant(&self.topic(GroupTopic::List { root, piece: 0 }), &list);
        for (index, bytes) in (0..).zip(file.chunks(1 << 15)) {
            admin.plant(&self.topic(GroupTopic::Chunk { root, index }), bytes);
        }
        admin.plant(&self.topic(GroupTopic::Manifest), &message);
    }

    /// Sends the greatest beacon there is: it says that there is a version which nobody has.
    fn thief_beacons(&self, key: &PrivateKey, epoch: u32) {
        let draft = BeaconDraft {
            account: self.deck.account(),
            audience: Audience::of(self.deck.account(), "plant-7"),
            keyset: epoch,
            number: u64::MAX,
            time: gateward_control::clock::now(),
            version: u64::MAX,
            revoked_counter: 0,
        };
        let beacon = draft.sign(&[key]).expect("one signer");
        self.deck.admin().plant(&self.topic(GroupTopic::Time), &beacon);
    }

    fn until_readiness(&self, word: &str) {
        until(word, || (self.gateway.get("/readyz").text().trim() == word).then_some(()));
    }

    /// Does something that the gateway refuses, and waits for that. The audit tells of the first of a
    /// kind, the log of each.
    fn until_another_refused(&self, attack: impl FnOnce()) {
        let refusals = || self.gateway.log().matches(" refused").count();
        let before = refusals();
        attack();
        until("the refusal in the log", || (refusals() > before).then_some(()));
    }

    /// Acknowledges the newest record of a gateway, which is on its chain; returns its number.
    fn thief_acknowledges(&self, key: &PrivateKey, gateway: &Gateway) -> u64 {
        let audit = gateway.status()["audit"].clone();
        let through = audit["seq"].as_u64().expect("a number");
        let mut head = [0; 32];
        assert!(unhex(audit["head"].as_str().expect("a head"), &mut head));
        let enrolled = Enrolled::load(&self.deck.dir(), gateway.name()).expect("it was enrolled");
        let receipt = ReceiptDraft {
            account: self.deck.account(),
            gateway: enrolled.id(self.deck.account()),
            incarnation: enrolled.incarnation,
            through,
            head: Head(head),
            time: UnixSeconds(1),
        };
        let topics = GatewayTopics::new(self.deck.account(), gateway.name()).expect("a name");
        let topic = topics.topic(GatewayTopic::Receipt).to_string();
        self.deck.admin().plant(&topic, &receipt.sign(&[key]).expect("one signer"));

        through
    }
}

/// Returns how many records no receipt covers.
fn backlog(gateway: &Gateway) -> u64 {
    gateway.status()["audit"]["backlog"].as_u64().expect("a number")
}

#[test]
fn the_snapshot_key_is_stolen() {
    let mut drill = Drill::new();
    let thief = drill.key(Role::Snapshot);
    drill.thief_publishes(&thief, 1, u64::MAX);
    drill.gateway.reaches(u64::MAX);
    assert_eq!(drill.gateway.allows(&drill.ana, WIDER), Some(true), "what the key can do");
    // Nothing that is published under that key set can ever be newer.
    let refused = drill.deck.try_publish();
    assert_eq!(refused.code, 65, "{}", refused.err);
    assert!(refused.err.contains("--role snapshot --compromised"), "{}", refused.err);

    let said = drill.rotate(&["--role", "snapshot", "--compromised"]);
    assert!(said.starts_with("epoch 2, ") && said.contains(" compromised, "), "{said}");
    drill.announce_keys();
    drill.holds_keys(2);
    drill.denies();
    // What is retained is the thief's, and what is on the disk is too.
    drill.restart();
    drill.denies();
    drill.until_refused("old_keys");
    drill.denies();

    let version = drill.deck.publish();
    drill.gateway.reaches(version);
    drill.is_well();
    drill.thief_publishes(&thief, 2, u64::MAX);
    drill.until_refused("bad_signature");
    drill.thief_publishes(&thief, 1, u64::MAX);
    drill.is_well();
    drill.survives_alone();
    // The control plane puts back what the thief wrote over.
    let next = drill.deck.publish();
    drill.gateway.reaches(next);
    drill.is_well();
}

#[test]
fn the_beacon_key_is_stolen() {
    let mut drill = Drill::new();
    let thief = drill.key(Role::Beacon);
    // It grants nothing: what it signs is no manifest. It can make a gateway think that it is stale.
    drill.thief_publishes(&thief, 1, 7);
    drill.until_refused("bad_signature");
    drill.is_well();
    drill.until_readiness("fresh");
    drill.thief_beacons(&thief, 1);
    drill.until_readiness("stale");
    drill.is_well();
    drop(drill.rotate(&["--role", "beacon", "--compromised"]));

    // The snapshot was signed by another key: gateways decide all the time.
    drill.announce_keys();
    drill.holds_keys(2);
    drill.is_well();
    drill.restart();
    drill.gateway.is_ready();
    drill.is_well();
    // The thief's manifest is none of ours, and the broker has it.
    let topic = drill.topic(GroupTopic::Manifest);
    drill.deck.admin().plant(&topic, b"");
    let version = drill.deck.publish();
    drill.gateway.reaches(version);
    drill.until_readiness("fresh");
    drill.until_another_refused(|| drill.thief_beacons(&thief, 2));
    drill.is_well();
    drill.until_readiness("fresh");
    drill.survives_alone();
    drill.until_readiness("fresh");
}

#[test]
fn a_root_key_is_lost() {
    let mut drill = Drill::new();
    let ids = drill.root_ids();
    fs::remove_file(drill.root_file(2)).expect("`init` made it");
    // With another one away, nothing follows.
    let away = drill.deck.root().join("root-3.key");
    fs::rename(drill.root_file(3), &away).expect("`init` made it");
    let lost = ids[1].to_string();
    let replace = ["--role", "root", "--replace", &lost];
    let refused = drill.deck.control("keys rotate", &replace);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("1 root keys are here and 2 must sign"), "{}", refused.err);
    assert!(refused.err.contains(&ids[2].to_string()), "{}", refused.err);
    assert_eq!(drill.deck.publish(), 1, "nothing has changed");

    let third = away.display().to_string();
    let said = drill.rotate(&[&replace[..], &["--root-key", &third]].concat());
    assert!(said.contains(" root, new, "), "{said}");
    assert_eq!(drill.root_ids().len(), 3);
    drill.gateway.reaches(drill.deck.publish());
    drill.holds_keys(2);
    drill.is_well();
    drill.survives_alone();

    // The new one stands in for the one that is away.
    drop(drill.rotate(&["--role", "snapshot"]));
    drill.gateway.reaches(drill.deck.publish());
    drill.holds_keys(3);
    drill.is_well();
    drill.survives_alone();
}

#[test]
fn a_gateway_is_away_for_three_rotations() {
    let mut drill = Drill::new();
    assert!(drill.gateway.stop().success());
    let second = drill.root_ids()[1].to_string();
    for args in [
        &["--role", "snapshot"][..],
        &["--role", "root", "--replace", &second],
        &["--role", "snapshot"],
    ] {
        drop(drill.rotate(args));
        drill.deck.publish();
    }
    // What it has was signed by a key that is retired: good until it expires.
    drill.deck.broker.stop();
    drill.gateway.start_ready();
    drill.is_well();

    drill.deck.broker.restart();
    drill.gateway.reaches(4);
    drill.is_well();
    let walked = drill.events("key_set_accepted");
    assert_eq!(walked, ["epoch 2", "epoch 3", "epoch 4"]);
    drill.survives_alone();

    // Whoever is enrolled now begins with the newest.
    let mut other = drill.deck.gateway("edge-7b");
    other.start_ready();
    assert_eq!(other.version(), Some(4));
    assert_eq!(other.allows(&drill.ana, "manage_device"), Some(true));
}

#[test]
fn the_collector_key_is_stolen() {
    let mut drill = Drill::new();
    let thief = drill.key(Role::Collector);
    let mut other = drill.deck.gateway("edge-7b");
    other.start_ready();
    // It grants nothing, and acknowledges what is on the chain: that gateway may forget it.
    drill.thief_publishes(&thief, 1, 7);
    drill.until_refused("bad_signature");
    let topic = drill.topic(GroupTopic::Manifest);
    drill.deck.admin().plant(&topic, b"");
    let through = drill.thief_acknowledges(&thief, &other);
    until("a receipt that a thief signed", || {
        let seq = other.status()["audit"]["seq"].as_u64().expect("a number");
        (backlog(&other) <= seq - through).then_some(())
    });

    drop(drill.rotate(&["--role", "collector", "--compromised"]));
    drill.gateway.reaches(drill.deck.publish());
    drill.holds_keys(2);
    let before = backlog(&drill.gateway);
    drill.thief_acknowledges(&thief, &drill.gateway);
    until("the refusal of a receipt", || {
        drill.events("receipt_refused").contains(&"bad_signature".to_owned()).then_some(())
    });
    assert!(backlog(&drill.gateway) >= before, "nothing may be forgotten");
    drill.restart();
    drill.gateway.is_ready();
    drill.is_well();
    assert!(backlog(&drill.gateway) >= before, "nothing may be forgotten");

    // The collector has the new key; one that runs takes the next new key by itself.
    let collector = drill.deck.collector();
    let collected = |drill: &Drill| {
        until("a receipt for everything", || (backlog(&drill.gateway) == 0).then_some(()));
        let last = drill.gateway.status()["audit"]["seq"].as_u64().expect("a number");
        assert_eq!(collector.has("edge-7a", last)[0]["seq"], 1, "from the first one on");
    };
    collected(&drill);
    drop(drill.rotate(&["--role", "collector"]));
    drill.gateway.reaches(drill.deck.publish());
    drill.holds_keys(3);
    drill.is_well();
    collected(&drill);
}
