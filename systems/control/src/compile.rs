//! From a policy to the bytes of one group's snapshot: the same policy gives the same bytes.

use std::collections::{BTreeMap, BTreeSet};

use gateward_core::name::Uuid;
use gateward_core::snapshot::build::{
    BadContents, Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen, principal_keys,
};
use gateward_core::time::End;

use crate::day::Day;
use crate::policy::{Group, Policy, Principal, PrincipalStatus, TokenStatus};

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum NotCompiled {
    /// The policy does not fit the format.
    #[error(transparent)]
    BadContents(#[from] BadContents),
    /// No group is called so.
    #[error("`{}` is no group; the groups are {known}", group.escape_debug())]
    NoSuchGroup {
        /// What was asked for.
        group: String,
        /// The groups there are.
        known: String,
    },
}

/// Returns the snapshot of the gateways of `group`.
///
/// # Errors
///
/// There is no such group, or the policy does not fit the format.
pub fn compile(policy: &Policy, group: &str) -> Result<Vec<u8>, NotCompiled> {
    let Some(group) = policy.group(group) else {
        let known: Vec<_> = policy.groups().iter().map(|group| group.id.as_str()).collect();
        return Err(NotCompiled::NoSuchGroup { group: group.to_owned(), known: known.join(", ") });
    };

    Ok(contents(policy, Some(group)).compile(VerifierLen::Full)?)
}

/// Returns what a snapshot for `group` says; where there is none, for a gateway that knows
/// everybody.
#[must_use]
pub fn contents(policy: &Policy, group: Option<&Group>) -> Contents {
    let reached = group.and_then(|group| group.divisions.as_ref());
    let included: Vec<&Principal> =
        policy.principals().iter().filter(|principal| is_included(principal, reached)).collect();
    // Tombstones count too: a key hangs on every id that ever was, so it stays what it is.
    let keys = principal_keys(&policy.principals().iter().map(|principal| principal.id).collect());
    let divisions = divisions(policy, reached, &included);

    Contents {
        account: policy.account().id,
        suspended: policy.account().suspended,
        principals: principals(&included, &keys),
        tokens: tokens(policy, &included, &keys),
        resources: resources(policy, &divisions),
        divisions,
        ext: crate::extension::ext(policy),
    }
}

/// Returns whether a gateway of these divisions has to know `principal`; who may act everywhere
/// reaches every gateway.
fn is_included(principal: &Principal, reached: Option<&BTreeSet<Uuid>>) -> bool {
    let reaches = match (reached, &principal.scope) {
        (None, _) | (Some(_), Scope::All) => true,
        (Some(reached), Scope::Only(divisions)) => !reached.is_disjoint(divisions),
    };

    reaches && principal.status != PrincipalStatus::Deleted
}

/// Divisions of the group, and whichever else a principal there is limited to.
fn divisions(
    policy: &Policy,
    reached: Option<&BTreeSet<Uuid>>,
    included: &[&Principal],
) -> BTreeMap<Uuid, String> {
    let limits: BTreeSet<Uuid> = included
        .iter()
        .filter_map(|principal| match &principal.scope {
            Scope::All => None,
            Scope::Only(divisions) => Some(divisions),
        })
        .flatten()
        .copied()
        .collect();
    let ships =
        |id: &Uuid| reached.is_none_or(|reached| reached.contains(id)) || limits.contains(id);

    policy
        .divisions()
        .iter()
        .filter(|division| !division.deleted && ships(&division.id))
        .map(|division| (division.id, division.name.clone()))
        .collect()
}

fn principals(
    included: &[&Principal],
    keys: &BTreeMap<Uuid, u32>,
) -> BTreeMap<u32, PrincipalEntry> {
    let entry = |principal: &&Principal| {
        let entry = PrincipalEntry {
            id: principal.id,
            name: principal.name.clone(),
            kind: principal.kind,
            disabled: principal.status == PrincipalStatus::Disabled,
            no_iot_access: !principal.iot_access,
            permissions: principal.permissions,
            scope: principal.scope.clone(),
            end: end(principal.end),
        };
        Some((*keys.get(&principal.id)?, entry))
    };

    included.iter().filter_map(entry).collect()
}

/// Disabled and expired tokens are shipped, so that a gateway can record the true reason; deleted
/// ones, and those of a deleted owner, are not.
fn tokens(
    policy: &Policy,
    included: &[&Principal],
    keys: &BTreeMap<Uuid, u32>,
) -> BTreeMap<u64, TokenEntry> {
    let owners: BTreeSet<Uuid> = included.iter().map(|principal| principal.id).collect();
    policy
        .tokens()
        .iter()
        .filter(|token| token.status != TokenStatus::Deleted && owners.contains(&token.owner))
        .filter_map(|token| {
            let entry = TokenEntry {
                principal: *keys.get(&token.owner)?,
                disabled: token.status == TokenStatus::Disabled,
                end: end(token.end),
                verifier: token.verifier,
            };
            Some((token.lookup.id, entry))
        })
        .collect()
}

/// A resource of a division that is not shipped is left out: a gateway treats it as unknown, never
/// as being in no division (DOMAIN D16).
fn resources(
    policy: &Policy,
    divisions: &BTreeMap<Uuid, String>,
) -> BTreeMap<(u8, Uuid), Option<Uuid>> {
    policy
        .resources()
        .iter()
        .filter(|resource| resource.division.is_none_or(|id| divisions.contains_key(&id)))
        .map(|resource| ((resource.kind, resource.id), resource.division))
        .collect()
}

fn end(day: Option<Day>) -> End {
    day.map_or(End::NEVER, Day::end)
}

#[cfg(test)]
mod tests;
