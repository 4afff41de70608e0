//! What a collector takes, keeps and signs for; the gateway is a few lines that write records as a real
//! one does.

mod batches;
mod folder;
mod holes;
mod hung;
mod late;
mod proof;
mod receipts;
mod restored;
mod status;

use gateward_agent::journal::Piece;
use gateward_agent::link::{Event, Handle};
use gateward_agent::upload::batch::{self, Batch};
use gateward_core::audit::{
    Event as AuditEvent, Head, MAX_RECORD, Outcome, Ratchet, Record, SnapshotName, UnixMillis,
};
use gateward_core::decide::Reason;
use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;
use gateward_core::topic::{GatewayTopic, GatewayTopics};
use gateward_core::trust::{
    Checkpoint, GatewayId, Incarnation, KeySet, Role, SEALED_LEN, SigningKey, Status,
};
use gateward_loopback_broker::{Access, Broker as Loopback, Options};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::bound::{MOST_BROUGHT, MOST_EVENTS};
use super::folder::Lines;
use super::held::{Held, Told, Trouble};
use super::hole::Hole;
use super::presence::Presence;
use super::store::New;
use super::*;
use crate::access;
use crate::enroll::Enrolled;
use crate::keys::{self, Chain, NewAccount};
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
        Held::nothing(&self.enrolled, (0, 0))
    }

    /// Writes that many records and returns the message with them.
    fn write(&mut self, count: u64) -> Vec<u8> {
        self.write_as(count, |_| {})
    }

    fn write_as(&mut self, count: u64, change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let piece = self.piece(count, change);

        self.seal(&piece, &self.checkpoint())
    }

    /// Writes records that go with the checkpoint that `sign` returns.
    fn write_signed(&mut self, count: u64, sign: impl Fn(&Self) -> Vec<u8>) -> Vec<u8> {
        let piece = self.piece(count, |_| {});

        self.seal(&piece, &sign(self))
    }

    fn seal(&self, piece: &Piece, checkpoint: &[u8]) -> Vec<u8> {
        batch::encode(self.id(), self.enrolled.incarnation, piece, checkpoint).unwrap()
    }

    /// Writes records about something else.
    fn write_as_another(&mut self, count: u64) -> Vec<u8> {
        self.write_at(&vec![77_000; usize::try_from(count).unwrap()])
    }

    /// Writes a record at each of these times, in milliseconds.
    fn write_at(&mut self, times: &[u64]) -> Vec<u8> {
        let piece = self.piece_at(times, |_| {});

        self.seal(&piece, &self.checkpoint())
    }

    /// Writes one record that owns up to a hole.
    fn own_up(&mut self, hole: (u64, u64)) -> Vec<u8> {
        let gap = Record { span: Some(hole), ..Record::new(Outcome::Event(AuditEvent::Gap)) };
        let piece = self.piece_of(&[gap], |_| {});

        self.seal(&piece, &self.checkpoint())
    }

    fn piece(&mut self, count: u64, change: impl Fn(&mut Vec<u8>)) -> Piece {
        self.piece_at(&vec![0; usize::try_from(count).unwrap()], change)
    }

    fn piece_at(&mut self, times: &[u64], change: impl Fn(&mut Vec<u8>)) -> Piece {
        let record = |(nth, time): (u64, &u64)| {
            let start = Record {
                snapshot: Some(SnapshotName { epoch: 1, number: 7, root: [9; 32] }),
                ..Record::new(Outcome::Event(AuditEvent::Start))
            };
            let is_first = self.seq + nth == 0;
            let record = if is_first { start } else { Record::new(Outcome::Allow(Reason::Ok)) };
            Record { created_at: UnixMillis(*time), ..record }
        };
        let records: Vec<_> = (0..).zip(times).map(record).collect();

        self.piece_of(&records, change)
    }

    /// Writes these records, under the numbers that come next.
    fn piece_of(&mut self, each: &[Record<'_>], change: impl Fn(&mut Vec<u8>)) -> Piece {
        let before = self.head;
        let first = self.seq + 1;
        let mut records = Vec::new();
        for record in each {
            self.seq += 1;
            let record = Record { seq: self.seq, ..*record };
            let mut buffer = [0; MAX_RECORD];
            let len = record.encode(&mut buffer).unwrap();
            self.head = self.head.next(&buffer[..len]);
            records.extend(u16::try_from(len).unwrap().to_le_bytes());
            records.extend(&buffer[..len]);
            records.extend(self.ratchet.tag(&self.head));
            self.ratchet.step();
        }
        change(&mut records);

        Piece { first, last: self.seq, before, after: self.head, snapshot: None, records }
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

    fn take(&self, held: &Held, message: &[u8]) -> held::Taken<Lines> {
        self.take_behind(held, message, None)
    }

    fn take_behind(&self, held: &Held, message: &[u8], owned: Option<Hole>) -> held::Taken<Lines> {
        held.take(&Batch::decode(message).unwrap(), &self.enrolled, self.account, owned)
    }
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
            to: Destination::Folder(self.out()),
            silent_after: SILENT_AFTER,
        }
    }

    /// A collector's work without a broker.
    fn work(&self) -> Work<Folder> {
        self.work_after(SILENT_AFTER)
    }

    fn work_after(&self, silent: Duration) -> Work<Folder> {
        Work::open(&self.options().dir, Folder::open(&self.out()).unwrap(), silent).unwrap()
    }

    fn events(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.out().join("events.jsonl")).unwrap_or_default();

        text.lines().map(ToOwned::to_owned).collect()
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
