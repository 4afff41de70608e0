//! Segments that the disk does not give back, and records that went before their receipt came.

use super::*;
use crate::journal::SegmentHead;
use crate::upload::batch::Entry;

/// The segments of `folder`, oldest first.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut segments: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
    segments.sort();

    segments
}

fn first_of(path: &Path) -> u64 {
    SegmentHead::decode(&std::fs::read(path).unwrap()).unwrap().first
}

/// Notes what the gateway owns up to.
fn look(entry: &Entry<'_>, owned: &mut Option<(u64, u64)>, damaged: &mut u32) {
    if entry.record.outcome == Outcome::Event(Event::Gap) {
        *owned = entry.record.span;
    }
    *damaged += u32::from(entry.record.outcome == Outcome::Event(Event::SegmentDamaged));
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_the_disk_does_not_give_back_is_owned_up_to_and_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut scene = Scene::begin_sized(folder.path(), 1, u32::MAX, 32 << 10);
    while segments(folder.path()).len() < 3 {
        scene.write(1).await;
    }
    let all = segments(folder.path());
    let (spoilt, behind) = (&all[1], first_of(&all[2]));
    let first = first_of(spoilt);
    std::fs::remove_file(spoilt).unwrap();
    std::os::unix::fs::symlink(spoilt, spoilt).unwrap();
    scene.up().await;

    let (mut next, mut owned, mut damaged) = (1, None, 0);
    let last = scene.opened.journal.status().seq;
    while next <= last {
        let batch = scene.batch().await;
        if batch.first < next {
            continue;
        }
        batch.walk(|entry| look(&entry, &mut owned, &mut damaged)).unwrap();
        // The gap record may come by itself, before what follows the hole.
        if batch.first == next || (batch.first == behind && next == first) {
            next = batch.last() + 1;
            scene.hear.send(receipt(&told(&batch))).await.unwrap();
        }
    }
    while owned.is_none() || damaged == 0 {
        let batch = scene.batch().await;
        batch.walk(|entry| look(&entry, &mut owned, &mut damaged)).unwrap();
    }
    assert_eq!((owned, damaged), (Some((first, behind - 1)), 1));
    scene.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_receipt_for_records_that_are_gone_meanwhile_is_no_stranger() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::begin_sized(folder.path(), 1, u32::MAX, 32 << 10);
    while segments(folder.path()).len() < 3 {
        scene.write(1).await;
    }
    let whose = (GATEWAY, INCARNATION);
    let takes = |through, head| {
        let (gateway, incarnation) = whose;
        let last = scene.opened.journal.status().seq;
        let receipt = Acknowledged { gateway, incarnation, through, head };
        receipt::weigh(folder.path(), whose, (0, last), &receipt)
    };
    let gone = first_of(&segments(folder.path())[1]) - 1;
    assert!(matches!(takes(gone, Head([1; 32])), Err(NotReceipted::Chain)), "it is there");

    std::fs::remove_file(&segments(folder.path())[0]).unwrap();
    assert!(matches!(takes(gone, Head([1; 32])), Ok(None)));
    assert!(matches!(takes(gone + 1, Head([1; 32])), Err(NotReceipted::Chain)));
    scene.end().await;
}
