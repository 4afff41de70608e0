//! Whether requests find the rule that they should, and no weaker one.

extern crate std;

mod properties;
mod table;

use std::format;
use std::iter;
use std::string::{String, ToString as _};

use super::*;

const PROFILE: &str = "0193a5d4-4444-7c61-8d5e-000000000001";

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
fn d11_a_list_without_a_division_is_left_to_the_upstream_to_filter() {
    for target in ["/iot/api/v1/device", "/iot/api/v1/device?", "/iot/api/v1/device?limit=3&x"] {
        assert_eq!(found("GET", target).unwrap().division, DivisionText::Absent, "{target}");
    }
}

#[test]
fn d13_a_division_is_read_once_as_one_id_however_it_is_written() {
    let id = Uuid::parse(PROFILE).unwrap();
    let spelt =
        |query: &str| found("GET", &format!("/iot/api/v1/device?{query}")).unwrap().division;

    for query in [
        format!("division_id={PROFILE}"),
        format!("limit=3&division_id={}&offset=4", PROFILE.to_uppercase()),
        format!("division%5fid={}", PROFILE.replace('-', "%2D").replace('0', "%30")),
    ] {
        assert_eq!(spelt(&query), DivisionText::Id(id), "{query}");
    }
    for query in [
        format!("division_id={PROFILE}&division_id={PROFILE}"),
        format!("division_id={PROFILE}&x=1&division%5Fid=0193a5d4-4444-7c61-8d5e-000000000002"),
        format!("division_id={PROFILE};division_id={PROFILE}"),
        format!("x=1;division_id={PROFILE}"),
        format!("division_id={PROFILE};x"),
        format!("Division_Id={PROFILE}"),
        format!("division_id[]={PROFILE}"),
        format!("division_id%5B0%5D={PROFILE}"),
        format!("+division_id={PROFILE}"),
        format!("division_id+={PROFILE}"),
        format!("division_id%00={PROFILE}"),
        format!("division_id={PROFILE}0"),
        format!("division_id=IOT_{PROFILE}"),
        format!("division_id={}", PROFILE.replace('-', "%252D")),
        format!("division_id=%{PROFILE}"),
        "division_id=".to_string(),
        "division_id".to_string(),
        "division_id=plant-7".to_string(),
        format!("division_id={PROFILE}&x={}", "y".repeat(8_192)),
    ] {
        assert_eq!(spelt(&query), DivisionText::Bad, "{query}");
    }
    for query in ["division_ids=1", "division=1", "xdivision_id=1", "id=division_id", "%=1&=2"] {
        assert_eq!(spelt(query), DivisionText::Absent, "{query}");
    }
}

#[test]
fn d14_a_division_in_the_body_is_left_to_the_upstream() {
    let found = found("POST", &format!("/iot/api/v1/certificate?division_id={PROFILE}")).unwrap();

    assert_eq!(found.rule.division, DivisionSource::Upstream);
    assert_eq!(found.division, DivisionText::Absent);
}

#[test]
fn d15_the_profile_of_an_enrolment_path_is_found_and_no_key_is_taken_there() {
    for target in [
        format!("/.well-known/est/IOT_{PROFILE}/simpleenroll"),
        format!("/.well-known/est/{PROFILE}/simpleenroll"),
        format!("/iot/api/v1/cmp/IOT_{PROFILE}"),
    ] {
        let found = found("POST", &target).unwrap();

        assert_eq!(found.resource_id, Uuid::parse(PROFILE), "{target}");
        assert!(found.rule.accepts.device() && !found.rule.accepts.key());
    }
    let policy = format!("/.well-known/est/devicetrustmanager/{PROFILE}/device-group/d/cacerts");
    let found = found("GET", &policy).unwrap();
    assert_eq!(found.rule.division, DivisionSource::PathResource(ResourceKind::POLICY));
    assert_eq!(found.resource_id, Uuid::parse(PROFILE));
}

#[test]
fn d16_a_profile_that_is_not_an_id_is_unknown_never_without_a_division() {
    for end in ["", "/", "/search", "/IOT_", "/iot_0193a5d4-4444-7c61-8d5e-000000000001"] {
        let found = found("GET", &format!("/iot/api/v1/enrollment-profile{end}")).unwrap();

        assert_eq!(found.resource_id, None, "{end}");
        assert!(matches!(found.rule.division, DivisionSource::PathResource(_)));
    }
}

#[test]
fn the_division_in_a_path_is_the_first_segment_of_the_tail() {
    let of = |end: &str| found("GET", &format!("/iot/api/v1/division{end}")).unwrap().division;
    let id = Uuid::parse(PROFILE).unwrap();

    assert_eq!(of(""), DivisionText::Absent);
    assert_eq!(of(&format!("/{PROFILE}")), DivisionText::Id(id));
    assert_eq!(of(&format!("/{PROFILE}/users")), DivisionText::Id(id));
    assert_eq!(of("/plant-7"), DivisionText::Bad);
}

#[test]
fn f12_the_query_is_never_recorded() {
    let target = "/iot/api/v1/certificate?x-api-key=secret&division_id=1";

    assert_eq!(found("GET", target).unwrap().path.as_str(), "/iot/api/v1/certificate");
    assert_eq!(NormalPath::of(target).as_str(), "/iot/api/v1/certificate");
    assert_eq!(NormalPath::of("/a#x-api-key=secret").as_str(), "/a");
    assert_eq!(NormalPath::of("https://user:secret@host/a").as_str(), "…");
    assert_eq!(NormalPath::of("").as_str(), "…");
}

#[test]
fn f15_only_requests_renewals_and_batches_take_a_passcode() {
    assert!(!found("GET", "/iot/api/v1/audit-log").unwrap().rule.accepts.passcode());
    let takes = RULES.iter().filter(|rule| rule.accepts.passcode()).map(|rule| rule.id);
    assert!(takes.eq(["cert.request", "cert.renew", "batch.create"]));
}

#[test]
fn g1_one_slash_at_the_end_is_the_same_route_and_any_other_is_none() {
    assert_eq!(id("GET", "/iot/api/v1/certificate/"), Ok("cert.list"));
    for target in [
        "//iot/api/v1/certificate",
        "/iot/api/v1//certificate",
        "/iot/api/v1/certificate//",
        "/iot/api/v1/certificate//renew",
        "/iot/api-docs//",
        "/",
        "//",
    ] {
        assert_eq!(id("GET", target), Err(NoRoute::Unknown), "{target}");
    }
}

#[test]
fn g2_a_path_with_dot_segments_is_never_matched_as_public() {
    for target in [
        "/iot/api/v1/health/heartbeat/../../certificate",
        "/iot/api-docs/../api/v1/certificate",
        "/iot/api-docs/..",
        "/iot/api-docs/.",
        "/iot/./api/v1/certificate",
    ] {
        assert_eq!(id("GET", target), Err(NoRoute::Unknown), "{target}");
    }
    assert_eq!(id("GET", "/iot/api-docs/..."), Ok("docs.read"));
}

#[test]
fn g3_escapes_are_decoded_once_and_what_could_be_read_twice_is_refused() {
    assert_eq!(id("GET", "/iot/api/v1/%63ertificate/%61"), Ok("cert.get"));
    assert_eq!(id("GET", "/iot/api/v1/certificate/a%20b"), Ok("cert.get"));
    for piece in [
        "%2e%2e",
        "%2E",
        ".%2e",
        "a%2Fb",
        "a%2fb",
        "%252F",
        "%25",
        "a;jsessionid=1",
        "a%3Bb",
        "a\\b",
        "a%5Cb",
        "a%00",
        "a%0a",
        "a%7f",
        "a%C2%85",
        "a%3Fb",
        "a%23b",
        "%",
        "%4",
        "%zz",
        "%+1",
        "%ff",
        "%c0%af",
        "%c0%ae%c0%ae",
        "%e0%80%af",
        "a\n",
        "a\0",
    ] {
        for target in [format!("/iot/api-docs/{piece}"), format!("/iot/api/v1/certificate/{piece}")]
        {
            assert_eq!(id("GET", &target), Err(NoRoute::Unknown), "{target:?}");
        }
    }
}

#[test]
fn g4_paths_and_methods_are_case_sensitive() {
    for target in ["/IOT/API/v1/Certificate", "/iot/api/V1/certificate", "/iot/api/v1/Certificate"]
    {
        assert_eq!(id("GET", target), Err(NoRoute::Unknown), "{target}");
    }
    assert_eq!(id("get", "/iot/api/v1/certificate"), Err(NoRoute::Method));
}

#[test]
fn g5_a_version_is_a_v_and_one_or_two_digits() {
    for version in ["v1", "v2", "v10", "%761"] {
        assert_eq!(id("GET", &format!("/iot/api/{version}/certificate")), Ok("cert.list"));
    }
    for version in ["v", "vX", "v1.0", "v100", "1", "v-1", "v+1", "v%EF%BC%91", "{v:ver}", "vv1"] {
        let target = format!("/iot/api/{version}/certificate");
        assert_eq!(id("GET", &target), Err(NoRoute::Unknown), "{target}");
    }
}

#[test]
fn g6_head_follows_get_unless_a_rule_names_it() {
    assert_eq!(id("HEAD", "/iot/api/v1/certificate"), Ok("cert.list"));
    assert_eq!(id("HEAD", "/iot/api/v1/certificate/7/renew"), Ok("cert.sub.read"));
    assert_eq!(id("HEAD", "/iot/api/v1/cmp/x"), Err(NoRoute::Method));

    let named = rule("x", "HEAD", "/iot/api/{v:ver}/certificate");
    let broad = rule("y", "HEAD", "/iot/**");
    for added in [[named, broad], [broad, named]] {
        assert_eq!(with(&added, "HEAD", "/iot/api/v1/certificate"), Ok("x"));
        assert_eq!(with(&added, "GET", "/iot/api/v1/certificate"), Ok("cert.list"));
        assert_eq!(with(&added, "HEAD", "/iot/api/v1/device"), Ok("device.list"));
    }
}

#[test]
fn g7_other_methods_are_refused_unless_a_rule_names_them() {
    let target = "/iot/api/v1/certificate";
    for method in ["OPTIONS", "TRACE", "CONNECT", "PROPFIND", "", "GET ", "GET,POST", "*"] {
        assert_eq!(id(method, target), Err(NoRoute::Method), "{method}");
        assert_eq!(id(method, "/nowhere"), Err(NoRoute::Unknown), "{method}");
    }
    let preflight = rule("cors", "OPTIONS", "/iot/api/{v:ver}/**");
    assert_eq!(with(&[preflight], "OPTIONS", target), Ok("cors"));
    assert_eq!(Methods::parse("TRACE"), None);
    assert_eq!(id("DELETE", target), Err(NoRoute::Method));
    assert_eq!(NoRoute::Method.reason(), Reason::MethodNotAllowed);
    assert_eq!(NoRoute::Unknown.reason(), Reason::RouteUnknown);
}

#[test]
fn g9_a_target_that_is_not_an_absolute_path_is_unknown_never_the_root() {
    let root = [rule("root", "GET", "/**")];
    assert_eq!(with(&root, "GET", "/"), Ok("root"));
    for target in [
        "",
        "*",
        "?division_id=1",
        "iot/api/v1/certificate",
        "http://host/iot/api/v1/certificate",
        "host:443",
        " /iot/api/v1/certificate",
        "/iot/api/v1/certificate#",
        "/iot/api/v1/certificate?x#y",
    ] {
        assert_eq!(with(&root, "GET", target), Err(NoRoute::Unknown), "{target}");
    }
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
fn g13_long_deep_and_unreadable_paths_are_refused_and_recorded_cut() {
    let docs = "/iot/api-docs";
    let len = |len: usize| format!("{docs}/{}", "a".repeat(len - docs.len() - 1));
    let deep = |segments: usize| format!("{docs}{}", "/a".repeat(segments - 2));

    assert_eq!(id("GET", &len(2_048)), Ok("docs.read"));
    assert_eq!(id("GET", &len(2_049)), Err(NoRoute::Unknown));
    assert_eq!(id("GET", &deep(64)), Ok("docs.read"));
    assert_eq!(id("GET", &deep(65)), Err(NoRoute::Unknown));
    assert_eq!(id("GET", &deep(2_000)), Err(NoRoute::Unknown));

    for target in [len(2_048), len(8_192), deep(2_000)] {
        let path = NormalPath::of(&target);
        assert_eq!(path.as_str().len(), 256);
        assert_eq!(path.as_str().strip_suffix('…'), target.get(..253));
    }
    assert_eq!(found("GET", &len(2_048)).unwrap().path, NormalPath::of(&len(2_048)));
    assert_eq!(NormalPath::of(&len(256)).as_str(), len(256));
    let masked = format!("/gwd1.AAAAAAAAAAAA.{}", "S".repeat(3_000));
    assert_eq!(NormalPath::of(&masked).as_str(), "/gwd1.AAAAAAAAAAAA.***…");
    assert!(NormalPath::of(&format!("/{}", "ß".repeat(200))).as_str().ends_with("ß…"));
    assert_eq!(NormalPath::of("/a%ffb%zz%2").as_str(), "/a\u{fffd}b%zz%2");
}

#[test]
fn g14_a_query_is_ignored_for_routing() {
    for query in ["x=%00", "x=/../..", "a=b?c=d", "//", "%", ";"] {
        assert_eq!(id("GET", &format!("/iot/api/v1/certificate?{query}")), Ok("cert.list"));
    }
}

#[test]
fn g15_the_ca_certificates_of_enrolment_pass_through_without_a_credential() {
    let found = found("GET", "/.well-known/est/x/cacerts").unwrap();

    assert_eq!(found.rule.operation, RouteOperation::Enroll);
    assert!(found.rule.accepts.passes_through());
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
fn i4_a_token_in_a_path_is_recorded_without_its_secret() {
    let secret = "S".repeat(48);
    for dot in [".", "%2e", "%252E"] {
        let target = format!("/iot/api/v1/certificate/gwd1{dot}AAAAAAAAAAAA{dot}{secret}/x?y");
        let path = NormalPath::of(&target);

        assert_eq!(path.as_str(), "/iot/api/v1/certificate/gwd1.AAAAAAAAAAAA.***/x");
        if let Ok(found) = found("GET", &target) {
            assert_eq!(found.path, path);
        }
    }
    // Masked before it is cut: wherever the cut falls, no character of the secret is left.
    for len in 180..300 {
        let target = format!("/{}/gwd1.AAAAAAAAAAAA.{secret}", "x".repeat(len));
        assert!(!NormalPath::of(&target).as_str().contains('S'), "{len}");
        let long = format!("/{}/gwd1.AAAAAAAAAAAA.{secret}", "%ff".repeat(560 + len));
        assert!(!NormalPath::of(&long).as_str().contains('S'), "{len}");
    }
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

/// A request target that `pattern` matches.
fn sample(pattern: &str) -> String {
    pattern.replace("{v:ver}", "v1").replace("**", "s1/s2").replace(['{', '}'], "_")
}
