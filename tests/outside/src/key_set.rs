//! A key set: the one of enrolment, and the one after it.

use gateward_core::time::UnixSeconds;
use gateward_core::trust::sign::{KeyDraft, KeySetDraft};
use gateward_core::trust::{Algorithm, KeySet, Kind, Refused, Role, SigningKey};
use serde::{Deserialize, Serialize};

use crate::cast::{self, ACCOUNT, KEYS, ROOTS, framed, key, key_id, keys, payload, seal};
use crate::{Input, heap};

/// The fields of a key set as TRUST writes them down, apart from the product's own reader.
#[derive(Debug, Deserialize, Serialize)]
struct Fields<'a> {
    epoch: u32,
    issued_at: u64,
    expires: u64,
    thresholds: [u8; 4],
    required: [u8; 4],
    #[serde(borrow)]
    keys: Vec<Key<'a>>,
    retired: Vec<[u8; 8]>,
    compromised: Vec<[u8; 8]>,
}

/// Public key, algorithm, roles, audiences.
type Key<'a> = (&'a [u8], u8, u8, Option<Vec<[u8; 16]>>);

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.way(4) {
        0 => both(input.rest(), &[]),
        1 => signed(input),
        2 => drafted(input),
        _ => changed(input),
    }
}

/// Reads a set as the one of enrolment and as the next one; `signers` are the keys that signed it,
/// none where nobody knows.
fn both(bytes: &[u8], signers: &[usize]) {
    judged(heap::within(0, || KeySet::anchor(bytes, ACCOUNT)), bytes, signers);
    let held = keys();
    let next = heap::within(0, || held.follow(bytes));
    if let Ok(next) = &next {
        assert_eq!(next.epoch(), held.epoch() + 1);
        let old = ROOTS.iter().filter(|at| signers.is_empty() || signers.contains(at)).count();
        assert!(old >= 2, "a set followed without the root keys before it");
    }
    judged(next, bytes, signers);
}

fn judged(read: Result<KeySet, Refused>, bytes: &[u8], signers: &[usize]) {
    let set = match read {
        Ok(set) => set,
        Err(why) => return cast::refused(why),
    };
    assert!(set.account() == ACCOUNT && set.epoch() > 0 && set.issued_at() < set.expires());
    let fields = payload(bytes).get(17..).expect("a payload that was accepted");
    let read: Fields<'_> = postcard::from_bytes(fields).expect("it was accepted");
    let again = postcard::to_allocvec(&read).expect("memory for a key set");
    assert_eq!(again, fields, "a second spelling of a key set");
    assert!(read.required.iter().all(|bits| bits & 1 == 1), "a role needs no Ed25519");
    for (at, one) in set.keys().iter().enumerate() {
        assert!(set.keys().iter().skip(at + 1).all(|other| other.id() != one.id()));
    }
    let roots = set.keys().iter().filter(|key| set.trusts(key.id(), Role::Root));
    let own = (0..KEYS).filter(|at| set.trusts(key_id(*at), Role::Root));
    let signed = own.filter(|at| signers.is_empty() || signers.contains(at)).count();
    let [threshold, ..] = read.thresholds;
    assert!(roots.count() >= usize::from(threshold), "no set could ever follow this one");
    assert!(signed >= usize::from(threshold), "a set was accepted without its own root keys");
}

/// Any fields at all, signed by any keys.
fn signed(mut input: Input<'_>) {
    let signers = signers(&mut input);
    both(&seal(Kind::KeySet, &framed(input.rest()), &signers), &signers);
}

/// One of 16 sets of signers; the root keys are in most.
fn signers(input: &mut Input<'_>) -> Vec<usize> {
    let bits = input.byte() ^ 0b111;
    let signers: Vec<_> = (0..KEYS).filter(|at| bits >> at & 1 == 1).collect();

    if signers.is_empty() { vec![KEYS - 1] } else { signers }
}

/// A set of some of the known keys in any order, with any roles, thresholds and bars.
fn drafted(mut input: Input<'_>) {
    let signers = signers(&mut input);
    let keys: Vec<_> = (0..input.byte() % 18).map(|_| one(&mut input)).collect();
    let ids = |input: &mut Input<'_>| {
        (0..input.byte() % 4).map(|_| key_id(usize::from(input.byte()))).collect::<Vec<_>>()
    };
    let draft = KeySetDraft {
        account: ACCOUNT,
        epoch: u32::from(input.byte() % 4),
        issued_at: UnixSeconds(input.u32().into()),
        expires: UnixSeconds(input.u32().into()),
        thresholds: input.array().map(|n: u8| n % 10),
        required: input.array().map(|bits: u8| bits % 5),
        keys,
        retired: ids(&mut input),
        compromised: ids(&mut input),
    };
    let keys: Vec<_> = signers.iter().map(|at| key(*at)).collect();
    if let Ok(bytes) = draft.sign(&keys) {
        both(&bytes, &signers);
    }
}

fn one(input: &mut Input<'_>) -> KeyDraft {
    let (which, roles, limits) = (input.byte(), input.byte(), input.byte());
    let known: &SigningKey = key(usize::from(which));
    let public = if which < 240 { known.verifying_key().to_bytes() } else { input.array() };
    let algorithm = if which % 16 == 15 { Algorithm::MlDsa65 } else { Algorithm::Ed25519 };
    let audiences = (limits >= 192).then(|| vec![cast::audience(); usize::from(limits & 7)]);

    KeyDraft { algorithm, public: public.to_vec(), roles, audiences }
}

/// The set held with its number and its fields changed, signed by some of the root keys.
fn changed(mut input: Input<'_>) {
    let signers = signers(&mut input);
    let draft = KeySetDraft { epoch: 1 + u32::from(input.byte() % 3), ..cast::draft() };
    let good = draft.sign(&[key(0)]).expect("eight keys are not too many");
    let mut fields = payload(&good).to_vec();
    while !input.is_over() {
        let at = usize::from(input.u16()) % fields.len();
        let byte = input.byte();
        fields.iter_mut().skip(at).take(1).for_each(|place| *place = byte);
    }

    both(&seal(Kind::KeySet, &fields, &signers), &signers);
}
