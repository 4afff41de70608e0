use std::path::Path;

use gateward_core::audit::{Head, Ratchet};
use gateward_core::name::Uuid;
use gateward_core::time::TimeQuality;
use gateward_core::trust::{Incarnation, SEALED_LEN, SigningKey};
use gateward_loopback_broker::{Access, Broker as Loopback, Options};

use super::*;
use crate::keys::{self, NewAccount};
use crate::publish::{PublishOptions, publish};
use crate::testing::NOW;

fn enroll(dir: &Path, gateway: &str) -> (Enrolled, SigningKey) {
    let key = SigningKey::from_bytes(&[3; 32]);
    let enrolled = Enrolled {
        gateway: gateway.to_owned(),
        group: "plant-1".to_owned(),
        incarnation: Incarnation([1; 8]),
        key: key.verifying_key(),
        audit: Ratchet::new([2; 32]),
    };
    enrolled.save(dir).unwrap();

    (enrolled, key)
}

fn status(enrolled: &Enrolled, account: Uuid, manifest: &Manifest) -> Status {
    Status {
        gateway: enrolled.id(account),
        incarnation: enrolled.incarnation,
        boot: 4,
        keyset: 1,
        version: manifest.version().number,
        root8: manifest.root().short(),
        revoked_counter: 0,
        floor_time: NOW,
        audit_number: 9,
        audit_head: Head::START,
        backlog: 2,
        time_quality: TimeQuality::Synced,
        gone: false,
    }
}

#[tokio::test]
async fn who_is_behind_is_told_by_what_gateways_signed_and_by_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("acme");
    let name = "Acme".to_owned();
    let new = NewAccount { dir: dir.clone(), name, roots: None, now_ms: NOW.0 * 1000 };
    let account = keys::init(&new).unwrap().account;
    let broker = Loopback::start(Options::plain(Access::everything())).await.unwrap();
    let url = format!("mqtt://{}", broker.address()).parse().unwrap();
    let reach = Reach { url, tls: None };
    let options = FleetOptions { dir: dir.clone(), reach: reach.clone(), now: NOW.plus(60) };

    let [row] = &fleet(&options).await.unwrap()[..] else { panic!("one gateway") };
    assert_eq!(row.problem.as_deref(), Some("not enrolled"));
    assert!(!row.behind, "nothing was published");

    let (enrolled, key) = enroll(&dir, "edge-1");
    let (groups, accept_widening) = (Vec::new(), Vec::new());
    let publishing =
        PublishOptions { dir: dir.clone(), reach, groups, accept_widening, adopt: false, now: NOW };
    publish(&publishing).await.unwrap();
    let [row] = &fleet(&options).await.unwrap()[..] else { panic!("one gateway") };
    assert_eq!((row.behind, row.problem.as_deref()), (true, Some("never heard of")));

    let chain = Chain::load(&dir, account).unwrap();
    let manifest = published(&dir, "plant-1", &chain).unwrap().unwrap();
    let good = status(&enrolled, account, &manifest);
    let topic = GatewayTopics::new(account, "edge-1").unwrap().topic(GatewayTopic::Status);
    let say = |status: Status, key: &SigningKey| {
        let mut buffer = [0; SEALED_LEN];
        broker.plant(&topic, status.sign(account, key, &mut buffer).unwrap());
    };
    say(good, &key);
    let [row] = &fleet(&options).await.unwrap()[..] else { panic!("one gateway") };
    let said = row.said.clone().unwrap();
    assert_eq!((row.behind, said.age_s, said.backlog, said.boot), (false, 60, 2, 4));

    say(Status { root8: [0; 8], ..good }, &key);
    let [row] = &fleet(&options).await.unwrap()[..] else { panic!("one gateway") };
    assert!(row.behind, "the version alone does not say which snapshot it is");
    let alarm = row.alarm.as_deref().unwrap_or_default();
    assert!(alarm.contains("as it was published from here"), "{alarm}");
    // Its will, from before the published version was there, is nothing to be alarmed about.
    say(Status { version: 0, root8: [0; 8], floor_time: UnixSeconds(1), gone: true, ..good }, &key);
    let [row] = &fleet(&options).await.unwrap()[..] else { panic!("one gateway") };
    assert_eq!((row.behind, row.alarm.as_deref()), (true, None));
    // What it had said before that still counts.
    say(Status { boot: 5, floor_time: UnixSeconds(NOW.0 - 601), ..good }, &key);
    let [row] = &fleet(&options).await.unwrap()[..] else { panic!("one gateway") };
    assert!(row.alarm.as_deref().is_some_and(|alarm| alarm.contains("older floor")), "{row:?}");
    say(good, &key);
    say(good, &SigningKey::from_bytes(&[4; 32]));
    let [row] = &fleet(&options).await.unwrap()[..] else { panic!("one gateway") };
    assert!(row.behind && row.said.is_none() && row.problem.is_some(), "{row:?}");
}

#[test]
fn h5_a_gateway_that_came_back_with_an_older_floor_is_told_from_one_that_lost_power() {
    let enrolled = Enrolled {
        gateway: "edge-1".to_owned(),
        group: "plant-1".to_owned(),
        incarnation: Incarnation([1; 8]),
        key: SigningKey::from_bytes(&[3; 32]).verifying_key(),
        audit: Ratchet::new([2; 32]),
    };
    let before = Status {
        gateway: enrolled.id(Uuid([7; 16])),
        incarnation: enrolled.incarnation,
        boot: 4,
        keyset: 2,
        version: 9,
        root8: [1; 8],
        revoked_counter: 2,
        floor_time: NOW,
        audit_number: 9,
        audit_head: Head::START,
        backlog: 2,
        time_quality: TimeQuality::Synced,
        gone: false,
    };
    let told = |now: Status| alarm::fell_back(&before, &now).map(|alarm| alarm.to_string());
    let older = |seconds| UnixSeconds(NOW.0 - seconds);

    for well in [
        before,
        Status { boot: 5, floor_time: older(600), ..before },
        Status { version: 0, root8: [0; 8], ..before },
        Status { keyset: 3, version: 1, floor_time: older(9_999), ..before },
        // The will of a connection: signed before all that was said in it.
        Status { gone: true, version: 3, keyset: 1, floor_time: older(9_999), ..before },
        Status { incarnation: Incarnation([2; 8]), boot: 1, version: 1, keyset: 1, ..before },
    ] {
        assert_eq!(told(well), None);
    }
    for (what, now) in [
        ("key set 1", Status { keyset: 1, ..before }),
        ("version 8", Status { version: 8, ..before }),
        ("version 8", Status { version: 8, gone: true, boot: 5, ..before }),
        ("boot 3", Status { boot: 3, gone: true, ..before }),
        ("revocation list 1", Status { revoked_counter: 1, ..before }),
        ("boot 3", Status { boot: 3, ..before }),
        ("time", Status { floor_time: older(601), ..before }),
    ] {
        let told = told(now).unwrap_or_default();
        assert!(told.contains(&format!("older floor: {what}")), "{what}: {told}");
    }
}

#[test]
fn h7_two_roots_of_one_version_are_seen_across_a_group() {
    let status = |keyset, version, root| Status {
        gateway: gateward_core::trust::GatewayId([1; 16]),
        incarnation: Incarnation([1; 8]),
        boot: 1,
        keyset,
        version,
        root8: [root; 8],
        revoked_counter: 0,
        floor_time: NOW,
        audit_number: 0,
        audit_head: Head::START,
        backlog: 0,
        time_quality: TimeQuality::Synced,
        gone: false,
    };
    let own = status(1, 7, 1);
    let told = |other: Status| alarm::two_roots(&own, [("edge-2", &other)]).is_some();

    assert!(told(status(1, 7, 2)));
    assert!(!told(status(1, 7, 1)) && !told(status(1, 8, 2)) && !told(status(2, 7, 2)));
    assert!(!told(Status { gone: true, ..status(1, 7, 2) }));
    assert_eq!(alarm::two_roots(&status(1, 0, 0), [("edge-2", &status(1, 0, 9))]), None);
}
