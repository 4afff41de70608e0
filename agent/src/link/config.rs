//! How to reach the broker, and what to leave there.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use tokio::sync::Notify;

use super::tls::{TlsFiles, TrustedNow};
use super::{Brokers, Protocol};

/// How to reach the broker, and as whom.
pub struct LinkConfig {
    /// Where the brokers are; after a failure the next one is tried.
    pub brokers: Brokers,
    /// Which version of MQTT to speak.
    pub protocol: Protocol,
    /// Required for `mqtts://`. Read anew at every attempt, and looked at meanwhile: where they
    /// change, a second connection takes the place of the first as soon as it is up.
    pub tls: Option<TlsFiles>,
    /// Asked at every attempt for the MQTT client identifier. A second client of the same name puts
    /// the first one out, so no two answers are the same.
    pub client_id: Arc<dyn Fn() -> String + Send + Sync>,
    /// The keep-alive; whole seconds, from 1 to 65,535. A silent broker is left after 1.5 of them.
    pub keep_alive: Duration,
    /// The largest payload in either direction, in bytes. A longer one ends the connection.
    pub max_payload: usize,
    /// Asked at every attempt for the message that the broker publishes when we are gone.
    pub will: Arc<dyn Fn() -> Option<Will> + Send + Sync>,
    /// Told where the files should be looked at now.
    pub reload: Arc<Notify>,
    /// Asked at every TLS handshake for the time to believe (TRUST section 4).
    pub verify_time: Arc<dyn Fn() -> TrustedNow + Send + Sync>,
}

impl LinkConfig {
    /// The keep-alive as it stands in CONNECT.
    pub(super) fn keep_alive_s(&self) -> u16 {
        u16::try_from(self.keep_alive.as_secs()).unwrap_or(u16::MAX).max(1)
    }

    /// How long a peer may be silent.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(self.keep_alive_s().into()).mul_f32(1.5)
    }
}

impl fmt::Debug for LinkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkConfig")
            .field("brokers", &self.brokers)
            .field("protocol", &self.protocol)
            .field("tls", &self.tls)
            .field("keep_alive", &self.keep_alive)
            .field("max_payload", &self.max_payload)
            .finish_non_exhaustive()
    }
}

/// What the broker publishes, at QoS 1, when the connection ends in whatever way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Will {
    /// Where.
    pub topic: String,
    /// What; at most 65,535 bytes.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it.
    pub retain: bool,
}
