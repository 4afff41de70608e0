//! Key sets one after another: what a thief of keys gets, and how he is locked out.

use proptest::prelude::*;

use super::*;

/// Signs with the keys of these numbers.
fn signed_by(draft: &KeySetDraft, numbers: &[u8]) -> Vec<u8> {
    let keys: Vec<_> = numbers.iter().copied().map(key).collect();

    draft.sign(&keys.iter().collect::<Vec<_>>()).unwrap()
}

/// A set whose root keys are these, every other key as in [`key_set`].
fn rooted(epoch: u32, roots: [u8; 3]) -> KeySetDraft {
    let mut set = key_set(epoch);
    for (draft, number) in set.keys.iter_mut().zip(roots) {
        draft.public = public(&key(number));
    }

    set
}

/// A manifest under `keys`, signed by the keys of these numbers.
fn manifest_by(numbers: &[u8], keys: &KeySet) -> Result<Manifest, Refused> {
    let signers: Vec<_> = numbers.iter().copied().map(key).collect();
    let draft = ManifestDraft { keyset: keys.epoch(), ..draft(1) };
    let envelope = draft.sign(&signers.iter().collect::<Vec<_>>()).unwrap();

    Manifest::verify(&envelope, keys, audience())
}

#[test]
fn root_keys_are_replaced_one_by_one_until_none_of_the_first_is_left() {
    let steps = [[1, 2, 13], [1, 12, 13], [11, 12, 13]];
    // Whoever signs is a root key before and after.
    let signers = [[1, 2], [1, 13], [12, 13]];
    let mut keys = anchor();
    for ((epoch, roots), signers) in (2..).zip(steps).zip(signers) {
        let set = rooted(epoch, roots);
        assert_eq!(keys.follow(&signed_by(&set, &signers[..1])).unwrap_err(), Refused::Unsigned);
        keys = keys.follow(&signed_by(&set, &signers)).unwrap();
    }

    let fifth = key_set(5);
    assert_eq!(keys.follow(&signed_by(&fifth, &[1, 2, 3])).unwrap_err(), Refused::Unsigned);
    assert_eq!(
        keys.follow(&signed_by(&rooted(5, [11, 12, 13]), &[1, 2])).unwrap_err(),
        Refused::Unsigned,
        "they were root keys once"
    );
    assert!(keys.follow(&signed_by(&rooted(5, [11, 12, 13]), &[11, 13])).is_ok());
}

#[test]
fn with_one_root_key_lost_the_others_replace_it_and_with_two_lost_nothing_follows() {
    let next = rooted(2, [1, 2, 13]);
    assert!(anchor().follow(&signed_by(&next, &[1, 2])).is_ok());
    assert!(anchor().follow(&signed_by(&next, &[1, 2, 13])).is_ok());
    // The new key is none of the old set, so it does not stand in for the second of them.
    assert_eq!(anchor().follow(&signed_by(&next, &[1, 13])).unwrap_err(), Refused::Unsigned);
}

#[test]
fn a_stolen_root_key_signs_nothing_once_it_is_known_as_stolen() {
    let mut next = rooted(2, [1, 2, 13]);
    next.compromised = vec![id(&key(3))];
    let keys = anchor().follow(&signed_by(&next, &[1, 2])).unwrap();

    // Listed again by whoever holds it, it would still need the threshold of the set held.
    let back = rooted(3, [3, 2, 13]);
    assert_eq!(keys.follow(&signed_by(&back, &[3, 2])).unwrap_err(), Refused::Unsigned);
    assert!(keys.follow(&signed_by(&back, &[2, 13])).is_ok());
}

#[test]
fn a_set_that_calls_all_its_root_keys_stolen_is_refused() {
    let mut next = key_set(2);
    next.compromised = ROOTS.iter().map(|number| id(&key(*number))).collect();
    let refused = anchor().follow(&signed_by(&next, &ROOTS)).unwrap_err();
    assert_eq!(refused, Refused::KeysUnusable);
}

#[test]
fn as_many_snapshot_keys_must_sign_as_the_set_says() {
    let mut set = key_set(1);
    set.keys.push(with_roles(&key(NEXT_SNAPSHOT), &[Role::Snapshot]));
    set.thresholds = [2, 2, 1, 1];
    let keys = anchored(&set);

    assert_eq!(manifest_by(&[SNAPSHOT], &keys).unwrap_err(), Refused::Unsigned);
    assert_eq!(manifest_by(&[SNAPSHOT, SNAPSHOT], &keys).unwrap_err(), Refused::Unsigned);
    assert_eq!(manifest_by(&[SNAPSHOT, BEACON], &keys).unwrap_err(), Refused::Unsigned);
    let both = manifest_by(&[SNAPSHOT, NEXT_SNAPSHOT], &keys).unwrap();

    // Two were needed, and of one the signature is void.
    let mut next = set.clone();
    next.epoch = 2;
    next.compromised = vec![id(&key(SNAPSHOT))];
    assert!(both.is_voided_by([&keys.follow(&signed_by_roots(&next)).unwrap()]));
}

#[test]
fn thefts_add_up_though_the_list_of_a_later_set_forgets_the_first() {
    let mut set = key_set(1);
    let others = [NEXT_SNAPSHOT, STRANGER].map(|seed| with_roles(&key(seed), &[Role::Snapshot]));
    set.keys.extend(others);
    set.thresholds = [2, 2, 1, 1];
    let first = anchored(&set);
    let signed = manifest_by(&[SNAPSHOT, NEXT_SNAPSHOT, STRANGER], &first).unwrap();
    let mut naming = |epoch, seed, held: &KeySet| {
        (set.epoch, set.compromised) = (epoch, vec![id(&key(seed))]);
        held.follow(&signed_by_roots(&set)).unwrap()
    };

    let second = naming(2, SNAPSHOT, &first);
    let third = naming(3, NEXT_SNAPSHOT, &second);

    assert!(!signed.is_voided_by([&first, &second]) && !signed.is_voided_by([&third]));
    assert!(signed.is_voided_by(&[first, second, third]));
}

#[test]
fn h8_a_key_that_was_retired_and_is_then_found_stolen_ends_what_it_signed() {
    let old = manifest_by(&[SNAPSHOT], &anchor()).unwrap();
    let mut retired = key_set(2);
    retired.keys.push(with_roles(&key(NEXT_SNAPSHOT), &[Role::Snapshot]));
    retired.retired = vec![id(&key(SNAPSHOT))];
    let second = anchor().follow(&signed_by_roots(&retired)).unwrap();
    assert!(!old.is_voided_by([&second]));

    let mut stolen = retired.clone();
    (stolen.epoch, stolen.compromised) = (3, vec![id(&key(SNAPSHOT))]);
    let third = second.follow(&signed_by_roots(&stolen)).unwrap();
    assert!(old.is_voided_by([&third]));
    assert_eq!(manifest_by(&[SNAPSHOT], &third).unwrap_err(), Refused::Unsigned);
}

#[test]
fn h8_a_retired_key_signs_nothing_new_and_its_manifest_in_force_goes_on() {
    let floor = Floor::default().with_keys(&anchor());
    let old = manifest(&draft(1));
    let in_force = floor.with(&old);
    let mut next = key_set(2);
    next.keys.push(with_roles(&key(NEXT_SNAPSHOT), &[Role::Snapshot]));
    next.retired = vec![id(&key(SNAPSHOT))];
    let next = anchor().follow(&signed_by_roots(&next)).unwrap();
    let after = in_force.with_keys(&next);
    let at = UnixSeconds(T0 + 60);
    let now = Now { at, quality: TimeQuality::Synced, backed: at };

    assert!(!old.is_voided_by([&next]));
    assert_eq!((after.version, after.root), (in_force.version, in_force.root));
    // Neither a later version nor a longer life of the same one.
    for (version, issued_at) in [(2, T0), (1, T0 + 30)] {
        let mut more = draft(version);
        more.issued_at = UnixSeconds(issued_at);
        assert_eq!(after.admit(&manifest(&more), &now), Err(Refused::OldKeys));
    }
}

#[test]
fn a_key_set_that_has_expired_is_still_followed() {
    let mut first = key_set(1);
    first.expires = UnixSeconds(T0);
    let mut second = key_set(2);
    (second.issued_at, second.expires) = (UnixSeconds(T0 + 9 * DAY), UnixSeconds(T0 + 10 * DAY));
    let keys = anchored(&first).follow(&signed_by_roots(&second)).unwrap();

    assert!(keys.follow(&signed_by_roots(&key_set(3))).is_ok(), "an absent gateway catches up");
}

#[test]
fn a_requirement_of_one_role_says_nothing_about_another() {
    let both = Algorithm::Ed25519.bit() | Algorithm::MlDsa65.bit();
    for role in [Role::Beacon, Role::Collector] {
        let mut set = key_set(1);
        set.required[role as usize] = both;
        assert!(manifest_by(&[SNAPSHOT], &anchored(&set)).is_ok(), "{role:?}");
    }
}

#[test]
fn a_collector_key_limited_to_a_group_signs_no_receipt() {
    let mut set = key_set(1);
    let receipt = ReceiptDraft {
        account: ACCOUNT,
        gateway: GatewayId([1; 16]),
        incarnation: Incarnation([2; 8]),
        through: 9,
        head: Head([3; 32]),
        time: UnixSeconds(T0),
    };
    let signed = receipt.sign(&[&key(COLLECTOR)]).unwrap();
    let verify = |keys| Receipt::verify(&signed, &keys, receipt.gateway, receipt.incarnation).err();
    assert_eq!(verify(anchored(&set)), None);

    set.keys[5].audiences = Some(vec![audience()]);
    assert_eq!(verify(anchored(&set)), Some(Refused::Unsigned));
}

#[test]
fn the_draft_of_the_next_set_says_what_the_set_before_said() {
    let mut set = key_set(1);
    set.keys[3].audiences = Some(vec![audience()]);
    set.retired = vec![KeyId([1; 8])];
    set.compromised = vec![KeyId([2; 8])];
    let keys = anchored(&set);
    let next = keys.follow(&signed_by_roots(&KeySetDraft::after(&keys))).unwrap();

    assert_eq!(next.epoch(), 2);
    assert_eq!((next.issued_at(), next.expires()), (keys.issued_at(), keys.expires()));
    assert_eq!((next.retired(), next.compromised()), (&[KeyId([1; 8])][..], &[KeyId([2; 8])][..]));
    for (old, new) in keys.keys().iter().zip(next.keys()) {
        assert_eq!(
            (old.id(), old.roles(), old.audiences()),
            (new.id(), new.roles(), new.audiences())
        );
    }
    for role in Role::ALL {
        assert_eq!(keys.threshold(role), next.threshold(role), "{role:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The plain rule: enough of the old root keys and enough of the new ones, each once.
    #[test]
    fn a_set_follows_where_both_thresholds_are_reached_and_nowhere_else(
        signers in proptest::collection::vec(1..=6_u8, 0..=8),
        old in 1..=3_u8,
        new in 1..=3_u8,
        barred in 0..=7_u8,
    ) {
        let mut first = key_set(1);
        first.thresholds[0] = old;
        let mut second = key_set(2);
        second.thresholds[0] = new;
        // Root keys 1, 2, 3 before; 2, 3 and a new one after.
        second.keys[0].public = public(&key(NEXT_SNAPSHOT));
        second.retired = vec![id(&key(barred))];

        let keys = KeySet::anchor(&signed_by(&first, &ROOTS), ACCOUNT).unwrap();
        let mut once = signers.clone();
        once.sort_unstable();
        once.dedup();
        let count = |roots: &[u8]| once.iter().filter(|signer| roots.contains(signer)).count();
        let left: Vec<_> = [2, 3, NEXT_SNAPSHOT].into_iter().filter(|n| *n != barred).collect();
        let expected = if count(&ROOTS) < usize::from(old) {
            Err(Refused::Unsigned)
        } else if left.len() < usize::from(new) {
            Err(Refused::KeysUnusable)
        } else if count(&left) < usize::from(new) {
            Err(Refused::Unsigned)
        } else {
            Ok(2)
        };
        let followed = keys.follow(&signed_by(&second, &signers)).map(|next| next.epoch());
        prop_assert_eq!(followed, expected);
    }
}
