//! The agent decides and works alike on every processor.
//!
//! `tests/cross` puts an agent for another processor into `GATEWARD_AGENT`, as a program that runs here.
//! Without it the two agents are one, and what is expected is compared all the same.

use std::fs;
use std::path::Path;

use gateward_control::clock;
use gateward_control::day::Day;
use gateward_core::principal::TokenKind;
use gateward_core::time::End;
use gateward_core::token::{self, Secret};
use gateward_tests::{Deck, Gateway, Ran, agent, built, lookup, until};
use serde_json::{Value, json};

use crate::stage::number_of;

const DAY: u64 = 86_400;

/// A question at the command line, and the reason that answers it.
struct Case {
    reason: &'static str,
    token: String,
    question: &'static [&'static str],
}

impl Case {
    fn new(reason: &'static str, token: &str, question: &'static [&'static str]) -> Self {
        Self { reason, token: token.to_owned(), question }
    }

    /// Asks an agent, which has a bundle and nothing else.
    fn ask(&self, gateway: &Gateway, agent: &Path, bundle: &str) -> Ran {
        let mut args = vec!["check", "--snapshot", bundle, "--format", "json"];
        args.extend(self.question);

        gateway.cli_of(agent, &args, self.token.as_bytes())
    }
}

const DEVICE: &[&str] = &["--permission", "manage_device"];
const ISSUE: &[&str] = &["--permission", "manage_certificate", "--operation", "issue"];
const PUBLIC: &[&str] = &["--method", "GET", "--path", "/iot/api/v1/health/heartbeat"];
const EST: &[&str] = &["--method", "GET", "--path", "/.well-known/est/any/cacerts"];
const NO_RULE: &[&str] = &["--method", "GET", "--path", "/account/api/v1/user"];
const NO_METHOD: &[&str] = &["--method", "TRACE", "--path", "/iot/api/v1/device"];
const IN_7: &[&str] = &["--permission", "manage_device", "--division", "plant-7"];
const IN_8: &[&str] = &["--permission", "manage_device", "--division", "plant-8"];
const ROUTE: &[&str] = &["--method", "GET", "--path", "/iot/api/v1/device"];

/// Lets the token with this text end yesterday; no command makes one that is over.
fn is_over(deck: &Deck, token: &str) {
    let end = u32::try_from(clock::now().0 - DAY).expect("before 2106");
    let yesterday = Day::of(End(end)).expect("a day").to_string();
    let path = deck.dir().join("tokens.jsonl");
    let text = fs::read_to_string(&path).expect("there are tokens");
    let end_now = |line: &str| {
        let mut fields: Value = serde_json::from_str(line).expect("JSON");
        fields["end_date"] = json!(yesterday);
        fields.to_string()
    };
    let line = |line: &str| {
        if line.contains(lookup(token)) { end_now(line) } else { line.to_owned() }
    };
    let lines: Vec<_> = text.lines().map(line).collect();
    fs::write(path, lines.join("\n") + "\n").expect("tokens can be written");
}

/// A text that is well formed, with this token's number and another secret.
fn other_secret(text: &str) -> String {
    let secret = Secret([0x5a; 32]);
    let text = token::write(TokenKind::Api, number_of(text), &secret);

    String::from_utf8(text.to_vec()).expect("ASCII")
}

/// A text of which one letter was changed.
fn mistyped(token: &str) -> String {
    let (public, secret) = token.rsplit_once('.').expect("a token has dots");
    let letter = if secret.starts_with('A') { 'B' } else { 'A' };

    format!("{public}.{letter}{}", secret.get(1..).expect("a letter"))
}

/// Tokens of every standing, and of none.
fn whose(deck: &Deck) -> Vec<Case> {
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let [over, disabled] = ["over", "disabled"].map(|name| deck.user_token("ana.ruiz", name));
    is_over(deck, &over);
    deck.disable(&disabled);
    let gone = deck.user("gone", &["--role", "iot_account_admin"]);
    drop(deck.control("user delete", &["gone"]).ok());
    let off = deck.user("off", &["--role", "iot_account_admin"]);
    drop(deck.control("user disable", &["off"]).ok());
    let none = deck.user("nobody", &["--role", "iot_account_admin", "--no-iot-access"]);
    let mut torn = ana.clone();
    torn.pop();

    vec![
        Case::new("ok", &ana, DEVICE),
        Case::new("malformed_token", "nonsense", DEVICE),
        Case::new("malformed_token", &torn, DEVICE),
        Case::new("bad_checksum", &mistyped(&ana), DEVICE),
        Case::new("bad_secret", &other_secret(&ana), DEVICE),
        Case::new("unknown_token", &gone, DEVICE),
        Case::new("token_disabled", &disabled, DEVICE),
        Case::new("token_expired", &over, DEVICE),
        Case::new("owner_disabled", &off, DEVICE),
        Case::new("no_iot_access", &none, DEVICE),
    ]
}

/// Questions of every kind.
fn what(deck: &Deck) -> Vec<Case> {
    let bob = deck.user("bob.li", &["--role", "iot_account_admin", "--division", "plant-7"]);
    let eva = deck.user("eva.sato", &["--role", "iot_account_admin"]);
    let root = deck.user("root", &["--role", "iot_account_admin", "--access-scope", "system"]);
    let mes = deck.service_user("MES sync", &["--permission", "manage_device"]);

    vec![
        Case::new("ok", &mes, DEVICE),
        Case::new("ok", &bob, IN_7),
        Case::new("ok", &eva, ROUTE),
        Case::new("ok_public", &eva, PUBLIC),
        Case::new("credential_not_accepted", &eva, EST),
        Case::new("permission_missing", &mes, &["--permission", "manage_iot_ca"]),
        Case::new("permission_missing", &eva, &["--permission", "view_app_health"]),
        Case::new("system_user_barred", &root, ISSUE),
        Case::new("division_denied", &bob, IN_8),
        Case::new("division_unspecified", &bob, DEVICE),
        Case::new("route_unknown", &eva, NO_RULE),
        Case::new("method_not_allowed", &eva, NO_METHOD),
    ]
}

/// Compiles a bundle, and returns its path.
fn bundle(deck: &Deck, name: &str) -> String {
    let out = deck.root().join(name).display().to_string();
    drop(deck.control("compile", &["--group", "plant-7", "--bundle", "--out", &out]).ok());

    out
}

/// Asks the agent of this machine and the other one, who must say the same and what is expected.
fn are_alike(gateway: &Gateway, bundle: &str, cases: &[Case]) {
    for case in cases {
        let here = case.ask(gateway, &built("gateward"), bundle);
        let there = case.ask(gateway, &agent(), bundle);
        let about = format!("{} {:?}: {}{}", case.reason, case.question, there.out, there.err);
        assert_eq!((there.code, &there.out), (here.code, &here.out), "{about}");
        let said: Value = serde_json::from_str(&there.out).expect(&about);
        assert_eq!(said["reason"], case.reason, "{about}");
        assert_eq!(there.code, i32::from(!case.reason.starts_with("ok")), "{about}");
    }
}

#[test]
fn l3_the_same_bundle_and_token_get_the_same_answer_from_an_agent_on_any_processor() {
    let deck = Deck::new();
    let mut cases = whose(&deck);
    cases.extend(what(&deck));
    let gateway = deck.gateway("edge-7a");
    let good = bundle(&deck, "good");
    are_alike(&gateway, &good, &cases);
    deck.edit_policy("status = \"active\"", "status = \"suspended\"");
    let suspended = [Case::new("account_suspended", &cases[0].token, DEVICE)];
    are_alike(&gateway, &bundle(&deck, "suspended"), &suspended);

    // What an agent here does not take, no agent takes.
    let mut bytes = fs::read(&good).expect("it was compiled");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = deck.root().join("damaged");
    fs::write(&damaged, bytes).expect("a file can be written");
    let damaged = damaged.display().to_string();
    let [here, there] =
        [built("gateward"), agent()].map(|agent| cases[0].ask(&gateway, &agent, &damaged));
    assert_eq!((here.code, there.code), (65, 65), "{}", there.err);
    assert_eq!(there.err, here.err);
    let answers = cases.len() + suspended.len();
    print_line(&format!("{answers} answers and a refusal, alike from {}", agent().display()));
}

#[test]
fn from_the_first_key_to_a_receipt_an_agent_on_any_processor_does_its_work() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let version = deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    assert_eq!(gateway.version(), Some(version));
    let question = json!({ "token": ana, "permission": "manage_device" });
    let allowed = gateway.authorize(&question).json();
    assert_eq!(allowed["allow"], true, "{allowed}");

    deck.disable(&ana);
    gateway.reaches(deck.publish());
    let refused = gateway.authorize(&question).json();
    assert_eq!(refused["allow"], false, "{refused}");

    let collector = deck.collector();
    until("a receipt for everything", || {
        (gateway.status().pointer("/audit/backlog") == Some(&json!(0))).then_some(())
    });
    let last = gateway.status()["audit"]["seq"].as_u64().expect("a number");
    let records = collector.has("edge-7a", last);
    let of = |answer: &Value| {
        let found = records.iter().find(|record| record["decision_id"] == answer["decision_id"]);
        found.expect("a record of each answer").clone()
    };
    assert_eq!(
        (&of(&allowed)["decision"], &of(&allowed)["authentication"]),
        (&json!("allow"), &json!("ana.ruiz"))
    );
    assert_eq!(of(&refused)["decision"], "deny");
    let verified = gateway.cli(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    assert!(gateway.stop().success());
    print_line(&format!("{} records receipted, of {}", records.len(), agent().display()));
}

#[expect(clippy::print_stdout, reason = "a figure for whoever runs the tests")]
fn print_line(text: &str) {
    println!("{text}");
}
