//! Root keys: lost, too few, and in places of their own. Two of three make a key set.

use super::*;

#[test]
fn a_lost_root_key_is_replaced_by_the_others_and_then_the_new_one_stands_in_for_another() {
    let world = World::new();
    let ids = world.ids(Role::Root);
    fs::remove_dir_all(world.roots[1].parent().unwrap()).unwrap();
    let rotated = rotate(&world.new_key(Role::Root)).unwrap();
    assert_eq!(rotated.left, [Left { id: ids[1], fate: Fate::Retired, path: None }]);
    assert_eq!(rotated.roots, (3, 2));
    let (new, _, path) = rotated.new.unwrap();
    assert!(path.ends_with("private/root-2/root.key"), "{}", path.display());
    assert_eq!(world.ids(Role::Root), [ids[0], ids[2], new]);

    fs::remove_file(&world.roots[0]).unwrap();
    assert_eq!(rotate(&world.new_key(Role::Snapshot)).unwrap().epoch, 3);
}

#[test]
fn fewer_root_keys_than_the_threshold_make_no_key_set_and_are_told_which_are_missing() {
    let world = World::new();
    let ids = world.ids(Role::Root);
    fs::remove_file(&world.roots[0]).unwrap();
    fs::remove_file(&world.roots[2]).unwrap();
    for role in Role::ALL {
        let before = world.secrets();
        let error = rotate(&world.new_key(role)).unwrap_err();
        assert!(matches!(error, NotRotated::TooFewRoots { here: 1, needed: 2, .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("--root-key") && text.contains("enrol its gateways again"), "{text}");
        assert!(text.contains(&format!("{}, {}", ids[0], ids[2])), "{text}");
        assert_eq!((world.chain().newest().epoch(), world.secrets()), (1, before));
    }
}

#[test]
fn root_keys_in_places_of_their_own_are_named_by_file_or_folder() {
    let world = World::with_roots(Some(["a", "b", "c"]));
    let rotation = world.new_key(Role::Snapshot);
    assert!(matches!(rotate(&rotation), Err(NotRotated::TooFewRoots { here: 0, .. })));
    let folder = world.roots[2].parent().unwrap().to_owned();
    let named = vec![world.roots[0].clone(), folder];
    let twice = Rotation { root_keys: vec![named[0].clone(); 2], ..rotation.clone() };
    assert!(matches!(rotate(&twice), Err(NotRotated::TooFewRoots { here: 1, .. })));
    rotate(&Rotation { root_keys: named.clone(), ..rotation }).unwrap();

    // A new root key goes where it is told, and never over another.
    let out = |folder: &Path| {
        let mut rotation = world.with(Role::Root, |new| new.root_out = Some(folder.to_owned()));
        rotation.root_keys = named.clone();
        rotate(&rotation)
    };
    let before = fs::read(&world.roots[1]).unwrap();
    assert!(matches!(out(world.roots[1].parent().unwrap()), Err(NotRotated::KeyExists(_))));
    assert_eq!(fs::read(&world.roots[1]).unwrap(), before);
    let d = world.dir.parent().unwrap().join("d");
    assert_eq!(out(&d).unwrap().new.unwrap().2, d.join("root.key"));

    let stranger = World::new();
    let mut rotation = world.new_key(Role::Beacon);
    rotation.root_keys = vec![stranger.roots[0].clone(), stranger.roots[1].clone()];
    assert!(matches!(rotate(&rotation), Err(NotRotated::TooFewRoots { here: 0, .. })));
}
