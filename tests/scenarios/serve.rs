//! The control plane as a daemon: what changes arrives by itself, whatever ends in between.

use core::time::Duration;
use std::fs;

use gateward_agent::clock::Simulated;
use gateward_control::clock;
use gateward_tests::{Deck, Gateway, Stopwatch, lookup, until, within};
use serde_json::{Value, json};

use crate::endurance::{Dice, times};
use crate::loopback::Loopback;

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

fn refuses(gateway: &Gateway, token: &str) {
    until("the refusal", || (gateway.allows(token, "manage_device") == Some(false)).then_some(()));
}

fn allows(gateway: &Gateway, token: &str) {
    until("the allowance", || (gateway.allows(token, "manage_device") == Some(true)).then_some(()));
}

#[test]
fn a_change_of_the_policy_is_in_force_in_a_moment_and_audit_lands() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let server = deck.serve();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    let mut took = Vec::new();
    for _ in 0..5 {
        let spare = deck.user_token("ana.ruiz", "spare");
        allows(&gateway, &spare);
        deck.disable(&spare);
        let watch = Stopwatch::start();
        refuses(&gateway, &spare);
        took.push(watch.elapsed().as_millis());
        drop(deck.control("token delete", &[lookup(&spare)]).ok());
    }
    print_line(&format!("refused {took:?} ms after `token disable` had ended"));

    // Commands one after another never find the folder taken.
    for _ in 0..10 {
        drop(deck.control("token disable", &[lookup(&ana)]).ok());
        drop(deck.control("token enable", &[lookup(&ana)]).ok());
    }
    deck.disable(&ana);
    refuses(&gateway, &ana);
    let last = gateway.status()["audit"]["seq"].as_u64().expect("a number");
    until("the records at the collector", || {
        let records = deck.records("edge-7a");
        records.iter().any(|record| record["seq"] == last).then_some(())
    });
    // By hand it goes well beside it, and finds nothing to do once the server has done it.
    until("a publish that finds nothing to do", || {
        let by_hand = deck.try_publish().ok();
        by_hand.lines().all(|line| line.contains(" unchanged, ")).then_some(())
    });
    assert!(server.log().contains("plant-7: version 1.1 published, snapshot "), "{}", server.log());
    assert!(server.stop().success());
}

#[test]
fn a_manifest_that_is_about_to_go_stale_is_refreshed_and_nothing_else_happens() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.edit_policy("stale_after_s = 86400", "stale_after_s = 300");
    deck.publish_earlier(299);
    let mut gateway = deck.gateway("edge-7a");
    gateway.start();
    let readiness = || gateway.get("/readyz").text().trim().to_owned();
    until("a stale snapshot", || (readiness() == "stale").then_some(()));

    let server = deck.serve_to(&deck.broker.url(), &["--format", "json"]);
    until("a fresh snapshot", || (readiness() == "fresh").then_some(()));
    assert_eq!(gateway.version(), Some(1));
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    let refreshed = |line: &str| {
        let line: Option<Value> = serde_json::from_str(line).ok();
        line.is_some_and(|line| line["group"] == "plant-7" && line["outcome"] == "refreshed")
    };
    until("what it said", || server.log().lines().any(refreshed).then_some(()));
    assert!(server.stop().success());
}

#[test]
fn a_mistake_is_said_once_and_gateways_keep_what_they_have() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let server = deck.serve();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    deck.edit_policy("name = \"Acme Robotics\"", "name = 7");
    until("a word about it", || server.log().contains("policy.toml:3").then_some(()));
    // With each look at everything goes a beacon, whose number is written down.
    let beacon = || fs::read_to_string(deck.dir().join("state/published/plant-7/beacon")).ok();
    for _ in 0..3 {
        let before = beacon();
        server.look();
        until("a look", || (beacon() != before).then_some(()));
    }
    assert_eq!(server.log().matches("policy.toml:3").count(), 1, "{}", server.log());
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));

    deck.edit_policy("name = 7", "name = \"Acme\"");
    until("a word about that", || server.log().contains("the policy is good again").then_some(()));
    deck.disable(&ana);
    refuses(&gateway, &ana);
    assert!(server.stop().success());
}

#[test]
fn what_changes_while_the_broker_is_away_is_published_when_it_is_back() {
    let mut deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let server = deck.serve();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    // It comes back with nothing.
    deck.broker.kill();
    deck.disable(&ana);
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    deck.broker.restart();
    refuses(&gateway, &ana);
    assert!(server.stop().success());
}

#[test]
fn a_server_killed_at_random_while_the_policy_changes_leaves_the_old_version_or_the_new() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let broker = Loopback::new();
    let mut gateway = deck.gateway_at("edge-7a", "plant-7", &broker.url());
    let mut server = deck.serve_to(&broker.url(), &["--no-collect"]);
    gateway.start_ready();
    let mut dice = Dice::new();
    let mut enabled = true;
    let (kills, mut newest) = (times(200), gateway.version());
    for _ in 0..kills {
        enabled = !enabled;
        let word = if enabled { "token enable" } else { "token disable" };
        drop(deck.control(word, &[lookup(&ana)]).ok());
        // Anywhere in what follows: that it ends somewhere is all that is wanted of the pause.
        let pause = Duration::from_millis(dice.below(150));
        let _ = within(pause, || None::<()>);
        server.kill();
        // Whole, and one of the two: a gateway that starts now takes what there is.
        assert!(gateway.allows(&ana, "manage_device").is_some());
        let version = gateway.version();
        assert!(version >= newest, "{version:?} after {newest:?}");
        newest = version;
        server = deck.serve_to(&broker.url(), &["--no-collect"]);
        if dice.below(3) == 0 {
            until("the last state", || {
                (gateway.allows(&ana, "manage_device") == Some(enabled)).then_some(())
            });
        }
    }
    // The last server has something to do too, so it is up.
    for word in ["token disable", "token enable", "token disable"] {
        drop(deck.control(word, &[lookup(&ana)]).ok());
        let wanted = Some(word == "token enable");
        until("the last state", || (gateway.allows(&ana, "manage_device") == wanted).then_some(()));
    }
    let roots = || {
        let topics = broker.retained_topics();
        let of =
            |topic: &String| Some(topic.split_once("/plant-7/chunk/")?.1.get(..16)?.to_owned());
        topics.iter().filter_map(of).collect::<std::collections::BTreeSet<_>>()
    };
    until("an end of removing", || (roots().len() == 1).then_some(()));
    assert!(server.stop().success());
    let published = deck.publish_to(&broker.url());
    assert!(published.out.contains("plant-7: version ") && published.out.contains(" unchanged, "));
    print_line(&format!("{kills} servers killed"));
}

#[test]
fn b10_b11_a_token_used_offline_after_its_owner_was_disabled_is_listed_when_the_gateway_is_back() {
    let (deck, broker) = (Deck::new(), Loopback::new());
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let bo = deck.user("bo", &["--role", "iot_account_admin"]);
    let server = deck.serve_to(&broker.url(), &[]);
    let gateway = deck.gateway_at("edge-7a", "plant-7", &broker.url());
    let now = clock::now();
    let time = Simulated::new(now);
    let agent = gateway.start_by(&time);
    gateway.is_ready();
    let question = |token: &str| json!({ "token": token, "permission": "manage_device" });
    assert_eq!(gateway.authorize(&question(&ana)).json()["allow"], true, "before T");

    // The cable is out, and an admin is disabled at T.
    broker.cut();
    drop(deck.control("user disable", &["ana.ruiz"]).ok());
    time.advance(HOUR * 1_000);
    let used = gateway.authorize(&question(&ana)).json();
    assert_eq!(used["allow"], true, "B10: at T + 1 h the gateway cannot know");
    assert_eq!(gateway.authorize(&question(&bo)).json()["allow"], true);

    // The same beyond `expires_after`: nobody, whoever it is.
    time.set_wall(now.plus(8 * DAY));
    for token in [&ana, &bo] {
        let late = gateway.authorize(&question(token));
        assert_eq!((late.status, &late.json()["code"]), (503, &json!("snapshot_expired")), "B11");
        let route = [("x-original-method", "GET"), ("x-original-uri", "/iot/api/v1/device")];
        let late = gateway.nginx(&[route[0], route[1], ("x-api-key", token)]);
        assert_eq!(late.status, 403, "B11");
    }
    time.set_wall(now.plus(HOUR));

    broker.mend();
    gateway.reaches(2);
    refuses(&gateway, &ana);
    let event = until("the use in the list", || {
        let late = |event: &Value| event["event"] == "used_after_revocation";
        deck.collected_events().into_iter().find(late)
    });
    let owner = used["principal"]["id"].clone();
    assert_eq!((&event["gateway"], &event["authentication_id"]), (&json!("edge-7a"), &owner));
    assert_eq!((&event["authentication"], &event["count"]), (&json!("ana.ruiz"), &json!(1)));
    assert_eq!(event["snapshot_version"], 1);
    let since = event["revoked_at"].as_str().expect("a time");
    let record = until("the record of what was answered", || {
        let used = |record: &Value| record["decision_id"] == used["decision_id"];
        deck.records("edge-7a").into_iter().find(used)
    });
    assert!(Some(since) < record["created_at"].as_str(), "{event} {record}");
    assert_eq!((&record["seq"], &record["snapshot_version"]), (&event["first"], &json!(1)));
    until("a word about it", || server.log().contains("used after revocation").then_some(()));
    let all = deck.collected_events();
    assert_eq!(
        all.iter().filter(|one| one["event"] == "used_after_revocation").count(),
        1,
        "{all:?}"
    );
    drop(agent);
    assert!(server.stop().success());
}

#[expect(clippy::print_stdout, reason = "a figure for whoever runs the tests")]
fn print_line(text: &str) {
    println!("{text}");
}
