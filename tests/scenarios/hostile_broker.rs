//! The broker is hostile, and does one thing at a time: after each, nothing wider is allowed, the same
//! process runs, its memory has not grown, and the audit says what happened.

mod flood;

use gateward_core::topic::GroupTopic;
use gateward_tests::wait::{SOON, within};
use gateward_tests::{Deck, Gateway, until};

use crate::hostile::{events, rejections};
use crate::loopback::Loopback;

/// By how much the memory of an agent may grow under attack: the largest message that it takes
/// (`max_payload_bytes`, 128 KiB), a hundred times over, for what waits between its tasks.
const GROWTH_KIB: u64 = 16 * 1024;

/// Retained messages in the order in which they are published.
pub(crate) type Set = Vec<(String, Vec<u8>)>;

/// A gateway at a hostile broker, which gets everything from an honest one.
pub(crate) struct Siege {
    pub(crate) deck: Deck,
    honest: Loopback,
    pub(crate) hostile: Loopback,
    pub(crate) gateway: Gateway,
    pub(crate) good: String,
    /// Taken away by version 2.
    gone: String,
    /// What the broker was given of version 1.
    old: Set,
    process: u32,
    resident_kib: u64,
}

impl Siege {
    pub(crate) fn new() -> Self {
        Self::behind(&|hostile| hostile.url())
    }

    /// `reach` says how the gateway reaches the broker.
    fn behind(reach: &dyn Fn(&Loopback) -> String) -> Self {
        let deck = Deck::new();
        let (honest, hostile) = (Loopback::new(), Loopback::new());
        let good = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
        let gone = deck.user_token("ana.ruiz", "gone");
        drop(deck.publish_to(&honest.url()).ok());
        let mut gateway = deck.gateway_at("edge-7a", "plant-7", &reach(&hostile));
        let old = set_of(&honest, "plant-7");
        give(&hostile, &old);
        gateway.start_ready();
        deck.disable(&gone);
        drop(deck.publish_to(&honest.url()).ok());
        give(&hostile, &set_of(&honest, "plant-7"));
        gateway.reaches(2);
        let process = gateway.program().id();
        let resident_kib = gateway.program().resident_kib();

        Self { deck, honest, hostile, gateway, good, gone, old, process, resident_kib }
    }

    /// Publishes one more version to the honest broker, to be fetched whole; returns what is there.
    pub(crate) fn publish(&self, name: &str) -> Set {
        drop(self.deck.user_token("ana.ruiz", name));
        let earlier = self.deck.dir().join("state/published/plant-7/earlier");
        std::fs::remove_dir_all(earlier).expect("what deltas are made from");
        drop(self.deck.publish_to(&self.honest.url()).ok());

        set_of(&self.honest, "plant-7")
    }

    /// Nothing wider is allowed than before, and the agent is well.
    pub(crate) fn stands(&mut self, version: u64) {
        assert_eq!(self.gateway.allows(&self.gone, "manage_device"), Some(false));
        assert_eq!(self.gateway.allows(&self.good, "manage_device"), Some(true));
        assert_eq!(self.gateway.allows(&self.good, "view_app_health"), Some(false));
        assert_eq!(self.gateway.version(), Some(version));
        assert!(self.gateway.runs());
        assert_eq!(self.gateway.program().id(), self.process);
        let grown = self.gateway.program().resident_kib().saturating_sub(self.resident_kib);
        assert!(grown <= GROWTH_KIB, "{grown} KiB more than before");
    }

    /// The audit says that something was refused for this reason, on a topic that ends so.
    fn told(&self, code: &str, topic: &str) {
        let told = within(SOON, || {
            let all = rejections(&self.gateway);
            all.iter().any(|one| one.contains(code) && one.contains(topic)).then_some(())
        });
        assert!(told.is_some(), "{code} of{topic} is not among {:?}", rejections(&self.gateway));
    }

    fn topic(&self, what: GroupTopic) -> String {
        crate::hostile::topic(&self.deck, what)
    }
}

/// What is retained of a group: what a manifest names before it, what confirms it behind it.
pub(crate) fn set_of(broker: &Loopback, group: &str) -> Set {
    let ours = |topic: &String| topic.contains(&format!("/{group}/"));
    let mut topics: Vec<_> = broker.retained_topics().into_iter().filter(ours).collect();
    topics.sort_by_key(|topic| match topic.rsplit('/').next() {
        Some("manifest") => 1,
        Some("time") => 2,
        _ => 0,
    });

    topics.into_iter().filter_map(|topic| Some((topic.clone(), broker.retained(&topic)?))).collect()
}

pub(crate) fn give(broker: &Loopback, set: &Set) {
    set.iter().for_each(|(topic, payload)| broker.plant(topic, payload.clone()));
}

/// The messages of a set whose topic has this in it.
pub(crate) fn only<'a>(set: &'a Set, part: &str) -> impl Iterator<Item = &'a (String, Vec<u8>)> {
    set.iter().filter(move |(topic, _)| topic.contains(part))
}

#[test]
fn withhold() {
    let mut siege = Siege::new();
    let set = siege.publish("third");

    // The beacon is all that comes through.
    only(&set, "/time").for_each(|(topic, beacon)| siege.hostile.plant(topic, beacon.clone()));

    until("stale, and known to be", || {
        (siege.gateway.get("/readyz").text() == "stale\n").then_some(())
    });
    assert_eq!(siege.gateway.allows(&siege.good, "manage_settings"), Some(false), "fresh only");
    siege.stands(2);
    until("the event", || (!events(&siege.gateway, "snapshot_stale").is_empty()).then_some(()));
    give(&siege.hostile, &set);
    siege.gateway.reaches(3);
    siege.stands(3);
}

#[test]
fn replay() {
    let mut siege = Siege::new();

    give(&siege.hostile, &siege.old);

    siege.told("rollback", " manifest");
    siege.stands(2);
}

#[test]
fn reorder() {
    let mut siege = Siege::new();
    let (third, fourth) = (siege.publish("third"), siege.publish("fourth"));

    // The last first: a manifest before its chunks, and then one that is older.
    for set in [&fourth, &third] {
        set.iter().rev().for_each(|(topic, payload)| siege.hostile.plant(topic, payload.clone()));
    }

    // What was late is no evidence while the newer one is fetched; once that is in force, it is.
    siege.gateway.reaches(4);
    give(&siege.hostile, &third);
    siege.told("rollback", " manifest");
    siege.stands(4);
}

#[test]
fn duplicate() {
    use gateward_loopback_broker::Delivery;
    let mut siege = Siege::new();
    siege.hostile.set_tamper(Some(Box::new(|_, _| Delivery::Twice)));
    let set = siege.publish("third");

    (0..3).for_each(|_| give(&siege.hostile, &set));

    siege.gateway.reaches(3);
    siege.stands(3);
    // Everything came six times, and is told once.
    let fourth = siege.publish("fourth");
    give(&siege.hostile, &fourth);
    siege.gateway.reaches(4);
    until("the event of the fourth", || {
        (events(&siege.gateway, "snapshot_accepted").len() >= 4).then_some(())
    });
    assert_eq!(events(&siege.gateway, "snapshot_accepted").len(), 4);
    siege.stands(4);
}

/// Each message of version 3 is spoilt before it is given whole.
fn spoils(spoil: &dyn Fn(&[u8]) -> Vec<u8>) {
    let mut siege = Siege::new();
    let set = siege.publish("third");
    let chunk = |topic: &str| topic.contains("/chunk/");
    // The manifest is good, or nothing would be fetched.
    for (topic, payload) in &set {
        let spoilt = chunk(topic) && !topic.contains("/l");
        siege.hostile.plant(topic, if spoilt { spoil(payload) } else { payload.clone() });
    }
    siege.told("altered", " chunk/");
    siege.stands_fetching(2);
    give(&siege.hostile, &set);
    siege.gateway.reaches(3);

    // A key set of an epoch that is held is not even read.
    let other = |topic: &str| !chunk(topic) && !topic.contains("/keys");
    for (topic, payload) in set.iter().filter(|(topic, _)| other(topic)) {
        let refused = siege.gateway.log().matches(" refused").count();
        siege.hostile.plant(topic, spoil(payload));
        let kind = topic.rsplit('/').next().unwrap_or_default();
        until(&format!("the refusal of {kind}"), || {
            (siege.gateway.log().matches(" refused").count() > refused).then_some(())
        });
        siege.hostile.plant(topic, payload.clone());
        siege.stands(3);
    }
}

impl Siege {
    /// The same while something newer is known and has not come.
    fn stands_fetching(&mut self, version: u64) {
        assert_eq!(self.gateway.get("/readyz").text(), "stale\n");
        self.stands(version);
    }
}

#[test]
fn truncate() {
    spoils(&|payload| payload[..payload.len() / 2].to_vec());
}

#[test]
fn alter() {
    spoils(&|payload| {
        let mut altered = payload.to_vec();
        altered[payload.len() / 2] ^= 0x10;
        altered
    });
}

#[test]
fn cross_group() {
    let mut siege = Siege::new();

    for (topic, payload) in set_of(&siege.honest, "plant-8") {
        siege.hostile.plant(&topic.replace("/plant-8/", "/plant-7/"), payload);
    }

    siege.told("audience", " manifest");
    siege.told("audience", " time");
    siege.stands(2);
}

#[test]
fn cross_account() {
    let mut siege = Siege::new();
    let stranger = Deck::new();
    let intruder = stranger.user("eve", &["--role", "iot_account_admin"]);
    let theirs = Loopback::new();
    drop(stranger.publish_to(&theirs.url()).ok());
    let (their_account, account) =
        (stranger.account().to_string(), siege.deck.account().to_string());

    for (topic, payload) in set_of(&theirs, "plant-7") {
        siege.hostile.plant(&topic.replace(&their_account, &account), payload);
    }

    siege.told("other_account", " manifest");
    siege.told("other_account", " keys");
    siege.stands(2);
    assert_eq!(siege.gateway.allows(&intruder, "manage_device"), Some(false), "F21");
}

#[test]
fn retained_junk() {
    let mut siege = Siege::new();
    let junk = |n: usize| vec![u8::try_from(n % 251).unwrap_or(7); 1 + n * 37 % 4_000];
    let prefix = format!("gateward/v1/{}", siege.deck.account());
    for n in 0..3_000 {
        siege.hostile.plant(&format!("{prefix}/plant-7/chunk/{n:016x}/{n}"), junk(n));
        siege.hostile.plant(&format!("{prefix}/plant-7/keys/{}", n + 2), junk(n));
    }
    let whole = set_of(&siege.hostile, "plant-7");
    for what in [GroupTopic::Manifest, GroupTopic::Keys, GroupTopic::Revoked, GroupTopic::Time] {
        siege.hostile.plant(&siege.topic(what), junk(3_999));
    }

    // All of it comes again with a new connection.
    siege.hostile.cut();
    siege.hostile.mend();

    for place in [" manifest", " keys", " revoked", " time"] {
        siege.told("malformed", place);
    }
    siege.stands(2);
    give(&siege.hostile, &whole);
    let set = siege.publish("third");
    give(&siege.hostile, &set);
    siege.gateway.reaches(3);
    siege.stands(3);
}
