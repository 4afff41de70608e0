//! Seeds for the C interface: programs that call it as they should, and some that do not.

use super::Named;
use crate::shim::script;

/// A choice that takes the second of two storages.
const SECOND: u8 = 120;
/// No pointer, one that is not aligned, and memory that nobody filled, for storage.
const BAD: [u8; 3] = [220, 229, 255];

pub(super) fn shim() -> Named {
    let mut seeds = good();
    seeds.extend(named());
    seeds.push(("bad-pointers", bad()));
    seeds.push((
        "not-begun",
        script(false, &[("gateward_check", &[]), ("gateward_keys_epoch", &[])]),
    ));

    seeds
}

fn good() -> Named {
    let second = ("gateward_manifest_verify", &[0, 0, 0, 1, SECOND][..]);
    let open = ("gateward_snapshot_open", &[0, SECOND, 0, 0, 0, 0, 1, SECOND][..]);
    let commit = ("gateward_snapshot_commit", &[0, SECOND, 0][..]);
    let delta = ("gateward_delta_apply", &[0, 0, 0, SECOND, 0, 0, 0, 0][..]);
    let take = |list| [0, 0, 0, 0, 0, list, 0, 0, 0];
    let (first, compacted) = (take(0), take(1));
    let check = ("gateward_check", &[][..]);
    let follow = ("gateward_snapshot_follow", &[0, 0, 0, 0][..]);
    let beacon = ("gateward_beacon_take", &[0, 0, 0, 0, 0, 1][..]);
    let later = ("gateward_manifest_verify", &[0, 0, 0, 2, SECOND][..]);
    let refresh = ("gateward_snapshot_refresh", &[0, 0, SECOND, 0, 0, 0, 100][..]);
    let chunk = ("gateward_chunk_write", &[0, 0, 0, 0, 0][..]);
    let room = ("gateward_delta_room", &[0, 0][..]);

    vec![
        ("delta", script(true, &[second, room, delta, open, commit, check])),
        (
            "revoked",
            script(
                true,
                &[("gateward_revoked_take", &first), ("gateward_revoked_take", &compacted), check],
            ),
        ),
        ("stolen", script(true, &[("gateward_keys_follow", &[0, 2, 0]), follow, check])),
        ("beacon", script(true, &[beacon, follow, check])),
        (
            "refresh",
            script(true, &[later, refresh, ("gateward_snapshot_commit", &[0, 0, 0]), check]),
        ),
        ("chunk", script(true, &[chunk, ("gateward_manifest_info", &[0, 0, 0])])),
    ]
}

fn named() -> Named {
    let record: &[(&str, &[u8])] = &[
        ("gateward_check_text", &[0, 0, 0, 0, 0, 0, 0, 3, 0, 0]),
        ("gateward_record_start", &[0, 0, 0, 0, 0]),
        ("gateward_record_encode", &[3, 22, 0, 0, 0, 5, 0, 6, 16, 9, 0, 19, 0, 0, 1, 2, 0, 0]),
        ("gateward_chain_next", &[0, 0, 0, 0]),
    ];
    let clock: &[(&str, &[u8])] = &[
        ("gateward_clock_start", &[0, 0, 0, 0]),
        ("gateward_clock_now", &[0, 0, 9, 0, 0]),
        ("gateward_clock_keep", &[0, 0, 9, 0, 200, 0]),
    ];
    let bundle: &[(&str, &[u8])] = &[
        ("gateward_bundle_read", &[1, 0]),
        ("gateward_bundle_walk", &[1, 0, 0]),
        ("gateward_manifest_verify", &[0, 0, 0, 236, 0]),
    ];
    let names: &[(&str, &[u8])] = &[
        ("gateward_principal_name", &[0, 0, 1, 0, 0]),
        ("gateward_division_name", &[0, 0, 1, 0, 0]),
        ("gateward_permission_name", &[0, 0, 3, 0]),
        ("gateward_permission_find", &[0, 0, 0, 0]),
        ("gateward_reason_name", &[9, 0]),
    ];

    vec![
        ("record", script(true, record)),
        ("clock", script(true, clock)),
        ("bundle", script(true, bundle)),
        ("names", script(true, names)),
    ]
}

fn bad() -> Vec<u8> {
    let steps: Vec<_> = BAD
        .iter()
        .flat_map(|bad| {
            [
                ("gateward_keys_anchor", vec![0, 0, *bad]),
                ("gateward_manifest_verify", vec![0, *bad, 0, 0, 0]),
                ("gateward_snapshot_open", vec![0, 0, 0, 0, 0, 0, 252, *bad]),
                ("gateward_check", vec![0, 0, 0, *bad, 0, 0, 208, 0]),
                ("gateward_token_clear", vec![*bad]),
            ]
        })
        .collect();
    let steps: Vec<_> = steps.iter().map(|(name, choices)| (*name, &choices[..])).collect();

    script(true, &steps)
}
