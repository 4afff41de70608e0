//! The task against a broker that is a few lines long.

use std::path::Path;
use std::time::Duration;

use gateward_core::audit::{Head, Ratchet};
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
use broker::Broker;

mod broker;
mod delta;
mod import;
mod keys;
mod news;
mod snapshots;

const SEED: [u8; 32] = [9; 32];

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
    dir: tempfile::TempDir,
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
            written: 0,
            seq: 0,
            head: Head([0; 32]),
            bytes: 0,
            released: 0,
            full: false,
            failing: false,
            no_space: false,
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

        Self { authority, broker, events, imports, notices, current, task, clock: simulated, dir }
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
