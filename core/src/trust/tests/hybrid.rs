//! Two signatures on one object: attacks on either, and on that there are two.

mod sets;

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::trust::envelope::{Envelope, Signed};
use crate::trust::sign::{PrivateKey, Signer};

const BOTH: u8 = Algorithm::Ed25519.bit() | Algorithm::MlDsa65.bit();
const GATEWAY: GatewayId = GatewayId([1; 16]);
const INCARNATION: Incarnation = Incarnation([2; 8]);

fn classic(number: u8) -> PrivateKey {
    key(number).into()
}

fn quantum(number: u8) -> PrivateKey {
    PrivateKey::from_seed(Algorithm::MlDsa65, &[number; 32])
}

/// The set of `key_set` with an ML-DSA key beside every Ed25519 key, both demanded everywhere.
fn hybrid_set(epoch: u32) -> KeySetDraft {
    let mut set = key_set(epoch);
    let beside = |role: Role| move |number: u8| KeyDraft::of(&quantum(number), role.bit());
    set.keys.extend(ROOTS.map(beside(Role::Root)));
    set.keys.push(beside(Role::Snapshot)(SNAPSHOT));
    set.keys.push(beside(Role::Beacon)(BEACON));
    set.keys.push(beside(Role::Collector)(COLLECTOR));
    set.required = [BOTH; 4];

    set
}

fn by(keys: &[PrivateKey]) -> Vec<&PrivateKey> {
    keys.iter().collect()
}

fn roots() -> [PrivateKey; 4] {
    [classic(1), classic(2), quantum(1), quantum(2)]
}

/// Made once: with twelve keys it is work.
static HYBRID: LazyLock<KeySet> =
    LazyLock::new(|| KeySet::anchor(&hybrid_set(1).sign(&by(&roots())).unwrap(), ACCOUNT).unwrap());
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| signed(&[classic(SNAPSHOT), quantum(SNAPSHOT)]));

fn hybrid() -> &'static KeySet {
    &HYBRID
}

fn verify(envelope: &[u8]) -> Result<Manifest, Refused> {
    Manifest::verify(envelope, hybrid(), audience())
}

fn signed(keys: &[PrivateKey]) -> Vec<u8> {
    draft(1).sign(&by(keys)).unwrap()
}

fn good() -> &'static [u8] {
    &GOOD
}

type Signatures = Vec<(KeyId, u8, Vec<u8>)>;

fn signatures(envelope: &[u8]) -> Signatures {
    let Envelope { signatures, .. } = postcard::from_bytes(envelope).unwrap();

    signatures.iter().map(|one| (one.key, one.algorithm, one.bytes.to_vec())).collect()
}

/// The envelope with its signatures as `change` leaves them.
fn tampered(envelope: &[u8], change: impl FnOnce(&mut Signatures)) -> Vec<u8> {
    let Envelope { typ, payload, .. } = postcard::from_bytes(envelope).unwrap();
    let mut own = signatures(envelope);
    change(&mut own);
    let signatures = own
        .iter()
        .map(|(key, algorithm, bytes)| Signed { key: *key, algorithm: *algorithm, bytes })
        .collect();

    postcard::to_allocvec(&Envelope { typ, payload, signatures }).unwrap()
}

#[test]
fn what_both_signed_is_accepted_of_every_type() {
    let keys = hybrid();
    let signers = [classic(COLLECTOR), quantum(COLLECTOR)];
    let receipt = receipt().sign(&by(&signers)).unwrap();

    assert_eq!(keys.keys().len(), 12);
    assert_eq!(verify(good()).unwrap().version().number, 1);
    assert!(Receipt::verify(&receipt, keys, GATEWAY, INCARNATION).is_ok());
    assert_eq!(keys.follow(&hybrid_set(2).sign(&by(&roots())).unwrap()).unwrap().epoch(), 2);
}

fn receipt() -> ReceiptDraft {
    ReceiptDraft {
        account: ACCOUNT,
        gateway: GATEWAY,
        incarnation: INCARNATION,
        through: 3,
        head: Head([3; 32]),
        time: UnixSeconds(T0),
    }
}

#[test]
fn a_stripped_signature_of_either_algorithm_is_refused() {
    let keys = hybrid();
    for at in 0..2 {
        let stripped = tampered(good(), |own| drop(own.remove(at)));
        assert_eq!(verify(&stripped).unwrap_err(), Refused::Unsigned, "{at}");

        let signers = [classic(COLLECTOR), quantum(COLLECTOR)];
        let whole = receipt().sign(&by(&signers)).unwrap();
        let stripped = tampered(&whole, |own| drop(own.remove(at)));
        let refused = Receipt::verify(&stripped, keys, GATEWAY, INCARNATION).unwrap_err();
        assert_eq!(refused, Refused::Unsigned, "{at}");
    }
    let next = hybrid_set(2).sign(&by(&roots())).unwrap();
    for at in 0..4 {
        let stripped = tampered(&next, |own| drop(own.remove(at)));
        assert_eq!(keys.follow(&stripped).unwrap_err(), Refused::Unsigned, "{at}");
    }
    assert_eq!(verify(&tampered(good(), Vec::clear)).unwrap_err(), Refused::Unsigned);
}

#[test]
fn a_signature_of_another_object_is_refused() {
    let other = draft(2).sign(&by(&[classic(SNAPSHOT), quantum(SNAPSHOT)])).unwrap();
    let other = signatures(&other);
    for at in 0..2 {
        let swapped = tampered(good(), |own| own[at] = other[at].clone());
        assert_eq!(verify(&swapped).unwrap_err(), Refused::Unsigned, "{at}");
    }
}

#[test]
fn a_signature_of_the_same_payload_as_another_type_is_refused() {
    let good = good();
    let payload = Envelope::open(good, Kind::Manifest).unwrap().payload;
    let keys = [classic(SNAPSHOT), quantum(SNAPSHOT)];
    let other = sign::seal_payload(Kind::Revoked, payload, &by(&keys)).unwrap();
    let other = signatures(&other);
    for at in 0..2 {
        let swapped = tampered(good, |own| own[at] = other[at].clone());
        assert_eq!(verify(&swapped).unwrap_err(), Refused::Unsigned, "{at}");
    }
}

#[test]
fn a_signature_of_another_key_is_refused_under_its_own_name_and_under_the_right_one() {
    for pair in [[classic(STRANGER), quantum(SNAPSHOT)], [classic(SNAPSHOT), quantum(STRANGER)]] {
        let theirs = signed(&pair);
        assert_eq!(verify(&theirs).unwrap_err(), Refused::Unsigned);
        let renamed = tampered(&theirs, |own| {
            own[0].0 = classic(SNAPSHOT).id();
            own[1].0 = quantum(SNAPSHOT).id();
        });
        assert_eq!(verify(&renamed).unwrap_err(), Refused::Unsigned);
    }
    // A key of the set, with another role.
    let beacon = signed(&[classic(SNAPSHOT), quantum(BEACON)]);
    assert_eq!(verify(&beacon).unwrap_err(), Refused::Unsigned);
}

#[test]
fn exchanged_algorithms_ids_or_bytes_are_refused_and_the_order_does_not_matter() {
    let exchanges: [fn(&mut Signatures); 3] = [
        |own| (own[0].0, own[1].0) = (own[1].0, own[0].0),
        |own| (own[0].1, own[1].1) = (own[1].1, own[0].1),
        |own| {
            let first = core::mem::take(&mut own[0].2);
            own[0].2 = core::mem::replace(&mut own[1].2, first);
        },
    ];
    for (at, exchange) in exchanges.into_iter().enumerate() {
        assert_eq!(verify(&tampered(good(), exchange)).unwrap_err(), Refused::Unsigned, "{at}");
    }
    assert!(verify(&tampered(good(), |own| own.reverse())).is_ok());
}

#[test]
fn a_downgrade_of_the_algorithm_number_is_refused() {
    for number in [0, 1, 3, 255] {
        let downgraded = tampered(good(), |own| own[1].1 = number);
        assert_eq!(verify(&downgraded).unwrap_err(), Refused::Unsigned, "{number}");
    }
    // Two signatures of the classic key do not make up for the missing one, whatever they say.
    for number in [1, 2] {
        let twice = tampered(good(), |own| {
            own[1] = own[0].clone();
            own[1].1 = number;
        });
        assert_eq!(verify(&twice).unwrap_err(), Refused::Unsigned, "{number}");
    }
}

#[test]
fn h2_a_corrupted_byte_of_either_signature_is_refused() {
    let lens = signatures(good()).iter().map(|one| one.2.len()).collect::<Vec<_>>();
    assert_eq!(lens, [64, 3_309]);
    for (which, step) in [(0, 1), (1, 61)] {
        for at in (0..lens[which]).step_by(step).chain([lens[which] - 1]) {
            let bad = tampered(good(), |own| own[which].2[at] ^= 1 << (at % 8));
            assert_eq!(verify(&bad).unwrap_err(), Refused::Unsigned, "{which} {at}");
        }
        for len in [0, 1, 63, 64, 65, 3_308, 3_310] {
            let bad = tampered(good(), |own| own[which].2.resize(len, 0));
            assert_eq!(verify(&bad).is_ok(), which == 0 && len == 64, "{which} {len}");
        }
    }
}

#[test]
fn a_corrupted_payload_is_refused() {
    for at in 2..160 {
        let mut bad = good().to_vec();
        bad[at] ^= 1;
        assert!(verify(&bad).is_err(), "{at}");
    }
}

#[test]
fn a_key_that_signs_twice_counts_once_for_its_algorithm() {
    let refused = |keys: &[PrivateKey]| {
        KeySet::anchor(&hybrid_set(1).sign(&by(keys)).unwrap(), ACCOUNT).map(|set| set.epoch())
    };
    let [one, two] = [quantum(1), quantum(2)];

    assert_eq!(
        refused(&[classic(1), classic(2), one.clone(), one.clone()]),
        Err(Refused::Unsigned)
    );
    assert_eq!(
        refused(&[classic(1), classic(1), one.clone(), two.clone()]),
        Err(Refused::Unsigned)
    );
    let all_one = core::array::from_fn::<_, 6, _>(|_| one.clone());
    assert_eq!(
        refused(&[&[classic(1), classic(2)], &all_one[..]].concat()),
        Err(Refused::Unsigned)
    );
    assert_eq!(refused(&[classic(1), classic(3), one.clone(), one, two]), Ok(1));
}

#[test]
fn keys_of_one_algorithm_do_not_make_up_for_those_of_the_other() {
    let anchor = |keys: &[PrivateKey]| {
        KeySet::anchor(&hybrid_set(1).sign(&by(keys)).unwrap(), ACCOUNT).map(|set| set.epoch())
    };
    let [a, b, c] = ROOTS;

    assert_eq!(anchor(&[a, b, c].map(classic)), Err(Refused::Unsigned));
    assert_eq!(anchor(&[a, b, c].map(quantum)), Err(Refused::Unsigned));
    let one_short = [classic(a), quantum(a), quantum(b), quantum(c)];
    assert_eq!(anchor(&one_short), Err(Refused::Unsigned));
    let one_short = [classic(a), classic(b), classic(c), quantum(a)];
    assert_eq!(anchor(&one_short), Err(Refused::Unsigned));
}

#[test]
fn an_algorithm_that_is_not_demanded_neither_helps_nor_hurts() {
    let mut set = hybrid_set(1);
    set.required[Role::Snapshot as usize] = Algorithm::Ed25519.bit();
    let keys = KeySet::anchor(&set.sign(&by(&roots())).unwrap(), ACCOUNT).unwrap();
    let verify = |envelope: &[u8]| Manifest::verify(envelope, &keys, audience());

    assert!(verify(&signed(&[classic(SNAPSHOT)])).is_ok());
    assert!(verify(&tampered(good(), |own| own[1].2.fill(0xff))).is_ok());
    assert_eq!(verify(&signed(&[quantum(SNAPSHOT)])).unwrap_err(), Refused::Unsigned);
}

#[test]
fn a_manifest_is_unusable_once_the_signers_of_one_algorithm_are_compromised() {
    let manifest = verify(good()).unwrap();
    for stolen in [classic(SNAPSHOT), quantum(SNAPSHOT)] {
        let mut next = hybrid_set(2);
        next.compromised = vec![stolen.id()];
        let next = hybrid().follow(&next.sign(&by(&roots())).unwrap()).unwrap();
        assert!(manifest.is_voided_by([&next]), "{:?}", stolen.algorithm());
    }
    for unused in [classic(BEACON), quantum(BEACON), quantum(STRANGER)] {
        let mut next = hybrid_set(2);
        next.compromised = vec![unused.id()];
        let next = hybrid().follow(&next.sign(&by(&roots())).unwrap()).unwrap();
        assert!(!manifest.is_voided_by([&next]));
    }
}

#[test]
fn a_manifest_outlives_a_compromised_signer_only_where_enough_of_its_algorithm_are_left() {
    let mut set = hybrid_set(1);
    set.keys.push(KeyDraft::of(&quantum(NEXT_SNAPSHOT), Role::Snapshot.bit()));
    let keys = KeySet::anchor(&set.sign(&by(&roots())).unwrap(), ACCOUNT).unwrap();
    let three = signed(&[classic(SNAPSHOT), quantum(SNAPSHOT), quantum(NEXT_SNAPSHOT)]);
    let manifest = Manifest::verify(&three, &keys, audience()).unwrap();
    let after = |stolen: &[PrivateKey]| {
        let mut next = hybrid_set(2);
        next.compromised = stolen.iter().map(Signer::id).collect();
        manifest.is_voided_by([&keys.follow(&next.sign(&by(&roots())).unwrap()).unwrap()])
    };

    assert!(!after(&[quantum(SNAPSHOT)]));
    assert!(after(&[quantum(SNAPSHOT), quantum(NEXT_SNAPSHOT)]));
    assert!(after(&[classic(SNAPSHOT)]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_signature_of_garbage_makes_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 3_309),
        start in 0..3_309_usize,
    ) {
        let bad = tampered(good(), |own| own[1].2[start..].copy_from_slice(&bytes[start..]));
        prop_assert_eq!(verify(&bad).unwrap_err(), Refused::Unsigned);
    }

    #[test]
    fn no_key_of_garbage_makes_it_panic(
        bytes in proptest::collection::vec(any::<u8>(), 1_952),
    ) {
        let mut set = hybrid_set(1);
        set.keys[9].public = bytes;
        let keys = KeySet::anchor(&set.sign(&by(&roots())).unwrap(), ACCOUNT).unwrap();
        let theirs = KeyId::of(&set.keys[9].public);
        let bad = tampered(good(), |own| own[1].0 = theirs);
        let refused = Manifest::verify(&bad, &keys, audience()).unwrap_err();
        prop_assert_eq!(refused, Refused::Unsigned);
    }
}
