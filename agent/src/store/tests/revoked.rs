//! What was revoked stays revoked: not undone by compaction, an older snapshot, a restart or a
//! deleted cache.

mod lost;
mod room;

use gateward_core::decide::{Ask, Mode, Reason, decide};
use gateward_core::division::DivisionRules;
use gateward_core::principal::TokenKind;
use gateward_core::time::UnixSeconds;
use gateward_core::token::{self, Secret, Token};
use gateward_core::trust::Version;

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
fn a_list_that_was_heard_of_and_never_held_is_missing_and_denies_only_what_must_be_fresh() {
    let (home, mut store) = with_snapshot(4);
    install(&mut store, &home.authority.publish_with_revocations(5)).unwrap();

    let store = reopened(&home, store);

    assert_eq!(in_force(&store), Some(5));
    assert_eq!(missing(&store), Some(Missing::Revocations(version(1))));
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
