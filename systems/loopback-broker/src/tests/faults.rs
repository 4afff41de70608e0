//! Faults on demand do what they say, at once and no more.

use super::*;
use crate::Delivery;

#[tokio::test]
async fn a_cut_cable_ends_every_connection_until_it_is_mended_on_the_same_port() {
    let broker = open_broker().await;
    let address = broker.address();
    let mut writer = Party::join(&broker, "writer").await;
    writer.retain("a", "kept").await;

    broker.cut();
    writer.is_cut_off().await;
    assert_eq!(broker.connections(), 0);
    let mut refused = Party::try_join(&broker, "writer", |_| {});
    assert!(refused.next().await.is_err());

    broker.mend();
    assert_eq!(broker.address(), address);
    let mut reader = Party::join(&broker, "reader").await;
    reader.subscribe("a").await;
    assert_eq!(reader.message().await, kept("a", "kept"));
}

#[tokio::test]
async fn a_cut_publishes_wills_and_a_kill_does_not() {
    let broker = open_broker().await;
    let will = |topic: &str| Some(LastWill::new(topic, "gone", QoS::AtLeastOnce, true, None));
    let mut killed = Raw::open(broker.address()).await;
    killed.connect("killed", 0, will("status/killed")).await;
    broker.kill_after(0);
    assert!(killed.receive().await.is_err());
    broker.mend();

    let mut cut = Raw::open(broker.address()).await;
    cut.connect("cut", 0, will("status/cut")).await;
    broker.cut();
    assert!(cut.receive().await.is_err());
    assert_eq!(broker.retained_topics(), ["status/cut"]);
}

/// CONNECT, CONNACK, SUBSCRIBE, SUBACK, PUBLISH, then the message and PUBACK in either order.
async fn exchange(broker: &Broker) -> Vec<Packet> {
    let mut received = Vec::new();
    let Ok(stream) = TcpStream::connect(broker.address()).await else { return received };
    let mut raw = Raw::over(stream);
    let steps =
        [(connect("c", 0, None), 1), (subscribe("a"), 1), (publish("a", "x", QoS::AtLeastOnce), 2)];
    for (packet, answers) in steps {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, None).unwrap();
        if raw.stream.write_all(&bytes).await.is_err() {
            return received;
        }
        for _ in 0..answers {
            match raw.receive().await {
                Ok(packet) => received.push(packet),
                Err(_) => return received,
            }
        }
    }
    received
}

#[tokio::test]
async fn the_broker_dies_after_the_kth_packet_for_every_k() {
    // How many answers have arrived when the k-th packet was the last.
    for (k, answers) in [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (7, 4)] {
        let broker = open_broker().await;
        broker.kill_after(k);
        assert_eq!(exchange(&broker).await.len(), answers, "k = {k}");
        assert_eq!(broker.packets(), k);
        assert_eq!(broker.connections(), 0);

        broker.mend();
        assert_eq!(exchange(&broker).await.len(), 4, "after mending at k = {k}");
    }
}

#[tokio::test]
async fn the_last_packet_before_a_kill_is_handled() {
    let broker = open_broker().await;
    let mut writer = Party::join(&broker, "writer").await;
    broker.kill_after(1);
    writer.client.publish("a", QoS::AtLeastOnce, true, "handled").await.unwrap();
    writer.is_cut_off().await;
    assert_eq!(broker.retained("a").unwrap(), b"handled");
}

#[tokio::test]
async fn mending_calls_off_a_kill_that_has_not_struck() {
    let broker = open_broker().await;
    broker.kill_after(1);
    broker.mend();
    let mut writer = Party::join(&broker, "writer").await;
    writer.publish("a", "x").await;
}

#[tokio::test]
async fn what_was_queued_before_a_cut_is_not_written_after_mending() {
    let broker = open_broker().await;
    let mut reader = Raw::join(&broker, "reader").await;
    reader.send(subscribe("a")).await;
    assert!(matches!(reader.receive().await, Ok(Packet::SubAck(_))));
    // All three under no await of the test, so no connection task runs in between.
    broker.plant("a", "queued");
    broker.cut();
    broker.mend();
    assert!(reader.receive().await.is_err());
}

#[tokio::test]
async fn a_hostile_broker_alters_drops_and_repeats_what_it_likes() {
    let broker = open_broker().await;
    let mut reader = Party::join(&broker, "reader").await;
    let mut writer = Party::join(&broker, "writer").await;
    writer.retain("kept", "flip me").await;
    broker.set_tamper(Some(Box::new(|topic, mut payload| match topic {
        "altered" | "kept" => {
            payload[0] ^= 1;
            Delivery::Altered(payload)
        }
        "dropped" => Delivery::Dropped,
        "twice" => Delivery::Twice,
        _ => Delivery::AsIs,
    })));
    reader.subscribe("#").await;
    for topic in ["altered", "dropped", "twice", "other"] {
        writer.publish(topic, "abc").await;
    }
    assert_eq!(reader.message().await, kept("kept", "glip me"));
    assert_eq!(reader.message().await, got("altered", "`bc"));
    assert_eq!(reader.message().await, got("twice", "abc"));
    assert_eq!(reader.message().await, got("twice", "abc"));
    assert_eq!(reader.message().await, got("other", "abc"));

    broker.set_tamper(None);
    writer.publish("altered", "abc").await;
    assert_eq!(reader.message().await, got("altered", "abc"));
    assert_eq!(broker.retained("kept").unwrap(), b"flip me");
}

#[tokio::test]
async fn a_planted_message_reaches_those_who_are_there_and_those_who_come() {
    let broker = broker_with("pattern read #").await;
    let mut early = Party::join(&broker, "early").await;
    early.subscribe("g/#").await;
    broker.plant("g/manifest", b"forged".to_vec());
    assert_eq!(early.message().await, got("g/manifest", "forged"));
    let mut late = Party::join(&broker, "late").await;
    late.subscribe("g/manifest").await;
    assert_eq!(late.message().await, kept("g/manifest", "forged"));

    // No access list stands in the way of a hostile broker.
    broker.set_access(Access::default());
    broker.plant("g/manifest", b"again".to_vec());
    assert_eq!(early.message().await, got("g/manifest", "again"));

    broker.forget("g/manifest");
    assert_eq!(broker.retained("g/manifest"), None);
    broker.plant("not/#/a topic", b"x".to_vec());
    assert!(broker.retained_topics().is_empty());
}

#[tokio::test]
async fn dropping_the_broker_ends_everything() {
    let broker = open_broker().await;
    let address = broker.address();
    let mut party = Party::join(&broker, "party").await;
    drop(broker);
    party.is_cut_off().await;
    in_time(async { while TcpStream::connect(address).await.is_ok() {} }).await;
}
