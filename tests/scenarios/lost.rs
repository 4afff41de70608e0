//! A gateway whose audit has a hole that nobody can fill: it says so, the collector says so, and all else
//! goes on.

use std::fs;
use std::path::PathBuf;

use gateward_control::enroll::Enrolled;
use gateward_core::name::Uuid;
use gateward_tests::{Gateway, Postgres, until};
use serde_json::{Value, json};

use crate::stage::Stage;

/// Questions of one request.
const BATCH: usize = 64;

/// The segments of the audit, oldest first.
pub(crate) fn segments(gateway: &Gateway) -> Vec<PathBuf> {
    let entries = fs::read_dir(gateway.state().join("audit")).expect("it has an audit");
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut segments: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|kind| kind == "seg")).collect();
    segments.sort();

    segments
}

/// A gateway with four segments that nobody has collected, of which the second is deleted.
fn with_a_hole() -> Stage {
    let mut stage = Stage::new();
    assert!(stage.gateway.stop().success());
    stage.deck.broker.stop();
    stage.gateway.set("AUDIT__MAX_BYTES", "1048576");
    stage.gateway.set("LIMITS__ALLOW_PER_S", "10000");
    stage.gateway.start_ready();
    let question =
        json!({ "token": stage.ana, "permission": "manage_device", "resource": "a line" });
    let many = json!({ "requests": vec![question; BATCH] }).to_string();
    while segments(&stage.gateway).len() < 4 {
        let answer = stage.gateway.try_send("POST", "/v1/authorize/batch", &[], many.as_bytes());
        assert_eq!(answer.expect("it answers").status, 200);
    }
    assert!(stage.gateway.stop().success());
    fs::remove_file(&segments(&stage.gateway)[1]).expect("there are four");

    stage
}

/// What came to the wrong collector first is sent again, after 3, 9 and 21 seconds.
fn is_receipted(gateway: &Gateway) {
    until("a receipt for all that is there", || {
        (gateway.status().pointer("/audit/backlog") == Some(&json!(0))).then_some(())
    });
}

#[test]
fn i9_a_segment_that_is_deleted_is_named_by_everybody_and_what_follows_is_receipted() {
    let mut stage = with_a_hole();
    assert_eq!(stage.gateway.cli(&["audit", "verify"]).code, 65, "nobody has owned up to it yet");

    stage.deck.broker.restart();
    stage.gateway.start_ready();
    let collector = stage.deck.collector();
    is_receipted(&stage.gateway);

    let last = stage.gateway.status()["audit"]["seq"].as_u64().expect("a number");
    let records = collector.has("edge-7a", last);
    let numbers: Vec<_> = records.iter().filter_map(|record| record["seq"].as_u64()).collect();
    let jumps: Vec<_> = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).collect();
    assert_eq!(jumps.len(), 1, "{jumps:?}");
    let (first, missing) = (jumps[0][0] + 1, jumps[0][1] - 1);
    let gap = format!("{first}..={missing}");
    let owns_up = |record: &&Value| record["action"] == "gap";
    let owned = records.iter().find(owns_up).expect("the gateway says so");
    assert!(owned["resource"].as_str().is_some_and(|text| text.contains(&gap)), "{owned}");
    let events = fs::read_to_string(stage.deck.collected().join("events.jsonl")).expect("events");
    assert!(events.contains(r#""event":"lost""#), "{events}");
    assert!(events.contains(&format!("records {first} to {missing} are lost")), "{events}");
    let verified = stage.gateway.cli(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}{}", verified.out, verified.err);
    assert!(verified.out.contains(&format!("recorded gap: {first} to {missing}")));
    assert!(verified.out.contains("signed by this gateway up to"), "{}", verified.out);
    collector.kill();
    let folder = stage.deck.collected().display().to_string();
    let said = stage.deck.control("audit verify --keys", &[&folder]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    stage.is_well();
}

#[test]
fn i9_collectors_of_one_database_go_on_behind_a_hole_whichever_of_them_was_told_of_it() {
    let mut stage = with_a_hole();
    let database = Postgres::start(&stage.deck.logs().join("postgres.log"));
    stage.deck.broker.restart();
    let collectors =
        [(); 2].map(|()| stage.deck.collector_into(&database, stage.deck.broker.port()));
    // Somebody else's row, which is longer than the true one, hides it from nobody.
    let enrolled = Enrolled::load(&stage.deck.dir(), "edge-7a").expect("it was enrolled");
    let id = Uuid(enrolled.id(stage.deck.account()).0);
    let forge = format!(
        "INSERT INTO gateward.hole VALUES ('{id}', '\\x{}', 1, 9000000, '\\x00') RETURNING last",
        enrolled.incarnation
    );
    until("the tables", || (database.number(&forge) > 0).then_some(()));
    stage.gateway.start_ready();
    is_receipted(&stage.gateway);

    let jumps = "SELECT count(*) FROM (SELECT seq, lag(seq) OVER (ORDER BY seq) AS before \
                 FROM gateward.record) AS numbers WHERE seq <> before + 1";
    assert_eq!(database.number(jumps), 1);
    let doubles = "SELECT count(*) - count(DISTINCT seq) FROM gateward.record";
    assert_eq!(database.number(doubles), 0);
    let lost = "SELECT count(*) FROM gateward.event WHERE event = 'lost'";
    assert_eq!(database.number(lost), 1);
    drop(collectors);
    stage.is_well();
}
