//! Rules that a policy adds: which are refused, and which of several is taken.

use std::string::ToString as _;

use super::*;

#[test]
fn a17_a_rule_that_names_an_unknown_permission_grants_nothing() {
    let known = |id: &str| crate::permission::Entry::named(id).map(|entry| entry.permission);

    for ids in ["manage_device|manage_teapot", "manage_teapot|manage_device", "manage_teapot"] {
        assert_eq!(AnyOf::new(ids).resolve(known), Err(UnknownPermission("manage_teapot")));
    }
    let both = AnyOf::new("manage_device|view_certificate").resolve(known).unwrap();
    assert_eq!(both.iter().count(), 2);
}

#[test]
fn a18_an_empty_list_grants_nothing_and_a_policy_with_one_is_refused() {
    for ids in ["", "|"] {
        let none = AnyOf::new(ids);
        let rule = Rule { permissions: none, ..rule("x", "GET", "/x") };

        assert_eq!(none.resolve(|_| panic!("there is no id")), Ok(Default::default()));
        assert_eq!(rule.check(), Err(BadRule::NoPermission));
        let public = Rule { operation: RouteOperation::Public, accepts: Accepts::NONE, ..rule };
        assert_eq!(public.check(), Ok(()));
    }
}

#[test]
fn g12_two_rules_with_the_same_claim_are_found_and_neither_is_taken() {
    let one = rule("one", "GET POST", "/a/{x}/b");
    let other = rule("other", "GET", "/a/{y}/b");
    assert!(ambiguous(&one, &other) && ambiguous(&other, &one));
    assert_eq!(with(&[one, other], "GET", "/a/1/b"), Err(NoRoute::Unknown));
    assert_eq!(with(&[one, other], "POST", "/a/1/b"), Ok("one"));

    for unlike in [
        rule("x", "PUT", "/a/{y}/b"),
        rule("x", "HEAD", "/a/{y}/c"),
        rule("x", "GET", "/a/{y}/b/**"),
        rule("x", "GET", "/a/{y}/{z}"),
        rule("x", "GET", "/a/{y:ver}/b"),
        rule("x", "GET", "/a/{y}"),
    ] {
        assert!(!ambiguous(&one, &unlike) && !ambiguous(&unlike, &one), "{unlike:?}");
    }
    let better = rule("better", "GET", "/a/1/b");
    for added in [[one, other, better], [better, one, other], [one, better, other]] {
        assert_eq!(with(&added, "GET", "/a/1/b"), Ok("better"));
    }
}

#[test]
fn g16_scep_and_acme_are_refused_until_a_policy_switches_them_on() {
    let broad = rule("all", "GET POST HEAD", "/iot/**");
    for (name, target) in [("scep", "/iot/api/v1/scep/x/y"), ("acme", "/iot/api/v1/acme/x/y")] {
        let built_in = *RULES.iter().find(|rule| rule.id == name).unwrap();
        assert_eq!(id("GET", target), Err(NoRoute::Unknown));
        assert_eq!(id("DELETE", target), Err(NoRoute::Unknown));
        assert_eq!(with(&[broad], "GET", target), Err(NoRoute::Unknown));
        assert_eq!(with(&[Rule { enabled: true, ..built_in }], "GET", target), Ok(name));
    }
    let off =
        Rule { enabled: false, ..rule("cert.get", "GET", "/iot/api/{v:ver}/certificate/{id}") };
    assert_eq!(with(&[off], "GET", "/iot/api/v1/certificate/7"), Err(NoRoute::Unknown));
    assert_eq!(with(&[off], "GET", "/iot/api/v1/certificate/7/x"), Ok("cert.sub.read"));
}

#[test]
fn an_added_rule_stands_in_for_the_built_in_one_of_its_id_and_has_its_own_number() {
    let moved = rule("cert.list", "GET", "/elsewhere");
    let other = rule("other", "GET", "/other");

    assert_eq!(with(&[other, moved], "GET", "/iot/api/v1/certificate"), Err(NoRoute::Method));
    let found = find("GET", "/elsewhere", [other, moved].into_iter()).unwrap();
    assert_eq!((found.rule.id, found.number), ("cert.list", ADDED | 1));
    assert_eq!(numbered(found.number, [other, moved].into_iter()), Some(moved));
    assert_eq!(numbered(1, iter::empty()).map(|rule| rule.id), Some("cert.list"));
    assert_eq!(numbered(84, iter::empty()), None);
    assert_eq!(numbered(ADDED | 2, [other, moved].into_iter()), None);
}

#[test]
fn a_rule_that_contradicts_itself_is_refused_with_a_way_to_mend_it() {
    let good = rule("x", "GET", "/x/{ep}");
    let public = Rule { operation: RouteOperation::Public, accepts: Accepts::NONE, ..good };
    let none = AnyOf::default();
    let profile = DivisionSource::PathResource(ResourceKind::ENROLLMENT_PROFILE);
    for (bad, why) in [
        (Rule { id: "", ..good }, BadRule::Name),
        (Rule { action: "a b", ..good }, BadRule::Name),
        (Rule { accepts: Accepts::DEVICE, ..good }, BadRule::NoKey),
        (Rule { division: DivisionSource::PathDivision, ..good }, BadRule::NoSlot),
        (public, BadRule::UselessPermission),
        (Rule { permissions: none, accepts: Accepts::DEVICE, ..public }, BadRule::NotPublic),
        (
            Rule { permissions: none, operation: RouteOperation::Enroll, ..good },
            BadRule::NotADevice,
        ),
    ] {
        assert_eq!(bad.check(), Err(why), "{bad:?}");
        assert!(!why.to_string().ends_with('.'));
    }
    assert_eq!(Rule { division: profile, ..good }.check(), Ok(()));
}
