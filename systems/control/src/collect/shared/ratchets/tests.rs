//! A mark says what was committed, never less than before, and is heard where it counts.

use std::os::unix::fs::PermissionsExt as _;

use gateward_core::trust::SigningKey;

use super::*;

const NOW: UnixSeconds = UnixSeconds(1_000_000);
const STORE: &str = "7";

fn enrolled() -> Enrolled {
    Enrolled {
        gateway: "edge-1".to_owned(),
        group: "plant-1".to_owned(),
        incarnation: Incarnation([1; 8]),
        key: SigningKey::from_bytes(&[1; 32]).verifying_key(),
        audit: Ratchet::new([2; 32]),
    }
}

fn mark(dir: &Path, enrolled: &Enrolled) -> Option<u64> {
    let all = marks(dir, std::slice::from_ref(enrolled)).unwrap();

    all.of(Some(STORE), "edge-1")
}

fn of_cluster(dir: &Path) -> Ratchets {
    let mut ratchets = Ratchets::new(dir);
    ratchets.of_cluster(Some(STORE));

    ratchets
}

/// Takes what was committed up to there; returns the mark.
fn commit(ratchets: &mut Ratchets, dir: &Path, through: u64, now: UnixSeconds) -> Option<u64> {
    let key = Ratchet::new([3; 32]);
    ratchets.take(&enrolled(), through, &key, now);
    ratchets.keep(now);

    mark(dir, &enrolled())
}

#[test]
fn i9_a_mark_is_a_minute_or_a_hundred_thousand_records_behind_and_at_the_end_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut ratchets = of_cluster(dir);
    assert_eq!(mark(dir, &enrolled()), None);
    assert_eq!(commit(&mut ratchets, dir, 5, NOW), Some(5));
    assert_eq!(commit(&mut ratchets, dir, 9, NOW.plus(KEEP_AFTER - 1)), Some(5));
    ratchets.keep(NOW.plus(KEEP_AFTER));
    assert_eq!(mark(dir, &enrolled()), Some(9), "and without another record");
    assert_eq!(commit(&mut ratchets, dir, 9 + KEEP_EVERY, NOW.plus(61)), Some(9 + KEEP_EVERY));
    assert_eq!(commit(&mut ratchets, dir, 10 + KEEP_EVERY, NOW.plus(62)), Some(9 + KEEP_EVERY));
    ratchets.keep_all();
    assert_eq!(mark(dir, &enrolled()), Some(10 + KEEP_EVERY));
}

#[test]
fn i9_a_mark_never_goes_back_whoever_put_the_position_back_and_another_enrolment_has_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert_eq!(commit(&mut of_cluster(dir), dir, 50, NOW), Some(50));
    let mut ratchets = of_cluster(dir);
    let _key = ratchets.after(&enrolled(), 20);
    ratchets.keep_all();
    assert_eq!(mark(dir, &enrolled()), Some(50));
    assert_eq!(commit(&mut ratchets, dir, 30, NOW), Some(50));
    assert_eq!(commit(&mut ratchets, dir, 51, NOW.plus(KEEP_AFTER)), Some(51));

    let again = Enrolled { incarnation: Incarnation([9; 8]), ..enrolled() };
    assert_eq!(mark(dir, &again), None);
    ratchets.take(&again, 3, &Ratchet::new([4; 32]), NOW);
    ratchets.keep(NOW);
    assert_eq!(mark(dir, &again), Some(3));
}

#[test]
fn i9_each_cluster_has_marks_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert_eq!(commit(&mut of_cluster(dir), dir, 50, NOW), Some(50));
    let mut scratch = Ratchets::new(dir);
    scratch.of_cluster(Some("8"));
    assert_eq!(commit(&mut scratch, dir, 3, NOW), Some(50));
    let all = marks(dir, &[enrolled()]).unwrap();
    assert_eq!([STORE, "8"].map(|name| all.of(Some(name), "edge-1")), [Some(50), Some(3)]);
    assert!(all.need_a_name() && all.of(None, "edge-1").is_none());

    // What a collector marked that might not ask for a name is heard, and does not stand for what says more.
    let mut unnamed = Ratchets::new(dir);
    unnamed.of_cluster(None);
    assert_eq!(commit(&mut unnamed, dir, 40, NOW), Some(50));
    let all = marks(dir, &[enrolled()]).unwrap();
    assert_eq!([STORE, "8"].map(|name| all.of(Some(name), "edge-1")), [Some(50), Some(40)]);
    assert!(all.need_a_name());
    assert_eq!(commit(&mut unnamed, dir, 50 + KEEP_EVERY, NOW), Some(50 + KEEP_EVERY));
    assert!(!marks(dir, &[enrolled()]).unwrap().need_a_name());
}

#[test]
fn i9_a_mark_that_cannot_be_read_is_no_mark_that_agrees_and_nothing_is_written_over_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert_eq!(commit(&mut of_cluster(dir), dir, 50, NOW), Some(50));
    let path = dir.join(PRIVATE).join("ratchets").join(STORE).join("edge-1");
    let whole = fs::read(&path).unwrap();
    let fails = || {
        let told = marks(dir, &[enrolled()]).unwrap_err().to_string();
        assert!(told.contains("edge-1`: "), "{told}");
        let mut ratchets = of_cluster(dir);
        ratchets.take(&enrolled(), 60, &Ratchet::new([3; 32]), NOW);
        ratchets.keep_all();
    };
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fails();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(mark(dir, &enrolled()), Some(50));
    fs::write(&path, &whole[..40]).unwrap();
    fails();
    assert_eq!(fs::read(&path).unwrap(), whole[..40]);
}

#[test]
fn where_many_gateways_move_a_few_are_kept_at_a_time_and_at_the_end_all() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut ratchets = of_cluster(dir);
    let all: Vec<_> =
        (0..40).map(|n| Enrolled { gateway: format!("edge-{n}"), ..enrolled() }).collect();
    for one in &all {
        ratchets.take(one, 7, &Ratchet::new([3; 32]), NOW);
    }
    let kept = [16, 32, 40, 40].map(|count| {
        ratchets.keep(NOW);
        (marks(dir, &all).unwrap().0.len(), count)
    });
    assert!(kept.iter().all(|(kept, count)| kept == count), "{kept:?}");
    all.iter().for_each(|one| ratchets.take(one, 8, &Ratchet::new([3; 32]), NOW));
    ratchets.keep_all();
    assert!(marks(dir, &all).unwrap().0.values().all(|mark| *mark == 8));
}
