//! Why a connection, or the attempt at one, is over. None of these ends the link.

use core::error::Error;
use core::time::Duration;
use std::io;

use super::packet::{NotEncoded, Version};
use super::reason::Reason;
use super::tls::TlsProblem;

/// Why there is no connection any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the broker closed the connection")]
    Closed,
    #[error("the broker sent us away: {0}")]
    Disconnected(Reason),
    #[error(
        "TLS failed; check `ca_file`, the client's certificate, and that the broker's names the \
         host in `url`"
    )]
    Handshake(#[source] io::Error),
    #[error("the connection broke")]
    Io(#[from] io::Error),
    #[error("the broker sent what is not {version}")]
    Malformed { version: Version, source: Box<dyn Error + Send + Sync> },
    #[error("the broker takes QoS 0 only; use one that takes QoS 1")]
    NoQos1,
    #[error("the broker broke the protocol: {0}")]
    Protocol(&'static str),
    #[error("the broker refused the connection: {0}")]
    Refused(Reason),
    #[error("nothing was heard from the broker for one and a half keep-alive periods")]
    Silent,
    #[error("told to stop")]
    Stopped,
    #[error("the broker took nothing for one and a half keep-alive periods")]
    Stuck,
    #[error("the broker could not be reached within {0:?}")]
    TimedOut(Duration),
    #[error(transparent)]
    Tls(#[from] TlsProblem),
    #[error("the broker sent {bytes} bytes where {max} are allowed; raise `max_payload_bytes`")]
    TooLarge { bytes: usize, max: u32 },
    #[error("the broker stopped acknowledging")]
    Unacknowledged,
    #[error("nobody takes what arrives any more")]
    Unheard,
    #[error("could not reach `{address}`")]
    Unreachable {
        address: String,
        #[source]
        source: io::Error,
    },
    #[error("the broker hung up where its CONNACK was due; check its log and access list")]
    Unwelcome(#[source] io::Error),
    #[error("a packet of ours cannot be sent")]
    Unwritable(#[from] NotEncoded),
    #[error("the will is larger than a will may be (65,535 bytes); make it smaller")]
    Will,
}
