//! The broker's reason codes (MQTT 5, section 2.4), without the client library's types.

use core::fmt;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnectReturnCode as Connect, PubAckReason, SubscribeReasonCode as Sub,
};

/// What the broker says about a packet: below 128 it took it, from there on it refused it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Reason(u8);

impl Reason {
    /// The broker forwarded the message to somebody. It is never a receipt.
    pub const SUCCESS: Self = Self(0x00);
    /// The broker took the message, and nobody subscribes to its topic.
    pub const NO_SUBSCRIBER: Self = Self(0x10);
    /// The broker has no such version of MQTT.
    pub(super) const UNSUPPORTED_VERSION: Self = Self(0x84);
    /// The broker does not know who we are.
    pub(super) const BAD_CREDENTIALS: Self = Self(0x86);
    /// The access list does not allow it.
    pub const NOT_AUTHORIZED: Self = Self(0x87);
    /// The packet is larger than the broker takes.
    pub const PACKET_TOO_LARGE: Self = Self(0x95);

    pub(super) const fn new(code: u8) -> Self {
        Self(code)
    }

    /// The code as it stands in the packet.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }

    /// Whether the broker refused.
    #[must_use]
    pub const fn is_refusal(self) -> bool {
        self.0 >= 0x80
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            0x00 => "success",
            0x01 | 0x02 => "granted",
            0x10 => "no matching subscribers",
            0x80 => "unspecified error",
            0x81 => "malformed packet",
            0x82 => "protocol error",
            0x84 => "unsupported protocol version",
            0x85 => "client identifier not valid",
            0x86 => "bad user name or password",
            0x87 => "not authorized",
            0x88 => "server unavailable",
            0x89 => "server busy",
            0x8a => "banned",
            0x8b => "server shutting down",
            0x8d => "keep-alive time-out",
            0x8e => "session taken over by a client of the same name",
            0x8f => "topic filter invalid",
            0x90 => "topic name invalid",
            0x91 => "packet identifier in use",
            0x93 => "receive maximum exceeded",
            0x95 => "packet too large",
            0x96 => "message rate too high",
            0x97 => "quota exceeded",
            0x98 => "administrative action",
            0x9a => "retain not supported",
            0x9b => "quality of service not supported",
            0x9e => "shared subscriptions not supported",
            0x9f => "connection rate exceeded",
            0xa2 => "wildcard subscriptions not supported",
            _ => return write!(f, "reason {:#04x}", self.0),
        };
        write!(f, "{text} ({:#04x})", self.0)
    }
}

impl From<PubAckReason> for Reason {
    fn from(reason: PubAckReason) -> Self {
        Self(match reason {
            PubAckReason::Success => 0x00,
            PubAckReason::NoMatchingSubscribers => 0x10,
            PubAckReason::UnspecifiedError => 0x80,
            PubAckReason::ImplementationSpecificError => 0x83,
            PubAckReason::NotAuthorized => 0x87,
            PubAckReason::TopicNameInvalid => 0x90,
            PubAckReason::PacketIdentifierInUse => 0x91,
            PubAckReason::QuotaExceeded => 0x97,
            PubAckReason::PayloadFormatInvalid => 0x99,
        })
    }
}

impl From<Sub> for Reason {
    fn from(reason: Sub) -> Self {
        Self(match reason {
            Sub::Success(QoS::AtMostOnce) => 0x00,
            Sub::Success(QoS::AtLeastOnce) => 0x01,
            Sub::Success(QoS::ExactlyOnce) => 0x02,
            Sub::Failure | Sub::Unspecified => 0x80,
            Sub::ImplementationSpecific => 0x83,
            Sub::NotAuthorized => 0x87,
            Sub::TopicFilterInvalid => 0x8f,
            Sub::PkidInUse => 0x91,
            Sub::QuotaExceeded => 0x97,
            Sub::SharedSubscriptionsNotSupported => 0x9e,
            Sub::SubscriptionIdNotSupported => 0xa1,
            Sub::WildcardSubscriptionsNotSupported => 0xa2,
        })
    }
}

impl From<Connect> for Reason {
    fn from(reason: Connect) -> Self {
        Self(match reason {
            Connect::Success => 0x00,
            Connect::UnspecifiedError => 0x80,
            Connect::MalformedPacket => 0x81,
            Connect::ProtocolError => 0x82,
            Connect::ImplementationSpecificError => 0x83,
            Connect::RefusedProtocolVersion | Connect::UnsupportedProtocolVersion => 0x84,
            Connect::BadClientId | Connect::ClientIdentifierNotValid => 0x85,
            Connect::BadUserNamePassword => 0x86,
            Connect::NotAuthorized => 0x87,
            Connect::ServerUnavailable | Connect::ServiceUnavailable => 0x88,
            Connect::ServerBusy => 0x89,
            Connect::Banned => 0x8a,
            Connect::BadAuthenticationMethod => 0x8c,
            Connect::TopicNameInvalid => 0x90,
            Connect::PacketTooLarge => 0x95,
            Connect::QuotaExceeded => 0x97,
            Connect::PayloadFormatInvalid => 0x99,
            Connect::RetainNotSupported => 0x9a,
            Connect::QoSNotSupported => 0x9b,
            Connect::UseAnotherServer => 0x9c,
            Connect::ServerMoved => 0x9d,
            Connect::ConnectionRateExceeded => 0x9f,
        })
    }
}
