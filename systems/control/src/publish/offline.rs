//! A bundle: what a publish would send, in one file, for gateways that no broker reaches.

use std::path::Path;

use gateward_core::bundle::build;
use gateward_core::snapshot::chunk;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::Role;

use super::job::jobs;
use super::plan::{Maker, Plan};
use super::{NotPublished, accept, lock, settled};
use crate::keys::{Chain, Signers};
use crate::lock::PATIENCE;

/// Returns the bundle of `group`: key sets, manifest, hash list, snapshot and revocation list.
///
/// What is carried by hand is in force as much as what a broker brings. So its version is used up
/// here: the next publish goes on from it.
///
/// # Errors
///
/// The policy has mistakes, or the keys cannot be used.
pub fn bundle(
    dir: &Path,
    group: &str,
    accept_widening: &[String],
    now: UnixSeconds,
) -> Result<Vec<u8>, NotPublished> {
    let _lock = lock(dir)?;
    let (policy, mut known) = settled(dir, PATIENCE)?;
    accept(known.widenings(&policy), accept_widening)?;
    let chain = Chain::load(dir, policy.account().id)?;
    let signers = Signers::load(dir, &chain, Role::Snapshot)?;
    let maker = Maker {
        keys: chain.newest(),
        signers: &signers,
        beacons: None,
        sizes: policy.sizes(),
        staleness: policy.staleness(),
        allows: policy.allows(),
        now,
    };
    let mut parts = Vec::new();
    for mut job in jobs(dir, &policy, &chain, &[group.to_owned()])? {
        let plan = maker.plan(&job.state, maker.root(&job.bytes), true, group)?;
        job.revoke(&maker, plan)?;
        if let Plan::Publish(version) | Plan::Refresh(version) = plan {
            let counter = job.news.counter(chain.newest().epoch());
            let next = maker.sign(&job.state, group, &job.bytes, version, counter, Vec::new())?;
            known.merge(&policy);
            known.save(dir)?;
            job.intend(next)?;
        }
        let list: Vec<u8> = chunk::leaves(&job.bytes, maker.sizes.chunk_log2).flatten().collect();
        let envelope = job.state.intent.or(job.state.published).map(|signed| signed.envelope);
        let key_sets: Vec<_> = chain.envelopes().iter().map(Vec::as_slice).collect();
        let revoked = job.news.list().unwrap_or_default();
        let rest = [envelope.as_deref().unwrap_or_default(), &list, &job.bytes, revoked];
        parts = build::write(&key_sets, rest);
    }

    Ok(parts)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use gateward_core::bundle::Bundle;
    use gateward_core::name::Uuid;
    use gateward_core::snapshot;
    use gateward_core::snapshot::chunk::HashList;
    use gateward_core::trust::{Audience, KeySet, Manifest};
    use tempfile::TempDir;

    use super::*;
    use crate::accounts::{Accounts, NewUser};
    use crate::keys::{self, NewAccount};
    use crate::testing::NOW;

    fn account() -> (TempDir, PathBuf, Uuid) {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("acme");
        let name = "Acme".to_owned();
        let new = NewAccount { dir: dir.clone(), name, roots: None, now_ms: NOW.0 * 1000 };
        let account = keys::init(&new).unwrap().account;

        (temp, dir, account)
    }

    fn read(bytes: &[u8], account: Uuid) -> Manifest {
        let bundle = Bundle::read(bytes).unwrap();
        let [anchor] = bundle.key_sets().collect::<Vec<_>>()[..] else { panic!("one key set") };
        let keys = KeySet::anchor(anchor, account).unwrap();
        let audience = Audience::of(account, "plant-1");
        let manifest = Manifest::verify(bundle.manifest, &keys, audience).unwrap();
        HashList::check(bundle.list, &manifest).unwrap();
        snapshot::open(bundle.file, manifest.clone()).unwrap();

        manifest
    }

    #[test]
    fn a_bundle_holds_all_that_a_gateway_verifies_and_its_version_is_used_up() {
        let (_temp, dir, account) = account();
        let first = read(&bundle(&dir, "plant-1", &[], NOW).unwrap(), account);
        let again = read(&bundle(&dir, "plant-1", &[], NOW).unwrap(), account);
        assert_eq!((first.version(), first.root()), (again.version(), again.root()));

        let user = NewUser { username: "ana.ruiz".to_owned(), ..NewUser::default() };
        Accounts::open(&dir, NOW).unwrap().add_user(&user).unwrap();
        let changed = read(&bundle(&dir, "plant-1", &[], NOW).unwrap(), account);
        assert_eq!(changed.version().number, 2);
        assert!(bundle(&dir, "plant-9", &[], NOW).is_err());
    }
}
