//! Many gateways at once against a real broker; thousands of them in `tests/soak`.

use std::process::Command;

use gateward_tests::{Ran, built, run};
use serde_json::Value;

/// Runs the simulator in a shell that first limits how many files may be open.
fn fleet(limit: &str, args: &str) -> Ran {
    let script = format!("ulimit {limit} && exec \"$0\" --format json {args}");
    let mut command = Command::new("bash");
    command.args(["-c", &script]).arg(built("gateward-fleet"));

    run(&mut command, b"")
}

fn report(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).expect("one JSON document")
}

/// The names of the rows, and how many gateways each is about.
fn rows(report: &Value) -> Vec<(&str, u64)> {
    let rows = report["rows"].as_array().expect("rows");
    let row = |row: &'_ Value| row["gateways"].as_u64().expect("a number");

    rows.iter().map(|each| (each["name"].as_str().expect("a name"), row(each))).collect()
}

#[test]
fn fifty_gateways_refuse_what_is_revoked_through_a_partition_and_a_restart_of_the_broker() {
    let ran = fleet("-Sn 256", "--gateways 50 --revocations 3 --partition 20 --restart-broker");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);

    let report = report(&ran);
    assert_eq!(
        rows(&report),
        [
            ("connected", 50),
            ("revocation 1", 50),
            ("revocation 2", 50),
            ("revocation 3", 50),
            ("revocation, 10 cut off", 40),
            ("those cut off, mended", 10),
            ("broker stopped, reconnected", 50),
            ("revocation after that", 50),
        ]
    );
    assert_eq!((&report["held"], &report["agreed"]), (&Value::from(true), &Value::from(50)));
    assert_eq!(report["rejected"], serde_json::json!({}));
    assert_eq!(report["files"], "the limit of open files is raised from 256 to 682");
    for row in report["rows"].as_array().expect("rows") {
        let figure = |name: &str| row[name].as_u64().expect("a number");
        let ordered = figure("p50_ms") <= figure("p99_ms") && figure("p99_ms") <= figure("max_ms");
        assert!(ordered && figure("max_ms") <= figure("whole_ms"), "{row}");
        // A signed list, a manifest and a beacon are not less; all of it is a few KiB.
        assert!((400..40_000).contains(&figure("bytes_to_each")), "{row}");
    }
}

#[test]
fn a_broker_that_lost_everything_is_filled_again_by_the_next_publish_and_three_groups_agree() {
    let ran = fleet("-n 4096", "--gateways 20 --groups 3 --revocations 1 --restart-broker kill");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);

    let report = report(&ran);
    let last = ("revocation after that", 20);
    assert_eq!(rows(&report).last(), Some(&last));
    assert_eq!(report["agreed"], 20);
}

#[test]
fn a_fleet_that_is_too_slow_or_has_too_few_files_says_so_and_fails() {
    let slow = fleet("-n 4096", "--gateways 2 --revocations 1 --p99-below-ms 1");
    assert_eq!(slow.code, 1, "{}{}", slow.out, slow.err);
    assert!(slow.err.contains("revocation 1: p99 is "), "{}", slow.err);
    assert_eq!(report(&slow)["held"], false);

    let narrow = fleet("-n 256", "--gateways 50");
    assert_eq!(narrow.code, 69, "{}{}", narrow.out, narrow.err);
    assert!(
        narrow.err.contains("662 open files are needed and 256 are the most"),
        "{}",
        narrow.err
    );
}
