//! Somebody writes into the tables of the collectors: what cannot be is told, and holds up nobody else.

use gateward_tests::{Deck, Gateway, Postgres, Wire, until};
use serde_json::json;

use crate::tables;

/// A control plane whose policy is published, a database, a token, and gateways that are up.
pub(crate) fn stage<const N: usize>(names: [&str; N]) -> (Deck, Postgres, String, [Gateway; N]) {
    let deck = Deck::new();
    let token = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let database = Postgres::start(&deck.logs().join("postgres.log"));
    let mut gateways = names.map(|name| deck.gateway(name));
    gateways.iter_mut().for_each(Gateway::start_ready);

    (deck, database, token, gateways)
}

fn through(database: &Postgres, gateway: &str) -> u64 {
    database.number(&format!(
        "SELECT coalesce(max(through), 0) FROM gateward.position WHERE gateway = '{gateway}'"
    ))
}

fn backlog(gateway: &Gateway) -> u64 {
    gateway.status()["audit"]["backlog"].as_u64().expect("a number")
}

/// Returns the number of the last record, of which there is one more than before.
fn record(gateway: &Gateway, token: &str) -> u64 {
    let question = json!({ "token": token, "permission": "manage_device" });
    assert_eq!(gateway.authorize(&question).json()["allow"], true);

    gateway.status()["audit"]["seq"].as_u64().expect("a number")
}

#[test]
fn i9_a_position_that_no_gateway_has_come_to_is_told_once_and_the_other_gateways_go_on() {
    let (deck, database, token, gateways) = stage(["edge-7a", "edge-7b"]);
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

#[test]
fn i9_a_position_ahead_of_what_the_database_holds_is_never_receipted_though_the_gateway_has_come_to_it()
 {
    let (deck, database, token, mut gateways) = stage(["edge-7a", "edge-7b"]);
    let mut collector = deck.collector_into(&database, deck.broker.port());
    for gateway in &gateways {
        record(gateway, &token);
        until("a receipt", || (backlog(gateway) == 0).then_some(()));
    }
    collector.kill();

    let right = gateways.each_ref().map(|gateway| through(&database, gateway.name()));
    let set = |gateway: &Gateway, through: u64, head: &str| {
        let name = gateway.name();
        database.ask(&format!(
            "UPDATE gateward.position SET through = {through}, head = '\\x{head}' WHERE gateway = '{name}'"
        ))
    };
    let heads = gateways.each_ref().map(|gateway| {
        let name = gateway.name();
        database.ask(&format!(
            "SELECT encode(head, 'hex') FROM gateward.position WHERE gateway = '{name}'"
        ))
    });
    // The one stands on the very last record, and the other goes on behind what it never sent.
    let ahead = gateways.each_ref().map(|gateway| {
        let at = record(gateway, &token);
        let head = gateway.status()["audit"]["head"].as_str().expect("a head").to_owned();
        (at, head)
    });
    record(&gateways[1], &token);
    for (gateway, (at, head)) in gateways.iter().zip(&ahead) {
        assert_eq!(set(gateway, *at, head), "");
    }

    let _collector = deck.collector_into(&database, deck.broker.port());
    let told =
        "SELECT count(DISTINCT gateway) FROM gateward.event WHERE event = 'position_altered'";
    until("an event of each", || (database.number(told) == 2).then_some(()));
    for (gateway, (right, head)) in gateways.iter().zip(right.iter().zip(&heads)) {
        assert!(backlog(gateway) > 0, "{} forgets nothing", gateway.name());
        assert_eq!(set(gateway, *right, head), "");
    }
    // Put right, all of it is taken; started again, a gateway sends at once what has no receipt.
    for gateway in &mut gateways {
        assert!(gateway.stop().success());
        gateway.start_ready();
        until("a receipt for everything", || (backlog(gateway) == 0).then_some(()));
    }
    let whole = "SELECT bool_and(rows = last) FROM (SELECT count(*) AS rows, max(seq) AS last \
                 FROM gateward.record GROUP BY gateway_id) AS each";
    assert_eq!(database.ask(whole), "t");
}

#[test]
fn i9_a_position_that_was_put_back_makes_no_second_row_and_is_told() {
    let (deck, database, token, [gateway]) = stage(["edge-7a"]);
    let wire = Wire::to(deck.broker.port());
    let _collector = deck.collector_into(&database, wire.port());
    record(&gateway, &token);
    until("a receipt", || (backlog(&gateway) == 0).then_some(()));
    drop(database.ask("CREATE TABLE kept AS SELECT through, head FROM gateward.position"));

    // The gateway hears no receipt for what is stored from here on, and sends that again.
    wire.mute();
    let before = database.number("SELECT max(through) FROM kept");
    let last = record(&gateway, &token);
    until("a record that is stored", || (through(&database, "edge-7a") >= last).then_some(()));
    let back = "UPDATE gateward.position SET through = kept.through, head = kept.head FROM kept";
    assert_eq!(database.ask(back), "");
    let told = "SELECT count(*) FROM gateward.event WHERE event = 'position_altered'";
    until("an event", || (database.number(told) == 1).then_some(()));
    assert_eq!(through(&database, "edge-7a"), before);
    let twice = "SELECT count(*) - count(DISTINCT seq) FROM gateward.record";
    assert_eq!(database.ask(twice), "0");
}

#[test]
fn i9_a_row_that_says_a_gateway_owned_up_passes_over_nothing_unless_its_batch_says_so() {
    let stage = tables::Stage::new();
    let database = &stage.database;
    // What came third is taken away behind the gateway's back, which has the receipt for it.
    let before = through(database, "edge-7a");
    drop(database.ask("CREATE TABLE kept AS SELECT through, head FROM gateward.position"));
    stage.ask("three");
    stage.carry("three");
    let last = through(database, "edge-7a");
    let away = format!(
        "DELETE FROM gateward.record WHERE seq > {before}; DELETE FROM gateward.batch WHERE last > {before}; \
         UPDATE gateward.position SET through = kept.through, head = kept.head FROM kept"
    );
    assert_eq!(database.ask(&away), "");
    stage.ask("four");

    let own = "(SELECT message FROM gateward.batch ORDER BY last DESC LIMIT 1)";
    let huge = "decode(repeat('00', 3000000), 'hex')";
    for message in ["''", "'\\x0102'", huge, own] {
        let forge = format!(
            "DELETE FROM gateward.hole; INSERT INTO gateward.hole \
             SELECT gateway_id, incarnation, {before} + 1, {last}, {message} FROM gateward.position"
        );
        assert_eq!(database.ask(&forge), "");
        let ran = stage.try_carry("four");
        let gap = format!("records {} to {last} are missing", before + 1);
        assert!(ran.code == 65 && ran.err.contains(&gap), "{message}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains("gateward.hole"), "{message}: {}", ran.err);
        assert_eq!(through(database, "edge-7a"), before, "{message}");
    }
    let bare = "INSERT INTO gateward.hole (gateway_id, incarnation, first, last) \
                SELECT gateway_id, incarnation, 1, 99 FROM gateward.position RETURNING first";
    assert_eq!(database.number(bare), 1, "as a collector of the version before writes them");
    assert_eq!(stage.try_carry("four").code, 65);
    assert_eq!(through(database, "edge-7a"), before, "a row without its batch is none");
}
