//! Without the broker a gateway goes on with what it has, and with it again it catches up.

use gateward_tests::{Deck, until};
use serde_json::json;

#[test]
fn with_the_cable_out_a_restarted_gateway_still_decides() {
    let mut deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin", "--division", "plant-7"]);
    let version = deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    deck.broker.kill();

    assert_eq!(gateway.allows(&ana, "view_license"), Some(true));
    assert!(gateway.stop().success());
    gateway.start_ready();
    assert_eq!(gateway.version(), Some(version));
    gateway.kill();
    gateway.start_ready();

    assert_eq!(gateway.version(), Some(version));
    assert_eq!(gateway.allows(&ana, "view_license"), Some(true));
    let limited = json!({ "token": ana, "permission": "manage_device", "division": "plant-8" });
    assert_eq!(gateway.authorize(&limited).json()["allow"], false);
    assert_eq!(gateway.status()["link"], "down");
    assert_eq!(gateway.status()["boot"], 3);
    let verified = gateway.cli(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    drop(gateway.cli(&["snapshot", "inspect"]).ok());
}

#[test]
fn a_broker_that_was_killed_comes_back_with_what_is_published_again() {
    let mut deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();

    deck.broker.kill();
    until("the agent notices", || (gateway.status()["link"] == "down").then_some(()));
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    // Nothing was saved yet: the broker is empty.
    deck.broker.restart();
    deck.disable(&ana);
    let version = deck.publish();

    gateway.reaches(version);
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(false));
}

#[test]
fn what_was_published_while_a_gateway_was_off_is_there_when_it_is_on() {
    let mut deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    assert!(gateway.stop().success());

    deck.disable(&ana);
    let version = deck.publish();
    // In good order, the broker keeps what is retained.
    deck.broker.stop();
    deck.broker.restart();
    gateway.start();

    gateway.reaches(version);
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(false));
}

#[test]
fn a_broker_that_freezes_is_left_and_found_again() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.set("BROKER__KEEP_ALIVE_S", "1");
    gateway.start_ready();

    deck.broker.freeze();
    until("the agent notices", || (gateway.status()["link"] == "down").then_some(()));
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    deck.broker.thaw();
    deck.disable(&ana);
    let version = deck.publish();

    gateway.reaches(version);
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(false));
}

#[test]
fn two_gateways_of_a_group_share_what_is_published() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let version = deck.publish();
    let mut gateways = ["edge-7a", "edge-7b"].map(|name| deck.gateway(name));
    for gateway in &mut gateways {
        gateway.start_ready();
        assert_eq!(gateway.version(), Some(version));
    }

    deck.disable(&ana);
    let version = deck.publish();

    for gateway in &gateways {
        gateway.reaches(version);
        assert_eq!(gateway.allows(&ana, "manage_device"), Some(false));
    }
}

#[test]
fn the_control_plane_sees_which_gateway_is_behind() {
    let deck = Deck::new();
    // One that is listed and was never started would be behind, too.
    deck.edit_policy("gateways = [\"edge-8a\"]", "gateways = []");
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateways = ["edge-7a", "edge-7b"].map(|name| deck.gateway(name));
    for gateway in &mut gateways {
        gateway.start_ready();
    }
    let says = |code: i32| {
        until("the fleet's status", || {
            let fleet = deck.fleet();
            (fleet.code == code).then_some(fleet.out)
        })
    };
    let all = says(0);
    assert!(all.contains("edge-7a") && all.contains("edge-7b"), "{all}");

    assert!(gateways[0].stop().success());
    deck.disable(&ana);
    gateways[1].reaches(deck.publish());
    drop(says(1));
    gateways[0].start();
    gateways[0].reaches(2);
    drop(says(0));
}
