//! A policy is tried on what was recorded before it is published: `publish --dry-run --replay`.

use gateward_core::topic::GroupTopic;
use gateward_tests::{Deck, Ran};
use serde_json::json;

use crate::hostile::topic;

/// What publishing would do, and what it would have done to the records in the collector's folder.
fn tried(deck: &Deck) -> Ran {
    let (url, folder) = (deck.broker.url(), deck.collected().display().to_string());

    deck.control("publish", &["--broker", &url, "--dry-run", "--replay", &folder])
}

#[test]
fn a_right_that_a_change_takes_away_is_shown_on_recorded_requests_and_nothing_is_published() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let rights = ["--permission", "manage_device,view_license"];
    let mes = deck.service_user("MES sync", &rights);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    let collector = deck.collector();
    let asks = |token: &str, permission: &str, resource: usize| {
        let question =
            json!({ "token": token, "permission": permission, "resource": resource.to_string() });
        assert_eq!(gateway.authorize(&question).json()["allow"], true);
    };
    (0..3).for_each(|device| asks(&mes, "manage_device", device));
    asks(&mes, "view_license", 3);
    asks(&ana, "manage_device", 4);
    collector.has("edge-7a", gateway.status()["audit"]["seq"].as_u64().expect("a number"));
    let before = tried(&deck).ok();
    assert!(
        before.contains("5 requests in 5 records: 0 would be answered otherwise, 5 as they were")
    );
    let retained = || deck.admin().retained(&topic(&deck, GroupTopic::Manifest));
    let manifest = retained();

    drop(deck.control("service-user set", &["MES sync", "--permission", "view_license"]).ok());
    let said = tried(&deck).ok();

    assert!(said.contains("plant-7: 2 gateways"), "who would be reached: {said}");
    assert!(
        said.contains("5 requests in 5 records: 3 would be answered otherwise, 2 as they were"),
        "{said}"
    );
    let changes: Vec<_> = said.lines().filter(|line| line.contains(" becomes ")).collect();
    assert_eq!(changes.len(), 1, "{said}");
    let change = changes[0].trim();
    assert!(change.starts_with("3 x MES sync (service_user)"), "{change}");
    assert!(
        change.contains("manage_device") && change.contains("allow ok becomes deny"),
        "{change}"
    );
    assert_eq!(retained(), manifest, "nothing is published");
    asks(&mes, "manage_device", 5);
    // What was shown is what comes.
    gateway.reaches(deck.publish());
    assert_eq!(gateway.allows(&mes, "manage_device"), Some(false));
    assert_eq!(gateway.allows(&mes, "view_license"), Some(true));
}
