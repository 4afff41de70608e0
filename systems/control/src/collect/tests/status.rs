//! What a gateway says of itself: a step back is an event, and leaving is none.

use std::fs;

use gateward_core::time::TimeQuality;

use super::*;

impl World {
    /// The broker brings what a gateway signed.
    fn says(&self, gateway: &Gateway, change: impl FnOnce(&mut Status)) -> Vec<u8> {
        let mut status = Status {
            gateway: gateway.id(),
            incarnation: gateway.enrolled.incarnation,
            boot: 4,
            keyset: 1,
            version: 7,
            root8: [1; 8],
            revoked_counter: 2,
            floor_time: NOW,
            audit_number: 0,
            audit_head: Head::START,
            backlog: 0,
            time_quality: TimeQuality::Synced,
            gone: false,
        };
        change(&mut status);
        let mut buffer = [0; SEALED_LEN];

        status.sign(gateway.account, &gateway.key, &mut buffer).unwrap().to_vec()
    }

    /// All that was told, but for who came and went.
    fn alarms(&self) -> Vec<String> {
        let mut all = self.events();
        all.retain(|one| !one.contains(r#""event":"gone""#) && !one.contains(r#""event":"back""#));

        all
    }
}

#[tokio::test]
async fn h5_a_gateway_that_leaves_raises_no_alarm_and_one_that_comes_back_older_does() {
    let world = World::new().await;
    let gateway = world.gateway.clone();
    let mut work = world.work();
    let good = world.says(&gateway, |_| {});
    let will = world.says(&gateway, |status| (status.version, status.gone) = (3, true));
    work.status("edge-1", &good, false).await.unwrap();
    work.status("edge-1", &will, false).await.unwrap();
    assert_eq!(world.alarms(), Vec::<String>::new());
    assert_eq!(fs::read(world.out().join("status/edge-1")).unwrap(), will);

    let older = world.says(&gateway, |status| (status.boot, status.version) = (5, 6));
    work.status("edge-1", &older, false).await.unwrap();
    let events = world.alarms();
    assert!(
        events.len() == 1 && events[0].contains("version 6, and it had reported 7"),
        "{events:?}"
    );
    assert_eq!(fs::read(world.out().join("status/edge-1")).unwrap(), will);
}

#[tokio::test]
async fn h7_the_collector_sees_two_roots_though_the_second_gateway_was_enrolled_since() {
    let world = World::new().await;
    let gateway = world.gateway.clone();
    let mut work = world.work();
    work.status("edge-1", &world.says(&gateway, |_| {}), false).await.unwrap();
    // Unknown when the collector started, then enrolled, then enrolled again with another key.
    let mut second = gateway;
    second.enrolled.gateway = "edge-2".to_owned();
    for seed in [1, 2] {
        second.key = SigningKey::from_bytes(&[seed; 32]);
        second.enrolled.key = second.key.verifying_key();
        second.enrolled.incarnation = Incarnation([seed; 8]);
        second.enrolled.save(&world.options().dir).unwrap();
        let root8 = [seed + 1; 8];
        let said = world.says(&second, |status| status.root8 = root8);
        work.status("edge-2", &said, false).await.unwrap();
        let events = world.events();
        assert_eq!(events.len(), usize::from(seed), "{events:?}");
        assert!(events.iter().all(|one| one.contains(r#""event":"two_roots""#)), "{events:?}");
    }
}

#[tokio::test]
async fn a_gateway_that_leaves_and_comes_back_is_told_of_once_each() {
    let world = World::new().await;
    let mut work = world.work();
    let good = world.says(&world.gateway, |_| {});
    let will = world.says(&world.gateway, |status| status.gone = true);
    let back = world.says(&world.gateway, |status| status.floor_time = NOW.plus(1));
    // What was retained does not say that it is there now, and nor does what was said before.
    for (status, retain) in
        [(&will, true), (&will, false), (&back, true), (&good, false), (&will, false)]
    {
        work.status("edge-1", status, retain).await.unwrap();
    }
    assert_eq!(world.events().len(), 1, "{:?}", world.events());
    let back = world.says(&world.gateway, |status| status.floor_time = NOW.plus(2));
    for _ in 0..2 {
        work.status("edge-1", &back, false).await.unwrap();
    }
    let events = world.events();
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].contains(r#""event":"gone""#) && events[1].contains(r#""event":"back""#));
}

#[tokio::test]
async fn a_gateway_that_goes_silent_is_an_event_and_its_records_are_its_return() {
    let mut world = World::new().await;
    let mut work = world.work_after(Duration::ZERO);
    work.look().await.unwrap();
    work.look().await.unwrap();
    let events = world.events();
    assert!(events.len() == 1 && events[0].contains(r#""event":"silent""#), "{events:?}");

    let (_link, _events, handle) =
        link::connect(broker::config(&world.options().reach, "t").unwrap());
    let forged = Gateway { ratchet: Ratchet::new([0; 32]), ..world.gateway.clone() }.write(1);
    work.take("edge-1", &forged.into(), &handle).await.unwrap();
    assert!(
        !world.events().iter().any(|one| one.contains(r#""event":"back""#)),
        "anybody can say that"
    );
    let good = world.gateway.write(1);
    work.take("edge-1", &good.into(), &handle).await.unwrap();
    assert!(world.events()[2].contains(r#""event":"back""#), "{:?}", world.events());
}

#[tokio::test]
async fn what_the_broker_replays_is_no_sign_of_life() {
    let mut world = World::new().await;
    let mut work = world.work_after(Duration::ZERO);
    let (_link, _events, handle) =
        link::connect(broker::config(&world.options().reach, "t").unwrap());
    let records = [world.gateway.write(1), world.gateway.write(1)];
    let said = [0, 1, 2].map(|s| world.says(&world.gateway, |one| one.floor_time = NOW.plus(s)));
    for message in records.clone() {
        work.take("edge-1", &message.into(), &handle).await.unwrap();
    }
    for status in &said {
        work.status("edge-1", status, false).await.unwrap();
    }
    work.look().await.unwrap();
    let before = world.events();
    assert!(before.len() == 1 && before[0].contains(r#""event":"silent""#), "{before:?}");

    for _ in 0..2 {
        for message in records.clone() {
            work.take("edge-1", &message.into(), &handle).await.unwrap();
        }
        for status in &said {
            work.status("edge-1", status, false).await.unwrap();
        }
    }
    assert_eq!(world.events(), before);
    // Nor for a collector that was not there when it was said first.
    drop(work);
    let mut work = world.work_after(Duration::ZERO);
    work.look().await.unwrap();
    let before = world.events();
    for status in &said {
        work.status("edge-1", status, false).await.unwrap();
    }
    assert_eq!(world.events(), before);

    let newer = world.says(&world.gateway, |one| one.floor_time = NOW.plus(3));
    work.status("edge-1", &newer, false).await.unwrap();
    let events = world.events();
    assert!(events.last().unwrap().contains(r#""event":"back""#), "{events:?}");
}

#[tokio::test]
async fn h5_who_replays_statuses_one_by_one_does_not_bring_back_what_was_the_furthest() {
    let world = World::new().await;
    let mut work = world.work();
    // Each is within what a power cut may cost, and all of them are not.
    for s in [1_500, 1_000, 500] {
        let status = world.says(&world.gateway, |one| one.floor_time = NOW.plus(s));
        work.status("edge-1", &status, false).await.unwrap();
    }
    let events = world.alarms();
    assert!(events.len() == 1 && events[0].contains(r#""event":"fell_back""#), "{events:?}");
}

#[tokio::test]
async fn h5_who_replays_old_statuses_in_turn_makes_one_event_of_each_kind_until_the_gateway_goes_on()
 {
    let world = World::new().await;
    let mut work = world.work();
    let at = |s| world.says(&world.gateway, |one| one.floor_time = NOW.plus(s));
    work.status("edge-1", &at(9_000), false).await.unwrap();
    for s in [1_000, 500, 1_000, 500, 700] {
        work.status("edge-1", &at(s), false).await.unwrap();
    }
    let events = world.alarms();
    assert!(events.len() == 1 && events[0].contains(r#""event":"fell_back""#), "{events:?}");
    let boots = world.says(&world.gateway, |one| (one.boot, one.floor_time) = (3, NOW.plus(9_000)));
    work.status("edge-1", &boots, false).await.unwrap();
    assert_eq!(world.alarms().len(), 2, "that is something else");

    work.status("edge-1", &at(9_001), false).await.unwrap();
    work.status("edge-1", &at(500), false).await.unwrap();
    assert_eq!(world.alarms().len(), 3, "and this may be another time");
}

#[test]
fn what_can_be_brought_again_has_a_bound_of_its_own_for_each_gateway() {
    let mut told = Told::default();
    let mut news = |gateway: &str, kind: fn(u64) -> Trouble| {
        let more = 0..2 * u64::from(MOST_EVENTS);
        more.filter(|n| told.is_news(gateway, &kind(*n), NOW)).count()
    };
    let lost = |n| Trouble::Lost { first: n, last: n };
    let counts = [
        news("edge-1", Trouble::Restored),
        news("edge-2", Trouble::Restored),
        news("edge-1", Trouble::ForgedTag),
        news("edge-2", Trouble::ForgedTag),
        news("edge-1", lost),
    ];
    let [brought, made, all] = [MOST_BROUGHT, MOST_EVENTS, 2 * MOST_EVENTS].map(|n| n as usize);
    assert_eq!(counts, [brought, brought, made, 0, all]);
}

#[tokio::test]
async fn a_flood_of_what_one_gateway_once_signed_leaves_the_alarm_of_another_to_be_seen() {
    let world = World::new().await;
    let mut other = world.gateway.clone();
    other.enrolled.gateway = "edge-2".to_owned();
    other.enrolled.save(&world.options().dir).unwrap();
    let mut work = world.work();
    let root = |gateway: &Gateway, n: u8| world.says(gateway, |one| one.root8 = [n; 8]);
    work.status("edge-2", &root(&other, 1), false).await.unwrap();
    // Two snapshots under one version: each old status is another root than that of the neighbour.
    for n in 2..=200 {
        work.status("edge-1", &root(&world.gateway, n), false).await.unwrap();
    }
    let of = |name: &str| {
        let mine = format!(r#""gateway":"{name}""#);
        world.alarms().iter().filter(|one| one.contains(&mine)).count()
    };
    assert_eq!((of("edge-1"), of("edge-2")), (MOST_BROUGHT as usize, 0));
    let older = world.says(&other, |one| (one.boot, one.version) = (5, 6));
    work.status("edge-2", &older, false).await.unwrap();
    assert_eq!(of("edge-2"), 1);
}

#[tokio::test]
async fn a_gateway_that_says_the_same_again_is_not_silent_and_what_it_says_once_more_is_no_return()
{
    let world = World::new().await;
    let good = world.says(&world.gateway, |_| {});
    world.work().status("edge-1", &good, false).await.unwrap();
    // A collector that has waited for something new since 1970.
    let mut work = world.work();
    work.presence = Presence::new(SILENT_AFTER, UnixSeconds(0));
    for _ in 0..2 {
        work.status("edge-1", &good, false).await.unwrap();
        work.look().await.unwrap();
    }
    let told = world.events();
    assert!(told.len() == 1 && told[0].contains(r#""event":"nothing_new""#), "{told:?}");

    let newer = world.says(&world.gateway, |one| one.floor_time = NOW.plus(1));
    work.status("edge-1", &newer, false).await.unwrap();
    let events = world.events();
    assert!(events.len() == 2 && events[1].contains(r#""event":"back""#), "{events:?}");
}
