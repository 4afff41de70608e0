//! Every answer has a record, and every record reaches the collector exactly once.

use std::collections::{BTreeMap, BTreeSet};

use gateward_tests::{Deck, Gateway, PLANT_8, lookup, until};
use serde_json::{Value, json};

/// Asks a few things and returns the numbers of the decisions. Each time it asks about something
/// else: a denial that asks the same as another within a second is counted with it.
fn ask(gateway: &Gateway, tokens: &[&str], about: &str) -> Vec<String> {
    let mut decisions = Vec::new();
    for token in tokens {
        for permission in ["manage_device", "view_license"] {
            let question = json!({ "token": token, "permission": permission, "resource": about });
            let answer = gateway.authorize(&question);
            assert_eq!(answer.status, 200);
            decisions.extend(answer.json()["decision_id"].as_str().map(str::to_owned));
        }
        let answer = gateway.nginx(&[
            ("x-api-key", token),
            ("x-original-method", "GET"),
            ("x-original-uri", "/iot/api/v1/device"),
        ]);
        decisions.extend(answer.header("x-gateward-decision").map(str::to_owned));
    }
    assert!(decisions.len() >= tokens.len() * 2);

    decisions
}

/// The records are numbered without a gap from 1, each once; returns them by decision.
fn whole(records: &[Value]) -> BTreeMap<String, &Value> {
    let numbers: Vec<_> = records.iter().filter_map(|record| record["seq"].as_u64()).collect();
    let expected: Vec<_> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, expected, "each number once, without a gap, in order");
    let by_decision: BTreeMap<_, _> = records
        .iter()
        .filter_map(|record| Some((record["decision_id"].as_str()?.to_owned(), record)))
        .collect();
    assert_eq!(by_decision.len(), records.len());

    by_decision
}

#[test]
fn across_restarts_of_everybody_each_answer_is_kept_exactly_once() {
    let mut deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let mes = deck.service_user("MES sync", &["--permission", "manage_device"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    let mut decisions = Vec::new();
    let tokens = [ana.as_str(), mes.as_str()];

    // Before anybody collects.
    decisions.extend(ask(&gateway, &tokens, "nobody"));
    let collector = deck.collector();
    decisions.extend(ask(&gateway, &tokens, "a first collector"));
    collector.has("edge-7a", 1);
    // The collector dies and comes back.
    collector.kill();
    decisions.extend(ask(&gateway, &tokens, "no collector"));
    let collector = deck.collector();
    // The agent dies, and comes back.
    gateway.kill();
    gateway.start_ready();
    decisions.extend(ask(&gateway, &tokens, "another agent"));
    // The broker dies, and comes back empty.
    deck.broker.kill();
    decisions.extend(ask(&gateway, &tokens, "no broker"));
    deck.broker.restart();
    decisions.extend(ask(&gateway, &tokens, "another broker"));
    // Everybody in good order, one after another.
    assert!(gateway.stop().success());
    gateway.start_ready();
    assert!(collector.stop().success());
    deck.broker.stop();
    decisions.extend(ask(&gateway, &tokens, "an agent after a stop"));
    deck.broker.restart();
    let collector = deck.collector();
    decisions.extend(ask(&gateway, &tokens, "all of them"));

    until("a receipt for everything", || {
        (gateway.status().pointer("/audit/backlog") == Some(&json!(0))).then_some(())
    });
    let last = gateway.status()["audit"]["seq"].as_u64().expect("a number");
    let records = collector.has("edge-7a", last);
    let by_decision = whole(&records);
    let distinct: BTreeSet<_> = decisions.iter().collect();
    assert_eq!(distinct.len(), decisions.len(), "each decision has a number of its own");
    for decision in &decisions {
        assert!(by_decision.contains_key(decision), "{decision} was answered and is not kept");
    }
    let head = gateway.status()["audit"]["head"].clone();
    assert!(records.iter().any(|record| record["head"] == head), "the chain ends where it ends");
    let verified = gateway.cli(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    // A collector that comes late misses the first batch until it is sent again; the agent went and
    // came back. Nothing worse.
    let events = std::fs::read_to_string(deck.collected().join("events.jsonl"));
    for line in events.unwrap_or_default().lines() {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let known = ["gap", "gone", "back"].iter().any(|known| event["event"] == *known);
        assert!(known, "{line}");
    }
}

#[test]
fn i1_i2_i3_i4_the_record_names_who_acted_and_nothing_secret() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin", "--division", "plant-7"]);
    let mes = deck.service_user("MES sync", &["--permission", "manage_device"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    let collector = deck.collector();
    let ask = |question: Value| gateway.authorize(&question).json()["decision_id"].clone();

    let by_ana = ask(json!({ "token": ana, "permission": "manage_device", "division": "plant-7",
                             "operation": "write", "resource": "device/123" }));
    let by_mes = ask(json!({ "token": mes, "permission": "manage_device" }));
    let denied = ask(json!({ "token": ana, "permission": "manage_device", "division": PLANT_8 }));
    let (_, secret) = ana.rsplit_once('.').expect("a token has dots");
    let unknown = ask(json!({ "token": format!("gwd1.AR0LFOTbAY_t.{secret}"),
                              "permission": "manage_device" }));
    let pasted = ask(json!({ "token": mes, "permission": "manage_device", "resource": ana }));
    let path = format!("/iot/api/v1/device/{mes}?key={mes}");
    let in_path = ask(json!({ "token": mes, "method": "GET", "path": path }));

    let last = gateway.status()["audit"]["seq"].as_u64().expect("a number");
    let records = collector.has("edge-7a", last);
    whole(&records);
    let of = |decision: &Value| {
        let found = records.iter().find(|record| record["decision_id"] == *decision);
        found.expect("it was answered")
    };
    assert_eq!(of(&by_ana)["authentication"], "ana.ruiz", "I1");
    assert_eq!(of(&by_ana)["authentication_type"], "api_token");
    assert_eq!(of(&by_ana)["credential_id"], lookup(&ana));
    assert_eq!(of(&by_ana)["decision"], "allow");
    assert_eq!(of(&by_ana)["operation"], "write");
    assert_eq!(of(&by_ana)["resource"], "device/123");
    assert_eq!(of(&by_ana)["snapshot_version"], 1);
    assert_eq!(of(&by_mes)["authentication"], "MES sync", "I2");
    assert_eq!(of(&by_mes)["authentication_type"], "service_user");
    assert_eq!(of(&denied)["reason"], "division_denied");
    assert_eq!(of(&denied)["authentication"], "ana.ruiz");
    let stranger = of(&unknown);
    assert_eq!(stranger["credential_id"], "unverified:AR0LFOTbAY_t", "I3");
    assert!(stranger.get("authentication").is_none(), "I3");
    assert_eq!(of(&pasted)["decision"], "allow");
    assert_eq!(of(&in_path)["method"], "GET");
    let everything = serde_json::to_string(&records).expect("JSON");
    for token in [&ana, &mes] {
        let (_, secret) = token.rsplit_once('.').expect("a token has dots");
        assert!(!everything.contains(secret), "I4");
    }
}

#[test]
fn b10_a_token_used_before_its_revocation_arrived_is_written_down_with_its_version() {
    let mut deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let old = deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    deck.broker.kill();
    deck.disable(&ana);

    let question = json!({ "token": ana, "permission": "manage_device" });
    let answer = gateway.authorize(&question).json();
    assert_eq!(answer["allow"], true);
    deck.broker.restart();
    gateway.reaches(deck.publish());
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(false));

    let last = gateway.status()["audit"]["seq"].as_u64().expect("a number");
    let records = deck.collector().has("edge-7a", last);
    let used = records.iter().find(|record| record["decision_id"] == answer["decision_id"]);
    let used = used.expect("it was answered");
    assert_eq!(used["snapshot_version"], old);
    assert_eq!(used["authentication"], "ana.ruiz");
}

#[test]
fn what_is_exported_as_ocsf_is_every_record_and_is_left_for_the_schema_to_be_held_against() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let mes = deck.service_user("MES sync", &["--permission", "view_license"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    ask(&gateway, &[&ana, &mes], "an export");
    // Nobody's token, and a device with one of its own.
    let headers = [("x-original-method", "POST"), ("x-original-uri", crate::limits::EST)];
    assert_eq!(gateway.nginx(&[&headers[..], &[("x-passcode", "p")]].concat()).status, 204);
    assert_eq!(crate::limits::asks(&gateway, Some("nobody's"), "/iot/api/v1/device"), 401);
    assert!(gateway.stop().success());

    let exported = gateway.cli(&["audit", "export", "--as", "ocsf"]).ok();

    let events: Vec<Value> =
        exported.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let tail = gateway.cli(&["audit", "tail", "-n", "1000", "--format", "json"]).ok();
    let numbers = |of: &[Value], place: &str| -> Vec<_> {
        of.iter().filter_map(|one| one.pointer(place)?.as_u64()).collect()
    };
    let records: Vec<Value> =
        tail.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(numbers(&events, "/metadata/sequence"), numbers(&records, "/seq"));
    assert!(records.len() > 10, "{tail}");
    // `tests/run` holds it against the published schema.
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("exported.ocsf");
    std::fs::write(path, exported + "\n").expect("cargo made the folder");
}
