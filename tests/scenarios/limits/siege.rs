//! A gateway without a broker that is asked by everybody at once, as fast as it answers: those who ask now
//! and then are answered, and written down.

use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use gateward_core::token::{self, Secret};
use gateward_tests::{Deck, Gateway, Stopwatch};
use serde_json::{Value, json};

use super::{TokenKind, asks};
use crate::endurance::{print_line, times};

/// What a device asks, which the upstream checks.
pub(crate) const EST: &str = "/.well-known/est/line-4/simpleenroll";
/// How many others there are, and how often each of them asks.
const OTHERS: usize = 12;
const NOW_AND_THEN: Duration = Duration::from_millis(100);

/// Attacks until told to stop, each time with the next number; says how often.
fn attack(stop: &AtomicBool, each: impl Fn(u64)) -> u64 {
    let mut times = 0;
    while !stop.load(Ordering::Relaxed) {
        each(times);
        times += 1;
    }

    times
}

/// A passcode for EST, whose path is another one each time.
fn enrolls(gateway: &Gateway, number: u64) {
    let target = format!("{EST}?device={number}");
    let headers = [("x-original-method", "POST"), ("x-original-uri", &target), ("x-passcode", "p")];

    let answer = gateway.try_send("GET", "/v1/auth/nginx", &headers, b"");
    assert_eq!(answer.expect("the agent should answer").status, 204, "devices enroll meanwhile");
}

fn is_bad(gateway: &Gateway, number: u64) {
    let text = token::write(TokenKind::Api, number, &Secret([3; 32]));
    let key = String::from_utf8(text.to_vec()).expect("a token is ASCII");

    let _any_answer = asks(gateway, Some(&key), &format!("/iot/api/v1/device/{number}"));
}

/// One of the others asks now and then; every time the answer is yes.
fn lives(gateway: &Gateway, token: &str, stop: &AtomicBool, decisions: &Mutex<Vec<String>>) {
    let question = json!({ "token": token, "permission": "manage_device", "resource": "line 4" });
    while !stop.load(Ordering::Relaxed) {
        let answer = gateway.authorize(&question);
        assert_eq!((answer.status, &answer.json()["allow"]), (200, &json!(true)));
        let decision = answer.json()["decision_id"].as_str().expect("it has a number").to_owned();
        decisions.lock().expect("nobody panics").push(decision);
        thread::sleep(NOW_AND_THEN);
    }
}

#[test]
fn i6_j6_under_est_bad_tokens_and_one_good_one_at_full_speed_all_others_are_served() {
    let mut deck = Deck::new();
    let greedy = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let others: Vec<_> = (0..OTHERS)
        .map(|n| deck.service_user(&format!("line {n}"), &["--permission", "manage_device"]))
        .collect();
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    deck.broker.stop();
    let (stop, decisions) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let greeds = AtomicU64::new(0);
    // Ten minutes in the soak, six seconds in every run.
    let seconds = Duration::from_millis(times(times(600_000)) as u64);
    let watch = Stopwatch::start();
    thread::scope(|scope| {
        let (gateway, stop, decisions, greeds) = (&gateway, &stop, &decisions, &greeds);
        let question = json!({ "token": greedy, "permission": "manage_device" });
        let greed = move |_| {
            let yes = gateway.authorize(&question).json()["allow"] == true;
            greeds.fetch_add(u64::from(yes), Ordering::Relaxed);
        };
        let attackers = [
            scope.spawn(move || attack(stop, |number| enrolls(gateway, number))),
            scope.spawn(move || attack(stop, |number| is_bad(gateway, number))),
            scope.spawn(move || attack(stop, greed)),
        ];
        let lives: Vec<_> = others
            .iter()
            .map(|token| scope.spawn(move || lives(gateway, token, stop, decisions)))
            .collect();
        while watch.elapsed() < seconds && lives.iter().all(|life| !life.is_finished()) {
            thread::sleep(NOW_AND_THEN);
        }
        stop.store(true, Ordering::Relaxed);
        let attacks: Vec<_> =
            attackers.into_iter().map(|one| one.join().expect("no panic")).collect();
        print_line(&format!("{seconds:?}: EST, bad tokens, one good one asked {attacks:?} times"));
        for life in lives {
            life.join().expect("every answer is yes");
        }
    });
    assert!(greeds.load(Ordering::Relaxed) > 0, "the good token had its share too");
    assert!(gateway.stop().success());
    are_there(&gateway, &decisions.into_inner().expect("nobody panicked"));
}

/// Every decision has its record, and the audit is whole.
fn are_there(gateway: &Gateway, decisions: &[String]) {
    let tail = gateway.cli(&["audit", "tail", "-n", "100000000", "--format", "json"]).ok();
    let number = |line: &str| {
        let record: Value = serde_json::from_str(line).expect("JSON");
        record["decision_id"].as_str().map(str::to_owned)
    };
    let kept: BTreeSet<_> = tail.lines().filter_map(number).collect();

    assert!(decisions.len() > OTHERS, "they asked more than once");
    assert!(decisions.iter().all(|decision| kept.contains(decision)));
    assert_eq!(gateway.cli(&["audit", "verify"]).code, 0);
    print_line(&format!("{} answers to others, {} records in all", decisions.len(), kept.len()));
}
