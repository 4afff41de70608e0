//! Objects that two algorithms must have signed: only a reader with the feature `hybrid` can judge
//! them.

use core::slice::from_ref;

use gateward_core::trust::sign::{KeyDraft, KeySetDraft, ManifestDraft, PrivateKey};
use gateward_core::trust::{Algorithm, Kind as Typ};
use serde_json::json;

use crate::authority::{ACCOUNT, Signature, envelope, key_set, manifest, payload, signature};
use crate::manifests::held::by;
use crate::snapshots::file;
use crate::tokens::Case;
use crate::vector::{ACCEPTED, Kind, given, hex};

/// Seeds of the ML-DSA-65 keys: two of role snapshot, one of role beacon, two of role root.
const SNAPSHOT: u8 = 20;
const SPARE: u8 = 21;
const BEACON: u8 = 22;
const ROOTS: [u8; 2] = [23, 24];
const STRANGER: u8 = 25;

fn own(algorithm: Algorithm, seed: u8) -> PrivateKey {
    PrivateKey::from_seed(algorithm, &[seed; 32])
}

fn classic(seed: u8) -> PrivateKey {
    own(Algorithm::Ed25519, seed)
}

fn lattice(seed: u8) -> PrivateKey {
    own(Algorithm::MlDsa65, seed)
}

/// The usual set, whose role snapshot requires both algorithms.
fn set() -> KeySetDraft {
    let mut draft = key_set(1);
    draft.required[1] = 3;
    draft.keys.extend([SNAPSHOT, SPARE].map(|seed| KeyDraft::of(&lattice(seed), 2)));
    draft.keys.push(KeyDraft::of(&lattice(BEACON), 4));

    draft
}

fn signed(draft: &ManifestDraft, keys: &[PrivateKey]) -> Vec<u8> {
    draft.sign(&keys.iter().collect::<Vec<_>>()).unwrap()
}

pub(crate) fn manifests() -> Kind {
    let about = "Sections 6 and 6.1, where the role snapshot requires Ed25519 and ML-DSA-65. A \
                 reader without the second refuses all of them: `algorithm_missing`.";
    let mut kind = Kind::new("hybrid-manifests", about);
    let keys = [classic(1), classic(2)];
    let set = set().sign(&keys.iter().collect::<Vec<_>>()).unwrap();
    let given = by(&[&kind.share("key-set-1", &set)]);
    for (name, verdict, about, bytes) in accepted().into_iter().chain(refused()) {
        kind.add((name, verdict, about), &bytes, &given);
    }

    kind
}

fn accepted() -> Vec<Case<Vec<u8>>> {
    let (draft, ed, ml) = (manifest(&file()), classic(4), lattice(SNAPSHOT));

    vec![
        ("both", ACCEPTED, "one key of each", signed(&draft, &[ed.clone(), ml.clone()])),
        ("both-in-the-other-order", ACCEPTED, "", signed(&draft, &[ml.clone(), ed.clone()])),
        ("both-and-a-stranger", ACCEPTED, "who does not count", {
            signed(&draft, &[lattice(STRANGER), ed, ml])
        }),
    ]
}

fn refused() -> Vec<Case<Vec<u8>>> {
    const BAD: &str = "bad_signature";
    let draft = manifest(&file());
    let (ed, ml) = (classic(4), lattice(SNAPSHOT));
    let body = payload(&signed(&draft, from_ref(&ed)));
    let classic_part = || signature(4, Typ::Manifest.domain(), &body);
    let lattice_part = || own_signature(&ml, Typ::Manifest.domain(), &body);
    let with = |change: fn(&mut Signature, &mut Signature)| {
        let (mut one, mut other) = (classic_part(), lattice_part());
        change(&mut one, &mut other);
        envelope(1, &body, &[one, other])
    };
    let other = payload(&signed(&ManifestDraft { version: 8, ..draft.clone() }, from_ref(&ed)));
    let of_other = own_signature(&ml, Typ::Manifest.domain(), &other);
    let of_beacon = own_signature(&ml, Typ::Beacon.domain(), &body);

    vec![
        ("second-stripped", BAD, "Ed25519 alone", signed(&draft, from_ref(&ed))),
        ("first-stripped", BAD, "ML-DSA-65 alone", signed(&draft, from_ref(&ml))),
        ("two-keys-of-the-first", BAD, "", signed(&draft, &[ed.clone(), classic(5)])),
        ("two-keys-of-the-second", BAD, "", signed(&draft, &[ml.clone(), lattice(SPARE)])),
        ("second-of-a-stranger", BAD, "", signed(&draft, &[ed.clone(), lattice(STRANGER)])),
        ("second-of-the-beacon-key", BAD, "", signed(&draft, &[ed, lattice(BEACON)])),
        ("first-corrupted", BAD, "one bit", with(|one, _| one.bytes[40] ^= 1)),
        ("second-corrupted", BAD, "one bit", with(|_, other| other.bytes[2_000] ^= 1)),
        ("second-cut-short", BAD, "3,308 bytes", with(|_, other| other.bytes.truncate(3_308))),
        ("second-too-long", BAD, "3,310 bytes", with(|_, other| other.bytes.push(0))),
        ("second-under-the-first-algorithm", BAD, "alg 1", with(|_, other| other.algorithm = 1)),
        (
            "algorithms-exchanged",
            BAD,
            "",
            with(|one, other| {
                core::mem::swap(&mut one.algorithm, &mut other.algorithm);
            }),
        ),
        (
            "key-ids-exchanged",
            BAD,
            "",
            with(|one, other| {
                core::mem::swap(&mut one.key, &mut other.key);
            }),
        ),
        ("second-of-another-manifest", BAD, "swapped from version 8", {
            envelope(1, &body, &[classic_part(), of_other])
        }),
        ("second-of-another-domain", BAD, "a beacon's", {
            envelope(1, &body, &[classic_part(), of_beacon])
        }),
    ]
}

fn own_signature(key: &PrivateKey, domain: &[u8], payload: &[u8]) -> Signature {
    use gateward_core::trust::sign::Signer as _;

    Signature { key: key.id().0, algorithm: 2, bytes: key.signature(&[domain, payload]) }
}

pub(crate) fn key_sets() -> Kind {
    let about = "Section 6.2, where the role root requires Ed25519 and ML-DSA-65.";
    let mut kind = Kind::new("hybrid-key-sets", about);
    let given = given([("account", json!(hex(&ACCOUNT.0)))]);
    let mut draft = key_set(1);
    draft.required[0] = 3;
    draft.keys.extend(ROOTS.map(|seed| KeyDraft::of(&lattice(seed), 1)));
    let sign = |draft: &KeySetDraft, keys: &[PrivateKey]| {
        draft.sign(&keys.iter().collect::<Vec<_>>()).unwrap()
    };
    let changed = |change: fn(&mut KeySetDraft)| {
        let mut draft = draft.clone();
        change(&mut draft);
        sign(&draft, &[classic(1), classic(2)])
    };
    let [one, two] = ROOTS.map(lattice);
    let all = [classic(1), classic(2), one, two];

    for (name, verdict, about, bytes) in [
        ("two-of-each", ACCEPTED, "the threshold holds for each", sign(&draft, &all)),
        ("one-of-the-second", "bad_signature", "", sign(&draft, &all[..3])),
        ("none-of-the-second", "bad_signature", "", sign(&draft, &all[..2])),
        (
            "second-out-of-reach",
            "keys_unusable",
            "one key of it",
            changed(|draft| {
                draft.keys.pop();
            }),
        ),
        (
            "more-signatures-than-fit",
            "keys_unusable",
            "5 of each",
            changed(|draft| {
                draft.required[1] = 3;
                draft.thresholds[1] = 5;
            }),
        ),
        (
            "key-of-1951-bytes",
            "keys_unusable",
            "",
            changed(|draft| {
                draft.keys.last_mut().unwrap().public.pop();
            }),
        ),
        (
            "key-twice",
            "keys_unusable",
            "",
            changed(|draft| {
                draft.keys.extend(draft.keys.last().cloned());
            }),
        ),
    ] {
        kind.add((name, verdict, about), &bytes, &given);
    }

    kind
}
