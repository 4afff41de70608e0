use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::policy::Policy;
use crate::testing::NOW;

fn new(dir: &Path) -> NewAccount {
    let name = "Acme \"Robotics\" \\ Söhne".to_owned();

    NewAccount { dir: dir.to_owned(), name, roots: None, now_ms: NOW.0 * 1000 }
}

#[test]
fn a_new_account_has_a_good_policy_and_a_key_set_that_its_roots_signed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("acme");
    let made = init(&new(&dir)).unwrap();
    let policy = Policy::load(&dir).unwrap();
    let chain = Chain::load(&dir, made.account).unwrap();

    assert_eq!(policy.account().id, made.account);
    assert_eq!(policy.account().name, "Acme \"Robotics\" \\ Söhne");
    assert_eq!((chain.newest().epoch(), chain.envelopes().len()), (1, 1));
    for role in [Role::Snapshot, Role::Beacon, Role::Collector] {
        let key = signing_key(&dir, role).unwrap();
        let id = key.id();
        for other in Role::ALL {
            assert_eq!(chain.newest().trusts(id, other), other == role, "{role:?} as {other:?}");
        }
    }
    assert!(made.roots_together && made.roots.iter().all(|path| path.exists()));
    assert!(fs::read_to_string(dir.join(".gitignore")).unwrap().contains("private/"));
}

#[test]
fn nobody_else_can_read_a_private_key_and_one_that_others_can_read_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let made = init(&new(dir.path())).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let others = ["snapshot", "beacon", "collector", "ca"];
    let others = others.map(|name| dir.path().join(PRIVATE).join(format!("{name}.key")));
    for path in made.roots.iter().chain(&others) {
        assert_eq!(mode(path), 0o600, "{}", path.display());
    }
    assert_eq!(mode(&dir.path().join(PRIVATE)), 0o700);

    let path = secret_path(dir.path(), Role::Snapshot);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = signing_key(dir.path(), Role::Snapshot).unwrap_err().to_string();
    assert!(error.contains(&format!("run `chmod 600 {}`", path.display())), "{error}");
}

#[test]
fn n9_a_damaged_key_is_refused_and_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    init(&new(dir.path())).unwrap();
    let path = secret_path(dir.path(), Role::Collector);
    let text = fs::read_to_string(&path).unwrap();
    let digits = text.lines().last().unwrap().strip_prefix("key ").unwrap().to_owned();
    for bad in
        [&text[..text.len() - 2], &text.replace("collector", "snapshot"), &(text.clone() + "x")]
    {
        fs::write(&path, bad).unwrap();
        let error = signing_key(dir.path(), Role::Collector).unwrap_err().to_string();
        assert!(!error.contains(&digits[..8]), "{error}");
    }
}

#[test]
fn a_folder_with_something_in_it_and_a_root_key_that_exists_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join(".git")).unwrap();
    let place = tempfile::tempdir().unwrap();
    let roots = ["a", "b", "c"].map(|name| place.path().join(name));
    let apart = NewAccount { roots: Some(roots.clone()), ..new(dir.path()) };
    assert!(!init(&apart).unwrap().roots_together);
    assert!(matches!(init(&apart), Err(NotMade::NotEmpty(_))));

    let elsewhere = NewAccount { dir: dir.path().join("new"), ..apart };
    assert!(matches!(init(&elsewhere), Err(NotMade::KeyExists(_))));
    let [one, two, _] = roots;
    let twice = NewAccount { roots: Some([one.clone(), two, one]), ..elsewhere };
    assert!(matches!(init(&twice), Err(NotMade::SamePlace(_))));
    assert!(!dir.path().join("new").exists());
}

#[test]
fn a_key_set_that_was_altered_or_is_another_accounts_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let made = init(&new(dir.path())).unwrap();
    assert!(Chain::load(dir.path(), Uuid([9; 16])).is_err());
    let path = set_path(dir.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();

    assert!(matches!(Chain::load(dir.path(), made.account), Err(NoChain::Refused { .. })));
}

#[test]
fn a_hybrid_account_has_two_keys_for_every_one_and_demands_both_of_each_role() {
    let dir = tempfile::tempdir().unwrap();
    let made = init_hybrid(&new(dir.path())).unwrap();
    let chain = Chain::load(dir.path(), made.account).unwrap();
    let set = chain.newest();

    assert_eq!(set.keys().len(), 12);
    assert!(chain.anchor().len() < 24 * 1024, "{}", chain.anchor().len());
    for role in Role::ALL {
        for algorithm in Algorithm::ALL {
            let own = set.keys().iter().filter(|key| key.has(role) && key.algorithm() == algorithm);
            assert_eq!(own.count(), if role == Role::Root { 3 } else { 1 });
            assert!(set.requires(role, algorithm));
        }
    }
    for role in [Role::Snapshot, Role::Beacon, Role::Collector] {
        let signers = signers(dir.path(), &chain, role).unwrap();
        let algorithms: Vec<_> = signers.iter().map(|key| key.algorithm()).collect();
        assert_eq!(algorithms, Algorithm::ALL);
    }
    for root in &made.roots {
        let beside = with_algorithm(root, Algorithm::MlDsa65);
        assert!(beside.ends_with("root-ml-dsa-65.key"), "{}", beside.display());
        assert_eq!(fs::metadata(&beside).unwrap().permissions().mode() & 0o777, 0o600);
        let key = read_key(&beside, Role::Root).unwrap();
        assert!(set.trusts(key.id(), Role::Root));
    }
}

#[test]
fn a_hybrid_account_signs_nothing_without_its_second_key_or_with_the_first_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let made = init_hybrid(&new(dir.path())).unwrap();
    let chain = Chain::load(dir.path(), made.account).unwrap();
    let first = secret_path(dir.path(), Role::Snapshot);
    let second = with_algorithm(&first, Algorithm::MlDsa65);
    let error = || signers(dir.path(), &chain, Role::Snapshot).unwrap_err().to_string();

    let foreign = PrivateKey::from_seed(Algorithm::MlDsa65, &[7; 32]);
    fs::copy(&first, &second).unwrap();
    assert!(error().contains("snapshot-ml-dsa-65.key"), "{}", error());
    secret::write(&second, &text(&foreign, Role::Snapshot)).unwrap();
    assert!(error().contains("may not sign"), "{}", error());
    fs::remove_file(&second).unwrap();
    assert!(error().contains("may not sign"), "{}", error());
}

#[test]
fn a_key_file_from_before_there_was_a_choice_is_read_and_an_unknown_algorithm_is_not() {
    let seed = "07".repeat(32);
    let file = |word: &str| format!("gateward-key 1\nrole beacon\n{word} {seed}\n");
    for (word, algorithm) in [("key", Algorithm::Ed25519), ("ml-dsa-65", Algorithm::MlDsa65)] {
        let key = parse(&file(word), Role::Beacon).unwrap();
        assert_eq!((key.algorithm(), *key.seed()), (algorithm, [7; 32]));
        assert_eq!(*text(&key, Role::Beacon), file(word));
    }
    assert!(parse(&file("ml-dsa-87"), Role::Beacon).is_none());
    assert!(parse(&file("key"), Role::Snapshot).is_none());
}
