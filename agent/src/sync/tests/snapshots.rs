//! Snapshots, as a broker delivers them: the newest is in force, and each is fetched once.

use super::*;

#[tokio::test]
async fn a_first_snapshot_is_fetched_put_in_force_and_said_in_the_status() {
    let mut gateway = Gateway::new();
    let snapshot = gateway.authority.publish(7, 1_000);
    gateway.broker.retain(&snapshot);

    gateway.connect().await;
    gateway.wait_for(&accepted(7, &snapshot)).await;

    assert_eq!(gateway.in_force(), Some(7));
    let status = gateway.status(|status| status.version == 7).await;
    assert_eq!(status.root8, snapshot.root());
    assert_eq!((status.keyset, status.boot, status.gone), (1, 1, false));
    gateway.stop().await;
}

#[tokio::test]
async fn h5_a_replayed_older_snapshot_is_refused_and_reported_once() {
    let mut gateway = Gateway::new();
    let (old, new) = (gateway.authority.publish(1, 3), gateway.authority.publish(2, 4));
    gateway.broker.retain(&new);
    gateway.connect().await;
    gateway.wait_for(&accepted(2, &new)).await;

    for _ in 0..3 {
        gateway.broker.publish("manifest", old.message());
    }
    let newer = gateway.authority.publish(3, 5);
    gateway.broker.retain(&newer);

    let seen = gateway.wait_for(&accepted(3, &newer)).await;
    let rejected = seen.iter().filter(|notice| is_rejected(notice, "rollback")).count();
    assert_eq!(rejected, 1, "{seen:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn h2_what_is_altered_or_rubbish_is_refused_and_the_old_one_stays() {
    let mut gateway = Gateway::new();
    let old = gateway.authority.publish(1, 3);
    gateway.broker.retain(&old);
    gateway.connect().await;
    gateway.wait_for(&accepted(1, &old)).await;

    let mut forged = gateway.authority.publish(2, 4).message();
    let last = forged.len() - 5;
    forged[last] ^= 1;
    gateway.broker.publish("manifest", forged);
    gateway.broker.publish("manifest", b"rubbish".to_vec());
    gateway.broker.publish("keys", b"rubbish".to_vec());

    gateway.wait_until(|notice| is_rejected(notice, "bad_signature")).await;
    gateway.wait_until(|notice| is_rejected(notice, "malformed")).await;
    assert_eq!(gateway.in_force(), Some(1));
    gateway.stop().await;
}

#[tokio::test]
async fn h18_the_highest_version_wins_in_whatever_order_they_arrive() {
    let mut gateway = Gateway::new();
    let (old, new) = (gateway.authority.publish(1, 300), gateway.authority.publish(2, 400));
    gateway.broker.retain(&old);
    gateway.broker.retain(&new);
    gateway.connect().await;
    for message in [old.message(), new.message(), old.message(), new.message()] {
        gateway.broker.publish("manifest", message);
    }

    gateway.wait_for(&accepted(2, &new)).await;
    let last = gateway.authority.publish(3, 1);
    gateway.broker.retain(&last);
    gateway.wait_for(&accepted(3, &last)).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_refreshed_manifest_makes_the_snapshot_valid_for_longer_without_fetching_it() {
    let mut gateway = Gateway::new();
    let one = gateway.authority.publish(1, 300);
    gateway.broker.retain(&one);
    gateway.connect().await;
    gateway.wait_for(&accepted(1, &one)).await;
    let before = gateway.broker.subscriptions();

    let later = gateway.authority.refresh(1, &one, 40);
    gateway.broker.publish("manifest", later.message());

    gateway.wait_until(|notice| matches!(notice, Notice::Refreshed { .. })).await;
    let current = gateway.current.borrow().clone().unwrap();
    assert_eq!(current.verified.manifest().issued_at(), T0.plus(41));
    assert_eq!(gateway.broker.subscriptions(), before);
    gateway.stop().await;
}

#[tokio::test]
async fn h13_h14_a_snapshot_that_grows_stale_and_expires_is_told_once_each() {
    let mut gateway = Gateway::new();
    let day = 86_400;
    let file = gateway.authority.publish(1, 3).file;
    // Stale in 30 seconds, before anything else is due.
    let one = gateway.authority.sign(1, 1, UnixSeconds(T0.0 + 90 - day), file);
    gateway.broker.retain(&one);
    gateway.connect().await;
    gateway.wait_for(&accepted(1, &one)).await;
    let (version, root) = (Version { epoch: 1, number: 1 }, one.whole_root());
    let (stale, expired) = (Notice::Stale { version, root }, Notice::Expired { version, root });
    let told = |seen: &[Notice], what| seen.iter().filter(|notice| *notice == what).count();

    gateway.clock.advance(30_000);
    gateway.wait_for(&stale).await;
    gateway.clock.advance(day * 1_000);
    let later = gateway.authority.refresh(1, &one, day);
    gateway.broker.publish("manifest", later.message());
    let seen = gateway.wait_until(|notice| matches!(notice, Notice::Refreshed { .. })).await;
    assert_eq!(told(&seen, &stale), 0, "{seen:?}");

    gateway.clock.advance(day * 1_000);
    let seen = gateway.wait_for(&stale).await;
    assert_eq!(told(&seen, &expired), 0, "{seen:?}");
    gateway.clock.advance(6 * day * 1_000);
    let seen = gateway.wait_for(&expired).await;
    assert_eq!(told(&seen, &stale), 0, "{seen:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_lost_link_in_the_middle_costs_nothing_that_was_fetched() {
    let mut gateway = Gateway::new();
    let snapshot = gateway.authority.publish(1, 2_000);
    gateway.broker.retain(&snapshot);
    let held_back = format!("chunk/{}/5", hex(&snapshot.root()));
    let chunk = gateway.broker.forget(&held_back);
    gateway.connect().await;
    gateway.broker.wait_for_quiet().await;

    gateway.events.send(Event::Down).await.unwrap();
    gateway.broker.put(&held_back, chunk);
    let before = gateway.broker.subscriptions();
    gateway.connect().await;
    gateway.wait_for(&accepted(1, &snapshot)).await;

    let asked: Vec<_> = gateway.broker.asked().split_off(before);
    let chunks: Vec<_> = asked.iter().filter(|topic| topic.contains("/chunk/")).collect();
    assert_eq!(chunks.len(), 1, "{chunks:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn each_status_is_later_than_the_one_before_so_that_a_replayed_one_is_none() {
    let gateway = Gateway::new();
    gateway.connect().await;
    let first = gateway.status(|_| true).await;
    gateway.clock.advance(30_000);
    gateway.connect().await;

    gateway.status(|status| status.floor_time >= first.floor_time.plus(30)).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_status_that_a_busy_link_does_not_take_is_tried_again_and_nothing_is_written_for_it() {
    let gateway = Gateway::new();
    let floor = gateway.dir.path().join("floor");
    gateway.broker.is_busy(true);
    gateway.connect().await;
    let mut written = std::collections::BTreeSet::new();
    for tries in 1..=20 {
        gateway.broker.until(|state| (state.refused >= tries).then_some(())).await;
        written.insert(std::fs::read(&floor).ok());
        gateway.clock.advance(1_000);
    }
    assert_eq!(written.len(), 1);

    gateway.broker.is_busy(false);
    gateway.clock.advance(1_000);
    let first = gateway.status(|_| true).await;
    // What is due is written down with it.
    gateway.clock.advance(STATUS_EVERY_MS);
    gateway.status(|status| status.floor_time >= first.floor_time.plus(300)).await;
    assert!(!written.contains(&std::fs::read(&floor).ok()));
    gateway.stop().await;
}

#[tokio::test]
async fn h11_on_a_disk_that_fails_each_status_is_later_all_the_same_and_one_notice_says_why() {
    let mut gateway = Gateway::new();
    let floor = gateway.dir.path().join("floor");
    gateway.connect().await;
    let mut last = gateway.status(|_| true).await;
    let kept = std::fs::read(&floor).ok();
    let _there_or_not = std::fs::remove_file(&floor);
    // Nothing can take its place.
    std::fs::create_dir_all(floor.join("in-the-way")).unwrap();
    for _ in 0..4 {
        gateway.clock.advance(STATUS_EVERY_MS);
        last = gateway.status(|now| now.floor_time >= last.floor_time.plus(300)).await;
    }

    std::fs::remove_dir_all(&floor).unwrap();
    gateway.clock.advance(STATUS_EVERY_MS);
    gateway.status(|now| now.floor_time >= last.floor_time.plus(300)).await;
    assert_ne!(std::fs::read(&floor).ok(), kept);
    gateway.events.send(Event::Down).await.unwrap();
    let seen = gateway.wait_for(&Notice::LinkDown).await;
    let failed = seen.iter().filter(|one| matches!(one, Notice::StorageFailed { .. })).count();
    assert_eq!(failed, 1, "{seen:?}");
    gateway.stop().await;
}
