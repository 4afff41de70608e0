//! The built-in table: as a whole, and what single rules of it promise.

use super::*;

const TABLE: &str = include_str!("../../../data/routes.tsv");

#[test]
fn the_table_in_the_product_is_the_table_in_the_data() {
    let rows = TABLE.lines().skip(1).map(|line| line.split('\t').collect::<std::vec::Vec<_>>());

    assert_eq!(RULES.len(), 84);
    assert_eq!(rows.clone().count(), RULES.len());
    for (rule, row) in RULES.iter().zip(rows) {
        let [id, methods, pattern, any_of, op, auth, division, stale, name, _] = row[..] else {
            panic!("{row:?}")
        };
        let (resource, action) = name.split_once('/').unwrap();
        let read = Rule {
            id,
            methods: Methods::parse(methods).unwrap(),
            pattern: Pattern::check(pattern).unwrap(),
            permissions: AnyOf::new(if any_of == "-" { "" } else { any_of }),
            operation: RouteOperation::parse(op).unwrap(),
            accepts: Accepts::parse(auth).unwrap(),
            division: DivisionSource::parse(division).unwrap(),
            fresh: stale == "fresh",
            resource,
            action,
            enabled: !matches!(id, "scep" | "acme"),
        };
        assert_eq!(*rule, read);
        assert_eq!(rule.check(), Ok(()), "{id}");
    }
}

#[test]
fn every_rule_has_a_request_that_finds_it_and_no_other() {
    // Switched on, so that the two that are off can be found as well.
    let added = RULES.iter().filter(|rule| !rule.enabled).map(|r| Rule { enabled: true, ..*r });
    for (rule, number) in RULES.iter().zip(0..) {
        let target = sample(rule.pattern.as_str());
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let allowed = rule.methods.intersect(Methods::one(method).unwrap());
            match find(method, &target, added.clone()) {
                Ok(found) if allowed => assert_eq!(found.rule.id, rule.id, "{method} {target}"),
                other => assert!(!allowed, "{method} {target}: {other:?}"),
            }
            if allowed && rule.enabled {
                assert_eq!(found(method, &target).unwrap().number, number);
            }
        }
    }
}

#[test]
fn g12_no_two_rules_of_the_table_have_the_same_claim() {
    for (at, one) in RULES.iter().enumerate() {
        for other in &RULES[at + 1..] {
            assert!(!ambiguous(one, other), "{} {}", one.id, other.id);
            assert_ne!(one.id, other.id);
        }
    }
}

#[test]
fn every_permission_of_the_table_is_in_the_catalogue_and_can_grant_the_operation() {
    use crate::permission::Entry;

    for rule in &RULES {
        let RouteOperation::Needs(operation) = rule.operation else { continue };
        let granting = |id: &str| {
            let entry = Entry::named(id);
            assert!(entry.is_some(), "{id}");
            entry.is_some_and(|entry| entry.ops.contains(operation))
        };
        assert!(rule.permissions.ids().any(granting), "{}", rule.id);
    }
}

#[test]
fn f15_only_requests_renewals_and_batches_take_a_passcode() {
    assert!(!found("GET", "/iot/api/v1/audit-log").unwrap().rule.accepts.passcode());
    let takes = RULES.iter().filter(|rule| rule.accepts.passcode()).map(|rule| rule.id);
    assert!(takes.eq(["cert.request", "cert.renew", "batch.create"]));
}

#[test]
fn g10_accounts_are_not_administered_through_a_gateway() {
    assert_eq!(id("GET", "/account/api/v1/user"), Err(NoRoute::Unknown));
}

#[test]
fn g11_revocation_lists_are_not_served() {
    assert_eq!(id("POST", "/ocsp"), Err(NoRoute::Unknown));
    assert_eq!(id("GET", "/crl/x.crl"), Err(NoRoute::Unknown));
}

#[test]
fn g15_the_ca_certificates_of_enrolment_pass_through_without_a_credential() {
    let found = found("GET", "/.well-known/est/x/cacerts").unwrap();

    assert_eq!(found.rule.operation, RouteOperation::Enroll);
    assert!(found.rule.accepts.passes_through());
}
