use std::os::unix::fs::PermissionsExt as _;

use gateward_core::trust::KeyId;

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
        let id = KeyId::of(key.verifying_key().as_bytes());
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
fn h6_a_key_set_that_was_altered_or_is_another_accounts_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let made = init(&new(dir.path())).unwrap();
    assert!(Chain::load(dir.path(), Uuid([9; 16])).is_err());
    let path = set_path(dir.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, bytes).unwrap();

    assert!(matches!(Chain::load(dir.path(), made.account), Err(NoChain::Refused { .. })));
}
