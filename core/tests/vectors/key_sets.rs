//! Key sets: the one of enrolment, and those that follow.

mod times;

use gateward_core::time::UnixSeconds;
use gateward_core::trust::sign::{KeyDraft, KeySetDraft};
use gateward_core::trust::{Algorithm, Kind as Typ};
use serde_json::json;

use crate::authority::{
    ACCOUNT, Bytes, ROOTS, SNAPSHOT, STRANGER, audience, by_roots, envelope, key, key_id, key_set,
    payload, public, seal, signature,
};
use crate::snapshots::id;
use crate::tokens::Case;
use crate::vector::{ACCEPTED, Kind, given, hex};

/// Seeds of the root keys of a later set.
const NEW_ROOTS: [u8; 3] = [11, 12, 13];

fn changed(epoch: u32, change: impl FnOnce(&mut KeySetDraft)) -> Vec<u8> {
    signed(epoch, &[1, 2], change)
}

fn signed(epoch: u32, seeds: &[u8], change: impl FnOnce(&mut KeySetDraft)) -> Vec<u8> {
    let mut draft = key_set(epoch);
    change(&mut draft);
    let keys: Vec<_> = seeds.iter().copied().map(key).collect();

    draft.sign(&keys.iter().collect::<Vec<_>>()).unwrap()
}

fn new_roots(draft: &mut KeySetDraft) {
    for (key, seed) in draft.keys.iter_mut().zip(NEW_ROOTS) {
        key.public = public(seed).into();
    }
}

pub(crate) fn kind() -> Kind {
    let about =
        "Section 6.2. `bytes` is an envelope: the anchor of enrolment, or what follows `key_sets`.";
    let mut kind = Kind::new("key-sets", about);
    let account = || json!(hex(&ACCOUNT.0));
    let anchor = given([("account", account())]);
    for (name, verdict, about, bytes) in
        accepted().into_iter().chain(shapes()).chain(signatures()).chain(unusable())
    {
        kind.add((name, verdict, about), &bytes, &anchor);
    }
    let good = by_roots(&key_set(1));
    kind.add(("longer-than-any", "too_long", "65,537 bytes"), &good, &anchor).pad_to(65_537);

    let first = kind.share("key-set-1", &good);
    let second =
        kind.share("key-set-2", &signed(2, &[2, 3], |next| next.retired = vec![key_id(1)]));
    let held = given([("account", account()), ("key_sets", json!([first]))]);
    for (name, verdict, about, bytes) in following() {
        kind.add((name, verdict, about), &bytes, &held);
    }
    let held = given([("account", account()), ("key_sets", json!([first, second]))]);
    for (name, verdict, about, bytes) in [
        ("third-by-the-root-keys-that-stay", ACCEPTED, "", signed(3, &[2, 3], |_| ())),
        ("third-by-a-retired-root-key", "bad_signature", "", signed(3, &[1, 2], |_| ())),
        ("second-again", "old_keys", "", changed(2, |_| ())),
    ] {
        kind.add((name, verdict, about), &bytes, &held);
    }
    times::after(&mut kind);

    kind
}

fn accepted() -> Vec<Case<Vec<u8>>> {
    vec![
        ("anchor", ACCEPTED, "two of three root keys", by_roots(&key_set(1))),
        ("anchor-of-a-later-epoch", ACCEPTED, "a gateway enrolled late", changed(9, |_| ())),
        ("by-all-three", ACCEPTED, "more than must", signed(1, &[1, 2, 3], |_| ())),
        ("key-of-a-later-algorithm", ACCEPTED, "passed over", {
            let mut body = payload(&by_roots(&key_set(1)));
            let at = body.windows(32).position(|window| *window == public(STRANGER - 1)).unwrap();
            assert_eq!(body[at + 32], 1);
            body[at + 32] = 9;
            seal(Typ::KeySet, &body, &[1, 2])
        }),
    ]
}

fn shapes() -> Vec<Case<Vec<u8>>> {
    let (good, body) = (by_roots(&key_set(1)), payload(&by_roots(&key_set(1))));
    let sign = |payload: &[u8]| seal(Typ::KeySet, payload, &[1, 2]);
    let overlong = [&body[..17], &[0x81, 0], &body[18..]].concat();
    let crowd = |count: u64| {
        let mut bytes = Bytes::default().raw(&body[..body.len() - 2]).v(count);
        for _ in 0..count {
            bytes = bytes.raw(&[0xee; 8]);
        }
        sign(&bytes.v(0).0)
    };

    vec![
        ("empty", "malformed", "no bytes", Vec::new()),
        ("cut-short", "malformed", "the last byte is missing", good[..good.len() - 1].to_vec()),
        ("trailing-byte", "malformed", "after the envelope", [&good[..], &[0]].concat()),
        ("payload-trailing-byte", "malformed", "signed well", sign(&[&body[..], &[0]].concat())),
        ("overlong-varint", "malformed", "epoch, signed well", sign(&overlong)),
        ("thirty-two-retired", ACCEPTED, "as many as fit", crowd(32)),
        ("thirty-three-retired", "malformed", "at most 32", crowd(33)),
        ("another-format", "unknown_format", "signed well", sign(&[&[0], &body[1..]].concat())),
        ("manifest-in-place-of-a-key-set", "other_type", "typ 1", {
            envelope(1, &body, &[signature(1, Typ::KeySet.domain(), &body)])
        }),
        ("of-another-account", "other_account", "signed well", {
            changed(1, |draft| draft.account = id(9))
        }),
    ]
}

fn signatures() -> Vec<Case<Vec<u8>>> {
    const BAD: &str = "bad_signature";
    let body = payload(&by_roots(&key_set(1)));
    let manifest_domain = ROOTS.map(|seed| signature(seed, Typ::Manifest.domain(), &body));

    vec![
        ("unsigned", BAD, "", signed(1, &[], |_| ())),
        ("one-root-key-of-two", BAD, "below the threshold", signed(1, &[1], |_| ())),
        ("one-root-key-twice", BAD, "counts once", signed(1, &[1, 1], |_| ())),
        ("a-root-key-and-others", BAD, "the roles do not fit", {
            signed(1, &[1, SNAPSHOT, STRANGER], |_| ())
        }),
        ("manifest-signatures-on-a-key-set", BAD, "the domain is another's", {
            envelope(2, &body, &manifest_domain)
        }),
        ("by-a-root-key-it-calls-stolen", BAD, "", {
            changed(1, |draft| draft.compromised = vec![key_id(1)])
        }),
        ("by-a-root-key-limited-to-a-group", BAD, "", {
            changed(1, |draft| draft.keys[0].audiences = Some(vec![audience()]))
        }),
    ]
}

fn unusable() -> Vec<Case<Vec<u8>>> {
    const UNUSABLE: &str = "keys_unusable";
    let with_key = |public: [u8; 32]| {
        changed(1, |draft| {
            draft.keys.push(KeyDraft { public: public.into(), ..KeyDraft::of(&key(STRANGER), 2) })
        })
    };
    let point = |low: &[u8], high: u8| {
        let mut point = [0xff; 32];
        point[..low.len()].copy_from_slice(low);
        point[31] = high;
        with_key(point)
    };
    let mut zero = [0; 32];
    zero[31] = 0x80;

    vec![
        ("epoch-0", "absurd", "", changed(0, |_| ())),
        (
            "expires-as-it-is-issued",
            "absurd",
            "",
            changed(1, |draft| draft.issued_at = draft.expires),
        ),
        (
            "expires-past-2106",
            "absurd",
            "",
            changed(1, |draft| draft.expires = UnixSeconds(1 << 32)),
        ),
        ("a-key-twice", UNUSABLE, "in two roles", with_key(public(1))),
        ("neutral-point-as-a-key", UNUSABLE, "of small order", {
            with_key(core::array::from_fn(|at| u8::from(at == 0)))
        }),
        ("point-of-order-4-as-a-key", UNUSABLE, "y is 0", with_key(zero)),
        (
            "no-point-as-a-key",
            UNUSABLE,
            "y is 2",
            with_key(core::array::from_fn(|at| if at == 0 { 2 } else { 0 })),
        ),
        ("neutral-point-in-a-second-spelling", UNUSABLE, "y is p + 1", point(&[0xee], 0x7f)),
        ("point-in-a-second-spelling", UNUSABLE, "y is p + 3", point(&[0xf0], 0x7f)),
        ("threshold-0", UNUSABLE, "of receipts", changed(1, |draft| draft.thresholds[3] = 0)),
        (
            "threshold-9",
            UNUSABLE,
            "more than can sign",
            changed(1, |draft| draft.thresholds[1] = 9),
        ),
        ("threshold-out-of-reach", UNUSABLE, "four of three root keys", {
            changed(1, |draft| draft.thresholds[0] = 4)
        }),
        ("root-keys-retired-below-the-threshold", UNUSABLE, "", {
            changed(1, |draft| draft.retired = vec![key_id(1), key_id(3)])
        }),
        (
            "ed25519-not-required",
            UNUSABLE,
            "of manifests",
            changed(1, |draft| draft.required[1] = 0),
        ),
    ]
}

fn following() -> Vec<Case<Vec<u8>>> {
    const BAD: &str = "bad_signature";
    let second = |seeds: &[u8]| signed(2, seeds, new_roots);

    vec![
        ("second", ACCEPTED, "by the same root keys", changed(2, |_| ())),
        ("second-with-new-root-keys", ACCEPTED, "old and new", second(&[1, 2, 11, 12])),
        ("only-the-old-root-keys", BAD, "the new must sign too", second(&[1, 2])),
        ("only-the-new-root-keys", BAD, "the old must sign too", second(&[11, 12])),
        ("one-old-root-key-and-new-ones", BAD, "", second(&[1, 11, 12, 13])),
        ("lower-threshold-by-one-root-key", BAD, "the old threshold counts too", {
            signed(2, &[1], |draft| draft.thresholds = [1; 4])
        }),
        ("stolen-root-key-left-out", ACCEPTED, "by the two others", {
            signed(2, &[2, 3], |draft| draft.compromised = vec![key_id(1)])
        }),
        ("first-again", "old_keys", "the epoch held", changed(1, |_| ())),
        ("third-before-the-second", "newer_keys", "one at a time", changed(3, |_| ())),
        ("greatest-epoch", "newer_keys", "one at a time", changed(u32::MAX, |_| ())),
        ("second-of-another-account", "other_account", "", changed(2, |next| next.account = id(9))),
    ]
}
