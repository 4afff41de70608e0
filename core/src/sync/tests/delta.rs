//! The short way, and every way off it.

use super::*;

/// A machine whose target is version 2, with version 1 in force.
fn wanting() -> (Machine, Snapshot) {
    let snapshot = Snapshot::new(2, 3 * CHUNK);
    let mut machine = connected();
    while machine.poll(Millis(0)).is_some() {}
    machine.aim(&snapshot.manifest, snapshot.room()).unwrap();
    assert!(machine.by_delta(1));

    (machine, snapshot)
}

const DELTA: GroupTopic = GroupTopic::Delta { from: 1 };

fn list_of(snapshot: &Snapshot) -> GroupTopic {
    GroupTopic::List { root: snapshot.root(), piece: 0 }
}

#[test]
fn a_delta_that_rides_along_asks_the_broker_for_nothing() {
    let (mut machine, snapshot) = wanting();
    machine.delta(1, &snapshot.delta(), Millis(0)).unwrap();

    assert_eq!(machine.poll(Millis(0)), Some(Output::Patch));
    assert_eq!(machine.poll(Millis(0)), None);
    machine.patched(&snapshot.list, Millis(0)).unwrap();
    assert_eq!(machine.list().unwrap().bytes(), snapshot.list);
    assert_eq!(machine.poll(Millis(0)), Some(Output::Check));
    machine.settled(Settled::InForce, Millis(0));
    assert_eq!(machine.poll(Millis(0)), None);
}

#[test]
fn a_delta_that_does_not_ride_along_is_fetched_by_its_exact_name() {
    let (mut machine, snapshot) = wanting();
    assert_eq!(machine.poll(Millis(0)), Some(Output::Subscribe([DELTA].into_iter().collect())));
    assert_eq!(machine.poll(Millis(0)), None);

    machine.delta(1, &snapshot.delta(), Millis(1)).unwrap();

    assert_eq!(machine.poll(Millis(1)), Some(Output::Patch));
    assert_eq!(machine.poll(Millis(1)), unsubscribe(&[DELTA]));
    assert_eq!(machine.delta(1, &snapshot.delta(), Millis(1)), Err(Dropped::Known));
    machine.patched(&snapshot.list, Millis(1)).unwrap();
    assert_eq!(machine.poll(Millis(1)), Some(Output::Check));
}

#[test]
fn h19_without_a_delta_from_the_version_in_force_the_whole_file_is_fetched() {
    let snapshot = Snapshot::new(9, 3 * CHUNK);
    for held in [0, 1, 7, 9, u64::MAX] {
        let mut machine = connected();
        assert!(!machine.by_delta(held), "nothing is wanted");
        machine.aim(&snapshot.manifest, snapshot.room()).unwrap();
        assert!(!machine.by_delta(held), "{held}");
        assert!(asked(&mut machine, Millis(0)).contains(&list_of(&snapshot)));
    }
}

type Way<'a> = &'a dyn Fn(&mut Machine, &Snapshot);

#[test]
fn a_delta_that_was_altered_or_leads_elsewhere_leads_to_the_whole_file() {
    let mut altered = delta(2);
    altered[3] ^= 1;
    let ways: [(&str, Way<'_>); 4] = [
        ("altered", &|machine, _| {
            assert_eq!(machine.delta(1, &altered, Millis(0)), Err(Dropped::Altered));
        }),
        ("cut short", &|machine, _| {
            assert_eq!(machine.delta(1, &altered[..4], Millis(0)), Err(Dropped::Altered));
        }),
        ("not applied", &|machine, snapshot| {
            machine.delta(1, &snapshot.delta(), Millis(0)).unwrap();
            assert_eq!(machine.poll(Millis(0)), Some(Output::Patch));
            machine.not_patched();
        }),
        ("another file", &|machine, snapshot| {
            machine.delta(1, &snapshot.delta(), Millis(0)).unwrap();
            assert_eq!(machine.poll(Millis(0)), Some(Output::Patch));
            let mut list = snapshot.list.clone();
            list[5] ^= 1;
            assert_eq!(machine.patched(&list, Millis(0)), Err(Dropped::Altered));
        }),
    ];
    for (why, way) in ways {
        let (mut machine, snapshot) = wanting();
        way(&mut machine, &snapshot);

        assert!(!machine.is_patching(), "{why}");
        assert_eq!(asked(&mut machine, Millis(0)), [list_of(&snapshot)], "{why}");
        assert!(!machine.by_delta(1), "{why}: not a second time");
        machine.piece(snapshot.root(), 0, &snapshot.list, Millis(0)).unwrap();
        assert_eq!(machine.poll(Millis(0)), Some(Output::Begin), "{why}");
    }
}

#[test]
fn a_delta_that_does_not_come_is_asked_for_twice() {
    let (mut machine, snapshot) = wanting();
    assert_eq!(asked(&mut machine, Millis(0)), [DELTA]);
    let late = machine.timeout().unwrap();
    assert!(asked(&mut machine, late).contains(&DELTA));
    assert!(machine.is_patching());
    let too_late = Millis(20_000);
    assert!(late < too_late);

    assert!(asked(&mut machine, too_late).contains(&list_of(&snapshot)));
    assert_eq!(machine.delta(1, &snapshot.delta(), too_late), Err(Dropped::NotAskedFor));
}

#[test]
fn a_lost_link_does_not_lose_the_delta() {
    let (mut machine, snapshot) = wanting();
    assert_eq!(asked(&mut machine, Millis(0)), [DELTA]);
    machine.link_down();
    assert_eq!(machine.poll(Millis(100_000)), None);
    machine.link_up(Millis(100_000));

    assert!(asked(&mut machine, Millis(100_000)).contains(&DELTA));
    machine.delta(1, &snapshot.delta(), Millis(100_001)).unwrap();
    machine.link_down();
    assert_eq!(machine.poll(Millis(100_001)), Some(Output::Patch), "no link is needed for that");
}

#[test]
fn h11_a_delta_that_finds_a_full_disk_is_applied_later() {
    let (mut machine, snapshot) = wanting();
    machine.delta(1, &snapshot.delta(), Millis(0)).unwrap();
    assert_eq!(machine.poll(Millis(0)), Some(Output::Patch));

    machine.not_now(Millis(0));

    assert_eq!(machine.poll(Millis(1)), None);
    let again = Millis(STORE_PAUSE_MS);
    assert!(machine.timeout().unwrap() <= again);
    assert_eq!(machine.poll(again), Some(Output::Patch));
}

#[test]
fn a_delta_that_nobody_asked_for_or_from_another_version_changes_nothing() {
    let (mut machine, snapshot) = wanting();
    let other = Snapshot::new(3, CHUNK);

    assert_eq!(machine.delta(2, &other.delta(), Millis(0)), Err(Dropped::NotAskedFor));
    assert!(machine.is_patching());
    machine.aim(&other.manifest, other.room()).unwrap();
    assert_eq!(machine.delta(1, &snapshot.delta(), Millis(0)), Err(Dropped::NotAskedFor));
    assert_eq!(machine.patched(&snapshot.list, Millis(0)), Err(Dropped::NotAskedFor));
}

#[test]
fn a_damaged_result_is_mended_chunk_by_chunk() {
    let (mut machine, snapshot) = wanting();
    machine.delta(1, &snapshot.delta(), Millis(0)).unwrap();
    assert_eq!(machine.poll(Millis(0)), Some(Output::Patch));
    machine.patched(&snapshot.list, Millis(0)).unwrap();
    assert_eq!(machine.poll(Millis(0)), Some(Output::Check));

    machine.settled(Settled::Damaged, Millis(0));

    let later = Millis(STORE_PAUSE_MS);
    assert_eq!(machine.poll(later), Some(Output::Begin));
    machine.begun([0, 2].into_iter(), later);
    let missing = GroupTopic::Chunk { root: snapshot.root(), index: 1 };
    assert!(asked(&mut machine, later).contains(&missing));
}
