//! The division of a request: read once, in one spelling, and never guessed.

use std::format;
use std::string::ToString as _;

use super::*;

const PROFILE: &str = "0193a5d4-4444-7c61-8d5e-000000000001";

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
