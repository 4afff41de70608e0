//! Makes records of what never happened, and sends them as a gateway does.

use std::fs;

use gateward_agent::identity::Identity;
use gateward_agent::journal::Piece;
use gateward_agent::upload::batch;
use gateward_control::enroll::Enrolled;
use gateward_core::audit::{Authentication, Head, MAX_RECORD, Outcome, Ratchet, Record, Who};
use gateward_core::decide::Reason;
use gateward_core::name::{Uuid, unhex};
use gateward_core::time::UnixSeconds;
use gateward_core::topic::{GatewayTopic, GatewayTopics};
use gateward_core::trust::{Checkpoint, SEALED_LEN, SigningKey};
use gateward_tests::{Collector, until};

use crate::stage::Stage;

/// Whoever continues the audit of `edge-7a`, which is not running.
pub(super) struct Forger<'a> {
    stage: &'a Stage,
    collector: &'a Collector,
    ratchet: Ratchet,
    /// What he signs checkpoints with.
    key: SigningKey,
    /// Number of the last record that the collector has, and the chain's head after it.
    last: (u64, Head),
}

impl<'a> Forger<'a> {
    /// He knows what a broker has seen, and not the key of the next record.
    pub(super) fn with_a_key_of_his_own(stage: &'a Stage, collector: &'a Collector) -> Self {
        let records = collector.records("edge-7a");
        let last = records.last().expect("something was collected");
        let mut head = [0; 32];
        assert!(unhex(last["head"].as_str().expect("a head"), &mut head));
        let number = last["seq"].as_u64().expect("a number");

        let (ratchet, key) = (Ratchet::new([0x66; 32]), SigningKey::from_bytes(&[0x66; 32]));

        Self { stage, collector, ratchet, key, last: (number, Head(head)) }
    }

    /// He has the disk: the key is the one that the agent would have gone on with.
    pub(super) fn with_the_key_on_the_disk(stage: &'a Stage, collector: &'a Collector) -> Self {
        let key = fs::read(stage.gateway.state().join("audit/key")).expect("the audit has a key");
        // Two slots of number, key and more, overwritten in turn.
        let newest = key.chunks(64).filter_map(|slot| slot.split_first_chunk::<8>());
        let newest = newest.max_by_key(|(number, _)| u64::from_le_bytes(**number));
        let (number, rest) = newest.expect("two slots");
        let forger = Self::with_a_key_of_his_own(stage, collector);
        assert_eq!(
            u64::from_le_bytes(*number),
            forger.last.0,
            "all that was written was collected"
        );
        let (value, _) = rest.split_first_chunk::<32>().expect("a key");

        let identity = Identity::load(&stage.gateway.etc().join("gateway.key"));
        let key = identity.expect("the disk has the gateway's own key").key;

        Self { ratchet: Ratchet::new(*value), key, ..forger }
    }

    /// Sends a record that says what `name` was allowed to do.
    pub(super) fn plants(&self, name: &str) {
        let (number, before) = self.last;
        let first = number + 1;
        let principal = Some(Who { id: Uuid([0x66; 16]), name });
        let record = Record {
            seq: first,
            principal,
            authentication: Authentication::ApiToken,
            ..Record::new(Outcome::Allow(Reason::Ok))
        };
        let mut buffer = [0; MAX_RECORD];
        let len = record.encode(&mut buffer).expect("a short record");
        let after = before.next(&buffer[..len]);
        let mut records = u16::try_from(len).expect("a short record").to_le_bytes().to_vec();
        records.extend(&buffer[..len]);
        records.extend(self.ratchet.tag(&after));
        let piece = Piece { first, last: first, before, after, snapshot: None, records };
        let enrolled = Enrolled::load(&self.stage.deck.dir(), "edge-7a").expect("it was enrolled");
        let account = self.stage.deck.account();
        let (gateway, incarnation) = (enrolled.id(account), enrolled.incarnation);
        let (number, head, time) = (first, after, UnixSeconds(1_782_864_000));
        let checkpoint = Checkpoint { gateway, incarnation, number, head, time, boot: 1 };
        let mut sealed = [0; SEALED_LEN];
        let sealed = checkpoint.sign(account, &self.key, &mut sealed).expect("it fits");
        let batch = batch::encode(gateway, incarnation, &piece, sealed);
        let topics = GatewayTopics::new(account, "edge-7a").expect("a good name");
        let topic = topics.topic(GatewayTopic::Audit).to_string();
        self.stage.deck.admin().plant(&topic, &batch.expect("a small batch"));
    }

    /// The collector says that something is wrong, in one of these words.
    pub(super) fn is_seen(&self, events: &[&str]) {
        is_seen(self.stage, events);
    }

    /// The collector has taken a record with this name for the gateway's.
    pub(super) fn is_believed(&self, name: &str) -> bool {
        self.collector.records("edge-7a").iter().any(|record| record["authentication"] == name)
    }
}

/// Waits until the collector has written down one of these events about `edge-7a`.
pub(super) fn is_seen(stage: &Stage, events: &[&str]) {
    until("an event at the collector", || {
        let text = fs::read_to_string(stage.deck.collected().join("events.jsonl")).ok()?;
        let found = events.iter().any(|event| text.contains(&format!("\"event\":\"{event}\"")));
        found.then_some(())
    });
}
