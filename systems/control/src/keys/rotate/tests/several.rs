//! Several keys of one role: beside each other, or each for its own groups.

use super::*;
use crate::keys::secret_path;

#[test]
fn h8_beside_a_kept_key_both_sign_until_the_old_one_is_retired() {
    let world = World::new();
    let old = world.only(Role::Snapshot);
    let kept = rotate(&world.with(Role::Snapshot, |new| new.old = None)).unwrap();
    let new = kept.new.unwrap().0;
    assert_eq!((kept.left.len(), world.ids(Role::Snapshot)), (0, vec![old, new]));
    assert_eq!(world.signer(Role::Snapshot, Some("plant-1")), Some(new));
    // Where only the old private half is, that one signs.
    fs::remove_file(secret_path(&world.dir, Role::Snapshot)).unwrap();
    assert_eq!(world.signer(Role::Snapshot, Some("plant-1")), Some(old));

    let ambiguous = rotate(&world.new_key(Role::Snapshot)).unwrap_err().to_string();
    assert!(ambiguous.contains(&format!("--replace: {old}, {new}")), "{ambiguous}");
    let leaving = vec![(old, Fate::Retired)];
    rotate(&Rotation { leaving, ..world.rotation() }).unwrap();
    assert_eq!(world.ids(Role::Snapshot), [new]);

    // Later it turns out that it was stolen.
    let leaving = vec![(old, Fate::Compromised)];
    let left = rotate(&Rotation { leaving, ..world.rotation() }).unwrap().left;
    assert_eq!(left[0].fate, Fate::Compromised);
    let chain = world.chain();
    assert_eq!((chain.newest().retired(), chain.newest().compromised()), (&[][..], &[old][..]));
}

#[test]
fn keys_limited_to_groups_sign_for_those_and_no_group_is_left_without_a_key() {
    let world = World::new();
    let general = world.only(Role::Snapshot);
    let limit = |groups: &[&str], old| {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        world.with(Role::Snapshot, |new| (new.groups, new.old) = (groups, old))
    };
    let error = rotate(&limit(&["plant-1"], Some(Fate::Retired))).unwrap_err().to_string();
    assert!(error.contains("no snapshot key would be left for group `plant-2`"), "{error}");
    let one = rotate(&limit(&["plant-1"], None)).unwrap().new.unwrap();
    assert_eq!(one.2, named_path(&world.dir.join(PRIVATE), Role::Snapshot, one.0));
    assert_eq!(world.signer(Role::Snapshot, Some("plant-1")), Some(one.0));
    assert_eq!(world.signer(Role::Snapshot, Some("plant-2")), Some(general));

    let mut two = limit(&["plant-2"], None);
    two.leaving = vec![(general, Fate::Retired)];
    let two = rotate(&two).unwrap().new.unwrap().0;
    assert_eq!(world.signer(Role::Snapshot, Some("plant-2")), Some(two));
    assert_eq!(world.signer(Role::Snapshot, None), None);

    // The next one inherits the limit.
    let third = world.with(Role::Snapshot, |new| new.replaces = Some(two));
    let third = rotate(&third).unwrap().new.unwrap().0;
    assert_eq!(world.signer(Role::Snapshot, Some("plant-2")), Some(third));
    assert_eq!(world.signer(Role::Snapshot, Some("plant-1")), Some(one.0));
    let retire = Rotation { leaving: vec![(third, Fate::Retired)], ..world.rotation() };
    assert!(matches!(rotate(&retire), Err(NotRotated::NoneLeft { .. })));

    assert!(matches!(rotate(&limit(&["x"], None)), Err(NotRotated::NoSuchGroup { .. })));
    let root = world.with(Role::Collector, |new| new.groups = vec!["plant-1".to_owned()]);
    assert!(matches!(rotate(&root), Err(NotRotated::NoLimits(Role::Collector))));
}
