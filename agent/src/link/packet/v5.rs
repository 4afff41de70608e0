//! MQTT 5 in bytes.

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::v5::{
    ConnAck, Connect, ConnectProperties, Disconnect, DisconnectReasonCode, Filter, LastWill,
    Packet, PingReq, PubAck, Publish, Subscribe, Unsubscribe,
};
use rumqttc::v5::mqttbytes::{Error, QoS};

use super::super::Will;
use super::super::ended::Ended;
use super::super::reason::Reason;
use super::{FromBroker, Hello, NO_TOPIC, NotEncoded, QOS_2, ToBroker, Version, Welcome, v311};

/// CONNACK and DISCONNECT as the first byte of a packet.
const CONNACK: u8 = 0x20;
const DISCONNECT: u8 = 0xe0;

pub(super) fn encode(packet: ToBroker, limit: Option<u32>) -> Result<BytesMut, NotEncoded> {
    // The encoder of CONNECT writes to absolute places, so each packet has its own buffer.
    let mut frame = BytesMut::new();
    match native(packet).write(&mut frame, limit) {
        Ok(_) => Ok(frame),
        Err(Error::OutgoingPacketTooLarge { .. }) => Err(NotEncoded::TooLarge),
        Err(error) => Err(NotEncoded::Other(error.into())),
    }
}

fn native(packet: ToBroker) -> Packet {
    match packet {
        ToBroker::Acknowledge(id) => Packet::PubAck(PubAck::new(id, None)),
        ToBroker::Connect(hello) => connect(hello),
        ToBroker::Disconnect { publish_will } => {
            Packet::Disconnect(Disconnect::new(if publish_will {
                DisconnectReasonCode::DisconnectWithWillMessage
            } else {
                DisconnectReasonCode::NormalDisconnection
            }))
        }
        ToBroker::Ping => Packet::PingReq(PingReq),
        ToBroker::Publish { id, topic, payload, retain } => {
            let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload, None);
            publish.pkid = id;
            publish.retain = retain;
            Packet::Publish(publish)
        }
        ToBroker::Subscribe { id, filters } => {
            let wanted = filters.into_iter().map(|filter| Filter::new(filter, QoS::AtLeastOnce));
            let mut subscribe = Subscribe::new_many(wanted, None);
            subscribe.pkid = id;
            Packet::Subscribe(subscribe)
        }
        ToBroker::Unsubscribe { id, filters } => {
            Packet::Unsubscribe(Unsubscribe { pkid: id, filters, properties: None })
        }
    }
}

fn connect(hello: Hello) -> Packet {
    let Hello { client_id, keep_alive_s, max_packet, receive_maximum, will } = hello;
    let properties = ConnectProperties {
        max_packet_size: Some(max_packet),
        receive_maximum: Some(receive_maximum),
        ..ConnectProperties::new()
    };
    let connect = Connect {
        keep_alive: keep_alive_s,
        client_id,
        clean_start: true,
        properties: Some(properties),
    };
    let will = will.map(|Will { topic, payload, retain }| {
        LastWill::new(topic, payload, QoS::AtLeastOnce, retain, None)
    });

    Packet::Connect(connect, will, None)
}

pub(super) fn decode(mut frame: BytesMut) -> Result<FromBroker, Ended> {
    match (frame.first().map(|byte| byte & 0xf0), frame.len()) {
        // No reason fits into 5's own form; this is the form of 3.1.1, or of one cut short.
        (Some(CONNACK), 4) => return older_welcome(frame),
        // Section 3.14.2.2.1: the properties may be left out, and the reason with them. The
        // decoder refuses that.
        (Some(DISCONNECT), ..4) => {
            let reason =
                frame.get(2).map_or(Ok(DisconnectReasonCode::NormalDisconnection), |&code| {
                    DisconnectReasonCode::try_from(code)
                });
            let reason = reason.map_err(malformed)?;
            return Ok(FromBroker::Disconnect(Reason::new(reason as u8)));
        }
        _ => {}
    }
    let packet = Packet::read(&mut frame, None).map_err(malformed)?;

    Ok(match packet {
        Packet::ConnAck(ack) => FromBroker::Welcome(welcome(&ack)),
        Packet::Disconnect(bye) => FromBroker::Disconnect(Reason::new(bye.reason_code as u8)),
        Packet::PingResp(_) => FromBroker::Pong,
        Packet::PubAck(ack) => {
            FromBroker::Published { id: ack.pkid, reason: Reason::from(ack.reason) }
        }
        Packet::Publish(publish) => message(publish)?,
        Packet::SubAck(ack) => FromBroker::Subscribed {
            id: ack.pkid,
            reasons: ack.return_codes.into_iter().map(Reason::from).collect(),
        },
        Packet::UnsubAck(ack) => FromBroker::Unsubscribed(ack.pkid),
        Packet::Auth(_)
        | Packet::Connect(..)
        | Packet::PingReq(_)
        | Packet::PubComp(_)
        | Packet::PubRec(_)
        | Packet::PubRel(_)
        | Packet::Subscribe(_)
        | Packet::Unsubscribe(_) => FromBroker::Unasked,
    })
}

/// A CONNACK in the form of 3.1.1. Only one without the version says that: who lets us in so has
/// not understood what was asked, who refuses has.
fn older_welcome(frame: BytesMut) -> Result<FromBroker, Ended> {
    let reason = match frame.get(3) {
        Some(&code @ 0x80..) => Reason::new(code),
        Some(0) => Reason::UNSUPPORTED_VERSION,
        _ => return v311::decode(frame),
    };

    Ok(FromBroker::Welcome(Welcome::plain(reason)))
}

fn message(publish: Publish) -> Result<FromBroker, Ended> {
    let acknowledge = match publish.qos {
        QoS::AtMostOnce => None,
        QoS::AtLeastOnce => Some(publish.pkid),
        QoS::ExactlyOnce => return Err(Ended::Protocol(QOS_2)),
    };
    // No alias is ever allowed, so an empty topic has no meaning.
    let topic = String::from_utf8(publish.topic.into()).ok().filter(|topic| !topic.is_empty());
    let topic = topic.ok_or(Ended::Protocol(NO_TOPIC))?;

    Ok(FromBroker::Message { topic, payload: publish.payload, retain: publish.retain, acknowledge })
}

fn welcome(ack: &ConnAck) -> Welcome {
    let reason = Reason::from(ack.code);
    let Some(properties) = &ack.properties else {
        return Welcome { shares: !reason.is_refusal(), ..Welcome::plain(reason) };
    };

    Welcome {
        reason,
        in_flight: properties.receive_max,
        keep_alive_s: properties.server_keep_alive,
        max_packet: properties.max_packet_size,
        qos_1: properties.max_qos != Some(0),
        retain: properties.retain_available != Some(0),
        shares: properties.shared_subscription_available != Some(0),
    }
}

fn malformed(error: Error) -> Ended {
    Ended::Malformed { version: Version::V5, source: error.into() }
}
