//! Key sets: who may say who may sign.

use super::*;

fn refused(draft: &KeySetDraft, signers: &[u8]) -> Refused {
    let keys: Vec<_> = signers.iter().copied().map(key).collect();
    let bytes = draft.sign(&keys.iter().collect::<Vec<_>>()).unwrap();

    KeySet::anchor(&bytes, ACCOUNT).unwrap_err()
}

/// A manifest under the key set of this epoch, signed by this key.
fn manifest_by(number: u8, keys: &KeySet) -> Result<Manifest, Refused> {
    let mut draft = draft(1);
    draft.keyset = keys.epoch();

    Manifest::verify(&draft.sign(&[&key(number)]).unwrap(), keys, audience())
}

#[test]
fn what_was_signed_is_read() {
    let keys = anchor();

    assert_eq!((keys.epoch(), keys.account()), (1, ACCOUNT));
    assert_eq!(keys.issued_at(), UnixSeconds(T0 - DAY));
    assert_eq!(keys.expires(), UnixSeconds(T0 + 365 * DAY));
    assert_eq!(keys.keys().len(), 6);
    assert!(keys.trusts(id(&key(1)), Role::Root) && !keys.trusts(id(&key(1)), Role::Snapshot));
    assert!(!keys.trusts(id(&key(STRANGER)), Role::Root));
}

#[test]
fn h2_every_flipped_bit_and_every_truncation_of_a_key_set_is_refused() {
    every_damage_is_refused(&signed_by_roots(&key_set(1)), |bytes| {
        KeySet::anchor(bytes, ACCOUNT).is_ok()
    });
}

#[test]
fn fewer_root_keys_than_the_threshold_change_nothing() {
    assert_eq!(refused(&key_set(1), &[1]), Refused::Unsigned);
    assert_eq!(refused(&key_set(1), &[]), Refused::Unsigned);
    assert_eq!(refused(&key_set(1), &[1, STRANGER, SNAPSHOT]), Refused::Unsigned);

    let next = key_set(2);
    let one = next.sign(&[&key(1)]).unwrap();
    assert_eq!(anchor().follow(&one).unwrap_err(), Refused::Unsigned);
}

#[test]
fn a_key_that_signs_twice_counts_once() {
    assert_eq!(refused(&key_set(1), &[1, 1]), Refused::Unsigned);
    assert_eq!(refused(&key_set(1), &[1, 1, 1, 1, 1, 1, 1, 1]), Refused::Unsigned);
    assert!(
        KeySet::anchor(&key_set(1).sign(&[&key(1), &key(1), &key(3)]).unwrap(), ACCOUNT).is_ok()
    );
}

#[test]
fn the_next_set_needs_the_old_and_the_new_root_keys() {
    let mut next = key_set(2);
    for (draft, number) in next.keys.iter_mut().zip([11, 12, 13]) {
        draft.public = public(&key(number));
    }
    let (old, new) = ([key(1), key(2)], [key(11), key(12)]);
    let follow = |signers: &[&SigningKey]| anchor().follow(&next.sign(signers).unwrap());

    assert_eq!(follow(&[&old[0], &old[1]]).unwrap_err(), Refused::Unsigned);
    assert_eq!(follow(&[&new[0], &new[1]]).unwrap_err(), Refused::Unsigned);
    assert_eq!(follow(&[&old[0], &old[1], &new[0]]).unwrap_err(), Refused::Unsigned);
    assert_eq!(follow(&[&old[0], &new[0], &new[1]]).unwrap_err(), Refused::Unsigned);
    assert_eq!(follow(&[&old[0], &old[1], &new[0], &new[1]]).unwrap().epoch(), 2);
}

#[test]
fn a_new_set_cannot_lower_the_threshold_of_the_old_one() {
    let mut next = key_set(2);
    next.thresholds = [1; 4];
    assert_eq!(anchor().follow(&next.sign(&[&key(1)]).unwrap()).unwrap_err(), Refused::Unsigned);
}

#[test]
fn key_sets_are_walked_one_by_one() {
    let keys = anchor();
    let follow = |epoch| keys.follow(&signed_by_roots(&key_set(epoch))).map(|next| next.epoch());

    assert_eq!(follow(1), Err(Refused::OldKeys));
    assert_eq!(follow(2), Ok(2));
    assert_eq!(follow(3), Err(Refused::NewerKeys(3)));
    assert_eq!(follow(u32::MAX), Err(Refused::NewerKeys(u32::MAX)));
}

#[test]
fn h4_a_key_set_of_another_account_is_refused() {
    let mut other = key_set(1);
    other.account = OTHER;
    assert_eq!(refused(&other, &[1, 2]), Refused::OtherAccount);
    other.epoch = 2;
    let bytes = signed_by_roots(&other);
    assert_eq!(anchor().follow(&bytes).unwrap_err(), Refused::OtherAccount);
}

#[test]
fn h8_during_an_overlap_the_old_and_the_new_key_sign_and_afterwards_only_the_new_one() {
    let new = with_roles(&key(NEXT_SNAPSHOT), &[Role::Snapshot]);
    let mut overlap = key_set(2);
    overlap.keys.push(new.clone());
    let overlap = anchor().follow(&signed_by_roots(&overlap)).unwrap();
    assert!(manifest_by(SNAPSHOT, &overlap).is_ok());
    assert!(manifest_by(NEXT_SNAPSHOT, &overlap).is_ok());

    let mut after = key_set(3);
    after.keys.push(new);
    after.retired = vec![id(&key(SNAPSHOT))];
    let after = overlap.follow(&signed_by_roots(&after)).unwrap();
    assert_eq!(manifest_by(SNAPSHOT, &after).unwrap_err(), Refused::Unsigned);
    assert!(manifest_by(NEXT_SNAPSHOT, &after).is_ok());

    let before = manifest_by(SNAPSHOT, &overlap).unwrap();
    assert!(!before.is_voided_by([&after]), "what a retired key signed stays good");
}

#[test]
fn what_a_compromised_key_signed_is_unusable_whenever_it_was_signed() {
    let before = manifest_by(SNAPSHOT, &anchor()).unwrap();
    let mut next = key_set(2);
    next.keys.push(with_roles(&key(NEXT_SNAPSHOT), &[Role::Snapshot]));
    next.compromised = vec![id(&key(SNAPSHOT))];
    let next = anchor().follow(&signed_by_roots(&next)).unwrap();

    assert!(before.is_voided_by([&next]));
    assert_eq!(manifest_by(SNAPSHOT, &next).unwrap_err(), Refused::Unsigned);
    assert!(!manifest_by(NEXT_SNAPSHOT, &next).unwrap().is_voided_by([&next]));
}

#[test]
fn a_manifest_with_good_signatures_enough_survives_a_compromised_one_beside_them() {
    let mut set = key_set(1);
    set.keys.push(with_roles(&key(NEXT_SNAPSHOT), &[Role::Snapshot]));
    let set = anchored(&set);
    let both = draft(1).sign(&[&key(SNAPSHOT), &key(NEXT_SNAPSHOT)]).unwrap();
    let manifest = Manifest::verify(&both, &set, audience()).unwrap();
    let mut next = key_set(2);
    next.compromised = vec![id(&key(SNAPSHOT))];
    let next = set.follow(&signed_by_roots(&next)).unwrap();
    assert!(!manifest.is_voided_by([&next]));
}

#[test]
fn a_retired_root_key_signs_no_further_key_set() {
    let mut next = key_set(2);
    next.retired = vec![id(&key(1))];
    let signed = next.sign(&[&key(1), &key(2), &key(3)]).unwrap();
    let next = anchor().follow(&signed).unwrap();
    let third = |signers: &[&SigningKey]| next.follow(&key_set(3).sign(signers).unwrap());

    assert_eq!(third(&[&key(1), &key(2)]).unwrap_err(), Refused::Unsigned);
    assert!(third(&[&key(2), &key(3)]).is_ok());
}

#[test]
fn a_key_limited_to_a_group_signs_for_that_group_only() {
    let elsewhere = Audience::of(ACCOUNT, "line-2");
    let limited = |audiences: &[Audience], role| {
        let mut set = key_set(1);
        for draft in set.keys.iter_mut().filter(|draft| draft.roles == Role::bit(role)) {
            draft.audiences = Some(audiences.to_vec());
        }
        set
    };
    let verify = |audiences: &[Audience]| {
        manifest_by(SNAPSHOT, &anchored(&limited(audiences, Role::Snapshot))).err()
    };
    assert_eq!(verify(&[audience()]), None);
    assert_eq!(verify(&[elsewhere, audience()]), None);
    assert_eq!(verify(&[elsewhere]), Some(Refused::Unsigned));
    assert_eq!(verify(&[]), Some(Refused::Unsigned));

    // Root keys that reach only a group could sign for nobody.
    assert_eq!(refused(&limited(&[audience()], Role::Root), &[1, 2]), Refused::KeysUnusable);
}

#[test]
fn a_set_that_could_not_be_used_is_refused() {
    let mut identity = with_roles(&key(STRANGER), &[Role::Snapshot]);
    identity.public.fill(0);
    identity.public[0] = 1;
    let again = with_roles(&key(SNAPSHOT), &[Role::Beacon]);
    let spoils: [&dyn Fn(&mut KeySetDraft); 9] = [
        &|set| set.thresholds = [2, 0, 1, 1],
        &|set| set.thresholds = [0, 1, 1, 1],
        &|set| set.thresholds = [4, 1, 1, 1],
        &|set| set.thresholds = [2, 9, 1, 1],
        &|set| set.retired = vec![id(&key(1)), id(&key(3))],
        &|set| set.required = [1, 1, 0, 1],
        &|set| set.required = [1, 2, 1, 1],
        &|set| set.keys.push(again.clone()),
        // A key of small order verifies what nobody signed.
        &|set| set.keys.push(identity.clone()),
    ];
    for (at, spoil) in spoils.iter().enumerate() {
        let mut set = key_set(1);
        spoil(&mut set);
        assert_eq!(refused(&set, &[1, 2]), Refused::KeysUnusable, "{at}");
    }
}

#[test]
fn e12_times_and_epochs_out_of_all_bounds_are_refused() {
    let spoils: [fn(&mut KeySetDraft); 4] = [
        |set| set.epoch = 0,
        |set| set.expires = UnixSeconds(u64::MAX),
        |set| set.issued_at = UnixSeconds(u64::MAX),
        |set| set.issued_at = set.expires,
    ];
    for spoil in spoils {
        let mut set = key_set(1);
        spoil(&mut set);
        assert_eq!(refused(&set, &[1, 2]), Refused::Absurd);
    }
}

#[test]
fn where_an_algorithm_is_required_that_is_missing_nothing_is_accepted() {
    // Such as one that is not invented yet.
    let both = Algorithm::Ed25519.bit() | 1 << 2;
    let mut set = key_set(1);
    set.required = [1, both, 1, 1];
    let keys = anchored(&set);
    assert_eq!(manifest_by(SNAPSHOT, &keys).unwrap_err(), Refused::AlgorithmMissing);

    set.required = [both, 1, 1, 1];
    assert_eq!(refused(&set, &[1, 2]), Refused::AlgorithmMissing);
}

#[cfg(not(feature = "hybrid"))]
#[test]
fn a_build_without_ml_dsa_passes_over_its_keys_and_accepts_nothing_that_must_be_signed_with_it() {
    let public = vec![7; 1_952];
    let algorithm = Algorithm::MlDsa65;
    let beside = KeyDraft { algorithm, public, roles: Role::Snapshot.bit(), audiences: None };
    let mut set = key_set(1);
    set.keys.push(beside);
    assert_eq!(anchored(&set).keys().len(), 6);
    assert!(manifest_by(SNAPSHOT, &anchored(&set)).is_ok());

    let both = Algorithm::Ed25519.bit() | Algorithm::MlDsa65.bit();
    set.required = [1, both, 1, 1];
    let error = manifest_by(SNAPSHOT, &anchored(&set)).unwrap_err();
    assert_eq!(error, Refused::AlgorithmMissing);

    set.required = [both, 1, 1, 1];
    assert_eq!(refused(&set, &[1, 2]), Refused::AlgorithmMissing);
}

#[test]
fn lists_longer_than_the_format_are_not_signed() {
    let mut set = key_set(1);
    set.retired = vec![KeyId([0; 8]); MAX_REVOKED_KEYS + 1];
    assert!(set.sign::<SigningKey>(&[]).is_err());
    let mut set = key_set(1);
    set.keys = (20..37).map(|n| with_roles(&key(n), &[Role::Root])).collect();
    assert!(set.sign::<SigningKey>(&[]).is_err());
}
