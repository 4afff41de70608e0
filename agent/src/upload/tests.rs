//! What the upload promises while brokers lose messages and receipts are forged.

mod offline;
mod receipts;
mod unreadable;

use std::path::Path;

use ed25519_dalek::SigningKey;
use gateward_core::audit::{Event, Outcome, Ratchet};
use gateward_core::decide::Reason;
use gateward_core::name::Uuid;

use super::batch::Batch;
use super::cursor::Cursor;
use super::*;
use crate::identity::Identity;
use crate::journal::{Draft, Durability, Journal, Opened, Options, verify, walk};

const GATEWAY: GatewayId = GatewayId([7; 16]);
const INCARNATION: Incarnation = Incarnation([1; 8]);
const SIGNED: &[u8] = b"signed";

/// Stands in for the keys: a receipt is signed when it begins with that word.
struct Words;

impl Seal for Words {
    fn checkpoint(&mut self, number: u64, head: &Head) -> Vec<u8> {
        [&number.to_le_bytes()[..], &head.0].concat()
    }

    fn receipt(&mut self, message: &[u8]) -> Result<Acknowledged, String> {
        let body = message.strip_prefix(SIGNED).ok_or("the signature is not a collector's")?;
        Ok(Acknowledged {
            gateway: GatewayId(body[..16].try_into().unwrap()),
            incarnation: Incarnation(body[16..24].try_into().unwrap()),
            through: u64::from_le_bytes(body[24..32].try_into().unwrap()),
            head: Head(body[32..].try_into().unwrap()),
        })
    }

    fn now(&mut self) -> Stamp {
        Stamp::default()
    }
}

fn receipt(told: &Acknowledged) -> Heard {
    let through = told.through.to_le_bytes();
    let body: [&[u8]; 5] = [SIGNED, &told.gateway.0, &told.incarnation.0, &through, &told.head.0];

    Heard::Receipt(body.concat())
}

/// Takes messages, but not each one whose count is a multiple of the second number.
struct Broker(mpsc::Sender<Vec<u8>>, u32, u32);

impl Outlet for Broker {
    fn send(&mut self, message: Vec<u8>) -> bool {
        self.2 += 1;
        !self.2.is_multiple_of(self.1) && self.0.try_send(message).is_ok()
    }
}

fn open(folder: &Path, boot: u32, max_bytes: u64) -> Opened {
    let identity = Identity {
        gateway: "edge-7a".to_owned(),
        incarnation: INCARNATION,
        key: SigningKey::from_bytes(&[9; 32]),
        audit: Ratchet::new([2; 32]),
    };
    let options = Options {
        sync: Durability::Group,
        max_bytes,
        drop_oldest: false,
        account: Uuid::default(),
        boot,
        now: Stamp::default(),
    };

    Journal::open(folder, GATEWAY, &identity, options).unwrap()
}

struct Scene {
    opened: Opened,
    hear: mpsc::Sender<Heard>,
    sent: mpsc::Receiver<Vec<u8>>,
}

impl Scene {
    fn begin(folder: &Path, boot: u32) -> Self {
        Self::begin_with(folder, boot, u32::MAX)
    }

    fn begin_with(folder: &Path, boot: u32, refused: u32) -> Self {
        Self::begin_sized(folder, boot, refused, 64 << 10)
    }

    fn begin_sized(folder: &Path, boot: u32, refused: u32, max_bytes: u64) -> Self {
        let opened = open(folder, boot, max_bytes);
        let (to, sent) = mpsc::channel(16);
        let (hear, heard) = mpsc::channel(16);
        let records = opened.journal.records();
        let upload = Upload::new(records, GATEWAY, INCARNATION, Broker(to, refused, 0), Words);
        // Not `run`: a paused clock stands still while a thread may block.
        tokio::spawn(upload.work(heard));

        Self { opened, hear, sent }
    }

    /// Five records, sent and not receipted, and what a receipt for them says.
    async fn with_five_sent(folder: &Path) -> (Self, Acknowledged) {
        let mut scene = Self::begin(folder, 1);
        scene.write(5).await;
        scene.up().await;
        let good = told(&scene.batch().await);

        (scene, good)
    }

    async fn up(&self) {
        self.hear.send(Heard::Up { max_payload: 4096 }).await.unwrap();
    }

    async fn write(&self, count: u32) {
        for _ in 0..count {
            let draft = Draft::new(Outcome::Allow(Reason::Ok), Stamp::default());
            self.opened.journal.append(draft).await.unwrap();
        }
    }

    async fn batch(&mut self) -> Batch {
        Batch::decode(&self.sent.recv().await.unwrap()).unwrap()
    }

    async fn released(&self, through: u64) {
        let mut watch = self.opened.journal.watch();
        watch.wait_for(|status| status.released == through).await.unwrap();
    }

    async fn end(self) {
        drop(self.opened.journal);
        self.opened.done.await.unwrap().unwrap();
    }
}

fn told(batch: &Batch) -> Acknowledged {
    let head = batch.walk(|_| ()).unwrap();

    Acknowledged { gateway: GATEWAY, incarnation: INCARNATION, through: batch.last(), head }
}

#[tokio::test(start_paused = true)]
async fn i7_i12_through_lost_messages_and_lost_receipts_every_record_arrives_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::begin(folder.path(), 1);
    scene.write(500).await;
    scene.up().await;

    // No period that a cycle of batches could fall in step with.
    let mut chance = 1_u32;
    let (mut next, mut head) = (1, Head::START);
    while next <= 500 {
        let batch = scene.batch().await;
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if (chance >> 16).is_multiple_of(3) {
            continue; // the broker lost it
        }
        assert!(batch.first <= next, "nothing is passed over that was not receipted");
        if batch.first == next {
            assert_eq!(batch.before, head);
            head = batch.walk(|_| ()).unwrap();
            next = batch.last() + 1;
        }
        if (chance >> 24).is_multiple_of(4) {
            continue; // the receipt is lost
        }
        let receipt_for =
            Acknowledged { gateway: GATEWAY, incarnation: INCARNATION, through: next - 1, head };
        scene.hear.send(receipt(&receipt_for)).await.unwrap();
    }
    assert_eq!(head, scene.opened.journal.status().head);
    scene.released(500).await;
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn without_a_receipt_records_are_sent_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::begin(folder.path(), 1);
    scene.write(3).await;
    scene.up().await;

    let first = scene.batch().await;
    assert_eq!((first.first, first.last()), (1, 3));
    assert_eq!(scene.batch().await, first, "after a while without progress");
    scene.hear.send(Heard::Down).await.unwrap();
    scene.up().await;
    assert_eq!(scene.batch().await, first, "at the next connection");
    assert_eq!(scene.opened.journal.status().released, 0);
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_read_is_sent_once_it_can_be_though_nothing_else_happens() {
    let root = tempfile::tempdir().unwrap();
    let (folder, away) = (root.path().join("audit"), root.path().join("away"));
    let mut scene = Scene::begin(&folder, 1);
    scene.write(5).await;
    std::fs::rename(&folder, &away).unwrap();
    scene.up().await;
    // The clock goes on once it has been tried in vain, and nobody has anything left to do.
    sleep(Duration::from_secs(1)).await;
    assert!(scene.sent.try_recv().is_err());

    std::fs::rename(&away, &folder).unwrap();
    let sent = timeout(Duration::from_secs(60), scene.batch()).await;
    assert_eq!(sent.unwrap().last(), 5);
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn the_checkpoint_of_a_batch_is_that_of_its_last_record() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::begin(folder.path(), 1);
    scene.write(3).await;
    scene.up().await;

    let batch = scene.batch().await;
    let head = batch.walk(|_| ()).unwrap();
    assert_eq!(batch.checkpoint, Words.checkpoint(3, &head));
    scene.end().await;
}

/// Writes over several segments and flips a bit in the middle of the second one; returns the
/// numbers that can be read in it no more.
async fn damage(folder: &Path) -> (u64, u64) {
    let scene = Scene::begin(folder, 1);
    scene.write(1400).await;
    scene.end().await;
    let mut segments: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "seg"))
        .collect();
    segments.sort();
    let number =
        |at: usize| -> u64 { segments[at].file_stem().unwrap().to_str().unwrap().parse().unwrap() };
    assert!(segments.len() > 3, "{segments:?}");
    let mut bytes = std::fs::read(&segments[1]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&segments[1], bytes).unwrap();

    let mut good = number(1) - 1;
    let _broken = walk(folder, |_, record, _| good = record.seq);
    (good + 1, number(2) - 1)
}

/// The spans of the gap records in a batch.
fn gaps(batch: &Batch) -> Vec<(u64, u64)> {
    let mut gaps = Vec::new();
    let is_gap =
        |record: &gateward_core::audit::Record<'_>| record.outcome == Outcome::Event(Event::Gap);
    batch.walk(|entry| gaps.extend(entry.record.span.filter(|_| is_gap(&entry.record)))).unwrap();

    gaps
}

#[tokio::test(start_paused = true)]
async fn i9_a_flipped_bit_in_an_older_segment_is_owned_up_to_and_the_rest_goes_on() {
    for refused in [u32::MAX, 5, 4, 3] {
        let folder = tempfile::tempdir().unwrap();
        let hole = damage(folder.path()).await;
        let mut scene = Scene::begin_with(folder.path(), 2, refused);
        // So little that the window does not reach to the end, where the gap record is.
        scene.hear.send(Heard::Up { max_payload: 1024 }).await.unwrap();

        let (mut next, mut told_of, mut batches) = (1, None, 0);
        while scene.opened.journal.status().released < 1400 {
            let batch = scene.batch().await;
            batches += 1;
            assert!(batches < 1000, "no way over {hole:?} from {next}");
            told_of = gaps(&batch).first().copied().or(told_of);
            let behind = next == hole.0 && batch.first == hole.1 + 1;
            if batch.first != next && !(behind && told_of == Some(hole)) {
                continue;
            }
            next = batch.last() + 1;
            let last = told(&batch);
            scene.hear.send(receipt(&last)).await.unwrap();
            scene.released(last.through).await;
        }
        let mut events = Vec::new();
        let mut reader = scene.opened.journal.records().reader(1401);
        let seq = scene.opened.journal.status().seq;
        while let Some(piece) = reader.next(seq, 1).unwrap() {
            let told = first_of(&piece);
            let about = [Event::SegmentDamaged, Event::Gap].map(Outcome::Event);
            events.extend(Some(told).filter(|(outcome, _)| about.contains(outcome)));
        }
        let damage = (Outcome::Event(Event::SegmentDamaged), None);
        let gap = (Outcome::Event(Event::Gap), Some(hole));
        assert_eq!(events, [damage, gap], "once each");
        scene.end().await;
    }
}

/// What the first record of a piece says, and its span.
fn first_of(piece: &Piece) -> (Outcome, Option<(u64, u64)>) {
    let len = usize::from(u16::from_le_bytes(piece.records[..2].try_into().unwrap()));
    let record = gateward_core::audit::Record::decode(&piece.records[2..2 + len]).unwrap();

    (record.outcome, record.span)
}

#[tokio::test]
async fn the_upload_runs_on_a_thread_that_may_block() {
    let folder = tempfile::tempdir().unwrap();
    let Scene { opened, .. } = Scene::begin(folder.path(), 1);
    let (to, mut sent) = mpsc::channel(16);
    let (hear, heard) = mpsc::channel(16);
    struct Elsewhere(mpsc::Sender<std::thread::ThreadId>);
    impl Outlet for Elsewhere {
        fn send(&mut self, _: Vec<u8>) -> bool {
            self.0.try_send(std::thread::current().id()).is_ok()
        }
    }
    let records = opened.journal.records();
    let upload = Upload::new(records, GATEWAY, INCARNATION, Elsewhere(to), Words);
    let running = tokio::spawn(upload.run(heard));
    let draft = Draft::new(Outcome::Allow(Reason::Ok), Stamp::default());
    opened.journal.append(draft).await.unwrap();
    hear.send(Heard::Up { max_payload: 4096 }).await.unwrap();

    assert_ne!(sent.recv().await.unwrap(), std::thread::current().id());
    drop(hear);
    running.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn damage_at_the_end_of_the_journal_is_told_on_the_stick_and_a_lost_receipt_hides_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::begin(folder.path(), 1);
    scene.write(5).await;
    scene.end().await;
    let segment = folder.path().join(format!("{:020}.seg", 1));
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.iter().rposition(|byte| *byte != 0).unwrap() - 20;
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes).unwrap();

    let whole =
        |durable| stick::Range { gateway: GATEWAY, incarnation: INCARNATION, from: 1, durable };
    let carried = |durable| {
        stick::write(folder.path(), &whole(durable), &mut Words, &mut Vec::new()).unwrap()
    };
    assert_eq!(carried(u64::MAX).holes, [(5, None)]);
    assert_eq!(carried(5).holes, [(5, Some(5))]);

    let cursor = Cursor { incarnation: INCARNATION, through: 3, head: Head([9; 32]) };
    cursor.store(folder.path()).unwrap();
    assert_eq!(receipt::resume(folder.path(), INCARNATION, u64::MAX), 0, "another chain's");
}
