//! What begins in good order ends in good order, and what cannot begin says everything that is wrong.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use gateward_tests::{Deck, Gateway, Signal, Stopwatch, until};
use serde_json::json;

fn ready(deck: &Deck) -> (Gateway, String) {
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.set("LIMITS__ALLOW_PER_S", "100000");
    gateway.start_ready();

    (gateway, ana)
}

#[test]
fn a_request_in_flight_is_answered_before_the_agent_ends_with_0() {
    let deck = Deck::new();
    let (mut gateway, ana) = ready(&deck);
    let question = json!({ "token": ana, "permission": "manage_device" });
    let going = AtomicBool::new(false);

    let answered: usize = std::thread::scope(|scope| {
        let asked = &gateway;
        let (question, going) = (&question, &going);
        let callers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(move || {
                    let json = [("content-type", "application/json")];
                    let body = question.to_string();
                    let mut answered = 0_usize;
                    // Until nobody takes a connection any more; one that was taken is answered.
                    while let Ok(answer) =
                        asked.try_send("POST", "/v1/authorize", &json, body.as_bytes())
                    {
                        assert_eq!(answer.json()["allow"], true);
                        answered += 1;
                        going.store(true, Ordering::Relaxed);
                    }
                    answered
                })
            })
            .collect();
        until("requests in flight", || going.load(Ordering::Relaxed).then_some(()));
        let watch = Stopwatch::start();
        asked.program().signal(Signal::TERM);
        let answered = callers.into_iter().map(|caller| caller.join().expect("asked")).sum();
        assert!(watch.elapsed().as_secs() < 10, "it takes longer than its grace");
        answered
    });

    assert!(answered > 0);
    assert!(gateway.stop().success());
    let verified = gateway.cli(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    assert!(gateway.log().contains("stopped"));
}

#[test]
fn the_agent_ends_within_its_grace_whatever_the_broker_does() {
    let mut deck = Deck::new();
    let (mut gateway, _ana) = ready(&deck);

    deck.broker.freeze();
    let watch = Stopwatch::start();
    assert!(gateway.stop().success());
    assert!(watch.elapsed().as_secs() < 10, "{:?}", watch.elapsed());
    deck.broker.thaw();
    gateway.start_ready();
    deck.broker.kill();
    assert!(gateway.stop().success());
}

#[test]
fn a_second_agent_on_the_same_state_is_refused() {
    let deck = Deck::new();
    let (gateway, ana) = ready(&deck);

    let second = gateway.cli(&["run"]);

    assert_ne!(second.code, 0);
    assert!(!second.err.is_empty());
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
}

#[test]
fn every_mistake_in_a_configuration_is_told_at_once_with_78() {
    let deck = Deck::new();
    let gateway = deck.gateway("edge-7a");
    let path = gateway.etc().join("agent.toml");
    let good = fs::read_to_string(&path).expect("enroll wrote it");
    let bad = good
        .replace("group = \"plant-7\"", "group = \"plant/7\"")
        .replace("#keep_alive_s = 30", "keep_alive_s = 0")
        .replace("#mode = \"enforce\"", "mode = \"enforced\"")
        .replace("#listen = \"127.0.0.1:8470\"", "listen = \"0.0.0.0:8470\"")
        + "\n[audits]\nflush = 5\n";
    fs::write(&path, bad).expect("a configuration can be written");

    for command in ["run", "check-config"] {
        let ran = gateway.cli(&[command]);
        assert_eq!(ran.code, 78, "{command}: {}", ran.err);
        assert_eq!(ran.out, "");
        for key in ["group", "broker.keep_alive_s", "decision.mode", "api.listen", "audits"] {
            assert!(ran.err.contains(key), "{command} does not name `{key}`: {}", ran.err);
        }
        let numbered = ran.err.lines().filter(|line| line.contains("agent.toml:"));
        assert!(numbered.count() >= 5, "{}", ran.err);
    }
}

#[test]
fn a_secret_that_others_may_read_is_refused_with_78_and_the_remedy() {
    let deck = Deck::new();
    let gateway = deck.gateway("edge-7a");
    for name in ["client.key", "gateway.key"] {
        let path = gateway.etc().join(name);
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("our own file");
    }

    let ran = gateway.cli(&["run"]);

    assert_eq!(ran.code, 78, "{}", ran.err);
    for name in ["client.key", "gateway.key"] {
        assert!(ran.err.contains(name), "{}", ran.err);
    }
    assert!(ran.err.contains("chmod") && ran.err.contains("600"), "{}", ran.err);
    fs::remove_file(gateway.etc().join("client.key")).expect("our own file");
    let ran = gateway.cli(&["run"]);
    assert_eq!(ran.code, 78);
    assert!(ran.err.contains("client.key") && ran.err.contains("gateway.key"), "{}", ran.err);
}

#[test]
fn what_belongs_to_another_gateway_or_is_damaged_is_refused_with_78() {
    let deck = Deck::new();
    let gateway = deck.gateway("edge-7a");
    let other = deck.gateway("edge-7b");
    let key = gateway.etc().join("gateway.key");
    let good = fs::read(&key).expect("enroll wrote it");

    fs::copy(other.etc().join("gateway.key"), &key).expect("our own file");
    let ran = gateway.cli(&["run"]);
    assert_eq!(ran.code, 78, "{}", ran.err);
    assert!(ran.err.contains("edge-7b"), "{}", ran.err);
    fs::write(&key, b"nonsense").expect("our own file");
    assert_eq!(gateway.cli(&["run"]).code, 78);
    fs::write(&key, good).expect("our own file");
    let anchor = gateway.etc().join("keyset");
    let mut set = fs::read(&anchor).expect("enroll wrote it");
    let middle = set.len() / 2;
    set[middle] ^= 1;
    fs::write(&anchor, set).expect("our own file");
    let ran = gateway.cli(&["run"]);
    assert_eq!(ran.code, 78, "{}", ran.err);
}
