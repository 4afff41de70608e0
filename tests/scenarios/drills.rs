//! Somebody has one of the keys, or nobody has: what he gets, and how he is locked out.

use std::fs;

use gateward_core::topic::GroupTopic;
use gateward_core::trust::Role;
use gateward_tests::until;

use crate::stage::{Stage, WIDER, backlog};

#[test]
fn the_snapshot_key_is_stolen() {
    let mut drill = Stage::new();
    let thief = drill.key(Role::Snapshot);
    drill.thief_publishes(&thief, 1, u64::MAX);
    drill.gateway.reaches(u64::MAX);
    assert_eq!(drill.gateway.allows(&drill.ana, WIDER), Some(true), "what the key can do");
    // Nothing that is published under that key set can ever be newer.
    let refused = drill.deck.try_publish();
    assert_eq!(refused.code, 65, "{}", refused.err);
    assert!(refused.err.contains("--role snapshot --compromised"), "{}", refused.err);

    let said = drill.rotate(&["--role", "snapshot", "--compromised"]);
    assert!(said.starts_with("epoch 2, ") && said.contains(" compromised, "), "{said}");
    drill.announce_keys();
    drill.holds_keys(2);
    drill.denies();
    // What is retained is the thief's, and what is on the disk is too.
    drill.restart();
    drill.denies();
    drill.until_refused("old_keys");
    drill.denies();

    let version = drill.deck.publish();
    drill.gateway.reaches(version);
    drill.is_well();
    drill.thief_publishes(&thief, 2, u64::MAX);
    drill.until_refused("bad_signature");
    drill.thief_publishes(&thief, 1, u64::MAX);
    drill.is_well();
    drill.survives_alone();
    // The control plane puts back what the thief wrote over.
    let next = drill.deck.publish();
    drill.gateway.reaches(next);
    drill.is_well();
}

#[test]
fn the_beacon_key_is_stolen() {
    let mut drill = Stage::new();
    let thief = drill.key(Role::Beacon);
    // It grants nothing: what it signs is no manifest. It can make a gateway think that it is stale.
    drill.thief_publishes(&thief, 1, 7);
    drill.until_refused("bad_signature");
    drill.is_well();
    drill.until_readiness("fresh");
    drill.thief_beacons(&thief, 1);
    drill.until_readiness("stale");
    drill.is_well();
    drop(drill.rotate(&["--role", "beacon", "--compromised"]));

    // The snapshot was signed by another key: gateways decide all the time.
    drill.announce_keys();
    drill.holds_keys(2);
    drill.is_well();
    drill.restart();
    drill.gateway.is_ready();
    drill.is_well();
    // The thief's manifest is none of ours, and the broker has it.
    let topic = drill.topic(GroupTopic::Manifest);
    drill.deck.admin().plant(&topic, b"");
    let version = drill.deck.publish();
    drill.gateway.reaches(version);
    drill.until_readiness("fresh");
    drill.until_another_refused(|| drill.thief_beacons(&thief, 2));
    drill.is_well();
    drill.until_readiness("fresh");
    drill.survives_alone();
    drill.until_readiness("fresh");
}

#[test]
fn a_root_key_is_lost() {
    let mut drill = Stage::new();
    let ids = drill.root_ids();
    fs::remove_file(drill.root_file(2)).expect("`init` made it");
    // With another one away, nothing follows.
    let away = drill.deck.root().join("root-3.key");
    fs::rename(drill.root_file(3), &away).expect("`init` made it");
    let lost = ids[1].to_string();
    let replace = ["--role", "root", "--replace", &lost];
    let refused = drill.deck.control("keys rotate", &replace);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("1 root keys are here and 2 must sign"), "{}", refused.err);
    assert!(refused.err.contains(&ids[2].to_string()), "{}", refused.err);
    assert_eq!(drill.deck.publish(), 1, "nothing has changed");

    let third = away.display().to_string();
    let said = drill.rotate(&[&replace[..], &["--root-key", &third]].concat());
    assert!(said.contains(" root, new, "), "{said}");
    assert_eq!(drill.root_ids().len(), 3);
    drill.gateway.reaches(drill.deck.publish());
    drill.holds_keys(2);
    drill.is_well();
    drill.survives_alone();

    // The new one stands in for the one that is away.
    drop(drill.rotate(&["--role", "snapshot"]));
    drill.gateway.reaches(drill.deck.publish());
    drill.holds_keys(3);
    drill.is_well();
    drill.survives_alone();
}

#[test]
fn a_gateway_is_away_for_three_rotations() {
    let mut drill = Stage::new();
    assert!(drill.gateway.stop().success());
    let second = drill.root_ids()[1].to_string();
    for args in [
        &["--role", "snapshot"][..],
        &["--role", "root", "--replace", &second],
        &["--role", "snapshot"],
    ] {
        drop(drill.rotate(args));
        drill.deck.publish();
    }
    // What it has was signed by a key that is retired: good until it expires.
    drill.deck.broker.stop();
    drill.gateway.start_ready();
    drill.is_well();

    drill.deck.broker.restart();
    drill.gateway.reaches(4);
    drill.is_well();
    until("every key set, in order", || {
        let walked = drill.events("key_set_accepted");
        (walked == ["epoch 2", "epoch 3", "epoch 4"]).then_some(())
    });
    drill.survives_alone();

    // Whoever is enrolled now begins with the newest.
    let mut other = drill.deck.gateway("edge-7b");
    other.start_ready();
    assert_eq!(other.version(), Some(4));
    assert_eq!(other.allows(&drill.ana, "manage_device"), Some(true));
}

#[test]
fn the_collector_key_is_stolen() {
    let mut drill = Stage::new();
    let thief = drill.key(Role::Collector);
    let mut other = drill.deck.gateway("edge-7b");
    other.start_ready();
    // It grants nothing, and acknowledges what is on the chain: that gateway may forget it.
    drill.thief_publishes(&thief, 1, 7);
    drill.until_refused("bad_signature");
    let topic = drill.topic(GroupTopic::Manifest);
    drill.deck.admin().plant(&topic, b"");
    let through = drill.thief_acknowledges(&thief, &other);
    until("a receipt that a thief signed", || {
        let seq = other.status()["audit"]["seq"].as_u64().expect("a number");
        (backlog(&other) <= seq - through).then_some(())
    });

    drop(drill.rotate(&["--role", "collector", "--compromised"]));
    drill.gateway.reaches(drill.deck.publish());
    drill.holds_keys(2);
    let before = backlog(&drill.gateway);
    drill.thief_acknowledges(&thief, &drill.gateway);
    until("the refusal of a receipt", || {
        drill.events("receipt_refused").contains(&"bad_signature".to_owned()).then_some(())
    });
    assert!(backlog(&drill.gateway) >= before, "nothing may be forgotten");
    drill.restart();
    drill.gateway.is_ready();
    drill.is_well();
    assert!(backlog(&drill.gateway) >= before, "nothing may be forgotten");

    // The collector has the new key; one that runs takes the next new key by itself.
    let collector = drill.deck.collector();
    let collected = |drill: &Stage| {
        until("a receipt for everything", || (backlog(&drill.gateway) == 0).then_some(()));
        let last = drill.gateway.status()["audit"]["seq"].as_u64().expect("a number");
        assert_eq!(collector.has("edge-7a", last)[0]["seq"], 1, "from the first one on");
    };
    collected(&drill);
    drop(drill.rotate(&["--role", "collector"]));
    drill.gateway.reaches(drill.deck.publish());
    drill.holds_keys(3);
    drill.is_well();
    collected(&drill);
}
