//! Who holds the key that signs snapshots, or the one that signs beacons.

use gateward_control::clock;
use gateward_core::topic::GroupTopic;
use gateward_core::trust::Role;
use gateward_tests::until;

use super::signs::{beacon, next_keys, signs_no_list, signs_no_receipt, signs_no_snapshot};
use crate::stage::{Stage, WIDER, message};

const HOUR: u64 = 3_600;

/// How many seconds the gateway believes that it is later than it is.
fn ahead(stage: &Stage) -> u64 {
    let now = stage.gateway.status()["time"]["now"].as_u64().expect("a time");

    now.saturating_sub(clock::now().0)
}

#[test]
fn who_holds_the_snapshot_key_can_publish_rights_until_the_key_set_says_compromised() {
    let mut stage = Stage::new();
    let thief = stage.key(Role::Snapshot);
    stage.thief_publishes(&thief, 1, 1_000);
    stage.gateway.reaches(1_000);
    assert_eq!(stage.gateway.allows(&stage.ana, WIDER), Some(true));

    drop(stage.rotate(&["--role", "snapshot", "--compromised"]));
    stage.announce_keys();
    stage.holds_keys(2);
    stage.denies();
    for epoch in [1, 2] {
        let file = stage.wider();
        let again = message(&stage.manifest(&file, epoch, 1_001), &thief);
        let code = if epoch == 1 { "old_keys" } else { "bad_signature" };
        stage.plant_in_vain(GroupTopic::Manifest, &again, code);
    }
    stage.restart();
    stage.denies();
    stage.deck.admin().plant(&stage.topic(GroupTopic::Manifest), b"");
    let version = stage.deck.publish();
    stage.gateway.reaches(version);
    stage.is_well();
}

#[test]
fn who_holds_the_snapshot_key_cannot_lift_time_far_sign_receipts_or_rotate_keys() {
    let stage = Stage::new();
    let thief = stage.key(Role::Snapshot);
    let file = stage.wider();
    // Nine minutes are believed, and not nine more on top of them.
    for (number, minutes) in (1_000..).zip([9, 18, 27, 24 * 60]) {
        let mut draft = stage.manifest(&file, 1, number);
        draft.issued_at = draft.issued_at.plus(minutes * 60);
        if minutes == 9 {
            stage.thief_publishes(&thief, 1, number - 1);
            stage.deck.admin().plant(&stage.topic(GroupTopic::Manifest), &message(&draft, &thief));
            stage.gateway.reaches(number);
        } else {
            // What the refusal is called depends on whether this machine's clock is synchronised.
            stage.plant_in_vain(GroupTopic::Manifest, &message(&draft, &thief), "");
        }
        assert!(ahead(&stage) <= 600, "{minutes}: {} s ahead", ahead(&stage));
    }
    assert_eq!(stage.gateway.version(), Some(1_000));

    // A beacon would confirm it.
    let confirms = beacon(&stage, &thief, 1_000, 24 * HOUR, 1_000);
    stage.plant_in_vain(GroupTopic::Time, &confirms, "bad_signature");
    let keys = next_keys(&stage, &thief, &[&thief]);
    stage.plant_in_vain(GroupTopic::Keys, &keys, "bad_signature");
    signs_no_receipt(&stage, &thief);
    assert!(stage.events("key_set_accepted").is_empty());
    assert!(ahead(&stage) <= 600, "{} s ahead", ahead(&stage));
}

#[test]
fn who_holds_the_beacon_key_can_lift_time_at_most_1_h_ahead_and_raise_false_staleness() {
    // A synchronised clock believes none of this.
    let stage = Stage::by_a_mere_clock();
    let thief = stage.key(Role::Beacon);
    let plant = |bytes: &[u8]| stage.deck.admin().plant(&stage.topic(GroupTopic::Time), bytes);
    let ready = || stage.gateway.get("/readyz").text().trim().to_owned();

    for number in 1_000..1_004 {
        plant(&beacon(&stage, &thief, number, (number - 990) * HOUR, 1));
    }
    // The last of them speaks of a snapshot that does not exist, and so shows that it was heard.
    plant(&beacon(&stage, &thief, 1_004, 1_000 * HOUR, 2));
    until("a false staleness", || (ready() == "stale").then_some(()));
    let lifted = ahead(&stage);
    assert!(lifted > HOUR / 2 && lifted <= HOUR, "{lifted} s ahead");
    stage.is_well();
    assert_eq!(stage.gateway.allows(&stage.ana, "manage_settings"), Some(false), "stale");
    let missing = stage.gateway.status()["snapshot"]["missing"].to_string();
    assert!(missing.contains("has not arrived"), "{missing}");

    // The key set ends both.
    drop(stage.rotate(&["--role", "beacon", "--compromised"]));
    let version = stage.deck.publish();
    stage.gateway.reaches(version);
    stage.holds_keys(2);
    until("an end of the staleness", || (ready() == "fresh").then_some(()));
    assert!(ahead(&stage) <= 600, "{} s ahead", ahead(&stage));
    plant(&beacon(&stage, &thief, 2_000, HOUR, 9));
    stage.until_refused("bad_signature");
    stage.is_well();
}

#[test]
fn who_holds_the_beacon_key_cannot_grant_anything() {
    let stage = Stage::new();
    let gone = stage.deck.user_token("ana.ruiz", "gone");
    stage.deck.disable(&gone);
    stage.gateway.reaches(stage.deck.publish());
    let thief = stage.key(Role::Beacon);

    signs_no_snapshot(&stage, &thief);
    // Not even together with what it can say: that there is such a version, at such a time.
    let speaks = beacon(&stage, &thief, 1_000, 60, 1_000);
    stage.deck.admin().plant(&stage.topic(GroupTopic::Time), &speaks);
    signs_no_snapshot(&stage, &thief);
    signs_no_list(&stage, &thief);
    let keys = next_keys(&stage, &thief, &[&thief]);
    stage.plant_in_vain(GroupTopic::Keys, &keys, "bad_signature");
    signs_no_receipt(&stage, &thief);
    stage.is_well();
    assert_eq!(stage.gateway.allows(&gone, "manage_device"), Some(false));
}
