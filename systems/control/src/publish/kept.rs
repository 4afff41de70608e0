//! What was published, where the policy itself cannot be used: enough to keep that fresh.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gateward_core::name::Uuid;
use gateward_core::snapshot::unsigned;

use super::state;
use crate::enroll::Enrolled;
use crate::keys::Chain;
use crate::policy::{Allows, Group, Policy, Sizes, Staleness, Unusable};

/// Returns whose policy `dir` has, also where it has mistakes by now.
///
/// # Errors
///
/// It cannot be used, and nothing was ever published from it.
pub(crate) fn account(dir: &Path) -> Result<Uuid, Unusable> {
    match Policy::load(dir) {
        Ok(policy) => Ok(policy.account().id),
        Err(Unusable::Mistakes(mistakes)) => published_for(dir).ok_or(Unusable::Mistakes(mistakes)),
        Err(unreadable) => Err(unreadable),
    }
}

/// Returns a policy with nobody in it, and with the groups and settings of what was published; none
/// where nothing was.
pub(super) fn stand_in(dir: &Path) -> Option<Policy> {
    let account = published_for(dir)?;
    let chain = Chain::load(dir, account).ok()?;
    let mut gateways: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // They are only counted.
    for one in Enrolled::all(dir).unwrap_or_default() {
        gateways.entry(one.group).or_default().push(one.gateway);
    }
    let manifest =
        |group: &String| Some((group.clone(), state::published(dir, group, &chain).ok()??));
    let published: Vec<_> = groups(dir).iter().filter_map(manifest).collect();
    let (_, newest) = published.iter().max_by_key(|(_, manifest)| manifest.issued_at())?;
    let after =
        |time: gateward_core::time::UnixSeconds| u32::try_from(time.since(newest.issued_at())).ok();
    let staleness = Staleness {
        stale_after_s: after(newest.stale_at())?,
        expires_after_s: after(newest.expires_at())?,
    };
    let sizes = Sizes::of_chunks(newest.chunk_log2());
    let group =
        |(id, _)| Group { gateways: gateways.remove(&id).unwrap_or_default(), id, divisions: None };

    let said = (staleness, sizes, Allows::of(newest));

    Some(Policy::stand_in(account, published.into_iter().map(group).collect(), said))
}

/// The account of a snapshot that was published.
fn published_for(dir: &Path) -> Option<Uuid> {
    groups(dir).iter().find_map(|group| {
        let bytes = fs::read(state::folder(dir, group).join("file")).ok()?;

        Some(unsigned(&bytes[..]).ok()?.view().account())
    })
}

fn groups(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir.join("state/published")).into_iter().flatten().flatten();
    let mut groups: Vec<_> = entries.filter_map(|one| one.file_name().into_string().ok()).collect();
    groups.sort();

    groups
}
