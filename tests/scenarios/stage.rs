//! A gateway that works, a thief who holds something, and what he does with it.
//!
//! A thief has what he holds and the broker, and uses neither our commands nor our folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use gateward_agent::clock::Simulated;
use gateward_control::enroll::Enrolled;
use gateward_control::keys::{Chain, PRIVATE, list, secret_path, signing_key};
use gateward_core::audit::Head;
use gateward_core::name::unhex;
use gateward_core::snapshot::chunk;
use gateward_core::time::UnixSeconds;
use gateward_core::token::Lookup;
use gateward_core::topic::{GatewayTopic, GatewayTopics, GroupTopic, GroupTopics};
use gateward_core::trust::sign::{self, BeaconDraft, ManifestDraft, PrivateKey, ReceiptDraft};
use gateward_core::trust::{Audience, KeyId, Role};
use gateward_tests::{Aboard, Deck, Gateway, built, lookup, run, until};
use serde_json::{Value, json};

/// What `ana.ruiz` may not do until a thief publishes that she may.
pub(crate) const WIDER: &str = "view_app_health";

/// A gateway that works, and a token.
pub(crate) struct Stage {
    /// The agent, where it runs by the test's clock. Ends before its folder does.
    aboard: Option<Aboard>,
    pub(crate) deck: Deck,
    pub(crate) gateway: Gateway,
    /// The token of `ana.ruiz`.
    pub(crate) ana: String,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let deck = Deck::new();
        let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
        let version = deck.publish();
        let mut gateway = deck.gateway("edge-7a");
        gateway.start_ready();
        gateway.reaches(version);
        let stage = Self { aboard: None, deck, gateway, ana };
        stage.is_well();

        stage
    }

    /// The same with a clock that is right and that nobody synchronises, whatever this machine's is.
    pub(crate) fn by_a_mere_clock() -> Self {
        let mut stage = Self::new();
        assert!(stage.gateway.stop().success());
        let clock = Simulated::new(gateward_control::clock::now());
        stage.aboard = Some(stage.gateway.start_by(&clock));
        stage.gateway.is_ready();
        stage.is_well();

        stage
    }

    /// It decides as the policy says.
    pub(crate) fn is_well(&self) {
        assert_eq!(self.gateway.allows(&self.ana, "manage_device"), Some(true));
        assert_eq!(self.gateway.allows(&self.ana, WIDER), Some(false));
    }

    /// It refuses everything, because it has nothing to decide with.
    pub(crate) fn denies(&self) {
        let question = json!({ "token": self.ana, "permission": "manage_device" });
        let answer = self.gateway.authorize(&question);
        assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("no_snapshot")));
    }

    /// The operator has set `wish` where nobody permits it; then the policy does, by `permission`, and the
    /// gateway runs with it. `plain` is the setting that needs no permission.
    pub(crate) fn operator_may(
        &mut self,
        permission: &str,
        (key, wish, plain): (&str, &str, &str),
    ) {
        assert!(self.gateway.stop().success());
        self.gateway.set(key, wish);
        assert_eq!(self.gateway.cli(&["run"]).code, 78, "the operator's wish is not enough");
        self.gateway.set(key, plain);
        self.gateway.start_ready();
        self.deck.edit_policy("[snapshot]", &format!("[snapshot]\n{permission} = true"));
        self.deck.publish();
        let published = self.deck.dir().join("state/published/plant-7/manifest");
        let published = fs::read(published).expect("it was published");
        let slots = ["a", "b"].map(|slot| self.gateway.state().join("snapshot").join(slot));
        until("a manifest that permits it", || {
            let held = |slot: &PathBuf| fs::read(slot.join("manifest")).ok();
            slots.iter().any(|slot| held(slot).as_ref() == Some(&published)).then_some(())
        });
        assert!(self.gateway.stop().success());
        self.gateway.set(key, wish);
        self.gateway.start_ready();
    }

    pub(crate) fn restart(&mut self) {
        assert!(self.gateway.stop().success());
        self.gateway.start();
    }

    /// With the cable out and restarted it is as before.
    pub(crate) fn survives_alone(&mut self) {
        assert!(self.gateway.stop().success());
        self.deck.broker.stop();
        self.gateway.start_ready();
        self.is_well();
        self.deck.broker.restart();
    }

    pub(crate) fn rotate(&self, args: &[&str]) -> String {
        self.deck.control("keys rotate", args).ok()
    }

    pub(crate) fn topic(&self, what: GroupTopic) -> String {
        let topics = GroupTopics::new(self.deck.account(), "plant-7").expect("a good name");

        topics.topic(what).to_string()
    }

    /// Publishes the newest key set, and not yet what is signed under it.
    pub(crate) fn announce_keys(&self) {
        let chain = Chain::load(&self.deck.dir(), self.deck.account()).expect("good key sets");
        let admin = self.deck.admin();
        for (set, envelope) in chain.sets().iter().zip(chain.envelopes()) {
            admin.plant(&self.topic(GroupTopic::KeysOf(set.epoch())), envelope);
        }
        admin.plant(&self.topic(GroupTopic::Keys), chain.anchor());
    }

    /// Waits until it holds the key set of this epoch.
    pub(crate) fn holds_keys(&self, epoch: u32) {
        let resource = format!("epoch {epoch}");
        until("the event of a key set", || {
            self.events("key_set_accepted").contains(&resource).then_some(())
        });
    }

    /// What these events in the audit are about, oldest first.
    pub(crate) fn events(&self, action: &str) -> Vec<String> {
        let tail = self.gateway.cli(&["audit", "tail", "-n", "1000", "--format", "json"]);
        let records = tail.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let records = records.filter(|record| record["action"] == action);

        records.map(|record| record["resource"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) fn until_refused(&self, why: &str) {
        until(why, || {
            let refused = self.events("snapshot_rejected");
            refused.iter().any(|one| one.starts_with(why)).then_some(())
        });
    }

    pub(crate) fn key(&self, role: Role) -> PrivateKey {
        signing_key(&self.deck.dir(), role).expect("`init` made the key")
    }

    /// A root key, read as it lies in one of the places where they are kept.
    pub(crate) fn root_key(&self, number: u8) -> PrivateKey {
        let dir = self.deck.root().join(format!("stolen-{number}"));
        fs::create_dir_all(dir.join(PRIVATE)).expect("a folder can be made");
        let path = secret_path(&dir, Role::Root);
        fs::copy(self.root_file(number), path).expect("`init` made it");

        signing_key(&dir, Role::Root).expect("`init` made the key")
    }

    pub(crate) fn root_ids(&self) -> Vec<KeyId> {
        let sets = list(&self.deck.dir()).expect("good key sets");
        let newest = sets.last().expect("there is a first one");
        let trusted = newest.keys.iter().filter(|key| key.roles == [Role::Root]);

        trusted.filter(|key| key.standing.name() == "trusted").map(|key| key.id).collect()
    }

    pub(crate) fn root_file(&self, number: u8) -> PathBuf {
        self.deck.dir().join(format!("private/root-{number}/root.key"))
    }

    /// The snapshot that a thief makes: everybody's role is the widest.
    pub(crate) fn wider(&self) -> Vec<u8> {
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
    pub(crate) fn thief_publishes(&self, key: &PrivateKey, epoch: u32, number: u64) {
        let file = self.wider();
        let draft = self.manifest(&file, epoch, number);
        self.plant_snapshot(&draft, key, &file);
    }

    /// What says that a file is the snapshot of this version, from now on.
    pub(crate) fn manifest(&self, file: &[u8], epoch: u32, number: u64) -> ManifestDraft {
        ManifestDraft {
            keyset: epoch,
            version: number,
            ..ManifestDraft::of(
                self.deck.account(),
                self.audience(),
                gateward_control::clock::now(),
                file,
                15,
            )
            .expect("a small file")
        }
    }

    /// The epoch of the newest key set.
    pub(crate) fn epoch(&self) -> u32 {
        let chain = Chain::load(&self.deck.dir(), self.deck.account()).expect("good key sets");

        chain.newest().epoch()
    }

    pub(crate) fn audience(&self) -> Audience {
        Audience::of(self.deck.account(), "plant-7")
    }

    fn plant_snapshot(&self, draft: &ManifestDraft, key: &PrivateKey, file: &[u8]) {
        let root = draft.root.short();
        let list: Vec<u8> = chunk::leaves(file, 15).flatten().collect();
        let admin = self.deck.admin();
        admin.plant(&self.topic(GroupTopic::List { root, piece: 0 }), &list);
        for (index, bytes) in (0..).zip(file.chunks(1 << 15)) {
            admin.plant(&self.topic(GroupTopic::Chunk { root, index }), bytes);
        }
        admin.plant(&self.topic(GroupTopic::Manifest), &message(draft, key));
    }

    /// Plants something, and waits until the gateway has refused that very thing.
    pub(crate) fn plant_in_vain(&self, what: GroupTopic, payload: &[u8], code: &str) {
        let topic = self.topic(what);
        let refused = || {
            let log = self.gateway.log();
            let lines = log.lines().filter(|line| line.contains("refused"));
            lines.filter(|line| line.contains(code) && line.contains(&topic)).count()
        };
        let before = refused();
        self.deck.admin().plant(&topic, payload);
        until(&format!("{code} on {topic}"), || (refused() > before).then_some(()));
    }

    /// Sends the greatest beacon there is: it says that there is a version which nobody has.
    pub(crate) fn thief_beacons(&self, key: &PrivateKey, epoch: u32) {
        let draft = BeaconDraft {
            account: self.deck.account(),
            audience: self.audience(),
            keyset: epoch,
            number: u64::MAX,
            time: gateward_control::clock::now(),
            version: u64::MAX,
            revoked_counter: 0,
        };
        let beacon = draft.sign(&[key]).expect("one signer");
        self.deck.admin().plant(&self.topic(GroupTopic::Time), &beacon);
    }

    pub(crate) fn until_readiness(&self, word: &str) {
        until(word, || (self.gateway.get("/readyz").text().trim() == word).then_some(()));
    }

    /// Does something that the gateway refuses, and waits for that. The audit tells of the first of a
    /// kind, the log of each.
    pub(crate) fn until_another_refused(&self, attack: impl FnOnce()) {
        let refusals = || self.gateway.log().matches(" refused").count();
        let before = refusals();
        attack();
        until("the refusal in the log", || (refusals() > before).then_some(()));
    }

    /// Acknowledges the newest record of a gateway, which is on its chain; returns its number.
    pub(crate) fn thief_acknowledges(&self, key: &PrivateKey, gateway: &Gateway) -> u64 {
        let receipt = self.receipt(gateway);
        self.plant_receipt(&receipt, key, gateway);

        receipt.through
    }

    /// What acknowledges the newest record of a gateway.
    pub(crate) fn receipt(&self, gateway: &Gateway) -> ReceiptDraft {
        let audit = gateway.status()["audit"].clone();
        let mut head = [0; 32];
        assert!(unhex(audit["head"].as_str().expect("a head"), &mut head));
        let enrolled = Enrolled::load(&self.deck.dir(), gateway.name()).expect("it was enrolled");

        ReceiptDraft {
            account: self.deck.account(),
            gateway: enrolled.id(self.deck.account()),
            incarnation: enrolled.incarnation,
            through: audit["seq"].as_u64().expect("a number"),
            head: Head(head),
            time: UnixSeconds(1),
        }
    }

    pub(crate) fn plant_receipt(&self, draft: &ReceiptDraft, key: &PrivateKey, gateway: &Gateway) {
        let topics = GatewayTopics::new(self.deck.account(), gateway.name()).expect("a name");
        let topic = topics.topic(GatewayTopic::Receipt).to_string();
        self.deck.admin().plant(&topic, &draft.sign(&[key]).expect("one signer"));
    }
}

/// Returns what is published of a manifest.
pub(crate) fn message(draft: &ManifestDraft, key: &PrivateKey) -> Vec<u8> {
    let envelope = draft.sign(&[key]).expect("one signer");

    sign::message(&envelope, &[]).expect("no delta")
}

/// Returns how many records no receipt covers.
pub(crate) fn backlog(gateway: &Gateway) -> u64 {
    gateway.status()["audit"]["backlog"].as_u64().expect("a number")
}

/// Returns the number that a token is looked up by.
pub(crate) fn number_of(token: &str) -> u64 {
    Lookup::parse(lookup(token)).expect("a token of ours").id
}
