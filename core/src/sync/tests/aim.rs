//! What the machine aims at: something newer, under one root, whose list fits, and nothing that was
//! refused before.

use super::*;

#[test]
fn h18_an_older_manifest_that_arrives_late_changes_nothing() {
    let (older, newer) = (Snapshot::new(1, 10), Snapshot::new(2, 20));
    let mut machine = connected();
    machine.aim(&newer.manifest, newer.room()).unwrap();

    assert_eq!(machine.aim(&older.manifest, older.room()), Err(Dropped::Older));
    assert_eq!(machine.aim(&newer.manifest, newer.room()), Err(Dropped::Known));
    assert_eq!(machine.target().unwrap().version(), newer.manifest.version());
}

#[test]
fn h7_another_root_under_the_version_being_fetched_is_a_fork() {
    let (one, other) = (Snapshot::new(1, CHUNK), Snapshot::new(1, CHUNK + 1));
    let mut machine = connected();
    machine.aim(&one.manifest, one.room()).unwrap();

    assert_eq!(machine.aim(&other.manifest, other.room()), Err(Dropped::Fork));
}

#[test]
fn a_snapshot_that_was_refused_is_not_fetched_again_until_there_is_another() {
    let (bad, good) = (Snapshot::new(1, CHUNK), Snapshot::new(2, CHUNK));
    let mut machine = fetching(&bad);
    machine.chunk(bad.root(), 0, bad.chunk(0), Millis(0)).unwrap();
    machine.kept(0, Millis(0));
    assert_eq!(machine.poll(Millis(0)), Some(Output::Check));
    machine.settled(Settled::Refused, Millis(0));

    let again = machine.aim(&bad.manifest, bad.room());
    assert_eq!(again, Err(Dropped::RefusedBefore));
    assert_eq!(machine.aim(&good.manifest, good.room()), Ok(()));
}

#[test]
fn a_snapshot_whose_list_does_not_fit_the_room_given_is_refused_at_once() {
    let snapshot = Snapshot::new(1, CHUNK);
    let mut machine = connected();

    let room = Vec::new();
    let dropped = machine.aim(&snapshot.manifest, room);
    assert!(matches!(dropped, Err(Dropped::TooManyChunks { .. })), "{dropped:?}");
}
