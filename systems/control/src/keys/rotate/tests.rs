use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use gateward_core::trust::Audience;
use gateward_core::trust::sign::KeySetDraft;
use tempfile::TempDir;

use super::*;
use crate::keys::{
    Made, NewAccount, NotMade, Signers, Standing, init, init_hybrid, list, secret_path, signers,
};
use crate::testing::NOW;

struct World {
    _temp: TempDir,
    dir: PathBuf,
    account: gateward_core::name::Uuid,
    roots: [PathBuf; 3],
}

impl World {
    fn new() -> Self {
        Self::with_roots(None)
    }

    /// Root keys in these folders beside the policy folder; else where `init` puts them.
    fn with_roots(names: Option<[&str; 3]>) -> Self {
        Self::begun(names, init)
    }

    fn begun(names: Option<[&str; 3]>, init: fn(&NewAccount) -> Result<Made, NotMade>) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("acme");
        let roots = names.map(|names| names.map(|name| temp.path().join(name)));
        let name = "Acme".to_owned();
        let new = NewAccount { dir: dir.clone(), name, roots, now_ms: NOW.0 * 1000 };
        let made = init(&new).unwrap();
        let policy = fs::read_to_string(dir.join("policy.toml")).unwrap();
        let two = "\n[[groups]]\nid = \"plant-2\"\ngateways = [\"edge-2\"]\n";
        fs::write(dir.join("policy.toml"), policy + two).unwrap();

        Self { _temp: temp, dir, account: made.account, roots: made.roots }
    }

    fn chain(&self) -> Chain {
        Chain::load(&self.dir, self.account).unwrap()
    }

    /// The trusted keys of a role, the newest last.
    fn ids(&self, role: Role) -> Vec<KeyId> {
        let chain = self.chain();
        let set = chain.newest();
        let ids = set.keys().iter().map(gateward_core::trust::Key::id);

        ids.filter(|id| set.trusts(*id, role)).collect()
    }

    fn only(&self, role: Role) -> KeyId {
        let [id] = self.ids(role)[..] else { panic!("one {role:?} key") };

        id
    }

    fn rotation(&self) -> Rotation {
        Rotation {
            dir: self.dir.clone(),
            new: None,
            leaving: Vec::new(),
            root_keys: Vec::new(),
            expires: None,
            now: NOW.plus(60),
        }
    }

    fn new_key(&self, role: Role) -> Rotation {
        let old = Some(Fate::Retired);
        let replaces = (role == Role::Root).then(|| self.ids(role)[1]);
        let new = NewKey { role, groups: Vec::new(), old, replaces, root_out: None };

        Rotation { new: Some(new), ..self.rotation() }
    }

    fn with(&self, role: Role, change: impl FnOnce(&mut NewKey)) -> Rotation {
        let mut rotation = self.new_key(role);
        change(rotation.new.as_mut().unwrap());

        rotation
    }

    /// Which key signs as `role` for `group`, as publishing would find it.
    fn signer(&self, role: Role, group: Option<&str>) -> Option<KeyId> {
        let signers = Signers::load(&self.dir, &self.chain(), role).unwrap();
        let audience = group.map(|group| Audience::of(self.account, group));

        let own = signers.reaching(audience).ok()?;
        let [one] = own[..] else { panic!("one {role:?} key") };

        Some(one.id())
    }

    /// Every private key under the policy folder, by what is in the file.
    fn secrets(&self) -> BTreeSet<String> {
        let mut secrets = BTreeSet::new();
        let mut folders = vec![self.dir.join(PRIVATE)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let mode = fs::metadata(&path).unwrap().permissions().mode();
                    assert_eq!(mode & 0o777, 0o600, "{}", path.display());
                    secrets.insert(fs::read_to_string(path).unwrap());
                }
            }
        }

        secrets
    }

    /// Every role signs, and the root keys here can make another key set.
    fn is_usable(&self) {
        for role in [Role::Snapshot, Role::Beacon, Role::Collector] {
            let signer = self.signer(role, None).unwrap();
            assert!(self.chain().newest().trusts(signer, role));
        }
        let roots = halves::roots(&self.dir, &[]).unwrap();
        let trusted = roots.iter().filter(|half| self.chain().newest().trusts(half.id, Role::Root));
        assert!(trusted.count() >= 2);
    }
}

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

#[test]
fn a_list_says_of_every_key_whether_it_signs_for_whom_and_where_its_private_half_is() {
    let world = World::new();
    let old = world.only(Role::Beacon);
    rotate(&world.new_key(Role::Beacon)).unwrap();
    let stolen = world.only(Role::Collector);
    rotate(&world.with(Role::Collector, |new| new.old = Some(Fate::Compromised))).unwrap();
    let limit = world.with(Role::Snapshot, |new| {
        (new.groups, new.old) = (vec!["plant-2".to_owned()], None);
    });
    let limited = rotate(&limit).unwrap().new.unwrap();
    fs::remove_file(&world.roots[2]).unwrap();
    let sets = list(&world.dir).unwrap();
    assert_eq!(sets.iter().map(|set| set.epoch).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let find = |id| sets[3].keys.iter().find(|key| key.id == id).unwrap();

    let key = find(old);
    assert_eq!((key.standing, &key.roles[..]), (Standing::Retired, &[Role::Beacon][..]));
    let aside = named_path(&world.dir.join("private/retired"), Role::Beacon, old);
    assert_eq!(key.private, Some(aside));
    assert_eq!(find(stolen).standing, Standing::Compromised);
    let key = find(limited.0);
    assert_eq!(key.groups.as_deref(), Some(&["plant-2".to_owned()][..]));
    assert_eq!(key.private, Some(limited.2));
    let here = world.ids(Role::Root).into_iter().map(|id| find(id).private.is_some());
    assert_eq!(here.collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(sets[0].keys.iter().filter(|key| key.standing == Standing::Trusted).count(), 6);
}

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
