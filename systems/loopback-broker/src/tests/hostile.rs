//! Clients that break the rules are disconnected, and nobody else notices.

use rumqttc::v5::mqttbytes::v5::DisconnectReasonCode;

use super::*;

async fn is_told(raw: &mut Raw, reason: DisconnectReasonCode) {
    let Ok(Packet::Disconnect(told)) = raw.receive().await else { panic!("no DISCONNECT") };
    assert_eq!(told.reason_code, reason);
    assert!(raw.receive().await.is_err());
}

#[tokio::test]
async fn a_rule_broken_is_answered_with_its_reason_and_the_end() {
    let options = Options { max_packet_bytes: 1000, ..Options::plain(Access::everything()) };
    let broker = Broker::start(options).await.unwrap();
    let broken = [
        (publish("a", vec![0; 1000], QoS::AtMostOnce), DisconnectReasonCode::PacketTooLarge),
        (publish("a/#", "x", QoS::AtMostOnce), DisconnectReasonCode::TopicNameInvalid),
        (publish("", "x", QoS::AtMostOnce), DisconnectReasonCode::TopicNameInvalid),
        (publish("a", "x", QoS::ExactlyOnce), DisconnectReasonCode::QoSNotSupported),
        (connect("rude", 0, None), DisconnectReasonCode::ProtocolError),
    ];
    for (packet, reason) in broken {
        let mut raw = Raw::join(&broker, "rude").await;
        raw.send(packet).await;
        is_told(&mut raw, reason).await;
    }
    let mut raw = Raw::join(&broker, "rude").await;
    raw.send_bytes(&[0x82, 0x02, 0x00, 0x01]).await;
    is_told(&mut raw, DisconnectReasonCode::MalformedPacket).await;
    assert_eq!(broker.connections(), 0);
}

#[tokio::test]
async fn without_connect_first_nothing_is_said_or_done() {
    let broker = open_broker().await;
    let mut impatient = Raw::open(broker.address()).await;
    impatient.send(publish("a", "x", QoS::AtLeastOnce)).await;
    assert!(impatient.receive().await.is_err());
    for garbage in [&[0x47; 100][..], &[0x10, 0xFF, 0xFF, 0xFF, 0xFF], &[0; 64]] {
        let mut raw = Raw::open(broker.address()).await;
        raw.send_bytes(garbage).await;
        assert!(raw.receive().await.is_err());
    }
    assert_eq!(broker.counts().accepted, 0);
    Party::join(&broker, "unharmed").await;
}

#[tokio::test]
async fn a_slow_subscriber_is_disconnected_and_the_others_get_everything() {
    let options = Options { queue: 8, ..Options::plain(Access::everything()) };
    let broker = Broker::start(options).await.unwrap();
    let mut slow = Raw::join(&broker, "slow").await;
    slow.send(subscribe("a")).await;
    assert!(matches!(slow.receive().await, Ok(Packet::SubAck(_))));
    let mut quick = Party::join(&broker, "quick").await;
    quick.subscribe("a").await;
    let mut writer = Party::join(&broker, "writer").await;

    let payload = "x".repeat(200_000);
    let mut sent = 0;
    while broker.connections() == 3 {
        assert_eq!(writer.publish("a", &payload).await, PubAckReason::Success);
        assert_eq!(quick.message().await.payload.len(), payload.len());
        sent += 1;
        assert!(sent < 1000, "the slow one is still there");
    }
    writer.publish("a", "still there").await;
    assert_eq!(quick.message().await, got("a", "still there"));
}

#[tokio::test]
async fn a_client_that_keeps_silent_past_its_keep_alive_is_disconnected_with_its_will() {
    let broker = open_broker().await;
    let mut reader = Party::join(&broker, "reader").await;
    reader.subscribe("status").await;
    let mut silent = Raw::open(broker.address()).await;
    let will = LastWill::new("status", "gone", QoS::AtLeastOnce, false, None);
    silent.connect("silent", 1, Some(will)).await;
    is_told(&mut silent, DisconnectReasonCode::KeepAliveTimeout).await;
    assert_eq!(reader.message().await, got("status", "gone"));
}
