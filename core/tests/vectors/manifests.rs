//! Manifests: which snapshot is in force.

pub(crate) mod held;

use gateward_core::time::UnixSeconds;
use gateward_core::trust::sign::{KeySetDraft, ManifestDraft};
use gateward_core::trust::{Audience, DeltaRef, Floor, Kind as Typ, Root, Version};
use serde_json::{Value, json};

use crate::authority::{
    ACCOUNT, BEACON, Bytes, COLLECTOR, DAY, LIMITED, SNAPSHOT, SPARE, STRANGER, Signature, T0,
    audience, by_roots, envelope, key, key_id, key_set, manifest, of_small_order, payload, seal,
    signature,
};
use crate::snapshots::{file, id};
use crate::tokens::Case;
use crate::vector::{ACCEPTED, Kind, given, hex};

/// The order of the group: added to S, it gives another spelling of a signature.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

fn draft() -> ManifestDraft {
    manifest(&file())
}

fn changed(change: impl FnOnce(&mut ManifestDraft)) -> Vec<u8> {
    let mut draft = draft();
    change(&mut draft);
    draft.sign(&[&key(SNAPSHOT)]).unwrap()
}

fn good() -> Vec<u8> {
    changed(|_| ())
}

fn delta(from: u64) -> DeltaRef {
    DeltaRef { from, len: 300, sha256: [0xd7; 32] }
}

pub(crate) fn kind() -> Kind {
    let about =
        "Section 6.1. `bytes` is an envelope; with `floor`, it may also have to follow that.";
    let mut kind = Kind::new("manifests", about);
    let first = kind.share("key-set-1", &by_roots(&key_set(1)));
    let given = held::by(&[&first]);
    let all = accepted().into_iter().chain(shapes()).chain(signatures()).chain(numbers());
    for (name, verdict, about, bytes) in all {
        kind.add((name, verdict, about), &bytes, &given);
    }
    kind.add(("longer-than-any", "too_long", "65,537 bytes"), &good(), &given).pad_to(65_537);
    held::other_keys(&mut kind, &first);
    held::floors(&mut kind, &first);

    kind
}

fn accepted() -> Vec<Case<Vec<u8>>> {
    let two = draft().sign(&[&key(STRANGER), &key(SNAPSHOT)]).unwrap();

    vec![
        ("manifest", ACCEPTED, "of the file in snapshots.json", good()),
        ("beside-an-unknown-signature", ACCEPTED, "which does not count", two),
        ("by-the-other-snapshot-key", ACCEPTED, "one of two suffices", {
            draft().sign(&[&key(SPARE)]).unwrap()
        }),
        ("with-deltas", ACCEPTED, "as many as fit", {
            changed(|draft| draft.deltas = (3..7).map(delta).collect())
        }),
        ("greatest-numbers", ACCEPTED, "all that may be as great as they are", {
            changed(|draft| {
                (draft.version, draft.revoked_counter) = (u64::MAX, u64::MAX);
                (draft.stale_after, draft.expires_after) = (7_776_000, 7_776_000);
                (draft.file_len, draft.chunk_log2) = (268_435_456, 20);
                (draft.allow_observe, draft.allow_drop) = (true, true);
            })
        }),
        ("unknown-permissions", ACCEPTED, "which grant nothing", {
            let bare = payload(&changed(|draft| draft.deltas.clear()));
            // Behind them stands the number of deltas.
            let allow = bare.len() - 2;
            seal(
                Typ::Manifest,
                &[&bare[..allow], &[0b1111_1100], &bare[allow + 1..]].concat(),
                &[SNAPSHOT],
            )
        }),
        (
            "stale-from-the-start",
            ACCEPTED,
            "stale_after is 0",
            changed(|draft| draft.stale_after = 0),
        ),
    ]
}

fn shapes() -> Vec<Case<Vec<u8>>> {
    let (good, body) = (good(), payload(&good()));
    let sign = |payload: &[u8]| seal(Typ::Manifest, payload, &[SNAPSHOT]);
    let overlong_payload = [&body[..33], &[body[33] | 0x80, 0], &body[34..]].concat();
    let overlong = {
        let mut bytes = good.clone();
        bytes[2] |= 0x80;
        bytes.insert(3, 0);
        bytes
    };
    let five = body.len() - 1;
    let mut five = Bytes::default().raw(&body[..five]).v(5);
    for from in 1..6 {
        five = five.v(from).v(300).raw(&[0xd7; 32]);
    }
    let nine = |_| signature(SNAPSHOT, Typ::Manifest.domain(), &body);

    vec![
        ("empty", "malformed", "no bytes", Vec::new()),
        ("cut-short", "malformed", "the last byte is missing", good[..good.len() - 1].to_vec()),
        ("trailing-byte", "malformed", "after the envelope", [&good[..], &[0]].concat()),
        ("overlong-varint", "malformed", "the length of the payload", overlong),
        ("nine-signatures", "malformed", "at most 8", envelope(1, &body, &[(); 9].map(nine))),
        ("length-of-4-gib", "malformed", "of the payload", {
            Bytes::default().u8(1).v(0xffff_ffff).raw(&good[3..]).0
        }),
        ("empty-payload", "malformed", "signed well", sign(&[])),
        ("payload-cut-short", "malformed", "signed well", sign(&body[..body.len() - 1])),
        ("payload-trailing-byte", "malformed", "signed well", sign(&[&body[..], &[0]].concat())),
        ("payload-overlong-varint", "malformed", "keyset, signed well", sign(&overlong_payload)),
        ("five-deltas", "malformed", "signed well", sign(&five.0)),
        (
            "another-format",
            "unknown_format",
            "fmt 2, signed well",
            sign(&[&[2], &body[1..]].concat()),
        ),
        ("beacon-in-place-of-a-manifest", "other_type", "typ 3", {
            envelope(3, &body, &[signature(BEACON, Typ::Beacon.domain(), &body)])
        }),
        ("key-set-in-place-of-a-manifest", "other_type", "a good key set", by_roots(&key_set(1))),
        ("unknown-type", "other_type", "typ 8", [&[8], &good[1..]].concat()),
    ]
}

fn signatures() -> Vec<Case<Vec<u8>>> {
    const BAD: &str = "bad_signature";
    let body = payload(&good());
    let by = |seed: u8| draft().sign(&[&key(seed)]).unwrap();
    let own = || signature(SNAPSHOT, Typ::Manifest.domain(), &body);
    let with = |change: fn(&mut Signature)| {
        let mut one = own();
        change(&mut one);
        envelope(1, &body, &[one])
    };
    let mut raised = body.clone();
    raised[34] += 1;
    let beacons = signature(SNAPSHOT, Typ::Beacon.domain(), &body);

    vec![
        ("unsigned", BAD, "no signature", envelope(1, &body, &[])),
        ("signed-by-a-stranger", BAD, "a key of no set", by(STRANGER)),
        ("signed-by-a-root-key", BAD, "the role does not fit", by(1)),
        ("signed-by-the-beacon-key", BAD, "the role does not fit", by(BEACON)),
        ("signed-by-the-collector-key", BAD, "the role does not fit", by(COLLECTOR)),
        ("signed-by-a-key-of-another-group", BAD, "limited to plant-8", by(LIMITED)),
        ("beacon-signature-on-a-manifest", BAD, "the domain is another's", {
            envelope(1, &body, &[beacons])
        }),
        ("raised-version", BAD, "the payload was altered", envelope(1, &raised, &[own()])),
        ("one-bit-flipped", BAD, "in the signature", with(|one| one.bytes[10] ^= 1)),
        ("signature-cut-short", BAD, "63 bytes", with(|one| one.bytes.truncate(63))),
        ("signature-too-long", BAD, "65 bytes", with(|one| one.bytes.push(0))),
        ("scalar-not-reduced", BAD, "S and the order of the group", with(unreduced)),
        (
            "r-of-small-order",
            BAD,
            "R is the neutral point, and the equation holds",
            envelope(1, &body, &[of_small_order(SNAPSHOT, Typ::Manifest.domain(), &body)]),
        ),
        ("under-another-key-id", BAD, "the id decides which key", {
            with(|one| one.key = key_id(SPARE).0)
        }),
        ("under-another-algorithm", BAD, "alg 2 with an Ed25519 signature", {
            with(|one| one.algorithm = 2)
        }),
        ("under-no-algorithm", BAD, "alg 0", with(|one| one.algorithm = 0)),
    ]
}

fn unreduced(signature: &mut Signature) {
    let mut carry = 0_u16;
    for (byte, more) in signature.bytes[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
}

fn numbers() -> Vec<Case<Vec<u8>>> {
    const ABSURD: &str = "absurd";
    let at = |seconds: u64| changed(|draft| draft.issued_at = UnixSeconds(seconds));

    vec![
        (
            "of-another-account",
            "other_account",
            "signed well",
            changed(|draft| draft.account = id(9)),
        ),
        ("of-another-group", "other_audience", "signed well", {
            changed(|draft| draft.audience = Audience::of(ACCOUNT, "plant-8"))
        }),
        ("of-epoch-0", "old_keys", "before the key set held", changed(|draft| draft.keyset = 0)),
        ("of-the-next-epoch", "newer_keys", "its key set is not held", {
            changed(|draft| draft.keyset = 2)
        }),
        ("issued-past-2106", ABSURD, "2^32", at(1 << 32)),
        ("issued-at-the-end-of-numbers", ABSURD, "2^64 - 1", at(u64::MAX)),
        ("never-valid", ABSURD, "expires_after is 0", {
            changed(|draft| (draft.stale_after, draft.expires_after) = (0, 0))
        }),
        ("valid-past-90-days", ABSURD, "expires_after", {
            changed(|draft| draft.expires_after = 7_776_001)
        }),
        (
            "stale-after-it-expires",
            ABSURD,
            "stale_after",
            changed(|draft| draft.stale_after = 604_801),
        ),
        ("file-of-79-bytes", ABSURD, "shorter than a head", changed(|draft| draft.file_len = 79)),
        ("file-past-256-mib", ABSURD, "longer than any", {
            changed(|draft| draft.file_len = 268_435_457)
        }),
        ("chunks-of-2-kib", ABSURD, "chunk_log2 11", changed(|draft| draft.chunk_log2 = 11)),
        ("chunks-of-2-mib", ABSURD, "chunk_log2 21", changed(|draft| draft.chunk_log2 = 21)),
        (
            "issued-when-its-keys-had-expired",
            "keys_expired",
            "the key set's end",
            at(T0 + 365 * DAY),
        ),
    ]
}
