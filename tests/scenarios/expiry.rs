//! A gateway that hears nothing new first refuses what must be fresh, then everything.

use gateward_tests::{Deck, Gateway, until};
use serde_json::json;

/// What remains after publishing, in seconds: the shortest limits that a policy may have, less the
/// time by which it is published too early.
const EARLIER: u64 = 290;

fn readiness(gateway: &Gateway) -> String {
    gateway.get("/readyz").text().trim().to_owned()
}

#[test]
fn b11_h13_h14_a_snapshot_grows_stale_then_expires_and_is_refreshed() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.edit_policy("stale_after_s = 86400", "stale_after_s = 300");
    deck.edit_policy("expires_after_s = 604800", "expires_after_s = 316");
    let mut gateway = deck.gateway("edge-7a");
    gateway.start();
    deck.publish_earlier(EARLIER);
    gateway.is_ready();
    let ask = |permission: &str| {
        let question = json!({ "token": ana, "permission": permission, "operation": "write" });
        gateway.authorize(&question)
    };
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));

    until("a stale snapshot", || (readiness(&gateway) == "stale").then_some(()));
    let fresh = ask("manage_settings");
    let other = ask("manage_device");
    assert_eq!(fresh.json()["allow"], false, "H13");
    assert_eq!(other.json()["allow"], true, "H13");
    assert_eq!(other.json()["snapshot"]["stale"], true);
    assert_eq!(gateway.cli(&["healthcheck"]).code, 0);

    until("an expired snapshot", || (readiness(&gateway) == "refusing").then_some(()));
    let expired = ask("manage_device");
    assert_eq!(expired.status, 503, "H14");
    assert_eq!(expired.json()["code"], "snapshot_expired");
    assert!(expired.header("retry-after").is_some());
    let route = [("x-original-method", "GET"), ("x-original-uri", "/iot/api/v1/device")];
    assert_eq!(gateway.nginx(&[route[0], route[1], ("x-api-key", &ana)]).status, 403, "B11");
    let est = [("x-original-method", "GET"), ("x-original-uri", "/.well-known/est/any/cacerts")];
    assert_eq!(gateway.nginx(&est).status, 204);
    assert_eq!(gateway.cli(&["healthcheck"]).code, 1);
    let check = gateway.cli_with(&["check", "--permission", "manage_device"], ana.as_bytes());
    assert_eq!(check.code, 75, "{}", check.err);

    // The same content again, signed now.
    deck.publish();
    until("a fresh snapshot", || (readiness(&gateway) == "fresh").then_some(()));
    assert_eq!(gateway.version(), Some(1));
    assert_eq!(ask("manage_settings").json()["allow"], true);
}
