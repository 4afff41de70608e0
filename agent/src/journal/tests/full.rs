//! What goes, and what is said of it, where the disk is full.

use super::counted::writer_on;
use super::faults::{Faults, Faulty};
use super::*;

/// Where a journal of several segments meets a disk that is full until one of its files goes.
fn with_a_full_disk(drop_oldest: bool) -> (tempfile::TempDir, Arc<Full>, writer::Writer) {
    let folder = tempfile::tempdir().unwrap();
    let medium = Arc::new(Full::default());
    let small = Options { max_bytes: 64 << 10, drop_oldest, ..options(1) };
    let mut writer = writer_on(Arc::<Full>::clone(&medium), folder.path(), small);
    while recover::list(folder.path()).unwrap().len() < 4 {
        writer.commit([draft()].iter())[0].unwrap();
    }
    medium.0.store(true, Ordering::Relaxed);

    (folder, medium, writer)
}

/// A disk that is full, until a segment is removed; where the second is set, a neighbour takes that room.
#[derive(Default)]
struct Full(Arc<AtomicBool>, AtomicBool);

struct FullFile(Box<dyn Handle>, Arc<AtomicBool>);

impl Medium for Full {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        Ok(Box::new(FullFile(Real.open(path)?, Arc::clone(&self.0))))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.fetch_and(self.1.load(Ordering::Relaxed), Ordering::Relaxed);
        Real.remove(path)
    }
}

impl Handle for FullFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.1.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.write_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.0.cut(len)
    }
}

#[test]
fn on_a_full_disk_what_the_collector_holds_goes_first_and_nothing_is_refused_for_it() {
    let (folder, _, mut writer) = with_a_full_disk(false);
    let firsts = recover::list(folder.path()).unwrap();
    let before = writer.status().seq;
    assert_eq!(writer.commit([draft()].iter()), [Err(NotWritten::NoSpace)], "nobody holds them");

    writer.released = firsts[1] - 1;
    assert_eq!(
        writer.commit([draft()].iter())[0].unwrap().seq,
        before + 2,
        "one that says so, first"
    );
    assert!(!writer.status().refusing());
    assert_eq!(recover::list(folder.path()).unwrap(), firsts[1..]);
    drop(writer);
    assert_eq!(verify(folder.path()).unwrap().gaps, []);
}

#[test]
fn on_a_full_disk_the_oldest_goes_where_it_may_and_is_owned_up_to() {
    let (folder, full, mut writer) = with_a_full_disk(true);
    let firsts = recover::list(folder.path()).unwrap();
    assert_eq!(
        writer.commit([draft()].iter()),
        [Err(NotWritten::NoSpace)],
        "nobody has permitted it"
    );
    writer.permission = Some(room::always());

    full.0.store(true, Ordering::Relaxed);
    writer.commit([draft()].iter())[0].unwrap();
    assert_eq!(recover::list(folder.path()).unwrap(), firsts[1..]);
    drop(writer);
    let mut dropped = 0;
    let verified = walk(folder.path(), |_, record, _| dropped += record.dropped_before).unwrap();
    assert_eq!(verified.gaps, [(1, firsts[1] - 1)]);
    assert_eq!(u64::from(dropped), firsts[1] - 1);
}

/// Brings a journal that may drop its oldest records to where it has dropped some, and the disk then
/// refuses what was to follow; returns it with the first number that is left.
fn dropped_for_nothing(folder: &Path, faults: &Arc<Mutex<Faults>>) -> (writer::Writer, u64) {
    let medium = Arc::new(Faulty(Arc::clone(faults)));
    let small = Options { max_bytes: 16 << 10, drop_oldest: true, ..options(1) };
    let (mut writer, _) = recover::recover(medium, folder, GATEWAY, &identity(), small).unwrap();
    writer.serve([Command::DropWhile(room::always())].into_iter());
    let mut first = 1;
    for _ in 0..2_000 {
        for fail_writes in [false, true] {
            faults.lock().unwrap().fail_writes = fail_writes;
            writer.serve([Command::Append(Box::new(draft()), None)].into_iter());
            let oldest = recover::list(folder).unwrap()[0];
            if fail_writes && oldest > first {
                return (writer, oldest);
            }
            first = oldest;
        }
    }
    panic!("nothing was dropped");
}

/// The gaps that are owned up to, and whether one is the first record behind number `after`.
fn gaps(folder: &Path, after: u64) -> (Vec<(u64, u64)>, bool) {
    let (mut gaps, mut is_next) = (Vec::new(), false);
    let verified = walk(folder, |_, record, _| {
        if let (Outcome::Event(Event::Gap), Some(span)) = (record.outcome, record.span) {
            gaps.push(span);
            is_next |= record.seq == after + 1;
        }
    });
    verified.unwrap();

    (gaps, is_next)
}

#[test]
fn what_was_dropped_before_a_write_that_failed_is_owned_up_to_before_anything_else_is_written() {
    for waits_for_a_record in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let faults = Arc::new(Mutex::new(Faults::default()));
        let (mut writer, first) = dropped_for_nothing(folder.path(), &faults);
        let last = writer.durable.0.seq;
        let (before, _) = gaps(folder.path(), last);
        assert!(!before.iter().any(|gap| gap.1 >= first - 1), "{before:?}");
        // It goes on to fail for a while.
        writer.tidy();
        writer.serve([Command::Append(Box::new(draft()), None)].into_iter());

        *faults.lock().unwrap() = Faults::default();
        if waits_for_a_record {
            writer.serve([Command::Append(Box::new(draft()), None)].into_iter());
        } else {
            writer.tidy();
        }
        let (after, is_next) = gaps(folder.path(), last);
        assert_eq!(after.last(), Some(&(1, first - 1)), "{after:?}");
        assert!(is_next, "something else was written before");
        assert_eq!(after.len(), before.len() + 1, "it is said once");
    }
}

#[test]
fn what_the_collector_got_before_it_was_owned_up_to_is_not_called_lost() {
    for all in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let faults = Arc::new(Mutex::new(Faults::default()));
        let (mut writer, first) = dropped_for_nothing(folder.path(), &faults);
        let last = writer.durable.0.seq;
        let (before, _) = gaps(folder.path(), last);
        let dropped = writer.lost.unwrap();
        assert_eq!(dropped.1, first - 1);

        let through = if all { dropped.1 + 1 } else { dropped.1 - 1 };
        writer.serve([Command::Release(through, Stamp::default())].into_iter());
        *faults.lock().unwrap() = Faults::default();
        assert!(writer.tidy() && writer.lost.is_none());
        let mut counted = 0;
        walk(folder.path(), |_, record, _| {
            counted += if record.seq > last { record.dropped_before } else { 0 };
        })
        .unwrap();
        let (after, _) = gaps(folder.path(), last);
        if all {
            assert_eq!((after, counted), (before, 0));
        } else {
            assert_eq!((after.last(), counted), (Some(&(dropped.1, dropped.1)), 1));
        }
    }
}

#[test]
fn where_no_room_that_is_given_helps_no_more_of_the_audit_goes_than_a_write_could_take() {
    for is_receipted in [false, true] {
        let (folder, full, mut writer) = with_a_full_disk(true);
        writer.permission = Some(room::always());
        full.1.store(true, Ordering::Relaxed);
        while recover::list(folder.path()).unwrap().len() < 7 {
            full.0.store(false, Ordering::Relaxed);
            writer.commit([draft()].iter())[0].unwrap();
        }
        let firsts = recover::list(folder.path()).unwrap();

        full.0.store(true, Ordering::Relaxed);
        assert_eq!(writer.commit([draft()].iter()), [Err(NotWritten::NoSpace)]);
        let left = recover::list(folder.path()).unwrap();
        assert!((2..firsts.len()).contains(&left.len()), "{} of {}", left.len(), firsts.len());
        // Nor while the disk stays full, whoever asks.
        for _ in 0..3 {
            writer.tidy();
            assert_eq!(writer.commit([draft()].iter()), [Err(NotWritten::NoSpace)]);
        }
        assert_eq!(recover::list(folder.path()).unwrap(), left);
        if is_receipted {
            // What the collector holds goes at any time.
            writer.serve([Command::Release(left[1] - 1, Stamp::default())].into_iter());
            assert_eq!(writer.commit([draft()].iter()), [Err(NotWritten::NoSpace)]);
            assert_eq!(recover::list(folder.path()).unwrap(), left[1..]);
        }
        full.0.store(false, Ordering::Relaxed);
        writer.commit([draft()].iter())[0].unwrap();
        drop(writer);
        let owns = verify(folder.path()).unwrap().gaps.contains(&(1, left[0] - 1));
        assert_eq!(owns, !is_receipted);
    }
}
