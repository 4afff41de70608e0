//! What a journal promises, through crashes, damage and disks that fail.

mod checkpoints;
mod counted;
mod damage;
mod faults;
mod flash;
mod full;
mod known;
mod power;
mod reading;
mod room;
mod spoilt;

use std::fs;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use ed25519_dalek::SigningKey;
use gateward_core::audit::{Event, Outcome, Ratchet, Record};
use gateward_core::decide::Reason;
use gateward_core::trust::Incarnation;

use super::frame::Frame;
use super::medium::Handle;
use super::writer::segment_path;
use super::*;

const GATEWAY: GatewayId = GatewayId([7; 16]);
const ACCOUNT: Uuid = Uuid([8; 16]);
const K0: [u8; 32] = [0xaa; 32];

fn identity() -> Identity {
    Identity {
        gateway: "edge-7a".to_owned(),
        incarnation: Incarnation([1; 8]),
        key: SigningKey::from_bytes(&[9; 32]),
        audit: Ratchet::new(K0),
    }
}

fn options(boot: u32) -> Options {
    Options {
        sync: Durability::Group,
        max_bytes: 512 << 20,
        drop_oldest: false,
        account: ACCOUNT,
        boot,
        now: Stamp::default(),
    }
}

fn open(folder: &Path, boot: u32) -> Opened {
    Journal::open(folder, GATEWAY, &identity(), options(boot)).unwrap()
}

fn draft() -> Draft {
    Draft::new(Outcome::Allow(Reason::Ok), Stamp::default())
}

/// Drops the journal and waits until its files are closed.
async fn close(opened: Opened) {
    drop(opened.journal);
    opened.done.await.unwrap().unwrap();
}

async fn write(folder: &Path, boot: u32, count: u64) {
    let opened = open(folder, boot);
    for _ in 0..count {
        opened.journal.append(draft()).await.unwrap();
    }
    close(opened).await;
}

fn only_segment(folder: &Path) -> PathBuf {
    segment_path(folder, 1)
}

/// The ends of the frames in a segment.
fn ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = vec![frame::HEAD_LEN];
    while let Some(frame) = Frame::read(&bytes[*ends.last().unwrap()..]) {
        ends.push(ends.last().unwrap() + frame.len());
    }

    ends
}

/// The key after `count` records of the first segment, all with the tags of the keys that enrolment
/// began.
fn last_key(folder: &Path, count: usize) -> Ratchet {
    let bytes = fs::read(only_segment(folder)).unwrap();
    let ends = ends(&bytes);
    let (mut head, mut key) = (Head::START, Ratchet::new(K0));
    for end in ends.windows(2) {
        let frame = Frame::read(&bytes[end[0]..end[1]]).unwrap();
        head = head.next(frame.record);
        assert!(key.accepts(&head, &frame.tag));
        key.step();
    }
    assert_eq!(ends.len() - 1, count);

    key
}

#[tokio::test]
async fn n7_ten_thousand_records_share_syncs_and_are_in_order_without_gaps_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path(), 1);
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..10_000 {
        let journal = opened.journal.clone();
        waiting.spawn(async move { journal.append(draft()).await.unwrap().seq });
    }
    let mut seqs = waiting.join_all().await;
    seqs.sort_unstable();
    assert!(seqs.iter().copied().eq(1..=10_000));

    // What a crash leaves is what is on disk now: nothing was flushed or closed.
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let again = open(copy.path(), 2);
    assert_eq!(again.recovered, Recovered { last: 10_000, ..Recovered::default() });
    assert_eq!(again.journal.append(draft()).await.unwrap().seq, 10_001);
    close(again).await;
    close(opened).await;

    let verified = verify(copy.path()).unwrap();
    assert_eq!((verified.records, verified.span), (10_001, Some((1, 10_001))));
}

#[tokio::test]
async fn the_tags_of_all_records_are_those_of_the_keys_that_enrolment_began() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 1, 5).await;
    write(folder.path(), 2, 5).await;

    let key = last_key(folder.path(), 10);
    let key_file = fs::read(folder.path().join("key")).unwrap();
    assert!(key_file.windows(32).any(|window| window == key.expose()));
    assert!(!key_file.windows(32).any(|window| window == K0), "the first key is gone");
}

#[tokio::test]
async fn a_torn_last_record_is_cut_at_every_byte_and_the_journal_says_so() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 1, 3).await;
    let whole = fs::read(only_segment(folder.path())).unwrap();
    let ends = ends(&whole);
    let (second, third) = (ends[2], ends[3]);
    // The mark is that of a crash before the third record was synced.
    let before = tempfile::tempdir().unwrap();
    write(before.path(), 1, 2).await;

    for len in second + 1..third {
        let torn = tempfile::tempdir().unwrap();
        for name in ["key", "mark"] {
            fs::copy(before.path().join(name), torn.path().join(name)).unwrap();
        }
        fs::write(only_segment(torn.path()), &whole[..len]).unwrap();

        let opened = open(torn.path(), 2);
        let cut = u64::try_from(len - second).unwrap();
        assert_eq!(opened.recovered, Recovered { last: 2, cut, ..Recovered::default() });
        assert_eq!(opened.journal.status().seq, 3, "the event that says so");
        assert_eq!(opened.journal.append(draft()).await.unwrap().seq, 4);
        close(opened).await;
        assert_eq!(verify(torn.path()).unwrap().records, 4, "{len}");
    }
}

#[tokio::test]
async fn i9_a_flipped_bit_sets_the_segment_aside_and_is_reported_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 1, 4).await;
    let whole = fs::read(only_segment(folder.path())).unwrap();

    for at in (0..whole.len()).step_by(7) {
        let damaged = tempfile::tempdir().unwrap();
        for name in ["key", "mark"] {
            fs::copy(folder.path().join(name), damaged.path().join(name)).unwrap();
        }
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(only_segment(damaged.path()), &bytes).unwrap();
        assert!(verify(damaged.path()).is_err(), "byte {at}");

        let opened = open(damaged.path(), 2);
        let found = &opened.recovered;
        let kept = ends(&whole).iter().filter(|end| **end <= at).count().saturating_sub(1);
        let kept = u64::try_from(kept).unwrap();
        assert_eq!((found.last, found.gap, found.cut), (kept, Some((kept + 1, 4)), 0), "byte {at}");
        assert_eq!(fs::read(&found.damaged[0]).unwrap(), bytes, "the evidence is untouched");
        // 5 is the damage, 6 the gap.
        assert_eq!(opened.journal.append(draft()).await.unwrap().seq, 7, "no number is used twice");
        close(opened).await;
        let verified = verify(damaged.path()).unwrap();
        assert_eq!(verified.gaps, [(kept + 1, 4)], "byte {at}");
    }
}

/// Four records; key and mark know of two only, as after a crash.
async fn four_of_which_two_are_marked() -> tempfile::TempDir {
    let (before, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(before.path(), 1, 2).await;
    write(folder.path(), 1, 4).await;
    for name in ["key", "mark"] {
        fs::copy(before.path().join(name), folder.path().join(name)).unwrap();
    }

    folder
}

#[tokio::test]
async fn a_bad_record_with_a_good_one_behind_it_is_never_taken_for_a_torn_tail() {
    let folder = four_of_which_two_are_marked().await;
    let mut bytes = fs::read(only_segment(folder.path())).unwrap();
    let third = ends(&bytes)[2];
    bytes[third + 8] ^= 1;
    fs::write(only_segment(folder.path()), &bytes).unwrap();

    let opened = open(folder.path(), 2);
    assert_eq!((opened.recovered.gap, opened.recovered.cut), (Some((3, 4)), 0));
    assert_eq!(fs::read(&opened.recovered.damaged[0]).unwrap(), bytes);
    close(opened).await;
}

#[tokio::test]
async fn a_tail_that_was_cut_off_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 1, 4).await;
    let whole = fs::read(only_segment(folder.path())).unwrap();
    let path = only_segment(folder.path());
    fs::write(&path, &whole[..ends(&whole)[2]]).unwrap();

    let opened = open(folder.path(), 2);
    assert_eq!(opened.recovered.gap, Some((3, 4)));
    close(opened).await;
    assert_eq!(verify(folder.path()).unwrap().gaps, [(3, 4)]);

    // Even when no segment is left at all.
    for first in recover::list(folder.path()).unwrap() {
        fs::remove_file(segment_path(folder.path(), first)).unwrap();
    }
    let opened = open(folder.path(), 3);
    assert_eq!(opened.recovered.gap, Some((1, 6)));
    close(opened).await;
}

#[tokio::test]
async fn a_segment_that_was_exchanged_or_removed_breaks_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { max_bytes: 64 << 10, ..options(1) };
    let opened = Journal::open(folder.path(), GATEWAY, &identity(), small).unwrap();
    for _ in 0..800 {
        opened.journal.append(draft()).await.unwrap();
    }
    close(opened).await;
    let firsts = recover::list(folder.path()).unwrap();
    assert!(firsts.len() > 2, "{firsts:?}");
    assert_eq!(verify(folder.path()).unwrap().records, 800);

    let middle = segment_path(folder.path(), firsts[1]);
    let bytes = fs::read(&middle).unwrap();
    fs::remove_file(&middle).unwrap();
    assert!(matches!(verify(folder.path()), Err(Broken::Missing { .. })));

    fs::write(&middle, fs::read(segment_path(folder.path(), firsts[0])).unwrap()).unwrap();
    assert!(matches!(verify(folder.path()), Err(Broken::Head { .. })));
    fs::write(&middle, bytes).unwrap();
    assert!(verify(folder.path()).is_ok());
}

#[tokio::test]
async fn a_record_with_an_absurd_number_is_damage_and_is_not_followed() {
    for far in [u64::MAX - 1, 1 << 40] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 1, 3).await;
        let mut bytes = fs::read(only_segment(folder.path())).unwrap();
        let record = draft();
        let mut buffer = [0; gateward_core::audit::MAX_RECORD];
        let len = record.record(far, 1, 0).encode(&mut buffer).unwrap();
        let tag = [0; gateward_core::audit::TAG_LEN];
        Frame { record: &buffer[..len], tag }.write(&mut bytes);
        fs::write(only_segment(folder.path()), &bytes).unwrap();
        // A whole segment of such numbers, too.
        let mut head = SegmentHead::decode(&bytes).unwrap();
        head.first = far;
        let name = segment_path(folder.path(), far);
        fs::write(name, [&head.encode()[..], &bytes[frame::HEAD_LEN..]].concat()).unwrap();

        let opened = open(folder.path(), 2);
        assert_eq!((opened.recovered.last, opened.recovered.gap), (3, None));
        assert_eq!(opened.recovered.damaged.len(), 2);
        assert!(opened.journal.append(draft()).await.unwrap().seq < 10);
        close(opened).await;
        verify(folder.path()).unwrap();
    }
}

#[tokio::test]
async fn a_thread_that_dies_is_seen_without_asking_it() {
    struct Trap(Arc<AtomicBool>);
    impl Medium for Trap {
        fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
            assert!(!self.0.load(Ordering::Relaxed), "as a bug would");
            Real.open(path)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let sprung = Arc::new(AtomicBool::new(false));
    let medium = Arc::new(Trap(Arc::clone(&sprung)));
    let opened = Journal::open_on(medium, folder.path(), GATEWAY, &identity(), options(1)).unwrap();
    let journal = &opened.journal;
    let (mut watch, records) = (journal.watch(), journal.records());
    assert!(!journal.status().refusing());

    // The first record opens the first segment.
    sprung.store(true, Ordering::Relaxed);
    assert_eq!(journal.append(draft()).await, Err(NotWritten::Closed));
    watch.wait_for(Status::refusing).await.unwrap();
    assert!(journal.status().refusing() && records.status().refusing());
    assert_eq!(journal.append(draft()).await, Err(NotWritten::Closed));
}

#[tokio::test]
async fn a_gateway_enrolled_again_counts_from_one_and_keeps_the_old_records_apart() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 1, 3).await;
    let again = Identity { incarnation: Incarnation([2; 8]), ..identity() };
    let opened = Journal::open(folder.path(), GATEWAY, &again, options(2)).unwrap();

    assert_eq!(opened.recovered, Recovered::default());
    assert_eq!(opened.journal.append(draft()).await.unwrap().seq, 1);
    close(opened).await;
    let old = folder.path().join("enrolment-0101010101010101");
    assert_eq!(verify(&old).unwrap().records, 3);
}

#[tokio::test]
async fn n9_nothing_that_is_shown_has_a_key_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let opened = open(folder.path(), 1);
    let shown = format!("{opened:?}{:?}{:?}", identity(), draft());

    assert!(!shown.contains("aaaa") && !shown.contains("170, 170"), "{shown}");
    close(opened).await;
}

#[test]
fn a_record_on_disk_is_read_back_as_it_was_drafted() {
    let draft = draft();
    let record = draft.record(1, 2, 3);
    let mut buffer = [0; gateward_core::audit::MAX_RECORD];
    let len = record.encode(&mut buffer).unwrap();

    assert_eq!(Record::decode(&buffer[..len]), Ok(record));
}
