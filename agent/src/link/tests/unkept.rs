//! What becomes of messages and callers when a broker does not keep its word, or the connection breaks.

use super::*;

#[tokio::test]
async fn whatever_was_not_acknowledged_is_reported_lost_before_down() {
    let peer = Peer::bind().await;
    let mut link = Running::start(plain(peer.port()));
    let mut caller = peer.welcome().await;
    assert!(matches!(link.next().await, Event::Up { .. }));

    let mut tokens: BTreeSet<u64> =
        (0..5).map(|_| link.handle.try_publish("t", "x", false).unwrap()).collect();
    let Packet::Publish(first) = caller.read().await else { panic!("a PUBLISH") };
    caller.send(&[0x40, 2, first.pkid.to_be_bytes()[0], first.pkid.to_be_bytes()[1]]).await;
    let Event::Published { token, fate: Fate::Taken(_) } = link.next().await else { panic!() };
    assert!(tokens.remove(&token));
    drop(caller);
    while let Event::Published { token, fate } = link.next().await {
        assert!(fate == Fate::Lost && tokens.remove(&token));
    }
    assert!(tokens.is_empty(), "{tokens:?}");
}

#[tokio::test]
async fn a_caller_who_waits_hears_that_the_connection_broke() {
    let peer = Peer::bind().await;
    let link = Running::start(plain(peer.port()));
    let mut caller = peer.welcome().await;
    link.handle.until_up().await.unwrap();
    let handle = link.handle.clone();
    let waiting = tokio::spawn(async move { handle.publish("t", "x", false).await });
    assert!(matches!(caller.read().await, Packet::Publish(_)));
    drop(caller);
    assert_eq!(timeout(SOON, waiting).await.unwrap().unwrap(), Err(NotPublished::Lost));
}

#[tokio::test]
async fn a_message_is_acknowledged_only_when_it_has_been_taken_over() {
    let peer = Peer::bind().await;
    let mut link = Running::start(plain(peer.port()));
    let mut caller = peer.welcome().await;
    assert!(matches!(link.next().await, Event::Up { .. }));

    // One more than the queue of events holds.
    for id in 1..=65_u8 {
        caller.send(&[0x32, 6, 0, 1, b't', 0, id, 0]).await;
    }
    for id in 1..=64_u16 {
        assert!(matches!(caller.read().await, Packet::PubAck(ack) if ack.pkid == id));
    }
    // The link still answers, to anything but what nobody took.
    link.handle.try_publish("t", "x", false).unwrap();
    assert!(matches!(caller.read().await, Packet::Publish(_)));
    assert_eq!(link.next().await, message("t", b"", false));
    assert!(matches!(caller.read().await, Packet::PubAck(ack) if ack.pkid == 65));
}

#[tokio::test]
async fn a_full_queue_refuses_instead_of_waiting() {
    let peer = Peer::bind().await;
    let link = Running::start(plain(peer.port()));
    let mut caller = peer.welcome().await;
    caller.send(&[]).await;
    link.handle.until_up().await.unwrap();
    let queued = (0..1_000).take_while(|_| link.handle.try_publish("t", "x", false).is_ok());
    assert_eq!(queued.count(), 64);
    assert_eq!(link.handle.try_publish("t", "x", false), Err(NotSent::Busy));
    assert_eq!(link.handle.try_subscribe(&["t"]), Err(NotSent::Busy));
}

#[tokio::test]
async fn a_broker_that_misbehaves_is_left_and_called_again() {
    let too_large = [0x30, 0xff, 0xff, 0xff, 0x7f];
    let attacks: [(&str, &[u8]); 8] = [
        ("a packet larger than allowed", &too_large),
        ("a length without end", &[0x30, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("QoS 2", &[0x34, 6, 0, 1, b't', 0, 1, 0]),
        ("a message without topic", &[0x30, 3, 0, 0, 0]),
        ("a topic that is no text", &[0x30, 4, 0, 1, 0xff, 0]),
        ("an answer to nothing", &[0x40, 2, 0, 9]),
        ("a second CONNACK", &[0x20, 3, 0, 0, 0]),
        ("a DISCONNECT", &[0xe0, 0]),
    ];
    let peer = Peer::bind().await;
    for (name, attack) in attacks {
        let mut link = Running::start(plain(peer.port()));
        let mut caller = peer.welcome().await;
        assert!(matches!(link.next().await, Event::Up { .. }), "{name}");
        caller.send(attack).await;
        assert!(caller.is_left().await, "{name}");
        assert_eq!(link.next().await, Event::Down, "{name}");
        peer.welcome().await;
    }
}

#[tokio::test]
async fn a_broker_that_answers_pings_but_acknowledges_nothing_is_left() {
    let peer = Peer::bind().await;
    let keep_alive = Duration::from_secs(1);
    let mut link = Running::start(LinkConfig { keep_alive, ..plain(peer.port()) });
    let mut caller = peer.welcome().await;
    assert!(matches!(link.next().await, Event::Up { .. }));
    let token = link.handle.try_publish("t", "x", false).unwrap();
    assert!(matches!(caller.read().await, Packet::Publish(_)));
    let answering = tokio::spawn(async move { caller.read().await });
    assert_eq!(link.next().await, Event::Published { token, fate: Fate::Lost });
    assert_eq!(link.next().await, Event::Down);
    answering.abort();
}

#[tokio::test]
async fn a_connection_refused_by_the_broker_is_tried_again() {
    let peer = Peer::bind().await;
    let mut link = Running::start(plain(peer.port()));
    let (mut caller, connect) = peer.accept().await;
    let Packet::Connect(connect, None, None) = connect else { panic!("a CONNECT without will") };
    assert!(connect.clean_start && connect.client_id == "edge-7a" && connect.keep_alive == 30);
    assert_eq!(connect.properties.unwrap().max_packet_size, Some(131_072 + 4_096));
    caller.send(&[0x20, 3, 0, 0x87, 0]).await;
    let _caller = peer.welcome().await;
    assert!(matches!(link.next().await, Event::Up { .. }));
}
