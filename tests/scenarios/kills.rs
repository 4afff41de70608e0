//! An agent that is killed at any moment, again and again, while many ask: who was told yes is in the
//! journal.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use gateward_tests::{Deck, Gateway, Signal, Stopwatch, until};
use serde_json::{Value, json};

use crate::endurance::{Dice, print_line, times};

/// How many ask at once.
const CALLERS: usize = 6;
/// A kill comes at most this long after the agent decides again.
const LATEST_US: u64 = 60_000;

/// Asks until nobody answers any more, and keeps the number of every allow.
fn asks(gateway: &Gateway, token: &str, caller: usize, allowed: &Mutex<Vec<String>>) {
    let json = [("content-type", "application/json")];
    let resource = format!("device/{caller}");
    let body = json!({ "token": token, "permission": "manage_device", "resource": resource });
    let body = body.to_string();
    loop {
        let answer = gateway.try_send("POST", "/v1/authorize", &json, body.as_bytes());
        let Ok(answer) = answer else { return };
        // Killed between two bytes of an answer: nobody was told anything.
        let Ok(said) = serde_json::from_slice::<Value>(&answer.body) else { return };
        if answer.status == 200 && said["allow"] == true {
            let decision = said["decision_id"].as_str().expect("each has a number").to_owned();
            allowed.lock().expect("no caller panics").push(decision);
        }
    }
}

/// Lets everybody ask, kills the agent in the middle of it, and starts it again.
fn round(gateway: &mut Gateway, token: &str, after: Duration, allowed: &Mutex<Vec<String>>) {
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let gateway = &*gateway;
                scope.spawn(move || asks(gateway, token, caller, allowed))
            })
            .collect();
        // The moment of the kill is what is tried; nothing is concluded from the time.
        thread::sleep(after);
        gateway.program().signal(Signal::KILL);
        for caller in callers {
            caller.join().expect("a caller ends when nobody answers");
        }
    });
}

/// Every record that is on disk.
fn records(gateway: &Gateway) -> Vec<Value> {
    let tail = gateway.cli(&["audit", "tail", "-n", "100000000", "--format", "json"]).ok();

    tail.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn n7_i8_through_kills_at_any_moment_every_answered_allow_is_in_the_journal() {
    let mut dice = Dice::new();
    let mut deck = Deck::new();
    let token = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.set("LIMITS__ALLOW_PER_S", "10000");
    gateway.start_ready();
    deck.broker.stop();
    let allowed = Mutex::new(Vec::new());
    let (kills, mut starts) = (times(1_000), Vec::new());
    for kill in 0..kills {
        let after = Duration::from_micros(dice.below(LATEST_US));
        round(&mut gateway, &token, after, &allowed);
        gateway.kill();
        gateway.set("AUDIT__DURABILITY", if kill % 2 == 0 { "interval" } else { "group" });
        let watch = Stopwatch::start();
        gateway.start();
        until("a decision", || gateway.allows(&token, "manage_device").filter(|allow| *allow));
        starts.push(watch.elapsed());
    }
    assert!(gateway.stop().success());

    let allowed = allowed.into_inner().expect("no caller panicked");
    let records = records(&gateway);
    let numbers: Vec<_> = records.iter().filter_map(|record| record["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "without a gap");
    let kept: BTreeSet<_> =
        records.iter().filter_map(|record| record["decision_id"].as_str()).collect();
    let lost: Vec<_> = allowed.iter().filter(|one| !kept.contains(one.as_str())).collect();
    assert!(lost.is_empty(), "{} of {}: {:?}", lost.len(), allowed.len(), lost.first());
    assert_eq!(gateway.cli(&["audit", "verify"]).code, 0);
    starts.sort();
    print_line(&format!(
        "{kills} kills, {} answered allows, {} records; restart to decision p50 {} ms, longest {} ms",
        allowed.len(),
        records.len(),
        starts[starts.len() / 2].as_millis(),
        starts[starts.len() - 1].as_millis(),
    ));
}
