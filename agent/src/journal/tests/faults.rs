//! What a journal does on a disk that fails.

use super::counted::{owned, writer_on};
use super::*;

/// Lets writes or syncs of segments fail, and forgets what was not synced as a kernel may.
#[derive(Default)]
pub(super) struct Faults {
    pub(super) fail_writes: bool,
    pub(super) fail_syncs: bool,
}

pub(super) struct Faulty(pub(super) Arc<Mutex<Faults>>);

/// With what was written since the last sync: where, and how much.
struct FaultyFile(Box<dyn Handle>, Arc<Mutex<Faults>>, Vec<(u64, usize)>);

impl Medium for Faulty {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        let file = Real.open(path)?;
        let is_segment = path.extension().is_some();

        Ok(if is_segment {
            Box::new(FaultyFile(file, Arc::clone(&self.0), Vec::new()))
        } else {
            file
        })
    }
}

impl Handle for FaultyFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.1.lock().unwrap().fail_writes {
            // Half of it gets there.
            self.0.write_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.2.push((offset, bytes.len()));
        self.0.write_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        let written = std::mem::take(&mut self.2);
        if self.1.lock().unwrap().fail_syncs {
            for (offset, len) in written {
                self.0.write_at(&vec![0; len], offset)?;
            }
            return Err(io::Error::other("the disk is gone"));
        }
        self.0.sync()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.0.cut(len)
    }
}

#[tokio::test]
async fn a_failed_write_or_sync_allows_nothing_and_leaves_the_chain_whole() {
    for fail_writes in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let faults = Arc::new(Mutex::new(Faults::default()));
        let medium = Arc::new(Faulty(Arc::clone(&faults)));
        let opened =
            Journal::open_on(medium, folder.path(), GATEWAY, &identity(), options(1)).unwrap();
        let journal = &opened.journal;
        assert_eq!(journal.append(draft()).await.unwrap().seq, 1);

        *faults.lock().unwrap() = Faults { fail_writes, fail_syncs: !fail_writes };
        let (why, problem) = if fail_writes {
            (NotWritten::NoSpace, "disk_full")
        } else {
            (NotWritten::Failed, "disk_failing")
        };
        for _ in 0..3 {
            assert_eq!(journal.append(draft()).await, Err(why));
            assert_eq!(journal.status().problem(), Some(problem));
        }
        // Many at once, so that a half-written one reaches beyond what is written after it.
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let journal = journal.clone();
            waiting.spawn(async move { journal.append(draft()).await });
        }
        assert!(waiting.join_all().await.iter().all(|done| *done == Err(why)));
        *faults.lock().unwrap() = Faults::default();
        let written = journal.append(draft()).await.unwrap();
        assert!(!journal.status().refusing());
        close(opened).await;

        let mut events = Vec::new();
        let verified = walk(folder.path(), |_, record, _| {
            events.extend(
                matches!(record.outcome, Outcome::Event(_))
                    .then_some((record.outcome, record.count)),
            );
        });
        assert_eq!(verified.unwrap().span, Some((1, written.seq)));
        assert_eq!(events, [(Outcome::Event(Event::AuditFailed), 43)]);
        let found = open(folder.path(), 2).recovered;
        assert_eq!(found, Recovered { last: written.seq, ..Recovered::default() });
    }
}

#[tokio::test]
async fn with_an_interval_what_was_answered_survives_a_failed_sync() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Mutex::new(Faults::default()));
    let medium = Arc::new(Faulty(Arc::clone(&faults)));
    let every = Options { sync: Durability::Interval(Duration::from_millis(5)), ..options(1) };
    let opened = Journal::open_on(medium, folder.path(), GATEWAY, &identity(), every).unwrap();
    let mut watch = opened.journal.watch();
    watch.wait_for(|status| !status.failing).await.unwrap();

    // The first record makes the segment.
    opened.journal.append(draft()).await.unwrap();
    watch.wait_for(|status| status.seq == 1).await.unwrap();
    faults.lock().unwrap().fail_syncs = true;
    assert_eq!(opened.journal.append(draft()).await.unwrap().seq, 2);
    watch.wait_for(|status| status.failing).await.unwrap();
    assert_eq!(opened.journal.append(draft()).await, Err(NotWritten::Failed));
    faults.lock().unwrap().fail_syncs = false;
    watch.wait_for(|status| !status.failing && status.seq >= 2).await.unwrap();
    close(opened).await;

    // With the event that says that one was refused.
    assert_eq!(verify(folder.path()).unwrap().span, Some((1, 3)));
}

#[test]
fn i8_with_an_interval_what_was_answered_is_left_on_a_disk_that_is_full_whatever_ends_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Mutex::new(Faults::default()));
    let medium = Arc::new(Faulty(Arc::clone(&faults)));
    let every = Options { sync: Durability::Interval(Duration::from_secs(3_600)), ..options(1) };
    let mut writer = writer_on(medium, folder.path(), every);
    let answered = writer.commit([draft()].iter())[0].unwrap().seq;

    faults.lock().unwrap().fail_writes = true;
    for _ in 0..3 {
        assert_eq!(writer.commit([draft()].iter()), [Err(NotWritten::NoSpace)]);
        writer.tidy();
    }
    // As with a kill: there are no last words.
    drop(writer);
    assert_eq!(verify(folder.path()).unwrap().span, Some((1, answered)));
}

#[test]
fn a_disk_that_is_full_is_not_believed_to_have_room_because_a_file_on_it_can_be_cut() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Mutex::new(Faults::default()));
    let medium = Arc::new(Faulty(Arc::clone(&faults)));
    let mut writer = writer_on(medium, folder.path(), options(1));
    let commit = |writer: &mut writer::Writer| writer.commit([draft()].iter())[0];
    assert_eq!(commit(&mut writer).unwrap().seq, 1);

    faults.lock().unwrap().fail_writes = true;
    assert_eq!(commit(&mut writer), Err(NotWritten::NoSpace));
    for _ in 0..3 {
        assert!(!writer.tidy());
        assert!(writer.status().refusing());
    }
    faults.lock().unwrap().fail_writes = false;

    // Nobody asks, and it is ready again and has said why it was not.
    assert!(writer.tidy() && !writer.status().refusing());
    assert_eq!(writer.status().seq, 2);
    drop(writer);
    let mut said = None;
    walk(folder.path(), |_, record, _| {
        said = record.resource.map(|why| (record.outcome, record.count, why.to_owned()));
    })
    .unwrap();
    let (outcome, count, why) = said.unwrap();
    assert_eq!((outcome, count), (Outcome::Event(Event::AuditFailed), 1));
    assert!(why.contains("no storage space"), "{why}");
}

#[test]
fn a_failing_disk_is_believed_in_again_only_with_a_record_on_it_and_who_was_refused_is_counted_until_then()
 {
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Mutex::new(Faults::default()));
    let medium = Arc::new(Faulty(Arc::clone(&faults)));
    let sync = Durability::Interval(Duration::from_secs(3_600));
    let mut writer =
        writer_on(medium, folder.path(), Options { sync, max_bytes: 16 << 10, ..options(1) });
    let event = || Draft::event(Event::Start, Stamp::default(), "");
    while writer.commit([event()].iter())[0].is_ok() {}
    faults.lock().unwrap().fail_syncs = true;
    writer.flush();
    assert_eq!(writer.commit([draft(), draft()].iter()), [Err(NotWritten::Failed); 2]);

    *faults.lock().unwrap() = Faults::default();
    for _ in 0..2 {
        assert!(!writer.tidy());
        assert_eq!((writer.failing, writer.refused), (true, 2), "there is no room to say so");
    }
    let last = writer.durable.0.seq;
    writer.serve([Command::Release(last, Stamp::default())].into_iter());
    writer.tidy();
    assert_eq!((writer.failing, writer.refused), (false, 0));
    writer.flush();
    assert_eq!(owned(folder.path()), [2]);
}

/// A journal whose newest segment was damaged in its head, or in its midst, and whose disk refuses writes.
fn damaged_on_a_full_disk(
    damage: impl Fn(&mut Vec<u8>),
) -> (tempfile::TempDir, Arc<Mutex<Faults>>) {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { max_bytes: 32 << 10, ..options(1) };
    let mut writer = writer_on(Arc::new(Real), folder.path(), small);
    while recover::list(folder.path()).unwrap().len() < 3 {
        writer.commit([draft()].iter())[0].unwrap();
    }
    for _ in 0..5 {
        writer.commit([draft()].iter())[0].unwrap();
    }
    drop(writer);
    let newest = *recover::list(folder.path()).unwrap().last().unwrap();
    let path = segment_path(folder.path(), newest);
    let mut bytes = fs::read(&path).unwrap();
    damage(&mut bytes);
    fs::write(&path, bytes).unwrap();

    (folder, Arc::new(Mutex::new(Faults { fail_writes: true, fail_syncs: false })))
}

#[test]
fn i8_damage_and_a_full_disk_together_stop_no_start_and_lose_no_answered_record() {
    let of_head = |bytes: &mut Vec<u8>| bytes[0] ^= 1;
    let of_midst = |bytes: &mut Vec<u8>| {
        let at = frame::HEAD_LEN + 200;
        bytes[at] ^= 1;
    };
    for damage in [&of_head as &dyn Fn(&mut Vec<u8>), &of_midst] {
        let (folder, faults) = damaged_on_a_full_disk(damage);
        let small = Options { max_bytes: 32 << 10, ..options(2) };
        let start = || {
            let medium = Arc::new(Faulty(Arc::clone(&faults)));
            recover::recover(medium, folder.path(), GATEWAY, &identity(), small).unwrap()
        };
        for _ in 0..5 {
            let (mut writer, found) = start();
            assert!(found.gap.is_some(), "{found:?}");
            assert!(writer.commit([draft()].iter())[0].is_err());
        }
        let (mut writer, _) = start();
        assert!(writer.commit([draft()].iter())[0].is_err());
        faults.lock().unwrap().fail_writes = false;
        let answered: Vec<_> =
            (0..3).map(|_| writer.commit([draft()].iter())[0].unwrap().seq).collect();
        assert!(!writer.status().full, "what was set aside is counted once");
        drop(writer);

        let (_, found) = start();
        assert_eq!((found.gap, found.last), (None, *answered.last().unwrap()), "{found:?}");
    }
}
