//! What a key set that follows does to what is known of the time.

use gateward_core::trust::{Floor, Root, Signers, Version};

use super::*;
use crate::authority::{BEACON, COLLECTOR, DAY, SPARE, T0, signed_by};

/// Root keys vouch for the day before, a manifest and a beacon for ten minutes before, the manifest
/// in force for a minute before, and one key alone for the rest.
fn floor(manifest_by: Signers, agreed_by: [Signers; 2]) -> Floor {
    Floor {
        keys: 1,
        version: Version { epoch: 1, number: 7 },
        root: Root([0xcc; 32]),
        issued_at: UnixSeconds(T0 - 120),
        held: UnixSeconds(T0 - 60),
        manifest_by,
        beacon: Version { epoch: 1, number: 39 },
        beacon_time: UnixSeconds(T0 + DAY),
        beacon_by: signed_by(BEACON),
        signed: UnixSeconds(T0 - 5),
        lived: UnixSeconds(T0),
        agreed: UnixSeconds(T0 - 600),
        agreed_by,
        rooted: UnixSeconds(T0 - DAY),
        ..Floor::default()
    }
}

pub(super) fn after(kind: &mut Kind) {
    let stolen = |seeds: &[u8]| changed(2, |next| next.compromised = ids(seeds));
    let usual = floor(signed_by(SNAPSHOT), [SNAPSHOT, BEACON].map(signed_by));
    let newer = Floor { manifest_by: signed_by(SPARE), ..usual };
    let fresh = changed(2, |next| next.issued_at = UnixSeconds(T0 + 9));
    let found = |seed: u8| signed_by(seed).without(&ids(&[seed]));
    let second_found = floor(signed_by(SPARE), [signed_by(SNAPSHOT), found(BEACON)]);
    let first_found = floor(signed_by(SPARE), [found(SNAPSHOT), signed_by(BEACON)]);
    let two = Signers::of(1, &[SNAPSHOT, SPARE].map(|seed| (Algorithm::Ed25519, key_id(seed))));
    let by_two = floor(two, [two, signed_by(BEACON)]);
    let anchor = ["@key-set-1"].as_slice();

    for (name, about, bytes, floor, sets) in [
        ("lifts-time", "none was stolen", fresh, usual, anchor),
        ("older-than-what-is-known", "nothing sinks", changed(2, |_| ()), usual, anchor),
        ("collector-key-stolen", "it tells no time", stolen(&[COLLECTOR]), usual, anchor),
        ("beacon-key-stolen", "the manifest in force is good", stolen(&[BEACON]), usual, anchor),
        ("snapshot-key-stolen", "it is not, the pair is", stolen(&[SNAPSHOT]), usual, anchor),
        ("both-stolen", "root keys alone are left", stolen(&[SNAPSHOT, BEACON]), usual, anchor),
        (
            "both-stolen-but-not-of-the-manifest-in-force",
            "",
            stolen(&[SNAPSHOT, BEACON]),
            newer,
            anchor,
        ),
        ("second-thief", "the first was found before", stolen(&[SNAPSHOT]), second_found, anchor),
        ("another-key-than-the-second", "the pair stays", stolen(&[SPARE]), second_found, anchor),
        ("one-of-two-signers", "one was enough", stolen(&[SNAPSHOT, BEACON]), by_two, anchor),
        ("found-before-and-no-other", "nothing new", again(), first_found, &["@key-set-2-stolen"]),
        ("stolen-after-it-was-retired", "the pair too", late(), usual, &["@key-set-2-retires"]),
    ] {
        let sets: Vec<_> = [anchor, sets].concat();
        let sets = if sets[1] == sets[0] { &sets[1..] } else { &sets[..] };
        let keys = u32::try_from(sets.len()).unwrap();
        let given = given([
            ("account", json!(hex(&ACCOUNT.0))),
            ("floor", json!(hex(&Floor { keys, ..floor }.encode()))),
            ("key_sets", json!(sets)),
        ]);
        kind.add((name, ACCEPTED, about), &bytes, &given);
    }
    kind.share("key-set-2-stolen", &stolen(&[SNAPSHOT]));
    kind.share("key-set-2-retires", &retires());
}

fn ids(seeds: &[u8]) -> Vec<gateward_core::trust::KeyId> {
    seeds.iter().map(|seed| key_id(*seed)).collect()
}

fn without(draft: &mut KeySetDraft, seeds: &[u8]) {
    draft.keys.retain(|key| seeds.iter().all(|seed| key.public != public(*seed)));
}

fn retires() -> Vec<u8> {
    changed(2, |next| {
        without(next, &[SNAPSHOT, BEACON]);
        next.retired = ids(&[SNAPSHOT, BEACON]);
    })
}

fn late() -> Vec<u8> {
    changed(3, |next| {
        without(next, &[SNAPSHOT, BEACON]);
        next.compromised = ids(&[SNAPSHOT, BEACON]);
    })
}

fn again() -> Vec<u8> {
    changed(3, |next| next.compromised = ids(&[SNAPSHOT]))
}
