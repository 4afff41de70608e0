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

    fn work(&self) -> Work {
        Collector::open(&self.options()).unwrap().work
    }

    fn events(&self) -> Vec<String> {
        let text = fs::read_to_string(self.out().join("events.jsonl")).unwrap_or_default();

        text.lines().map(ToOwned::to_owned).collect()
    }
}

#[tokio::test]
async fn h5_a_gateway_that_leaves_raises_no_alarm_and_one_that_comes_back_older_does() {
    let world = World::new().await;
    let gateway = world.gateway.clone();
    let mut work = world.work();
    let good = world.says(&gateway, |_| {});
    let will = world.says(&gateway, |status| (status.version, status.gone) = (3, true));
    work.status("edge-1", &good).unwrap();
    work.status("edge-1", &will).unwrap();
    assert_eq!(world.events(), Vec::<String>::new());
    assert_eq!(fs::read(world.out().join("status/edge-1")).unwrap(), will);

    let older = world.says(&gateway, |status| (status.boot, status.version) = (5, 6));
    work.status("edge-1", &older).unwrap();
    let events = world.events();
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
    work.status("edge-1", &world.says(&gateway, |_| {})).unwrap();
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
        work.status("edge-2", &said).unwrap();
        let events = world.events();
        assert_eq!(events.len(), usize::from(seed), "{events:?}");
        assert!(events.iter().all(|one| one.contains(r#""event":"two_roots""#)), "{events:?}");
    }
}
