use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use gateward_core::name::Hex;
use gateward_core::snapshot::chunk::HashList;
use gateward_core::snapshot::{self, Verified};
use gateward_core::time::UnixSeconds;
use gateward_core::token::Lookup;
use gateward_core::trust::{KeySet, Manifest, Role};
use gateward_loopback_broker::{Access, Broker as Loopback, Options};
use tempfile::TempDir;

use gateward_core::name::Uuid;
use gateward_core::topic::{GroupTopic, GroupTopics};
use gateward_core::trust::{Audience, manifest, sign};

use super::*;
use crate::accounts::{Accounts, Kind, NewUser, Where};
use crate::keys::{self, NewAccount};
use crate::policy::PrincipalStatus;
use crate::testing::NOW;

mod broker;
mod crash;
mod deltas;
mod lost;
mod news;
mod rotation;

/// Reads everything, writes nothing but the fence.
const ONLY_FENCE: &str =
    "pattern read gateward/#\npattern write gateward/v1/+/gateway/control/fence\n";

pub(crate) struct World {
    dir: TempDir,
    pub(crate) account: Uuid,
    pub(crate) broker: Loopback,
    now: UnixSeconds,
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let policy = dir.path().join("acme");
        let name = "Acme".to_owned();
        let new = NewAccount { dir: policy, name, roots: None, now_ms: NOW.0 * 1000 };
        let account = keys::init(&new).unwrap().account;
        let broker = Loopback::start(Options::plain(Access::everything())).await.unwrap();
        let world = Self { dir, account, broker, now: NOW };
        world.add_user("ana.ruiz");

        world
    }

    pub(crate) fn policy(&self) -> PathBuf {
        self.dir.path().join("acme")
    }

    pub(crate) fn accounts(&self) -> Accounts {
        Accounts::open(&self.policy(), self.now).unwrap()
    }

    pub(crate) fn add_user(&self, name: &str) -> Uuid {
        let user = NewUser {
            username: name.to_owned(),
            roles: vec!["iot_account_admin".to_owned()],
            divisions: Where::Only(vec!["plant-1".to_owned()]),
            ..NewUser::default()
        };

        self.accounts().add_user(&user).unwrap()
    }

    /// Enough tokens for a snapshot of several chunks.
    fn add_tokens(&self, owner: Uuid, count: u64) {
        let mut lines = String::new();
        for number in 1..=count {
            let lookup = Lookup { kind: 1, id: number.wrapping_mul(0x9e37_79b9_7f4a_7c15) };
            let verifier = Hex(&[7; 32]).to_string();
            writeln!(
                lines,
                r#"{{"kind":"api_token","owner_id":"{owner}","owner":"ana.ruiz","name":"t{number}","lookup":"{lookup}","verifier":"{verifier}"}}"#
            )
            .unwrap();
        }
        fs::write(self.policy().join("tokens.jsonl"), lines).unwrap();
    }

    pub(crate) fn options(&self) -> PublishOptions {
        let url = format!("mqtt://{}", self.broker.address()).parse().unwrap();

        PublishOptions {
            dir: self.policy(),
            reach: Reach { url, tls: None },
            groups: Vec::new(),
            accept_widening: Vec::new(),
            adopt: false,
            now: self.now,
        }
    }

    pub(crate) async fn publish(&self) -> Result<Published, NotPublished> {
        let mut done = publish(&self.options()).await?;
        assert_eq!(done.len(), 1);

        Ok(done.remove(0))
    }

    pub(crate) fn retained(&self, what: GroupTopic) -> Option<Vec<u8>> {
        let topics = GroupTopics::new(self.account, "plant-1").unwrap();

        self.broker.retained(&topics.topic(what))
    }

    pub(crate) fn manifest(&self) -> Option<Manifest> {
        let keys = KeySet::anchor(&self.retained(GroupTopic::Keys)?, self.account).unwrap();
        let message = self.retained(GroupTopic::Manifest)?;
        let envelope = manifest::split(&message).unwrap().envelope;
        let audience = Audience::of(self.account, "plant-1");

        Some(Manifest::verify(envelope, &keys, audience).unwrap())
    }

    /// What a gateway that starts now ends up with.
    pub(crate) fn arrives(&self) -> Option<Verified<Vec<u8>>> {
        let manifest = self.manifest()?;
        let root = manifest.root().short();
        let pieces = manifest.piece_count();
        let list =
            (0..pieces).map(|piece| self.retained(GroupTopic::List { root, piece }).unwrap());
        let list = HashList::check(list.collect::<Vec<_>>().concat(), &manifest).unwrap();
        let mut file = Vec::new();
        for index in 0..manifest.chunk_count() {
            let chunk = self.retained(GroupTopic::Chunk { root, index }).unwrap();
            assert!(list.accepts(index, &chunk), "chunk {index}");
            file.extend(chunk);
        }

        Some(snapshot::open(file, manifest).unwrap())
    }

    pub(crate) fn roots(&self) -> BTreeSet<String> {
        let topics = self.broker.retained_topics();
        let root =
            |topic: &String| Some(topic.split_once("/chunk/")?.1.split_once('/')?.0.to_owned());

        topics.iter().filter_map(root).collect()
    }
}

#[tokio::test]
async fn nothing_is_published_while_a_command_changes_the_policy() {
    let world = World::new().await;
    let changing = world.accounts();

    let refused = Ground::read(&world.policy(), &[], Duration::ZERO).unwrap_err();

    assert!(matches!(refused, NotPublished::NotLocked(_)), "{refused}");
    // Whoever publishes waits for it.
    let done = std::thread::spawn(move || drop(changing));
    world.publish().await.unwrap();
    done.join().unwrap();
}

#[tokio::test]
async fn what_is_published_is_what_a_gateway_verifies() {
    let world = World::new().await;
    let owner = world.add_user("bo");
    world.add_tokens(owner, 0);
    let done = world.publish().await.unwrap();
    let snapshot = world.arrives().unwrap();

    assert_eq!(done.outcome, Outcome::Published);
    assert_eq!(done.version, Version { epoch: 1, number: 1 });
    assert_eq!((done.gateways, done.snapshot_bytes), (1, snapshot.bytes().len()));
    assert_eq!(snapshot.view().principals().count(), 2);
    assert_eq!(world.retained(GroupTopic::KeysOf(1)), world.retained(GroupTopic::Keys));
    assert_eq!(snapshot.manifest().stale_at(), NOW.plus(86_400));
}

#[tokio::test]
async fn an_unchanged_policy_is_not_published_again_until_a_refresh_is_due() {
    let mut world = World::new().await;
    world.publish().await.unwrap();
    let before = world.retained(GroupTopic::Manifest);
    let again = world.publish().await.unwrap();
    let beacon = world.retained(GroupTopic::Time).unwrap();
    assert_eq!((again.outcome, again.sent_bytes), (Outcome::Unchanged, beacon.len()));
    assert_eq!(world.retained(GroupTopic::Manifest), before);

    world.now = NOW.plus(86_400 / 4);
    let refreshed = world.publish().await.unwrap();
    assert_eq!(refreshed.outcome, Outcome::Refreshed);
    assert_eq!(refreshed.version, again.version);
    assert_eq!(world.arrives().unwrap().manifest().issued_at(), world.now);
    assert_eq!(world.publish().await.unwrap().outcome, Outcome::Unchanged);
}

#[tokio::test]
async fn a_change_is_a_new_version_and_what_it_replaces_is_removed() {
    let world = World::new().await;
    let owner = world.add_user("cy");
    world.publish().await.unwrap();
    let old = world.roots();
    world.accounts().set_status(Kind::User, "cy", PrincipalStatus::Disabled).unwrap();
    let done = world.publish().await.unwrap();
    let snapshot = world.arrives().unwrap();

    assert_eq!(done.version.number, 2);
    assert!(snapshot.view().principals().any(|one| one.id() == owner && one.is_disabled()));
    assert_eq!(world.roots().len(), 1);
    assert!(world.roots().is_disjoint(&old));
}

#[tokio::test]
async fn a_folder_that_lost_its_state_goes_on_above_what_gateways_have() {
    let world = World::new().await;
    world.publish().await.unwrap();
    world.add_user("dee");
    world.publish().await.unwrap();
    let (old, state) = (world.roots(), world.policy().join("state/published"));
    fs::remove_dir_all(&state).unwrap();
    world.add_user("eve");
    let adopting = PublishOptions { adopt: true, ..world.options() };
    let done = publish(&adopting).await.unwrap();
    assert_eq!((done[0].outcome, done[0].version.number), (Outcome::Published, 3));
    assert_eq!(world.arrives().unwrap().view().principals().count(), 3);
    assert!(world.roots().len() == 1 && world.roots().is_disjoint(&old));

    // The same content too, so that `state` knows again what it is.
    fs::remove_dir_all(&state).unwrap();
    assert_eq!(publish(&adopting).await.unwrap()[0].version.number, 4);
    assert_eq!(world.roots().len(), 1);
    assert!(world.arrives().is_some());
    assert_eq!(world.publish().await.unwrap().outcome, Outcome::Unchanged);
    // Where nothing is unknown, it adopts nothing.
    assert_eq!(publish(&adopting).await.unwrap()[0].outcome, Outcome::Unchanged);
}

#[tokio::test]
async fn adopting_never_goes_below_what_was_published_from_here() {
    let world = World::new().await;
    world.publish().await.unwrap();
    let state = world.policy().join("state/published/plant-1");
    let first = ["manifest", "file"].map(|name| (name, fs::read(state.join(name)).unwrap()));
    world.add_user("dee");
    world.publish().await.unwrap();
    let second = world.retained(GroupTopic::Manifest).unwrap();
    world.add_user("eve");
    world.publish().await.unwrap();
    // The broker has what came between what it acknowledged here and what was intended here.
    fs::rename(state.join("manifest"), state.join("intent")).unwrap();
    first.iter().for_each(|(name, bytes)| fs::write(state.join(name), bytes).unwrap());
    let topics = GroupTopics::new(world.account, "plant-1").unwrap();
    world.broker.plant(&topics.topic(GroupTopic::Manifest), second);
    let error = world.publish().await.unwrap_err().to_string();
    assert!(error.contains("has version 1.2, and 1.1 was published"), "{error}");

    let adopting = PublishOptions { adopt: true, ..world.options() };
    assert_eq!(publish(&adopting).await.unwrap()[0].version.number, 4);
    assert!(world.arrives().is_some());
}

#[tokio::test]
async fn d4_a_principal_becomes_unlimited_only_where_somebody_says_so() {
    let world = World::new().await;
    world.publish().await.unwrap();
    let path = world.policy().join("users.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let wide = text.replace(r#","divisions":["plant-1"]"#, "");
    assert_ne!(wide, text);
    fs::write(&path, wide).unwrap();
    let before = world.retained(GroupTopic::Manifest);
    let error = world.publish().await.unwrap_err();
    assert!(matches!(&error, NotPublished::Widens(all) if all.len() == 1), "{error}");
    assert!(error.to_string().contains("--accept-widening `ana.ruiz`"), "{error}");
    assert_eq!(world.retained(GroupTopic::Manifest), before);
    let dry = |names: &[String]| refuse_widenings(&world.policy(), names);
    assert!(matches!(dry(&[]), Err(NotPublished::Widens(_))));
    dry(&["ana.ruiz".to_owned()]).unwrap();

    let accepted =
        PublishOptions { accept_widening: vec!["ana.ruiz".to_owned()], ..world.options() };
    publish(&accepted).await.unwrap();
    assert_eq!(world.arrives().unwrap().manifest().version().number, 2);
}

#[tokio::test]
async fn a_policy_with_a_mistake_never_reaches_the_broker() {
    let world = World::new().await;
    fs::write(world.policy().join("users.jsonl"), "{\"username\":\"x\"}\n").unwrap();

    assert!(matches!(world.publish().await, Err(NotPublished::Policy(Unusable::Mistakes(_)))));
    assert_eq!(world.broker.counts().accepted, 0);
}

#[tokio::test]
async fn what_would_change_is_told_without_a_broker() {
    let world = World::new().await;
    world.publish().await.unwrap();
    world.add_user("gus");
    let [group] = &preview(&world.policy(), &[]).unwrap()[..] else { panic!("one group") };

    assert_eq!((group.group.as_str(), group.gateways), ("plant-1", 1));
    assert!(group.changes.iter().any(|change| change.name == "gus"), "{:?}", group.changes);
    assert!(!group.changes.iter().any(|change| change.name == "ana.ruiz"));
    assert!(preview(&world.policy(), &["plant-9".to_owned()]).is_err());
}

#[tokio::test]
async fn a_snapshot_of_many_chunks_arrives_whole() {
    let world = World::new().await;
    let owner = Policy::load(&world.policy()).unwrap().principals()[0].id;
    world.add_tokens(owner, 2_000);
    world.publish().await.unwrap();
    let snapshot = world.arrives().unwrap();

    assert_eq!(snapshot.view().token_count(), 2_000);
    assert!(snapshot.manifest().chunk_count() > 2);
}
