//! What the gateway's signature proves where nothing else in the folder does.

use super::super::checkpoints::{self, path};
use super::*;

fn signer() -> Signer {
    Signer { account: ACCOUNT, gateway: GATEWAY, key: identity().key.verifying_key() }
}

/// Writes the records of the only segment again, the one at `altered` with another count, as whoever
/// has every key but the gateway's own would: sums, chain and tags are right.
fn rewrite(folder: &Path, altered: u64) {
    let path = only_segment(folder);
    let bytes = fs::read(&path).unwrap();
    let mut forged = bytes[..frame::HEAD_LEN].to_vec();
    let (mut head, mut key) = (Head::START, Ratchet::new(K0));
    for end in ends(&bytes).windows(2) {
        let frame = Frame::read(&bytes[end[0]..end[1]]).unwrap();
        let mut record = Record::decode(frame.record).unwrap();
        record.count += u32::from(record.seq == altered);
        let mut buffer = [0; gateward_core::audit::MAX_RECORD];
        let len = record.encode(&mut buffer).unwrap();
        head = head.next(&buffer[..len]);
        Frame { record: &buffer[..len], tag: key.tag(&head) }.write(&mut forged);
        key.step();
    }
    fs::write(path, forged).unwrap();
}

#[tokio::test]
async fn the_chain_is_signed_for_by_count_at_a_segments_end_and_when_the_journal_closes() {
    let folder = tempfile::tempdir().unwrap();
    let small = Options { max_bytes: 1 << 20, ..options(1) };
    let opened = Journal::open(folder.path(), GATEWAY, &identity(), small).unwrap();
    assert_eq!(room::burst(&opened.journal, draft, 6_000).await, 6_000);
    close(opened).await;

    let verified = verify_signed(folder.path(), &signer()).unwrap();
    let firsts = recover::list(folder.path()).unwrap();
    assert!(firsts.len() > 1);
    assert_eq!((verified.signed, verified.unsigned_places), (Some(6_000), 0));
    assert!(verified.checkpoints >= 5, "{}", verified.checkpoints);
    let mut distance = 0;
    for (first, next) in firsts.iter().zip(firsts.iter().skip(1).chain([&6_001])) {
        let by = signer();
        let found =
            checkpoints::Found::read(folder.path(), *first, &by, identity().incarnation).unwrap();
        assert_eq!(found.last().unwrap().0, next - 1, "the last of a segment is signed for");
        let mut last = first - 1;
        for number in found.heads.keys() {
            distance = distance.max(number - last);
            last = *number;
        }
    }
    // What is written as one is signed for as one.
    assert!((1_024..1_024 + 512).contains(&distance), "{distance}");
}

#[tokio::test(start_paused = true)]
async fn the_last_record_of_a_quiet_gateway_is_signed_for_within_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, _) =
        recover::recover(Arc::new(Real), folder.path(), GATEWAY, &identity(), options(1)).unwrap();
    let (to, from) = mpsc::channel(QUEUE);
    let (show, status) = watch::channel(writer.status());
    tokio::spawn(thread::run(writer, from, show));
    let journal = Journal { to, status, missed: Arc::default(), folder: folder.path().into() };

    let mut waited = Vec::new();
    for record in 1..=3_u64 {
        journal.append(draft()).await.unwrap();
        let mut seconds = 0;
        while verify_signed(folder.path(), &signer()).unwrap().signed != Some(record) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            seconds += 1;
        }
        waited.push(seconds);
    }

    // The test looks once a second.
    assert!(waited.iter().all(|seconds| *seconds <= 61), "{waited:?}");
    assert!(waited[1] > 30, "not with every record: {waited:?}");
}

#[tokio::test]
async fn i9_a_journal_rewritten_with_every_key_of_the_folder_is_found_out_by_the_public_key() {
    for altered in [1, 3, 5] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 1, 5).await;
        assert_eq!(verify_signed(folder.path(), &signer()).unwrap().signed, Some(5));
        let (by, whose) = (signer(), identity().incarnation);
        let signed = checkpoints::Found::read(folder.path(), 1, &by, whose).unwrap().heads;
        let sound = signed.keys().copied().rfind(|number| *number < altered).unwrap_or(0);
        rewrite(folder.path(), altered);

        assert!(verify(folder.path()).is_ok(), "the chain alone does not show it");
        assert!(matches!(
            verify_signed(folder.path(), &signer()),
            Err(Broken::Checkpoint { record, .. }) if record >= altered
        ));
        // The agent finds it too, keeps what was made of its records, and goes on.
        let opened = open(folder.path(), 2);
        let found = &opened.recovered;
        assert_eq!((found.last, found.gap), (sound, Some((sound + 1, 5))));
        assert_eq!(found.damaged.len(), 1);
        assert_eq!(opened.journal.append(draft()).await.unwrap().seq, 8);
        close(opened).await;
        let verified = verify_signed(folder.path(), &signer()).unwrap();
        assert_eq!((verified.gaps, verified.signed), (vec![(sound + 1, 5)], Some(8)));
    }
}

#[tokio::test]
async fn i9_a_tail_cut_together_with_the_key_file_and_the_mark_is_missed_by_what_was_signed() {
    let folder = four_of_which_two_are_marked().await;
    let path = only_segment(folder.path());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..ends(&whole)[2]]).unwrap();

    assert!(verify(folder.path()).is_ok(), "the chain alone does not show it");
    assert!(matches!(verify_signed(folder.path(), &signer()), Err(Broken::Cut { record: 4, .. })));
    let opened = open(folder.path(), 2);
    assert_eq!(opened.recovered.gap, Some((3, 4)));
    close(opened).await;
    assert_eq!(verify_signed(folder.path(), &signer()).unwrap().gaps, [(3, 4)]);
}

#[tokio::test]
async fn checkpoints_that_are_torn_flipped_anothers_or_gone_cost_no_record() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), 1, 3).await;
    write(folder.path(), 2, 3).await;
    let whole = fs::read(path(folder.path(), 1)).unwrap();
    let damages: Vec<Vec<u8>> = (0..whole.len())
        .step_by(13)
        .flat_map(|at| {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            [whole[..at].to_vec(), flipped]
        })
        .chain([vec![7; 2 << 20]])
        .collect();

    for damaged in damages {
        fs::write(path(folder.path(), 1), &damaged).unwrap();
        let copy = tempfile::tempdir().unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        let opened = open(copy.path(), 3);
        assert_eq!(opened.recovered, Recovered { last: 6, ..Recovered::default() });
        opened.journal.append(draft()).await.unwrap();
        close(opened).await;
        let verified = verify_signed(copy.path(), &signer()).unwrap();
        assert_eq!(verified.records, 7);
        assert_eq!(verified.signed, Some(7), "it is signed for again");
    }
    let other = Signer { account: Uuid([1; 16]), ..signer() };
    fs::write(path(folder.path(), 1), &whole).unwrap();
    let verified = verify_signed(folder.path(), &other).unwrap();
    let places = u64::try_from(whole.len() / 192).unwrap();
    assert_eq!((verified.signed, verified.unsigned_places), (None, places));
}

#[tokio::test]
async fn a_checkpoint_that_a_power_cut_tore_is_called_torn_and_cut_off_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    for boot in 1..=2 {
        write(folder.path(), boot, 2).await;
    }
    let whole = fs::read(path(folder.path(), 1)).unwrap();
    let place = whole.len() - 192;
    let signed = place + 2 + usize::from(whole[place]);
    let figures = |folder: &Path| {
        let verified = verify_signed(folder, &signer()).unwrap();
        (verified.checkpoints, verified.unsigned_places, verified.torn_checkpoints)
    };
    let (total, unsigned, torn) = figures(folder.path());
    assert!(total > 1 && (unsigned, torn) == (0, 0));

    for at in place + 1..signed - 4 {
        // The end is not there, or the file has its length and not its bytes, or only the later ones.
        let short = whole[..at].to_vec();
        let mut early = whole.clone();
        early[at..].fill(0);
        let mut late = whole.clone();
        late[place..=at].fill(0);
        for torn in [short, early, late] {
            fs::write(path(folder.path(), 1), &torn).unwrap();
            assert_eq!(figures(folder.path()), (total - 1, 0, 1), "{at}");
        }
        if at % 16 == 0 {
            close(open(folder.path(), 3)).await;
            // What is left unsigned is signed for again, in the same place.
            assert_eq!(figures(folder.path()), (total, 0, 0), "{at}");
        }
    }
    write(folder.path(), 4, 1).await;
    let (total, unsigned, torn) = figures(folder.path());
    assert_eq!((unsigned, torn), (0, 0));
    // What was altered is none of that.
    let mut forged = fs::read(path(folder.path(), 1)).unwrap();
    forged[place + 20] ^= 1;
    fs::write(path(folder.path(), 1), forged).unwrap();
    assert_eq!(figures(folder.path()), (total - 1, 1, 0));
}
