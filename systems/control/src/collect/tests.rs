use std::fs;
use std::sync::Arc;
use std::time::Duration;

use gateward_agent::journal::Piece;
use gateward_agent::link::TrustedNow;
use gateward_agent::upload::batch;
use gateward_core::audit::{
    Event as AuditEvent, Head, MAX_RECORD, Outcome, Ratchet, Record, SnapshotName,
};
use gateward_core::decide::Reason;
use gateward_core::time::{TimeQuality, UnixSeconds};
use gateward_core::trust::{
    Checkpoint, GatewayId, Incarnation, KeySet, Receipt, SEALED_LEN, SigningKey,
};
use gateward_loopback_broker::{Access, Broker as Loopback, Options};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::access;
use crate::keys::{Chain, NewAccount};
use crate::testing::NOW;

const ACCOUNT: Uuid = Uuid([0x11; 16]);

/// A gateway that writes records, as far as a collector can tell.
#[derive(Clone)]
struct Gateway {
    enrolled: Enrolled,
    key: SigningKey,
    account: Uuid,
    ratchet: Ratchet,
    head: Head,
    seq: u64,
}

impl Gateway {
    fn new() -> Self {
        let key = SigningKey::from_bytes(&[0xc2; 32]);
        let enrolled = Enrolled {
            gateway: "edge-1".to_owned(),
            group: "plant-1".to_owned(),
            incarnation: Incarnation([0xc1; 8]),
            key: key.verifying_key(),
            audit: Ratchet::new([0xc3; 32]),
        };

        Self::of(enrolled, key, ACCOUNT)
    }

    fn of(enrolled: Enrolled, key: SigningKey, account: Uuid) -> Self {
        let ratchet = enrolled.audit.clone();

        Self { enrolled, key, account, ratchet, head: Head::START, seq: 0 }
    }

    fn id(&self) -> GatewayId {
        self.enrolled.id(self.account)
    }

    fn nothing(&self) -> Held {
        Held::nothing(&self.enrolled, 0)
    }

    /// Writes that many records and returns the message with them.
    fn write(&mut self, count: u64) -> Vec<u8> {
        self.write_as(count, |_| {})
    }

    fn write_as(&mut self, count: u64, change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let before = self.head;
        let first = self.seq + 1;
        let mut records = Vec::new();
        for _ in 0..count {
            self.seq += 1;
            let mut record = Record { seq: self.seq, ..Record::new(Outcome::Allow(Reason::Ok)) };
            if self.seq == 1 {
                record = Record {
                    snapshot: Some(SnapshotName { epoch: 1, number: 7, root: [9; 32] }),
                    ..Record { seq: 1, ..Record::new(Outcome::Event(AuditEvent::Start)) }
                };
            }
            let mut buffer = [0; MAX_RECORD];
            let len = record.encode(&mut buffer).unwrap();
            self.head = self.head.next(&buffer[..len]);
            records.extend(u16::try_from(len).unwrap().to_le_bytes());
            records.extend(&buffer[..len]);
            records.extend(self.ratchet.tag(&self.head));
            self.ratchet.step();
        }
        change(&mut records);
        let piece =
            Piece { first, last: self.seq, before, after: self.head, snapshot: None, records };

        batch::encode(self.id(), self.enrolled.incarnation, &piece, &self.checkpoint()).unwrap()
    }

    fn checkpoint(&self) -> Vec<u8> {
        let checkpoint = Checkpoint {
            gateway: self.id(),
            incarnation: self.enrolled.incarnation,
            number: self.seq,
            head: self.head,
            time: UnixSeconds(1),
            boot: 1,
        };

        checkpoint.sign(self.account, &self.key, &mut [0; SEALED_LEN]).unwrap().to_vec()
    }

    fn take(&self, held: &Held, message: &[u8]) -> held::Taken {
        held.take(&Batch::decode(message).unwrap(), &self.enrolled, self.account)
    }
}

#[test]
fn records_are_taken_once_and_in_order() {
    let mut gateway = Gateway::new();
    let (one, two) = (gateway.write(3), gateway.write(4));
    let first = gateway.take(&gateway.nothing(), &one);
    assert_eq!((first.held.through, first.lines.lines().count(), first.trouble), (3, 3, None));

    let again = gateway.take(&first.held, &one);
    assert_eq!((again.held.through, again.lines.as_str(), again.trouble), (3, "", None));
    let second = gateway.take(&first.held, &two);
    assert_eq!((second.held.through, second.held.head), (7, gateway.head));
    assert!(second.lines.starts_with(r#"{"seq":4,"#), "{}", second.lines);
    assert_eq!(second.held.snapshot.unwrap().number, 7);
}

#[test]
fn a_batch_that_overlaps_adds_only_what_is_new() {
    let mut gateway = Gateway::new();
    let mut twin = gateway.clone();
    let held = gateway.take(&gateway.nothing(), &gateway.clone().write(3)).held;
    gateway.write(3);
    let longer = twin.write(5);
    let taken = gateway.take(&held, &longer);

    assert_eq!((taken.held.through, taken.lines.lines().count(), taken.trouble), (5, 2, None));
}

#[test]
fn i9_a_gap_is_named_and_nothing_behind_it_is_taken() {
    let mut gateway = Gateway::new();
    let one = gateway.write(2);
    let _lost = gateway.write(3);
    let three = gateway.write(1);
    let held = gateway.take(&gateway.nothing(), &one).held;
    let taken = gateway.take(&held, &three);

    assert_eq!(taken.trouble, Some(Trouble::Gap { first: 3, last: 5 }));
    assert_eq!((taken.held.through, taken.lines.as_str()), (2, ""));
}

#[test]
fn i9_a_record_that_was_altered_has_no_tag_and_what_stood_before_it_is_kept() {
    let mut gateway = Gateway::new();
    // The last byte is the tag of the last record.
    let message = gateway.write_as(3, |records| *records.last_mut().unwrap() ^= 1);
    let taken = gateway.take(&gateway.nothing(), &message);

    assert_eq!(taken.trouble, Some(Trouble::ForgedTag(3)));
    assert_eq!((taken.held.through, taken.lines.lines().count()), (2, 2));
}

#[test]
fn who_knows_the_chain_but_not_the_key_can_add_nothing() {
    let mut gateway = Gateway::new();
    let held = gateway.take(&gateway.nothing(), &gateway.clone().write(3)).held;
    gateway.write(3);
    let mut forger = Gateway { ratchet: Ratchet::new([0; 32]), ..gateway.clone() };
    let taken = gateway.take(&held, &forger.write(2));

    assert_eq!((taken.trouble, taken.held.through), (Some(Trouble::ForgedTag(4)), 3));
}

#[test]
fn a_journal_that_was_replaced_is_a_fork() {
    let mut gateway = Gateway::new();
    let held = gateway.take(&gateway.nothing(), &gateway.clone().write(3)).held;
    let mut other = Gateway::new();
    let forked = other.write_as(1, |_| {});
    let longer = {
        let mut other = Gateway { head: Head([1; 32]), ..Gateway::new() };
        other.write(5)
    };
    assert_eq!(gateway.take(&held, &forked).trouble, None, "an old record, not compared again");
    assert_eq!(gateway.take(&held, &longer).trouble, Some(Trouble::Fork(3)));

    gateway.write(3);
    let mut moved = Gateway { head: Head([2; 32]), ..gateway.clone() };
    let taken = gateway.take(&held, &moved.write(1));
    assert_eq!((taken.trouble, taken.held.through), (Some(Trouble::Fork(4)), 3));
}

#[test]
fn a_batch_of_another_enrolment_or_gateway_is_refused() {
    let mut gateway = Gateway::new();
    let held = gateway.nothing();
    let mut again = gateway.clone();
    again.enrolled.incarnation = Incarnation([2; 8]);
    assert_eq!(gateway.take(&held, &again.write(1)).trouble, Some(Trouble::OtherEnrolment));
    let mut other = gateway.clone();
    other.enrolled.gateway = "edge-2".to_owned();
    assert_eq!(gateway.take(&held, &other.write(1)).trouble, Some(Trouble::OtherEnrolment));
    assert_eq!(gateway.take(&held, &gateway.clone().write(1)).trouble, None);
    gateway.write(1);
}

#[test]
fn a_checkpoint_that_the_gateway_did_not_sign_is_noticed() {
    let gateway = Gateway::new();
    let mut forger = Gateway { key: SigningKey::from_bytes(&[1; 32]), ..gateway.clone() };
    let taken = gateway.take(&gateway.nothing(), &forger.write(2));

    assert_eq!((taken.trouble, taken.held.through), (Some(Trouble::BadCheckpoint(2)), 2));
}

#[test]
fn what_a_crash_left_uncounted_is_cut_off_and_comes_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut gateway = Gateway::new();
    let (one, two) = (gateway.write(2), gateway.write(2));
    let mut store = Store::open(dir.path()).unwrap();
    let taken = gateway.take(&store.held(&gateway.enrolled).unwrap(), &one);
    store.append("edge-1", &taken.lines, taken.held).unwrap();
    drop(store);
    let lines = lines_path(dir.path(), "edge-1");
    let whole = fs::read_to_string(&lines).unwrap();
    fs::write(&lines, format!("{whole}{{\"seq\":3,")).unwrap();

    let mut store = Store::open(dir.path()).unwrap();
    let held = store.held(&gateway.enrolled).unwrap();
    assert_eq!((held.through, held.snapshot.unwrap().number), (2, 7));
    let taken = gateway.take(&held, &two);
    store.append("edge-1", &taken.lines, taken.held).unwrap();
    let text = fs::read_to_string(&lines).unwrap();
    let numbers: Vec<u64> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap()
        })
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    drop(store);

    fs::write(&lines, &text[..text.len() / 2]).unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    assert!(matches!(store.held(&gateway.enrolled), Err(CollectFailed::CutShort { .. })));
    drop(store);

    fs::write(&lines, &text).unwrap();
    let state = store_state(dir.path());
    fs::remove_file(&state).unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    assert!(matches!(store.held(&gateway.enrolled), Err(CollectFailed::StateLost { .. })));
    assert_eq!(fs::read_to_string(&lines).unwrap(), text);
}

/// What the collector knows of `edge-1`.
fn store_state(folder: &Path) -> PathBuf {
    fs::read_dir(folder.join("state"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains("edge-1")))
        .unwrap()
}

#[test]
fn one_collector_works_in_a_folder() {
    let dir = tempfile::tempdir().unwrap();
    let held = Store::open(dir.path()).unwrap();
    assert!(matches!(Store::open(dir.path()), Err(CollectFailed::NotLocked(NotLocked::Busy))));
    drop(held);

    assert!(Store::open(dir.path()).is_ok());
}

#[test]
fn the_same_trouble_again_is_no_news() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let mut note = |trouble| store.note("edge-1", &trouble, NOW).unwrap();

    assert!(note(Trouble::Fork(3)) && !note(Trouble::Fork(3)) && note(Trouble::Unknown));
    let text = fs::read_to_string(dir.path().join("events.jsonl")).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(text.contains(r#""event":"fork""#), "{text}");
}

/// A broker with access list, an account with one gateway, and a collector.
struct World {
    dir: TempDir,
    broker: Loopback,
    gateway: Gateway,
    keys: KeySet,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let policy = dir.path().join("acme");
        let name = "Acme".to_owned();
        let new = NewAccount { dir: policy.clone(), name, roots: None, now_ms: NOW.0 * 1000 };
        let account = keys::init(&new).unwrap().account;
        let mut gateway = Gateway::of(Gateway::new().enrolled, Gateway::new().key, account);
        gateway.enrolled.save(&policy).unwrap();
        gateway.seq = 0;
        // Without TLS a client is the user it says, and the link says none.
        let lines = access::collector(account).replace("user collector\n", "")
            + &access::gateway(account, "plant-1", "edge-1").unwrap().replace("user edge-1\n", "");
        let broker = Loopback::start(Options::plain(Access::parse(&lines).unwrap())).await.unwrap();
        let keys = Chain::load(&policy, account).unwrap().newest().clone();

        Self { dir, broker, gateway, keys }
    }

    fn options(&self) -> CollectOptions {
        let url = format!("mqtt://{}", self.broker.address()).parse().unwrap();

        CollectOptions {
            dir: self.dir.path().join("acme"),
            reach: Reach { url, tls: None },
            out: self.out(),
        }
    }

    fn out(&self) -> PathBuf {
        self.dir.path().join("audit")
    }

    async fn collect(&self) -> (oneshot::Sender<()>, JoinHandle<Result<(), CollectFailed>>) {
        let collector = Collector::open(&self.options()).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stop_signal = async {
            let _ = stopped.await;
        };

        (stop, tokio::spawn(collector.run(stop_signal)))
    }
}

#[tokio::test]
async fn a_collector_whose_key_no_gateway_believes_does_not_start() {
    let world = World::new().await;
    let path = keys::secret_path(&world.dir.path().join("acme"), Role::Collector);
    let text = fs::read_to_string(&path).unwrap();
    let (head, _) = text.trim_end().rsplit_once(' ').unwrap();
    fs::write(&path, format!("{head} {}\n", "11".repeat(32))).unwrap();

    let refused = Collector::open(&world.options()).unwrap_err().to_string();

    assert!(refused.contains("may not sign for the newest key set"), "{refused}");
}

/// The gateway's end of the line.
struct Line {
    handle: Handle,
    events: mpsc::Receiver<Event>,
    audit: String,
    link: JoinHandle<()>,
}

impl Line {
    async fn new(world: &World) -> Self {
        let topics = GatewayTopics::new(world.gateway.account, "edge-1").unwrap();
        let config = LinkConfig {
            url: world.options().reach.url,
            tls: None,
            client_id: "edge-1".to_owned(),
            keep_alive: Duration::from_secs(30),
            max_payload: 131_072,
            will: Arc::new(|| None),
            verify_time: Arc::new(|| TrustedNow { unix_seconds: NOW.0, check_not_before: true }),
        };
        let (link, events, handle) = link::connect(config);
        let link = tokio::spawn(async {
            let _ = link.run(std::future::pending()).await;
        });
        handle.until_up().await.unwrap();
        handle.try_subscribe(&[&topics.topic(GatewayTopic::Receipt)]).unwrap();
        let audit = topics.topic(GatewayTopic::Audit).to_string();

        Self { handle, events, audit, link }
    }

    /// Sends again and again, as a gateway does, until a receipt goes through the number.
    async fn delivers(&mut self, world: &World, messages: &[Vec<u8>], through: u64) -> Receipt {
        let work = async {
            loop {
                for message in messages {
                    self.handle.try_publish(&self.audit, message.clone(), false).unwrap();
                }
                if let Ok(Some(receipt)) =
                    timeout(Duration::from_millis(300), self.hears(world, through)).await
                {
                    return receipt;
                }
            }
        };

        timeout(Duration::from_secs(20), work).await.unwrap()
    }

    async fn hears(&mut self, world: &World, through: u64) -> Option<Receipt> {
        let Gateway { enrolled, .. } = &world.gateway;
        while let Some(event) = self.events.recv().await {
            let Event::Message { payload, .. } = event else { continue };
            let receipt =
                Receipt::verify(&payload, &world.keys, world.gateway.id(), enrolled.incarnation)
                    .unwrap();
            if receipt.through() == through {
                return Some(receipt);
            }
        }

        None
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.link.abort();
    }
}

#[tokio::test]
async fn what_arrives_is_on_disk_before_its_receipt_and_survives_the_collector() {
    let mut world = World::new().await;
    let (stop, collector) = world.collect().await;
    let mut line = Line::new(&world).await;
    let first = world.gateway.write(5);
    let head = world.gateway.head;
    let receipt = line.delivers(&world, std::slice::from_ref(&first), 5).await;
    assert_eq!((receipt.through(), receipt.head()), (5, head));
    let lines = lines_path(&world.out(), "edge-1");
    assert_eq!(fs::read_to_string(&lines).unwrap().lines().count(), 5);
    stop.send(()).unwrap();
    collector.await.unwrap().unwrap();

    // Another collector goes on, knows the first batch and takes the second.
    let (stop, collector) = world.collect().await;
    let second = world.gateway.write(2);
    line.delivers(&world, &[first, second], 7).await;
    assert_eq!(fs::read_to_string(&lines).unwrap().lines().count(), 7);
    stop.send(()).unwrap();
    collector.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_receipt_covers_only_the_prefix_without_a_gap() {
    let mut world = World::new().await;
    let (stop, collector) = world.collect().await;
    let mut line = Line::new(&world).await;
    let first = world.gateway.write(2);
    let missing = world.gateway.write(2);
    let third = world.gateway.write(2);
    line.delivers(&world, &[third.clone(), first.clone(), third.clone()], 2).await;
    let events = fs::read_to_string(world.out().join("events.jsonl")).unwrap();
    assert!(events.contains(r#""event":"gap""#), "{events}");

    line.delivers(&world, &[missing, third], 6).await;
    stop.send(()).unwrap();
    collector.await.unwrap().unwrap();
}

#[tokio::test]
async fn n9_neither_lines_nor_events_hold_a_key() {
    let mut world = World::new().await;
    let (stop, collector) = world.collect().await;
    let mut line = Line::new(&world).await;
    let (good, bad) = (world.gateway.write(1), vec![0xff; 40]);
    line.delivers(&world, &[bad, good], 1).await;
    stop.send(()).unwrap();
    collector.await.unwrap().unwrap();

    let key = "c3".repeat(32);
    for name in ["edge-1.jsonl", "events.jsonl"] {
        let text = fs::read_to_string(world.out().join(name)).unwrap();
        assert!(!text.is_empty() && !text.contains(&key), "{name}");
    }
    assert!(!format!("{:?}", Collector::open(&world.options()).unwrap()).contains(&key));
}

impl World {
    /// The broker brings what a gateway signed.
    fn says(&self, gateway: &Gateway, change: impl FnOnce(&mut Status)) -> Vec<u8> {
        let mut status = Status {
            gateway: gateway.id(),
            incarnation: gateway.enrolled.incarnation,
            boot: 4,
            keyset: 1,
            version: 7,
            root8: [1; 8],
            revoked_counter: 2,
            floor_time: NOW,
            audit_number: 0,
            audit_head: Head::START,
            backlog: 0,
            time_quality: TimeQuality::Synced,
            gone: false,
        };
        change(&mut status);
        let mut buffer = [0; SEALED_LEN];

        status.sign(gateway.account, &gateway.key, &mut buffer).unwrap().to_vec()
    }

    fn work(&self) -> Work {
        Collector::open(&self.options()).unwrap().work
    }

    fn events(&self) -> Vec<String> {
        let text = fs::read_to_string(self.out().join("events.jsonl")).unwrap_or_default();

        text.lines().map(ToOwned::to_owned).collect()
    }
}

#[tokio::test]
async fn h5_a_gateway_that_leaves_raises_no_alarm_and_one_that_comes_back_older_does() {
    let world = World::new().await;
    let gateway = world.gateway.clone();
    let mut work = world.work();
    let good = world.says(&gateway, |_| {});
    let will = world.says(&gateway, |status| (status.version, status.gone) = (3, true));
    work.status("edge-1", &good).unwrap();
    work.status("edge-1", &will).unwrap();
    assert_eq!(world.events(), Vec::<String>::new());
    assert_eq!(fs::read(world.out().join("status/edge-1")).unwrap(), will);

    let older = world.says(&gateway, |status| (status.boot, status.version) = (5, 6));
    work.status("edge-1", &older).unwrap();
    let events = world.events();
    assert!(
        events.len() == 1 && events[0].contains("version 6, and it had reported 7"),
        "{events:?}"
    );
    assert_eq!(fs::read(world.out().join("status/edge-1")).unwrap(), will);
}

#[tokio::test]
async fn h7_the_collector_sees_two_roots_though_the_second_gateway_was_enrolled_since() {
    let world = World::new().await;
    let gateway = world.gateway.clone();
    let mut work = world.work();
    work.status("edge-1", &world.says(&gateway, |_| {})).unwrap();
    // Unknown when the collector started, then enrolled, then enrolled again with another key.
    let mut second = gateway;
    second.enrolled.gateway = "edge-2".to_owned();
    for seed in [1, 2] {
        second.key = SigningKey::from_bytes(&[seed; 32]);
        second.enrolled.key = second.key.verifying_key();
        second.enrolled.incarnation = Incarnation([seed; 8]);
        second.enrolled.save(&world.options().dir).unwrap();
        let root8 = [seed + 1; 8];
        let said = world.says(&second, |status| status.root8 = root8);
        work.status("edge-2", &said).unwrap();
        let events = world.events();
        assert_eq!(events.len(), usize::from(seed), "{events:?}");
        assert!(events.iter().all(|one| one.contains(r#""event":"two_roots""#)), "{events:?}");
    }
}
