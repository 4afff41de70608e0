//! Somebody watches the audit of a gateway: `audit tail --follow` shows each record once, whatever becomes
//! of the agent meanwhile.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use gateward_tests::{Program, Signal, until};
use serde_json::{Value, json};

use crate::lost::segments;
use crate::stage::Stage;

const FOLLOW: [&str; 6] = ["audit", "tail", "--follow", "-n", "2", "--format"];

/// One that follows, into a file.
fn follower(stage: &Stage) -> Program {
    let args = [&FOLLOW[..], &["json"]].concat();

    Program::start(&mut stage.gateway.prepared(&args), &stage.deck.logs().join("followed.log"))
}

/// What it has shown; nothing but records.
fn shown(follower: &Program) -> Vec<Value> {
    let log = follower.log();
    let (whole, _) = log.rsplit_once('\n').unwrap_or_default();

    whole.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

/// Asks about something, and waits until that is shown.
fn is_shown(stage: &Stage, follower: &Program, about: &str) {
    let question = json!({ "token": stage.ana, "permission": "manage_device", "resource": about });
    assert_eq!(stage.gateway.authorize(&question).json()["allow"], true);
    until(about, || shown(follower).iter().any(|one| one["resource"] == about).then_some(()));
}

#[test]
fn tail_follow_shows_each_record_once_across_segments_and_restarts_of_the_agent() {
    let mut stage = Stage::new();
    assert!(stage.gateway.stop().success());
    stage.gateway.set("AUDIT__MAX_BYTES", "1048576");
    stage.gateway.set("LIMITS__ALLOW_PER_S", "10000");
    stage.gateway.start_ready();
    let mut follower = follower(&stage);
    until("the newest two", || (shown(&follower).len() >= 2).then_some(()));

    is_shown(&stage, &follower, "the first");
    let question = json!({ "token": stage.ana, "permission": "manage_device", "resource": "many" });
    let many = json!({ "requests": vec![question; 64] }).to_string();
    while segments(&stage.gateway).len() < 2 {
        let answer = stage.gateway.try_send("POST", "/v1/authorize/batch", &[], many.as_bytes());
        assert_eq!(answer.expect("it answers").status, 200);
    }
    is_shown(&stage, &follower, "in another segment");
    stage.gateway.kill();
    stage.gateway.start_ready();
    is_shown(&stage, &follower, "after a kill");
    stage.restart();
    is_shown(&stage, &follower, "after a restart");

    follower.signal(Signal::INT);
    assert_eq!(until("its end", || follower.ended()).code(), Some(0));
    let numbers: Vec<_> = shown(&follower).iter().filter_map(|one| one["seq"].as_u64()).collect();
    let expected: Vec<_> = (numbers[0]..).take(numbers.len()).collect();
    assert_eq!(numbers, expected, "each once, in order");
    assert!(numbers.len() > 64 && numbers[0] > 1);
}

#[test]
fn tail_follow_ends_well_when_nobody_reads_any_more_though_nothing_is_written() {
    let stage = Stage::new();
    let mut command = stage.gateway.prepared(&[&FOLLOW[..], &["human"]].concat());
    let mut follower = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    let mut out = BufReader::new(follower.stdout.take().expect("it was asked for"));
    out.read_line(&mut line).expect("it shows the newest");
    assert!(!line.trim().is_empty());

    drop(out);

    let ended = until("its end", || follower.try_wait().expect("a child can be asked about"));
    assert_eq!(ended.code(), Some(0));
}
