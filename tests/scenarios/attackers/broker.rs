//! Who holds the broker.

use std::collections::BTreeSet;

use gateward_agent::clock::Simulated;
use gateward_control::clock;
use gateward_core::topic::GroupTopic;
use gateward_core::trust::sign::PrivateKey;
use gateward_core::trust::{Role, SigningKey};
use gateward_loopback_broker::Delivery;
use gateward_tests::{Deck, Gateway, until};
use serde_json::json;

use super::forger::Forger;
use super::signs::list;
use crate::loopback::Loopback;
use crate::stage::{Stage, backlog, message};

fn reason(gateway: &Gateway, token: &str) -> String {
    let question = json!({ "token": token, "permission": "manage_device" });
    let explained = gateway.operator("POST", "/v1/explain", question.to_string().as_bytes());

    explained.json()["reason"].as_str().unwrap_or_default().to_owned()
}

/// From now on the broker passes on what it has of this group, and nothing that comes.
fn withholds(broker: &Loopback) {
    let topics = broker.retained_topics();
    let known: BTreeSet<_> = topics.iter().filter_map(|topic| broker.retained(topic)).collect();
    broker.set_tamper(Some(Box::new(move |topic, payload| {
        let passes = known.contains(&payload) || !topic.contains("/plant-7/");
        if passes { Delivery::AsIs } else { Delivery::Dropped }
    })));
}

/// The broker passes on what it has kept back.
fn lets_through(broker: &Loopback) {
    broker.set_tamper(None);
    for topic in broker.retained_topics() {
        if let Some(payload) = broker.retained(&topic) {
            broker.plant(&topic, payload);
        }
    }
}

#[test]
fn who_holds_the_broker_can_read_everything_delay_and_withhold_until_expires_after() {
    let (deck, broker) = (Deck::new(), Loopback::new());
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let gone = deck.user_token("ana.ruiz", "gone");
    drop(deck.publish_to(&broker.url()).ok());

    // Reads.
    let topics = broker.retained_topics();
    let read: Vec<u8> =
        topics.iter().filter_map(|topic| broker.retained(topic)).flatten().collect();
    for known in [&b"ana.ruiz"[..], b"plant-7"] {
        assert!(read.windows(known.len()).any(|window| window == known));
    }
    // Delays: what is published does not reach the gateway until it is let through.
    let clock = Simulated::new(clock::now());
    let gateway = deck.gateway_at("edge-7a", "plant-7", &broker.url());
    let agent = gateway.start_by(&clock);
    gateway.is_ready();
    deck.disable(&gone);
    withholds(&broker);
    drop(deck.publish_to(&broker.url()).ok());
    assert_eq!(gateway.allows(&gone, "manage_device"), Some(true));
    lets_through(&broker);
    gateway.reaches(2);
    assert_eq!(gateway.allows(&gone, "manage_device"), Some(false));
    // Withholds: the link is up and nothing new comes, for as long as the manifest says.
    deck.disable(&ana);
    withholds(&broker);
    drop(deck.publish_to(&broker.url()).ok());
    let expires_at = gateway.status()["snapshot"]["expires_at"].as_u64().expect("a time");
    let now = gateway.status()["time"]["now"].as_u64().expect("a time");
    clock.advance((expires_at - now - 60) * 1_000);
    assert_eq!(gateway.status()["link"], "up");
    assert_eq!(reason(&gateway, &ana), "ok");
    assert_eq!(gateway.allows(&ana, "manage_settings"), Some(false), "stale, and known to be");
    clock.advance(60_000);
    assert_eq!(reason(&gateway, &ana), "snapshot_expired");
    let question = json!({ "token": ana, "permission": "manage_device" });
    assert_eq!(gateway.authorize(&question).status, 503);
    drop(agent);
}

/// What a broker has seen pass by, and a key that is nobody's.
struct Siege {
    stage: Stage,
    /// Taken away by the snapshot in force.
    gone: String,
    /// Taken away by a revocation list alone.
    revoked: String,
    /// The manifest from before `gone` was taken away.
    old: Vec<u8>,
    own: PrivateKey,
}

impl Siege {
    fn new() -> Self {
        let stage = Stage::new();
        let gone = stage.deck.user_token("ana.ruiz", "gone");
        let revoked = stage.deck.user_token("ana.ruiz", "revoked");
        stage.gateway.reaches(stage.deck.publish());
        let old = stage.deck.admin().retained(&stage.topic(GroupTopic::Manifest));
        stage.deck.disable(&gone);
        stage.gateway.reaches(stage.deck.publish());
        let own = PrivateKey::from(SigningKey::from_bytes(&[0x66; 32]));

        Self { stage, gone, revoked, old, own }
    }

    fn holds(&self) {
        self.stage.is_well();
        assert_eq!(self.stage.gateway.allows(&self.gone, "manage_device"), Some(false));
        assert_eq!(self.stage.gateway.allows(&self.revoked, "manage_device"), Some(false));
        assert_eq!(reason(&self.stage.gateway, &self.revoked), "revoked");
    }

    fn widens(&self) {
        let file = self.stage.wider();
        let wider = self.stage.manifest(&file, 1, 9);
        let forged = message(&wider, &self.own);
        self.stage.plant_in_vain(GroupTopic::Manifest, &forged, "bad_signature");
        // What was signed for others, and what was signed and then changed.
        let topic = self.stage.topic(GroupTopic::Manifest).replace("/plant-7/", "/plant-8/");
        let others = self.stage.deck.admin().retained(&topic);
        self.stage.plant_in_vain(GroupTopic::Manifest, &others, "other_audience");
        let mut changed = others;
        let middle = changed.len() / 2;
        changed[middle] ^= 0x20;
        self.stage.deck.admin().plant(&self.stage.topic(GroupTopic::Manifest), &changed);
        self.holds();
    }

    fn rolls_back(&mut self) {
        self.stage.plant_in_vain(GroupTopic::Manifest, &self.old, "rollback");
        self.stage.restart();
        self.stage.gateway.is_ready();
        self.holds();
    }

    /// `first` is the list that came before the one in force.
    fn unrevokes(&mut self, first: &[u8]) {
        self.stage.plant_in_vain(GroupTopic::Revoked, first, "rollback");
        let forged = list(&self.stage, &self.own, 1_000, &[]);
        self.stage.plant_in_vain(GroupTopic::Revoked, &forged, "bad_signature");
        // Withheld altogether, from a gateway that starts again.
        self.stage.deck.admin().plant(&self.stage.topic(GroupTopic::Revoked), b"");
        self.stage.restart();
        self.stage.gateway.is_ready();
        self.holds();
    }

    fn forges_receipts(&self) {
        let before = backlog(&self.stage.gateway);
        assert!(before > 0, "nobody has collected yet");
        self.stage.thief_acknowledges(&self.own, &self.stage.gateway);
        until("the refusal of a receipt", || {
            let refused = self.stage.events("receipt_refused");
            refused.contains(&"bad_signature".to_owned()).then_some(())
        });
        assert!(backlog(&self.stage.gateway) >= before, "nothing may be forgotten");
    }

    fn forges_audit(&mut self) {
        let collector = self.stage.deck.collector();
        until("a receipt for everything", || (backlog(&self.stage.gateway) == 0).then_some(()));
        self.stage.gateway.kill();
        let forger = Forger::with_a_key_of_his_own(&self.stage, &collector);
        forger.plants("mallory");
        forger.is_seen(&["forged_tag", "fork"]);
        assert!(!forger.is_believed("mallory"));
    }
}

#[test]
fn who_holds_the_broker_cannot_widen_unrevoke_roll_back_or_forge_receipts_or_audit() {
    let mut siege = Siege::new();
    let signer = siege.stage.key(Role::Snapshot);
    let first = list(&siege.stage, &signer, 500, &[]);
    let second = list(&siege.stage, &signer, 501, &[&siege.revoked]);
    let topic = siege.stage.topic(GroupTopic::Revoked);
    siege.stage.deck.admin().plant(&topic, &first);
    siege.stage.deck.admin().plant(&topic, &second);
    until("the revocation", || {
        (reason(&siege.stage.gateway, &siege.revoked) == "revoked").then_some(())
    });
    siege.holds();

    siege.widens();
    siege.rolls_back();
    siege.unrevokes(&first);
    siege.forges_receipts();
    siege.forges_audit();
}
