//! A server in this process, with a broker in whose hands everything is.

use std::fs;
use std::sync::{Arc, Mutex};

use gateward_core::topic::{GroupTopic, GroupTopics};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::*;
use crate::accounts::Kind;
use crate::policy::PrincipalStatus;
use crate::publish::tests::World;

/// A server that runs until this is dropped.
struct Serving {
    told: Arc<Mutex<Vec<Published>>>,
    look: mpsc::Sender<()>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Serving {
    fn of(world: &World) -> Self {
        let options =
            ServeOptions { dir: world.policy(), reach: world.options().reach, audit: None };
        let server = Server::open(options).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (look, looks) = mpsc::channel(1);
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&told);
        let stop_signal = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(async move {
            let tell = move |one: &Published| hears.lock().unwrap().push(one.clone());
            server.run(stop_signal, looks, tell).await;
        });

        Self { told, look, stop, task }
    }

    fn told(&self) -> Vec<(Outcome, u64)> {
        let told = self.told.lock().unwrap();

        told.iter().map(|one| (one.outcome, one.version.number)).collect()
    }

    async fn end(self) {
        drop(self.stop);
        self.task.await.unwrap();
    }
}

async fn until(what: &str, mut look: impl FnMut() -> bool) {
    let waiting = async {
        while !look() {
            sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

fn version(world: &World) -> u64 {
    world.manifest().map_or(0, |manifest| manifest.version().number)
}

fn beacons(world: &World) -> Option<Vec<u8>> {
    world.retained(GroupTopic::Time)
}

#[tokio::test]
async fn what_changes_is_published_and_a_command_never_finds_the_folder_taken() {
    let world = World::new().await;
    let serving = Serving::of(&world);
    until("a first version", || version(&world) == 1).await;
    until("a beacon", || beacons(&world).is_some()).await;
    let (dir, now) = (world.policy(), world.manifest().unwrap().issued_at());

    // On a thread of its own, as a command is in its own process.
    let commands = tokio::task::spawn_blocking(move || {
        for round in 0..20 {
            let status =
                if round % 2 == 0 { PrincipalStatus::Disabled } else { PrincipalStatus::Active };
            let mut accounts = crate::accounts::Accounts::open(&dir, now).unwrap();
            accounts.set_status(Kind::User, "ana.ruiz", status).unwrap();
        }
    });
    commands.await.unwrap();
    world.accounts().set_status(Kind::User, "ana.ruiz", PrincipalStatus::Disabled).unwrap();
    until("the last state", || {
        let snapshot = world.arrives();
        snapshot.is_some_and(|one| one.view().principals().all(|who| who.is_disabled()))
    })
    .await;
    until("the end of a round", || try_lock(&world.policy()).is_ok()).await;
    // Whoever publishes by hand finds nothing to do.
    assert_eq!(world.publish().await.unwrap().outcome, Outcome::Unchanged);
    let told = serving.told();
    assert!(told.is_sorted_by_key(|(_, version)| *version), "{told:?}");
    serving.end().await;
}

#[tokio::test]
async fn a_policy_with_a_mistake_leaves_the_last_good_one_and_the_next_good_one_is_published() {
    let world = World::new().await;
    let serving = Serving::of(&world);
    until("a first version", || serving.told() == [(Outcome::Published, 1)]).await;
    let path = world.policy().join("users.jsonl");
    let good = fs::read_to_string(&path).unwrap();
    fs::write(&path, "{\"username\":\"x\"}\n").unwrap();
    let before = beacons(&world);
    serving.look.send(()).await.unwrap();
    until("a look at the mistake", || beacons(&world) != before).await;
    assert_eq!(serving.told(), [(Outcome::Published, 1)]);

    fs::write(&path, good).unwrap();
    world.add_user("bo");
    until("a good one", || version(&world) == 2).await;
    serving.end().await;
}

#[tokio::test]
async fn without_a_mistake_free_policy_what_was_published_is_refreshed_and_nothing_else() {
    let world = World::new().await;
    world.publish().await.unwrap();
    let old = Ground::read(&world.policy(), &[], Duration::ZERO).unwrap();
    // Somebody published by hand what the server has never read, and made a mistake then.
    world.add_user("bo");
    world.publish().await.unwrap();
    let published = world.manifest().unwrap();
    let kept = old.kept(&world.policy()).unwrap();
    let broker = Broker::connect(&world.options().reach, "test").await.unwrap();
    let now = published.issued_at().plus(40_000);
    let mut done = Done::default();
    let wanted = (Reaching::Everything, now);
    round((&world.policy(), &kept), &broker, wanted, &mut done).await.unwrap();

    assert_eq!(done.published[0].outcome, Outcome::Refreshed);
    let refreshed = world.manifest().unwrap();
    assert_eq!((refreshed.version(), refreshed.root()), (published.version(), published.root()));
    assert_eq!(refreshed.issued_at(), now);
    assert_eq!(world.arrives().unwrap().view().principals().count(), 2);
    broker.leave().await;
}

#[tokio::test]
async fn in_peace_a_look_at_everything_sends_beacons_and_a_look_at_changes_sends_nothing() {
    let world = World::new().await;
    world.publish().await.unwrap();
    let ground = Ground::read(&world.policy(), &[], Duration::ZERO).unwrap();
    let broker = Broker::connect(&world.options().reach, "test").await.unwrap();
    let now = world.manifest().unwrap().issued_at();
    let look = async |reaching| {
        let mut done = Done::default();
        let dir = world.policy();
        round((&dir, &ground), &broker, (reaching, now), &mut done).await.unwrap();
        done.published
    };
    let before = (world.broker.packets(), beacons(&world), world.retained(GroupTopic::Manifest));
    assert_eq!(look(Reaching::Changes).await, []);
    assert_eq!(world.broker.packets(), before.0, "not a packet");

    let done = look(Reaching::Everything).await;
    assert_eq!((done.len(), done[0].outcome), (1, Outcome::Unchanged));
    assert_ne!(beacons(&world), before.1);
    assert_eq!(world.retained(GroupTopic::Manifest), before.2);
    broker.leave().await;
}

#[tokio::test]
async fn another_version_on_the_broker_stops_that_group_and_no_other() {
    let world = World::new().await;
    let policy = world.policy().join("policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, text + "\n[[groups]]\nid = \"plant-2\"\ngateways = [\"edge-2\"]\n").unwrap();
    let serving = Serving::of(&world);
    let topics = |group| GroupTopics::new(world.account, group).unwrap();
    let manifest = |group| world.broker.retained(&topics(group).topic(GroupTopic::Manifest));
    until("both", || manifest("plant-1").is_some() && manifest("plant-2").is_some()).await;

    let junk = b"from elsewhere".to_vec();
    world.broker.plant(&topics("plant-1").topic(GroupTopic::Manifest), junk.clone());
    let before = manifest("plant-2");
    world.add_user("bo");
    until("the other group", || manifest("plant-2") != before).await;
    serving.look.send(()).await.unwrap();
    let beacon = world.broker.retained(&topics("plant-2").topic(GroupTopic::Time));
    until("a look", || world.broker.retained(&topics("plant-2").topic(GroupTopic::Time)) != beacon)
        .await;
    assert_eq!(manifest("plant-1"), Some(junk));

    // Once somebody has taken it away, that group goes on by itself.
    world.broker.forget(&topics("plant-1").topic(GroupTopic::Manifest));
    serving.look.send(()).await.unwrap();
    until("the group again", || manifest("plant-1").is_some()).await;
    serving.end().await;
}

#[tokio::test]
async fn a_broker_that_was_away_and_lost_everything_is_given_everything_again() {
    let world = World::new().await;
    let serving = Serving::of(&world);
    until("a first version", || version(&world) == 1).await;
    world.broker.cut();
    for topic in world.broker.retained_topics() {
        world.broker.forget(&topic);
    }
    world.add_user("bo");
    world.broker.mend();
    until("the new version", || version(&world) == 2).await;
    assert_eq!(world.arrives().unwrap().view().principals().count(), 2);
    serving.end().await;
}

#[tokio::test]
async fn wherever_the_connection_breaks_a_server_brings_the_new_version_in_the_end() {
    let world = World::new().await;
    world.publish().await.unwrap();
    // As many packets as a look takes, and more; a new server each time, since a link that breaks often
    // rests ever longer.
    for packets in 1.. {
        let people = world.arrives().unwrap().view().principals().count();
        world.add_user(&format!("user{packets}"));
        let end = world.broker.packets() + packets;
        world.broker.kill_after(packets);
        let serving = Serving::of(&world);
        until("the break, or all of it", || {
            let snapshot = world.arrives().unwrap();
            let count = snapshot.view().principals().count();
            assert!(count == people || count == people + 1, "a mix after {packets}");
            !serving.told().is_empty() || world.broker.packets() >= end
        })
        .await;
        let unbroken = world.broker.packets() < end;
        world.broker.mend();
        until("the new version", || {
            world.arrives().unwrap().view().principals().count() == people + 1
        })
        .await;
        until("an end of removing", || world.roots().len() == 1).await;
        serving.end().await;
        if unbroken {
            assert!(packets > 15, "{packets} packets");
            return;
        }
    }
}

#[tokio::test]
async fn one_serves_a_folder() {
    let world = World::new().await;
    let serving = Serving::of(&world);
    let options = ServeOptions { dir: world.policy(), reach: world.options().reach, audit: None };
    assert!(matches!(Server::open(options.clone()), Err(ServeFailed::Served)));
    serving.end().await;
    assert!(Server::open(options).is_ok());
}

#[tokio::test]
async fn a_server_starts_with_a_policy_that_may_not_be_published_and_keeps_what_was_published_fresh()
 {
    let mistake = ("policy.toml", "[account]", "[account");
    let widening = ("users.jsonl", r#","divisions":["plant-1"]"#, "");
    for (file, old, new) in [mistake, widening] {
        let world = World::new().await;
        world.publish().await.unwrap();
        let published = world.manifest().unwrap();
        let path = world.policy().join(file);
        let good = fs::read_to_string(&path).unwrap();
        assert!(good.contains(old), "{good}");
        fs::write(&path, good.replace(old, new)).unwrap();
        let (dir, reach) = (world.policy(), world.options().reach);
        let audit = Some(world.policy().join("state/audit"));
        drop(Server::open(ServeOptions { dir, reach, audit }).unwrap());

        let serving = Serving::of(&world);
        until("a refresh", || serving.told() == [(Outcome::Refreshed, 1)]).await;
        let refreshed = world.manifest().unwrap();
        assert_eq!(
            (refreshed.version(), refreshed.root()),
            (published.version(), published.root())
        );
        let lasts = |manifest: &gateward_core::trust::Manifest| {
            (manifest.stale_at().since(manifest.issued_at()), manifest.chunk_log2())
        };
        assert_eq!(lasts(&refreshed), lasts(&published));

        fs::write(&path, good).unwrap();
        world.add_user("bo");
        until("a good one", || version(&world) == 2).await;
        serving.end().await;
    }
}

#[tokio::test]
async fn a_group_without_a_snapshot_by_this_policy_is_kept_fresh_and_stops_no_other() {
    let world = World::new().await;
    let owner = world.add_user("bo");
    world.publish().await.unwrap();
    let published = world.manifest().unwrap();
    let lines: String = (1..=2_000)
        .map(|id| {
            let lookup = gateward_core::token::Lookup { kind: 1, id };
            let verifier = "07".repeat(32);
            format!(
                "{{\"kind\":\"api_token\",\"owner_id\":\"{owner}\",\"owner\":\"bo\",\"name\":\"t{id}\",\
                 \"lookup\":\"{lookup}\",\"verifier\":\"{verifier}\"}}\n"
            )
        })
        .collect();
    fs::write(world.policy().join("tokens.jsonl"), lines).unwrap();
    // Nor is it cut in other chunks, which would be another version.
    let policy = world.policy().join("policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, text.replace("#max_payload_bytes", "max_payload_bytes")).unwrap();
    let ground = Ground::read(&world.policy(), &[], Duration::ZERO).unwrap();
    let broker = Broker::connect(&world.options().reach, "test").await.unwrap();
    let now = published.issued_at().plus(40_000);
    let mut done = Done::default();
    round((&world.policy(), &ground), &broker, (Reaching::Everything, now), &mut done)
        .await
        .unwrap();

    assert!(done.stopped[0].why.contains("token ids crowd together"), "{:?}", done.stopped);
    let refreshed = world.manifest().unwrap();
    assert_eq!((refreshed.version(), refreshed.root()), (published.version(), published.root()));
    assert_eq!(refreshed.issued_at(), now);
    broker.leave().await;
}

#[tokio::test]
async fn a_group_that_loses_the_connection_is_the_last_one_next_time() {
    let world = World::new().await;
    let policy = world.policy().join("policy.toml");
    let text = fs::read_to_string(&policy).unwrap();
    let more = |id| format!("\n[[groups]]\nid = \"plant-{id}\"\ngateways = [\"edge-{id}\"]\n");
    fs::write(&policy, text + &more(2) + &more(3)).unwrap();
    let ground = Ground::read(&world.policy(), &[], Duration::ZERO).unwrap();
    let dir = world.policy();
    let mut after = None;
    for expected in [["plant-2", "plant-3", "plant-1"], ["plant-3", "plant-1", "plant-2"]] {
        let broker = Broker::connect(&world.options().reach, "test").await.unwrap();
        let mut done = Done { after: after.take(), ..Done::default() };
        // In the middle of the first one, whichever that is: after what the broker has was asked for.
        world.broker.kill_after(10);
        let wanted = (Reaching::Everything, clock::now());
        round((&dir, &ground), &broker, wanted, &mut done).await.unwrap_err();
        world.broker.mend();
        assert_eq!(done.after.as_deref(), Some(expected[2]), "{:?}", done.published);
        after = done.after;
    }
}

#[tokio::test]
async fn what_could_not_be_read_for_a_moment_is_read_again_soon_and_without_a_change() {
    let world = World::new().await;
    let serving = Serving::of(&world);
    until("a first version", || version(&world) == 1).await;
    world.add_user("bo");
    until("a second", || version(&world) == 2).await;
    // What no watch looks at, as if the disk had failed for that long.
    let known = world.policy().join("state/known-ids");
    let beside = world.policy().join("state/beside");
    fs::rename(&known, &beside).unwrap();
    fs::create_dir(&known).unwrap();
    let users = world.policy().join("users.jsonl");
    let text = fs::read_to_string(&users).unwrap();
    fs::write(&users, text.replace(r#""username":"bo""#, r#""username":"cy""#)).unwrap();
    let before = beacons(&world);
    until("a look that failed and kept everything fresh", || beacons(&world) != before).await;
    assert_eq!(version(&world), 2);

    fs::remove_dir(&known).unwrap();
    fs::rename(&beside, &known).unwrap();
    until("the change", || version(&world) == 3).await;
    serving.end().await;
}
