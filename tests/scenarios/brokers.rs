//! The whole protocol over brokers of other makes: MQTT 5, and 3.1.1 where there is no 5.
//!
//! One scenario, three servers, each as `systems/broker` says to set it up. A start of RabbitMQ
//! takes seconds, so each server is started once and once again.

use std::process::Command;

use gateward_core::topic::{GroupTopic, GroupTopics};
use gateward_tests::wait::{SOON, within};
use gateward_tests::{Admin, Broker, Deck, Gateway, Mosquitto, Nats, RabbitMq, lookup, run, until};
use serde_json::{Value, json};

use crate::packets::many_tokens;

#[test]
fn the_whole_protocol_holds_over_mosquitto() {
    let play = Play::new(|deck| {
        let dir = deck.root().join("mosquitto");
        let from = deck.broker_certificates();
        drop(run(Command::new("cp").arg("-a").arg(from).arg(&dir), b"").ok());
        Box::new(Mosquitto::start(&dir, &deck.logs().join("another-mosquitto.log")))
    });
    play.all("5", true);
}

#[test]
fn the_whole_protocol_holds_over_nats() {
    let play = Play::new(|deck| {
        let (dir, log) = (deck.root().join("nats"), deck.logs().join("nats.log"));
        Box::new(Nats::new(&deck.broker_certificates(), dir, &log))
    });
    play.all("3.1.1", true);
}

#[test]
fn the_whole_protocol_holds_over_rabbitmq() {
    let play = Play::new(|deck| {
        let (dir, log) = (deck.root().join("rabbitmq"), deck.logs().join("rabbitmq.log"));
        Box::new(RabbitMq::new(&deck.broker_certificates(), dir, &log))
    });
    // It saves what is retained only while nobody reads or writes any.
    play.all("3.1.1", false);
}

/// A control plane, a gateway and a broker between them.
struct Play {
    // Before the deck, in whose folder it works.
    broker: Box<dyn Broker>,
    gateway: Gateway,
    deck: Deck,
    acl: String,
    ana: String,
    spare: String,
}

impl Play {
    fn new(broker: impl FnOnce(&Deck) -> Box<dyn Broker>) -> Self {
        let deck = Deck::new();
        // One that is listed and was never started would be behind.
        deck.edit_policy("gateways = [\"edge-7a\", \"edge-7b\"]", "gateways = [\"edge-7a\"]");
        deck.edit_policy("gateways = [\"edge-8a\"]", "gateways = []");
        let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
        let spare = deck.user_token("ana.ruiz", "spare");
        many_tokens(&deck);
        let mut broker = broker(&deck);
        let gateway = deck.gateway_at("edge-7a", "plant-7", &broker.url());
        let acl = deck.acl(&[&gateway]);
        broker.start(&acl);

        Self { broker, gateway, deck, acl, ana, spare }
    }

    fn all(mut self, version: &str, keeps: bool) {
        self.first_sync();
        let spoken = format!("connected, with MQTT {version}");
        assert!(self.gateway.log().contains(&spoken), "MQTT {version} is spoken");
        self.revocation();
        self.audit();
        self.keys();
        self.thief();
        self.restart(keeps);
        self.will();
    }

    fn publish(&self) -> u64 {
        self.deck.publish_version_to(&self.broker.url())
    }

    fn first_sync(&mut self) {
        assert_eq!(self.publish(), 1);
        self.gateway.start_ready();
        assert_eq!(self.gateway.version(), Some(1));
        assert_eq!(self.gateway.allows(&self.ana, "manage_device"), Some(true));
    }

    /// A revocation comes as a list and as a delta; what comes whole is asked for in chunks.
    fn revocation(&self) {
        self.deck.disable(&self.ana);
        self.gateway.reaches(self.publish());

        assert_eq!(self.gateway.allows(&self.ana, "manage_device"), Some(false));
        assert_eq!(self.gateway.allows(&self.spare, "manage_device"), Some(true));
        let list = self.gateway.status()["snapshot"]["revoked"]["counter"].as_u64();
        assert!(list > Some(0), "the revocation list came, too");
        assert!(self.gateway.log().contains("delta applied"), "it came by delta");
        let beacon = self.thief_of_gateway().retained(&self.topic(GroupTopic::Time));
        assert!(!beacon.is_empty(), "a beacon is retained, and the gateway may read it");
    }

    /// Records go up, and a receipt comes down.
    fn audit(&self) {
        let collector = self.deck.collector_at(&self.broker.url());
        until("a gateway that may forget", || {
            (self.gateway.status().pointer("/audit/backlog") == Some(&json!(0))).then_some(())
        });
        let last = self.gateway.status()["audit"]["seq"].as_u64().expect("a number");
        let records = collector.has("edge-7a", last);
        let of = |record: &&Value| record["credential_id"] == lookup(&self.ana);
        assert!(records.iter().any(|record| of(&record)), "who was let in is written down");
        assert!(collector.stop().success());
    }

    fn keys(&self) {
        let rotate = ["--role", "snapshot", "--compromised"];
        drop(self.deck.control("keys rotate", &rotate).ok());
        self.gateway.reaches(self.publish());
        let epoch = self.gateway.status()["snapshot"]["epoch"].as_u64();
        assert_eq!(epoch, Some(2));
    }

    /// Whoever has a gateway's certificate can change nothing for the others.
    fn thief(&self) {
        let topic = self.topic(GroupTopic::Manifest);
        let before = self.publisher().retained(&topic);
        self.thief_of_gateway().try_plant(&topic, b"mine");

        assert_eq!(self.publisher().retained(&topic), before);
        assert_eq!(self.thief_of_gateway().retained(&topic), before, "it may read it");
    }

    /// Everybody comes back to a broker that was stopped. What was retained is there, or is put back
    /// by the next publish.
    fn restart(&mut self, keeps: bool) {
        let topic = self.topic(GroupTopic::KeysOf(2));
        let before = self.publisher().retained(&topic);
        self.broker.stop();
        assert_eq!(self.gateway.allows(&self.spare, "manage_device"), Some(true), "offline");
        let acl = self.acl.clone();
        self.broker.start(&acl);
        if keeps {
            assert_eq!(self.publisher().retained(&topic), before);
        }
        drop(self.deck.user_token("ana.ruiz", "next"));
        self.gateway.reaches(self.publish());
        assert_eq!(self.publisher().retained(&topic), before);
    }

    /// The last word of a gateway that was killed is that it is gone.
    fn will(&mut self) {
        self.says(false);
        self.gateway.kill();
        self.says(true);
        self.gateway.start_ready();
        self.says(false);
    }

    /// Waits until the broker retains that the gateway is gone, or is not.
    fn says(&self, gone: bool) {
        let mut said = String::new();
        let right = within(SOON, || {
            let ran = self.deck.fleet_at(&self.broker.url());
            let rows: Value = serde_json::from_str(&ran.out).unwrap_or_default();
            said = ran.out + &ran.err;
            let row = rows[0].clone();

            // A will says what was so when its connection began.
            (row["gone"] == gone && (gone || row["behind"] == false)).then_some(())
        });
        assert!(right.is_some(), "gone: {gone}; {said}");
    }

    fn topic(&self, what: GroupTopic) -> String {
        let topics = GroupTopics::new(self.deck.account(), "plant-7").expect("a good name");

        topics.topic(what).to_string()
    }

    /// Another client with the publisher's certificate.
    fn publisher(&self) -> Admin {
        let certificates = self.deck.root().join("publisher");

        Admin::new(&certificates, self.port()).older("gateward-admin-0123456789ab")
    }

    /// Another client with the gateway's certificate.
    fn thief_of_gateway(&self) -> Admin {
        Admin::new(self.gateway.etc(), self.port()).older("edge-7a-0123456789abcdef")
    }

    fn port(&self) -> u16 {
        let url = self.broker.url();

        url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    }
}
