//! Deltas, as a broker retains them and a gateway applies them.

use gateward_core::snapshot::delta::{Broken, Delta, Mark, Sink};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::accounts::NewToken;
use crate::policy::TokenStatus;
use crate::publish::deltas::{Earlier, NAMED};

/// A file that grows.
struct File(Vec<u8>);

impl Sink for File {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.0.extend(bytes);

        Ok(())
    }
}

fn apply(base: &Verified<Vec<u8>>, delta: &[u8]) -> Vec<u8> {
    let delta = Delta::read(delta).unwrap();
    let mut marks = vec![Mark::default(); delta.room()];
    let mut file = File(Vec::new());
    delta.on(base, &mut marks).unwrap().write(&mut file).unwrap();

    file.0
}

impl World {
    async fn with_tokens() -> Self {
        let world = Self::new().await;
        let owner = Policy::load(&world.policy()).unwrap().principals()[0].id;
        world.add_tokens(owner, 300);
        world.publish().await.unwrap();

        world
    }

    /// Every delta that the manifest names is there, is what it says and leads from its version to
    /// the new file; no other is there. Returns from where they lead.
    fn deltas_lead(&self, history: &BTreeMap<u64, Verified<Vec<u8>>>) -> Vec<u64> {
        let message = self.retained(GroupTopic::Manifest).unwrap();
        let along = manifest::split(&message).unwrap().deltas;
        let (arrived, manifest) = (self.arrives().unwrap(), self.manifest().unwrap());
        let mut apart = 0;
        for named in manifest.deltas() {
            let own = self.retained(GroupTopic::Delta { from: named.from });
            let riding = along.iter().find(|one| one.from == named.from);
            assert!(own.is_some() != riding.is_some(), "in one place");
            apart += usize::from(own.is_some());
            let bytes = own.unwrap_or_else(|| riding.unwrap().bytes.to_vec());
            assert_eq!(bytes.len(), usize::try_from(named.len).unwrap());
            assert_eq!(<[u8; 32]>::from(Sha256::digest(&bytes)), named.sha256);
            assert_eq!(&apply(&history[&named.from], &bytes), arrived.bytes(), "{}", named.from);
        }
        let topics = self.broker.retained_topics();
        assert_eq!(topics.iter().filter(|topic| topic.contains("/delta/")).count(), apart);
        assert!(along.len() <= 1);

        manifest.deltas().iter().map(|delta| delta.from).collect()
    }
}

#[tokio::test]
async fn every_version_is_reached_by_delta_from_the_three_before_it_and_old_deltas_go() {
    let world = World::with_tokens().await;
    let mut history = BTreeMap::from([(1, world.arrives().unwrap())]);
    for number in 2..=8 {
        world.add_user(&format!("user{number}"));
        assert_eq!(world.publish().await.unwrap().version.number, number);

        let from = world.deltas_lead(&history);
        let expected: Vec<u64> = (1..number).rev().take(NAMED).collect();
        assert_eq!(from, expected);
        history.insert(number, world.arrives().unwrap());
    }
}

#[tokio::test]
async fn wherever_the_broker_dies_the_next_publish_leaves_deltas_that_lead_there_and_no_others() {
    let world = World::with_tokens().await;
    let mut history = BTreeMap::from([(1, world.arrives().unwrap())]);
    for number in 2..=5 {
        world.add_user(&format!("user{number}"));
        world.publish().await.unwrap();
        history.insert(number, world.arrives().unwrap());
    }
    // From behind the CONNACK to well past the last packet.
    for packets in 4..60 {
        world.add_user(&format!("killed{packets}"));
        world.broker.kill_after(packets);
        let killed = world.publish().await;
        world.broker.mend();
        history.insert(world.manifest().unwrap().version().number, world.arrives().unwrap());

        let done = world.publish().await.unwrap();
        let arrived = world.arrives().unwrap();
        let from = world.deltas_lead(&history);
        assert_eq!(from.len(), NAMED, "after {packets} packets");
        history.insert(done.version.number, arrived);
        if killed.is_ok() {
            return;
        }
    }
    panic!("a publish takes more packets than that");
}

#[tokio::test]
async fn the_message_that_revokes_a_token_is_at_most_400_bytes_as_it_is_sent() {
    let world = World::with_tokens().await;
    let (kind, owner) = (Kind::User, "ana.ruiz".to_owned());
    let new = NewToken { kind, owner: owner.clone(), name: "plc".to_owned(), end: None };
    world.accounts().new_token(&new).unwrap();
    for number in 2..=5 {
        world.add_user(&format!("user{number}"));
        world.publish().await.unwrap();
    }
    let token = crate::accounts::TokenRef::Named(kind, owner, "plc".to_owned());
    world.accounts().set_token_status(&token, TokenStatus::Disabled).unwrap();
    world.publish().await.unwrap();

    let message = world.retained(GroupTopic::Manifest).unwrap();
    assert_eq!(manifest::split(&message).unwrap().deltas.len(), 1);
    // Numbers that are greater in a large account take a few bytes more each.
    assert!(message.len() <= 400 - 25, "{} bytes", message.len());
}

#[tokio::test]
async fn of_one_version_one_snapshot_is_kept() {
    let worlds = [World::new().await, World::new().await];
    let folder = tempfile::tempdir().unwrap();
    for world in worlds {
        world.publish().await.unwrap();
        let (manifest, file) = (world.manifest().unwrap(), world.arrives().unwrap());
        let earlier = Earlier::of(folder.path());
        earlier.keep(&manifest, file.bytes()).unwrap();
        assert_eq!(earlier.file(&manifest).as_deref(), Some(file.bytes()));
        assert_eq!(fs::read_dir(folder.path().join("earlier")).unwrap().count(), 1);
    }
}
