//! A bundle that an operator brings while the agent runs.

use std::io::Write as _;

use tokio::sync::oneshot;

use super::*;
use crate::store::testing::{bundle, token_id};
use crate::store::{Imported, NotImported, Outcome};

async fn import(gateway: &Gateway, bytes: &[u8]) -> Result<Imported, NotImported> {
    let mut bundle = tempfile::tempfile().unwrap();
    bundle.write_all(bytes).unwrap();
    let (answer, answered) = oneshot::channel();
    gateway.imports.send(Import { bundle, answer }).await.unwrap();

    timeout(Duration::from_secs(10), answered).await.expect("an answer in time").unwrap()
}

#[tokio::test]
async fn a_bundle_is_in_force_at_once_without_a_link_and_told_like_what_a_broker_brings() {
    let mut gateway = Gateway::new();
    let one = gateway.authority.publish(1, 900);
    let list = gateway.authority.revoke(1, 1, &[token_id(3)]);
    let bytes = bundle(&[&gateway.authority.key_set()], &one, &list);

    let imported = import(&gateway, &bytes).await.unwrap();

    assert_eq!(imported.outcome, Outcome::InForce);
    assert_eq!(gateway.in_force(), Some(1));
    assert_eq!(gateway.current.borrow().as_ref().unwrap().revocations, 1);
    let seen = gateway.wait_for(&accepted(1, &one)).await;
    let list = Notice::Revoked { number: Version { epoch: 1, number: 1 } };
    assert!(seen.contains(&list), "{seen:?}");
    assert_eq!(import(&gateway, &bytes).await.unwrap().outcome, Outcome::Already);
    gateway.stop().await;
}

#[tokio::test]
async fn h5_a_replayed_older_bundle_is_refused_and_reported() {
    let mut gateway = Gateway::new();
    let (old, new) = (gateway.authority.publish(1, 3), gateway.authority.publish(2, 4));
    gateway.broker.retain(&new);
    gateway.connect().await;
    gateway.wait_for(&accepted(2, &new)).await;

    let refused = import(&gateway, &bundle(&[&gateway.authority.key_set()], &old, b"")).await;

    assert_eq!(refused.unwrap_err().code(), "rollback");
    gateway.wait_until(|notice| is_rejected(notice, "rollback")).await;
    assert_eq!(gateway.in_force(), Some(2));
    gateway.stop().await;
}

#[tokio::test]
async fn a_bundle_in_the_middle_of_a_newer_download_leaves_that_to_go_on() {
    let mut gateway = Gateway::new();
    let (one, two) = (gateway.authority.publish(1, 900), gateway.authority.publish(2, 2_000));
    gateway.broker.retain(&two);
    let held_back = format!("chunk/{}/5", hex(&two.root()));
    let chunk = gateway.broker.forget(&held_back);
    gateway.connect().await;
    gateway.broker.wait_for_quiet().await;

    let bytes = bundle(&[&gateway.authority.key_set()], &one, b"");
    assert_eq!(import(&gateway, &bytes).await.unwrap().outcome, Outcome::InForce);
    let seen = gateway.wait_for(&accepted(1, &one)).await;
    // To who has subscribed, and to who does so later.
    gateway.broker.publish(&held_back, chunk);
    gateway.clock.advance(90_000);
    let later = gateway.wait_for(&accepted(2, &two)).await;

    let failed = |notice: &Notice| matches!(notice, Notice::StorageFailed { .. });
    assert!(!seen.iter().chain(&later).any(failed), "{seen:?} {later:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_bundle_of_the_snapshot_being_fetched_ends_the_download() {
    let gateway = Gateway::new();
    let one = gateway.authority.publish(1, 2_000);
    gateway.broker.retain(&one);
    gateway.broker.forget(&format!("chunk/{}/5", hex(&one.root())));
    gateway.connect().await;
    gateway.broker.wait_for_quiet().await;

    let bytes = bundle(&[&gateway.authority.key_set()], &one, b"");
    assert_eq!(import(&gateway, &bytes).await.unwrap().outcome, Outcome::InForce);

    gateway
        .broker
        .until(|state| {
            let chunks = state.subscribed.iter().any(|topic| topic.contains("/chunk/"));
            (!chunks).then_some(())
        })
        .await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_key_set_in_a_bundle_ends_what_the_stolen_key_signed() {
    let mut gateway = Gateway::new();
    let file = gateway.authority.publish(1, 3).file;
    let one = gateway.authority.sign(1, u64::MAX, T0.plus(1), file);
    gateway.broker.retain(&one);
    gateway.connect().await;
    gateway.wait_for(&accepted(u64::MAX, &one)).await;

    let key_sets = [gateway.authority.key_set(), gateway.authority.key_set_after_theft()];
    let two = gateway.authority.sign(2, 5, T0.plus(50), one.file.clone());
    let bytes = bundle(&[&key_sets[0], &key_sets[1]], &two, b"");
    assert_eq!(import(&gateway, &bytes).await.unwrap().keys, 2);

    gateway.wait_for(&Notice::KeysAccepted { epoch: 2 }).await;
    assert_eq!(gateway.in_force(), Some(5));
    gateway.stop().await;
}
