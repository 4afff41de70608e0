//! What carries every signed object, through every reader of one.

use ed25519_dalek::Signer as _;
use gateward_core::trust::{
    Beacon, Checkpoint, KeySet, Kind, MAX_SIGNATURES, Manifest, Receipt, Revoked, Status,
};

use crate::cast::{
    self, ACCOUNT, BEACON, COLLECTOR, Envelope, GATEWAY, INCARNATION, SNAPSHOT, Signed, audience,
    framed, key, keys, payload,
};
use crate::{Input, heap};

/// The kinds that an envelope here can be signed as, with who signs them.
const SIGNED: [(Kind, &[usize]); 7] = [
    (Kind::Manifest, &[SNAPSHOT]),
    (Kind::KeySet, &[0, 1]),
    (Kind::Beacon, &[BEACON]),
    (Kind::Revoked, &[SNAPSHOT]),
    (Kind::Receipt, &[COLLECTOR]),
    (Kind::Checkpoint, &[COLLECTOR]),
    (Kind::Status, &[COLLECTOR]),
];

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.way(3) {
        0 => {
            let _anything_or_nothing = arrived(input.rest());
        }
        1 => signed(input),
        _ => forged(input),
    }
}

/// Reads `bytes` as everything that a gateway or a collector takes; returns as what it was accepted.
fn arrived(bytes: &[u8]) -> Option<Kind> {
    let (gateway, keys) = (key(COLLECTOR).verifying_key(), keys());
    let kinds = heap::within(0, || {
        [
            Manifest::verify(bytes, keys, audience()).map(|_| Kind::Manifest),
            KeySet::anchor(bytes, ACCOUNT).map(|_| Kind::KeySet),
            keys.follow(bytes).map(|_| Kind::KeySet),
            Beacon::verify(bytes, keys, audience()).map(|_| Kind::Beacon),
            Revoked::verify(bytes, keys, audience()).map(|_| Kind::Revoked),
            Receipt::verify(bytes, keys, GATEWAY, INCARNATION).map(|_| Kind::Receipt),
            Checkpoint::verify(bytes, &gateway, ACCOUNT, GATEWAY).map(|_| Kind::Checkpoint),
            Status::verify(bytes, &gateway, ACCOUNT, GATEWAY).map(|_| Kind::Status),
        ]
    });
    let mut accepted = None;
    for kind in kinds {
        match kind {
            Err(why) => cast::refused(why),
            Ok(kind) => {
                assert!(accepted.is_none_or(|other| other == kind), "one object of two kinds");
                accepted = Some(kind);
            }
        }
    }
    if accepted.is_some() {
        let _its_payload = payload(bytes);
    }

    accepted
}

/// Any fields at all, signed as one kind: read as another kind they are nothing.
fn signed(mut input: Input<'_>) {
    let at = usize::from(input.byte()) % SIGNED.len();
    let (kind, signers) = SIGNED.get(at).copied().expect("a kind");
    let fields = framed(input.rest());
    let accepted = arrived(&cast::seal(kind, &fields, signers));

    assert!(accepted.is_none_or(|other| other == kind), "{kind:?} was taken for {accepted:?}");
}

/// Signatures of any number, each with a key, an algorithm and a payload of its own, under any type:
/// accepted is only what enough of the right keys signed as what it is.
fn forged(mut input: Input<'_>) {
    let (typ, count) = (input.byte() % 9, usize::from(input.byte()) % (MAX_SIGNATURES + 2));
    let choices: Vec<[u8; 4]> = (0..count).map(|_| input.array()).collect();
    let fields = framed(input.rest());
    let kind_of = |n: u8| Kind::ALL.into_iter().find(|kind| *kind as u8 == n);
    let made: Vec<_> = choices
        .iter()
        .map(|[who, what, algorithm, flip]| {
            let kind = if *what < 128 { kind_of(typ) } else { kind_of(what & 7) };
            let message = [kind.map_or(&b""[..], Kind::domain), &fields].concat();
            let mut bytes = key(usize::from(*who)).sign(&message).to_bytes();
            let genuine = kind == kind_of(typ) && *flip < 128 && algorithm % 4 != 3;
            if *flip >= 128 {
                bytes.iter_mut().skip(usize::from(flip & 63)).take(1).for_each(|byte| *byte ^= 1);
            }
            let algorithm = if algorithm % 4 == 3 { 2 } else { 1 };
            (usize::from(*who) % cast::KEYS, algorithm, bytes, genuine)
        })
        .collect();
    let signatures = made
        .iter()
        .map(|(who, algorithm, bytes, _)| Signed {
            key: cast::key_id(*who).0,
            algorithm: *algorithm,
            bytes,
        })
        .collect();
    let envelope = Envelope { typ, payload: &fields, signatures };
    let bytes = postcard::to_allocvec(&envelope).expect("memory for an envelope");
    let Some(kind) = arrived(&bytes) else { return };

    assert_eq!(Some(kind), kind_of(typ));
    let signers =
        |keys: &[usize]| keys.iter().filter(|at| made.iter().any(|m| m.3 && m.0 == **at)).count();
    let enough = match kind {
        Kind::Manifest | Kind::Revoked => signers(&[SNAPSHOT]) == 1,
        Kind::Beacon => signers(&[BEACON]) == 1,
        Kind::Receipt | Kind::Checkpoint | Kind::Status => signers(&[COLLECTOR]) == 1,
        // An anchor brings its own keys; of how many, its fields say.
        Kind::KeySet => made.iter().any(|m| m.3),
    };
    assert!(enough, "{kind:?} was accepted without its signatures");
}
