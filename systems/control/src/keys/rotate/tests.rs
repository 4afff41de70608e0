//! Rotations in a policy folder of two groups, which must be usable after every one of them.

mod hybrid;
mod listed;
mod refused;
mod replaced;
mod roots;
mod several;

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use gateward_core::trust::Audience;
use tempfile::TempDir;

use super::*;
use crate::keys::{Made, NewAccount, NotMade, Signers, init};
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
