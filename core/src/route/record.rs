//! A rule as a snapshot's extensions hold it, with postcard.
//!
//! Everything is a number or a borrowed text, so that it is read without room for it.

use serde::{Deserialize, Serialize};

use super::pattern::Pattern;
use super::rule::{Accepts, AnyOf, Methods, RouteOperation, Rule};
use super::source::{DivisionSource, ResourceKind};
use crate::permission::Operation;

const PUBLIC: u8 = 0x80;
const ENROLL: u8 = 0x81;
const RESOURCE: u8 = 0x80;

/// A rule that the operator added, as it is written.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct RuleRecord<'a> {
    id: &'a str,
    methods: u8,
    pattern: &'a str,
    /// Ids joined by `|`.
    permissions: &'a str,
    operation: u8,
    accepts: u8,
    division: u8,
    fresh: bool,
    resource: &'a str,
    action: &'a str,
    enabled: bool,
}

impl<'a> RuleRecord<'a> {
    /// Returns the record of a rule.
    #[must_use]
    pub const fn of(rule: &Rule<'a>) -> Self {
        Self {
            id: rule.id,
            methods: rule.methods.0,
            pattern: rule.pattern.as_str(),
            permissions: rule.permissions.0,
            operation: match rule.operation {
                RouteOperation::Enroll => ENROLL,
                RouteOperation::Needs(operation) => operation as u8,
                RouteOperation::Public => PUBLIC,
            },
            accepts: rule.accepts.0,
            division: match rule.division {
                DivisionSource::None => 0,
                DivisionSource::PathDivision => 3,
                DivisionSource::PathResource(kind) => RESOURCE | kind.0,
                DivisionSource::Query => 2,
                DivisionSource::Upstream => 1,
            },
            fresh: rule.fresh,
            resource: rule.resource,
            action: rule.action,
            enabled: rule.enabled,
        }
    }

    /// Returns the rule; none where this build does not know all of it.
    ///
    /// A rule that grants nothing is read all the same: its requests are denied, and the rest of
    /// the snapshot stands (DOMAIN A17, A18).
    #[must_use]
    pub fn rule(self) -> Option<Rule<'a>> {
        let methods = Methods::from_byte(self.methods)?;

        Some(Rule {
            id: self.id,
            methods,
            pattern: Pattern::check(self.pattern).ok()?,
            permissions: AnyOf::new(self.permissions),
            operation: match self.operation {
                ENROLL => RouteOperation::Enroll,
                PUBLIC => RouteOperation::Public,
                byte => RouteOperation::Needs(Operation::from_byte(byte)?),
            },
            accepts: Accepts::from_byte(self.accepts)?,
            division: match self.division {
                0 => DivisionSource::None,
                1 => DivisionSource::Upstream,
                2 => DivisionSource::Query,
                3 => DivisionSource::PathDivision,
                byte if byte & RESOURCE != 0 => {
                    DivisionSource::PathResource(ResourceKind::from_byte(byte & !RESOURCE)?)
                }
                _ => return None,
            },
            fresh: self.fresh,
            resource: self.resource,
            action: self.action,
            enabled: self.enabled,
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::route::RULES;

    #[test]
    fn every_rule_comes_back_from_its_record() {
        for rule in &RULES {
            let bytes = postcard::to_allocvec(&RuleRecord::of(rule)).unwrap();
            let record: RuleRecord<'_> = postcard::from_bytes(&bytes).unwrap();

            assert_eq!(record.rule(), Some(*rule));
        }
    }

    #[test]
    fn a_record_with_anything_unknown_in_it_is_no_rule() {
        let good = RuleRecord::of(&RULES[0]);
        let spoilt: [fn(&mut RuleRecord<'_>); 9] = [
            |record| record.methods = 0,
            |record| record.methods = 0x80,
            |record| record.pattern = "/**/a",
            |record| record.operation = 7,
            |record| record.operation = 0x82,
            |record| record.accepts = 0x10,
            |record| record.division = 4,
            |record| record.division = RESOURCE,
            |record| record.division = RESOURCE | 3,
        ];

        assert!(good.rule().is_some());
        for spoil in spoilt {
            let mut bad = good;
            spoil(&mut bad);
            assert_eq!(bad.rule(), None, "{bad:?}");
        }
    }
}
