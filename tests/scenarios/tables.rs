//! What a database of collectors holds, proved, tried against a policy and exported by the same commands
//! as a folder.

use std::fs;

use gateward_tests::{Deck, Gateway, Postgres, Ran};
use serde_json::{Value, json};

/// A database that holds what a gateway wrote, in two batches.
pub(crate) struct Stage {
    pub(crate) deck: Deck,
    pub(crate) database: Postgres,
    gateway: Gateway,
    token: String,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let mut deck = Deck::new();
        deck.broker.kill();
        let database = Postgres::start(&deck.logs().join("postgres.log"));
        let token = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
        let bundle = deck.root().join("bundle").display().to_string();
        drop(deck.control("compile", &["--group", "plant-7", "--bundle", "--out", &bundle]).ok());
        let mut gateway = deck.gateway("edge-7a");
        drop(gateway.cli(&["snapshot", "import", &bundle]).ok());
        gateway.start_ready();
        let stage = Self { deck, database, gateway, token };
        for batch in ["one", "two"] {
            stage.ask(batch);
            stage.carry(batch);
        }

        stage
    }

    /// Has the gateway write five records.
    pub(crate) fn ask(&self, batch: &str) {
        for n in 0..5 {
            let question = json!({ "token": self.token, "permission": "manage_device",
                                   "resource": format!("device/{batch}/{n}") });
            assert_eq!(self.gateway.authorize(&question).json()["allow"], true);
        }
    }

    /// Carries all records into the database.
    pub(crate) fn carry(&self, name: &str) {
        drop(self.try_carry(name).ok());
        let receipt = self.deck.root().join(format!("{name}.receipt")).display().to_string();
        drop(self.gateway.cli(&["audit", "receipt", &receipt]).ok());
    }

    /// Carries all records to the database, whatever becomes of them there.
    pub(crate) fn try_carry(&self, name: &str) -> Ran {
        let path = |name: &str| self.deck.root().join(name).display().to_string();
        let (stick, receipt) = (path(name), path(&format!("{name}.receipt")));
        if !self.deck.root().join(name).exists() {
            drop(self.gateway.cli(&["audit", "export", "--out", &stick]).ok());
        }
        let url = self.database.url();
        let args = ["--postgres", &url, "--stick", &stick, "--receipt", &receipt];

        self.deck.control("collect", &args)
    }

    /// Runs a command on what the database holds.
    fn audit(&self, command: &str, more: &[&str]) -> Ran {
        let url = self.database.url();

        self.deck.command(&[&["audit", command, "--postgres", &url], more].concat())
    }

    fn verify(&self, more: &[&str]) -> Value {
        let policy = self.deck.dir().display().to_string();
        let args = [&["--keys", &policy, "--format", "json"], more].concat();
        let ran = self.audit("verify", &args);
        let said: Value = serde_json::from_str(&ran.out).expect("JSON");
        let reports = said.as_object().expect("a report for each gateway");
        let is_whole = reports.values().all(|report| report["mistakes"] == json!([]));
        assert_eq!(ran.code, if is_whole { 0 } else { 65 }, "{said}");

        said
    }

    /// What is said after a statement that only somebody with the password can make; it is taken back.
    fn said_after(&self, statement: &str, more: &[&str]) -> Value {
        let tables = ["record", "batch", "position"];
        for table in tables {
            let keep = format!(
                "DROP TABLE IF EXISTS kept_{table}; \
                CREATE TABLE kept_{table} AS SELECT * FROM gateward.{table}"
            );
            let _ = self.database.ask(&keep);
        }
        let _ = self.database.ask(&format!("SET search_path TO gateward; {statement}"));
        let said = self.verify(more);
        for table in tables {
            let back = format!(
                "DELETE FROM gateward.{table}; \
                INSERT INTO gateward.{table} SELECT * FROM kept_{table}"
            );
            let _ = self.database.ask(&back);
        }

        said
    }

    /// What is wrong after that.
    fn wrong_after(&self, statement: &str, more: &[&str]) -> Vec<(String, String)> {
        let said = self.said_after(statement, more);
        let of = |report: &Value| report["mistakes"].as_array().cloned().unwrap_or_default();
        let mistakes = said.as_object().into_iter().flatten().flat_map(|(_, report)| of(report));
        let text = |mistake: &Value, of: &str| mistake[of].as_str().unwrap_or_default().to_owned();

        mistakes.map(|mistake| (text(&mistake, "mistake"), text(&mistake, "text"))).collect()
    }
}

/// What is done to the tables, and all that is said of it: a word and a part of the text each.
const TAMPERING: [(&str, &[(&str, &str)]); 18] = [
    (
        "UPDATE record SET resource = 'device/none' WHERE seq = 4",
        &[("line_altered", "record 4 was altered: resource")],
    ),
    (
        "UPDATE record SET decision = 'deny', reason = NULL WHERE seq = 4",
        &[("line_altered", "record 4 was altered: decision, reason")],
    ),
    (
        "UPDATE record SET created_at = created_at - interval '40 years' WHERE seq = 5",
        &[("line_altered", "record 5 was altered: created_at")],
    ),
    (
        "DELETE FROM record WHERE seq BETWEEN 3 AND 5",
        &[("line_removed", "records 3 to 5 was removed")],
    ),
    ("DELETE FROM record WHERE seq >= 6", &[("line_removed", "records 6 to ")]),
    (
        "UPDATE record SET seq = 1000 WHERE seq = 2",
        &[("line_removed", "records 2 to 2"), ("row_added", "record 1000")],
    ),
    (
        "CREATE TEMP TABLE new AS SELECT * FROM record WHERE seq = 2; UPDATE new SET seq = 900; \
         INSERT INTO record SELECT * FROM new",
        &[("row_added", "record 900")],
    ),
    (
        "CREATE TEMP TABLE new AS SELECT * FROM record WHERE seq = 2; \
         UPDATE new SET created_at = created_at + interval '1 day'; INSERT INTO record SELECT * FROM new",
        &[("row_added", "record 2 ")],
    ),
    (
        "DELETE FROM batch WHERE first > 1; DELETE FROM record WHERE seq > (SELECT max(last) FROM batch)",
        &[("cut_short", "receipts were signed up to")],
    ),
    (
        "DELETE FROM batch WHERE first > 1; DELETE FROM record WHERE seq > (SELECT max(last) FROM batch); \
         UPDATE position SET through = (SELECT max(last) FROM batch)",
        &[("other_end", "a head that are not"), ("cut_short", "has marked in the policy folder")],
    ),
    (
        "DELETE FROM batch WHERE first > 1; DELETE FROM record WHERE seq > (SELECT max(last) FROM batch); \
         UPDATE position SET through = (SELECT max(last) FROM batch), \
                head = (SELECT head FROM record ORDER BY seq DESC LIMIT 1)",
        &[("cut_short", "has marked in the policy folder")],
    ),
    (
        "DELETE FROM batch; DELETE FROM record; DELETE FROM position; DELETE FROM status; DELETE FROM hole",
        &[("cut_short", "the records end with 0, and a collector has marked")],
    ),
    ("UPDATE position SET head = sha256(head)", &[("other_end", "a head that are not")]),
    ("UPDATE position SET through = -1", &[("unheld", "the table `position`")]),
    ("DELETE FROM position", &[("unheld", "the table `position`")]),
    ("UPDATE position SET gateway = 'edge-8b'", &[("unheld", "the table `position`")]),
    ("UPDATE position SET account_id = gen_random_uuid()", &[("unheld", "the table `position`")]),
    (
        "CREATE TEMP TABLE new AS SELECT * FROM record WHERE seq = 2; \
         UPDATE new SET gateway_id = gen_random_uuid(); INSERT INTO record SELECT * FROM new",
        &[("unheld", "the table `position`"), ("row_added", "record 2 ")],
    ),
];

/// What breaks the evidence itself, of which more follows than can be listed.
const BROKEN: [(&str, &str); 2] = [
    ("DELETE FROM batch WHERE first = 1", "missing"),
    (
        "UPDATE batch SET message = overlay(message placing '\\x00' from 60 for 1) WHERE first = 1",
        "bad_batch",
    ),
];

#[test]
fn i9_whatever_is_altered_in_a_database_of_collectors_is_named_and_nothing_else() {
    let stage = Stage::new();
    let whole = stage.verify(&[]);
    let records = stage.database.number("SELECT count(*) FROM gateward.record");
    assert!(records >= 11, "{records}");
    let report = &whole["edge-7a"];
    assert_eq!((&report["records"], &report["tags"]), (&json!(records), &json!(records)));
    assert_eq!(report["checkpoints"], 2);
    for (statement, expected) in TAMPERING {
        // Asked for by its name, too: whoever alters that row must not take it out of sight.
        for only in [&[][..], &["--gateway", "edge-7a"]] {
            let found = stage.wrong_after(statement, only);
            let is_hidden = only.len() == 2 && statement.contains("SET gateway_id");
            let expected = if is_hidden { &[][..] } else { expected };
            let matches = found.len() == expected.len()
                && found
                    .iter()
                    .zip(expected)
                    .all(|((code, text), (wanted, part))| code == wanted && text.contains(part));
            assert!(matches, "{statement}, {only:?}: {found:?} instead of {expected:?}");
        }
    }
    for (statement, expected) in BROKEN {
        let found = stage.wrong_after(statement, &[]);
        assert!(found.iter().any(|(code, _)| code == expected), "{statement}: {found:?}");
    }
    let month = "DELETE FROM batch WHERE first = 1; DELETE FROM record WHERE seq < 4";
    let second = stage.database.number("SELECT max(first) FROM gateward.batch");
    let said = &stage.said_after(month, &["--begins-later"])["edge-7a"];
    assert_eq!(said["mistakes"], json!([]), "a month was forgotten");
    assert_eq!((&said["begins"], &said["unproved"]), (&json!(second), &json!(second - 4)));
    for (statement, expected) in [
        ("DELETE FROM record", "line_removed"),
        ("DELETE FROM batch", "cut_short"),
        ("DELETE FROM batch WHERE first > 1", "cut_short"),
    ] {
        let found = stage.wrong_after(statement, &["--begins-later"]);
        assert!(found.iter().any(|(code, _)| code == expected), "{statement}: {found:?}");
    }
    assert_eq!(stage.verify(&[]), whole, "all was put back");
    let without = stage.audit("verify", &[]);
    assert_eq!(without.code, 0, "{}{}", without.out, without.err);
    assert!(without.out.contains("2 checkpoints not looked at"), "{}", without.out);
}

#[test]
fn i6_an_export_of_a_database_says_what_the_gateway_says() {
    let stage = Stage::new();
    let own = stage.gateway.cli(&["audit", "tail", "-n", "1000", "--format", "json"]).ok();
    let exported = stage.audit("export", &["--as", "jsonl"]).ok();
    let records = stage.database.number("SELECT count(*) FROM gateward.record");
    let lines: Vec<_> = exported.lines().collect();
    assert_eq!(lines.len() as u64, records);
    assert_eq!(lines, own.lines().take(lines.len()).collect::<Vec<_>>());

    let missing = stage.audit("export", &["--as", "cef", "--gateway", "edge-9"]);
    assert_eq!((missing.code, missing.out.as_str()), (2, ""), "{}", missing.err);
    let tables = "CREATE TABLE kept AS SELECT * FROM gateward.batch";
    let _ = stage.database.ask(tables);
    for (statement, later) in [
        ("UPDATE gateward.batch SET message = '\\x00' WHERE first > 1", 65),
        ("DELETE FROM gateward.batch WHERE first > 1", 65),
        ("DELETE FROM gateward.batch", 65),
        ("DELETE FROM gateward.batch WHERE first = 1", 0),
    ] {
        let _ = stage.database.ask(statement);
        let cut = stage.audit("export", &["--as", "jsonl"]);
        assert_eq!(cut.code, 65, "{statement}: {}", cut.err);
        assert!(cut.err.contains("audit verify --postgres"), "{}", cut.err);
        let cut = stage.audit("export", &["--as", "jsonl", "--begins-later"]);
        assert_eq!(cut.code, later, "{statement}: {}", cut.err);
        let back = "DELETE FROM gateward.batch; INSERT INTO gateward.batch SELECT * FROM kept";
        let _ = stage.database.ask(back);
    }
}

#[test]
fn a_policy_is_tried_on_what_a_database_holds() {
    let stage = Stage::new();
    let policy = stage.deck.dir().display().to_string();
    let same = stage.audit("replay", &["--against", &policy, "--mode", "direct"]);
    assert_eq!(same.code, 0, "{}{}", same.out, same.err);

    drop(stage.deck.control("user disable", &["ana.ruiz"]).ok());
    let other = stage.audit("replay", &["--against", &policy, "--mode", "direct"]);
    assert_eq!(other.code, 1, "{}{}", other.out, other.err);
    assert!(other.out.contains("ana.ruiz") && other.out.contains("10"), "{}", other.out);

    let (url, broker) = (stage.database.url(), "mqtts://127.0.0.1:1".to_owned());
    let dry = stage.deck.control(
        "publish",
        &["--broker", &broker, "--dry-run", "--mode", "direct", "--postgres", &url],
    );
    assert_eq!(dry.code, 0, "{}{}", dry.out, dry.err);
    assert!(dry.out.ends_with(&other.out), "{} is not the end of {}", other.out, dry.out);
    let wet = stage.deck.control("publish", &["--broker", &broker, "--postgres", &url]);
    assert_eq!((wet.code, wet.out.as_str()), (2, ""), "{}", wet.err);
}

#[test]
fn a_database_without_tables_of_a_collector_is_no_proof() {
    let root = tempfile::tempdir().expect("a folder can be made");
    let database = Postgres::start(&root.path().join("postgres.log"));
    let deck = Deck::new();
    let ran = deck.command(&["audit", "verify", "--postgres", &database.url()]);
    assert_eq!(ran.code, 65, "{}", ran.err);
    assert!(ran.err.contains("no collector has written to this database"), "{}", ran.err);
    assert_eq!(
        database.ask("SELECT to_regnamespace('gateward') IS NULL"),
        "t",
        "and none were made"
    );
    let _ = fs::remove_dir(root.path());
}
