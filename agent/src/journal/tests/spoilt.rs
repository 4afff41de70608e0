//! What a disk does not give back, and what a start or a stop cannot finish.

use std::mem;
use std::os::unix::fs::symlink;

use super::counted::{owned, writer_on};
use super::faults::{Faults, Faulty};
use super::*;

/// A journal of at least `count` small segments.
fn small(folder: &Path, count: usize) -> Vec<u64> {
    let options = Options { max_bytes: 32 << 10, ..options(1) };
    let mut writer = writer_on(Arc::new(Real), folder, options);
    loop {
        writer.commit([draft()].iter())[0].unwrap();
        let firsts = recover::list(folder).unwrap();
        if firsts.len() == count {
            // Something in the newest, too.
            writer.commit([draft()].iter())[0].unwrap();
            writer.last_words().unwrap();
            return firsts;
        }
    }
}

/// Nobody can read it, as where the disk has a bad block: it leads to itself.
fn spoil(path: &Path) {
    fs::remove_file(path).unwrap();
    symlink(path, path).unwrap();
    assert!(medium::is_unreadable(&fs::read(path).unwrap_err()));
}

fn start(folder: &Path) -> (writer::Writer, Recovered) {
    recover::recover(Arc::new(Real), folder, GATEWAY, &identity(), options(2)).unwrap()
}

#[test]
fn a_segment_that_the_disk_does_not_give_back_is_set_aside_and_stops_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let firsts = small(folder.path(), 3);
    let last = start(folder.path()).1.last;
    spoil(&segment_path(folder.path(), firsts[2]));

    let (mut writer, found) = start(folder.path());
    let (from, to) = found.gap.unwrap();
    assert_eq!((found.last, from), (firsts[2] - 1, firsts[2]));
    assert!(to >= last && found.damaged.len() == 1, "{found:?}");
    let seq = writer.commit([draft()].iter())[0].unwrap().seq;
    drop(writer);
    let verified = verify(folder.path()).unwrap();
    assert_eq!((verified.span.unwrap().1, verified.gaps), (seq, vec![(from, to)]));
    assert_eq!(start(folder.path()).1.gap, None, "it is told once");
}

#[test]
fn a_segment_that_can_neither_be_read_nor_moved_stops_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let firsts = small(folder.path(), 3);
    let path = segment_path(folder.path(), firsts[2]);
    fs::remove_file(&path).unwrap();
    // A folder has no second name either.
    fs::create_dir(&path).unwrap();
    fs::create_dir(segment_path(folder.path(), 0)).unwrap();

    let (mut writer, found) = start(folder.path());
    assert_eq!((found.last, found.damaged), (firsts[2] - 1, vec![path]));
    assert_eq!(found.gap.unwrap().0, firsts[2]);
    let seq = writer.commit([draft()].iter())[0].unwrap().seq;
    drop(writer);
    assert_eq!(start(folder.path()).1.last, seq);
}

#[test]
fn a_key_mark_or_share_that_the_disk_does_not_give_back_is_set_aside_and_stops_no_start() {
    for name in ["key", "mark", "share"] {
        let folder = tempfile::tempdir().unwrap();
        small(folder.path(), 2);
        let last = start(folder.path()).1.last;
        spoil(&folder.path().join(name));
        // A start that was cut short left this one.
        let other = folder.path().join(name).with_extension("2.damaged");
        fs::write(&other, []).unwrap();

        let (mut writer, found) = start(folder.path());
        assert_eq!((found.last, found.gap, found.lost_key), (last, None, false), "{name}");
        assert_eq!(found.damaged.len(), 1, "{name}: {found:?}");
        let kept = [&found.damaged[0], &other].map(|path| fs::symlink_metadata(path).is_ok());
        assert_eq!(kept, [name != "key"; 2], "a key that was found again is not left lying about");
        assert!(writer.commit([draft()].iter())[0].is_ok(), "{name}");
        drop(writer);
        assert!(verify(folder.path()).unwrap().gaps.is_empty(), "{name}");
    }
}

#[test]
fn i5_what_was_dropped_is_owned_up_to_and_counted_though_the_power_goes_before_that_is_written() {
    for receipted in [0, 1] {
        let folder = tempfile::tempdir().unwrap();
        let firsts = small(folder.path(), 4);
        let options = Options { max_bytes: 32 << 10, drop_oldest: true, ..options(2) };
        let open = || {
            recover::recover(Arc::new(Real), folder.path(), GATEWAY, &identity(), options).unwrap()
        };
        let (mut writer, _) = open();
        writer.permission = Some(room::always());
        let first = firsts[receipted];
        writer.serve([Command::Release(first - 1, Stamp::default())].into_iter());
        assert!(writer.give_way(u64::MAX) && writer.give_way(u64::MAX));
        // The process ends here, and so does the next one.
        drop(writer);
        let (mut writer, found) = open();
        assert_eq!(found.gap, None);
        writer.tidy();
        drop(writer);

        // Said once, however often it starts.
        open().0.tidy();
        let mut gaps = Vec::new();
        walk(folder.path(), |_, record, _| {
            if record.outcome == Outcome::Event(Event::Gap) {
                gaps.push((record.span.unwrap(), u64::from(record.count)));
            }
        })
        .unwrap();
        let last = firsts[2] - 1;
        assert_eq!(gaps, [((first, last), last - first + 1)], "not what the collector holds");
    }
}

#[test]
fn a_stop_says_where_the_disk_took_not_everything() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Mutex::new(Faults::default()));
    let sync = Durability::Interval(Duration::from_secs(3_600));
    let medium = Arc::new(Faulty(Arc::clone(&faults)));
    let mut writer = writer_on(medium, folder.path(), Options { sync, ..options(1) });
    writer.commit([draft()].iter())[0].unwrap();
    assert!(writer.last_words().is_ok());

    writer.commit([draft()].iter())[0].unwrap();
    faults.lock().unwrap().fail_syncs = true;
    let error = writer.last_words().unwrap_err();
    assert!(error.to_string().contains("the disk is gone"), "{error}");
}

#[test]
fn n7_denials_for_which_the_queue_has_no_room_are_written_down_as_a_count() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = writer_on(Arc::new(Real), folder.path(), options(1));
    writer.missed.fetch_add(41, Ordering::Relaxed);
    writer.last_words().unwrap();
    drop(writer);

    assert_eq!(owned(folder.path()), [41]);
}

#[test]
fn i6_what_goes_out_on_a_full_disk_is_not_counted_as_refused() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(Mutex::new(Faults::default()));
    let medium = Arc::new(Faulty(Arc::clone(&faults)));
    let mut writer = writer_on(medium, folder.path(), options(1));
    let public = || Draft::new(Outcome::Allow(Reason::OkPublic), Stamp::default());
    let device = || Draft::new(Outcome::Passthrough(Reason::PassthroughDevice), Stamp::default());
    let counted = || Draft { asked: Some(1), ..public() };
    writer.commit([draft()].iter())[0].unwrap();
    faults.lock().unwrap().fail_writes = true;

    let asks = [counted(), counted()].map(|draft| Command::Append(Box::new(draft), None));
    writer.serve(asks.into_iter());
    assert_eq!((writer.no_space, writer.refused), (true, 0));
    writer.commit([public(), device(), draft()].iter());
    assert_eq!(writer.refused, 1);
}

#[test]
fn the_first_key_is_let_go_of_once_a_later_one_is_on_disk_and_without_both_the_key_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, _) = start(folder.path());
    let spent = Arc::new(AtomicBool::new(false));
    let (then, is_spent) = (Arc::clone(&spent), || spent.load(Ordering::Relaxed));
    let kept = thread::Kept(Box::new(move || then.store(true, Ordering::Relaxed)));
    writer.serve([Command::WhenKept(kept)].into_iter());
    writer.tidy();
    assert!(!is_spent(), "there is no other yet");
    writer.commit([draft()].iter())[0].unwrap();
    assert!(!is_spent(), "it may not be on disk yet");
    writer.tidy();
    assert!(is_spent());
    drop(writer);

    let identity = Identity { audit: Ratchet::new([0; 32]), ..identity() };
    let lost = || {
        let medium = Arc::new(Real);
        recover::recover(medium, folder.path(), GATEWAY, &identity, options(3)).unwrap().1.lost_key
    };
    assert!(!lost());
    spoil(&folder.path().join("key"));
    for _ in 0..2 {
        assert!(lost(), "at every start until it is enrolled again");
    }
    let aside = folder.path().join("key.damaged");
    assert!(fs::symlink_metadata(aside).is_ok(), "there is no other");
}

#[test]
fn i5_the_room_of_a_segment_that_goes_is_free_though_somebody_reads_it_and_evidence_stays() {
    let folder = tempfile::tempdir().unwrap();
    let firsts = small(folder.path(), 5);
    let options = Options { max_bytes: 32 << 10, drop_oldest: true, ..options(2) };
    let open =
        || recover::recover(Arc::new(Real), folder.path(), GATEWAY, &identity(), options).unwrap();
    let segment = |at: usize| segment_path(folder.path(), firsts[at]);
    let (mut writer, _) = open();
    writer.permission = Some(room::always());
    let reader = fs::File::open(segment(0)).unwrap();
    assert!(writer.give_way(u64::MAX));
    assert_eq!(reader.metadata().unwrap().len(), 0);
    let aside = segment(1).with_extension("damaged");
    fs::hard_link(segment(1), &aside).unwrap();
    assert!(writer.give_way(u64::MAX));
    assert!(!segment(1).exists() && fs::metadata(aside).unwrap().len() > 0, "that is evidence");
}

#[test]
fn i5_each_drop_is_counted_once_whether_its_record_comes_through_or_not_when_another_follows_it() {
    for survives in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let firsts = small(folder.path(), 4);
        let sync = Durability::Interval(Duration::from_secs(3_600));
        let options = Options { sync, max_bytes: 32 << 10, drop_oldest: true, ..options(2) };
        let open = || {
            recover::recover(Arc::new(Real), folder.path(), GATEWAY, &identity(), options).unwrap()
        };
        let (mut writer, _) = open();
        writer.flush();
        let (newest, durable) =
            (*recover::list(folder.path()).unwrap().last().unwrap(), writer.durable.1);
        writer.permission = Some(room::always());
        assert!(writer.give_way(u64::MAX));
        writer.commit([draft()].iter())[0].unwrap();
        assert!(writer.lost.is_none() && !writer.unsynced.is_empty(), "owned up to, not for good");
        assert!(writer.give_way(u64::MAX));
        drop(writer);
        if !survives {
            let path = segment_path(folder.path(), newest);
            fs::File::options().write(true).open(path).unwrap().set_len(durable).unwrap();
        }

        let mut writer = open().0;
        writer.tidy();
        writer.flush();
        assert!(writer.noted.is_none(), "all of it is said for good");
        drop(writer);
        open().0.tidy();
        let mut counts = 0;
        walk(folder.path(), |_, record, _| {
            if record.outcome == Outcome::Event(Event::Gap) {
                counts += u64::from(record.count);
            }
        })
        .unwrap();
        assert_eq!(counts, firsts[2] - 1, "each that went, once; came through: {survives}");
    }
}

#[test]
fn i5_a_note_of_a_drop_that_never_came_to_pass_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let firsts = small(folder.path(), 4);
    let options = Options { max_bytes: 32 << 10, drop_oldest: true, ..options(2) };
    let open =
        || recover::recover(Arc::new(Real), folder.path(), GATEWAY, &identity(), options).unwrap();
    let (mut writer, _) = open();
    writer.noted = Some((1, firsts[1] - 1));
    writer.keep_share(firsts[3]);
    drop(writer);

    let (mut writer, _) = open();
    assert!(writer.lost.is_none(), "it is still there");
    writer.commit([draft()].iter())[0].unwrap();
    drop(writer);
    // The collector gets it, and then it goes.
    fs::remove_file(segment_path(folder.path(), 1)).unwrap();
    let (mut writer, _) = open();
    writer.commit([draft()].iter())[0].unwrap();
    drop(writer);
    assert_eq!(verify(folder.path()).unwrap().gaps, [], "nothing was lost");
}

#[test]
fn what_goes_while_somebody_reads_or_verifies_is_no_damage_unless_older_ones_stay() {
    for (goes, is_right) in [(&[0, 1][..], true), (&[0][..], true), (&[1][..], false)] {
        let folder = tempfile::tempdir().unwrap();
        let firsts = small(folder.path(), 4);
        let remove = |at: usize| fs::remove_file(segment_path(folder.path(), firsts[at])).unwrap();
        let mut gone = false;
        let verified = walk(folder.path(), |_, _, _| {
            if !mem::replace(&mut gone, true) {
                goes.iter().copied().for_each(remove);
            }
        });
        assert_eq!(verified.is_ok(), is_right, "{goes:?}: {verified:?}");
        if goes.len() == 2 {
            assert_eq!(verified.unwrap().span.unwrap().0, firsts[2], "it begins behind them");
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let firsts = small(folder.path(), 4);
    let last = firsts[3];
    let mut reader = Reader::new(folder.path(), 1);
    assert_eq!(reader.next(last, 1).unwrap().unwrap().first, 1);
    let segment = segment_path(folder.path(), 1);
    let file = fs::File::options().write(true).open(&segment).unwrap();
    fs::remove_file(&segment).unwrap();
    // A read beside one that empties it sees a part.
    file.set_len(file.metadata().unwrap().len() - 5).unwrap();
    let mut pieces = std::iter::repeat_with(|| reader.next(last, usize::MAX).unwrap().unwrap());
    assert!(
        pieces.by_ref().take(2).any(|piece| piece.first == firsts[1]),
        "the next that is there"
    );
}
