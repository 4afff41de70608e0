//! Who holds a token.

use std::thread;

use gateward_core::principal::TokenKind;
use gateward_core::token::{self, Token};
use gateward_tests::{Deck, Gateway, lookup};
use serde_json::{Value, json};

use crate::stage::{Stage, WIDER, number_of};

/// The smallest `audit.max_bytes` that the configuration takes.
const SMALLEST: u64 = 1_048_576;

#[test]
fn who_holds_a_token_can_do_what_its_principal_may_until_revoked() {
    let stage = Stage::new();
    let asks = |question: Value| stage.gateway.authorize(&question).json()["allow"].clone();

    assert_eq!(asks(json!({ "token": stage.ana, "permission": "manage_device" })), true);
    let path = "/iot/api/v1/device";
    assert_eq!(asks(json!({ "token": stage.ana, "method": "GET", "path": path })), true);
    assert_eq!(asks(json!({ "token": stage.ana, "permission": WIDER })), false);
    stage.deck.disable(&stage.ana);
    stage.gateway.reaches(stage.deck.publish());
    assert_eq!(asks(json!({ "token": stage.ana, "permission": "manage_device" })), false);
    assert_eq!(asks(json!({ "token": stage.ana, "method": "GET", "path": path })), false);
}

/// Asks from four connections at once, as fast as they are answered; returns how many were let
/// through.
fn floods(gateway: &Gateway, token: &str, permission: &str, times: usize) -> usize {
    let question = json!({ "token": token, "permission": permission });
    let allowed = || {
        let answers = (0..times / 4).map(|_| gateway.authorize(&question));
        answers.filter(|answer| answer.status == 200 && answer.json()["allow"] == true).count()
    };
    thread::scope(|scope| {
        let callers: Vec<_> = (0..4).map(|_| scope.spawn(allowed)).collect();
        callers.into_iter().map(|caller| caller.join().expect("it was answered")).sum()
    })
}

#[test]
fn who_holds_a_token_cannot_exhaust_the_audit_or_act_under_another_name() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let bo = deck.user("bo.lund", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.set("AUDIT__MAX_BYTES", &SMALLEST.to_string());
    gateway.set("AUDIT__DURABILITY", "interval");
    gateway.set("LIMITS__ALLOW_PER_S", "10");
    gateway.set("LIMITS__FAILED_PER_S", "10000");
    gateway.start_ready();

    acts_under_no_other_name(&gateway, &ana, &bo);
    // What is allowed is no more than one caller's part, and what is denied costs nothing more.
    assert!(floods(&gateway, &ana, "manage_device", 1_200) < 1_000);
    floods(&gateway, &ana, WIDER, 1_200);
    assert_eq!(gateway.allows(&bo, "manage_device"), Some(true));
    let audit = gateway.status()["audit"].clone();
    assert_eq!(audit["refusing"], false);
    let bytes = audit["bytes"].as_u64().expect("a number");
    assert!(bytes < SMALLEST / 2, "{bytes}");
}

fn acts_under_no_other_name(gateway: &Gateway, ana: &str, bo: &str) {
    let own = Token::read(ana.as_bytes()).expect("her token");
    let as_bo = |kind| {
        let text = token::write(kind, number_of(bo), own.secret()).to_vec();
        String::from_utf8(text).expect("a token is ASCII")
    };
    for text in [as_bo(TokenKind::Api), as_bo(TokenKind::Service)] {
        assert_eq!(gateway.allows(&text, "manage_device"), Some(false));
    }
    let claims = [
        ("x-api-key", ana),
        ("x-gateward-name", "bo.lund"),
        ("x-gateward-principal", "bo.lund"),
        ("x-original-method", "GET"),
        ("x-original-uri", "/iot/api/v1/device?friendly_name=bo.lund"),
    ];
    let answer = gateway.nginx(&claims);
    assert_eq!(answer.status, 204);
    let decision = answer.header("x-gateward-decision").expect("a number").to_owned();
    let both = [("x-api-key", ana), ("x-api-key", bo), claims[3], claims[4]];
    assert_eq!(gateway.nginx(&both).status, 401, "two credentials are none");
    let question = json!({ "token": ana, "permission": "manage_device", "principal": "bo.lund" });
    assert_eq!(gateway.authorize(&question).status, 400);

    let tail = gateway.cli(&["audit", "tail", "-n", "1000", "--format", "json"]).ok();
    let records: Vec<Value> =
        tail.lines().map(|line| serde_json::from_str(line).expect("a record is JSON")).collect();
    let record = records.iter().find(|record| record["decision_id"] == *decision);
    let record = record.expect("it was answered");
    assert_eq!(record["authentication"], "ana.ruiz");
    assert_eq!(record["credential_id"], lookup(ana));
    assert!(records.iter().all(|record| record["authentication"] != "bo.lund"));
}
