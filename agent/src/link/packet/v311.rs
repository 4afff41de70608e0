//! MQTT 3.1.1 in bytes.

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{
    Connect, ConnectReturnCode, LastWill, Packet, PubAck, Publish, Subscribe, SubscribeFilter,
    SubscribeReasonCode, Unsubscribe,
};
use rumqttc::mqttbytes::{Error, Protocol, QoS};

use super::super::Will;
use super::super::ended::Ended;
use super::super::reason::Reason;
use super::{FromBroker, Hello, NO_TOPIC, NotEncoded, QOS_2, ToBroker, Version, Welcome};

pub(super) fn encode(packet: ToBroker) -> Result<BytesMut, NotEncoded> {
    let mut frame = BytesMut::new();
    let Some(packet) = native(packet) else { return Ok(frame) };

    match packet.write(&mut frame, usize::MAX) {
        Ok(_) => Ok(frame),
        Err(error) => Err(NotEncoded::Other(error.into())),
    }
}

/// The packet, where there is one for it.
fn native(packet: ToBroker) -> Option<Packet> {
    Some(match packet {
        ToBroker::Acknowledge(id) => Packet::PubAck(PubAck::new(id)),
        ToBroker::Connect(hello) => connect(hello),
        // A DISCONNECT makes the broker forget the will; hanging up without one publishes it.
        ToBroker::Disconnect { publish_will: true } => return None,
        ToBroker::Disconnect { publish_will: false } => Packet::Disconnect,
        ToBroker::Ping => Packet::PingReq,
        ToBroker::Publish { id, topic, payload, retain } => {
            let mut publish = Publish::from_bytes(topic, QoS::AtLeastOnce, payload);
            publish.pkid = id;
            publish.retain = retain;
            Packet::Publish(publish)
        }
        ToBroker::Subscribe { id, filters } => {
            let wanted =
                filters.into_iter().map(|path| SubscribeFilter::new(path, QoS::AtLeastOnce));
            let mut subscribe = Subscribe::new_many(wanted);
            subscribe.pkid = id;
            Packet::Subscribe(subscribe)
        }
        ToBroker::Unsubscribe { id, filters } => {
            Packet::Unsubscribe(Unsubscribe { pkid: id, topics: filters })
        }
    })
}

fn connect(hello: Hello) -> Packet {
    let Hello { client_id, keep_alive_s, will, max_packet: _, receive_maximum: _ } = hello;
    let will = will.map(|Will { topic, payload, retain }| {
        LastWill::new(topic, payload, QoS::AtLeastOnce, retain)
    });

    Packet::Connect(Connect {
        protocol: Protocol::V4,
        keep_alive: keep_alive_s,
        client_id,
        clean_session: true,
        last_will: will,
        login: None,
    })
}

pub(super) fn decode(mut frame: BytesMut) -> Result<FromBroker, Ended> {
    let packet = Packet::read(&mut frame, usize::MAX).map_err(malformed)?;

    Ok(match packet {
        Packet::ConnAck(ack) => FromBroker::Welcome(Welcome::plain(welcome(ack.code))),
        Packet::PingResp => FromBroker::Pong,
        Packet::PubAck(ack) => FromBroker::Published { id: ack.pkid, reason: Reason::SUCCESS },
        Packet::Publish(publish) => message(publish)?,
        Packet::SubAck(ack) => FromBroker::Subscribed {
            id: ack.pkid,
            reasons: ack.return_codes.into_iter().map(granted).collect(),
        },
        Packet::UnsubAck(ack) => FromBroker::Unsubscribed(ack.pkid),
        Packet::Connect(_)
        | Packet::Disconnect
        | Packet::PingReq
        | Packet::PubComp(_)
        | Packet::PubRec(_)
        | Packet::PubRel(_)
        | Packet::Subscribe(_)
        | Packet::Unsubscribe(_) => FromBroker::Unasked,
    })
}

fn message(publish: Publish) -> Result<FromBroker, Ended> {
    let acknowledge = match publish.qos {
        QoS::AtMostOnce => None,
        QoS::AtLeastOnce => Some(publish.pkid),
        QoS::ExactlyOnce => return Err(Ended::Protocol(QOS_2)),
    };
    if publish.topic.is_empty() {
        return Err(Ended::Protocol(NO_TOPIC));
    }

    Ok(FromBroker::Message {
        topic: publish.topic,
        payload: publish.payload,
        retain: publish.retain,
        acknowledge,
    })
}

/// The return codes of section 3.2.2.3, in the words of version 5.
fn welcome(code: ConnectReturnCode) -> Reason {
    match code {
        ConnectReturnCode::Success => Reason::SUCCESS,
        ConnectReturnCode::RefusedProtocolVersion => Reason::UNSUPPORTED_VERSION,
        ConnectReturnCode::BadClientId => Reason::new(0x85),
        ConnectReturnCode::ServiceUnavailable => Reason::new(0x88),
        ConnectReturnCode::BadUserNamePassword => Reason::new(0x86),
        ConnectReturnCode::NotAuthorized => Reason::NOT_AUTHORIZED,
    }
}

fn granted(code: SubscribeReasonCode) -> Reason {
    match code {
        SubscribeReasonCode::Success(qos) => Reason::new(qos as u8),
        SubscribeReasonCode::Failure => Reason::new(0x80),
    }
}

fn malformed(error: Error) -> Ended {
    Ended::Malformed { version: Version::V311, source: error.into() }
}
