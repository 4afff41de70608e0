//! Paths, methods and what stands around them: whatever could be read in two ways finds no rule.

use std::format;

use super::*;

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
fn g14_a_query_is_ignored_for_routing() {
    for query in ["x=%00", "x=/../..", "a=b?c=d", "//", "%", ";"] {
        assert_eq!(id("GET", &format!("/iot/api/v1/certificate?{query}")), Ok("cert.list"));
    }
}
