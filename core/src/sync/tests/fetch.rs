//! The whole file, from its list to its last chunk: nothing is kept that the root does not cover, and
//! nothing that was kept is asked for again.

use super::*;

#[test]
fn a_first_snapshot_is_listed_fetched_and_checked() {
    let snapshot = Snapshot::new(1, 3 * CHUNK - 7);
    let mut machine = connected();
    let control = subscribed(&mut machine);
    assert_eq!(control, ANNOUNCEMENTS);

    machine.aim(&snapshot.manifest, snapshot.room()).unwrap();
    let root = snapshot.root();
    assert_eq!(subscribed(&mut machine), [GroupTopic::List { root, piece: 0 }]);

    machine.piece(root, 0, &snapshot.list, Millis(1)).unwrap();
    assert_eq!(machine.poll(Millis(1)), Some(Output::Begin));
    assert_eq!(machine.poll(Millis(1)), unsubscribe(&[GroupTopic::List { root, piece: 0 }]));
    machine.begun([1].into_iter(), Millis(1));
    let wanted = [0, 2].map(|index| GroupTopic::Chunk { root, index });
    assert_eq!(subscribed(&mut machine), wanted);

    for index in [2, 0] {
        machine.chunk(root, index, snapshot.chunk(index), Millis(0)).unwrap();
        machine.kept(index, Millis(2));
    }
    assert_eq!(machine.poll(Millis(2)), Some(Output::Check));
    assert_eq!(machine.poll(Millis(2)), unsubscribe(&wanted));
    machine.settled(Settled::InForce, Millis(2));
    assert_eq!(machine.poll(Millis(2)), None);
    assert!(machine.target().is_none());
}

#[test]
fn a_chunk_that_was_altered_moved_or_repeated_is_not_kept() {
    let snapshot = Snapshot::new(1, 3 * CHUNK);
    let root = snapshot.root();
    let mut machine = fetching(&snapshot);
    let mut altered = snapshot.chunk(0).to_vec();
    altered[7] ^= 1;

    let mut offer = |index, bytes: &[u8]| machine.chunk(root, index, bytes, Millis(0));
    assert_eq!(offer(0, &altered), Err(Dropped::Altered));
    assert_eq!(offer(0, snapshot.chunk(1)), Err(Dropped::Altered));
    assert_eq!(offer(0, &snapshot.chunk(0)[1..]), Err(Dropped::Altered));
    assert_eq!(offer(3, snapshot.chunk(0)), Err(Dropped::NotAskedFor));
    machine.chunk(root, 0, snapshot.chunk(0), Millis(0)).unwrap();
    machine.kept(0, Millis(0));
    assert_eq!(machine.chunk(root, 0, snapshot.chunk(0), Millis(0)), Err(Dropped::Known));
    assert_eq!(machine.chunk([9; 8], 1, snapshot.chunk(1), Millis(0)), Err(Dropped::NotAskedFor));
}

#[test]
fn a_list_that_its_root_does_not_cover_is_asked_for_again() {
    let snapshot = Snapshot::new(1, 3 * CHUNK);
    let root = snapshot.root();
    let mut machine = connected();
    machine.aim(&snapshot.manifest, snapshot.room()).unwrap();
    assert!(!subscribed(&mut machine).is_empty());
    let mut wrong = snapshot.list.clone();
    wrong[40] ^= 1;

    assert_eq!(machine.piece(root, 0, &wrong, Millis(0)), Err(Dropped::Altered));
    assert_eq!(machine.piece(root, 0, &wrong[1..], Millis(0)), Err(Dropped::Altered));
    assert_eq!(machine.piece(root, 1, &wrong, Millis(0)), Err(Dropped::NotAskedFor));
    while let Some(output) = machine.poll(Millis(0)) {
        assert!(!matches!(output, Output::Unsubscribe(_)), "the good one may come by itself");
        let Output::Subscribe(topics) = output else { continue };
        assert!(!topics.contains(&GroupTopic::List { root, piece: 0 }), "not at once");
    }
    let later = Millis(60_000);
    assert!(machine.timeout().unwrap() < later);
    let mut again = Vec::new();
    while let Some(output) = machine.poll(later) {
        if let Output::Subscribe(topics) = output {
            again.extend(topics);
        }
    }
    assert!(again.contains(&GroupTopic::List { root, piece: 0 }), "{again:?}");
    machine.piece(root, 0, &snapshot.list, later).unwrap();
    assert_eq!(machine.poll(later), Some(Output::Begin));
}

#[test]
fn a_list_in_several_pieces_arrives_in_any_order() {
    let snapshot = Snapshot::new(1, 2_050 * CHUNK);
    let root = snapshot.root();
    let mut machine = connected();
    machine.aim(&snapshot.manifest, snapshot.room()).unwrap();

    let pieces: Vec<_> = snapshot.pieces().collect();
    assert_eq!(pieces.len(), 17, "none is longer than a chunk");
    for (piece, bytes) in pieces.into_iter().rev() {
        machine.piece(root, piece, bytes, Millis(0)).unwrap();
    }
    assert_eq!(machine.poll(Millis(0)), Some(Output::Begin));
}

#[test]
fn one_chunk_that_is_lost_is_asked_for_alone_and_what_is_late_is_waited_for() {
    let snapshot = Snapshot::new(1, 40 * CHUNK);
    let root = snapshot.root();
    let mut machine = fetching(&snapshot);
    for what in ANNOUNCEMENTS {
        machine.heard(what, Millis(0));
    }
    let arrive = |machine: &mut Machine, index, now| {
        machine.chunk(root, index, snapshot.chunk(index), Millis(now)).unwrap();
        machine.kept(index, Millis(now));
        while machine.poll(Millis(now)).is_some() {}
    };
    // Slow, and one behind the other: each may take as long as it did before it was asked for again.
    for index in 1..16 {
        let now = u64::from(index) * 4_000;
        assert!(machine.timeout().unwrap() > Millis(now), "chunk {index} is late, not lost");
        arrive(&mut machine, index, now);
    }
    // What was asked for later overtakes it.
    for index in 16..20 {
        arrive(&mut machine, index, 61_000 + u64::from(index));
    }

    let lost = machine.timeout().unwrap();
    assert_eq!(asked(&mut machine, lost), [GroupTopic::Chunk { root, index: 0 }]);
}

#[test]
fn a_lost_link_loses_nothing_that_arrived() {
    let snapshot = Snapshot::new(1, 3 * CHUNK);
    let root = snapshot.root();
    let mut machine = fetching(&snapshot);
    machine.chunk(root, 1, snapshot.chunk(1), Millis(0)).unwrap();
    machine.kept(1, Millis(0));

    machine.link_down();
    assert_eq!(machine.poll(Millis(1)), None);
    assert_eq!(machine.timeout(), None);
    machine.link_up(Millis(2));

    let wanted = [0, 2].map(|index| GroupTopic::Chunk { root, index });
    assert_eq!(subscribed(&mut machine), ANNOUNCEMENTS);
    assert_eq!(subscribed(&mut machine), wanted);
    assert_eq!(machine.poll(Millis(2)), None);
}

#[test]
fn h11_a_full_disk_is_tried_again_later_and_only_then() {
    let snapshot = Snapshot::new(1, CHUNK);
    let mut machine = connected();
    while machine.poll(Millis(0)).is_some() {}
    machine.aim(&snapshot.manifest, snapshot.room()).unwrap();
    machine.piece(snapshot.root(), 0, &snapshot.list, Millis(0)).unwrap();
    assert_eq!(machine.poll(Millis(0)), Some(Output::Begin));

    machine.not_now(Millis(0));

    assert_eq!(machine.poll(Millis(1)), None);
    let again = Millis(STORE_PAUSE_MS);
    assert_eq!(machine.poll(again), Some(Output::Begin));
}

#[test]
fn junk_without_end_holds_up_what_was_lost_for_an_hour_and_no_longer() {
    let snapshot = Snapshot::new(1, 2 * CHUNK);
    let root = snapshot.root();
    let mut machine = fetching(&snapshot);
    let wanted = GroupTopic::Chunk { root, index: 1 };
    let mut now = Millis(0);
    let asked = loop {
        now = now.plus(1_900);
        let junk = machine.chunk([9; 8], 1, b"junk", now);
        assert_eq!(junk, Err(Dropped::NotAskedFor));
        if let Some(Output::Subscribe(topics)) = machine.poll(now)
            && topics.contains(&wanted)
        {
            break now;
        }
        assert!(now.0 < 2 * 60 * 60 * 1000, "never asked for again");
    };

    assert!(asked.0 <= 60 * 60 * 1000 + 3 * 1_900, "{asked:?}");
}
