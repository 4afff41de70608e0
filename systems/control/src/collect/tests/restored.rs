//! A gateway whose store was put back from a backup writes numbers again that are held already.

use std::fs;

use super::*;

async fn world() -> (World, Work<Folder>) {
    let world = World::new().await;
    let work = world.work();

    (world, work)
}

async fn keep(work: &mut Work<Folder>, message: &[u8]) -> work::Kept {
    work.keep("edge-1", &Batch::decode(message).unwrap(), message).await.unwrap()
}

#[tokio::test]
async fn i11_the_same_numbers_with_another_content_are_told_of_and_not_receipted() {
    let (mut world, mut work) = world().await;
    let first = world.gateway.write(3);
    let backup = world.gateway.clone();
    let second = world.gateway.write(4);
    for message in [&first, &second] {
        assert!(keep(&mut work, message).await.held.is_some());
    }
    let lines = lines_path(&world.out(), "edge-1");
    let before = fs::read_to_string(&lines).unwrap();

    // What it writes now has other content, as its keys and its checkpoints are good.
    for more in [2, 4] {
        let mut restored = backup.clone();
        let again = restored.write_as_another(more);
        let kept = keep(&mut work, &again).await;
        let told = if more == 4 { Trouble::Fork(7) } else { Trouble::Restored(3 + more) };
        assert_eq!((kept.trouble, kept.held.map(|held| held.through)), (Some(told), None));
    }
    let mut restored = backup.clone();
    let again = restored.write_as_another(9);
    assert_eq!(
        keep(&mut work, &again).await.trouble,
        Some(Trouble::Fork(7)),
        "and once it has passed"
    );
    assert_eq!(fs::read_to_string(&lines).unwrap(), before);

    // The same content is what it was.
    for message in [&first, &second] {
        let kept = keep(&mut work, message).await;
        assert_eq!((kept.trouble, kept.held.unwrap().through), (None, 7));
    }
}

#[tokio::test]
async fn i10_records_are_kept_by_number_whatever_the_clock_did() {
    let (mut world, mut work) = world().await;
    let times = [5_000, 9_000, 1_000, 1_000, 2_000];
    let message = world.gateway.write_at(&times);
    assert_eq!(keep(&mut work, &message).await.held.unwrap().through, 5);

    let text = fs::read_to_string(lines_path(&world.out(), "edge-1")).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers: Vec<_> = lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(lines[2]["created_at"], "1970-01-01T00:00:01.000Z");
}

#[tokio::test]
async fn a_head_is_found_however_far_back_it_is_and_in_the_newest_enrolment_only() {
    let (mut world, mut work) = world().await;
    for _ in 0..60 {
        let old = world.gateway.write(50);
        keep(&mut work, &old).await;
    }
    world.gateway.enrolled.incarnation = Incarnation([7; 8]);
    world.gateway.enrolled.save(&world.dir.path().join("acme")).unwrap();
    world.gateway = Gateway::of(
        world.gateway.enrolled.clone(),
        world.gateway.key.clone(),
        world.gateway.account,
    );
    let mut heads = Vec::new();
    for _ in 0..40 {
        let message = world.gateway.write(50);
        heads.push((world.gateway.seq, world.gateway.head));
        assert!(keep(&mut work, &message).await.held.is_some());
    }
    let enrolled = world.gateway.enrolled.clone();
    for (seq, head) in heads {
        assert_eq!(work.store.head_at(&enrolled, seq).await.unwrap(), Some(head), "{seq}");
    }
    for absent in [0, 2_001, u64::MAX] {
        assert_eq!(work.store.head_at(&enrolled, absent).await.unwrap(), None, "{absent}");
    }
    // What it has of the enrolment before is not taken for this one's.
    let mut older = enrolled;
    older.incarnation = Incarnation([8; 8]);
    assert_eq!(work.store.head_at(&older, 3).await.unwrap(), None);
}
