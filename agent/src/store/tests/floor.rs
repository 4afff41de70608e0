//! A floor that is lost, and what is older than it.

use super::*;

#[test]
fn h5_an_older_version_is_refused_also_after_a_restart() {
    let home = Home::new();
    let (mut store, _) = home.open();
    let old = home.authority.publish(1, 9);
    install(&mut store, &home.authority.publish(2, 9)).unwrap();
    drop(store);

    let (mut store, _) = home.open();

    assert!(store.admit(&old.envelope, &now()).is_err());
    assert!(matches!(install(&mut store, &old), Err(NotStored::NotAdmitted(_))));
    assert_eq!(in_force(&store), Some(2));
}

#[test]
fn a_lost_floor_is_made_anew_from_the_highest_snapshot_until_a_newer_one_comes() {
    let home = Home::new();
    let (mut store, _) = home.open();
    install(&mut store, &home.authority.publish(1, 9)).unwrap();
    install(&mut store, &home.authority.publish(2, 9)).unwrap();
    drop(store);
    fs::remove_file(home.path("floor")).unwrap();

    let (mut store, opened) = home.open();

    assert_eq!(opened.floor, FloorState::Rebuilt);
    assert_eq!(in_force(&store), Some(2));
    assert_eq!(missing(&store), Some(Missing::Floor));
    install(&mut store, &home.authority.publish(3, 9)).unwrap();
    assert_eq!(missing(&store), None);
}

#[test]
fn a_lost_floor_holds_fresh_operations_back_until_a_newer_manifest_comes() {
    let home = Home::new();
    let (mut store, _) = home.open();
    install(&mut store, &home.authority.publish(1, 9)).unwrap();
    let limits = |store: &Store| {
        let current = store.current().borrow().clone().unwrap();
        assert_eq!(current.view().limits().stale_at, current.stale_at(), "there is one value");
        assert_eq!(current.view().limits().expires_at, current.expires_at());
        (current.stale_at(), current.is_stale(T0), current.is_expired(T0))
    };
    let day = 86_400;
    assert_eq!(limits(&store), (T0.plus(1 + day), false, false));
    drop(store);
    fs::remove_file(home.path("floor")).unwrap();

    let (mut store, _) = home.open();

    assert_eq!(limits(&store), (UnixSeconds(0), true, false));
    install(&mut store, &home.authority.publish(2, 9)).unwrap();
    assert_eq!(limits(&store), (T0.plus(2 + day), false, false));
}

#[test]
fn a_manifest_that_speaks_of_revocations_nobody_holds_is_stale_from_the_start() {
    let home = Home::new();
    let (mut store, _) = home.open();

    install(&mut store, &home.authority.publish_with_revocations(1)).unwrap();

    let current = store.current().borrow().clone().unwrap();
    assert!(current.is_stale(T0));
    assert_eq!(current.view().limits().stale_at, UnixSeconds(0));
    install(&mut store, &home.authority.publish(2, 9)).unwrap();
    assert!(store.current().borrow().as_ref().unwrap().is_stale(T0), "a number only ever grows");
    store.accept_revoked(&home.authority.revoke(1, 1, &[])).unwrap();
    assert!(!store.current().borrow().as_ref().unwrap().is_stale(T0));
}

#[test]
fn a_lost_floor_still_waits_for_a_newer_manifest_after_another_restart() {
    let home = Home::new();
    let (mut store, _) = home.open();
    install(&mut store, &home.authority.publish(1, 9)).unwrap();
    drop(store);
    fs::remove_file(home.path("floor")).unwrap();
    drop(home.open());

    let (store, _) = home.open();

    assert_eq!(missing(&store), Some(Missing::Floor));
}
