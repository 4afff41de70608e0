//! Whatever is done to the folder while the agent is not running is found at its start, named, and
//! survived.

use super::*;

const EVERY_BIT: &str = "GATEWARD_SOAK";

/// A copy of a journal's folder.
fn copy(from: &Path) -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }

    folder
}

fn signer() -> Signer {
    Signer { account: ACCOUNT, gateway: GATEWAY, key: identity().key.verifying_key() }
}

/// Three segments and a part of a fourth.
async fn segments() -> (tempfile::TempDir, Vec<u64>, u64) {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { max_bytes: 32 << 10, ..options(1) };
    let opened = Journal::open(folder.path(), GATEWAY, &identity(), small).unwrap();
    let mut last = 0;
    while recover::list(folder.path()).unwrap().len() < 4 {
        last = opened.journal.append(draft()).await.unwrap().seq;
    }
    close(opened).await;
    let firsts = recover::list(folder.path()).unwrap();

    (folder, firsts, last)
}

/// Starts on the folder, writes one record, and ends; returns what was found.
async fn starts(folder: &Path) -> Recovered {
    let opened = open(folder, 2);
    let found = opened.recovered.clone();
    opened.journal.append(draft()).await.unwrap();
    close(opened).await;

    found
}

#[tokio::test]
async fn i9_a_tail_truncated_by_any_number_of_records_is_named_to_the_record() {
    const RECORDS: u64 = 12;
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 1, RECORDS).await;
    let whole = fs::read(only_segment(folder.path())).unwrap();
    let ends = ends(&whole);

    for gone in 1..=RECORDS {
        let damaged = copy(folder.path());
        let left = RECORDS - gone;
        let end = ends[usize::try_from(left).unwrap()];
        fs::write(only_segment(damaged.path()), &whole[..end]).unwrap();
        assert!(
            matches!(verify_signed(damaged.path(), &signer()), Err(Broken::Cut { .. })),
            "{gone} records less"
        );

        let found = starts(damaged.path()).await;
        assert_eq!((found.last, found.gap), (left, Some((left + 1, RECORDS))), "{gone}");
        let verified = verify_signed(damaged.path(), &signer()).unwrap();
        assert_eq!(verified.gaps, [(left + 1, RECORDS)], "{gone}");
    }
}

#[tokio::test]
async fn what_a_start_cuts_off_is_no_damage_for_whoever_reads_and_what_it_sets_aside_is() {
    let (folder, firsts, last) = segments().await;
    let newest = segment_path(folder.path(), firsts[3]);
    let (whole, next) = (fs::read(&newest).unwrap(), segment_path(folder.path(), last + 1));
    let reads = |folder: &Path| {
        let alone = verify(folder).map(|verified| verified.span.unwrap().1).ok();
        let signed = verify_signed(folder, &signer()).map(|verified| verified.span.unwrap().1).ok();
        (alone, signed)
    };

    for (path, tail) in [
        (&newest, &whole[frame::HEAD_LEN..frame::HEAD_LEN + 1]),
        (&newest, &whole[frame::HEAD_LEN..frame::HEAD_LEN + 20]),
        (&newest, &[0; 100]),
        (&next, &[]),
        (&next, &whole[..30]),
    ] {
        let torn = copy(folder.path());
        let path = torn.path().join(path.file_name().unwrap());
        let mut bytes = fs::read(&path).unwrap_or_default();
        bytes.extend(tail);
        fs::write(&path, bytes).unwrap();
        assert_eq!(reads(torn.path()), (Some(last), Some(last)), "{path:?}, {tail:?}");
        let found = starts(torn.path()).await;
        let cut = tail.len() as u64;
        assert_eq!(found, Recovered { last, cut, ..Recovered::default() }, "{path:?}");
    }

    // Only the newest may end or begin like that, and not before what was durable once.
    for first in [firsts[1], firsts[3]] {
        for len in [10, whole.len() - 10] {
            let damaged = copy(folder.path());
            let path = segment_path(damaged.path(), first);
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..len.min(bytes.len() - 10)]).unwrap();
            assert_eq!(reads(damaged.path()), (None, None), "segment {first}, {len} bytes");
        }
    }
    // A segment that was taken away is missed though a new one was being begun behind it.
    let damaged = copy(folder.path());
    fs::remove_file(segment_path(damaged.path(), firsts[3])).unwrap();
    fs::write(damaged.path().join(next.file_name().unwrap()), &whole[..30]).unwrap();
    assert!(matches!(verify_signed(damaged.path(), &signer()), Err(Broken::Cut { .. })));
}

#[tokio::test]
async fn i9_a_bit_flipped_anywhere_in_the_folder_is_found_or_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 1, 5).await;
    let whole = verify_signed(folder.path(), &signer()).unwrap();
    let every = std::env::var_os(EVERY_BIT).is_some();
    let mut flipped = 0;

    for entry in fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let (name, bytes) = (path.file_name().unwrap(), fs::read(&path).unwrap());
        let is_segment = path.extension().is_some_and(|extension| extension == "seg");
        for bit in (0..bytes.len() * 8).step_by(if every { 1 } else { 131 }) {
            let damaged = copy(folder.path());
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(damaged.path().join(name), bad).unwrap();
            let read = verify_signed(damaged.path(), &signer());
            // What is beside the records proves less, and takes none of them away.
            let same = read
                .as_ref()
                .is_ok_and(|read| (read.records, read.head) == (whole.records, whole.head));
            assert_eq!(same, !is_segment, "{name:?}, bit {bit}: {read:?}");

            let found = starts(damaged.path()).await;
            assert_eq!(found.gap.is_some() && !found.damaged.is_empty(), is_segment, "bit {bit}");
            assert!(!found.lost_key, "{name:?}, bit {bit}");
            let after = verify_signed(damaged.path(), &signer()).unwrap();
            assert!(is_segment || after.records >= 6, "{name:?}, bit {bit}: {after:?}");
            flipped += 1;
        }
    }
    assert!(flipped > 50);
}

#[tokio::test]
async fn i9_a_segment_that_is_deleted_or_swapped_with_another_is_named_and_the_agent_goes_on() {
    let (folder, firsts, last) = segments().await;
    let name = |first| segment_path(Path::new(""), first);
    let swapped = |folder: &Path, one: u64, other: u64| {
        let [one, other] = [one, other].map(|first| folder.join(name(first)));
        fs::rename(&one, folder.join("x")).unwrap();
        fs::rename(&other, &one).unwrap();
        fs::rename(folder.join("x"), &other).unwrap();
    };

    // The last one is read at the start.
    for what in ["deleted", "swapped"] {
        let damaged = copy(folder.path());
        match what {
            "deleted" => fs::remove_file(damaged.path().join(name(firsts[3]))).unwrap(),
            _ => swapped(damaged.path(), firsts[2], firsts[3]),
        }
        assert!(verify_signed(damaged.path(), &signer()).is_err(), "{what}");
        let found = starts(damaged.path()).await;
        let gap = found.gap.unwrap();
        assert!(gap.0 <= firsts[3] && gap.1 == last, "{what}: {found:?}");
        assert!(what == "deleted" || found.damaged.len() == 2, "{found:?}");
        verify(damaged.path()).unwrap();
    }
    // Older ones are not; the upload and `audit verify` name them.
    for what in ["deleted", "swapped"] {
        let damaged = copy(folder.path());
        match what {
            "deleted" => fs::remove_file(damaged.path().join(name(firsts[1]))).unwrap(),
            _ => swapped(damaged.path(), firsts[0], firsts[1]),
        }
        let found = starts(damaged.path()).await;
        assert_eq!(found, Recovered { last, ..Recovered::default() }, "{what}");
        let broken = verify_signed(damaged.path(), &signer()).unwrap_err().to_string();
        assert!(
            broken.contains(&format!("{:020}.seg", firsts[usize::from(what == "deleted") * 2]))
        );
        let mut reader = Reader::new(damaged.path(), 1);
        let mut seen = Vec::new();
        let mut told = 0;
        loop {
            match reader.next(last, 1 << 20) {
                Ok(Some(piece)) => seen.push((piece.first, piece.last)),
                Ok(None) => break,
                Err(NotRead::Damaged { .. }) => told += 1,
                Err(error) => panic!("{error}"),
            }
        }
        let hole = seen.windows(2).any(|pair| pair[1].0 > pair[0].1 + 1) || seen[0].0 > 1;
        assert!(hole && (what == "deleted" || told == 2), "{what}: {seen:?}, {told}");
    }
}

#[tokio::test]
async fn a_disk_that_is_read_only_or_full_at_the_start_of_a_segment_allows_nothing_and_heals() {
    struct ReadOnly(Arc<AtomicBool>);
    impl Medium for ReadOnly {
        fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
            if self.0.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::ReadOnlyFilesystem.into());
            }
            Real.open(path)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let sealed = Arc::new(AtomicBool::new(false));
    let medium = Arc::new(ReadOnly(Arc::clone(&sealed)));
    let opened = Journal::open_on(medium, folder.path(), GATEWAY, &identity(), options(1)).unwrap();
    let journal = &opened.journal;

    sealed.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        assert_eq!(journal.append(draft()).await, Err(NotWritten::Failed));
    }
    assert!(journal.status().refusing());
    sealed.store(false, Ordering::Relaxed);
    // The event that three were refused goes before it.
    assert_eq!(journal.append(draft()).await.unwrap().seq, 2);
    close(opened).await;
    assert_eq!(verify(folder.path()).unwrap().records, 2);
}

#[tokio::test]
async fn i8_with_an_interval_a_start_that_sets_every_segment_aside_says_that_records_may_be_missing()
 {
    let every =
        |boot| Options { sync: Durability::Interval(Duration::from_millis(5)), ..options(boot) };
    let folder = tempfile::tempdir().unwrap();
    let opened = Journal::open(folder.path(), GATEWAY, &identity(), every(1)).unwrap();
    assert_eq!(opened.recovered.unsynced, None, "there never was anything");
    opened.journal.append(draft()).await.unwrap();
    close(opened).await;
    let path = only_segment(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[0] ^= 1;
    fs::write(&path, bytes).unwrap();

    let opened = Journal::open(folder.path(), GATEWAY, &identity(), every(2)).unwrap();
    assert_eq!(opened.recovered.damaged.len(), 1);
    assert_eq!(opened.recovered.unsynced, Some(Duration::from_millis(5)));
    close(opened).await;
    assert!(room::events(folder.path()).contains(&Event::Unsynced));
}

#[tokio::test]
async fn i8_with_an_interval_a_power_cut_that_leaves_an_empty_segment_may_have_cost_records() {
    let every = Options { sync: Durability::Interval(Duration::from_secs(3_600)), ..options(1) };
    let folder = tempfile::tempdir().unwrap();
    let opened = Journal::open(folder.path(), GATEWAY, &identity(), every).unwrap();
    assert_eq!(opened.journal.append(draft()).await.unwrap().seq, 1);
    // What had reached the disk by then: the beginning of the segment.
    let left = tempfile::tempdir().unwrap();
    let head = fs::read(only_segment(folder.path())).unwrap();
    fs::write(only_segment(left.path()), &head[..frame::HEAD_LEN / 2]).unwrap();
    close(opened).await;

    let opened = Journal::open(left.path(), GATEWAY, &identity(), every).unwrap();
    assert!(opened.recovered.cut > 0 && opened.recovered.unsynced.is_some());
    close(opened).await;
}
