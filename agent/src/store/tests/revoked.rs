//! What was revoked stays revoked: not undone by compaction, an older snapshot, a restart or a
//! deleted cache.

use gateward_core::decide::{Ask, Mode, Reason, decide};
use gateward_core::division::DivisionRules;
use gateward_core::principal::TokenKind;
use gateward_core::time::UnixSeconds;
use gateward_core::token::{self, Secret, Token};
use gateward_core::trust::Version;

use std::sync::atomic::AtomicBool;

use super::*;
use crate::store::testing::token_id;

/// Whether the token with this number is revoked, whatever else is wrong with it.
pub(super) fn is_revoked(store: &Store, number: u64) -> bool {
    let current = store.current().borrow().clone().unwrap();
    let view = current.view();
    let text = token::write(TokenKind::Api, token_id(number), &Secret([0; 32]));
    let ask = Ask::of_permissions(&view, ["view_device"].into_iter(), None, None, Mode::Direct);
    let token = Token::read(&text).unwrap();
    let decision = decide(&view, &ask, &token, T0, DivisionRules::default());

    decision.failed.checks().any(|(reason, passed)| reason == Reason::Revoked && !passed)
}

fn with_snapshot(version: u64) -> (Home, Store) {
    let home = Home::new();
    let (mut store, _) = home.open();
    install(&mut store, &home.authority.publish(version, 9)).unwrap();

    (home, store)
}

pub(super) fn reopened(home: &Home, store: Store) -> Store {
    drop(store);

    home.open().0
}

fn no_room(step: Step<'_>) -> io::Result<()> {
    let takes_room = matches!(step, Step::Create { .. } | Step::Write { .. });

    if takes_room { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}

fn version(number: u64) -> Version {
    Version { epoch: 1, number }
}

#[test]
fn h19_h22_a_list_denies_at_once_what_the_snapshot_still_enables() {
    let (home, mut store) = with_snapshot(4);
    assert!(!is_revoked(&store, 3));

    store.accept_revoked(&home.authority.revoke(1, 4, &[token_id(3), 77])).unwrap();

    assert!(is_revoked(&store, 3) && !is_revoked(&store, 4));
    assert_eq!(store.revoked_number(), version(1));
    assert_eq!(missing(&store), None);
    let store = reopened(&home, store);
    assert!(is_revoked(&store, 3), "after a restart");
    fs::remove_dir_all(home.path("cache")).unwrap();
    assert!(is_revoked(&reopened(&home, store), 3), "without its cache");
}

/// Fixture `compacted-list-before-its-snapshot`: the newer list leaves out what version 5 denies, and
/// arrives where version 4 is in force.
#[test]
fn compacted_list_before_its_snapshot_keeps_every_entry_ever_held() {
    let (home, mut store) = with_snapshot(4);
    store.accept_revoked(&home.authority.revoke(1, 4, &[token_id(3)])).unwrap();

    store.accept_revoked(&home.authority.revoke(2, 5, &[token_id(6)])).unwrap();

    assert!(is_revoked(&store, 3) && is_revoked(&store, 6));
    assert_eq!(missing(&store), Some(Missing::Snapshot(version(5))));
    let mut store = reopened(&home, store);
    assert!(is_revoked(&store, 3) && is_revoked(&store, 6), "after a restart");
    store.accept_revoked(&home.authority.revoke(3, 6, &[])).unwrap();
    assert!(is_revoked(&store, 3) && is_revoked(&store, 6), "compacted twice");

    install(&mut store, &home.authority.publish(5, 9)).unwrap();
    assert!(is_revoked(&store, 3) && is_revoked(&store, 6), "version 6 is what they await");
    install(&mut store, &home.authority.publish(6, 9)).unwrap();
    assert!(!is_revoked(&store, 3), "from here on the snapshot says it");
    assert_eq!(missing(&store), None);
}

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
fn an_older_list_is_refused_the_same_is_no_news_and_a_second_one_of_its_number_is_a_fork() {
    let (home, mut store) = with_snapshot(4);
    let (old, held) = (home.authority.revoke(1, 4, &[]), home.authority.revoke(2, 4, &[77]));
    store.accept_revoked(&held).unwrap();

    let refused = |store: &mut Store, list: &[u8]| match store.accept_revoked(list) {
        Err(NotAdmitted::Refused(refused)) => refused.code(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&mut store, &old), "rollback");
    assert_eq!(refused(&mut store, &home.authority.revoke(2, 4, &[78])), "fork");
    assert_eq!(store.accept_revoked(&held).unwrap(), Admission::Same);
    let mut store = reopened(&home, store);
    assert_eq!(refused(&mut store, &old), "rollback", "after a restart");
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
fn a_list_that_was_heard_of_and_never_held_is_missing_and_denies_only_what_must_be_fresh() {
    let (home, mut store) = with_snapshot(4);
    install(&mut store, &home.authority.publish_with_revocations(5)).unwrap();

    let store = reopened(&home, store);

    assert_eq!(in_force(&store), Some(5));
    assert_eq!(missing(&store), Some(Missing::Revocations(version(1))));
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

#[test]
fn h10_a_stop_at_any_step_of_a_new_list_leaves_the_old_one_or_the_new() {
    for steps in 0.. {
        let (home, mut store) = with_snapshot(4);
        store.accept_revoked(&home.authority.revoke(1, 4, &[token_id(1)])).unwrap();
        drop(store);
        let next = home.authority.revoke(2, 5, &[token_id(1), token_id(2)]);
        let done = home.stop_after(steps, |store| {
            store.accept_revoked(&next).map_err(|_| NotStored::NotBegun)
        });

        let (mut store, _) = home.open();
        assert!(is_revoked(&store, 1), "after {steps} steps");
        let number = store.revoked_number();
        assert_eq!(is_revoked(&store, 2), number == version(2), "after {steps} steps");
        if number == version(2) {
            assert_eq!(missing(&store), Some(Missing::Snapshot(version(5))), "{steps} steps");
        }
        store.accept_revoked(&next).unwrap();
        assert!(is_revoked(&store, 2));
        if done.is_some() {
            assert_eq!(number, version(2));
            return;
        }
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

#[test]
fn a_list_of_a_stolen_key_is_void_and_the_next_epoch_brings_another() {
    let (home, mut store) = with_snapshot(4);
    let everybody: Vec<u64> = (0..9).map(token_id).collect();
    store.accept_revoked(&home.authority.revoke(u64::MAX, u64::MAX, &everybody)).unwrap();

    store.accept_keys(&home.authority.key_set_after_theft()).unwrap();
    assert!(store.current().borrow().is_none(), "the snapshot was signed with the same key");
    let file = home.authority.publish(1, 9).file;
    install(&mut store, &home.authority.sign(2, 5, T0.plus(50), file)).unwrap();

    assert!(!is_revoked(&store, 3));
    assert_eq!(missing(&store), None);
    let mut store = reopened(&home, store);
    assert!(!is_revoked(&store, 3), "after a restart");
    let list = home.authority.revoke_under(2, 1, 5, &[token_id(3)]);
    store.accept_revoked(&list).unwrap();
    assert!(is_revoked(&store, 3) && !is_revoked(&store, 4));
}

#[test]
fn what_a_beacon_shows_to_be_missing_is_missing_after_a_restart_too() {
    let (home, mut store) = with_snapshot(4);
    store.accept_beacon(&home.authority.beacon(1, T0, 5, 0), &now()).unwrap();
    assert_eq!(missing(&store), Some(Missing::Snapshot(version(5))));

    let mut store = reopened(&home, store);
    assert_eq!(missing(&store), Some(Missing::Snapshot(version(5))));
    let current = store.current().borrow().clone().unwrap();
    assert_eq!(current.view().limits().stale_at, UnixSeconds(0));
    install(&mut store, &home.authority.publish(5, 9)).unwrap();
    assert_eq!(missing(&store), None);

    store.accept_beacon(&home.authority.beacon(2, T0, 5, 1), &now()).unwrap();
    assert_eq!(missing(&store), Some(Missing::Revocations(version(1))));
    store.accept_revoked(&home.authority.revoke(1, 5, &[])).unwrap();
    assert_eq!(missing(&store), None);
}
