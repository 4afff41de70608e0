//! Whether requests find the rule that they should, and no weaker one.

extern crate std;

mod division;
mod paths;
mod properties;
mod recorded;
mod rules;
mod table;

use std::iter;
use std::string::String;

use super::*;

/// A rule that an operator might add.
fn rule(id: &'static str, methods: &str, pattern: &'static str) -> Rule<'static> {
    Rule {
        id,
        methods: Methods::parse(methods).unwrap(),
        pattern: Pattern::check(pattern).unwrap(),
        permissions: AnyOf::new("manage_device"),
        operation: RouteOperation::Needs(Operation::Read),
        accepts: Accepts::parse("key").unwrap(),
        division: DivisionSource::None,
        fresh: false,
        resource: "thing",
        action: "view",
        enabled: true,
    }
}

fn found(method: &str, target: &str) -> Result<Found<'static>, NoRoute> {
    find(method, target, iter::empty())
}

fn id(method: &str, target: &str) -> Result<&'static str, NoRoute> {
    found(method, target).map(|found| found.rule.id)
}

fn with(added: &[Rule<'static>], method: &str, target: &str) -> Result<&'static str, NoRoute> {
    find(method, target, added.iter().copied()).map(|found| found.rule.id)
}

/// A request target that `pattern` matches.
fn sample(pattern: &str) -> String {
    pattern.replace("{v:ver}", "v1").replace("**", "s1/s2").replace(['{', '}'], "_")
}
