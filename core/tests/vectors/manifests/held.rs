//! Manifests judged by what the gateway holds already: later key sets, and a floor.

use std::collections::BTreeMap;

use super::*;

pub(crate) type Given = BTreeMap<&'static str, Value>;

/// What a gateway of `plant-7` holds that has walked these key sets.
pub(crate) fn by(key_sets: &[&str]) -> Given {
    given([
        ("account", json!(hex(&ACCOUNT.0))),
        ("audience", json!(hex(&audience().0))),
        ("key_sets", json!(key_sets)),
    ])
}

/// Adds a floor, and the time: all that is known of it says the same.
pub(crate) fn with_floor(mut given: Given, floor: &Floor, now: u64, quality: &str) -> Given {
    given.insert("backed", json!(now));
    given.insert("floor", json!(hex(&floor.encode())));
    given.insert("now", json!(now));
    given.insert("time_quality", json!(quality));

    given
}

fn second_set(change: impl FnOnce(&mut KeySetDraft)) -> Vec<u8> {
    let mut next = key_set(2);
    change(&mut next);

    by_roots(&next)
}

/// Manifests under a second key set, which calls keys retired or compromised, or asks for more.
pub(super) fn other_keys(kind: &mut Kind, first: &str) {
    let under = |seeds: &[u8]| {
        let keys: Vec<_> = seeds.iter().copied().map(key).collect();
        let draft = ManifestDraft { keyset: 2, ..draft() };
        draft.sign(&keys.iter().collect::<Vec<_>>()).unwrap()
    };
    let retired = kind.share(
        "key-set-2-retires-a-key",
        &second_set(|next| next.retired = vec![key_id(SNAPSHOT)]),
    );
    let stolen = kind.share(
        "key-set-2-after-a-theft",
        &second_set(|next| next.compromised = vec![key_id(SNAPSHOT)]),
    );
    let hybrid = kind.share(
        "key-set-2-asks-for-a-later-algorithm",
        &second_set(|next| next.required[1] = 1 | 1 << 7),
    );
    let two = kind.share("key-set-2-two-sign", &second_set(|next| next.thresholds[1] = 2));
    for (name, verdict, about, bytes, second) in [
        ("of-the-second-epoch", ACCEPTED, "by the key that stays", under(&[SPARE]), &retired),
        ("manifest-signed-by-a-retired-key", "bad_signature", "", under(&[SNAPSHOT]), &retired),
        ("manifest-signed-by-a-stolen-key", "bad_signature", "", under(&[SNAPSHOT]), &stolen),
        ("of-the-first-epoch-after-the-second", "old_keys", "signed well", good(), &stolen),
        ("later-algorithm-required", "algorithm_missing", "bit 7", under(&[SPARE]), &hybrid),
        ("two-of-two", ACCEPTED, "", under(&[SPARE, SNAPSHOT]), &two),
        ("one-of-two", "bad_signature", "", under(&[SNAPSHOT]), &two),
        ("one-key-twice", "bad_signature", "counts once", under(&[SNAPSHOT, SNAPSHOT]), &two),
    ] {
        kind.add((name, verdict, about), &bytes, &by(&[first, second]));
    }
}

/// What a gateway says that has accepted something before.
pub(super) fn floors(kind: &mut Kind, first: &str) {
    let root = |n: u8| Root([n; 32]);
    let own = draft().root;
    let floor = |number: u64, root: Root, issued_at: u64| Floor {
        keys: 1,
        version: Version { epoch: 1, number },
        root,
        issued_at: UnixSeconds(issued_at),
        signed: UnixSeconds(issued_at),
        lived: UnixSeconds(issued_at),
        ..Floor::default()
    };
    let nothing = Floor { keys: 1, ..Floor::default() };
    let next_keys = Floor { keys: 2, ..nothing };
    let older_epoch = Floor { version: Version { epoch: 0, number: u64::MAX }, ..nothing };
    let confirmed = Floor { beacon_time: UnixSeconds(T0 + 60), ..nothing };
    let year = T0 + 366 * DAY;
    let late = changed(|draft| {
        (draft.issued_at, draft.expires_after) = (UnixSeconds(year - 2 * DAY), 7 * 86_400);
    });
    let at = T0 + 100;

    for (name, verdict, about, bytes, floor, now, quality) in [
        ("the-first-one", ACCEPTED, "", good(), nothing, at, "synced"),
        ("a-newer-one", ACCEPTED, "", good(), floor(6, root(1), T0 - 9), at, "synced"),
        ("the-same-again", ACCEPTED, "no news", good(), floor(7, own, T0), at, "synced"),
        ("the-same-again-expired", ACCEPTED, "no news", good(), floor(7, own, T0), year, "floor"),
        (
            "signed-again-later",
            ACCEPTED,
            "valid longer",
            good(),
            floor(7, own, T0 - 9),
            at,
            "synced",
        ),
        ("epochs-count-first", ACCEPTED, "", good(), older_epoch, at, "synced"),
        ("an-older-version", "rollback", "", good(), floor(8, root(1), T0 - 9), at, "synced"),
        ("an-older-issue", "rollback", "of it", good(), floor(7, own, T0 + 9), at, "synced"),
        ("another-root", "fork", "of one version", good(), floor(7, root(1), T0), at, "synced"),
        ("floor-of-the-next-keys", "old_keys", "", good(), next_keys, at, "synced"),
        ("expired", "expired", "", good(), nothing, T0 + 604_800, "synced"),
        ("last-second", ACCEPTED, "", good(), nothing, T0 + 604_799, "synced"),
        ("its-keys-have-expired-since", "keys_expired", "", late, nothing, year - DAY, "synced"),
        ("ten-minutes-ahead", ACCEPTED, "", good(), nothing, T0 - 600, "synced"),
        ("further-ahead", "issued_ahead", "", good(), nothing, T0 - 601, "synced"),
        ("ten-minutes-ahead-of-no-clock", ACCEPTED, "", good(), nothing, T0 - 600, "floor"),
        ("further-ahead-of-no-clock", "unconfirmed", "", good(), nothing, T0 - 601, "floor"),
        ("further-ahead-of-a-mere-clock", "unconfirmed", "", good(), nothing, T0 - 601, "holdover"),
        ("confirmed-by-a-beacon", ACCEPTED, "", good(), confirmed, T0 - 9_999, "unknown"),
    ] {
        let given = with_floor(by(&[first]), &floor, now, quality);
        kind.add((name, verdict, about), &bytes, &given);
    }
}
