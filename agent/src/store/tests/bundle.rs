//! What somebody carries to a gateway, and what it gives to others.

use gateward_core::trust::Version;

use super::*;
use crate::clock::{Clock, Simulated};
use crate::now::Timekeeper;
use crate::store::testing::{bundle, token_id};

/// The time that a gateway with this floor believes, a minute after the first snapshot.
fn time(store: &Store) -> Timekeeper {
    let machine = Simulated::new(T0.plus(60));
    machine.set_synchronised(true);

    Timekeeper::new(Clock::simulated(&machine), store.floor())
}

fn import(store: &mut Store, bytes: &[u8]) -> Result<Imported, NotImported> {
    let time = time(store);

    store.import(bytes, &time)
}

/// What a bundle that is refused must leave as it was.
fn held(store: &Store) -> (Option<u64>, Version, u32, Floor) {
    let floor = Floor { lived: UnixSeconds(0), agreed: UnixSeconds(0), ..*store.floor() };

    (in_force(store), store.revoked_number(), store.keys().epoch(), floor)
}

#[test]
fn what_one_gateway_exports_is_in_force_on_another_with_its_revocations() {
    let (home, other) = (Home::new(), Home::new());
    let (mut store, _) = home.open();
    install(&mut store, &home.authority.publish(4, 900)).unwrap();
    store.accept_revoked(&home.authority.revoke(1, 4, &[token_id(3)])).unwrap();

    // While the agent runs.
    let (bytes, exported) = Store::export(&home.place()).unwrap();
    let (mut fresh, _) = other.open();
    let imported = import(&mut fresh, &bytes).unwrap();

    assert_eq!((imported.outcome, imported.version), (Outcome::InForce, exported));
    let (ours, theirs) = (store.current(), fresh.current());
    let (ours, theirs) = (ours.borrow().clone().unwrap(), theirs.borrow().clone().unwrap());
    assert_eq!(ours.verified.bytes(), theirs.verified.bytes());
    assert_eq!((theirs.revocations, theirs.missing), (1, None));
    drop(fresh);
    let (mut fresh, _) = other.open();
    assert_eq!(in_force(&fresh), Some(4), "after a restart");
    assert_eq!(import(&mut fresh, &bytes).unwrap().outcome, Outcome::Already);
    assert_eq!(Store::export(&other.place()).unwrap().0, bytes);
}

#[test]
fn what_follows_a_rotation_is_exported_and_imported_with_its_key_sets() {
    let (home, other) = (Home::new(), Home::new());
    let (mut store, _) = home.open();
    let file = home.authority.publish(1, 3).file;
    install(&mut store, &home.authority.sign(1, 9, T0.plus(1), file.clone())).unwrap();
    store.accept_revoked(&home.authority.revoke(1, 9, &[])).unwrap();
    store.accept_keys(&home.authority.key_set_after_theft()).unwrap();
    assert!(matches!(Store::export(&home.place()), Err(NotExported::Nothing { .. })));

    install(&mut store, &home.authority.sign(2, 1, T0.plus(5), file)).unwrap();
    let (bytes, _) = Store::export(&home.place()).unwrap();
    let (mut fresh, _) = other.open();

    assert_eq!(import(&mut fresh, &bytes).unwrap().keys, 2);
    assert_eq!(fresh.floor().version, Version { epoch: 2, number: 1 });
}

/// Version 4 with list 1, which denies token 3, and then list 2, which leaves that to version 5.
fn with_a_list_ahead() -> (Home, Store) {
    let home = Home::new();
    let (mut store, _) = home.open();
    install(&mut store, &home.authority.publish(4, 9)).unwrap();
    store.accept_revoked(&home.authority.revoke(1, 4, &[token_id(3)])).unwrap();
    store.accept_revoked(&home.authority.revoke(2, 5, &[])).unwrap();

    (home, store)
}

#[test]
fn h22_a_snapshot_older_than_its_list_builds_on_is_not_exported() {
    let (home, mut store) = with_a_list_ahead();
    let exported = Store::export(&home.place());
    assert!(matches!(exported, Err(NotExported::Behind { .. })), "token 3 would be let in again");

    install(&mut store, &home.authority.publish(5, 9)).unwrap();
    Store::export(&home.place()).unwrap();
    drop(store);
    fs::write(home.path("revoked"), b"rubbish").unwrap();
    let exported = Store::export(&home.place());
    assert!(matches!(exported, Err(NotExported::Behind { .. })), "its list is lost");
}

#[test]
fn h22_a_fresh_gateway_lets_nobody_in_with_a_snapshot_older_than_its_list_builds_on() {
    let home = Home::new();
    let keys = home.authority.key_set();
    let list = home.authority.revoke(2, 5, &[]);
    let (mut fresh, _) = home.open();

    let four = bundle(&[&keys], &home.authority.publish(4, 9), &list);
    let imported = import(&mut fresh, &four).unwrap();
    assert_eq!(imported.outcome, Outcome::Withheld);
    assert_eq!(imported.missing, Some(Missing::Snapshot(Version { epoch: 1, number: 5 })));
    assert_eq!(in_force(&fresh), None);
    drop(fresh);
    let (mut fresh, _) = home.open();
    assert_eq!(in_force(&fresh), None, "after a restart");
    let anchor = KeySet::anchor(&keys, ACCOUNT).unwrap();
    let audience = Audience::of(ACCOUNT, GROUP);
    let checked = crate::store::bundle::Checked::new(&four, &anchor, audience).unwrap();
    let floor = checked.floor(&anchor).unwrap();
    assert!(checked.in_force(&floor, T0).is_none(), "nor does `check --snapshot` say so");

    let five = bundle(&[&keys], &home.authority.publish(5, 9), &list);
    assert_eq!(import(&mut fresh, &five).unwrap().outcome, Outcome::InForce);
}

#[test]
fn a_gateway_that_began_with_a_list_goes_on_when_it_misses_one() {
    let home = Home::new();
    let (mut store, _) = home.open();
    store.accept_revoked(&home.authority.revoke(1, 4, &[token_id(3)])).unwrap();
    install(&mut store, &home.authority.publish(5, 9)).unwrap();

    store.accept_revoked(&home.authority.revoke(3, 6, &[])).unwrap();

    assert_eq!(in_force(&store), Some(5));
    assert!(store.current().borrow().as_ref().unwrap().is_stale(T0));
}

#[test]
fn h3_h4_a_bundle_that_is_cut_short_or_altered_anywhere_changes_nothing() {
    let home = Home::new();
    let (mut store, _) = home.open();
    install(&mut store, &home.authority.publish(1, 3)).unwrap();
    let new = home.authority.publish(2, 4);
    let list = home.authority.revoke(1, 2, &[token_id(1)]);
    let keys = home.authority.key_set();
    let bytes = bundle(&[&keys], &new, &list);
    let before = held(&store);

    for len in (0..bytes.len()).step_by(7) {
        assert!(import(&mut store, &bytes[..len]).is_err(), "{len}");
    }
    // The first key set is the one of enrolment: held, whatever a copy of it says.
    let changed = 16 + keys.len();
    for at in (changed..bytes.len()).step_by(3) {
        let mut altered = bytes.clone();
        altered[at] ^= 1;
        assert!(import(&mut store, &altered).is_err(), "{at}");
    }
    assert_eq!(held(&store), before);
    assert_eq!(import(&mut store, &bytes).unwrap().outcome, Outcome::InForce);
}

#[test]
fn h5_a_replayed_older_bundle_is_refused_and_changes_nothing() {
    let home = Home::new();
    let (mut store, _) = home.open();
    let keys = home.authority.key_set();
    let old = bundle(
        &[&keys],
        &home.authority.publish(1, 3),
        &home.authority.revoke(1, 1, &[token_id(1)]),
    );
    let list = home.authority.revoke(2, 2, &[]);
    import(&mut store, &old).unwrap();
    import(&mut store, &bundle(&[&keys], &home.authority.publish(2, 4), &list)).unwrap();
    let before = held(&store);

    let refused = import(&mut store, &old).unwrap_err();

    assert_eq!(refused.code(), "rollback");
    assert_eq!(held(&store), before);
    let fork = bundle(&[&keys], &home.authority.publish(2, 5), &list);
    assert_eq!(import(&mut store, &fork).unwrap_err().code(), "fork");
    assert_eq!(held(&store), before);
}

#[test]
fn h3_a_bundle_of_another_group_is_refused() {
    let home = Home::new();
    let bytes = bundle(&[&home.authority.key_set()], &home.authority.publish(1, 3), b"");
    let place = Place { group: "plant-8".into(), ..home.place() };
    let (mut elsewhere, _) = Store::open(place, &now()).unwrap();
    assert_eq!(import(&mut elsewhere, &bytes).unwrap_err().code(), Refused::OtherAudience.code());
    assert_eq!(in_force(&elsewhere), None);
}

#[test]
fn h14_h20_a_bundle_that_has_expired_or_is_ahead_of_all_that_is_known_is_refused() {
    let home = Home::new();
    let (mut store, _) = home.open();
    let file = home.authority.publish(1, 3).file;
    for (issued_at, code) in [
        (UnixSeconds(T0.0 - 30 * 86_400), "expired"),
        (T0.plus(86_400), Refused::IssuedAhead.code()),
    ] {
        let published = home.authority.sign(1, 1, issued_at, file.clone());
        let bytes = bundle(&[&home.authority.key_set()], &published, b"");
        assert_eq!(import(&mut store, &bytes).unwrap_err().code(), code);
    }
    assert_eq!(in_force(&store), None);
}

#[test]
fn h22_a_list_in_the_bundle_counts_at_once_and_one_that_is_lacking_is_said() {
    let home = Home::new();
    let (mut store, _) = home.open();
    let keys = home.authority.key_set();
    let published = home.authority.publish_with_revocations(1);

    let imported = import(&mut store, &bundle(&[&keys], &published, b"")).unwrap();
    let lacking = Missing::Revocations(Version { epoch: 1, number: 1 });
    assert_eq!(imported.missing, Some(lacking));

    let list = home.authority.revoke(1, 1, &[token_id(2)]);
    let imported = import(&mut store, &bundle(&[&keys], &published, &list)).unwrap();
    assert_eq!((imported.outcome, imported.missing), (Outcome::Already, None));
    assert_eq!(store.current().borrow().as_ref().unwrap().revocations, 1);
}

#[test]
fn a_refreshed_bundle_makes_the_snapshot_valid_for_longer_and_is_no_start() {
    let home = Home::new();
    let (mut store, _) = home.open();
    let one = home.authority.publish(1, 3);
    install(&mut store, &one).unwrap();
    drop(store);

    let mut store = Store::open_between_starts(home.place(), &now()).unwrap();
    let later = home.authority.refresh(1, &one, 40);
    let bytes = bundle(&[&home.authority.key_set()], &later, b"");

    assert_eq!(import(&mut store, &bytes).unwrap().outcome, Outcome::Refreshed);
    assert_eq!(store.floor().boots, 1);
    drop(store);
    assert_eq!(home.open().1.boot, 2);
}
