//! Brokers that lost something, have what is not ours, or die in between.

use super::*;

#[tokio::test]
async fn another_version_on_the_broker_stops_everything() {
    let world = World::new().await;
    world.publish().await.unwrap();
    let state = world.policy().join("state/published");
    let kept = ["manifest", "file"].map(|name| {
        let path = state.join("plant-1").join(name);
        (path.clone(), fs::read(path).unwrap())
    });
    world.add_user("dee");
    world.publish().await.unwrap();
    let before = world.retained(GroupTopic::Manifest);
    for (path, bytes) in kept {
        fs::write(path, bytes).unwrap();
    }
    world.add_user("eve");
    let error = world.publish().await.unwrap_err();
    assert!(matches!(error, NotPublished::OtherVersion(_)), "{error}");
    assert!(error.to_string().contains("has version 1.2, and 1.1 was published"), "{error}");

    fs::remove_dir_all(&state).unwrap();
    let error = world.publish().await.unwrap_err().to_string();
    assert!(error.contains("nothing was published from here"), "{error}");
    assert!(error.contains("publish --adopt"), "{error}");
    assert_eq!(world.retained(GroupTopic::Manifest), before);
}

#[tokio::test]
async fn a_broker_that_came_back_with_old_data_of_ours_is_given_the_newest_again() {
    let world = World::new().await;
    world.publish().await.unwrap();
    let saved: Vec<_> = world.broker.retained_topics();
    let saved: Vec<_> = saved
        .into_iter()
        .filter_map(|topic| Some((world.broker.retained(&topic)?, topic)))
        .collect();
    world.add_user("dee");
    world.publish().await.unwrap();
    world.add_user("eve");
    world.publish().await.unwrap();
    for topic in world.broker.retained_topics() {
        world.broker.forget(&topic);
    }
    saved.into_iter().for_each(|(message, topic)| world.broker.plant(&topic, message));
    assert_eq!(world.arrives().unwrap().manifest().version().number, 1);

    let done = world.publish().await.unwrap();
    assert_eq!((done.outcome, done.version.number), (Outcome::Published, 3));
    assert_eq!(world.arrives().unwrap().view().principals().count(), 3);
    assert_eq!(world.roots().len(), 1, "what the old manifest named is removed");
    assert_eq!(world.publish().await.unwrap().outcome, Outcome::Unchanged);
}

#[tokio::test]
async fn without_the_fence_nothing_is_taken_for_absent() {
    let world = World::new().await;
    world.broker.set_access(Access::parse("pattern read gateward/#\n").unwrap());
    let error = world.publish().await.unwrap_err().to_string();

    assert!(
        error.contains("/gateway/control/fence") && error.contains("not authorized"),
        "{error}"
    );
}

#[tokio::test]
async fn a_manifest_that_somebody_else_signed_stops_everything() {
    let (ours, theirs) = (World::new().await, World::new().await);
    theirs.publish().await.unwrap();
    let topics = GroupTopics::new(ours.account, "plant-1").unwrap();
    let forged = theirs.retained(GroupTopic::Manifest).unwrap();
    ours.broker.plant(&topics.topic(GroupTopic::Manifest), forged);
    let adopting = PublishOptions { adopt: true, ..ours.options() };
    let error = publish(&adopting).await.unwrap_err().to_string();

    assert!(!error.contains("--adopt"), "{error}");
    assert!(error.contains("not signed with the keys of this folder"), "{error}");
}

#[tokio::test]
async fn junk_in_place_of_the_manifest_stops_everything_until_somebody_has_looked() {
    let world = World::new().await;
    world.publish().await.unwrap();
    let topics = GroupTopics::new(world.account, "plant-1").unwrap();
    let topic = topics.topic(GroupTopic::Manifest).to_string();
    let good = world.retained(GroupTopic::Manifest).unwrap();
    let beacon = world.retained(GroupTopic::Time).unwrap();
    for junk in [b"rubbish".to_vec(), good[..40].to_vec(), sign::message(&beacon, &[]).unwrap()] {
        world.broker.plant(&topic, junk.clone());
        let error = world.publish().await.unwrap_err().to_string();

        let found = format!("`{topic}`: the broker has {} bytes there", junk.len());
        assert!(error.contains(&found) && error.contains("access list"), "{error}");
        assert!(error.contains("`publish --adopt` puts"), "{error}");
        assert_eq!(world.retained(GroupTopic::Manifest), Some(junk));

        let adopting = PublishOptions { adopt: true, ..world.options() };
        assert_eq!(publish(&adopting).await.unwrap()[0].outcome, Outcome::Published);
        assert!(world.arrives().is_some());
        assert_eq!(world.publish().await.unwrap().outcome, Outcome::Unchanged);
    }
}

#[tokio::test]
async fn a_broker_that_lost_everything_is_given_everything_again() {
    let world = World::new().await;
    let first = world.publish().await.unwrap();
    for topic in world.broker.retained_topics() {
        world.broker.forget(&topic);
    }
    let again = world.publish().await.unwrap();

    assert_eq!((again.outcome, again.version), (Outcome::Published, first.version));
    assert!(world.arrives().is_some());
}

#[tokio::test]
async fn wherever_the_broker_dies_gateways_have_the_old_version_or_the_new_one() {
    let world = World::new().await;
    let owner = world.add_user("fay");
    world.add_tokens(owner, 0);
    world.publish().await.unwrap();
    let mut versions = world.manifest().unwrap().version().number;
    // From behind the CONNACK to well past the last packet.
    for packets in 4..60 {
        world.add_user(&format!("user{packets}"));
        let old = world.manifest().unwrap().version();
        let people = world.arrives().unwrap().view().principals().count();
        world.broker.kill_after(packets);
        let killed = world.publish().await;
        world.broker.mend();
        let snapshot = world.arrives().unwrap();
        let has_new = snapshot.manifest().version() != old;
        assert!(snapshot.view().principals().count() == people + usize::from(has_new));

        let done = world.publish().await.unwrap();
        assert!(done.version.number > versions, "after {packets} packets");
        versions = done.version.number;
        assert_eq!(world.arrives().unwrap().view().principals().count(), people + 1);
        assert_eq!(world.roots().len(), 1, "after {packets} packets");
        if killed.is_ok() {
            return;
        }
    }
    panic!("a publish takes more packets than that");
}

#[tokio::test]
async fn a_broker_that_refuses_is_named_with_the_topic() {
    let world = World::new().await;
    world.broker.set_access(Access::parse(ONLY_FENCE).unwrap());
    let error = world.publish().await.unwrap_err().to_string();

    assert!(error.contains("/plant-1/chunk/") && error.contains("not authorized"), "{error}");
    assert_eq!(world.broker.retained_topics(), Vec::<String>::new());
}
