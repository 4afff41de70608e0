//! A line has what the contract says, in its order, and no text from outside breaks out of it.

use gateward_core::audit::{Event, UnixMillis, Who};
use gateward_core::decide::Reason;
use gateward_core::token::Lookup;

use super::*;

const ORIGIN: Origin = Origin {
    account: Uuid([0x11; 16]),
    gateway: GatewayId([0x22; 16]),
    incarnation: Incarnation([0; 8]),
};

#[test]
fn a_decision_is_one_line_in_the_order_of_the_contract() {
    let record = Record {
        seq: 7,
        boot: 2,
        created_at: UnixMillis(1_700_000_000_005),
        authentication: Authentication::ApiToken,
        principal: Some(Who { id: Uuid([3; 16]), name: "ana\"\nruiz" }),
        credential: Credential::Verified(Lookup { kind: 1, id: 5 }),
        snapshot_version: 9,
        ..Record::new(Outcome::Allow(Reason::Ok))
    };
    let snapshot = SnapshotName { epoch: 1, number: 9, root: [0xab; 32] };
    let line = line(&record, &ORIGIN, Some(snapshot), &Head([0xcd; 32]));

    assert!(line.starts_with(
        r#"{"seq":7,"boot_id":2,"created_at":"2023-11-14T22:13:20.005Z","time_quality":"unknown","account_id":"11111111-"#
    ), "{line}");
    assert!(line.contains(r#""authentication":"ana\"\nruiz""#), "{line}");
    assert!(line.contains(&format!(r#""snapshot_root":"{}""#, "ab".repeat(32))), "{line}");
    assert!(!line.contains("null") && !line.contains('\n'), "{line}");
}

proptest::proptest! {
    #[test]
    fn a_line_is_the_json_that_others_would_write(
        text in "\\PC{0,20}|[\\x00-\\x7f]{0,40}",
        number in proptest::num::u64::ANY,
    ) {
        // No two are alike, so none can stand for another.
        let text = |name: &str| Cow::Owned(format!("{name} {text}"));
        let full = Line {
            seq: number,
            boot_id: 4,
            created_at: text("created_at"),
            time_quality: text("time_quality"),
            account_id: text("account_id"),
            gateway_id: text("gateway_id"),
            authentication_type: Some(text("authentication_type")),
            authentication_id: Some(text("authentication_id")),
            authentication: Some(text("authentication")),
            credential_id: Some(text("credential_id")),
            action: Some(text("action")),
            operation: Some(text("operation")),
            permission: Some(text("permission")),
            division_id: Some(text("division_id")),
            resource: Some(text("resource")),
            method: Some(text("method")),
            path: Some(text("path")),
            decision: text("decision"),
            reason: Some(text("reason")),
            snapshot_root: Some(text("snapshot_root")),
            source: Some(text("source")),
            request_id: Some(text("request_id")),
            decision_id: text("decision_id"),
            head: text("head"),
            snapshot_version: Some(number / 3),
            stale: Some(number % 2 == 0),
            mono_ms: number / 2,
            route_id: Some(7),
            count: Some(2),
            dropped_before: Some(3),
        };
        for line in [full, Line::default()] {
            proptest::prop_assert_eq!(line.to_json(), serde_json::to_string(&line).unwrap());
        }
    }
}

#[test]
fn i3_what_a_request_only_claimed_is_marked_unverified() {
    let record = Record {
        credential: Credential::Unverified(Lookup { kind: 1, id: 5 }),
        ..Record::new(Outcome::Deny(Reason::UnknownToken))
    };
    let line = line(&record, &ORIGIN, None, &Head::START);

    assert!(line.contains(r#""credential_id":"unverified:AQ"#), "{line}");
    assert!(line.contains(r#""authentication_type":"none""#), "{line}");
    assert!(!line.contains(r#""authentication":"#), "{line}");
}

#[test]
fn an_event_says_what_happened_and_which_numbers_it_is_about() {
    let record = Record {
        resource: Some("missing at start"),
        span: Some((3, 9)),
        ..Record::new(Outcome::Event(Event::Gap))
    };
    let line = line(&record, &ORIGIN, None, &Head::START);

    assert!(line.contains(r#""action":"gap","resource":"missing at start 3..=9""#), "{line}");
    assert!(line.contains(r#""decision":"event""#) && !line.contains("reason"), "{line}");
    assert!(human(&record).contains("event gap - missing at start 3..=9"));
}
