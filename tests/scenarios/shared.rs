//! Several collectors share the load and one database: whoever dies when, each record is there once and
//! no receipt goes beyond what is there without a gap.

use gateward_tests::{Deck, Gateway, Postgres, Program, Wire, until};
use serde_json::{Value, json};

use crate::altered;

/// A gateway that has records, and a database for them.
struct Stage {
    deck: Deck,
    database: Postgres,
    gateway: Gateway,
    token: String,
}

const THROUGH: &str = "SELECT coalesce(max(through), 0) FROM gateward.position";
const ROWS: &str = "SELECT count(*) FROM gateward.record";
/// Who waits for the position of the gateway, which somebody else has locked: only whoever has the very
/// batch that comes next.
const BLOCKED: &str = "SELECT usename FROM pg_stat_activity \
    WHERE application_name = 'gateward-control collect' AND wait_event_type = 'Lock'";
/// By this the test sees which collector has stored a batch.
const BY_WHOM: &str = "ALTER TABLE gateward.batch ADD COLUMN by_whom text DEFAULT current_user";
const LOCK: &str = "BEGIN; SELECT 1 FROM gateward.position FOR UPDATE";

impl Stage {
    fn new() -> Self {
        let (deck, database, token, [gateway]) = altered::stage(["edge-7a"]);

        Self { deck, database, gateway, token }
    }

    fn collector(&self) -> Program {
        self.deck.collector_into(&self.database, self.deck.broker.port())
    }

    /// Two that the database knows apart.
    fn two_collectors(&self) -> [(&'static str, Program); 2] {
        ["left", "right"].map(|name| {
            drop(self.database.ask(&format!("CREATE ROLE {name} SUPERUSER LOGIN")));
            (name, self.collector_as(name))
        })
    }

    fn collector_as(&self, name: &str) -> Program {
        let url = self.database.url_as(name);

        self.deck.collector_to(&["--postgres", &url], self.deck.broker.port())
    }

    /// Asks until the database says so.
    fn ask_until(&self, what: &str, sql: &str, said: impl Fn(&str) -> bool) -> String {
        until(what, || {
            self.ask(3);
            Some(self.database.ask(sql)).filter(|answer| said(answer))
        })
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
    let mut collectors = stage.two_collectors();
    stage.ask(5);
    stage.is_whole();
    drop(stage.database.ask(BY_WHOM));
    let takers = "SELECT count(DISTINCT by_whom) FROM gateward.batch WHERE by_whom <> 'gateward'";
    stage.ask_until("batches of both", takers, |count| count == "2");
    stage.is_whole();

    for _ in 0..3 {
        let held = stage.hold();
        let before = stage.database.number(THROUGH);
        let holder = stage.ask_until("one that holds what comes next", BLOCKED, |who| {
            collectors.iter().any(|(name, _)| *name == who)
        });
        // The other one gets what comes after that, and has to wait for it.
        stage.ask(20);
        let (name, doomed) =
            collectors.iter_mut().find(|(name, _)| *name == holder).expect("it is");
        doomed.kill();
        assert_eq!(stage.database.number(THROUGH), before, "nothing was committed");
        assert!(stage.backlog() > 0, "and nothing is receipted");
        stage.release(held);
        stage.is_whole();
        let next = format!(
            "SELECT DISTINCT by_whom FROM gateward.batch WHERE first <= {0} AND last >= {0}",
            before + 1
        );
        let saved = stage.database.ask(&next);
        assert!(
            saved != holder && saved.lines().count() == 1,
            "{holder} held it, {saved} stored it"
        );
        *doomed = stage.collector_as(name);
        let share = format!("SELECT count(*) FROM gateward.batch WHERE by_whom = '{name}'");
        let before = stage.database.ask(&share);
        stage.ask_until("a share for the new one", &share, |count| count != before);
        stage.is_whole();
    }
    let log = collectors[0].1.log();
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
        // What it stores from here on, it cannot say.
        wire.mute();
        stage.ask(10);
        let last = stage.last();
        until("records that are stored", || (stage.database.number(THROUGH) >= last).then_some(()));
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

#[test]
fn a_database_elsewhere_is_reached_through_tls_and_only_where_the_authority_vouches_for_it() {
    let stage = Stage::new();
    let certificates = stage.deck.broker_certificates();
    let server = Postgres::with_tls(&stage.deck.logs().join("tls.log"), &certificates);
    let other = Deck::new();
    stage.ask(3);
    let collector = |authority: &std::path::Path| {
        let (url, file) = (server.url_with_tls(), authority.join("ca.pem").display().to_string());
        let database = ["--postgres", &url, "--postgres-ca", &file];
        stage.deck.collector_to(&database, stage.deck.broker.port())
    };

    let mut misled = collector(&other.broker_certificates());
    until("a refusal that says why", || misled.log().contains("UnknownIssuer").then_some(()));
    assert_eq!(server.number("SELECT count(*) FROM pg_tables WHERE schemaname = 'gateward'"), 0);
    assert!(stage.backlog() > 0);
    misled.kill();

    let _collector = collector(&certificates);
    until("a receipt for everything", || (stage.backlog() == 0).then_some(()));
    assert!(server.number(ROWS) >= 3);
    let encrypted = "SELECT bool_and(ssl) AND count(*) > 0 FROM pg_stat_ssl JOIN pg_stat_activity \
                     USING (pid) WHERE application_name = 'gateward-control collect'";
    assert_eq!(server.ask(encrypted), "t");
}
