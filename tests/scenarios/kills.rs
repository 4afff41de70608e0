//! An agent that is killed at any moment, again and again, while many ask: who was told yes is in the
//! journal.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use gateward_tests::{Deck, Gateway, Signal, Stopwatch, until};
use serde_json::{Value, json};

use crate::endurance::{Dice, is_soak, print_line, times};

/// How many ask at once.
const CALLERS: usize = 6;
/// Every other of them asks so many things at once.
const BATCH: usize = 16;
/// Half of the starts in a soak decide again within this, on a machine that does other things too.
const SOON_AGAIN: Duration = Duration::from_millis(500);
/// Nearly all of them within this: the agent is not optimised, and whatever runs beside it holds one up.
const SOON_AT_WORST: Duration = Duration::from_secs(2);
/// A kill comes at most this long after the agent decides again.
const LATEST_US: u64 = 60_000;

/// The number of an allow, and whether it was one of several in one answer.
type Allow = (String, bool);

/// Asks until nobody answers any more, and keeps the number of every allow.
fn asks(gateway: &Gateway, token: &str, caller: usize, allowed: &Mutex<Vec<Allow>>) {
    let json = [("content-type", "application/json")];
    let resource = format!("device/{caller}");
    let question = json!({ "token": token, "permission": "manage_device", "resource": resource });
    let (target, body) = if caller.is_multiple_of(2) {
        ("/v1/authorize", question)
    } else {
        ("/v1/authorize/batch", json!({ "requests": vec![question; BATCH] }))
    };
    let body = body.to_string();
    loop {
        let answer = gateway.try_send("POST", target, &json, body.as_bytes());
        let Ok(answer) = answer else { return };
        // Killed between two bytes of an answer: nobody was told anything.
        let Ok(said) = serde_json::from_slice::<Value>(&answer.body) else { return };
        if answer.status != 200 {
            continue;
        }
        let answers =
            said["answers"].as_array().map_or(core::slice::from_ref(&said), Vec::as_slice);
        let numbers = answers
            .iter()
            .filter(|one| one["allow"] == true)
            .map(|one| one["decision_id"].as_str().expect("each has a number").to_owned());
        let many = answers.len() > 1;
        let numbers = numbers.map(|number| (number, many));
        allowed.lock().expect("no caller panics").extend(numbers);
    }
}

/// Lets everybody ask, kills the agent in the middle of it, and starts it again.
fn round(gateway: &mut Gateway, token: &str, after: Duration, allowed: &Mutex<Vec<Allow>>) {
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
    let lost: Vec<_> = allowed.iter().filter(|(one, _)| !kept.contains(one.as_str())).collect();
    assert!(lost.is_empty(), "{} of {}: {:?}", lost.len(), allowed.len(), lost.first());
    let together = allowed.iter().filter(|(_, together)| *together).count();
    assert!(0 < together && together < allowed.len(), "{together} of {}", allowed.len());
    assert_eq!(gateway.cli(&["audit", "verify"]).code, 0);
    starts.sort();
    let at = |percent: usize| starts[(starts.len() - 1) * percent / 100];
    print_line(&format!(
        "{kills} kills, {} answered allows, {together} of them in batches, {} records; restart to \
         decision p50 {} ms, p99 {} ms, longest {} ms",
        allowed.len(),
        records.len(),
        at(50).as_millis(),
        at(99).as_millis(),
        at(100).as_millis(),
    ));
    // A single run says nothing about time: that is for the soak, which has the machine to itself.
    assert!(!is_soak() || at(50) < SOON_AGAIN, "{:?}", at(50));
    assert!(!is_soak() || at(99) < SOON_AT_WORST, "{:?}", at(99));
}
