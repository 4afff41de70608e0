//! What an honest broker does with honest clients.

use rumqttc::v5::mqttbytes::v5::{
    ConnectReturnCode, DisconnectReasonCode, PublishProperties, RetainForwardRule,
    SubscribeProperties,
};

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
    assert_eq!(ack.code, ConnectReturnCode::NotAuthorized);
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
    let mut first = Raw::join(&broker, "same").await;
    let _second = Party::join(&broker, "same").await;
    let Ok(Packet::Disconnect(told)) = first.receive().await else { panic!("no DISCONNECT") };
    assert_eq!(told.reason_code, DisconnectReasonCode::SessionTakenOver);
    assert!(first.receive().await.is_err());
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

/// Subscribes by hand, with options that the ordinary client does not set.
async fn subscribed(raw: &mut Raw, filter: Filter, id: Option<usize>) {
    let properties = id.map(|id| SubscribeProperties { id: Some(id), user_properties: vec![] });
    let filters = vec![filter];
    raw.send(Packet::Subscribe(Subscribe { pkid: 9, filters, properties })).await;
    assert!(matches!(raw.receive().await, Ok(Packet::SubAck(_))));
}

async fn next_publish(raw: &mut Raw) -> Publish {
    loop {
        if let Packet::Publish(publish) = raw.receive().await.unwrap() {
            return publish;
        }
    }
}

#[tokio::test]
async fn the_options_of_a_subscription_are_kept_to() {
    let broker = open_broker().await;
    let mut writer = Party::join(&broker, "writer").await;
    writer.retain("a", "retained").await;
    let mut raw = Raw::join(&broker, "raw").await;
    let never = RetainForwardRule::Never;
    let options =
        Filter { nolocal: true, preserve_retain: true, ..Filter::new("a", QoS::AtMostOnce) };
    let options = Filter { retain_forward_rule: never, ..options };
    subscribed(&mut raw, options, Some(7)).await;
    subscribed(&mut raw, Filter::new("b", QoS::AtLeastOnce), Some(8)).await;

    raw.send(publish("a", "own", QoS::AtMostOnce)).await;
    raw.send(publish("b", "own", QoS::AtLeastOnce)).await;
    // Neither what was retained nor its own on `a` comes before this.
    let own = next_publish(&mut raw).await;
    assert_eq!((&own.topic[..], own.qos), (&b"b"[..], QoS::AtLeastOnce));
    assert_eq!(own.properties.unwrap().subscription_identifiers, [8]);

    writer.retain("a", "new").await;
    let new = next_publish(&mut raw).await;
    assert_eq!((&new.payload[..], new.qos, new.retain), (&b"new"[..], QoS::AtMostOnce, true));
    assert_eq!(new.properties.unwrap().subscription_identifiers, [7]);
}

#[tokio::test]
async fn retained_messages_come_again_only_when_they_are_wanted_again() {
    let broker = open_broker().await;
    broker.plant("a", "1");
    let mut raw = Raw::join(&broker, "raw").await;
    let filter = |rule| Filter { retain_forward_rule: rule, ..Filter::new("a", QoS::AtMostOnce) };
    subscribed(&mut raw, filter(RetainForwardRule::OnNewSubscribe), None).await;
    assert_eq!(&next_publish(&mut raw).await.payload[..], b"1");
    // Between two answers to SUBSCRIBE there is nothing else.
    subscribed(&mut raw, filter(RetainForwardRule::OnNewSubscribe), None).await;
    subscribed(&mut raw, filter(RetainForwardRule::OnEverySubscribe), None).await;
    assert_eq!(&next_publish(&mut raw).await.payload[..], b"1");
}

#[tokio::test]
async fn what_a_message_carries_beside_its_payload_arrives_too() {
    let broker = open_broker().await;
    let mut raw = Raw::join(&broker, "raw").await;
    subscribed(&mut raw, Filter::new("a", QoS::AtMostOnce), None).await;
    let properties = PublishProperties {
        correlation_data: Some("c".into()),
        response_topic: Some("back".to_owned()),
        user_properties: vec![("k".to_owned(), "v".to_owned())],
        ..PublishProperties::default()
    };
    let sent = Publish::new("a", QoS::AtMostOnce, "x", Some(properties.clone()));
    raw.send(Packet::Publish(sent)).await;
    assert_eq!(next_publish(&mut raw).await.properties, Some(properties));
}
