//! Key sets that demand both algorithms.

use super::*;

#[test]
fn an_account_moves_to_both_algorithms_and_nothing_leads_back_without_both() {
    let next = hybrid_set(2);
    let classic_only = next.sign(&by(&[classic(1), classic(2)])).unwrap();
    assert_eq!(anchor().follow(&classic_only).unwrap_err(), Refused::Unsigned);
    let next = anchor().follow(&next.sign(&by(&roots())).unwrap()).unwrap();

    let back = key_set(3);
    let classic_only = back.sign(&by(&[classic(1), classic(2)])).unwrap();
    assert_eq!(next.follow(&classic_only).unwrap_err(), Refused::Unsigned);
    assert_eq!(next.follow(&back.sign(&by(&roots())).unwrap()).unwrap().epoch(), 3);
}

#[test]
fn a_set_that_demands_an_algorithm_whose_keys_it_lacks_is_unusable_or_accepts_nothing() {
    let mut set = key_set(1);
    set.required[Role::Snapshot as usize] = BOTH;
    let keys = anchored(&set);
    assert!(keys.requires(Role::Snapshot, Algorithm::MlDsa65));
    let refused = Manifest::verify(good(), &keys, audience()).unwrap_err();
    assert_eq!(refused, Refused::Unsigned);

    set.required[Role::Root as usize] = BOTH;
    let refused = KeySet::anchor(&set.sign(&by(&roots())).unwrap(), ACCOUNT).unwrap_err();
    assert_eq!(refused, Refused::KeysUnusable);
}

#[test]
fn a_set_that_demands_more_signatures_than_an_envelope_holds_is_unusable() {
    let mut set = hybrid_set(1);
    set.thresholds[Role::Snapshot as usize] = 4;
    assert!(KeySet::anchor(&set.sign(&by(&roots())).unwrap(), ACCOUNT).is_ok());
    set.thresholds[Role::Snapshot as usize] = 5;
    let refused = KeySet::anchor(&set.sign(&by(&roots())).unwrap(), ACCOUNT).unwrap_err();
    assert_eq!(refused, Refused::KeysUnusable);
}

#[test]
fn a_key_of_another_length_or_twice_makes_the_set_unusable() {
    let again = KeyDraft::of(&quantum(SNAPSHOT), Role::Beacon.bit());
    let spoils: [&dyn Fn(&mut KeySetDraft); 4] = [
        &|set| set.keys.push(again.clone()),
        &|set| set.keys[11].public.truncate(1_951),
        &|set| set.keys[11].public.push(0),
        &|set| set.keys[11].public.truncate(32),
    ];
    for (at, spoil) in spoils.iter().enumerate() {
        let mut set = hybrid_set(1);
        spoil(&mut set);
        let refused = KeySet::anchor(&set.sign(&by(&roots())).unwrap(), ACCOUNT).unwrap_err();
        assert_eq!(refused, Refused::KeysUnusable, "{at}");
    }
}

#[test]
fn h17_the_keys_of_a_strangers_set_are_not_decoded() {
    let mut next = hybrid_set(2);
    next.keys[11].public.clear();
    let theirs = next.sign(&by(&[classic(STRANGER), quantum(STRANGER)])).unwrap();
    assert_eq!(hybrid().follow(&theirs).unwrap_err(), Refused::Unsigned);
    let ours = next.sign(&by(&roots())).unwrap();
    assert_eq!(hybrid().follow(&ours).unwrap_err(), Refused::KeysUnusable);
}

#[test]
fn a_key_is_drafted_again_as_it_was_read() {
    let keys = hybrid();
    let mut again = hybrid_set(1);
    again.keys = keys.keys().iter().map(KeyDraft::from).collect();

    assert_eq!(again.sign(&by(&roots())), hybrid_set(1).sign(&by(&roots())));
    assert_eq!(*quantum(7).seed(), [7; 32]);
    assert_eq!(*classic(7).seed(), [7; 32]);
}

#[test]
fn a_copy_of_a_key_set_shares_its_decoded_keys() {
    let keys = hybrid();
    assert!(size_of_val(keys) < 8 * 1024, "{}", size_of_val(keys));
    assert!(!std::format!("{keys:?}").contains("A_hat"));
}
