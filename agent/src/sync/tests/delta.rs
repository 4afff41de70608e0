//! A gateway that is a version or two behind.

use gateward_core::trust::sign;

use super::*;

/// A gateway with version 1 in force, and the topics that were asked for until then.
async fn behind(tokens: usize) -> (Gateway, Published, usize) {
    let mut gateway = Gateway::new();
    let old = gateway.authority.publish(1, tokens);
    gateway.broker.retain(&old);
    gateway.connect().await;
    gateway.wait_for(&accepted(1, &old)).await;
    let asked = gateway.broker.subscriptions();

    (gateway, old, asked)
}

fn chunks_asked(gateway: &Gateway, since: usize) -> usize {
    let asked = gateway.broker.asked().split_off(since);

    asked.iter().filter(|topic| topic.contains("/chunk/")).count()
}

#[tokio::test]
async fn a_delta_that_rides_along_leads_to_the_new_snapshot_without_another_question() {
    let (mut gateway, old, asked) = behind(900).await;
    let new = gateway.authority.publish_after(2, 901, &[(1, &old)]);

    gateway.broker.retain_as(&new, new.message_with_deltas());
    gateway.wait_for(&accepted(2, &new)).await;

    assert_eq!(gateway.in_force(), Some(2));
    assert_eq!(gateway.broker.subscriptions(), asked, "{:?}", gateway.broker.asked());
    gateway.stop().await;
}

#[tokio::test]
async fn a_delta_with_a_topic_of_its_own_is_fetched_by_its_exact_name() {
    let (mut gateway, old, asked) = behind(900).await;
    let new = gateway.authority.publish_after(2, 300, &[(1, &old)]);
    gateway.broker.put("delta/1", new.deltas[0].1.clone());

    gateway.broker.retain(&new);
    gateway.wait_for(&accepted(2, &new)).await;

    assert_eq!(gateway.broker.asked().split_off(asked), [Broker::name("delta/1")]);
    gateway
        .broker
        .until(|state| (!state.subscribed.contains(&Broker::name("delta/1"))).then_some(()))
        .await;
    gateway.stop().await;
}

#[tokio::test]
async fn two_versions_behind_the_delta_of_two_steps_is_taken() {
    let (mut gateway, one, asked) = behind(900).await;
    let two = gateway.authority.publish_after(2, 901, &[(1, &one)]);
    let three = gateway.authority.publish_after(3, 902, &[(2, &two), (1, &one)]);

    gateway.broker.retain_as(&three, three.message_with_deltas());
    gateway.wait_for(&accepted(3, &three)).await;

    assert_eq!(gateway.broker.subscriptions(), asked);
    gateway.stop().await;
}

#[tokio::test]
async fn h19_without_a_delta_from_what_it_holds_a_gateway_fetches_the_whole_file() {
    let (mut gateway, old, asked) = behind(900).await;
    let new = gateway.authority.publish_after(3, 901, &[(2, &old)]);

    gateway.broker.retain_as(&new, new.message_with_deltas());
    let seen = gateway.wait_for(&accepted(3, &new)).await;

    assert!(!seen.iter().any(|notice| matches!(notice, Notice::Rejected { .. })), "{seen:?}");
    assert!(chunks_asked(&gateway, asked) > 0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_delta_that_was_damaged_on_its_way_is_reported_and_the_whole_file_fetched() {
    for rides_along in [true, false] {
        let (mut gateway, old, asked) = behind(900).await;
        let new = gateway.authority.publish_after(2, 901, &[(1, &old)]);
        let mut damaged = new.deltas[0].1.clone();
        damaged[40] ^= 1;
        let message = if rides_along {
            sign::message(&new.envelope, &[(1, &damaged)]).unwrap()
        } else {
            gateway.broker.put("delta/1", damaged);
            new.message()
        };

        gateway.broker.retain_as(&new, message);
        let seen = gateway.wait_for(&accepted(2, &new)).await;

        assert!(seen.iter().any(|notice| is_rejected(notice, "bad_delta")), "{seen:?}");
        assert!(chunks_asked(&gateway, asked) > 0);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn h19_a_signed_delta_that_does_not_fit_is_reported_and_the_whole_file_fetched() {
    let (mut gateway, old, asked) = behind(900).await;
    let authority = &gateway.authority;
    let other = authority.publish(1, 899);
    let file = authority.publish(2, 901).file;
    let elsewhere = authority.publish_after(2, 901, &[(1, &other)]).deltas;
    let new = authority.publish_with(2, file, elsewhere);

    gateway.broker.retain_as(&new, new.message_with_deltas());
    let seen = gateway.wait_for(&accepted(2, &new)).await;
    let refused = seen.iter().filter(|notice| is_rejected(notice, "bad_delta_other_base"));
    assert_eq!(refused.count(), 1, "{seen:?}");
    assert!(chunks_asked(&gateway, asked) > 0);

    // The next one is taken by delta again.
    let asked = gateway.broker.subscriptions();
    let next = gateway.authority.publish_after(3, 905, &[(2, &new), (1, &old)]);
    gateway.broker.retain_as(&next, next.message_with_deltas());
    gateway.wait_for(&accepted(3, &next)).await;
    assert_eq!(gateway.broker.subscriptions(), asked);
    gateway.stop().await;
}

#[tokio::test]
async fn a_signed_delta_that_leads_elsewhere_is_never_in_force() {
    let (mut gateway, old, _) = behind(900).await;
    let good = gateway.authority.publish_after(2, 900, &[(1, &old)]);
    let mut file = old.file.clone();
    // The account is suspended in one of them, and the length is the same.
    file[68] = 1;
    let new = gateway.authority.publish_with(2, file, good.deltas.clone());

    gateway.broker.retain_as(&new, new.message_with_deltas());
    let seen = gateway.wait_for(&accepted(2, &new)).await;

    assert!(seen.iter().any(|notice| is_rejected(notice, "bad_delta")), "{seen:?}");
    let current = gateway.current.borrow().clone().unwrap();
    assert!(current.verified.view().is_suspended());
    gateway.stop().await;
}
