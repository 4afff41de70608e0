//! Accounts where every signature is two: each algorithm keeps as many keys as it needs.

use super::*;
use crate::keys::{init_hybrid, signers};

#[test]
fn in_a_hybrid_account_each_key_is_replaced_by_one_of_its_algorithm() {
    let world = World::begun(None, init_hybrid);
    assert!(matches!(rotate(&world.new_key(Role::Snapshot)), Err(NotRotated::Which { .. })));
    let algorithm = |id: KeyId| {
        let (chain, key) = (world.chain(), |key: &&gateward_core::trust::Key| key.id() == id);
        chain.sets().iter().flat_map(KeySet::keys).find(key).unwrap().algorithm()
    };
    for role in [Role::Snapshot, Role::Collector, Role::Root] {
        let before = world.ids(role);
        let both =
            Algorithm::ALL.map(|one| *before.iter().find(|id| algorithm(**id) == one).unwrap());
        for old in both {
            let one = world.with(role, |new| new.replaces = Some(old));
            let (new, _, path) = rotate(&one).unwrap().new.unwrap();
            assert_eq!(algorithm(new), algorithm(old));
            assert!(path.exists(), "{}", path.display());
            let after = world.ids(role);
            assert_eq!(after.len(), before.len());
            assert!(!after.contains(&old) && after.contains(&new));
        }
        if role != Role::Root {
            let own = signers(&world.dir, &world.chain(), role).unwrap();
            assert_eq!(own.iter().map(|key| key.id()).collect::<Vec<_>>(), world.ids(role));
        }
    }
    assert_eq!(world.chain().newest().epoch(), 7);
}

#[test]
fn a_hybrid_account_refuses_a_set_that_lacks_a_key_of_either_algorithm() {
    let world = World::begun(None, init_hybrid);
    for id in world.ids(Role::Snapshot) {
        let leaving = vec![(id, Fate::Retired)];
        let refused = rotate(&Rotation { leaving, ..world.rotation() });
        assert!(matches!(refused, Err(NotRotated::NoneLeft { .. })));
    }
    // Of one algorithm alone there would be enough.
    for home in &world.roots[1..] {
        fs::remove_file(home.with_file_name("root-ml-dsa-65.key")).unwrap();
    }
    let snapshot = world.ids(Role::Snapshot)[0];
    let refused = rotate(&world.with(Role::Snapshot, |new| new.replaces = Some(snapshot)));
    assert!(matches!(refused, Err(NotRotated::TooFewRoots { here: 1, needed: 2, .. })));
}
