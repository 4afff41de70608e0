//! Whoever holds the broker can delay a gateway, and can never widen a right.
//!
//! What is planted goes through a real broker, with the rights of the control plane's own user.
//! That nothing happened shows in two ways: the refusal is written down, and what is published next
//! is taken.

use std::path::Path;
use std::process::Command;

use gateward_core::topic::{GroupTopic, GroupTopics};
use gateward_core::trust::manifest;
use gateward_tests::{Admin, Deck, Gateway, until};
use serde_json::Value;

/// A gateway with a token that works and one that was taken away.
struct Siege {
    deck: Deck,
    gateway: Gateway,
    admin: Admin,
    good: String,
    gone: String,
    /// The manifest from before the token was taken away.
    old: Vec<u8>,
}

impl Siege {
    fn new() -> Self {
        let deck = Deck::new();
        let good = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
        let gone = deck.user_token("ana.ruiz", "gone");
        deck.publish();
        let mut gateway = deck.gateway("edge-7a");
        gateway.start_ready();
        let admin = deck.admin();
        let old = admin.retained(&topic(&deck, GroupTopic::Manifest));
        deck.disable(&gone);
        gateway.reaches(deck.publish());

        Self { deck, gateway, admin, good, gone, old }
    }

    /// Plants something on the topic of the manifest, and waits until that was refused.
    fn plant(&self, payload: &[u8]) -> String {
        let before = rejections(&self.gateway).len();
        self.admin.plant(&topic(&self.deck, GroupTopic::Manifest), payload);
        let all = until("the refusal in the audit", || {
            Some(rejections(&self.gateway)).filter(|all| all.len() > before)
        });

        all.last().cloned().expect("there is one more than before")
    }

    /// Plants many such things: the audit tells of the first of a kind, the log of each.
    fn plant_another(&self, payload: &[u8]) {
        let refusals = || self.gateway.log().matches(" refused").count();
        let before = refusals();
        self.admin.plant(&topic(&self.deck, GroupTopic::Manifest), payload);
        until("the refusal in the log", || (refusals() > before).then_some(()));
    }

    /// Nothing wider is allowed than before, and the agent is well.
    fn holds(&self, version: u64) {
        self.holds_and_is(version, "fresh\n");
    }

    /// The same, and what it says of itself: a beacon tells it what is withheld.
    fn holds_and_is(&self, version: u64, readiness: &str) {
        assert_eq!(self.gateway.allows(&self.gone, "manage_device"), Some(false));
        assert_eq!(self.gateway.allows(&self.good, "manage_device"), Some(true));
        assert_eq!(self.gateway.version(), Some(version));
        assert_eq!(self.gateway.get("/readyz").text(), readiness);
    }

    /// What is published next is taken.
    fn goes_on(&self) {
        drop(self.deck.user_token("ana.ruiz", "next"));
        self.mend();
        self.gateway.reaches(self.deck.publish());
        self.holds(3);
    }

    /// Puts back what the control plane had published, so that it publishes again.
    fn mend(&self) {
        let manifest = self.deck.dir().join("state/published/plant-7/manifest");
        if let Ok(envelope) = std::fs::read(manifest) {
            let topic = topic(&self.deck, GroupTopic::Manifest);
            self.admin.plant(&topic, &message(&envelope));
        }
    }
}

/// Frames a signed manifest as it travels: its length, its bytes, no deltas.
fn message(envelope: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut length = envelope.len();
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).expect("seven bits"));
    bytes.extend_from_slice(envelope);
    bytes.push(0);

    bytes
}

pub(crate) fn topic(deck: &Deck, what: GroupTopic) -> String {
    topic_of(deck, "plant-7", what)
}

fn topic_of(deck: &Deck, group: &str, what: GroupTopic) -> String {
    let topics = GroupTopics::new(deck.account(), group).expect("a good name");

    topics.topic(what).to_string()
}

/// Returns what the gateway says it has refused, oldest first.
pub(crate) fn rejections(gateway: &Gateway) -> Vec<String> {
    events(gateway, "snapshot_rejected")
}

/// Returns what the gateway's audit says of one kind of event, oldest first.
pub(crate) fn events(gateway: &Gateway, action: &str) -> Vec<String> {
    let tail = gateway.cli(&["audit", "tail", "-n", "1000", "--format", "json"]);
    let records = tail.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());

    records
        .filter(|record| record["decision"] == "event" && record["action"] == action)
        .map(|record| record["resource"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn h5_an_older_snapshot_is_refused_also_after_a_restart() {
    let mut siege = Siege::new();

    let why = siege.plant(&siege.old);
    assert!(why.starts_with("rollback"), "{why}");
    siege.holds(2);
    // It is retained, so it comes again with every connection.
    assert!(siege.gateway.stop().success());
    let before = rejections(&siege.gateway).len();
    siege.gateway.start_ready();
    until("the refusal after a restart", || {
        (rejections(&siege.gateway).len() > before).then_some(())
    });
    siege.holds(2);
    siege.goes_on();
}

#[test]
fn h2_a_bit_flipped_anywhere_in_a_manifest_is_refused() {
    let siege = Siege::new();
    let good = siege.admin.retained(&topic(&siege.deck, GroupTopic::Manifest));
    drop(siege.deck.user_token("ana.ruiz", "third"));

    // The first and last bytes, and some between: each place is tried where it is cheaper. Deltas
    // that ride along are behind it; what is flipped there costs the delta alone.
    let signed = manifest::split(&good).expect("it is in force").envelope.len();
    let places = [0, 1, 2, 3, signed / 3, signed / 2, signed - 40, signed];
    for place in places {
        let mut flipped = good.clone();
        flipped[place] ^= 1;
        siege.plant_another(&flipped);
        siege.holds(2);
    }
    assert!(!rejections(&siege.gateway).is_empty());
    for nonsense in [&b"x"[..], &[0xff; 64], &vec![0; 100_000], &good[..good.len() - 1]] {
        siege.plant_another(nonsense);
        siege.holds(2);
    }
    siege.goes_on();
}

#[test]
fn h3_a_manifest_for_another_group_is_refused() {
    let siege = Siege::new();
    let other = siege.admin.retained(&topic_of(&siege.deck, "plant-8", GroupTopic::Manifest));

    let why = siege.plant(&other);

    assert!(why.contains("audience"), "{why}");
    siege.holds(2);
    siege.goes_on();
}

#[test]
fn h4_a_manifest_of_another_account_is_refused() {
    let siege = Siege::new();
    let stranger = Deck::new();
    let intruder = stranger.user("eve", &["--role", "iot_account_admin"]);
    stranger.publish();
    let foreign = stranger.admin().retained(&topic(&stranger, GroupTopic::Manifest));

    let why = siege.plant(&foreign);

    assert!(!why.is_empty());
    siege.holds(2);
    assert_eq!(siege.gateway.allows(&intruder, "manage_device"), Some(false), "F21");
    siege.goes_on();
}

#[test]
fn h7_the_same_version_with_another_content_is_refused() {
    let siege = Siege::new();
    // Somebody with the real keys and an older copy of the folder publishes version 2 once more.
    let copy = siege.deck.root().join("copy");
    copy_folder(&siege.deck.dir(), &copy);
    std::fs::remove_dir_all(copy.join("state")).expect("it was published");
    let dir = copy.display().to_string();
    let control = |words: &[&str]| {
        let mut command = Command::new(gateward_tests::built("gateward-control"));
        gateward_tests::run(command.args(words), b"").ok()
    };
    let other = loopback(
        &|url| {
            drop(control(&["publish", &dir, "--broker", url]));
            drop(control(&["token", "new", &dir, "--owner", "ana.ruiz", "--name", "forked"]));
            drop(control(&["publish", &dir, "--broker", url]));
        },
        &topic(&siege.deck, GroupTopic::Manifest),
    );

    let why = siege.plant(&other);

    assert!(why.starts_with("fork"), "{why}");
    siege.holds(2);
    siege.goes_on();
}

/// Lets `publish` publish to a broker in this process, and returns what is retained there.
fn loopback(publish: &dyn Fn(&str), topic: &str) -> Vec<u8> {
    use gateward_loopback_broker::{Access, Broker, Options};

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let broker = runtime
        .block_on(Broker::start(Options::plain(Access::everything())))
        .expect("loopback has a free port");
    publish(&format!("mqtt://{}", broker.address()));

    broker.retained(topic).expect("it was published")
}

fn copy_folder(from: &Path, to: &Path) {
    let ran = gateward_tests::run(Command::new("cp").arg("-a").arg(from).arg(to), b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn h2_a_bit_flipped_in_a_chunk_or_in_the_list_is_refused_until_the_good_one_comes() {
    for piece in [false, true] {
        let mut siege = Siege::new();
        assert!(siege.gateway.stop().success());
        drop(siege.deck.user_token("ana.ruiz", "third"));
        // Without a delta every gateway fetches the whole file.
        let earlier = siege.deck.dir().join("state/published/plant-7/earlier");
        std::fs::remove_dir_all(earlier).expect("what deltas are made from");
        siege.deck.publish();
        let root = published_root(&siege.deck);
        let what = if piece {
            GroupTopic::List { root, piece: 0 }
        } else {
            GroupTopic::Chunk { root, index: 0 }
        };
        let place = topic(&siege.deck, what);
        let good = siege.admin.retained(&place);
        let mut flipped = good.clone();
        flipped[good.len() / 2] ^= 0x10;
        siege.admin.plant(&place, &flipped);

        let before = rejections(&siege.gateway).len();
        siege.gateway.start_ready();
        until("the refusal in the audit", || {
            (rejections(&siege.gateway).len() > before).then_some(())
        });
        siege.holds_and_is(2, "stale\n");
        siege.admin.plant(&place, &good);

        siege.gateway.reaches(3);
        siege.holds(3);
    }
}

/// Returns how the chunks of the newest snapshot of group `plant-7` are named.
fn published_root(deck: &Deck) -> [u8; 8] {
    let file = std::fs::read(deck.dir().join("state/published/plant-7/file")).expect("published");
    let opened = gateward_core::snapshot::chunk::leaf(0, &file);
    let length = u32::try_from(file.len()).expect("a small file");
    assert!(length <= 1 << 15, "one chunk");
    let root = gateward_core::snapshot::chunk::root(length, 15, core::iter::once(opened));

    root.short()
}

#[test]
fn a_gateway_cannot_publish_for_others_and_a_stranger_cannot_connect() {
    let siege = Siege::new();
    let manifest = topic(&siege.deck, GroupTopic::Manifest);
    // The broker takes a publish that its list forbids and drops it, so look at what is retained.
    let before = siege.admin.retained(&manifest);
    let thief = Admin::new(siege.gateway.etc(), siege.deck.broker.port());
    let client = |certificates: &Path, what: &[u8]| {
        let file = |name: &str| certificates.join(name).display().to_string();
        let port = siege.deck.broker.port().to_string();
        let mut command = Command::new("mosquitto_pub");
        command.args([
            "-V",
            "5",
            "-q",
            "1",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-r",
            "-s",
            "-t",
            &manifest,
        ]);
        command.args([
            "--cafile",
            &file("ca.pem"),
            "--cert",
            &file("client.pem"),
            "--key",
            &file("client.key"),
        ]);
        gateward_tests::run(&mut command, what)
    };
    drop(client(siege.gateway.etc(), &siege.old));
    assert_eq!(siege.admin.retained(&manifest), before);
    assert_eq!(thief.retained(&manifest), before, "it may read what its group is told");

    let stranger = Deck::new();
    let refused = client(&stranger.root().join("publisher"), &siege.old);
    assert_ne!(refused.code, 0);
    assert_eq!(siege.admin.retained(&manifest), before);
    siege.holds(2);
}
