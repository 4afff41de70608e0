//! Lists and beacons where an answer, the state or a key is lost.

use gateward_core::trust::sign::{BeaconDraft, RevokedDraft};

use super::news::version;
use super::*;
use crate::accounts::NewToken;
use crate::keys::Fate;
use crate::policy::TokenStatus;

impl World {
    fn new_token(&self) -> u64 {
        let (kind, owner) = (Kind::User, "ana.ruiz".to_owned());
        let new = NewToken { kind, owner, name: "plc".to_owned(), end: None };

        self.accounts().new_token(&new).unwrap().lookup.id
    }

    fn state(&self, name: &str) -> PathBuf {
        self.policy().join("state/published/plant-1").join(name)
    }

    fn topic_of(&self, group: &str, what: GroupTopic) -> String {
        GroupTopics::new(self.account, group).unwrap().topic(what).to_string()
    }
}

#[tokio::test]
async fn a_token_of_a_version_whose_answer_was_lost_is_on_the_list_when_it_is_disabled() {
    let world = World::new().await;
    world.publish().await.unwrap();
    let before = ["manifest", "file"].map(|name| (name, fs::read(world.state(name)).unwrap()));
    let id = world.new_token();
    world.publish().await.unwrap();
    // As it is when the broker took the manifest and its answer never came.
    fs::rename(world.state("manifest"), world.state("intent")).unwrap();
    before.iter().for_each(|(name, bytes)| fs::write(world.state(name), bytes).unwrap());

    world.set_token(TokenStatus::Disabled);
    world.publish().await.unwrap();

    assert_eq!(world.list().unwrap().tokens, [id]);
}

#[tokio::test]
async fn a_token_that_only_a_bundle_brought_is_on_the_list_when_it_is_disabled() {
    let world = World::new().await;
    world.publish().await.unwrap();
    let id = world.new_token();
    bundle(&world.policy(), "plant-1", &[], world.now).unwrap();

    world.set_token(TokenStatus::Disabled);
    world.publish().await.unwrap();

    assert_eq!(world.list().unwrap().tokens, [id]);
}

#[tokio::test]
async fn a_list_that_leaves_entries_out_builds_on_the_version_that_denies_them() {
    let world = World::new().await;
    let owner = Policy::load(&world.policy()).unwrap().principals()[0].id;
    world.add_tokens(owner, 4_097);
    world.publish().await.unwrap();
    let path = world.policy().join("tokens.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"}\n", "\",\"status\":\"disabled\"}\n")).unwrap();

    let done = world.publish().await.unwrap();

    let list = world.list().unwrap();
    assert_eq!((list.tokens.len(), list.base, done.version), (4_096, version(1, 2), version(1, 2)));
}

#[tokio::test]
async fn a_list_is_never_longer_than_the_longest_message_and_stops_no_group() {
    let world = World::new().await;
    let owner = Policy::load(&world.policy()).unwrap().principals()[0].id;
    let policy = world.policy().join("policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, text.replace("#max_payload_bytes", "max_payload_bytes")).unwrap();
    world.add_tokens(owner, 1_202);
    world.publish().await.unwrap();
    let path = world.policy().join("tokens.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let disable = |count: usize| {
        let line = |(index, line): (usize, &&str)| {
            let status = if index < count { "\",\"status\":\"disabled\"}" } else { "\"}" };
            line.replace("\"}", status) + "\n"
        };
        fs::write(&path, lines.iter().enumerate().map(line).collect::<String>()).unwrap();
    };

    disable(1_000);
    let done = world.publish().await.unwrap();
    let list = world.list().unwrap();
    assert!(list.bytes <= 4_096 && list.bytes > 3_500, "{} bytes", list.bytes);
    assert_eq!(list.base, done.version, "what it leaves out, that version denies");
    assert_eq!(world.publish().await.unwrap().outcome, Outcome::Unchanged);
    assert_eq!(world.list().unwrap(), list);

    // What comes next is on it, and what the last snapshot denies makes room for it.
    disable(1_200);
    world.publish().await.unwrap();
    let next = world.list().unwrap();
    assert_eq!((next.tokens.len(), next.base), (200, done.version));
}

#[tokio::test]
async fn the_greatest_list_number_of_a_stolen_key_ends_with_its_key_set() {
    for number in [u64::MAX - 1, u64::MAX] {
        let (world, id) = World::with_token().await;
        let draft = RevokedDraft {
            account: world.account,
            audience: Audience::of(world.account, "plant-1"),
            keyset: 1,
            counter: number,
            base_version: 0,
            issued_at: world.now,
            tokens: BTreeSet::from([1]),
            principals: BTreeSet::new(),
        };
        let planted = draft.sign(&[&world.snapshot_key()]).unwrap();
        world.broker.plant(&world.topic_of("plant-1", GroupTopic::Revoked), planted);
        if let Err(error) = world.publish().await {
            let error = error.to_string();
            assert!(error.contains("keys rotate DIR --role snapshot --compromised"), "{error}");
        }

        world.rotate(Role::Snapshot, Some(Fate::Compromised), &[]);
        world.set_token(TokenStatus::Disabled);
        world.publish().await.unwrap();

        let list = world.list().unwrap();
        assert_eq!((list.number, &list.tokens[..]), (version(2, 1), &[id][..]));
        assert_eq!(world.arrives().unwrap().manifest().revoked(), list.number);
        world.set_token(TokenStatus::Enabled);
        world.publish().await.unwrap();
        assert_eq!(world.list().unwrap().number, version(2, 2));
    }
}

#[tokio::test]
async fn a_list_that_a_thief_published_is_taken_over_only_where_that_is_asked_for() {
    let (world, id) = World::with_token().await;
    world.set_token(TokenStatus::Disabled);
    world.publish().await.unwrap();
    let draft = RevokedDraft {
        account: world.account,
        audience: Audience::of(world.account, "plant-1"),
        keyset: 1,
        counter: 9,
        base_version: 0,
        issued_at: world.now,
        tokens: BTreeSet::new(),
        principals: BTreeSet::new(),
    };
    let planted = draft.sign(&[&world.snapshot_key()]).unwrap();
    world.broker.plant(&world.topic_of("plant-1", GroupTopic::Revoked), planted);

    let error = world.publish().await.unwrap_err();
    assert!(matches!(error, NotPublished::OtherVersion(_)), "{error}");
    assert!(error.to_string().contains("revocation list 1.9"), "{error}");
    assert!(error.to_string().contains("publish --adopt"), "{error}");
    assert_eq!(world.list().unwrap().number, version(1, 9), "nothing was sent");

    publish(&PublishOptions { adopt: true, ..world.options() }).await.unwrap();
    world.publish().await.unwrap();
    assert!(world.list().unwrap().number >= version(1, 9), "its numbers are used up");
    world.rotate(Role::Snapshot, Some(Fate::Compromised), &[]);
    world.publish().await.unwrap();
    assert!(!world.list().unwrap().tokens.contains(&1) && id != 1);
}

#[tokio::test]
async fn a_stolen_beacon_key_stops_no_group() {
    let world = World::new().await;
    let path = world.policy().join("policy.toml");
    let policy = fs::read_to_string(&path).unwrap();
    let two = "\n[[groups]]\nid = \"plant-2\"\ngateways = [\"edge-2\"]\n";
    fs::write(&path, policy + two).unwrap();
    publish(&world.options()).await.unwrap();
    let draft = BeaconDraft {
        account: world.account,
        audience: Audience::of(world.account, "plant-1"),
        keyset: 1,
        number: u64::MAX,
        time: world.now,
        version: 1,
        revoked_counter: u64::MAX,
    };
    let thief = keys::signing_key(&world.policy(), Role::Beacon).unwrap();
    let time = world.topic_of("plant-1", GroupTopic::Time);
    world.broker.plant(&time, draft.sign(&[&thief]).unwrap());
    let id = world.new_token();
    let of_two =
        [GroupTopic::Manifest, GroupTopic::Time].map(|what| world.topic_of("plant-2", what));
    let before = of_two.each_ref().map(|topic| world.broker.retained(topic));

    let error = publish(&world.options()).await.unwrap_err();
    assert!(matches!(error, NotPublished::NoBeacon(_)), "{error}");
    let told = "`plant-1`: the greatest number of a beacon is used up";
    assert!(error.to_string().contains(told), "{error}");
    assert!(error.to_string().contains("--role beacon --compromised"), "{error}");
    assert_eq!(world.arrives().unwrap().manifest().version().number, 2);
    for (topic, before) in of_two.iter().zip(before) {
        assert_ne!(world.broker.retained(topic), before, "{topic}");
    }
    world.set_token(TokenStatus::Disabled);
    publish(&world.options()).await.unwrap_err();
    assert_eq!(world.list().unwrap().tokens, [id], "lists have their own numbers");

    world.rotate(Role::Beacon, Some(Fate::Compromised), &[]);
    publish(&world.options()).await.unwrap();
    assert_eq!(world.beacon().number(), version(2, 1));
}

#[tokio::test]
async fn numbers_of_lists_go_on_though_state_and_list_are_both_lost() {
    let (world, _) = World::with_token().await;
    world.set_token(TokenStatus::Disabled);
    world.publish().await.unwrap();
    fs::remove_dir_all(world.policy().join("state/published")).unwrap();
    world.broker.forget(&world.topic_of("plant-1", GroupTopic::Revoked));

    let adopting = PublishOptions { adopt: true, ..world.options() };
    let done = publish(&adopting).await.unwrap();

    let list = world.list().unwrap();
    assert_eq!((list.number, list.base), (version(1, 2), done[0].version));
    assert_eq!(world.arrives().unwrap().manifest().revoked(), list.number);
}

#[tokio::test]
async fn a_list_of_ours_that_cannot_be_verified_is_an_error_and_not_no_list() {
    let (world, _) = World::with_token().await;
    world.set_token(TokenStatus::Disabled);
    world.publish().await.unwrap();
    fs::write(world.state("revoked"), b"rubbish").unwrap();

    let error = world.publish().await.unwrap_err().to_string();

    assert!(error.contains("revoked: cannot be verified"), "{error}");
}

#[tokio::test]
async fn a_list_that_the_broker_lost_or_somebody_wrote_over_is_sent_again() {
    let (world, _) = World::with_token().await;
    world.set_token(TokenStatus::Disabled);
    world.publish().await.unwrap();
    let good = world.retained(GroupTopic::Revoked).unwrap();
    let topic = world.topic_of("plant-1", GroupTopic::Revoked);
    for damage in [None, Some(b"rubbish".to_vec())] {
        match damage {
            None => world.broker.forget(&topic),
            Some(rubbish) => world.broker.plant(&topic, rubbish),
        }
        let done = world.publish().await.unwrap();
        assert_eq!(done.outcome, Outcome::Unchanged);
        assert_eq!(world.retained(GroupTopic::Revoked).as_ref(), Some(&good));
    }
    let beacon = world.publish().await.unwrap().sent_bytes;
    assert_eq!(beacon, world.retained(GroupTopic::Time).unwrap().len(), "and nothing else");
}
