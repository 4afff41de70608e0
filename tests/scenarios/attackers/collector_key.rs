//! Who holds a collector key.

use gateward_core::audit::Head;
use gateward_core::trust::Role;
use gateward_tests::{Gateway, until};

use super::signs::{signs_no_beacon, signs_no_list, signs_no_snapshot};
use crate::stage::{Stage, backlog};

#[test]
fn who_holds_a_collector_key_can_acknowledge_what_is_on_the_chain_so_that_it_may_be_dropped() {
    let mut stage = Stage::new();
    let thief = stage.key(Role::Collector);
    assert!(backlog(&stage.gateway) > 0, "nobody has collected yet");

    let through = stage.thief_acknowledges(&thief, &stage.gateway);
    let released = |gateway: &Gateway| {
        until("a receipt that a thief signed", || {
            let seq = gateway.status()["audit"]["seq"].as_u64().expect("a number");
            (backlog(gateway) <= seq - through).then_some(())
        });
    };
    released(&stage.gateway);
    stage.restart();
    released(&stage.gateway);
    // A collector that comes now is told that what is before has been taken.
    stage.gateway.is_ready();
    let collector = stage.deck.collector();
    super::forger::is_seen(&stage, &["gap"]);
    assert!(collector.records("edge-7a").is_empty());
}

#[test]
fn who_holds_a_collector_key_cannot_grant_anything_or_alter_records() {
    let stage = Stage::new();
    let thief = stage.key(Role::Collector);
    signs_no_snapshot(&stage, &thief);
    signs_no_beacon(&stage, &thief);
    signs_no_list(&stage, &thief);
    assert_eq!(stage.gateway.get("/readyz").text(), "fresh\n");
    let tail = || stage.gateway.cli(&["audit", "tail", "-n", "1000", "--format", "json"]).ok();
    let (before, held) = (backlog(&stage.gateway), tail());

    // Of another chain, and of records that nobody has written.
    let good = stage.receipt(&stage.gateway);
    let mut other = good;
    other.head = Head([0x66; 32]);
    stage.plant_receipt(&other, &thief, &stage.gateway);
    refuses(&stage, "not this journal's");
    let mut beyond = good;
    beyond.through += 1_000_000;
    stage.plant_receipt(&beyond, &thief, &stage.gateway);
    refuses(&stage, "never written");

    assert!(backlog(&stage.gateway) >= before, "nothing is released");
    assert!(tail().starts_with(&held), "what was written stays as it was");
    let verified = stage.gateway.cli(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    // Even what he may acknowledge stays as it was written.
    stage.thief_acknowledges(&thief, &stage.gateway);
    until("a receipt that a thief signed", || (backlog(&stage.gateway) < before).then_some(()));
    assert!(tail().starts_with(&held), "what was written stays as it was");
    stage.is_well();
}

fn refuses(stage: &Stage, why: &str) {
    until(why, || {
        stage.events("receipt_refused").iter().any(|said| said.contains(why)).then_some(())
    });
}
