//! Who may write every table cuts the end of a history, and all that the tables say of it: the gateway's own word
//! tells, and so does the collector's mark in the policy folder.

use std::fs;

use gateward_control::enroll::Enrolled;
use gateward_core::name::unhex;
use gateward_core::trust::Status;
use gateward_tests::{Deck, Gateway, Postgres, until};
use serde_json::{Value, json};

use crate::altered;

/// A database that a collector wrote to, and two gateways that are enrolled: one of them never started.
struct Stage {
    deck: Deck,
    database: Postgres,
    gateway: Gateway,
    token: String,
}

impl Stage {
    fn new() -> Self {
        let (deck, database, token, [gateway]) = altered::stage(["edge-7a"]);
        drop(deck.gateway("edge-7b"));

        Self { deck, database, gateway, token }
    }

    /// Has a record written and receipted; returns its number.
    fn record(&self) -> u64 {
        let question = json!({ "token": self.token, "permission": "manage_device" });
        assert_eq!(self.gateway.authorize(&question).json()["allow"], true);
        until("a receipt", || {
            let audit = &self.gateway.status()["audit"];
            audit["seq"].as_u64().filter(|_| audit["backlog"] == 0)
        })
    }

    /// Up to where the gateway says, in the furthest status of a table, that it got receipts.
    fn receipted(&self, table: &str) -> Option<u64> {
        let hex = self.database.ask(&format!("SELECT encode(furthest, 'hex') FROM {table}"));
        let hex = hex.trim();
        let mut bytes = vec![0; hex.len() / 2];
        assert!(unhex(hex, &mut bytes), "{hex}");
        let (one, account) =
            (Enrolled::load(&self.deck.dir(), "edge-7a").ok()?, self.deck.account());
        let status = Status::verify(&bytes, &one.key, account, one.id(account)).ok()?;

        status.audit_number.checked_sub(status.backlog)
    }

    /// What is wrong, by a word and in a text.
    fn wrong(&self) -> Vec<(String, String)> {
        let (policy, url) = (self.deck.dir().display().to_string(), self.database.url());
        let args = ["audit", "verify", "--postgres", &url, "--keys", &policy, "--format", "json"];
        let ran = self.deck.command(&args);
        let said: Value = serde_json::from_str(&ran.out).expect("JSON");
        assert_eq!(said["edge-7b"]["records"], 0, "enrolled, and nothing is held: {said}");
        assert_eq!(said["edge-7b"]["mistakes"], json!([]));
        let mistakes = said["edge-7a"]["mistakes"].as_array().cloned().unwrap_or_default();
        assert_eq!(ran.code, if mistakes.is_empty() { 0 } else { 65 }, "{said}");
        let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();

        mistakes.iter().map(|one| (text(&one["mistake"]), text(&one["text"]))).collect()
    }
}

#[test]
fn i9_an_end_that_is_cut_with_its_position_is_told_by_the_gateway_and_by_the_mark_of_the_collector()
{
    let mut stage = Stage::new();
    let mut collector = stage.deck.collector_into(&stage.database, stage.deck.broker.port());
    let statuses = "SELECT count(*) FROM gateward.status";
    until("a status", || (stage.database.number(statuses) == 1).then_some(()));
    assert_eq!(stage.database.ask("CREATE TABLE old AS SELECT * FROM gateward.status"), "");
    stage.record();
    let last = stage.record();
    // Connected again, it says how far it got receipts.
    assert!(stage.gateway.stop().success());
    stage.gateway.start_ready();
    until("its word", || stage.receipted("gateward.status").filter(|said| *said >= last));
    assert!(collector.terminate().success());
    assert_eq!(stage.wrong(), []);
    let url = stage.database.url();
    let policy = stage.deck.dir().display().to_string();
    let text = stage.deck.command(&["audit", "verify", "--postgres", &url, "--keys", &policy]);
    assert!(text.out.lines().any(|line| line == "edge-7b: nothing is held of it"), "{}", text.out);

    let cut = "CREATE TABLE kept AS SELECT * FROM gateward.status; \
        DELETE FROM gateward.batch WHERE last > (SELECT min(last) FROM gateward.batch); \
        DELETE FROM gateward.record WHERE seq > (SELECT max(last) FROM gateward.batch); \
        UPDATE gateward.position SET through = (SELECT max(last) FROM gateward.batch), \
            head = (SELECT head FROM gateward.record ORDER BY seq DESC LIMIT 1)";
    assert_eq!(stage.database.ask(cut), "");
    let found = stage.database.number("SELECT max(through) FROM gateward.position");
    assert!(found < last && stage.receipted("old") <= Some(found), "{found} of {last}");
    let marks = fs::read_dir(stage.deck.dir().join("private/ratchets")).expect("a folder of marks");
    let of: Vec<_> = marks.map(|one| one.expect("a name").path()).collect();
    assert_eq!(of.len(), 1, "one database: {of:?}");
    let mark = of[0].join("edge-7a");
    let marked = fs::read(&mark).expect("a mark");
    let put = |table: &str| {
        format!(
            "UPDATE gateward.status SET said = {table}.said, furthest = {table}.furthest FROM {table}"
        )
    };
    let is_cut = |by: &str| {
        let told = stage.wrong();
        let [(code, text)] = &told[..] else { panic!("{told:?}") };
        assert!(code == "cut_short" && text.contains(by), "{told:?}");
        assert!(text.contains(&format!("the records end with {found}, ")), "{text}");
    };

    fs::remove_file(&mark).expect("it was read");
    is_cut("the gateway itself has signed");
    assert_eq!(stage.database.ask(&put("old")), "");
    assert_eq!(stage.wrong(), [], "neither of them is left");
    fs::write(&mark, &marked).expect("a file can be written");
    set_private(&mark);
    // Who owns the tables cannot have the reader ask somebody else which cluster it is, or how long a batch is.
    let other = "CREATE FUNCTION gateward.pg_control_system(OUT system_identifier bigint) \
                 LANGUAGE sql AS 'SELECT 1::bigint'; \
                 CREATE FUNCTION gateward.octet_length(bytea) RETURNS integer \
                 LANGUAGE sql AS 'SELECT 2000000000'; \
                 ALTER ROLE CURRENT_USER SET search_path = gateward, pg_catalog";
    assert_eq!(stage.database.ask(other), "");
    assert_eq!(stage.database.number("SELECT octet_length('\\x00'::bytea)"), 2_000_000_000);
    is_cut("a collector has marked");

    // Not every role may ask for the name: that is no reason to look away.
    let reader = "CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA gateward TO reader; \
                  GRANT SELECT ON ALL TABLES IN SCHEMA gateward TO reader; \
                  REVOKE EXECUTE ON FUNCTION pg_catalog.pg_control_system() FROM PUBLIC";
    assert_eq!(stage.database.ask(reader), "");
    let url = stage.database.url_as("reader");
    let reads = || {
        let ran = stage.deck.command(&["audit", "verify", "--postgres", &url, "--keys", &policy]);
        (ran.code, ran.out + &ran.err)
    };
    let (code, told) = reads();
    assert!(code == 77 && told.contains("pg_control_system()"), "{told}");
    // A collector that may not ask leaves a mark that is heard whatever the reader may ask.
    fs::rename(&of[0], of[0].with_file_name("any")).expect("a folder of marks");
    is_cut("a collector has marked");
    let (code, told) = reads();
    assert!(code == 65 && told.contains("a collector has marked"), "{told}");

    let forge = "UPDATE gateward.status SET furthest = overlay(kept.furthest placing '\\x00' from 60 for 1) FROM kept";
    assert_eq!(stage.database.ask(forge), "");
    let told = stage.wrong();
    assert!(told.iter().any(|(code, _)| code == "forged_status"), "{told:?}");
}

/// Others can read no secret.
fn set_private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;

    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("it is ours");
}

#[test]
fn a_database_of_the_version_before_goes_on_and_its_holes_that_prove_nothing_are_gone() {
    const FIRST: &str =
        include_str!("../../systems/control/src/collect/shared/migrations/0001.sql");
    let stage = Stage::new();
    let before = format!(
        "CREATE SCHEMA gateward; CREATE TABLE gateward.schema (version bigint PRIMARY KEY, \
             at timestamptz NOT NULL DEFAULT now()); SET search_path TO gateward; {FIRST}; \
         INSERT INTO schema (version) VALUES (1); \
         INSERT INTO hole VALUES (gen_random_uuid(), '\\x0101010101010101', 1, 1000000)"
    );
    assert_eq!(stage.database.ask(&before), "");
    let url = stage.database.url();
    let verify = stage.deck.command(&["audit", "verify", "--postgres", &url]);
    assert!(
        verify.code != 0 && verify.err.contains("earlier version"),
        "{} {}",
        verify.code,
        verify.err
    );

    let collector = stage.deck.collector_into(&stage.database, stage.deck.broker.port());
    stage.record();
    assert_eq!(stage.database.number("SELECT max(version) FROM gateward.schema"), 2);
    assert_eq!(stage.database.number("SELECT count(*) FROM gateward.hole"), 0);
    // As a collector of that version writes them.
    let old = "INSERT INTO gateward.hole (gateway_id, incarnation, first, last) \
               VALUES (gen_random_uuid(), '\\x0101010101010101', 1, 9)";
    assert_eq!(stage.database.ask(old), "");
    drop(collector);
    assert_eq!(stage.wrong(), []);
}
