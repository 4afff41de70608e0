//! Revocation lists, beacons and time, as a broker delivers them.

use super::*;
use crate::store::Missing;
use crate::store::testing::token_id;

fn revoked(number: u64) -> Notice {
    Notice::Revoked { number: Version { epoch: 1, number } }
}

#[tokio::test]
async fn a_list_that_is_retained_counts_before_the_snapshot_has_arrived() {
    let mut gateway = Gateway::new();
    let one = gateway.authority.publish(1, 9);
    gateway.broker.retain(&one);
    gateway.broker.put("revoked", gateway.authority.revoke(1, 1, &[token_id(3)]));
    gateway.connect().await;

    let seen = gateway.wait_for(&accepted(1, &one)).await;
    assert!(seen.contains(&revoked(1)), "{seen:?}");
    assert_eq!(gateway.current.borrow().as_ref().unwrap().revocations, 1);
    let status = gateway.status(|status| status.revoked_counter == 1).await;
    assert_eq!(status.version, 1);
    gateway.stop().await;
}

#[tokio::test]
async fn h19_a_list_that_a_manifest_speaks_of_is_asked_for_until_it_arrives() {
    let mut gateway = Gateway::new();
    let one = gateway.authority.publish_with_revocations(1);
    gateway.broker.retain(&one);
    gateway.connect().await;
    gateway.wait_for(&accepted(1, &one)).await;
    let stale = Notice::Stale { version: Version { epoch: 1, number: 1 }, root: one.whole_root() };
    gateway.wait_for(&stale).await;

    // Nobody tells a subscriber what was retained behind his back; he looks again.
    gateway.broker.put("revoked", gateway.authority.revoke(1, 1, &[token_id(3)]));
    gateway.clock.advance(90_000);
    gateway.wait_for(&revoked(1)).await;
    assert!(!gateway.current.borrow().as_ref().unwrap().is_stale(T0));
    gateway.stop().await;
}

#[tokio::test]
async fn an_older_list_is_refused_and_reported() {
    let mut gateway = Gateway::new();
    gateway.broker.put("revoked", gateway.authority.revoke(2, 0, &[77]));
    gateway.connect().await;
    gateway.wait_for(&revoked(2)).await;

    gateway.broker.publish("revoked", gateway.authority.revoke(1, 0, &[]));
    gateway.wait_until(|notice| is_rejected(notice, "rollback")).await;
    gateway.broker.publish("revoked", b"rubbish".to_vec());
    gateway.wait_until(|notice| is_rejected(notice, "malformed")).await;
    gateway.stop().await;
}

#[tokio::test]
async fn h20_a_manifest_ahead_of_an_unsynchronised_clock_waits_for_the_beacon_that_confirms_it() {
    let mut gateway = Gateway::new();
    gateway.clock.set_synchronised(false);
    let later = T0.plus(5_000_000);
    let file = gateway.authority.publish(1, 3).file;
    let one = gateway.authority.sign(1, 1, later, file);
    gateway.broker.retain(&one);
    gateway.connect().await;
    gateway.wait_until(|notice| is_rejected(notice, "unconfirmed")).await;
    assert_eq!(gateway.in_force(), None);

    gateway.broker.publish("time", gateway.authority.beacon(1, T0.plus(70), 1, 0));
    gateway.broker.publish("time", gateway.authority.beacon(2, later.plus(30), 1, 0));

    gateway.wait_for(&accepted(1, &one)).await;
    let status = gateway.status(|status| status.version == 1).await;
    assert!(status.floor_time >= later, "{status:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn h20_of_manifests_that_wait_for_a_beacon_the_newest_is_kept_not_the_last() {
    let mut gateway = Gateway::new();
    gateway.clock.set_synchronised(false);
    let later = T0.plus(5_000_000);
    let file = gateway.authority.publish(1, 3).file;
    let [one, two] =
        [1, 2].map(|version| gateway.authority.sign(1, version, later.plus(version), file.clone()));
    gateway.broker.retain(&two);
    gateway.connect().await;
    gateway.wait_until(|notice| is_rejected(notice, "unconfirmed")).await;

    gateway.broker.publish("manifest", one.message());
    gateway.broker.publish("time", gateway.authority.beacon(1, later.plus(30), 1, 0));

    gateway.wait_for(&accepted(2, &two)).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_snapshot_that_is_refused_is_said_to_be_refused_until_a_newer_one_is_there() {
    let mut gateway = Gateway::new();
    let one = gateway.authority.publish(1, 3);
    gateway.broker.retain(&one);
    gateway.connect().await;
    gateway.wait_for(&accepted(1, &one)).await;

    let two = gateway.authority.sign(1, 2, T0.plus(2), b"signed, and no snapshot".repeat(9));
    gateway.broker.retain(&two);
    gateway.wait_until(|notice| matches!(notice, Notice::Rejected { .. })).await;
    let missing = || gateway.current.borrow().as_ref().unwrap().missing;
    assert_eq!(missing(), Some(Missing::Refused(Version { epoch: 1, number: 2 })));

    let three = gateway.authority.publish(3, 3);
    gateway.broker.retain(&three);
    gateway.wait_for(&accepted(3, &three)).await;
    assert_eq!(gateway.current.borrow().as_ref().unwrap().missing, None);
    gateway.stop().await;
}

#[tokio::test]
async fn a_manifest_that_waited_for_a_beacon_is_refused_as_a_manifest() {
    let mut gateway = Gateway::new();
    gateway.clock.set_synchronised(false);
    let file = gateway.authority.publish(1, 3).file;
    let ahead = gateway.authority.sign(1, 1, T0.plus(5_000_000), file);
    gateway.broker.retain(&ahead);
    gateway.connect().await;
    gateway.wait_until(|notice| is_rejected(notice, "unconfirmed")).await;
    let two = gateway.authority.publish(2, 3);
    gateway.broker.retain(&two);
    gateway.wait_for(&accepted(2, &two)).await;

    gateway.broker.publish("time", gateway.authority.beacon(1, T0.plus(60), 2, 0));

    let seen = gateway.wait_until(|notice| is_rejected(notice, "rollback")).await;
    let as_a_manifest = |notice: &Notice| matches!(notice, Notice::Rejected { code: "rollback", topic } if topic == "manifest");
    assert!(seen.iter().any(as_a_manifest), "{seen:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_beacon_shows_at_once_that_a_snapshot_is_withheld() {
    let mut gateway = Gateway::new();
    let one = gateway.authority.publish(1, 3);
    gateway.broker.retain(&one);
    gateway.connect().await;
    gateway.wait_for(&accepted(1, &one)).await;

    gateway.broker.publish("time", gateway.authority.beacon(1, T0.plus(60), 2, 0));

    let stale = Notice::Stale { version: Version { epoch: 1, number: 1 }, root: one.whole_root() };
    gateway.wait_for(&stale).await;
    let two = gateway.authority.publish(2, 3);
    gateway.broker.retain(&two);
    gateway.wait_for(&accepted(2, &two)).await;
    assert!(!gateway.current.borrow().as_ref().unwrap().is_stale(T0));
    gateway.stop().await;
}
