//! CONNECT and CONNACK: what we offer, what the broker allows, and so what both keep to.

use core::time::Duration;
use std::io::ErrorKind;

use super::ended::Ended;
use super::handle::{LONGEST_TOPIC, Limits, OVERHEAD};
use super::packet::{FromBroker, Hello, ToBroker, Version, Welcome};
use super::reason::Reason;
use super::session::Session;
use super::wire::{self, Incoming, Outgoing, Pipe};
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
pub(super) async fn open(
    config: &LinkConfig,
    version: Version,
    pipe: Pipe,
) -> Result<Session, Ended> {
    let max = u32::try_from(config.max_payload.saturating_add(PACKET_SLACK));
    let max = max.unwrap_or(u32::MAX);
    let will = (config.will)();
    let has_will = will.is_some();
    let (mut incoming, mut outgoing) = wire::split(pipe, version, max);
    outgoing.push(ToBroker::Connect(hello(config, max, will)?))?;

    let FromBroker::Welcome(welcome) = answer(&mut incoming, &mut outgoing).await? else {
        return Err(Ended::Protocol("something came before CONNACK"));
    };
    if welcome.reason != Reason::SUCCESS {
        return Err(Ended::Refused(welcome.reason));
    }
    outgoing.set_limit(welcome.max_packet);

    Ok(Session::new((incoming, outgoing), agree(config, has_will, &welcome)?))
}

/// Sends what waits and returns what the broker says to it. That it hangs up instead is told apart:
/// some do so when they do not know the version.
async fn answer(incoming: &mut Incoming, outgoing: &mut Outgoing) -> Result<FromBroker, Ended> {
    let exchange = async {
        outgoing.drain_all().await?;
        incoming.next().await
    };

    exchange.await.map_err(|ended| {
        if let Ended::Closed = ended {
            Ended::Unwelcome(ErrorKind::UnexpectedEof.into())
        } else if let Ended::Io(error) = ended {
            Ended::Unwelcome(error)
        } else {
            ended
        }
    })
}

fn agree(config: &LinkConfig, has_will: bool, welcome: &Welcome) -> Result<Agreed, Ended> {
    if !welcome.qos_1 {
        return Err(Ended::NoQos1);
    }
    let max_packet = welcome.max_packet.and_then(|max| max.try_into().ok());
    let limits = Limits {
        max_packet: max_packet.unwrap_or(usize::MAX),
        retain: welcome.retain,
        shares: welcome.shares,
    };
    let window = welcome.in_flight.unwrap_or(u16::MAX);
    // A longer keep-alive than ours would only let a dead broker go unnoticed for longer.
    let theirs = welcome.keep_alive_s.filter(|&seconds| seconds > 0);
    let ours = config.keep_alive_s();
    let keep_alive = Duration::from_secs(theirs.unwrap_or(ours).min(ours).into());

    Ok(Agreed { limits, in_flight: IN_FLIGHT.min(window).max(1), keep_alive, has_will })
}

/// The largest payload that fits whatever the topic (at most 1,024 bytes).
pub(super) fn max_payload(config: &LinkConfig, limits: Limits) -> usize {
    config.max_payload.min(limits.max_packet.saturating_sub(OVERHEAD + LONGEST_TOPIC))
}

fn hello(config: &LinkConfig, max_packet: u32, will: Option<Will>) -> Result<Hello, Ended> {
    let fits = |will: &Will| will.payload.len() <= LONGEST_WILL && will.topic.len() <= LONGEST_WILL;
    if !will.as_ref().is_none_or(fits) {
        return Err(Ended::Will);
    }

    Ok(Hello {
        client_id: (config.client_id)(),
        keep_alive_s: config.keep_alive_s(),
        max_packet,
        receive_maximum: RECEIVE_MAXIMUM,
        will,
    })
}
