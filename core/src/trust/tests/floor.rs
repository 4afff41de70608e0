//! The floor: no way back, no second version, and the way out of a fast-forward.

use super::beacon::beacon;
use super::*;
use crate::time::Millis;

const NOW: Now = now(T0 + 60, TimeQuality::Synced);

const fn now(at: u64, quality: TimeQuality) -> Now {
    Now { at: UnixSeconds(at), quality, backed: UnixSeconds(at) }
}

fn floor() -> Floor {
    Floor::default().with_keys(&anchor()).with(&manifest(&draft(10)))
}

fn admit(draft: &ManifestDraft) -> Result<Admission, Refused> {
    floor().admit(&manifest(draft), &NOW)
}

fn version(epoch: u32, number: u64) -> Version {
    Version { epoch, number }
}

#[test]
fn the_first_manifest_is_admitted() {
    let empty = Floor::default().with_keys(&anchor());
    assert_eq!(empty.admit(&manifest(&draft(1)), &NOW), Ok(Admission::Newer));
}

#[test]
fn h5_a_lower_version_is_refused_also_after_a_restart() {
    let refused = Refused::Rollback { held: version(1, 10), offered: version(1, 9) };
    assert_eq!(admit(&draft(9)), Err(refused));

    let again = Floor::decode(&floor().encode()).unwrap();
    assert_eq!(again.admit(&manifest(&draft(9)), &NOW), Err(refused));
    assert_eq!(again.admit(&manifest(&draft(11)), &NOW), Ok(Admission::Newer));
}

#[test]
fn h6_the_manifest_in_force_is_a_no_op() {
    assert_eq!(admit(&draft(10)), Ok(Admission::Same));
    assert_eq!(floor().with(&manifest(&draft(10))), floor());
}

#[test]
fn h7_the_same_version_with_another_root_is_refused() {
    let mut fork = draft(10);
    fork.root = Root([9; 32]);
    assert_eq!(admit(&fork), Err(Refused::Fork));
    for issued_at in [T0 - 1, T0 + 1] {
        fork.issued_at = UnixSeconds(issued_at);
        assert_eq!(admit(&fork), Err(Refused::Fork), "whenever it was signed");
    }
}

#[test]
fn a_later_signature_of_the_same_snapshot_refreshes_it_and_an_earlier_one_does_not() {
    let mut other = draft(10);
    other.issued_at = UnixSeconds(T0 + 1);
    assert_eq!(admit(&other), Ok(Admission::Refresh));
    other.issued_at = UnixSeconds(T0 - 1);
    let refused = Refused::Rollback { held: version(1, 10), offered: version(1, 10) };
    assert_eq!(admit(&other), Err(refused));
}

#[test]
fn h14_an_expired_manifest_is_refused() {
    let expires = T0 + 7 * DAY;
    let manifest = manifest(&draft(11));
    for (at, expected) in [(expires - 1, Ok(Admission::Newer)), (expires, Err(Refused::Expired))] {
        for quality in [TimeQuality::Synced, TimeQuality::Floor] {
            assert_eq!(floor().admit(&manifest, &now(at, quality)), expected);
        }
    }
}

#[test]
fn an_expired_key_set_accepts_nothing_new_and_ends_nothing_old() {
    let mut set = key_set(1);
    set.expires = UnixSeconds(T0 + 100);
    let keys = anchored(&set);
    let admit = |version, at| {
        floor().admit(&manifest_under(&draft(version), &keys), &now(at, TimeQuality::Synced))
    };

    assert_eq!(admit(11, T0 + 99), Ok(Admission::Newer));
    assert_eq!(admit(11, T0 + 100), Err(Refused::KeysExpired));
    assert_eq!(admit(10, T0 + 100), Ok(Admission::Same));
}

#[test]
fn h20_a_manifest_from_the_future_is_refused_by_a_synchronised_clock_and_else_waits_for_a_beacon() {
    let issued = |ahead| {
        let mut draft = draft(11);
        draft.issued_at = NOW.at.plus(ahead);
        manifest(&draft)
    };
    let (near, far) = (issued(MAX_AHEAD), issued(MAX_AHEAD + 1));

    assert_eq!(floor().admit(&near, &NOW), Ok(Admission::Newer));
    assert_eq!(floor().admit(&far, &NOW), Err(Refused::IssuedAhead));
    for quality in [TimeQuality::Holdover, TimeQuality::Floor, TimeQuality::Unknown] {
        let now = Now { quality, ..NOW };
        assert_eq!(floor().admit(&near, &now), Ok(Admission::Newer), "{quality:?}");
        assert_eq!(floor().admit(&far, &now), Err(Refused::Unconfirmed), "{quality:?}");
        let confirmed = floor().with_beacon(&beacon(1, NOW.at.0 + 1));
        assert_eq!(confirmed.admit(&far, &now), Ok(Admission::Newer), "{quality:?}");
        let too_early = floor().with_beacon(&beacon(1, NOW.at.0));
        assert_eq!(too_early.admit(&far, &now), Err(Refused::Unconfirmed), "{quality:?}");
    }
    let both = floor().with_beacon(&beacon(1, NOW.at.0 + 9_999));
    assert_eq!(both.admit(&far, &NOW), Err(Refused::IssuedAhead), "the clock outweighs two keys");
}

#[test]
fn a_stolen_snapshot_key_cannot_lift_time_step_by_step() {
    let mut floor = floor();
    let mut time = TrustedTime::new(UnixSeconds(0), &floor, Millis(0));
    let start = time.now(Millis(0), Shown::default()).at;
    for version in 11..500 {
        let now = time.now(Millis(0), Shown::default());
        let mut ahead = draft(version);
        ahead.issued_at = now.at.plus(MAX_AHEAD);
        let ahead = manifest(&ahead);
        if floor.admit(&ahead, &now).is_ok() {
            floor = floor.with(&ahead);
            time.follow(&floor, Millis(0));
        }
    }
    let lifted = time.now(Millis(0), Shown::default()).at;
    assert!(lifted <= start.plus(2 * MAX_AHEAD), "lifted by {} s", lifted.since(start));
}

#[test]
fn a_new_epoch_is_the_way_out_of_a_fast_forward() {
    let stuck = floor().with(&manifest(&draft(u64::MAX)));
    assert!(stuck.admit(&manifest(&draft(11)), &NOW).is_err());

    let next = anchor().follow(&signed_by_roots(&key_set(2))).unwrap();
    let mut recovered = draft(11);
    recovered.keyset = 2;
    let recovered = manifest_under(&recovered, &next);
    let floor = stuck.with_keys(&next);
    assert_eq!(floor.admit(&recovered, &NOW), Ok(Admission::Newer));
    assert_eq!(floor.with(&recovered).version, version(2, 11));
}

#[test]
fn once_a_key_set_is_held_manifests_of_the_one_before_are_refused() {
    let next = anchor().follow(&signed_by_roots(&key_set(2))).unwrap();
    let floor = floor().with_keys(&next);
    assert_eq!(floor.admit(&manifest(&draft(11)), &NOW), Err(Refused::OldKeys));
}

#[test]
fn signed_time_rises_with_manifests_and_never_sinks() {
    let mut later = draft(11);
    later.issued_at = UnixSeconds(T0 + 50);
    let raised = floor().with(&manifest(&later));
    assert_eq!((raised.signed, raised.lived), (UnixSeconds(T0 + 50), UnixSeconds(T0 + 50)));

    let lived = Floor { lived: UnixSeconds(T0 + 999), ..floor() };
    assert_eq!(lived.with(&manifest(&later)).lived, UnixSeconds(T0 + 999));

    let mut earlier = draft(12);
    earlier.issued_at = UnixSeconds(T0 - 50);
    assert_eq!(raised.with(&manifest(&earlier)).signed, UnixSeconds(T0 + 50));
    assert_eq!(raised.with(&manifest(&earlier)).issued_at, UnixSeconds(T0 - 50));
}

#[test]
fn the_greatest_revocation_number_is_kept_by_epoch() {
    assert_eq!(floor().revoked, version(1, 3));
    let mut fewer = draft(11);
    fewer.revoked_counter = 2;
    assert_eq!(floor().with(&manifest(&fewer)).revoked, version(1, 3));
}

#[test]
fn every_flipped_bit_and_every_truncation_of_a_floor_is_refused() {
    let floor = Floor { boots: 7, ..floor() };
    let bytes = floor.encode();
    assert_eq!(Floor::decode(&bytes), Ok(floor));
    assert_eq!(&bytes[..8], b"GWDFLOR1");
    every_damage_is_refused(&bytes, |bytes| Floor::decode(bytes).is_ok());
}

#[test]
fn a_floor_of_another_format_is_refused_though_its_sum_is_right() {
    let mut bytes = floor().encode();
    bytes[7] = b'2';
    let at = bytes.len() - 8;
    let sum = Sha256::digest(&bytes[..at]);
    bytes[at..].copy_from_slice(&sum[..8]);
    assert_eq!(Floor::decode(&bytes), Err(Refused::Damaged));
}
