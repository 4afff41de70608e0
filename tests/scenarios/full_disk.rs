//! A disk that is full, or cannot be written to: nothing guarded is allowed without a record, everybody is
//! told why, and with the room back all goes on.

use std::collections::BTreeSet;

use gateward_tests::{SmallDisk, until};
use serde_json::{Value, json};

use crate::limits::{EST, PUBLIC, asks};
use crate::stage::{Stage, WIDER};

/// More than a gateway takes that has done nothing yet, and soon full.
const MIB: u32 = 8;
/// Room for eight small segments.
const MAX_BYTES: &str = "1048576";
const BATCH: usize = 64;

/// A gateway whose state is on a small disk, and every allow that it has answered.
struct Island {
    stage: Stage,
    disk: SmallDisk,
    allowed: Vec<String>,
}

impl Island {
    fn new() -> Self {
        let mut stage = Stage::new();
        assert!(stage.gateway.stop().success());
        let disk = SmallDisk::new(MIB, &stage.deck.root().join("disk"));
        stage.gateway.keep_state_in(&disk.place().join("state"));
        stage.gateway.set("AUDIT__MAX_BYTES", MAX_BYTES);
        stage.gateway.set("LIMITS__ALLOW_PER_S", "10000");
        stage.gateway.start_ready();

        Self { stage, disk, allowed: Vec::new() }
    }

    /// Asks once; keeps the number of an allow, and says whether it was one.
    fn asks(&mut self) -> bool {
        let question = json!({ "token": self.stage.ana, "permission": "manage_device" });
        let answer = self.stage.gateway.authorize(&question);
        let allowed = answer.status == 200 && answer.json()["allow"] == true;
        if allowed {
            let decision = answer.json()["decision_id"].as_str().expect("a number").to_owned();
            self.allowed.push(decision);
        }

        allowed
    }

    /// Asks 64 times in one request, and says with which status it was answered.
    fn asks_many(&mut self) -> u16 {
        let question =
            json!({ "token": self.stage.ana, "permission": "manage_device", "resource": "line 4" });
        let many = json!({ "requests": vec![question; BATCH] }).to_string();
        let gateway = &self.stage.gateway;
        let answer = gateway.try_send("POST", "/v1/authorize/batch", &[], many.as_bytes());
        let answer = answer.expect("it answers");
        if answer.status == 200 {
            let answers = answer.json()["answers"].as_array().expect("a list").clone();
            let allowed = answers.iter().filter(|one| one["allow"] == true);
            self.allowed
                .extend(allowed.filter_map(|one| Some(one["decision_id"].as_str()?.to_owned())));
        }

        answer.status
    }

    /// Writes until the audit has so many segments.
    fn has_segments(&mut self, count: usize) {
        while crate::lost::segments(&self.stage.gateway).len() < count {
            assert_eq!(self.asks_many(), 200);
        }
    }

    /// Fills the disk and asks until that is felt: the last page of a file has room for a few more.
    fn is_full(&mut self) {
        self.disk.fill();
        while self.asks() {}
    }

    /// Nothing guarded is decided in any dialect; what needs no token is answered.
    fn refuses(&mut self) {
        let gateway = &self.stage.gateway;
        for permission in ["manage_device", WIDER] {
            let question = json!({ "token": self.stage.ana, "permission": permission });
            let answer = gateway.authorize(&question);
            assert_eq!((answer.status, &answer.json()["code"]), (503, &json!("audit_unavailable")));
            assert!(answer.header("retry-after").is_some());
        }
        for key in [Some(&*self.stage.ana), Some("nobody's"), None] {
            assert_eq!(asks(gateway, key, "/iot/api/v1/device"), 403, "nginx knows no 503");
        }
        assert_eq!(asks(gateway, None, PUBLIC), 204);
        let est = [("x-original-method", "POST"), ("x-original-uri", EST), ("x-passcode", "p")];
        assert_eq!(gateway.nginx(&est).status, 204, "devices enroll meanwhile");
        assert_eq!(self.asks_many(), 503);
    }

    /// It lives, and says what is wrong in every way in which it is asked.
    fn says(&self, problem: &str) {
        let gateway = &self.stage.gateway;
        assert_eq!(gateway.get("/livez").status, 200);
        let ready = gateway.get("/readyz?verbose");
        assert_eq!(ready.status, 503);
        assert!(ready.text().contains("why: audit_unavailable"), "{}", ready.text());
        let status = gateway.status();
        assert_eq!(status["audit"]["problem"], problem, "{status}");
        let figures = gateway.operator("GET", "/metrics", b"").text();
        assert!(figures.lines().any(|line| line == "gateward_audit_refusing 1"), "{figures}");
        let said = gateway.cli(&["status"]);
        assert!(said.out.contains(&problem.replace('_', " ")), "{}", said.out);
    }

    fn records(&self) -> Vec<Value> {
        let tail = self.stage.gateway.cli(&["audit", "tail", "-n", "1000000", "--format", "json"]);

        tail.ok().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Every answered allow from number `first` on is there, none is missing, and the chain is whole.
    fn is_whole_from(&self, first: u64) -> Vec<Value> {
        let records = self.records();
        let numbers: Vec<_> = records.iter().filter_map(|record| record["seq"].as_u64()).collect();
        let expected: Vec<_> = (first..first + numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "without a gap");
        let kept: BTreeSet<_> =
            records.iter().filter_map(|record| record["decision_id"].as_str()).collect();
        let lost: Vec<_> = self
            .allowed
            .iter()
            .filter(|one| number(one) >= first && !kept.contains(one.as_str()))
            .collect();
        assert!(lost.is_empty(), "{} of {}: {lost:?}", lost.len(), self.allowed.len());
        let verified = self.stage.gateway.cli(&["audit", "verify"]);
        assert_eq!(verified.code, 0, "{}{}", verified.out, verified.err);

        records
    }

    /// With the room back it is ready before anybody asks, and has written down why it was not.
    fn recovers(&mut self) {
        self.disk.free();
        self.stage.gateway.is_ready();
        assert!(self.stage.gateway.status()["audit"]["problem"].is_null());
        assert!(self.asks());
        let failed = self.stage.events("audit_failed");
        assert!(failed.last().is_some_and(|why| why.contains("No space left")), "{failed:?}");
    }
}

/// The number of the record of a decision, which its id ends with.
fn number(decision: &str) -> u64 {
    let id = decision.replace('-', "");

    u64::from_str_radix(&id[id.len() - 16..], 16).expect("an id")
}

#[test]
fn i5_n7_on_a_full_disk_nothing_guarded_is_allowed_and_with_room_it_goes_on_without_a_restart() {
    let mut island = Island::new();
    assert!(island.asks());
    for _ in 0..2 {
        island.is_full();
        island.refuses();
        island.says("disk_full");
        island.recovers();
    }
    let records = island.is_whole_from(1);
    let counts = records.iter().filter(|record| record["action"] == "audit_failed");
    let refused: u64 = counts.filter_map(|record| record["count"].as_u64()).sum();
    assert!(refused >= 2 * BATCH as u64, "{refused} were refused");
}

#[test]
fn i5_whoever_only_observes_lets_nobody_through_to_anything_guarded_without_a_record_either() {
    let mut island = Island::new();
    island.stage.operator_may("allow_observe", crate::observe::OBSERVE);
    assert_eq!(island.stage.gateway.allows(&island.stage.ana, WIDER), Some(true));
    island.is_full();
    island.refuses();
    island.recovers();
}

#[test]
fn i5_h11_a_gateway_that_starts_on_a_full_disk_refuses_and_says_so_until_there_is_room() {
    let mut island = Island::new();
    assert!(island.asks());
    island.is_full();
    // The floor cannot be written down either, which is no end in good order.
    assert_eq!(island.stage.gateway.stop().code(), Some(74));
    assert!(island.stage.gateway.log().contains("cannot write down the time at stop"));
    island.stage.gateway.start();
    assert!(!island.asks());
    island.refuses();
    island.says("disk_full");
    island.stage.gateway.kill();
    island.stage.gateway.start();
    assert!(!island.asks());
    island.refuses();
    island.recovers();
    island.stage.restart();
    assert!(island.asks());
    island.is_whole_from(1);
}

#[test]
fn i5_i7_a_receipt_is_the_way_out_of_a_disk_that_is_full_of_records() {
    let mut island = Island::new();
    island.has_segments(3);
    island.is_full();
    let last = island.stage.gateway.status()["audit"]["seq"].as_u64().expect("a number");

    let collector = island.stage.deck.collector();
    let records = collector.has("edge-7a", last);
    until("an allow, with the room of what the collector holds", || island.asks().then_some(()));

    let kept: BTreeSet<_> = records.iter().filter_map(|one| one["decision_id"].as_str()).collect();
    let (_, before) = island.allowed.split_last().expect("some were allowed");
    assert!(before.iter().all(|one| kept.contains(one.as_str())));
    until("a receipt for all", || {
        (crate::stage::backlog(&island.stage.gateway) == 0).then_some(())
    });
    assert!(island.stage.gateway.stop().success());
    // What was receipted on a full disk is known after a restart, from the first answer on.
    island.stage.deck.broker.stop();
    island.stage.gateway.start();
    assert!(crate::stage::backlog(&island.stage.gateway) < 10);
    let first = island.records()[0]["seq"].as_u64().expect("a number");
    assert!(first > 1, "a segment went");
    island.is_whole_from(first);
}

#[test]
fn i5_on_a_full_disk_whole_segments_go_where_the_manifest_permits_it_and_are_counted() {
    let mut island = Island::new();
    island.stage.operator_may("allow_drop", ("AUDIT__WHEN_FULL", "drop_oldest", "deny"));
    island.has_segments(5);
    let firsts = crate::lost::segments(&island.stage.gateway);

    island.disk.fill();
    // More than the last page of the last segment has room for.
    for _ in 0..8 {
        assert_eq!(island.asks_many(), 200);
    }
    assert!(island.stage.gateway.status()["audit"]["problem"].is_null());
    let left = crate::lost::segments(&island.stage.gateway);
    assert!(!left.contains(&firsts[0]) && left.contains(&firsts[4]));

    let first = island.records()[0]["seq"].as_u64().expect("a number");
    let records = island.is_whole_from(first);
    let gaps: Vec<_> = records.iter().filter(|record| record["action"] == "gap").collect();
    let counted: u64 = gaps.iter().filter_map(|gap| gap["count"].as_u64()).sum();
    assert_eq!(counted, first - 1, "{gaps:?}");
}

#[test]
fn h11_a_disk_that_is_read_only_is_named_can_be_verified_and_is_gone_on_with_when_it_is_not() {
    let mut island = Island::new();
    assert!(island.asks());
    assert!(island.stage.gateway.stop().success());
    island.disk.is_read_only(true);

    let ran = island.stage.gateway.cli(&["run"]);
    assert_eq!(ran.code, 74, "{}", ran.err);
    assert!(ran.err.contains("Read-only file system"), "{}", ran.err);
    assert!(ran.err.contains(&island.disk.place().display().to_string()), "{}", ran.err);
    island.is_whole_from(1);

    island.disk.is_read_only(false);
    island.stage.gateway.start_ready();
    assert!(island.asks());
    island.is_whole_from(1);
}
