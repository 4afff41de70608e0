//! Receipts, checkpoints, statuses, floors and bundles.

use std::collections::BTreeMap;

use gateward_core::audit::Head;
use gateward_core::bundle::build;
use gateward_core::snapshot::chunk;
use gateward_core::time::{TimeQuality, UnixSeconds};
use gateward_core::trust::sign::{ManifestDraft, ReceiptDraft, RevokedDraft};
use gateward_core::trust::{
    Audience, Checkpoint, Floor, Incarnation, Kind as Typ, Root, SEALED_LEN, Status, Version,
};
use serde_json::{Value, json};

use crate::authority::{
    ACCOUNT, BEACON, COLLECTOR, GATEWAY, INCARNATION, SNAPSHOT, SPARE, STRANGER, T0, audience,
    by_roots, envelope, gateway, key, key_id, key_set, manifest, payload, public, seal, signature,
    signed_by,
};
use crate::snapshots::file;
use crate::vector::{ACCEPTED, Kind, given, hex};

type Given = BTreeMap<&'static str, Value>;

fn receipt() -> ReceiptDraft {
    ReceiptDraft {
        account: ACCOUNT,
        gateway: gateway(),
        incarnation: INCARNATION,
        through: 4_711,
        head: Head([0xaa; 32]),
        time: UnixSeconds(T0),
    }
}

/// Objects that every signed kind refuses alike; `seed` may sign them.
fn common(kind: &mut Kind, typ: Typ, good: &[u8], seed: u8, given: &Given) {
    let body = payload(good);
    let sign = |payload: &[u8]| seal(typ, payload, &[seed]);
    let elsewhere = if typ == Typ::Status { Typ::Checkpoint } else { Typ::Status };
    let wrong_domain = [signature(seed, elsewhere.domain(), &body)];
    let other_account = [&body[..1], &[9; 16], &body[17..]].concat();
    let other_gateway = [&body[..17], &[9; 16], &body[33..]].concat();

    for (name, verdict, about, bytes) in [
        ("empty", "malformed", "no bytes", Vec::new()),
        ("cut-short", "malformed", "", good[..good.len() - 1].to_vec()),
        ("trailing-byte", "malformed", "after the envelope", [good, &[0]].concat()),
        ("payload-cut-short", "malformed", "signed well", sign(&body[..body.len() - 1])),
        ("payload-trailing-byte", "malformed", "signed well", sign(&[&body[..], &[0]].concat())),
        ("another-format", "unknown_format", "signed well", sign(&[&[2], &body[1..]].concat())),
        ("manifest-in-its-place", "other_type", "", manifest(&file()).sign(&[&key(4)]).unwrap()),
        ("unsigned", "bad_signature", "", envelope(typ as u8, &body, &[])),
        ("signed-by-a-stranger", "bad_signature", "", seal(typ, &body, &[STRANGER])),
        (
            "signed-as-something-else",
            "bad_signature",
            "",
            envelope(typ as u8, &body, &wrong_domain),
        ),
        ("of-another-account", "other_account", "signed well", sign(&other_account)),
        ("of-another-gateway", "other_gateway", "signed well", sign(&other_gateway)),
    ] {
        kind.add((name, verdict, about), &bytes, given);
    }
    kind.add(("longer-than-any", "too_long", "65,537 bytes"), good, given).pad_to(65_537);
}

pub(crate) fn receipts() -> Kind {
    let mut kind = Kind::new("receipts", "Section 6.3. `bytes` is an envelope for this gateway.");
    let first = kind.share("key-set-1", &by_roots(&key_set(1)));
    let mut next = key_set(2);
    next.retired = vec![key_id(COLLECTOR)];
    let second = kind.share("key-set-2-retires-the-collector", &by_roots(&next));
    let held = |key_sets: &[&str]| {
        given([
            ("account", json!(hex(&ACCOUNT.0))),
            ("gateway", json!(hex(&gateway().0))),
            ("incarnation", json!(hex(&INCARNATION.0))),
            ("key_sets", json!(key_sets)),
        ])
    };
    let good = receipt().sign(&[&key(COLLECTOR)]).unwrap();
    let earlier = ReceiptDraft { incarnation: Incarnation([4; 8]), ..receipt() };

    for (name, verdict, about, bytes, key_sets) in [
        ("receipt", ACCEPTED, "", good.clone(), &[&*first][..]),
        (
            "signed-by-the-snapshot-key",
            "bad_signature",
            "the role does not fit",
            { receipt().sign(&[&key(SNAPSHOT)]).unwrap() },
            &[&first],
        ),
        ("signed-by-a-retired-collector", "bad_signature", "", good.clone(), &[&first, &second]),
        (
            "of-an-earlier-enrolment",
            "other_gateway",
            "the incarnation is another",
            { earlier.sign(&[&key(COLLECTOR)]).unwrap() },
            &[&first],
        ),
    ] {
        kind.add((name, verdict, about), &bytes, &held(key_sets));
    }
    common(&mut kind, Typ::Receipt, &good, COLLECTOR, &held(&[&first]));

    kind
}

fn of_gateway() -> Given {
    given([
        ("account", json!(hex(&ACCOUNT.0))),
        ("gateway", json!(hex(&gateway().0))),
        ("key", json!(hex(&public(GATEWAY)))),
    ])
}

pub(crate) fn checkpoints() -> Kind {
    let mut kind = Kind::new("checkpoints", "Section 6.3. `key` is the gateway's own.");
    let checkpoint = Checkpoint {
        gateway: gateway(),
        incarnation: INCARNATION,
        number: 4_711,
        head: Head([0xaa; 32]),
        time: UnixSeconds(T0),
        boot: 3,
    };
    let greatest =
        Checkpoint { number: u64::MAX, time: UnixSeconds(u64::MAX), boot: u32::MAX, ..checkpoint };
    let sign = |checkpoint: Checkpoint| {
        checkpoint.sign(ACCOUNT, &key(GATEWAY), &mut [0; SEALED_LEN]).unwrap().to_vec()
    };
    let good = sign(checkpoint);
    kind.add(("checkpoint", ACCEPTED, ""), &good, &of_gateway());
    kind.add(("greatest-numbers", ACCEPTED, ""), &sign(greatest), &of_gateway());
    common(&mut kind, Typ::Checkpoint, &good, GATEWAY, &of_gateway());

    kind
}

pub(crate) fn statuses() -> Kind {
    let mut kind = Kind::new("statuses", "Section 6.3. `key` is the gateway's own.");
    let status = Status {
        gateway: gateway(),
        incarnation: INCARNATION,
        boot: 3,
        keyset: 1,
        version: 7,
        root8: [0xbb; 8],
        revoked_counter: 2,
        floor_time: UnixSeconds(T0),
        audit_number: 4_711,
        audit_head: Head([0xaa; 32]),
        backlog: 12,
        time_quality: TimeQuality::Holdover,
        gone: false,
    };
    let sign = |status: Status| {
        status.sign(ACCOUNT, &key(GATEWAY), &mut [0; SEALED_LEN]).unwrap().to_vec()
    };
    let good = sign(status);
    let body = payload(&good);
    let ending =
        |end: [u8; 2]| seal(Typ::Status, &[&body[..body.len() - 2], &end].concat(), &[GATEWAY]);
    let will = sign(Status { gone: true, time_quality: TimeQuality::Unknown, ..status });
    let nothing = sign(Status { version: 0, root8: [0; 8], backlog: u64::MAX, ..status });

    for (name, verdict, about, bytes) in [
        ("status", ACCEPTED, "", good.clone()),
        ("will", ACCEPTED, "the gateway is gone", will),
        ("without-a-snapshot", ACCEPTED, "", nothing),
        ("unknown-time-quality", "malformed", "4, signed well", ending([4, 0])),
        ("neither-gone-nor-there", "malformed", "2, signed well", ending([1, 2])),
    ] {
        kind.add((name, verdict, about), &bytes, &of_gateway());
    }
    common(&mut kind, Typ::Status, &good, GATEWAY, &of_gateway());

    kind
}

pub(crate) fn floors() -> Kind {
    let mut kind = Kind::new("floors", "Section 7. `bytes` is the file `floor`.");
    let floor = Floor {
        keys: 2,
        version: Version { epoch: 1, number: 7 },
        root: Root([0xcc; 32]),
        issued_at: UnixSeconds(T0),
        revoked: Version { epoch: 1, number: 3 },
        list: Version { epoch: 1, number: 2 },
        newest: Version { epoch: 1, number: 8 },
        beacon: Version { epoch: 1, number: 40 },
        beacon_time: UnixSeconds(T0 + 1),
        agreed: UnixSeconds(T0 + 600),
        signed: UnixSeconds(T0 + 1),
        lived: UnixSeconds(T0 + 600),
        boots: 3,
        rooted: UnixSeconds(T0 - 600),
        held: UnixSeconds(T0 + 599),
        manifest_by: signed_by(SPARE),
        beacon_by: signed_by(BEACON),
        agreed_by: [signed_by(SNAPSHOT), signed_by(BEACON).without(&[key_id(BEACON)])],
    };
    let good = floor.encode();
    let flipped = |at: usize| {
        let mut bytes = good;
        bytes[at] ^= 1;
        bytes.to_vec()
    };

    for (name, verdict, about, bytes) in [
        ("floor", ACCEPTED, "", good.to_vec()),
        ("nothing-yet", ACCEPTED, "", Floor::default().encode().to_vec()),
        ("empty", "damaged", "", Vec::new()),
        ("cut-short", "damaged", "", good[..463].to_vec()),
        ("trailing-byte", "damaged", "", [&good[..], &[0]].concat()),
        ("another-magic", "damaged", "and so another sum", flipped(7)),
        ("lowered-by-hand", "damaged", "the sum tells", flipped(16)),
        ("sum-altered", "damaged", "", flipped(463)),
    ] {
        kind.add((name, verdict, about), &bytes, &given([]));
    }

    kind
}

fn revocations() -> RevokedDraft {
    RevokedDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: 1,
        counter: 1,
        base_version: 7,
        issued_at: UnixSeconds(T0),
        tokens: [0].into(),
        principals: [3].into(),
    }
}

pub(crate) fn bundles() -> Kind {
    let mut kind = Kind::new("bundles", "Section 6.8. `anchor` is the key set of enrolment.");
    let [first, second, third] = [1, 2, 3].map(|epoch| by_roots(&key_set(epoch)));
    let file = file();
    let envelope = |keyset: u32| {
        let draft = ManifestDraft { keyset, ..manifest(&file) };
        draft.sign(&[&key(SPARE)]).unwrap()
    };
    let list: Vec<u8> = chunk::leaves(&file, 12).flatten().collect();
    let (one, two) = (envelope(1), envelope(2));
    let bundle = |sets: &[&[u8]], manifest: &[u8], list: &[u8], file: &[u8]| {
        build::write(sets, [manifest, list, file, &[]])
    };
    let good = bundle(&[&first, &second], &two, &list, &file);
    let revoking = |seed: u8, group: &str| {
        let audience = Audience::of(ACCOUNT, group);
        let draft = RevokedDraft { audience, ..revocations() };
        let signed = draft.sign(&[&key(seed)]).unwrap();
        build::write(&[&first], [&one, &list, &file, &signed])
    };
    let long = |at: usize| [&good[..at], &[0xff; 4], &good[at + 4..]].concat();
    let mut spoilt = file.clone();
    spoilt[100] ^= 1;
    let given = given([
        ("account", json!(hex(&ACCOUNT.0))),
        ("anchor", json!(kind.share("key-set-1", &first))),
        ("audience", json!(hex(&audience().0))),
    ]);

    for (name, verdict, about, bytes) in [
        ("one-key-set", ACCEPTED, "", bundle(&[&first], &one, &list, &file)),
        ("two-key-sets", ACCEPTED, "walked from the anchor", good.clone()),
        ("no-key-set", ACCEPTED, "the anchor is enough", bundle(&[], &one, &list, &file)),
        ("with-a-revocation-list", ACCEPTED, "", revoking(SNAPSHOT, "plant-7")),
        ("revocation-list-by-a-stranger", "bad_signature", "", revoking(STRANGER, "plant-7")),
        ("revocation-list-of-another-group", "other_audience", "", revoking(SNAPSHOT, "plant-8")),
        ("empty", "not_a_bundle", "", Vec::new()),
        ("another-magic", "not_a_bundle", "", [b"GWDBNDL2", &good[8..]].concat()),
        ("cut-short", "not_a_bundle", "", good[..good.len() - 1].to_vec()),
        ("trailing-byte", "not_a_bundle", "", [&good[..], &[0]].concat()),
        ("four-gib-of-key-sets", "not_a_bundle", "the count", long(8)),
        ("key-set-of-4-gib", "not_a_bundle", "a length", long(12)),
        ("more-key-sets-than-any", "not_a_bundle", "4,097 are said", {
            [&good[..8], &4_097_u32.to_le_bytes(), &good[12..]].concat()
        }),
        ("key-sets-in-another-order", ACCEPTED, "what is held is passed over anywhere", {
            bundle(&[&second, &first], &two, &list, &file)
        }),
        ("without-the-anchor", ACCEPTED, "it is held", bundle(&[&second], &two, &list, &file)),
        ("third-key-set-before-the-second", "newer_keys", "which is not walked to", {
            bundle(&[&third, &second], &two, &list, &file)
        }),
        ("a-key-set-missing", "newer_keys", "", bundle(&[&first], &two, &list, &file)),
        ("manifest-of-the-first-epoch", "old_keys", "", {
            bundle(&[&first, &second], &one, &list, &file)
        }),
        ("list-of-another-file", "bad_hash_list", "", bundle(&[&first], &one, &[0; 32], &file)),
        ("file-with-one-bit-flipped", "bad_root", "", bundle(&[&first], &one, &list, &spoilt)),
        ("file-cut-short", "bad_length", "", bundle(&[&first], &one, &list, &file[..400])),
    ] {
        kind.add((name, verdict, about), &bytes, &given);
    }

    kind
}
