//! Several collectors share the load and one database: whoever dies when, each record is there once and
//! no receipt goes beyond what is there without a gap.

use gateward_tests::{Deck, Gateway, Postgres, Program, Wire, until};
use serde_json::{Value, json};

/// A gateway that has records, and a database for them.
struct Stage {
    deck: Deck,
    database: Postgres,
    gateway: Gateway,
    token: String,
}

const THROUGH: &str = "SELECT coalesce(max(through), 0) FROM gateward.position";
const ROWS: &str = "SELECT count(*) FROM gateward.record";
/// Collectors that wait for the position of the gateway, which somebody else has locked.
const BLOCKED: &str = "SELECT count(*) FROM pg_stat_activity \
    WHERE application_name = 'gateward-control collect' AND wait_event_type = 'Lock'";
const LOCK: &str = "BEGIN; SELECT 1 FROM gateward.position FOR UPDATE";

impl Stage {
    fn new() -> Self {
        let deck = Deck::new();
        let token = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
        deck.publish();
        let database = Postgres::start(&deck.logs().join("postgres.log"));
        let mut gateway = deck.gateway("edge-7a");
        gateway.start_ready();

        Self { deck, database, gateway, token }
    }

    fn collector(&self) -> Program {
        self.deck.collector_into(&self.database, self.deck.broker.port())
    }

    fn ask(&self, count: usize) {
        for n in 0..count {
            let question = json!({ "token": self.token, "permission": "manage_device",
                                   "resource": format!("device/{n}") });
            assert_eq!(self.gateway.authorize(&question).json()["allow"], true);
        }
    }

    fn last(&self) -> u64 {
        self.gateway.status()["audit"]["seq"].as_u64().expect("a number")
    }

    fn backlog(&self) -> u64 {
        self.gateway.status()["audit"]["backlog"].as_u64().expect("a number")
    }

    /// Somebody else holds the position of the gateway, as a collector does in the midst of writing.
    fn hold(&self) -> Program {
        let held = self.database.session(LOCK, &self.deck.logs().join("session.log"));
        let asleep = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'";
        until("a session that has the lock", || (self.database.number(asleep) > 0).then_some(()));

        held
    }

    /// The server does not see that the client of a session is gone while it sleeps.
    fn release(&self, held: Program) {
        let sleeper = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                       WHERE query LIKE 'SELECT pg_sleep%'";
        assert_eq!(self.database.ask(sleeper), "1");
        drop(held);
    }

    /// Everything is receipted, and there once.
    fn is_whole(&self) {
        let last = self.last();
        until("a receipt for everything", || (self.backlog() == 0).then_some(()));
        assert!(self.database.number(THROUGH) >= last);
        let facts = self.database.ask(
            "SELECT count(*) = max(seq), count(DISTINCT seq) = count(*), min(seq) FROM gateward.record",
        );
        assert_eq!(facts, "t|t|1", "each number once and none missing");
        let heads = "SELECT r.head = p.head FROM gateward.position p JOIN gateward.record r \
                     ON r.gateway_id = p.gateway_id AND r.seq = p.through";
        assert_eq!(self.database.ask(heads), "t");
        let spans = "SELECT bool_and(first <= before + 1) FROM (SELECT first, \
             lag(last, 1, 0::bigint) OVER (ORDER BY last) AS before FROM gateward.batch) AS spans";
        assert_eq!(self.database.ask(spans), "t", "the batches are there, without a gap");
        let events = self.database.ask("SELECT event FROM gateward.event");
        assert!(!events.contains("gap") && !events.contains("fork"), "{events}");
    }
}

#[test]
fn i7_two_collectors_share_a_subscription_and_one_is_killed_while_it_holds_part_of_a_range() {
    let stage = Stage::new();
    let mut collectors = vec![stage.collector(), stage.collector()];
    stage.ask(5);
    stage.is_whole();
    let both =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gateward-control collect'";
    until("both at the database", || (stage.database.number(both) == 2).then_some(()));

    for round in 0..3 {
        let held = stage.hold();
        let before = stage.database.number(THROUGH);
        // More than one batch, so that each has one or waits for its predecessor.
        while stage.database.number(BLOCKED) == 0 {
            stage.ask(3);
        }
        stage.ask(20);
        collectors.remove(round % 2).kill();
        assert_eq!(stage.database.number(THROUGH), before, "nothing was committed");
        assert!(stage.backlog() > 0, "and nothing is receipted");
        stage.release(held);
        stage.is_whole();
        collectors.push(stage.collector());
        until("both at the database", || (stage.database.number(both) >= 2).then_some(()));
    }
    let log = collectors.first().expect("one of two").log();
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn i7_a_collector_that_dies_between_storing_and_receipt_twice_costs_no_record_and_no_second_row() {
    let stage = Stage::new();
    for _ in 0..2 {
        let wire = Wire::to(stage.deck.broker.port());
        let mut doomed = stage.deck.collector_into(&stage.database, wire.port());
        let subscribed = || stage.database.number(THROUGH) > 0 && stage.backlog() == 0;
        stage.ask(2);
        until("a collector that receipts", || subscribed().then_some(()));
        let before = stage.database.number(THROUGH);
        // What it stores from here on, it cannot say.
        wire.mute();
        stage.ask(10);
        until("records that are stored", || {
            (stage.database.number(THROUGH) > before).then_some(())
        });
        doomed.kill();
        assert!(stage.backlog() > 0, "what was stored is not receipted");
    }
    let rows = stage.database.number(ROWS);
    assert!(rows > 20);
    let _collector = stage.collector();
    stage.is_whole();
}

#[test]
fn i13_a_record_keeps_the_name_as_it_was_and_the_id_is_that_of_a_deleted_user() {
    let stage = Stage::new();
    let _collector = stage.collector();
    stage.ask(1);
    stage.is_whole();
    let named = "SELECT DISTINCT authentication, authentication_now FROM gateward.record_named \
                 WHERE authentication IS NOT NULL";
    until("the name in force", || (stage.database.ask(named) == "ana.ruiz|ana.ruiz").then_some(()));
    drop(stage.deck.control("user delete", &["ana.ruiz"]).ok());
    stage.deck.publish();

    until("a deleted user", || {
        (stage.database.ask(named) == "ana.ruiz|deleted user").then_some(())
    });
}

#[test]
fn each_field_of_a_record_has_a_column_and_each_month_a_partition() {
    let stage = Stage::new();
    stage.ask(2);
    // The same records for a folder and for a database.
    let path = stage.deck.root().join("stick").display().to_string();
    drop(stage.gateway.cli(&["audit", "export", "--out", &path]).ok());
    let folder = stage.deck.collector();
    let lines = folder.has("edge-7a", stage.last());
    assert!(folder.stop().success());
    let receipt = stage.deck.root().join("receipt").display().to_string();
    let into = ["--stick", &path, "--receipt", &receipt, "--postgres", &stage.database.url()];
    let said = stage.deck.control("collect", &into).ok();
    assert!(said.contains("new records"), "{said}");

    let row = "SELECT to_json(record) FROM gateward.record ORDER BY seq DESC LIMIT 1";
    let row: Value = serde_json::from_str(&stage.database.ask(row)).expect("JSON");
    let line = lines.iter().rev().find(|line| line["seq"] == row["seq"]).expect("the same record");
    for (field, value) in line.as_object().expect("a record is an object") {
        let column = &row[field];
        let as_text = |value: &Value| value.as_str().unwrap_or_default().replace("\\x", "");
        match field.as_str() {
            "created_at" => assert_eq!(as_text(value)[..19], as_text(column)[..19]),
            "head" | "snapshot_root" => assert_eq!(as_text(value), as_text(column)),
            _ => assert_eq!(value, column, "{field}"),
        }
    }
    let months = "SELECT DISTINCT tableoid::regclass::text FROM gateward.record";
    let months = stage.database.ask(months);
    assert!(months.lines().all(|table| table.starts_with("record_2")), "{months}");
}
