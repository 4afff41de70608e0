//! Beacons: what one says, and how little the key that signs it can do.

use super::*;
use crate::time::Millis;
use crate::trust::sign::BeaconDraft;

pub(super) fn beacon_draft(number: u64, time: u64) -> BeaconDraft {
    BeaconDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: 1,
        number,
        time: UnixSeconds(time),
        version: 10,
        revoked_counter: 3,
    }
}

fn envelope(draft: &BeaconDraft) -> Vec<u8> {
    draft.sign(&[&key(BEACON)]).unwrap()
}

pub(super) fn beacon(number: u64, time: u64) -> Beacon {
    Beacon::verify(&envelope(&beacon_draft(number, time)), &anchor(), audience()).unwrap()
}

fn refusal(draft: &BeaconDraft) -> Refused {
    Beacon::verify(&envelope(draft), &anchor(), audience()).unwrap_err()
}

fn floor() -> Floor {
    Floor::default().with_keys(&anchor()).with(&manifest(&draft(10)))
}

const NOW: Now =
    Now { at: UnixSeconds(T0 + 60), quality: TimeQuality::Synced, backed: UnixSeconds(T0 + 60) };

#[test]
fn what_was_signed_is_read() {
    let beacon = beacon(7, T0 + 5);

    assert_eq!(beacon.number(), Version { epoch: 1, number: 7 });
    assert_eq!(beacon.time(), UnixSeconds(T0 + 5));
    assert_eq!(beacon.version(), Version { epoch: 1, number: 10 });
    assert_eq!(beacon.revoked(), Version { epoch: 1, number: 3 });
}

#[test]
fn every_flipped_bit_and_every_truncation_of_a_beacon_is_refused() {
    let keys = anchor();
    every_damage_is_refused(&envelope(&beacon_draft(7, T0)), |bytes| {
        Beacon::verify(bytes, &keys, audience()).is_ok()
    });
}

#[test]
fn h3_h4_a_beacon_for_others_is_refused() {
    let mut other = beacon_draft(7, T0);
    other.audience = Audience::of(ACCOUNT, "line-2");
    assert_eq!(refusal(&other), Refused::OtherAudience);
    other = beacon_draft(7, T0);
    other.account = OTHER;
    assert_eq!(refusal(&other), Refused::OtherAccount);
    other = beacon_draft(7, T0);
    other.keyset = 2;
    assert_eq!(refusal(&other), Refused::NewerKeys(2));
}

#[test]
fn only_a_beacon_key_signs_beacons_and_it_signs_nothing_else() {
    for stranger in [SNAPSHOT, COLLECTOR, STRANGER, 1] {
        let envelope = beacon_draft(7, T0).sign(&[&key(stranger)]).unwrap();
        let refused = Beacon::verify(&envelope, &anchor(), audience()).unwrap_err();
        assert_eq!(refused, Refused::Unsigned, "key {stranger}");
    }
    let manifest = draft(11).sign(&[&key(BEACON)]).unwrap();
    assert_eq!(Manifest::verify(&manifest, &anchor(), audience()).unwrap_err(), Refused::Unsigned);
    let bytes = envelope(&beacon_draft(7, T0));
    assert_eq!(Manifest::verify(&bytes, &anchor(), audience()).unwrap_err(), Refused::OtherType);
}

#[test]
fn a_replayed_beacon_changes_nothing_and_a_second_one_of_its_number_is_a_fork() {
    let held = floor().with_beacon(&beacon(7, T0 + 5));
    let replayed = Refused::Rollback {
        held: Version { epoch: 1, number: 7 },
        offered: Version { epoch: 1, number: 6 },
    };

    assert_eq!(held.admit_beacon(&beacon(6, T0 + 50), &NOW), Err(replayed));
    assert_eq!(held.admit_beacon(&beacon(7, T0 + 5), &NOW), Ok(Admission::Same));
    assert_eq!(held.admit_beacon(&beacon(7, T0 + 6), &NOW), Err(Refused::Fork));
    assert_eq!(held.admit_beacon(&beacon(8, T0 + 6), &NOW), Ok(Admission::Newer));
    let again = Floor::decode(&held.encode()).unwrap();
    assert_eq!(again.admit_beacon(&beacon(6, T0 + 50), &NOW), Err(replayed), "after a restart");
}

#[test]
fn a_beacon_past_a_synchronised_clock_or_its_key_set_is_refused() {
    assert_eq!(floor().admit_beacon(&beacon(8, T0 + 661), &NOW), Err(Refused::IssuedAhead));
    let holdover = Now { quality: TimeQuality::Holdover, ..NOW };
    assert_eq!(floor().admit_beacon(&beacon(8, T0 + 661), &holdover), Ok(Admission::Newer));
    let end = T0 + 365 * DAY;
    assert_eq!(refusal(&beacon_draft(8, end)), Refused::KeysExpired);
    let late = Now { at: UnixSeconds(end), ..holdover };
    assert_eq!(floor().admit_beacon(&beacon(8, T0), &late), Err(Refused::KeysExpired));
}

#[test]
fn beacons_alone_lift_time_by_an_hour_however_many_arrive_and_across_restarts() {
    let mut floor = floor();
    let agreed = floor.agreed;
    for number in 1..100 {
        floor = floor.with_beacon(&beacon(number, T0 + 300 * DAY));
        floor = Floor::decode(&floor.encode()).unwrap();
    }
    assert_eq!(floor.lived, UnixSeconds(T0 + MAX_BEACON_LIFT), "the manifest in force says T0");
    assert!(floor.agreed <= agreed.max(UnixSeconds(T0)));

    let mut time = TrustedTime::new(UnixSeconds(0), &floor, Millis(0));
    let run = Millis(7_200_000);
    let kept = time.kept(&floor, run, Shown::default(), UnixSeconds(0));
    let lifted = kept.with_beacon(&beacon(100, T0 + 300 * DAY));
    time.follow(&lifted, run);
    let now = time.now(run, Shown::default()).at;
    assert_eq!(now, UnixSeconds(T0 + 2 * 3_600 + MAX_BEACON_LIFT), "run time and one hour");
}

#[test]
fn a_beacon_and_a_manifest_together_lift_time_as_far_as_both_say() {
    let mut far = draft(11);
    far.issued_at = UnixSeconds(T0 + 30 * DAY);
    let waiting = floor().with_beacon(&beacon(1, T0 + 30 * DAY + 7));
    let lost = Now { at: UnixSeconds(T0), quality: TimeQuality::Floor, backed: UnixSeconds(T0) };
    assert_eq!(waiting.admit(&manifest(&far), &lost), Ok(Admission::Newer));

    let lifted = waiting.with(&manifest(&far));
    assert_eq!(lifted.agreed, UnixSeconds(T0 + 30 * DAY));
    assert_eq!(lifted.lived, UnixSeconds(T0 + 30 * DAY));
    let lifted = lifted.with_beacon(&beacon(2, T0 + 30 * DAY + 50));
    assert_eq!(lifted.lived, UnixSeconds(T0 + 30 * DAY + 50));
}

#[test]
fn a_newer_version_or_list_that_a_beacon_names_is_missed_until_it_is_held() {
    let mut ahead = beacon_draft(1, T0);
    (ahead.version, ahead.revoked_counter) = (11, 4);
    let beacon = Beacon::verify(&envelope(&ahead), &anchor(), audience()).unwrap();
    let version = |number| Version { epoch: 1, number };
    let held = floor();
    assert_eq!((held.lacks_snapshot(), held.lacks_list(version(3))), (None, None));

    let behind = held.with_beacon(&beacon);
    assert_eq!(behind.lacks_snapshot(), Some(version(11)));
    assert_eq!(behind.lacks_list(version(3)), Some(version(4)));
    let caught_up = behind.with(&manifest(&draft(11)));
    assert_eq!((caught_up.lacks_snapshot(), caught_up.lacks_list(version(4))), (None, None));
}

#[test]
fn a_stolen_beacon_key_raises_false_staleness_until_the_next_epoch_and_grants_nothing() {
    let mut false_alarm = beacon_draft(u64::MAX, T0);
    (false_alarm.version, false_alarm.revoked_counter) = (u64::MAX, u64::MAX);
    let beacon = Beacon::verify(&envelope(&false_alarm), &anchor(), audience()).unwrap();
    let stuck = floor().with_beacon(&beacon);
    assert!(stuck.lacks_snapshot().is_some());
    assert_eq!((stuck.version, stuck.root), (floor().version, floor().root));

    let mut next = key_set(2);
    next.compromised = vec![id(&key(BEACON))];
    let keys = anchor().follow(&signed_by_roots(&next)).unwrap();
    let mut recovered = draft(11);
    recovered.keyset = 2;
    recovered.revoked_counter = 0;
    let recovered = manifest_under(&recovered, &keys);
    let floor = stuck.with_keys(&keys).with(&recovered);
    assert_eq!(floor.lacks_snapshot(), None);
    assert_eq!(floor.lacks_list(Version::default()), None, "nothing was revoked in this epoch");
}
