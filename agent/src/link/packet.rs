//! What is said to a broker and by one, whatever the version of MQTT.
//!
//! `rumqttc` has two families of packets that only look alike. This is what the link needs of both;
//! the modules below are the only ones that know which version puts it in which bytes.

use core::error::Error;
use core::fmt;

use bytes::{Bytes, BytesMut};

use super::Will;
use super::ended::Ended;
use super::reason::Reason;

mod v311;
mod v5;

/// A version of MQTT.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// 3.1.1: a publish is never refused, only the connection; no limit is announced.
    V311,
    /// 5.
    V5,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V311 => "MQTT 3.1.1",
            Self::V5 => "MQTT 5",
        })
    }
}

/// What we send.
#[derive(Debug)]
pub(super) enum ToBroker {
    Acknowledge(u16),
    Connect(Hello),
    /// The end, after which the broker publishes the will or forgets it.
    Disconnect {
        publish_will: bool,
    },
    Ping,
    Publish {
        id: u16,
        topic: String,
        payload: Bytes,
        retain: bool,
    },
    Subscribe {
        id: u16,
        filters: Vec<String>,
    },
    Unsubscribe {
        id: u16,
        filters: Vec<String>,
    },
}

impl ToBroker {
    /// The bytes of this packet, which are no more than `limit`.
    pub(super) fn encode(
        self,
        version: Version,
        limit: Option<u32>,
    ) -> Result<BytesMut, NotEncoded> {
        match version {
            Version::V311 => v311::encode(self),
            Version::V5 => v5::encode(self, limit),
        }
    }
}

/// How we introduce ourselves. The session ends with the connection: nothing lives only in the
/// broker.
#[derive(Debug)]
pub(super) struct Hello {
    pub(super) client_id: String,
    pub(super) keep_alive_s: u16,
    /// The longest packet that we take, and how many messages before we acknowledge one; 3.1.1
    /// cannot say so.
    pub(super) max_packet: u32,
    pub(super) receive_maximum: u16,
    /// No part of it is longer than its two bytes of length can say.
    pub(super) will: Option<Will>,
}

/// What the broker sends.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum FromBroker {
    Disconnect(Reason),
    Message {
        topic: String,
        payload: Bytes,
        retain: bool,
        acknowledge: Option<u16>,
    },
    Pong,
    Published {
        id: u16,
        reason: Reason,
    },
    Subscribed {
        id: u16,
        reasons: Vec<Reason>,
    },
    /// A packet that brokers take and never send.
    Unasked,
    Unsubscribed(u16),
    Welcome(Welcome),
}

impl FromBroker {
    /// Reads `frame`, which is exactly one packet, of the kind that its first byte says.
    pub(super) fn decode(version: Version, frame: BytesMut) -> Result<Self, Ended> {
        match version {
            Version::V311 => v311::decode(frame),
            Version::V5 => v5::decode(frame),
        }
    }
}

/// The broker's answer to [`Hello`]; what it does not say is `None`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Welcome {
    pub(super) reason: Reason,
    pub(super) in_flight: Option<u16>,
    pub(super) keep_alive_s: Option<u16>,
    pub(super) max_packet: Option<u32>,
    pub(super) qos_1: bool,
    pub(super) retain: bool,
    pub(super) shares: bool,
}

impl Welcome {
    /// An answer with nothing but its reason.
    pub(super) const fn plain(reason: Reason) -> Self {
        Self {
            reason,
            in_flight: None,
            keep_alive_s: None,
            max_packet: None,
            qos_1: true,
            retain: true,
            shares: false,
        }
    }
}

/// Why a packet of ours has no bytes.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotEncoded {
    #[error("it cannot be written")]
    Other(#[source] Box<dyn Error + Send + Sync>),
    #[error("it is larger than the broker takes; raise the broker's packet limit")]
    TooLarge,
}

const NO_TOPIC: &str = "a message without a topic";
const QOS_2: &str = "QoS 2, which nobody asked for";

#[cfg(test)]
mod tests;
