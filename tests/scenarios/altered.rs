//! Somebody writes into the tables of the collectors: what cannot be is told, and holds up nobody else.

use gateward_tests::{Deck, Gateway, Postgres, until};
use serde_json::json;

fn through(database: &Postgres, gateway: &str) -> u64 {
    database.number(&format!(
        "SELECT coalesce(max(through), 0) FROM gateward.position WHERE gateway = '{gateway}'"
    ))
}

/// Returns the number of the last record, of which there is one more than before.
fn record(gateway: &Gateway, token: &str) -> u64 {
    let question = json!({ "token": token, "permission": "manage_device" });
    assert_eq!(gateway.authorize(&question).json()["allow"], true);

    gateway.status()["audit"]["seq"].as_u64().expect("a number")
}

#[test]
fn i9_a_position_that_no_gateway_has_come_to_is_told_once_and_the_other_gateways_go_on() {
    let deck = Deck::new();
    let token = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let database = Postgres::start(&deck.logs().join("postgres.log"));
    let mut gateways = ["edge-7a", "edge-7b"].map(|name| deck.gateway(name));
    gateways.iter_mut().for_each(Gateway::start_ready);
    let collector = deck.collector_into(&database, deck.broker.port());
    let [altered, other] = &gateways;
    let last = record(altered, &token);
    until("a receipt", || (through(&database, "edge-7a") >= last).then_some(()));
    let set = |through: &str| {
        format!("UPDATE gateward.position SET through = {through} WHERE gateway = 'edge-7a'")
    };
    let right = through(&database, "edge-7a").to_string();
    assert_eq!(database.ask(&set("9000000000000000000")), "");

    record(altered, &token);
    let told = "SELECT count(*) FROM gateward.event WHERE event = 'position_altered'";
    until("an event", || (database.number(told) == 1).then_some(()));
    for _ in 0..2 {
        record(altered, &token);
        let last = record(other, &token);
        until("the other gateway", || (through(&database, "edge-7b") >= last).then_some(()));
    }
    assert_eq!(database.number(told), 1);
    let statuses = "SELECT count(*) FROM gateward.status";
    until("what both say", || (database.number(statuses) == 2).then_some(()));

    // Put right, it goes on where it was.
    assert_eq!(database.ask(&set(&right)), "");
    let last = record(altered, &token);
    until("a receipt again", || (through(&database, "edge-7a") >= last).then_some(()));
    let log = collector.log();
    assert!(!log.contains("ERROR"), "{log}");
}
