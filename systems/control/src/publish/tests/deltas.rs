//! Deltas, as a broker retains them.

use gateward_core::snapshot::delta::{Delta, Mark};
use sha2::{Digest as _, Sha256};

use super::*;

impl World {
    /// The deltas that travel with the manifest, by the version that they start from.
    fn along(&self) -> Vec<(u64, Vec<u8>)> {
        let message = self.retained(GroupTopic::Manifest).unwrap();
        let message = manifest::split(&message).unwrap();

        message.deltas.iter().map(|delta| (delta.from, delta.bytes.to_vec())).collect()
    }

    /// From which versions there is a delta with a topic of its own.
    fn apart(&self) -> Vec<u64> {
        let topics = self.broker.retained_topics();
        let from = |topic: &String| topic.split_once("/delta/")?.1.parse().ok();

        topics.iter().filter_map(from).collect()
    }

    /// What a gateway with `old` in force ends up with, by delta.
    fn arrives_by_delta(&self, old: &Verified<Vec<u8>>) -> Vec<u8> {
        let (from, manifest) = (old.manifest().version().number, self.manifest().unwrap());
        let named = manifest.deltas().iter().find(|delta| delta.from == from).unwrap();
        let along = self.along().into_iter().find(|(one, _)| *one == from).map(|(_, bytes)| bytes);
        let bytes = along.or_else(|| self.retained(GroupTopic::Delta { from })).unwrap();
        assert_eq!(named.len as usize, bytes.len());
        assert_eq!(named.sha256, <[u8; 32]>::from(Sha256::digest(&bytes)));
        let delta = Delta::read(&bytes).unwrap();
        let mut marks = vec![Mark::default(); delta.room()];
        let mut file = Vec::new();
        delta.on(old, &mut marks).unwrap().write(&mut file).unwrap();

        snapshot::open(file, manifest).unwrap().bytes().to_vec()
    }

    fn earlier(&self) -> Vec<PathBuf> {
        let folder = self.policy().join("state/published/plant-1/earlier");

        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// A world whose snapshot is long enough for deltas to be worth it.
    async fn published() -> (Self, Uuid) {
        let world = Self::new().await;
        let owner = Policy::load(&world.policy()).unwrap().principals()[0].id;
        world.add_tokens(owner, 300);
        world.publish().await.unwrap();

        (world, owner)
    }
}

#[tokio::test]
async fn a_change_travels_as_a_delta_in_the_message_of_its_manifest() {
    let (world, _) = World::published().await;
    let old = world.arrives().unwrap();
    assert!(old.manifest().deltas().is_empty());
    world.accounts().set_status(Kind::User, "ana.ruiz", PrincipalStatus::Disabled).unwrap();
    world.publish().await.unwrap();

    assert_eq!(world.arrives_by_delta(&old), world.arrives().unwrap().bytes());
    assert_eq!(world.apart(), Vec::<u64>::new());
    let message = world.retained(GroupTopic::Manifest).unwrap();
    assert!(message.len() <= 400, "{} bytes", message.len());
}

#[tokio::test]
async fn the_last_four_versions_have_a_delta_and_no_more_is_kept() {
    let (world, _) = World::published().await;
    let mut held = vec![world.arrives().unwrap()];
    for number in 2..9 {
        world.add_user(&format!("user{number}"));
        world.publish().await.unwrap();
        held.push(world.arrives().unwrap());
    }
    let newest = held.pop().unwrap();
    for old in held.iter().rev().take(4) {
        assert_eq!(world.arrives_by_delta(old), newest.bytes());
    }
    let from: BTreeSet<_> = newest.manifest().deltas().iter().map(|delta| delta.from).collect();
    assert_eq!(from, BTreeSet::from([4, 5, 6, 7]));
    assert_eq!(world.earlier().len(), 5);
}

#[tokio::test]
async fn a_refreshed_manifest_names_the_deltas_too() {
    let (mut world, _) = World::published().await;
    let old = world.arrives().unwrap();
    world.add_user("cy");
    world.publish().await.unwrap();
    let new = world.arrives().unwrap();

    world.now = NOW.plus(86_400 / 4);
    assert_eq!(world.publish().await.unwrap().outcome, Outcome::Refreshed);

    assert_eq!(world.arrives_by_delta(&old), new.bytes());
    assert_eq!(world.manifest().unwrap().deltas().len(), 1, "none from a version to itself");
}

#[tokio::test]
async fn a_delta_too_long_to_travel_along_has_a_topic_until_no_manifest_names_it() {
    let (world, owner) = World::published().await;
    world.add_tokens(owner, 2_000);
    world.publish().await.unwrap();
    let two = world.arrives().unwrap();
    assert_eq!(world.apart(), Vec::<u64>::new(), "a delta of most of the file is not worth it");
    world.add_tokens(owner, 2_400);
    world.publish().await.unwrap();

    assert_eq!(world.apart(), [2]);
    assert_eq!(world.arrives_by_delta(&two), world.arrives().unwrap().bytes());
    let message = world.retained(GroupTopic::Manifest).unwrap();
    assert!(message.len() <= 4_096, "{} bytes", message.len());

    // Four versions later nothing names it.
    for number in 4..9 {
        world.add_user(&format!("user{number}"));
        world.publish().await.unwrap();
        let named: BTreeSet<_> =
            world.manifest().unwrap().deltas().iter().map(|delta| delta.from).collect();
        assert!(world.apart().iter().all(|from| named.contains(from)), "{:?}", world.apart());
    }
    assert_eq!(world.apart(), Vec::<u64>::new());
}

#[tokio::test]
async fn another_table_of_divisions_is_published_whole() {
    let (world, _) = World::published().await;
    let path = world.policy().join("policy.toml");
    let text = fs::read_to_string(&path).unwrap();
    let more = "\n[[divisions]]\nid = \"0193a5d4-1111-7c61-8d5e-0000000000ff\"\nname = \"new\"\n";
    let reached = text.replace("divisions = [\"plant-1\"]", "divisions = [\"plant-1\", \"new\"]");
    fs::write(&path, reached + more).unwrap();
    let published = world.publish().await.unwrap();

    assert_eq!(published.outcome, Outcome::Published);
    assert!(world.manifest().unwrap().deltas().is_empty());
    assert!(world.arrives().is_some());
}

#[tokio::test]
async fn an_earlier_snapshot_that_is_lost_or_damaged_costs_a_delta_and_no_more() {
    for damage in [&b"rubbish"[..], b""] {
        let (world, _) = World::published().await;
        for path in world.earlier() {
            if damage.is_empty() {
                fs::remove_file(path).unwrap();
            } else {
                fs::write(path, damage).unwrap();
            }
        }
        world.add_user("cy");
        world.publish().await.unwrap();

        assert!(world.manifest().unwrap().deltas().is_empty());
        assert!(world.arrives().is_some());
    }
}

#[tokio::test]
async fn wherever_the_broker_dies_a_gateway_can_go_on_from_what_it_has() {
    let (world, _) = World::published().await;
    for packets in 4..60 {
        let old = world.arrives().unwrap();
        world.add_user(&format!("user{packets}"));
        world.broker.kill_after(packets);
        let killed = world.publish().await;
        world.broker.mend();
        let between = world.arrives().unwrap();
        world.publish().await.unwrap();
        let new = world.arrives().unwrap();
        for held in [old, between] {
            if held.manifest().version() != new.manifest().version() {
                assert_eq!(world.arrives_by_delta(&held), new.bytes(), "after {packets} packets");
            }
        }
        if killed.is_ok() {
            return;
        }
    }
    panic!("a publish takes more packets than that");
}
