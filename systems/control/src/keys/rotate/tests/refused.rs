//! What is refused, and what the refusal says about mending it.

use gateward_core::trust::sign::KeySetDraft;

use super::*;

#[test]
fn what_makes_no_sense_is_refused_with_its_reason() {
    let world = World::new();
    let (snapshot, beacon) = (world.only(Role::Snapshot), world.only(Role::Beacon));
    let leave = |id, fate| Rotation { leaving: vec![(id, fate)], ..world.rotation() };
    let error = |rotation: &Rotation| rotate(rotation).unwrap_err().to_string();

    assert!(error(&leave(KeyId([9; 8]), Fate::Retired)).contains("no key set has a key"));
    assert!(error(&leave(beacon, Fate::Compromised)).contains("add --role beacon"));
    let other = world.with(Role::Snapshot, |new| new.replaces = Some(beacon));
    assert!(error(&other).contains("is no snapshot key"));
    let root = world.with(Role::Root, |new| new.replaces = None);
    assert!(error(&root).contains("there are 3 root keys; name the one"));
    let day = Day::parse("2026-06-30").unwrap();
    let over = Rotation { expires: Some(day), ..world.rotation() };
    assert!(error(&over).contains("2026-06-30 is over"));

    rotate(&world.new_key(Role::Snapshot)).unwrap();
    assert!(error(&leave(snapshot, Fate::Retired)).contains("signs nothing any more"));
    let gone = world.with(Role::Snapshot, |new| new.replaces = Some(snapshot));
    assert!(error(&gone).contains("signs nothing any more"));
    let roots = world.ids(Role::Root);
    rotate(&leave(roots[0], Fate::Compromised)).unwrap();
    assert!(error(&leave(roots[1], Fate::Compromised)).contains("1 root keys would be left"));
    assert_eq!(world.chain().newest().epoch(), 3);
}

#[test]
fn a_key_with_two_roles_from_elsewhere_is_taken_apart_before_anything_else() {
    let world = World::new();
    let shared = world.only(Role::Snapshot);
    let beacon = world.only(Role::Beacon);
    let mut set = KeySetDraft::after(world.chain().newest());
    set.keys.retain(|key| KeyId::of(&key.public) != beacon);
    for key in set.keys.iter_mut().filter(|key| KeyId::of(&key.public) == shared) {
        key.roles |= Role::Beacon.bit();
    }
    let roots = halves::roots(&world.dir, &[]).unwrap();
    let signers: Vec<_> = roots.iter().map(|half| &half.key).collect();
    fs::write(set_path(&world.dir, 2), set.sign(&signers).unwrap()).unwrap();

    for rotation in [world.rotation(), world.new_key(Role::Collector)] {
        let error = rotate(&rotation).unwrap_err().to_string();
        assert!(error.contains(&format!("key {shared} signs as snapshot and beacon")), "{error}");
        assert!(error.contains("`keys rotate --role beacon --keep`"), "{error}");
        assert_eq!(world.chain().newest().epoch(), 2);
    }
    // A thief is shut out first.
    let stolen = Rotation {
        leaving: vec![(world.only(Role::Collector), Fate::Compromised)],
        ..world.new_key(Role::Collector)
    };
    rotate(&stolen).unwrap();

    let mut beside = world.new_key(Role::Beacon);
    beside.new.as_mut().unwrap().old = None;
    rotate(&beside).unwrap();
    let mut instead = world.new_key(Role::Snapshot);
    instead.new.as_mut().unwrap().replaces = Some(shared);
    rotate(&instead).unwrap();
    assert!([Role::Snapshot, Role::Beacon].iter().all(|role| world.only(*role) != shared));
    rotate(&world.rotation()).unwrap();
}
