//! On a full disk: what has no room counts all the same, and is owed after a restart.

use std::sync::atomic::AtomicBool;

use super::*;

/// A disk that takes a list only once there is room.
fn opened_without_room_for_lists(home: &Home, room: &Arc<AtomicBool>) -> Store {
    let there_is = Arc::clone(room);
    let full: Watcher = Arc::new(move |step| {
        let (Step::Create { path, .. } | Step::Write { path, .. }) = step else { return Ok(()) };
        let of_lists = path.to_string_lossy().starts_with("revoked");
        let fits = !of_lists || there_is.load(Ordering::Relaxed);

        if fits { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    });

    Store::open_watched(home.place(), &now(), Some(full)).unwrap().0
}

fn no_room(step: Step<'_>) -> io::Result<()> {
    let takes_room = matches!(step, Step::Create { .. } | Step::Write { .. });

    if takes_room { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}

#[test]
fn a_list_that_the_disk_has_no_room_for_counts_all_the_same() {
    let (home, store) = with_snapshot(4);
    drop(store);
    let room = Arc::new(AtomicBool::new(false));
    let mut store = opened_without_room_for_lists(&home, &room);

    let kept = store.accept_revoked(&home.authority.revoke(1, 4, &[token_id(3)]));

    assert!(matches!(kept, Err(NotAdmitted::Io(_))), "{kept:?}");
    assert!(is_revoked(&store, 3));
    room.store(true, Ordering::Relaxed);
    let again = store.accept_revoked(&home.authority.revoke(1, 4, &[token_id(3)])).unwrap();
    assert_eq!(again, Admission::Same);
    assert!(is_revoked(&reopened(&home, store), 3), "it was written once there was room");
}

#[test]
fn h11_h19_a_list_that_the_disk_has_no_room_for_is_owed_after_a_restart() {
    let (home, mut store) = with_snapshot(4);
    let first = home.authority.revoke(1, 4, &[]);
    let second = home.authority.revoke(2, 4, &[token_id(3)]);
    store.accept_revoked(&first).unwrap();
    drop(store);
    let mut store = opened_without_room_for_lists(&home, &Arc::default());
    assert!(store.accept_revoked(&second).is_err());
    assert!(is_revoked(&store, 3));

    let mut store = reopened(&home, store);

    assert_eq!(in_force(&store), None, "the older list lets in whom the newer one revokes");
    assert!(store.accept_revoked(&first).is_err());
    store.accept_revoked(&second).unwrap();
    assert!(is_revoked(&store, 3));
}

#[test]
fn h12_an_older_list_on_disk_does_not_stand_for_the_one_that_a_manifest_speaks_of() {
    for room in [false, true] {
        let (home, mut store) = with_snapshot(4);
        let first = home.authority.revoke(1, 4, &[]);
        let second = home.authority.revoke(2, 4, &[token_id(3)]);
        store.accept_revoked(&first).unwrap();
        drop(store);
        let mut store = opened_without_room_for_lists(&home, &Arc::new(room.into()));
        assert_eq!(store.accept_revoked(&second).is_ok(), room);
        install(&mut store, &home.authority.publish_speaking_of(2, 5)).unwrap();
        assert!(is_revoked(&store, 3));
        drop(store);
        fs::remove_file(home.path("floor")).unwrap();

        let (store, _) = home.open();
        assert_eq!(in_force(&store), room.then_some(5), "{room}");
        let mut store = reopened(&home, store);
        assert_eq!(in_force(&store), room.then_some(5), "{room}: after another restart");
        assert!(store.accept_revoked(&first).is_err());
        store.accept_revoked(&second).unwrap();
        assert_eq!(in_force(&store), Some(5));
        assert!(is_revoked(&store, 3));
    }
}

#[test]
fn h11_a_key_set_that_the_disk_has_no_room_for_ends_a_stolen_key_all_the_same() {
    let (home, store) = with_snapshot(4);
    drop(store);
    let full: Watcher = Arc::new(|step| {
        let Step::Create { path, .. } = step else { return Ok(()) };

        if path.starts_with("trust") { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    });
    let (mut store, _) = Store::open_watched(home.place(), &now(), Some(full)).unwrap();

    assert!(store.accept_keys(&home.authority.key_set_after_theft()).is_err());

    assert_eq!((in_force(&store), store.keys().epoch()), (None, 2));
    let thief = store.admit(&home.authority.publish(5, 9).envelope, &now());
    assert!(matches!(thief, Err(Refused::OldKeys)));
    // The broker withholds the key set, and brings what the thief signed again.
    let mut store = reopened(&home, store);
    assert_eq!((in_force(&store), store.keys().epoch()), (None, 1));
    let replayed = install(&mut store, &home.authority.publish(4, 9));
    assert!(matches!(replayed, Err(NotStored::NotAdmitted(Refused::OldKeys))), "{replayed:?}");
    assert_eq!(in_force(&store), None);
    store.accept_keys(&home.authority.key_set_after_theft()).unwrap();
    let file = home.authority.publish(1, 9).file;
    install(&mut store, &home.authority.sign(2, 5, T0.plus(50), file)).unwrap();
    assert_eq!(in_force(&reopened(&home, store)), Some(5));
}

#[test]
fn h11_on_a_disk_without_any_room_a_restart_brings_back_nothing_that_a_stolen_key_signed() {
    let (home, mut store) = with_snapshot(4);
    install(&mut store, &home.authority.publish(5, 9)).unwrap();
    drop(store);
    let full: Watcher = Arc::new(no_room);
    let (mut store, _) = Store::open_watched(home.place(), &now(), Some(full)).unwrap();

    assert!(store.accept_keys(&home.authority.key_set_after_theft()).is_err());
    drop(store);

    // Not even where the floor is lost, and the highest snapshot that verifies would do.
    let (store, _) = home.open();
    assert_eq!(in_force(&store), None);
    drop(store);
    fs::remove_file(home.path("floor")).unwrap();
    assert_eq!(in_force(&home.open().0), None);
}

#[test]
fn h11_what_a_manifest_speaks_of_is_missing_also_where_the_disk_has_no_room_to_say_so() {
    let (home, store) = with_snapshot(4);
    drop(store);
    let full: Watcher = Arc::new(no_room);
    let (mut store, _) = Store::open_watched(home.place(), &now(), Some(full)).unwrap();
    let manifest = home.verify(&store, &home.authority.publish_with_revocations(5));

    assert!(store.hear_of(&manifest).is_err());

    assert_eq!(missing(&store), Some(Missing::Revocations(version(1))));
    assert!(store.current().borrow().as_ref().unwrap().is_stale(T0));
}
