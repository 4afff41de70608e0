//! Beacons and revocation lists.

use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::sign::{BeaconDraft, RevokedDraft};
use gateward_core::trust::{Audience, Floor, Kind as Typ, Root, Version};
use serde_json::json;

use crate::authority::{
    ACCOUNT, BEACON, Bytes, DAY, LIMITED, SNAPSHOT, STRANGER, T0, audience, by_roots, envelope,
    key, key_id, key_set, manifest, payload, seal, signature,
};
use crate::manifests::held::{Given, by, with_floor};
use crate::snapshots::{file, id};
use crate::vector::{ACCEPTED, Kind};

fn beacon() -> BeaconDraft {
    BeaconDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: 1,
        number: 40,
        time: UnixSeconds(T0 + 60),
        version: 7,
        revoked_counter: 2,
    }
}

fn list() -> RevokedDraft {
    RevokedDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: 1,
        counter: 2,
        base_version: 6,
        issued_at: UnixSeconds(T0),
        tokens: [5, 0x0123_4567_89ab_cdef, u64::MAX].into(),
        principals: [7, u32::MAX].into(),
    }
}

/// What is refused of everything that is signed for a group.
fn common(kind: &mut Kind, typ: Typ, good: &[u8], seed: u8, given: &Given) {
    let body = payload(good);
    let sign = |payload: &[u8]| seal(typ, payload, &[seed]);
    let of_account = |account: Uuid| sign(&[&body[..1], &account.0, &body[17..]].concat());
    let of_group = |group: Audience| sign(&[&body[..17], &group.0, &body[33..]].concat());
    let of_epoch = |epoch: u8| sign(&[&body[..33], &[epoch], &body[34..]].concat());
    let mut flipped = sign(&body);
    *flipped.last_mut().unwrap() ^= 1;
    let as_manifest = [signature(seed, Typ::Manifest.domain(), &body)];

    for (name, verdict, about, bytes) in [
        ("empty", "malformed", "no bytes", Vec::new()),
        ("cut-short", "malformed", "", good[..good.len() - 1].to_vec()),
        ("trailing-byte", "malformed", "after the envelope", [good, &[0]].concat()),
        ("payload-trailing-byte", "malformed", "signed well", sign(&[&body[..], &[0]].concat())),
        ("overlong-varint", "malformed", "keyset, signed well", {
            sign(&[&body[..33], &[0x81, 0], &body[34..]].concat())
        }),
        ("another-format", "unknown_format", "signed well", sign(&[&[0], &body[1..]].concat())),
        ("manifest-in-its-place", "other_type", "", {
            manifest(&file()).sign(&[&key(SNAPSHOT)]).unwrap()
        }),
        ("of-another-account", "other_account", "signed well", of_account(id(9))),
        ("of-another-group", "other_audience", "signed well", {
            of_group(Audience::of(ACCOUNT, "plant-8"))
        }),
        ("of-epoch-0", "old_keys", "signed well", of_epoch(0)),
        ("of-the-next-epoch", "newer_keys", "signed well", of_epoch(2)),
        ("unsigned", "bad_signature", "", envelope(typ as u8, &body, &[])),
        ("signed-by-a-stranger", "bad_signature", "", seal(typ, &body, &[STRANGER])),
        ("signed-by-a-root-key", "bad_signature", "the role does not fit", seal(typ, &body, &[1])),
        ("one-bit-flipped", "bad_signature", "in the signature", flipped),
        ("manifest-signature-on-it", "bad_signature", "the domain is another's", {
            envelope(typ as u8, &body, &as_manifest)
        }),
    ] {
        kind.add((name, verdict, about), &bytes, given);
    }
    kind.add(("longer-than-any", "too_long", "65,537 bytes"), good, given).pad_to(65_537);
}

pub(crate) fn beacons() -> Kind {
    let about =
        "Section 6.4. `bytes` is an envelope; with `floor`, it may also have to follow that.";
    let mut kind = Kind::new("beacons", about);
    let first = kind.share("key-set-1", &by_roots(&key_set(1)));
    let given = by(&[&first]);
    let good = beacon().sign(&[&key(BEACON)]).unwrap();
    kind.add(("beacon", ACCEPTED, ""), &good, &given);
    let last = BeaconDraft { time: UnixSeconds(T0 + 365 * DAY), ..beacon() };
    let last = last.sign(&[&key(BEACON)]).unwrap();
    kind.add(("when-its-keys-had-expired", "keys_expired", ""), &last, &given);
    let by_snapshot_key = beacon().sign(&[&key(SNAPSHOT)]).unwrap();
    let about = "it may not lift the time";
    kind.add(("signed-by-the-snapshot-key", "bad_signature", about), &by_snapshot_key, &given);
    common(&mut kind, Typ::Beacon, &good, BEACON, &given);
    let mut next = key_set(2);
    next.retired = vec![key_id(BEACON)];
    let second = kind.share("key-set-2-retires-the-beacon-key", &by_roots(&next));
    let under = BeaconDraft { keyset: 2, ..beacon() }.sign(&[&key(BEACON)]).unwrap();
    let both = by(&[&first, &second]);
    kind.add(("beacon-signed-by-a-retired-key", "bad_signature", ""), &under, &both);
    lifts(&mut kind, &good, &given);

    kind
}

/// How far a beacon lifts what is known of the time.
fn lifts(kind: &mut Kind, good: &[u8], given: &Given) {
    let floor = |issued_at: u64, agreed: u64| Floor {
        keys: 1,
        version: Version { epoch: 1, number: 7 },
        root: Root([0xcc; 32]),
        issued_at: UnixSeconds(issued_at),
        beacon: Version { epoch: 1, number: 39 },
        beacon_time: UnixSeconds(agreed),
        signed: UnixSeconds(issued_at),
        lived: UnixSeconds(issued_at),
        agreed: UnixSeconds(agreed),
        ..Floor::default()
    };
    let usual = floor(T0, T0 - 60);
    let with = |number: u64, time: u64| Floor {
        beacon: Version { epoch: 1, number },
        beacon_time: UnixSeconds(time),
        ..usual
    };
    let other_epoch = Floor { version: Version { epoch: 0, number: 7 }, ..floor(T0, T0 - DAY) };
    let at = T0 + 100;

    for (name, verdict, about, floor, now, quality) in [
        ("next-one", ACCEPTED, "with the manifest, as far as both say", usual, at, "floor"),
        ("first-one", ACCEPTED, "nothing else is known", Floor::default(), 0, "unknown"),
        (
            "alone-an-hour",
            ACCEPTED,
            "beyond what is agreed",
            floor(T0 - DAY, T0 - DAY),
            at,
            "floor",
        ),
        ("manifest-of-another-epoch", ACCEPTED, "does not count", other_epoch, at, "floor"),
        ("lifts-nothing", ACCEPTED, "time has passed", floor(T0, T0 + DAY), T0 + DAY, "floor"),
        ("the-same-again", ACCEPTED, "no news", with(40, T0 + 60), at, "synced"),
        ("another-time-of-one-number", "fork", "", with(40, T0 + 61), at, "synced"),
        ("an-older-number", "rollback", "", with(41, T0 + 60), at, "synced"),
        ("ten-minutes-ahead", ACCEPTED, "of a synchronised clock", usual, T0 - 540, "synced"),
        ("further-ahead", "issued_ahead", "of a synchronised clock", usual, T0 - 541, "synced"),
        ("further-ahead-of-a-mere-clock", ACCEPTED, "", usual, T0 - DAY, "holdover"),
        ("its-keys-have-expired-since", "keys_expired", "", usual, T0 + 365 * DAY, "floor"),
        ("floor-of-the-next-keys", "old_keys", "", Floor { keys: 2, ..usual }, at, "synced"),
    ] {
        let given = with_floor(given.clone(), &floor, now, quality);
        kind.add((name, verdict, about), good, &given);
    }
}

pub(crate) fn revocation_lists() -> Kind {
    let about = "Section 6.5. `bytes` is an envelope, after `lists`, beside a snapshot of `version`; \
                 `denied` is what counts then.";
    let mut kind = Kind::new("revocation-lists", about);
    let first = kind.share("key-set-1", &by_roots(&key_set(1)));
    let given = by(&[&first]);
    let sign = |draft: RevokedDraft| draft.sign(&[&key(SNAPSHOT)]).unwrap();
    let good = sign(list());
    let nobody = RevokedDraft { tokens: [].into(), principals: [].into(), ..list() };
    let many =
        RevokedDraft { tokens: (0..4_000).collect(), principals: (0..96).collect(), ..list() };
    let limited = list().sign(&[&key(LIMITED)]).unwrap();
    let late = RevokedDraft { issued_at: UnixSeconds(1 << 32), ..list() };
    let unordered = tail(&[&[5, 4], &[]]);

    for (name, verdict, about, bytes) in [
        ("list", ACCEPTED, "", good.clone()),
        ("nobody", ACCEPTED, "all were dropped", sign(nobody)),
        ("as-many-as-fit", ACCEPTED, "4,096 in both lists", sign(many)),
        ("signed-by-the-beacon-key", "bad_signature", "", list().sign(&[&key(BEACON)]).unwrap()),
        ("signed-by-a-key-of-another-group", "bad_signature", "limited to plant-8", limited),
        ("issued-past-2106", "absurd", "", sign(late)),
        ("tokens-out-of-order", "malformed", "signed well", unordered),
        ("a-token-twice", "malformed", "signed well", tail(&[&[5, 5], &[]])),
        ("principals-out-of-order", "malformed", "signed well", tail(&[&[], &[5, 4]])),
        ("principal-past-32-bits", "malformed", "signed well", tail(&[&[], &[1 << 32]])),
        ("one-too-many", "malformed", "4,097 in both lists", {
            tail(&[&(0..4_096).collect::<Vec<_>>(), &[1]])
        }),
    ] {
        kind.add((name, verdict, about), &bytes, &given);
    }
    common(&mut kind, Typ::Revoked, &good, SNAPSHOT, &given);
    follow(&mut kind, &given);

    kind
}

/// A list with these entries as they are, signed well.
fn tail(lists: &[&[u64]; 2]) -> Vec<u8> {
    let empty = RevokedDraft { tokens: [].into(), principals: [].into(), ..list() };
    let body = payload(&empty.sign(&[&key(SNAPSHOT)]).unwrap());
    let mut bytes = Bytes::default().raw(&body[..body.len() - 2]);
    for list in lists {
        bytes = bytes.v(u64::try_from(list.len()).unwrap());
        bytes = list.iter().fold(bytes, |bytes, entry| bytes.v(*entry));
    }

    seal(Typ::Revoked, &bytes.0, &[SNAPSHOT])
}

/// Lists one after the other, beside snapshots older and newer than what they build on.
fn follow(kind: &mut Kind, given: &Given) {
    let draft = |counter: u64, base_version: u64, tokens: &[u64], principals: &[u32]| {
        let (tokens, principals) =
            (tokens.iter().copied().collect(), principals.iter().copied().collect());
        let all = RevokedDraft { counter, base_version, tokens, principals, ..list() };
        all.sign(&[&key(SNAPSHOT)]).unwrap()
    };
    let one = draft(1, 6, &[10, 11], &[1]);
    let two = draft(2, 6, &[10, 11, 12], &[1, 2]);
    let compacted = draft(3, 8, &[12], &[]);
    let four = draft(4, 8, &[12, 13], &[]);
    let floor = Floor { keys: 1, ..Floor::default() };
    let next_keys = Floor { keys: 2, ..floor };
    let held_two = Floor { list: Version { epoch: 1, number: 2 }, ..floor };

    for (name, verdict, about, lists, bytes, version, floor) in [
        ("first-list", ACCEPTED, "", vec![], &one, 6, floor),
        ("cumulative-list", ACCEPTED, "", vec![&one], &two, 7, floor),
        (
            "compacted-list-before-its-snapshot",
            ACCEPTED,
            "the snapshot that denies what it leaves out is not here yet: every entry stays",
            vec![&one, &two],
            &compacted,
            7,
            floor,
        ),
        ("compacted-list-after-its-snapshot", ACCEPTED, "", vec![&one, &two], &compacted, 8, floor),
        (
            "compacted-twice",
            ACCEPTED,
            "nothing is forgotten",
            vec![&two, &compacted],
            &four,
            7,
            floor,
        ),
        ("the-same-list-again", ACCEPTED, "no news", vec![&one, &two], &two, 7, floor),
        ("an-older-list", "rollback", "", vec![&one, &two], &one, 7, floor),
        ("an-older-list-than-was-lost", "rollback", "it undoes nothing", vec![], &one, 7, held_two),
        ("the-list-that-was-lost", ACCEPTED, "it is back", vec![], &two, 7, held_two),
        ("list-after-the-next-keys", "old_keys", "", vec![&one], &two, 7, next_keys),
    ] {
        let mut given = given.clone();
        given.insert("floor", json!(crate::vector::hex(&floor.encode())));
        given.insert("lists", lists.into_iter().map(|list| crate::vector::hex(list)).collect());
        given.insert("version", json!(version));
        kind.add((name, verdict, about), bytes, &given);
    }
}
