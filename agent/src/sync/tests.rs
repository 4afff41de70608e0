//! The task against a broker that is a few lines long.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use gateward_core::audit::{Head, Ratchet};
use gateward_core::time::UnixSeconds;
use gateward_core::trust::{Floor, GatewayId, Incarnation, SigningKey, Status};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::clock::Simulated;
use crate::identity::Identity;
use crate::journal;
use crate::store::testing::{ACCOUNT, Authority, GROUP, Published, T0};
use crate::store::{Current, Place};

mod delta;
mod import;
mod news;

const SEED: [u8; 32] = [9; 32];

#[tokio::test]
async fn a_first_snapshot_is_fetched_put_in_force_and_said_in_the_status() {
    let mut gateway = Gateway::new();
    let snapshot = gateway.authority.publish(7, 1_000);
    gateway.broker.retain(&snapshot);

    gateway.connect().await;
    gateway.wait_for(&accepted(7, &snapshot)).await;

    assert_eq!(gateway.in_force(), Some(7));
    let status = gateway.status(|status| status.version == 7).await;
    assert_eq!(status.root8, snapshot.root());
    assert_eq!((status.keyset, status.boot, status.gone), (1, 1, false));
    gateway.stop().await;
}

#[tokio::test]
async fn h5_a_replayed_older_snapshot_is_refused_and_reported_once() {
    let mut gateway = Gateway::new();
    let (old, new) = (gateway.authority.publish(1, 3), gateway.authority.publish(2, 4));
    gateway.broker.retain(&new);
    gateway.connect().await;
    gateway.wait_for(&accepted(2, &new)).await;

    for _ in 0..3 {
        gateway.broker.publish("manifest", old.message());
    }
    let newer = gateway.authority.publish(3, 5);
    gateway.broker.retain(&newer);

    let seen = gateway.wait_for(&accepted(3, &newer)).await;
    let rejected = seen.iter().filter(|notice| is_rejected(notice, "rollback")).count();
    assert_eq!(rejected, 1, "{seen:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn h2_what_is_altered_or_rubbish_is_refused_and_the_old_one_stays() {
    let mut gateway = Gateway::new();
    let old = gateway.authority.publish(1, 3);
    gateway.broker.retain(&old);
    gateway.connect().await;
    gateway.wait_for(&accepted(1, &old)).await;

    let mut forged = gateway.authority.publish(2, 4).message();
    let last = forged.len() - 5;
    forged[last] ^= 1;
    gateway.broker.publish("manifest", forged);
    gateway.broker.publish("manifest", b"rubbish".to_vec());
    gateway.broker.publish("keys", b"rubbish".to_vec());

    gateway.wait_until(|notice| is_rejected(notice, "bad_signature")).await;
    gateway.wait_until(|notice| is_rejected(notice, "malformed")).await;
    assert_eq!(gateway.in_force(), Some(1));
    gateway.stop().await;
}

#[tokio::test]
async fn h18_the_highest_version_wins_in_whatever_order_they_arrive() {
    let mut gateway = Gateway::new();
    let (old, new) = (gateway.authority.publish(1, 300), gateway.authority.publish(2, 400));
    gateway.broker.retain(&old);
    gateway.broker.retain(&new);
    gateway.connect().await;
    for message in [old.message(), new.message(), old.message(), new.message()] {
        gateway.broker.publish("manifest", message);
    }

    gateway.wait_for(&accepted(2, &new)).await;
    let last = gateway.authority.publish(3, 1);
    gateway.broker.retain(&last);
    gateway.wait_for(&accepted(3, &last)).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_refreshed_manifest_makes_the_snapshot_valid_for_longer_without_fetching_it() {
    let mut gateway = Gateway::new();
    let one = gateway.authority.publish(1, 300);
    gateway.broker.retain(&one);
    gateway.connect().await;
    gateway.wait_for(&accepted(1, &one)).await;
    let before = gateway.broker.subscriptions();

    let later = gateway.authority.refresh(1, &one, 40);
    gateway.broker.publish("manifest", later.message());

    gateway.wait_until(|notice| matches!(notice, Notice::Refreshed { .. })).await;
    let current = gateway.current.borrow().clone().unwrap();
    assert_eq!(current.verified.manifest().issued_at(), T0.plus(41));
    assert_eq!(gateway.broker.subscriptions(), before);
    gateway.stop().await;
}

#[tokio::test]
async fn h13_h14_a_snapshot_that_grows_stale_and_expires_is_told_once_each() {
    let mut gateway = Gateway::new();
    let day = 86_400;
    let file = gateway.authority.publish(1, 3).file;
    // Stale in 30 seconds, before anything else is due.
    let one = gateway.authority.sign(1, 1, UnixSeconds(T0.0 + 90 - day), file);
    gateway.broker.retain(&one);
    gateway.connect().await;
    gateway.wait_for(&accepted(1, &one)).await;
    let (version, root) = (Version { epoch: 1, number: 1 }, one.whole_root());
    let (stale, expired) = (Notice::Stale { version, root }, Notice::Expired { version, root });
    let told = |seen: &[Notice], what| seen.iter().filter(|notice| *notice == what).count();

    gateway.clock.advance(30_000);
    gateway.wait_for(&stale).await;
    gateway.clock.advance(day * 1_000);
    let later = gateway.authority.refresh(1, &one, day);
    gateway.broker.publish("manifest", later.message());
    let seen = gateway.wait_until(|notice| matches!(notice, Notice::Refreshed { .. })).await;
    assert_eq!(told(&seen, &stale), 0, "{seen:?}");

    gateway.clock.advance(day * 1_000);
    let seen = gateway.wait_for(&stale).await;
    assert_eq!(told(&seen, &expired), 0, "{seen:?}");
    gateway.clock.advance(6 * day * 1_000);
    let seen = gateway.wait_for(&expired).await;
    assert_eq!(told(&seen, &stale), 0, "{seen:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_compromised_key_ends_its_snapshot_at_once_and_the_next_epoch_brings_another() {
    let mut gateway = Gateway::new();
    let file = gateway.authority.publish(1, 3).file;
    let one = gateway.authority.sign(1, u64::MAX, T0.plus(1), file);
    gateway.broker.retain(&one);
    gateway.connect().await;
    gateway.wait_for(&accepted(u64::MAX, &one)).await;

    gateway.broker.publish("keys", gateway.authority.key_set_after_theft());
    gateway.wait_for(&Notice::KeysAccepted { epoch: 2 }).await;
    assert_eq!(gateway.in_force(), None);

    // A lower number: a new epoch recovers from a fast-forward.
    let two = gateway.authority.sign(2, 5, T0.plus(50), one.file.clone());
    gateway.broker.retain(&two);
    gateway.wait_until(|notice| matches!(notice, Notice::Accepted { .. })).await;
    assert_eq!(gateway.in_force(), Some(5));
    gateway.stop().await;
}

#[tokio::test]
async fn a_manifest_of_a_later_epoch_makes_the_gateway_fetch_the_key_set_first() {
    let mut gateway = Gateway::new();
    let file = gateway.authority.publish(1, 3).file;
    let two = gateway.authority.sign(2, 5, T0.plus(50), file);
    gateway.broker.retain(&two);
    gateway.broker.put("keys/2", gateway.authority.key_set_after_theft());

    gateway.connect().await;

    gateway.wait_for(&Notice::KeysAccepted { epoch: 2 }).await;
    gateway.wait_until(|notice| matches!(notice, Notice::Accepted { .. })).await;
    assert_eq!(gateway.in_force(), Some(5));
    gateway.stop().await;
}

#[tokio::test]
async fn a_lost_link_in_the_middle_costs_nothing_that_was_fetched() {
    let mut gateway = Gateway::new();
    let snapshot = gateway.authority.publish(1, 2_000);
    gateway.broker.retain(&snapshot);
    let held_back = format!("chunk/{}/5", hex(&snapshot.root()));
    let chunk = gateway.broker.forget(&held_back);
    gateway.connect().await;
    gateway.broker.wait_for_quiet().await;

    gateway.events.send(Event::Down).await.unwrap();
    gateway.broker.put(&held_back, chunk);
    let before = gateway.broker.subscriptions();
    gateway.connect().await;
    gateway.wait_for(&accepted(1, &snapshot)).await;

    let asked: Vec<_> = gateway.broker.asked().split_off(before);
    let chunks: Vec<_> = asked.iter().filter(|topic| topic.contains("/chunk/")).collect();
    assert_eq!(chunks.len(), 1, "{chunks:?}");
    gateway.stop().await;
}

/// One agent's sync task, with all that it needs.
struct Gateway {
    authority: Authority,
    broker: Broker,
    events: mpsc::Sender<Event>,
    imports: mpsc::Sender<Import>,
    notices: mpsc::Receiver<Notice>,
    current: Current,
    task: JoinHandle<Result<(), SyncFailed>>,
    clock: Simulated,
    _dir: tempfile::TempDir,
}

impl Gateway {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let simulated = Simulated::new(T0.plus(60));
        simulated.set_synchronised(true);
        let clock = Clock::simulated(&simulated);
        let time = Timekeeper::new(clock.clone(), &Floor::default());
        let now = time.reader().now();
        let (store, _) = Store::open(place(dir.path(), &authority), &now).unwrap();
        time.follow(store.floor());
        let (events, events_rx) = mpsc::channel(4_096);
        let (notices_tx, notices) = mpsc::channel(64);
        let (imports, imports_rx) = mpsc::channel(1);
        let broker = Broker::new(events.downgrade());
        broker.put("keys", authority.key_set());
        let (_, audit) = watch::channel(journal::Status {
            seq: 0,
            head: Head([0; 32]),
            bytes: 0,
            released: 0,
            full: false,
            failing: false,
        });
        let identity = Identity {
            gateway: "edge-7a".into(),
            incarnation: Incarnation([1; 8]),
            key: SigningKey::from_bytes(&SEED),
            audit: Ratchet::new([2; 32]),
        };
        let standing = Standing::new(ACCOUNT, identity, &store, audit, time.reader());
        let current = store.current();
        let parts = Parts {
            ask: broker.clone(),
            account: ACCOUNT,
            clock,
            events: events_rx,
            forward: None,
            group: GROUP.into(),
            imports: imports_rx,
            notices: notices_tx,
            standing: Arc::new(standing),
            store,
            time,
        };
        let task = tokio::spawn(Sync::new(parts).run());

        Self {
            authority,
            broker,
            events,
            imports,
            notices,
            current,
            task,
            clock: simulated,
            _dir: dir,
        }
    }

    async fn connect(&self) {
        self.events.send(Event::Up { max_payload: 131_072 }).await.unwrap();
    }

    fn in_force(&self) -> Option<u64> {
        let current = self.current.borrow().clone();
        current.map(|current| current.verified.manifest().version().number)
    }

    async fn wait_for(&mut self, wanted: &Notice) -> Vec<Notice> {
        self.wait_until(|notice| notice == wanted).await
    }

    /// Returns every notice up to the one that is wanted.
    async fn wait_until(&mut self, wanted: impl Fn(&Notice) -> bool) -> Vec<Notice> {
        let mut seen = Vec::new();
        let found = timeout(Duration::from_secs(10), async {
            while let Some(notice) = self.notices.recv().await {
                seen.push(notice.clone());
                if wanted(&notice) {
                    return;
                }
            }
        });
        assert!(found.await.is_ok(), "only {seen:?}");
        seen
    }

    async fn status(&self, wanted: impl Fn(&Status) -> bool) -> Status {
        let key = SigningKey::from_bytes(&SEED).verifying_key();
        let gateway = GatewayId::of(ACCOUNT, "edge-7a");
        let topic = format!("gateward/v1/{ACCOUNT}/gateway/edge-7a/status");
        self.broker
            .until(|state| {
                let status = Status::verify(state.retained.get(&topic)?, &key, ACCOUNT, gateway);
                status.ok().filter(&wanted)
            })
            .await
    }

    /// Ends the task as the link would, and sees it end well.
    async fn stop(self) {
        drop(self.events);
        self.task.await.unwrap().unwrap();
    }
}

fn place(dir: &Path, authority: &Authority) -> Place {
    Place { account: ACCOUNT, group: GROUP.into(), dir: dir.into(), anchor: authority.key_set() }
}

fn accepted(number: u64, snapshot: &Published) -> Notice {
    Notice::Accepted { version: Version { epoch: 1, number }, root: snapshot.whole_root() }
}

fn is_rejected(notice: &Notice, wanted: &str) -> bool {
    matches!(notice, Notice::Rejected { code, .. } if *code == wanted)
}

fn hex(bytes: &[u8]) -> String {
    gateward_core::name::Hex(bytes).to_string()
}

/// Retains, and delivers to exact names.
#[derive(Clone)]
struct Broker {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<()>,
    events: mpsc::WeakSender<Event>,
}

#[derive(Default)]
struct State {
    retained: BTreeMap<String, Vec<u8>>,
    subscribed: BTreeSet<String>,
    asked: Vec<String>,
}

impl Broker {
    fn new(events: mpsc::WeakSender<Event>) -> Self {
        Self { state: Arc::default(), changed: watch::Sender::new(()), events }
    }

    fn name(what: &str) -> String {
        format!("gateward/v1/{ACCOUNT}/{GROUP}/{what}")
    }

    /// Keeps a message for whoever subscribes later.
    fn put(&self, what: &str, payload: Vec<u8>) {
        self.state.lock().unwrap().retained.insert(Self::name(what), payload);
    }

    fn forget(&self, what: &str) -> Vec<u8> {
        self.state.lock().unwrap().retained.remove(&Self::name(what)).unwrap()
    }

    /// Keeps a message, and delivers it to whoever subscribed before.
    fn publish(&self, what: &str, payload: Vec<u8>) {
        self.put(what, payload.clone());
        let topic = Self::name(what);
        if self.state.lock().unwrap().subscribed.contains(&topic) {
            self.deliver(topic, payload);
        }
    }

    /// Publishes a snapshot: the manifest last.
    fn retain(&self, snapshot: &Published) {
        self.retain_as(snapshot, snapshot.message());
    }

    /// Publishes a snapshot with any message on the topic `manifest`.
    fn retain_as(&self, snapshot: &Published, message: Vec<u8>) {
        let root = hex(&snapshot.root());
        self.put(&format!("chunk/{root}/l0"), snapshot.hashes());
        for (index, chunk) in snapshot.file.chunks(4096).enumerate() {
            self.put(&format!("chunk/{root}/{index}"), chunk.to_vec());
        }
        self.publish("manifest", message);
    }

    fn deliver(&self, topic: String, payload: Vec<u8>) {
        if let Some(events) = self.events.upgrade() {
            let message = Event::Message { topic, payload: payload.into(), retain: true };
            events.try_send(message).unwrap();
        }
    }

    fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }

    fn subscriptions(&self) -> usize {
        self.asked().len()
    }

    async fn until<R>(&self, seen: impl Fn(&State) -> Option<R>) -> R {
        let mut changed = self.changed.subscribe();
        let found = timeout(Duration::from_secs(10), async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = seen(&self.state.lock().unwrap()) {
                    return found;
                }
                changed.changed().await.unwrap();
            }
        });
        found.await.expect("the broker saw it in time")
    }

    /// Waits until every chunk that is retained was asked for.
    async fn wait_for_quiet(&self) {
        self.until(|state| {
            let mut chunks = state.retained.keys().filter(|topic| topic.contains("/chunk/"));
            chunks.all(|topic| state.asked.contains(topic)).then_some(())
        })
        .await;
    }
}

impl Ask for Broker {
    fn subscribe(&self, topics: &[&str]) {
        assert!(topics.len() <= 8);
        for topic in topics.iter().map(ToString::to_string) {
            let mut state = self.state.lock().unwrap();
            state.subscribed.insert(topic.clone());
            state.asked.push(topic.clone());
            let retained = state.retained.get(&topic).cloned();
            drop(state);
            if let Some(payload) = retained {
                self.deliver(topic, payload);
            }
        }
        self.changed.send_replace(());
    }

    fn unsubscribe(&self, topics: &[&str]) {
        self.state.lock().unwrap().subscribed.retain(|topic| !topics.contains(&topic.as_str()));
    }

    fn publish_retained(&self, topic: &str, payload: Vec<u8>) -> bool {
        self.state.lock().unwrap().retained.insert(topic.to_owned(), payload);
        self.changed.send_replace(());
        true
    }
}
