//! Nobody without a credential, or without rights, keeps those who have them from being answered,
//! and no answer tells an attacker how close he is.

mod siege;
mod way;

pub(crate) use siege::EST;

use std::borrow::Cow;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::thread;

use gateward_core::principal::TokenKind;
use gateward_core::token::{self, Lookup, Secret};
use gateward_tests::{Deck, Gateway, lookup};
use serde_json::{Value, json};

/// A path that needs no token, and one that no rule knows.
pub(crate) const PUBLIC: &str = "/iot/api/v1/health/heartbeat";
const NOWHERE: &str = "/nope";
/// The smallest `audit.max_bytes` that the configuration takes.
const SMALLEST: &str = "1048576";

pub(crate) fn asks(gateway: &Gateway, key: Option<&str>, target: &str) -> u16 {
    let mut headers = vec![("x-original-method", "GET"), ("x-original-uri", target)];
    headers.extend(key.map(|key| ("x-api-key", key)));

    gateway.nginx(&headers).status
}

/// Asks from four connections at once, as fast as they are answered: each time what `next` says.
fn floods<'a>(gateway: &Gateway, times: usize, next: impl Fn(usize) -> Asked<'a> + Sync) {
    let next = &next;
    thread::scope(|scope| {
        for part in 0..4 {
            scope.spawn(move || {
                for number in (0..times / 4).map(|number| number * 4 + part) {
                    let (key, target) = next(number);
                    let _any_answer = asks(gateway, key.as_deref(), &target);
                }
            });
        }
    });
}

/// A key, where one is sent, and a target.
type Asked<'a> = (Option<Cow<'a, str>>, Cow<'a, str>);

/// A token of somebody's that is good, and one that is disabled.
fn with_a_dead_token(deck: &Deck) -> (String, String) {
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let off = deck.user_token("ana.ruiz", "off");
    deck.disable(&off);

    (ana, off)
}

/// The text of a token.
fn text_of(id: u64, secret: u8) -> String {
    let text = token::write(TokenKind::Api, id, &Secret([secret; 32]));

    String::from_utf8(text.to_vec()).expect("a token is ASCII")
}

/// A token with the public part of `victim` and a secret of nobody's.
fn forged(victim: &str) -> String {
    let public = Lookup::parse(lookup(victim)).expect("the victim has a token");

    text_of(public.id, 0x5a)
}

#[test]
fn j6_whoever_knows_the_public_part_of_a_token_cannot_use_up_its_allowance() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.set("LIMITS__ALLOW_PER_S", "1");
    gateway.start_ready();
    let guess = forged(&ana);

    for target in [PUBLIC, "/iot/api/v1/device"] {
        floods(&gateway, 100, |_| (Some(Cow::from(&guess)), target.into()));
    }

    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
}

#[test]
fn one_credential_at_full_speed_is_slowed_down_and_another_is_not() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let mes = deck.service_user("MES sync", &["--permission", "manage_device"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.set("LIMITS__ALLOW_PER_S", "1");
    gateway.start_ready();
    let question = json!({ "token": ana, "permission": "manage_device" });

    let refused =
        (0..200).map(|_| gateway.authorize(&question)).find(|answer| answer.status != 200);

    let refused = refused.expect("one a second and a burst of ten are fewer than 200");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("5")));
    assert_eq!(refused.json()["code"], "rate_limited");
    assert_eq!(gateway.allows(&mes, "manage_device"), Some(true));
}

#[test]
fn i6_a_flood_without_rights_fills_no_more_than_its_part_of_the_audit() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let powerless = deck.service_user("watcher", &[]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.set("AUDIT__MAX_BYTES", SMALLEST);
    gateway.set("AUDIT__DURABILITY", "interval");
    // As generous as can be, so that the bound of the audit is what is tested.
    gateway.set("LIMITS__FAILED_PER_S", "10000");
    gateway.set("LIMITS__ALLOW_PER_S", "10000");
    gateway.start_ready();

    // None asks what another asks, so each has a record of its own.
    let nowhere = |number| (None, format!("{NOWHERE}/{number}").into());
    let public = |number| (Some(text_of(number as u64, 1).into()), PUBLIC.into());
    let device =
        |number| (Some(Cow::from(&powerless)), format!("/iot/api/v1/device/{number}").into());
    floods(&gateway, 4_000, nowhere);
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    floods(&gateway, 4_000, public);
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    floods(&gateway, 4_000, device);
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    assert_eq!(asks(&gateway, None, PUBLIC), 204);
    assert_eq!(asks(&gateway, None, NOWHERE), 403);
    let bytes = gateway.status()["audit"]["bytes"].as_u64().expect("a number");
    assert!(bytes < SMALLEST.parse::<u64>().expect("a number") / 2, "{bytes}");
    assert!(gateway.cli(&["audit", "verify"]).code == 0);
}

/// The records of denials, oldest first.
fn denials(gateway: &Gateway) -> Vec<Value> {
    let tail = gateway.cli(&["audit", "tail", "-n", "100000", "--format", "json"]).ok();
    let records = tail.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));

    records.filter(|record| record["decision"] == "deny").collect()
}

/// How many requests the records of `reason` stand for.
fn counted(records: &[Value], reason: &str) -> u64 {
    let those = records.iter().filter(|record| record["reason"] == reason);

    those.map(|record| record["count"].as_u64().unwrap_or(1)).sum()
}

#[test]
fn i6_n7_a_flood_of_one_denial_is_a_few_records_and_every_request_is_in_them() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.set("LIMITS__FAILED_PER_S", "10000");
    gateway.start_ready();

    floods(&gateway, 4_000, |_| (Some(text_of(1, 1).into()), "/iot/api/v1/device".into()));
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    assert!(gateway.stop().success());

    let records = denials(&gateway);
    assert_eq!(counted(&records, "unknown_token"), 4_000);
    assert!(records.len() < 200, "{} records", records.len());
    assert!(records.iter().all(|record| record.get("authentication").is_none()));
}

#[test]
fn i6_n7_j3_what_comes_too_fast_is_in_the_records_too_and_names_no_owner_of_a_dead_token() {
    let deck = Deck::new();
    let (ana, off) = with_a_dead_token(&deck);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.set("LIMITS__FAILED_PER_S", "1");
    gateway.start_ready();

    floods(&gateway, 400, |_| (Some(Cow::from(&off)), "/iot/api/v1/device".into()));
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    assert!(gateway.stop().success());

    let records = denials(&gateway);
    let limited = counted(&records, "rate_limited");
    assert_eq!(counted(&records, "token_disabled") + limited, 400);
    assert!(limited > 0);
    let named = |record: &&Value| record.get("authentication").is_some();
    assert!(records.iter().filter(named).all(|record| record["reason"] == "token_disabled"));
}

/// A gateway, and a key for every reason for a 401 but that there is none.
fn bad_credentials(deck: &Deck) -> (Gateway, Vec<String>) {
    let (ana, off) = with_a_dead_token(deck);
    let gone = deck.user("bo.lund", &["--role", "iot_account_admin"]);
    assert!(deck.control("user disable", &["bo.lund"]).code == 0);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    let mut flipped = ana.clone();
    flipped.replace_range(65..66, if ana.ends_with('A') { "B" } else { "A" });
    let written = |kind, id| {
        let text = token::write(kind, id, &Secret([1; 32]));
        String::from_utf8(text.to_vec()).expect("a token is ASCII")
    };
    let public = Lookup::parse(lookup(&ana)).expect("ana has a token");
    let (other_kind, absent) = (written(TokenKind::Service, public.id), written(TokenKind::Api, 1));
    let (opaque, short) = ("x".repeat(91), "short".to_owned());

    let forged = forged(&ana);

    (gateway, vec![off, gone, forged, flipped, other_kind, absent, opaque, short, String::new()])
}

/// Asks with `key`, and returns the whole answer but its date.
fn refusal(gateway: &Gateway, key: &str, target: &str) -> String {
    let (method, target) = (("x-original-method", "GET"), ("x-original-uri", target));
    let answer = gateway.nginx(&[method, target, ("x-api-key", key)]);
    assert_eq!(answer.status, 401, "{key}");
    let text = String::from_utf8_lossy(&answer.raw).into_owned();

    text.lines().filter(|line| !line.starts_with("date:")).collect::<Vec<_>>().join("\n")
}

#[test]
fn n10_j5_every_bad_credential_gets_the_same_401() {
    let deck = Deck::new();
    let (gateway, keys) = bad_credentials(&deck);

    let raw: Vec<_> = keys.iter().map(|key| refusal(&gateway, key, "/iot/api/v1/device")).collect();

    assert!(raw.iter().all(|answer| answer == &raw[0]), "{raw:#?}");
    assert!(raw[0].contains("invalid_api_key"), "{}", raw[0]);
}

#[test]
fn j1_j3_every_401_leaves_when_one_record_more_is_durable() {
    let deck = Deck::new();
    let (gateway, keys) = bad_credentials(&deck);
    let durable = || denials(&gateway).len();

    // What asks the same is counted, so each asks for another device.
    for (number, key) in keys.iter().enumerate() {
        let before = durable();
        let target = format!("/iot/api/v1/device/{number}");
        let _the_same_as_all = refusal(&gateway, key, &target);
        assert_eq!(durable(), before + 1, "{key}");
    }
}

#[test]
fn j3_a_disabled_token_meets_the_limit_that_an_unknown_one_meets() {
    let deck = Deck::new();
    let (ana, off) = with_a_dead_token(&deck);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.set("LIMITS__FAILED_PER_S", "1");
    gateway.start_ready();
    let unknown = text_of(1, 1);
    let question = |token: &str| json!({ "token": token, "permission": "manage_device" });

    let limited = (0..200).find(|_| gateway.authorize(&question(&unknown)).status == 429);

    assert!(limited.is_some(), "one a second and a burst of ten are fewer than 200");
    // Nobody fails for a while, but time passes: the next refusal may come one answer later.
    let refused = (0..20).find(|_| gateway.authorize(&question(&off)).status == 429);
    assert!(refused.is_some(), "a token that was good once has an allowance of its own");
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
}

#[test]
fn j10_a_body_that_never_comes_does_not_hold_its_place_or_the_shutdown() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.set("LIMITS__HEADER_TIMEOUT_MS", "300");
    gateway.set("LIMITS__CONNECTIONS", "4");
    gateway.start_ready();
    let head = b"POST /v1/authorize HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{";
    let mut silent: Vec<UnixStream> = (0..4)
        .map(|_| {
            let mut stream = UnixStream::connect(gateway.api()).expect("the agent listens");
            stream.write_all(head).expect("the head is taken");
            stream
        })
        .collect();

    // All places are taken; this one is answered when the first of them has been given up.
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));

    let mut answer = String::new();
    silent[0].read_to_string(&mut answer).expect("an answer and the end");
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too_slow"), "{answer}");
    let mut last = UnixStream::connect(gateway.api()).expect("the agent listens");
    last.write_all(head).expect("the head is taken");
    assert_eq!(gateway.stop().code(), Some(0));
}

#[test]
fn an_error_that_is_no_decision_is_a_problem_with_a_stable_code() {
    let deck = Deck::new();
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    let long = vec![b' '; 9_000];

    for (method, target, body, status, code) in [
        ("GET", "/v1/authorize", &b""[..], 405, "method_not_allowed"),
        ("POST", "/v1/authorize", &long[..], 413, "too_large"),
        ("POST", "/v1/authorise", b"{}", 404, "not_found"),
        ("POST", "/v1/authorize", b"{", 400, "bad_body"),
    ] {
        let answer = gateway.try_send(method, target, &[], body).expect("the agent should answer");
        assert_eq!(answer.status, status, "{target}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{target}");
        assert_eq!(answer.json()["code"], code);
    }
}

#[test]
fn figures_are_served_to_operators_and_name_nobody() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    assert_eq!(asks(&gateway, Some(&forged(&ana)), "/iot/api/v1/device"), 401);

    let figures = gateway.operator("GET", "/metrics", b"").text();

    for line in [
        "gateward_ready 1",
        "gateward_snapshot_version 1",
        "gateward_decisions_total{reason=\"ok\"} 1",
        "gateward_decisions_total{reason=\"bad_secret\"} 1",
    ] {
        assert!(figures.lines().any(|known| known == line), "{line}: {figures}");
    }
    assert!(!figures.contains("ana.ruiz") && !figures.contains(lookup(&ana)), "{figures}");
}
