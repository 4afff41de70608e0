//! What a policy adds to the built-in permissions and routes, as a snapshot holds it.
//!
//! The other side of `gateward_core::snapshot::ext`: two lists, each with its count before it.

use gateward_core::route::RuleRecord;
use gateward_core::snapshot::ext::PermissionRecord;
use serde::Serialize;

use crate::policy::{Addition, Policy, RouteEntry};

/// Returns the extensions in the order of bits and of ids; nothing where there are none.
pub(crate) fn ext(policy: &Policy) -> Vec<u8> {
    let permissions = policy.catalogue().additions();
    let mut routes: Vec<_> = policy.routes().iter().filter_map(RouteEntry::rule).collect();
    if permissions.is_empty() && routes.is_empty() {
        return Vec::new();
    }
    routes.sort_by_key(|rule| rule.id);
    let mut bytes = Vec::new();
    list(&mut bytes, permissions.iter().map(permission));
    list(&mut bytes, routes.iter().map(RuleRecord::of));

    bytes
}

fn permission(added: &Addition) -> PermissionRecord<'_> {
    PermissionRecord {
        bit: added.permission.bit(),
        id: &added.id,
        ops: added.ops.0,
        fresh_ops: added.fresh_ops.0,
        division_scoped: added.division_scoped,
    }
}

/// Postcard writes numbers, flags and texts without a case that fails, and counts are checked when
/// the policy is read.
fn list<T: Serialize>(bytes: &mut Vec<u8>, items: impl ExactSizeIterator<Item = T>) {
    let count = u16::try_from(items.len()).unwrap_or(u16::MAX);
    bytes.extend(postcard::to_allocvec(&count).unwrap_or_default());
    items.for_each(|item| bytes.extend(postcard::to_allocvec(&item).unwrap_or_default()));
}

#[cfg(test)]
mod tests {
    use gateward_core::route::find;
    use gateward_core::snapshot::unsigned;

    use crate::compile::compile;
    use crate::testing::with;

    #[test]
    fn what_is_added_is_found_again_in_the_snapshot() {
        let toml = "[[permissions]]\nid = \"scan\"\nbit = 20\nops = [\"write\"]\n\
                    [[routes]]\nid = \"net.scan\"\nmethods = [\"POST\"]\npattern = \"/net/scan\"\n\
                    op = \"write\"\npermission_any_of = [\"scan\"]\nresource_action = \"net/scan\"\n";
        let snapshot = unsigned(compile(&with(toml).unwrap(), "plant-7").unwrap()).unwrap();
        let ext = snapshot.view().ext();

        assert_eq!(ext.permission("scan").unwrap().permission.bit(), 20);
        assert_eq!(find("POST", "/net/scan", ext.routes()).unwrap().rule.id, "net.scan");
        assert!(find("POST", "/net/scan", [].into_iter()).is_err());
    }
}
