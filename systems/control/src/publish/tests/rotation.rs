//! What publishing does after the keys have changed, and when somebody else has one.

use gateward_core::trust::sign::{self, ManifestDraft, PrivateKey};
use gateward_core::trust::{DeltaRef, KeyId};

use super::*;
use crate::keys::{Fate, NewKey, Rotated, Rotation, rotate};

impl World {
    pub(super) fn rotate(&self, role: Role, old: Option<Fate>, groups: &[&str]) -> Rotated {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        let new = NewKey { role, groups, old, replaces: None, root_out: None };
        let rotation = Rotation {
            dir: self.policy(),
            new: Some(new),
            leaving: Vec::new(),
            root_keys: Vec::new(),
            expires: None,
            now: self.now,
        };

        rotate(&rotation).unwrap()
    }

    pub(super) fn snapshot_key(&self) -> PrivateKey {
        keys::signing_key(&self.policy(), Role::Snapshot).unwrap()
    }

    /// Publishes what whoever has this key would: the greatest version there is.
    fn plant(&self, key: &PrivateKey, number: u64) {
        let file = vec![7; 100];
        let draft = ManifestDraft {
            version: number,
            deltas: vec![DeltaRef { from: number - 1, len: 90_000, sha256: [7; 32] }],
            ..ManifestDraft::of(
                self.account,
                Audience::of(self.account, "plant-1"),
                self.now,
                &file,
                15,
            )
            .unwrap()
        };
        let root = draft.root.short();
        let topics = GroupTopics::new(self.account, "plant-1").unwrap();
        let message = sign::message(&draft.sign(&[key]).unwrap(), &[]).unwrap();
        self.broker.plant(&topics.topic(GroupTopic::Chunk { root, index: 0 }), file);
        let delta = GroupTopic::Delta { from: number - 1 };
        self.broker.plant(&topics.topic(delta), vec![7; 90_000]);
        self.broker.plant(&topics.topic(GroupTopic::Manifest), message);
    }

    fn signed_by(&self) -> KeyId {
        let chain = Chain::load(&self.policy(), self.account).unwrap();
        let message = self.retained(GroupTopic::Manifest).unwrap();
        let envelope = manifest::split(&message).unwrap().envelope;
        let set = chain.newest();
        let keys = set.keys().iter().map(gateward_core::trust::Key::id);
        let mut keys = keys.filter(|id| envelope.windows(8).any(|bytes| bytes == id.0));

        keys.next().unwrap()
    }
}

#[tokio::test]
async fn after_a_rotation_of_any_key_the_key_sets_and_a_new_manifest_are_sent_though_nothing_changed()
 {
    let world = World::new().await;
    let first = world.publish().await.unwrap().version;
    let mut last = first;
    for (epoch, role) in (2..).zip([Role::Beacon, Role::Collector, Role::Snapshot]) {
        world.rotate(role, Some(Fate::Retired), &[]);
        let done = world.publish().await.unwrap();
        assert_eq!(done.outcome, Outcome::Published, "{role:?}");
        assert!(done.version > last && done.version.epoch == epoch, "{role:?}");
        last = done.version;
        for walked in 1..=epoch {
            let kept = fs::read(keys::set_path(&world.policy(), walked)).unwrap();
            assert_eq!(world.retained(GroupTopic::KeysOf(walked)), Some(kept));
        }
        assert_eq!(world.retained(GroupTopic::Keys), world.retained(GroupTopic::KeysOf(epoch)));
        assert!(world.arrives().is_some());
        assert_eq!(world.publish().await.unwrap().outcome, Outcome::Unchanged);
    }
}

#[tokio::test]
async fn the_manifest_of_a_thief_stops_publishing_until_his_key_is_known_as_stolen() {
    let world = World::new().await;
    let thief = world.snapshot_key();
    world.publish().await.unwrap();
    world.plant(&thief, u64::MAX);
    let error = world.publish().await.unwrap_err().to_string();
    assert!(error.contains("keys rotate DIR --role snapshot --compromised"), "{error}");

    world.rotate(Role::Snapshot, Some(Fate::Compromised), &[]);
    let done = world.publish().await.unwrap();
    assert_eq!((done.version.epoch, done.version.number), (2, 2));
    assert!(world.arrives().is_some());
    let delta = GroupTopic::Delta { from: u64::MAX - 1 };
    let gone = world.retained(delta).is_none();
    assert!(world.roots().len() == 1 && gone, "what he had sent is removed");

    // He still has the broker: what he puts there is void, and is replaced.
    world.plant(&thief, 7);
    let done = world.publish().await.unwrap();
    assert_eq!((done.outcome, done.version.number), (Outcome::Published, 2));
    assert_eq!((world.arrives().is_some(), world.roots().len()), (true, 1));
    assert_eq!(world.retained(GroupTopic::Delta { from: 6 }), None);
}

#[tokio::test]
async fn a_version_that_is_the_greatest_there_is_ends_with_its_key_set() {
    let world = World::new().await;
    world.publish().await.unwrap();
    world.plant(&world.snapshot_key(), u64::MAX);
    let adopting = PublishOptions { adopt: true, ..world.options() };
    let error = publish(&adopting).await.unwrap_err();
    assert!(matches!(error, NotPublished::NoVersionLeft(_)), "{error}");

    // Adopted as it is, only a new epoch goes on.
    world.rotate(Role::Snapshot, Some(Fate::Retired), &[]);
    let done = world.publish().await.unwrap();
    assert_eq!((done.version.epoch, done.version.number), (2, 1));
    assert!(world.arrives().is_some());
}

#[tokio::test]
async fn a_group_is_signed_for_with_the_key_that_is_limited_to_it() {
    let world = World::new().await;
    world.publish().await.unwrap();
    let general = world.signed_by();
    let limited = world.rotate(Role::Snapshot, None, &["plant-1"]).new.unwrap();
    world.publish().await.unwrap();
    assert_eq!(world.signed_by(), limited.0);
    assert!(world.arrives().is_some());

    fs::remove_file(limited.2).unwrap();
    world.add_user("dee");
    world.publish().await.unwrap();
    assert_eq!(world.signed_by(), general);
}

#[tokio::test]
async fn a_group_that_no_key_here_signs_for_is_told_of_before_anything_is_sent() {
    let world = World::new().await;
    world.publish().await.unwrap();
    world.rotate(Role::Snapshot, Some(Fate::Retired), &["plant-1"]);
    let path = world.policy().join("policy.toml");
    let policy = fs::read_to_string(&path).unwrap();
    let two = "\n[[groups]]\nid = \"plant-2\"\ngateways = [\"edge-2\"]\n";
    fs::write(&path, policy + two).unwrap();
    let before = world.retained(GroupTopic::Manifest);

    let error = publish(&world.options()).await.unwrap_err().to_string();
    assert!(error.contains("no key of this role here signs for every group"), "{error}");
    assert_eq!(world.retained(GroupTopic::Manifest), before);
    let only = PublishOptions { groups: vec!["plant-1".to_owned()], ..world.options() };
    assert_eq!(publish(&only).await.unwrap()[0].version.epoch, 2);
}

#[tokio::test]
async fn key_sets_that_the_broker_lost_or_somebody_wrote_over_are_sent_again() {
    let world = World::new().await;
    world.publish().await.unwrap();
    let topics = GroupTopics::new(world.account, "plant-1").unwrap();
    let (keys, first) = (topics.topic(GroupTopic::Keys), topics.topic(GroupTopic::KeysOf(1)));
    let good = world.retained(GroupTopic::Keys).unwrap();
    for damage in [None, Some(b"rubbish".to_vec())] {
        world.broker.forget(&first);
        match damage {
            None => world.broker.forget(&keys),
            Some(rubbish) => world.broker.plant(&keys, rubbish),
        }
        let done = world.publish().await.unwrap();
        let beacon = world.retained(GroupTopic::Time).unwrap().len();
        let sent = 2 * good.len() + beacon;
        assert_eq!((done.outcome, done.sent_bytes), (Outcome::Unchanged, sent));
        assert_eq!(world.retained(GroupTopic::Keys).as_ref(), Some(&good));
        assert_eq!(world.retained(GroupTopic::KeysOf(1)).as_ref(), Some(&good));
    }
    let beacon = world.publish().await.unwrap().sent_bytes;
    assert_eq!(beacon, world.retained(GroupTopic::Time).unwrap().len(), "and nothing else");
}

#[tokio::test]
async fn wherever_the_broker_dies_after_a_rotation_the_next_publish_finishes_it() {
    for packets in 4..40 {
        let world = World::new().await;
        world.publish().await.unwrap();
        world.rotate(Role::Snapshot, Some(Fate::Compromised), &[]);
        world.broker.kill_after(packets);
        let killed = world.publish().await;
        world.broker.mend();
        // With a key set that is on the broker, everything that leads to it is.
        let newest = world.retained(GroupTopic::Keys).unwrap();
        let walked = world.retained(GroupTopic::KeysOf(2));
        assert!(
            walked.as_ref() == Some(&newest)
                || world.retained(GroupTopic::KeysOf(1)) == Some(newest)
        );

        assert_eq!(world.publish().await.unwrap().version.epoch, 2, "after {packets} packets");
        assert!(world.arrives().is_some());
        if killed.is_ok() {
            return;
        }
    }
    panic!("a publish takes more packets than that");
}
