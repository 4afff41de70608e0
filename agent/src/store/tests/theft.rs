//! A stolen key stays stolen: whatever a full disk takes, and however late each theft is found.

use gateward_core::trust::SigningKey;

use super::revoked::{is_revoked, reopened};
use super::*;
use crate::store::testing::token_id;

fn signer(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[100 + number; 32])
}

/// Two keys each sign alone, and the first signed the snapshot in force.
fn with_two_keys() -> (Home, Store) {
    let (first, second) = (signer(1), signer(2));
    let home = Home::of(Authority::new().key_set_by(1, 1, &[&first, &second], &[]));
    let (mut store, _) = home.open();
    install(&mut store, &Authority::publish_by(&[&first], 1, 4)).unwrap();

    (home, store)
}

/// The same once the second key set has come, for which the disk has no room.
fn takes_without_room(home: &Home, store: Store, next: &[u8]) -> Store {
    drop(store);
    let full: Watcher = Arc::new(|step| {
        let Step::Create { path, .. } = step else { return Ok(()) };

        if path.starts_with("trust") { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    });
    let (mut store, _) = Store::open_watched(home.place(), &now(), Some(full)).unwrap();
    assert!(matches!(store.accept_keys(next), Err(NotAdmitted::Io(_))));
    assert_eq!(store.keys().epoch(), 2);

    store
}

#[test]
fn h11_h19_a_list_of_a_stolen_key_lets_nobody_back_in_after_a_restart_on_a_full_disk() {
    let (home, mut store) = with_two_keys();
    let (first, thief) = (signer(1), signer(2));
    store.accept_revoked(&Authority::revoke_by(&[&first], 1, 1, 4, &[token_id(3)])).unwrap();
    store.accept_revoked(&Authority::revoke_by(&[&thief], 1, 2, 4, &[])).unwrap();
    assert!(!is_revoked(&store, 3), "nobody knows yet");
    let theft = home.authority.key_set_by(2, 1, &[&first], &[&thief]);

    let store = takes_without_room(&home, store, &theft);
    assert_eq!(in_force(&store), None);

    // The broker withholds the key set.
    let mut store = reopened(&home, store);
    assert_eq!((in_force(&store), store.keys().epoch()), (None, 1));
    let more = store.accept_revoked(&Authority::revoke_by(&[&thief], 1, 3, 4, &[]));
    assert!(matches!(more, Err(NotAdmitted::Refused(Refused::OldKeys))), "{more:?}");
    store.accept_keys(&theft).unwrap();
    assert_eq!(in_force(&store), None, "what the thief's list left out is not known");
    install(&mut store, &Authority::publish_by(&[&first], 2, 5)).unwrap();
    assert_eq!(in_force(&reopened(&home, store)), Some(5));
}

#[test]
fn h11_a_stolen_key_that_has_signed_nothing_yet_signs_nothing_after_a_restart_on_a_full_disk() {
    let (home, store) = with_two_keys();
    let (first, thief) = (signer(1), signer(2));
    let theft = home.authority.key_set_by(2, 1, &[&first], &[&thief]);

    let store = takes_without_room(&home, store, &theft);
    assert_eq!(in_force(&store), Some(4), "which no thief signed");

    let mut store = reopened(&home, store);
    assert_eq!((in_force(&store), store.keys().epoch()), (None, 1));
    let stolen = install(&mut store, &Authority::publish_by(&[&thief], 1, 5));
    assert!(matches!(stolen, Err(NotStored::NotAdmitted(Refused::OldKeys))), "{stolen:?}");
    store.accept_keys(&theft).unwrap();
    assert_eq!(in_force(&store), Some(4), "only the key set was lacking");
    assert_eq!(in_force(&reopened(&home, store)), Some(4));
}

#[test]
fn h11_on_the_way_to_a_key_set_that_was_lost_nothing_is_served_yet() {
    let (home, store) = with_two_keys();
    let (first, thief, other) = (signer(1), signer(2), signer(3));
    let theft = home.authority.key_set_by(2, 1, &[&first, &other], &[&thief]);
    let another = home.authority.key_set_by(3, 1, &[&first], &[&thief, &other]);
    let mut store = takes_without_room(&home, store, &theft);
    assert!(store.accept_keys(&another).is_err());

    let mut store = reopened(&home, store);
    store.accept_keys(&theft).unwrap();

    assert_eq!(in_force(&store), None, "who knows what the next one says");
    store.accept_keys(&another).unwrap();
    assert_eq!(in_force(&store), Some(4));
}

#[test]
fn h11_a_rotation_that_a_full_disk_cannot_take_denies_nobody_after_a_restart() {
    let (home, store) = with_two_keys();
    let rotation = home.authority.key_set_by(2, 1, &[&signer(1)], &[]);

    let store = takes_without_room(&home, store, &rotation);

    let mut store = reopened(&home, store);
    assert_eq!((in_force(&store), store.keys().epoch()), (Some(4), 1));
    store.accept_keys(&rotation).unwrap();
    assert_eq!(in_force(&reopened(&home, store)), Some(4));
}

/// Two signers of these must be honest. The first two are stolen, and the list of stolen keys has
/// forgotten the one when the other is found.
fn stolen_one_after_the_other(keys: &[SigningKey; 5]) -> [Vec<u8>; 3] {
    let (authority, [a, b, c, d, e]) = (Authority::new(), keys.each_ref());

    [
        authority.key_set_by(1, 2, &[a, b, c, d], &[]),
        authority.key_set_by(2, 2, &[b, c, d], &[a]),
        authority.key_set_by(3, 2, &[c, d, e], &[b]),
    ]
}

#[test]
fn thefts_that_are_found_one_after_the_other_end_what_is_in_force_together() {
    let keys = [1, 2, 3, 4, 5].map(signer);
    let [a, b, c, ..] = keys.each_ref();
    let [anchor, second, third] = stolen_one_after_the_other(&keys);
    let home = Home::of(anchor);
    let (mut store, _) = home.open();
    install(&mut store, &Authority::publish_by(&[a, b, c], 1, 4)).unwrap();
    let path = home.path(store.slot.manifest());
    let manifest = fs::read(&path).unwrap();

    store.accept_keys(&second).unwrap();
    assert_eq!(in_force(&store), Some(4), "two honest signers are left");
    store.accept_keys(&third).unwrap();

    assert_eq!(in_force(&store), None);
    assert!(!path.exists());
    drop(store);
    fs::write(&path, manifest).unwrap();
    assert_eq!(in_force(&home.open().0), None, "whoever put it back");
    fs::remove_file(home.path("floor")).unwrap();
    assert_eq!(in_force(&home.open().0), None, "without the floor");
}

#[test]
fn thefts_that_are_found_one_after_the_other_void_a_list_together() {
    let keys = [1, 2, 3, 4, 5].map(signer);
    let [a, b, c, d, _] = keys.each_ref();
    let [anchor, second, third] = stolen_one_after_the_other(&keys);
    let home = Home::of(anchor);
    let (mut store, _) = home.open();
    install(&mut store, &Authority::publish_by(&[c, d], 1, 4)).unwrap();
    store.accept_revoked(&Authority::revoke_by(&[a, b, c], 1, 1, 4, &[token_id(3)])).unwrap();
    let list = fs::read(home.path("revoked")).unwrap();

    store.accept_keys(&second).unwrap();
    assert!(is_revoked(&store, 3), "two honest signers are left");
    store.accept_keys(&third).unwrap();

    assert_eq!(store.revoked_number(), Version::default());
    drop(store);
    fs::write(home.path("revoked"), list).unwrap();
    let (mut store, _) = home.open();
    assert_eq!(store.revoked_number(), Version::default(), "whoever put it back");
    install(&mut store, &Authority::publish_by(&[c, d], 3, 5)).unwrap();
    assert!(!is_revoked(&store, 3), "thieves may have revoked everybody");
}
