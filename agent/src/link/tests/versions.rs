//! Brokers that have no MQTT 5, and what is different where they have none.

use super::*;

/// Where a CONNECT says which version it is, and what it says.
const LEVEL: usize = 8;
const FIVE: u8 = 5;
const OLDER: u8 = 4;

/// CONNACK of 3.1.1: let in; and "I have no such version".
const WELCOME: [u8; 4] = [0x20, 2, 0, 0];
const NO_SUCH_VERSION: [u8; 4] = [0x20, 2, 0, 1];

fn only(protocol: Protocol, port: u16) -> LinkConfig {
    LinkConfig { protocol, ..plain(port) }
}

#[tokio::test]
async fn a_broker_without_5_is_spoken_to_in_3_1_1_and_asked_for_nothing_else_while_that_works() {
    let refusals: [&[u8]; 3] = [&NO_SUCH_VERSION, &[0x20, 3, 0, 0x84, 0], &[0x20, 2, 0, 0]];
    for refusal in refusals {
        let peer = Peer::bind().await;
        let mut link = Running::start(plain(peer.port()));
        let (mut caller, connect) = peer.accept_bytes().await;
        assert_eq!(connect[LEVEL], FIVE);
        caller.send(refusal).await;
        drop(caller);
        for _ in 0..2 {
            let (mut caller, connect) = peer.accept_bytes().await;
            assert_eq!(connect[LEVEL], OLDER, "{refusal:x?}");
            caller.send(&WELCOME).await;
            assert!(matches!(link.next().await, Event::Up { .. }));
            drop(caller);
            assert_eq!(link.next().await, Event::Down);
        }
    }
}

#[tokio::test]
async fn a_broker_that_hangs_up_on_a_connect_of_5_is_tried_with_3_1_1() {
    let peer = Peer::bind().await;
    let mut link = Running::start(plain(peer.port()));
    for round in 0..2 {
        let (caller, connect) = peer.accept_bytes().await;
        assert_eq!(connect[LEVEL], FIVE, "an accident is not remembered, round {round}");
        drop(caller);
        let (mut caller, connect) = peer.accept_bytes().await;
        assert_eq!(connect[LEVEL], OLDER);
        caller.send(&WELCOME).await;
        assert!(matches!(link.next().await, Event::Up { .. }));
        drop(caller);
        assert_eq!(link.next().await, Event::Down);
    }
}

#[tokio::test]
async fn a_broker_that_restarts_or_refuses_in_the_form_of_3_1_1_is_asked_for_5_all_the_same() {
    let peer = Peer::bind().await;
    let mut link = Running::start(plain(peer.port()));
    drop(peer.welcome().await);
    assert!(matches!(link.next().await, Event::Up { .. }));
    assert_eq!(link.next().await, Event::Down);
    for answer in [&[][..], &[0x20, 2, 0, 5]] {
        let (mut caller, connect) = peer.accept_bytes().await;
        assert_eq!(connect[LEVEL], FIVE, "{answer:x?}");
        caller.send(answer).await;
    }
    let (_caller, connect) = peer.accept_bytes().await;
    assert_eq!(connect[LEVEL], FIVE);
}

#[tokio::test]
async fn a_broker_that_has_learned_5_since_is_spoken_to_in_5() {
    let peer = Peer::bind().await;
    let _link = Running::start(plain(peer.port()));
    for level in [FIVE, OLDER, FIVE] {
        let (mut caller, connect) = peer.accept_bytes().await;
        assert_eq!(connect[LEVEL], level);
        caller.send(&NO_SUCH_VERSION).await;
    }
}

#[tokio::test]
async fn the_version_that_the_operator_chose_is_the_only_one() {
    for (protocol, level) in [(Protocol::V311, OLDER), (Protocol::V5, FIVE)] {
        let peer = Peer::bind().await;
        let _link = Running::start(only(protocol, peer.port()));
        for _ in 0..3 {
            let (mut caller, connect) = peer.accept_bytes().await;
            assert_eq!(connect[LEVEL], level);
            caller.send(&NO_SUCH_VERSION).await;
        }
    }
}

#[tokio::test]
async fn in_3_1_1_what_was_taken_refused_and_lost_is_told_as_in_5() {
    let peer = Peer::bind().await;
    let mut link = Running::start(only(Protocol::V311, peer.port()));
    let (mut caller, _) = peer.accept_bytes().await;
    caller.send(&WELCOME).await;
    assert!(matches!(link.next().await, Event::Up { max_payload: 131_072 }));

    link.handle.try_subscribe(&["a", "b"]).unwrap();
    assert_eq!(caller.read_bytes().await, [0x82, 10, 0, 1, 0, 1, b'a', 1, 0, 1, b'b', 1]);
    caller.send(&[0x90, 4, 0, 1, 1, 0x80]).await;
    let answer = |filter: &str, code| Event::Subscribed { filter: filter.into(), reason: code };
    assert_eq!(link.next().await, answer("a", Reason::new(1)));
    assert_eq!(link.next().await, answer("b", Reason::new(0x80)));

    caller.send(&[0x33, 6, 0, 1, b'a', 0, 9, b'x']).await;
    assert_eq!(link.next().await, message("a", b"x", true));
    assert_eq!(caller.read_bytes().await, [0x40, 2, 0, 9]);

    let taken = link.handle.try_publish("t", "1", true).unwrap();
    assert_eq!(caller.read_bytes().await, [0x33, 6, 0, 1, b't', 0, 2, b'1']);
    caller.send(&[0x40, 2, 0, 2]).await;
    let fate = Fate::Taken(Reason::SUCCESS);
    assert_eq!(link.next().await, Event::Published { token: taken, fate });

    let lost = link.handle.try_publish("t", "2", false).unwrap();
    caller.read_bytes().await;
    drop(caller);
    assert_eq!(link.next().await, Event::Published { token: lost, fate: Fate::Lost });
    assert_eq!(link.next().await, Event::Down);
}

#[tokio::test]
async fn a_broker_of_3_1_1_that_misbehaves_is_left() {
    let attacks: [(&str, &[u8]); 9] = [
        ("a packet larger than allowed", &[0x30, 0xff, 0xff, 0xff, 0x7f]),
        ("a length without end", &[0x30, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("QoS 2", &[0x34, 5, 0, 1, b't', 0, 1]),
        ("QoS 3", &[0x36, 5, 0, 1, b't', 0, 1]),
        ("a message without topic", &[0x30, 2, 0, 0]),
        ("a topic that is no text", &[0x30, 3, 0, 1, 0xff]),
        ("an answer to nothing", &[0x40, 2, 0, 9]),
        ("a second CONNACK", &WELCOME),
        ("a packet of 5", &[0xf0, 0]),
    ];
    let peer = Peer::bind().await;
    for (name, attack) in attacks {
        let mut link = Running::start(only(Protocol::V311, peer.port()));
        let (mut caller, _) = peer.accept_bytes().await;
        caller.send(&WELCOME).await;
        assert!(matches!(link.next().await, Event::Up { .. }), "{name}");
        caller.send(attack).await;
        assert!(caller.is_left().await, "{name}");
        assert_eq!(link.next().await, Event::Down, "{name}");
    }
}

#[tokio::test]
async fn a_real_broker_serves_3_1_1_with_retained_messages_and_the_will_of_who_stops() {
    let broker = Mosquitto::plain("").await;
    let will = || Some(Will { topic: "gone".into(), payload: b"!".to_vec(), retain: true });
    let config = only(Protocol::V311, broker.port());
    let mut link = Running::up(LinkConfig { will: Arc::new(will), ..config }).await;
    let payload = vec![7; 102_400];
    assert_eq!(link.handle.publish("big", payload.clone(), true).await, Ok(Reason::SUCCESS));
    assert!(!link.subscribe("big").await.is_refusal());
    assert_eq!(link.next().await, message("big", &payload, true));
    assert_eq!(link.stop().await, Ok(()));

    let mut watcher = Running::up(named("watcher", plain(broker.port()))).await;
    watcher.subscribe("gone").await;
    let Event::Message { topic, payload, .. } = watcher.next().await else { panic!("the will") };
    assert_eq!((topic.as_str(), &payload[..]), ("gone", &b"!"[..]));
}
