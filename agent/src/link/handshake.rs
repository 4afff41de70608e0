//! CONNECT and CONNACK: what we offer, what the broker allows, and so what both keep to.

use core::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnAckProperties, Connect, ConnectProperties, ConnectReturnCode, LastWill, Packet,
};

use super::ended::Ended;
use super::handle::{LONGEST_TOPIC, Limits, OVERHEAD};
use super::session::Session;
use super::wire::{self, Pipe};
use super::{LinkConfig, Will};

/// Publishes and subscriptions that may wait for the broker's answer at once.
const IN_FLIGHT: u16 = 100;

/// Messages that the broker may send before we acknowledge one.
const RECEIVE_MAXIMUM: u16 = 16;

/// Bytes of an incoming packet allowed beside the payload.
const PACKET_SLACK: usize = 4096;

/// The length field of a will is 16 bits wide.
const LONGEST_WILL: usize = 0xffff;

/// What holds for one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreed {
    pub(super) limits: Limits,
    pub(super) in_flight: u16,
    pub(super) keep_alive: Duration,
    pub(super) has_will: bool,
}

/// Introduces us to the broker over a fresh connection.
pub(super) async fn open(config: &LinkConfig, pipe: Pipe) -> Result<Session, Ended> {
    let max = u32::try_from(config.max_payload.saturating_add(PACKET_SLACK));
    let max = max.unwrap_or(u32::MAX);
    let will = (config.will)();
    let has_will = will.is_some();
    let (mut incoming, mut outgoing) = wire::split(pipe, max);
    outgoing.push(&connect(config, max, will)?).map_err(Ended::Malformed)?;
    outgoing.drain_all().await?;

    let Packet::ConnAck(ack) = incoming.next().await? else {
        return Err(Ended::Protocol("something came before CONNACK"));
    };
    if ack.code != ConnectReturnCode::Success {
        return Err(Ended::Refused(ack.code.into()));
    }
    let properties = ack.properties.as_ref();
    outgoing.set_limit(properties.and_then(|p| p.max_packet_size));

    Ok(Session::new((incoming, outgoing), agree(config, has_will, properties)?))
}

fn agree(
    config: &LinkConfig,
    has_will: bool,
    properties: Option<&ConnAckProperties>,
) -> Result<Agreed, Ended> {
    if properties.and_then(|p| p.max_qos) == Some(0) {
        return Err(Ended::NoQos1);
    }
    let max_packet = properties.and_then(|p| p.max_packet_size);
    let limits = Limits {
        max_packet: max_packet.and_then(|max| max.try_into().ok()).unwrap_or(usize::MAX),
        retain: properties.and_then(|p| p.retain_available) != Some(0),
    };
    let window = properties.and_then(|p| p.receive_max).unwrap_or(u16::MAX);
    // A longer keep-alive than ours would only let a dead broker go unnoticed for longer.
    let theirs = properties.and_then(|p| p.server_keep_alive).filter(|&seconds| seconds > 0);
    let ours = config.keep_alive_s();
    let keep_alive = Duration::from_secs(theirs.unwrap_or(ours).min(ours).into());

    Ok(Agreed { limits, in_flight: IN_FLIGHT.min(window).max(1), keep_alive, has_will })
}

/// The largest payload that fits whatever the topic (at most 1,024 bytes).
pub(super) fn max_payload(config: &LinkConfig, limits: Limits) -> usize {
    config.max_payload.min(limits.max_packet.saturating_sub(OVERHEAD + LONGEST_TOPIC))
}

fn connect(config: &LinkConfig, max: u32, will: Option<Will>) -> Result<Packet, Ended> {
    let properties = ConnectProperties {
        max_packet_size: Some(max),
        receive_maximum: Some(RECEIVE_MAXIMUM),
        ..ConnectProperties::new()
    };
    // The session ends with the connection: nothing lives only in the broker either.
    let connect = Connect {
        keep_alive: config.keep_alive_s(),
        client_id: config.client_id.clone(),
        clean_start: true,
        properties: Some(properties),
    };
    let will = will
        .map(|Will { topic, payload, retain }| {
            if payload.len() > LONGEST_WILL || topic.len() > LONGEST_WILL {
                return Err(Ended::Will);
            }
            Ok(LastWill::new(topic, payload, QoS::AtLeastOnce, retain, None))
        })
        .transpose()?;

    Ok(Packet::Connect(connect, will, None))
}
