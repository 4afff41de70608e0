//! Rules that this build cannot judge: said once when a snapshot comes into force (DOMAIN A17).

use gateward_core::snapshot::View;
use tracing::warn;

/// Warns of every rule that names a permission which neither this build nor the snapshot knows;
/// requests on it are denied.
pub(super) fn warn_of_unknown(view: &View<'_>) {
    for (rule, permission) in unknown(view) {
        warn!(
            rule,
            permission, "a route names an unknown permission, so nobody passes; update the agent"
        );
    }
}

fn unknown<'a>(view: &View<'a>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let ext = view.ext();
    ext.routes().flat_map(move |rule| {
        let unknown = move |id: &&str| ext.permission(id).is_none();
        rule.permissions.ids().filter(unknown).map(move |permission| (rule.id, permission))
    })
}

#[cfg(test)]
mod tests {
    use gateward_core::name::Uuid;
    use gateward_core::route::{AnyOf, RULES, Rule, RuleRecord};
    use gateward_core::snapshot::build::{Contents, VerifierLen};
    use gateward_core::snapshot::unsigned;

    use super::*;

    #[test]
    fn a17_a_rule_that_names_an_unknown_permission_is_told() {
        let known = RULES.iter().find(|rule| rule.id == "device.list").unwrap();
        let permissions = AnyOf::new("manage_device|fly_to_the_moon");
        let odd = Rule { id: "odd", permissions, ..*known };
        let mut ext = postcard::to_allocvec(&0_u16).unwrap();
        ext.extend(postcard::to_allocvec(&2_u16).unwrap());
        for rule in [known, &odd] {
            ext.extend(postcard::to_allocvec(&RuleRecord::of(rule)).unwrap());
        }
        let contents = Contents { account: Uuid([7; 16]), ext, ..Contents::default() };
        let opened = unsigned(contents.compile(VerifierLen::Full).unwrap()).unwrap();

        assert!(unknown(&opened.view()).eq([("odd", "fly_to_the_moon")]));
    }
}
