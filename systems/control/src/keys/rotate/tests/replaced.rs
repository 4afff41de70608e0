//! A new key for an old one, and a new key set for an old one: nothing is overwritten, wherever it
//! breaks off.

use super::*;
use crate::keys::secret_path;

#[test]
fn every_role_gets_a_new_key_and_the_old_one_signs_nothing_new() {
    for role in [Role::Snapshot, Role::Beacon, Role::Collector] {
        let world = World::new();
        let old = world.only(role);
        let secrets = world.secrets();
        let rotated = rotate(&world.new_key(role)).unwrap();
        let new = world.only(role);

        assert_eq!((rotated.epoch, world.chain().newest().epoch()), (2, 2));
        assert_eq!(rotated.new, Some((new, role, secret_path(&world.dir, role))));
        let aside = named_path(&world.dir.join("private/retired"), role, old);
        assert_eq!(rotated.left, [Left { id: old, fate: Fate::Retired, path: Some(aside) }]);
        assert_eq!(world.chain().newest().retired(), [old]);
        assert_eq!(world.signer(role, Some("plant-1")), Some(new));
        assert_eq!(world.secrets().len(), secrets.len() + 1);
        assert!(world.secrets().is_superset(&secrets), "nothing was overwritten");
        world.is_usable();
    }
}

#[test]
fn a_crash_after_any_step_leaves_a_folder_that_signs_and_the_next_rotation_tidies_up() {
    for role in Role::ALL {
        for done in 0.. {
            let world = World::new();
            let before = world.secrets();
            let rotation = world.with(role, |new| new.old = Some(Fate::Compromised));
            let (lock, plan) = plan(&rotation).unwrap();
            assert_eq!(plan.steps.len(), if role == Role::Root { 3 } else { 4 }, "{role:?}");
            plan.steps[..done].iter().try_for_each(Step::take).unwrap();
            drop(lock);

            world.is_usable();
            assert!(world.secrets().is_superset(&before), "{role:?} after {done}");
            let crashed = world.ids(role);
            let again = rotate(&world.with(role, |new| new.old = None)).unwrap();
            world.is_usable();
            assert_eq!(world.ids(role).len(), crashed.len() + 1);
            let chain = world.chain();
            for id in chain.newest().compromised() {
                let aside = world.dir.join("private/compromised");
                assert!(named_path(&aside, role, *id).exists(), "{role:?} after {done}");
            }
            if role != Role::Root {
                let path = secret_path(&world.dir, role);
                assert_eq!(again.new.map(|(_, _, path)| path), Some(path));
            }
            if done == plan.steps.len() {
                break;
            }
        }
    }
}

#[test]
fn a_key_set_is_renewed_without_a_new_key() {
    let world = World::new();
    let day = Day::parse("2027-12-31").unwrap();
    let renewed = rotate(&Rotation { expires: Some(day), ..world.rotation() }).unwrap();
    assert_eq!((renewed.epoch, renewed.expires.0), (2, u64::from(day.end().0)));
    assert_eq!(rotate(&world.new_key(Role::Beacon)).unwrap().expires, NOW.plus(60 + LIFE));

    // A clock that is behind makes no set that is older than the last one.
    let behind = Rotation { now: NOW, ..world.new_key(Role::Beacon) };
    rotate(&behind).unwrap();
    assert_eq!(world.chain().newest().issued_at(), NOW.plus(60));
}

const LIFE: u64 = 5 * 366 * 86_400;

#[test]
fn rotations_without_end_fit_into_the_format() {
    let world = World::new();
    let first = world.only(Role::Beacon);
    for epoch in 2..=36 {
        assert_eq!(rotate(&world.new_key(Role::Beacon)).unwrap().epoch, epoch);
    }
    let chain = world.chain();
    assert_eq!(chain.newest().retired().len(), 32);
    assert!(!chain.newest().retired().contains(&first));
    assert!(!chain.newest().trusts(first, Role::Beacon));
    world.is_usable();
}
