//! Key sets: what a stolen key signed ends at once, and a later epoch comes before its manifest.

use super::*;

#[tokio::test]
async fn a_compromised_key_ends_its_snapshot_at_once_and_the_next_epoch_brings_another() {
    let mut gateway = Gateway::new();
    let file = gateway.authority.publish(1, 3).file;
    let one = gateway.authority.sign(1, u64::MAX, T0.plus(1), file);
    gateway.broker.retain(&one);
    gateway.connect().await;
    gateway.wait_for(&accepted(u64::MAX, &one)).await;

    gateway.broker.publish("keys", gateway.authority.key_set_after_theft());
    gateway.wait_for(&Notice::KeysAccepted { epoch: 2 }).await;
    assert_eq!(gateway.in_force(), None);

    // A lower number: a new epoch recovers from a fast-forward.
    let two = gateway.authority.sign(2, 5, T0.plus(50), one.file.clone());
    gateway.broker.retain(&two);
    gateway.wait_until(|notice| matches!(notice, Notice::Accepted { .. })).await;
    assert_eq!(gateway.in_force(), Some(5));
    gateway.stop().await;
}

#[tokio::test]
async fn a_manifest_of_a_later_epoch_makes_the_gateway_fetch_the_key_set_first() {
    let mut gateway = Gateway::new();
    let file = gateway.authority.publish(1, 3).file;
    let two = gateway.authority.sign(2, 5, T0.plus(50), file);
    gateway.broker.retain(&two);
    gateway.broker.put("keys/2", gateway.authority.key_set_after_theft());

    gateway.connect().await;

    gateway.wait_for(&Notice::KeysAccepted { epoch: 2 }).await;
    gateway.wait_until(|notice| matches!(notice, Notice::Accepted { .. })).await;
    assert_eq!(gateway.in_force(), Some(5));
    gateway.stop().await;
}
