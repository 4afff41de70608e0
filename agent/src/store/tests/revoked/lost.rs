//! Where the floor, the list or one in between is lost: a gateway that cannot know who was revoked
//! serves nobody until it does.

use super::*;

#[test]
fn a_list_that_was_compacted_is_no_way_back_through_a_lost_floor() {
    let (home, mut store) = with_snapshot(4);
    store.accept_revoked(&home.authority.revoke(1, 4, &[token_id(3)])).unwrap();
    install(&mut store, &home.authority.publish(5, 9)).unwrap();
    store.accept_revoked(&home.authority.revoke(2, 5, &[])).unwrap();
    let newer = store.slot.file();
    drop(store);
    fs::remove_file(home.path("floor")).unwrap();
    fs::remove_file(home.path(newer)).unwrap();

    let (store, opened) = home.open();

    assert_eq!(in_force(&store), None, "version 4 still enables what was revoked");
    let said = opened.problems.join("\n");
    assert!(said.contains("what was revoked before it was replaced"), "{said}");
    let mut store = reopened(&home, store);
    let replayed = install(&mut store, &home.authority.publish(4, 9));
    assert!(matches!(replayed, Err(NotStored::NotAdmitted(_))), "{replayed:?}");
    assert_eq!(in_force(&store), None, "nor is it let back in by the broker");
    install(&mut store, &home.authority.publish(5, 9)).unwrap();
    assert_eq!(in_force(&store), Some(5));
}

#[test]
fn h19_a_revocation_is_undone_by_no_older_list_whatever_becomes_of_the_file() {
    for becomes in ["gone", "cut short", "rubbish", "older"] {
        let (home, mut store) = with_snapshot(4);
        let path = home.path("revoked");
        let first = home.authority.revoke(1, 4, &[]);
        let second = home.authority.revoke(2, 4, &[token_id(3)]);
        store.accept_revoked(&first).unwrap();
        let older = fs::read(&path).unwrap();
        store.accept_revoked(&second).unwrap();
        drop(store);
        let whole = fs::read(&path).unwrap();
        match becomes {
            "gone" => fs::remove_file(&path).unwrap(),
            "cut short" => fs::write(&path, &whole[..whole.len() - 1]).unwrap(),
            "rubbish" => fs::write(&path, b"rubbish").unwrap(),
            _ => fs::write(&path, older).unwrap(),
        }

        let (store, opened) = home.open();
        assert_eq!(in_force(&store), None, "{becomes}: who knows what was on it");
        assert_eq!(opened.problems.len(), 1, "{becomes}: {:?}", opened.problems);
        let mut store = reopened(&home, store);
        let replayed = store.accept_revoked(&first);
        let refused = Refused::Rollback { held: version(2), offered: version(1) };
        assert!(
            matches!(replayed, Err(NotAdmitted::Refused(why)) if why == refused),
            "{becomes}: {replayed:?}"
        );
        install(&mut store, &home.authority.publish(4, 9)).unwrap();
        assert_eq!(in_force(&store), None, "{becomes}: nor does its snapshot help");

        assert_eq!(store.lacks_list(), Some(version(2)), "{becomes}: so it is asked for");
        assert_eq!(store.accept_revoked(&second).unwrap(), Admission::Newer);
        assert_eq!(in_force(&store), Some(4), "{becomes}: nothing else has to be fetched");
        assert!(is_revoked(&store, 3) && !is_revoked(&store, 4), "{becomes}");
        assert_eq!(missing(&store), None);
        assert!(is_revoked(&reopened(&home, store), 3), "{becomes}: after a restart");
    }
}

#[test]
fn h12_without_its_floor_and_its_list_a_gateway_denies_until_the_list_is_there_again() {
    let list = |home: &Home| home.authority.revoke(1, 5, &[token_id(2)]);
    for becomes in [None, Some(b"rubbish")] {
        let (home, mut store) = with_snapshot(4);
        store.accept_revoked(&list(&home)).unwrap();
        install(&mut store, &home.authority.publish_with_revocations(5)).unwrap();
        drop(store);
        fs::remove_file(home.path("floor")).unwrap();
        match becomes {
            None => fs::remove_file(home.path("revoked")).unwrap(),
            Some(rubbish) => fs::write(home.path("revoked"), rubbish).unwrap(),
        }

        let (store, _) = home.open();
        assert_eq!(in_force(&store), None);
        let mut store = reopened(&home, store);
        assert_eq!(in_force(&store), None, "after another restart");

        store.accept_revoked(&list(&home)).unwrap();
        assert_eq!(in_force(&store), Some(5));
        assert!(is_revoked(&store, 2));
    }
}

#[test]
fn a_damaged_list_that_is_replaced_by_a_compacted_one_denies_until_the_snapshot_is_there() {
    let (home, mut store) = with_snapshot(4);
    store.accept_revoked(&home.authority.revoke(1, 4, &[token_id(3)])).unwrap();
    drop(store);
    fs::write(home.path("revoked"), b"rubbish").unwrap();
    let (mut store, _) = home.open();

    store.accept_revoked(&home.authority.revoke(2, 5, &[])).unwrap();
    drop(install(&mut store, &home.authority.publish(4, 9)));
    assert_eq!(in_force(&store), None, "version 4 enables what the lost list held");
    let mut store = reopened(&home, store);
    assert_eq!(in_force(&store), None, "after a restart");

    install(&mut store, &home.authority.publish(5, 9)).unwrap();
    assert_eq!(in_force(&store), Some(5));
}

#[test]
fn a_list_that_was_missed_in_between_makes_nothing_complete() {
    let (home, mut store) = with_snapshot(1);
    store.accept_revoked(&home.authority.revoke(1, 1, &[token_id(3)])).unwrap();
    // List 2 held token 4; list 3 leaves both out, because version 2 denies them.
    store.accept_revoked(&home.authority.revoke(3, 2, &[])).unwrap();
    assert!(is_revoked(&store, 3));
    drop(store);
    fs::remove_file(home.path("floor")).unwrap();

    assert_eq!(in_force(&home.open().0), None);
}

#[test]
fn a_snapshot_that_only_waits_for_its_list_is_not_written_over_by_the_next_one() {
    for before in [None, Some(3)] {
        let home = Home::new();
        let (mut store, _) = home.open();
        before.iter().for_each(|before| {
            install(&mut store, &home.authority.publish(*before, 9)).unwrap();
        });
        install(&mut store, &home.authority.publish(4, 9)).unwrap();
        let list = home.authority.revoke(1, 4, &[token_id(3)]);
        store.accept_revoked(&list).unwrap();
        drop(store);
        fs::remove_file(home.path("revoked")).unwrap();
        let (mut store, _) = home.open();
        assert_eq!(in_force(&store), None);
        let next = home.authority.publish(5, 900);
        let manifest = home.verify(&store, &next);
        store.begin(&manifest, &next.list(&manifest)).unwrap();

        store.accept_revoked(&list).unwrap();

        assert_eq!(in_force(&store), Some(4), "{before:?}");
        assert!(is_revoked(&store, 3), "{before:?}");
        install(&mut store, &next).unwrap();
        assert_eq!(in_force(&reopened(&home, store)), Some(5), "{before:?}");
    }
}
