//! What an honest broker does with honest clients.

use super::*;

#[tokio::test]
async fn a_message_reaches_each_subscriber_once_however_many_filters_fit() {
    let broker = open_broker().await;
    let mut reader = Party::join(&broker, "reader").await;
    let mut other = Party::join(&broker, "other").await;
    let mut writer = Party::join(&broker, "writer").await;
    for filter in ["a/#", "a/+", "a/b"] {
        assert_eq!(reader.subscribe(filter).await, SubscribeReasonCode::Success(QoS::AtLeastOnce));
    }
    other.subscribe("b/#").await;

    assert_eq!(writer.publish("a/b", "one").await, PubAckReason::Success);
    writer.publish("a/c/d", "two").await;
    writer.publish("b", "three").await;

    assert_eq!(reader.message().await, got("a/b", "one"));
    assert_eq!(reader.message().await, got("a/c/d", "two"));
    assert_eq!(other.message().await, got("b", "three"));
}

#[tokio::test]
async fn a_publish_without_subscribers_says_so_as_mosquitto_does() {
    let broker = open_broker().await;
    let mut writer = Party::join(&broker, "writer").await;
    assert_eq!(writer.publish("a", "x").await, PubAckReason::NoMatchingSubscribers);
}

#[tokio::test]
async fn after_unsubscribing_nothing_more_arrives() {
    let broker = open_broker().await;
    let mut reader = Party::join(&broker, "reader").await;
    reader.subscribe("a").await;
    reader.subscribe("b").await;
    reader.client.unsubscribe("a").await.unwrap();
    while !matches!(reader.next().await.unwrap(), Packet::UnsubAck(_)) {}

    let mut writer = Party::join(&broker, "writer").await;
    writer.publish("a", "unwanted").await;
    writer.publish("b", "wanted").await;
    assert_eq!(reader.message().await, got("b", "wanted"));
}

#[tokio::test]
async fn a_retained_message_is_kept_replaced_and_taken_away() {
    let broker = open_broker().await;
    let mut writer = Party::join(&broker, "writer").await;
    writer.retain("s/1", "old").await;
    writer.retain("s/1", "new").await;
    writer.retain("s/2", "gone").await;
    writer.retain("s/2", "").await;
    writer.publish("s/3", "not retained").await;

    assert_eq!(broker.retained_topics(), ["s/1"]);
    assert_eq!(broker.retained("s/1").unwrap(), b"new");
    let mut reader = Party::join(&broker, "reader").await;
    reader.subscribe("s/#").await;
    assert_eq!(reader.message().await, kept("s/1", "new"));
    // To those who are there already it is a message like any other.
    writer.retain("s/1", "newest").await;
    assert_eq!(reader.message().await, got("s/1", "newest"));
}

#[tokio::test]
async fn the_members_of_a_share_take_turns_and_others_get_everything() {
    let broker = open_broker().await;
    let mut writer = Party::join(&broker, "writer").await;
    writer.retain("audit/0", "retained").await;
    let mut one = Party::join(&broker, "one").await;
    let mut two = Party::join(&broker, "two").await;
    let mut all = Party::join(&broker, "all").await;
    one.subscribe("$share/collectors/audit/+").await;
    two.subscribe("$share/collectors/audit/+").await;
    all.subscribe("audit/#").await;

    for payload in ["1", "2", "3", "4"] {
        writer.publish("audit/7", payload).await;
    }

    // A share is not given what was retained before.
    assert_eq!(one.message().await, got("audit/7", "1"));
    assert_eq!(two.message().await, got("audit/7", "2"));
    assert_eq!(one.message().await, got("audit/7", "3"));
    assert_eq!(two.message().await, got("audit/7", "4"));
    assert_eq!(all.message().await, kept("audit/0", "retained"));
    assert_eq!(all.message().await, got("audit/7", "1"));

    drop(one);
    seen(&broker, |counts| counts.connections == 3).await;
    writer.publish("audit/7", "5").await;
    assert_eq!(two.message().await, got("audit/7", "5"));
}

#[tokio::test]
async fn a_will_is_sent_when_a_client_vanishes_and_not_when_it_says_goodbye() {
    let broker = open_broker().await;
    let mut reader = Party::join(&broker, "reader").await;
    reader.subscribe("status/#").await;
    let will = |topic: &str| Some(LastWill::new(topic, "gone", QoS::AtLeastOnce, true, None));

    let mut polite = Raw::open(broker.address()).await;
    polite.connect("polite", 0, will("status/polite")).await;
    polite.send_bytes(&[0xE0, 0x00]).await;
    assert!(polite.receive().await.is_err());
    let mut vanishing = Raw::open(broker.address()).await;
    vanishing.connect("vanishing", 0, will("status/vanishing")).await;
    drop(vanishing);

    assert_eq!(reader.message().await, got("status/vanishing", "gone"));
    assert_eq!(broker.retained_topics(), ["status/vanishing"]);
}

#[tokio::test]
async fn the_access_list_answers_0x87_to_publish_and_subscribe() {
    let list = "user edge-7\ntopic read all/#\ntopic write gateway/edge-7/status\n\
                user reader\ntopic read #\n";
    let broker = broker_with(list).await;
    let mut reader = Party::join(&broker, "reader").await;
    let mut edge = Party::join(&broker, "edge-7").await;
    reader.subscribe("#").await;

    assert_eq!(
        edge.subscribe("all/manifest").await,
        SubscribeReasonCode::Success(QoS::AtLeastOnce)
    );
    for refused in ["#", "gateway/edge-8/receipt", "$share/g/gateway/#"] {
        assert_eq!(edge.subscribe(refused).await, SubscribeReasonCode::NotAuthorized, "{refused}");
    }
    assert_eq!(edge.retain("gateway/edge-8/status", "forged").await, PubAckReason::NotAuthorized);
    assert_eq!(edge.retain("all/manifest", "forged").await, PubAckReason::NotAuthorized);
    assert_eq!(edge.retain("gateway/edge-7/status", "up").await, PubAckReason::Success);

    assert_eq!(reader.message().await, got("gateway/edge-7/status", "up"));
    assert_eq!(broker.retained_topics(), ["gateway/edge-7/status"]);
}

#[tokio::test]
async fn a_will_that_its_client_may_not_publish_is_refused_with_the_connection() {
    let broker = broker_with("user edge-7\ntopic write mine\n").await;
    let mut raw = Raw::open(broker.address()).await;
    let will = LastWill::new("not/mine", "x", QoS::AtMostOnce, true, None);
    raw.send(connect("edge-7", 0, Some(will))).await;
    let Ok(Packet::ConnAck(ack)) = raw.receive().await else { panic!("no answer") };
    assert_eq!(ack.code, rumqttc::v5::mqttbytes::v5::ConnectReturnCode::NotAuthorized);
    assert!(raw.receive().await.is_err());
    assert!(broker.retained_topics().is_empty());
}

#[tokio::test]
async fn a_new_access_list_counts_for_clients_that_are_there_already() {
    let broker = open_broker().await;
    let mut reader = Party::join(&broker, "reader").await;
    let mut writer = Party::join(&broker, "writer").await;
    reader.subscribe("#").await;
    let list = "user reader\ntopic read open\nuser writer\ntopic write #";
    broker.set_access(Access::parse(list).unwrap());
    writer.publish("closed", "1").await;
    writer.publish("open", "2").await;
    assert_eq!(reader.message().await, got("open", "2"));
}

#[tokio::test]
async fn a_second_client_with_the_same_id_takes_over() {
    let broker = open_broker().await;
    let mut first = Party::join(&broker, "same").await;
    let _second = Party::join(&broker, "same").await;
    assert!(
        first.next().await.is_ok_and(|packet| matches!(packet, Packet::Disconnect(_)))
            || first.incoming.is_closed()
    );
    assert_eq!(broker.connections(), 1);
}

#[tokio::test]
async fn each_client_announces_and_learns_the_limits() {
    let access = Access::everything();
    let options = Options { max_packet_bytes: 4321, ..Options::plain(access) };
    let broker = Broker::start(options).await.unwrap();
    let mut raw = Raw::open(broker.address()).await;
    raw.send(connect("", 0, None)).await;
    let Ok(Packet::ConnAck(ack)) = raw.receive().await else { panic!("no answer") };
    let properties = ack.properties.unwrap();
    assert!(!ack.session_present);
    assert_eq!(properties.max_packet_size, Some(4321));
    assert_eq!(properties.max_qos, Some(1));
    assert!(properties.assigned_client_identifier.is_some());
}
