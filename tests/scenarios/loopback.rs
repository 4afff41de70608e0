//! A broker in this process, in whose hands everything is that passes through it.

use std::ops::Deref;

use gateward_loopback_broker::{Access, Broker, Options};
use tokio::runtime::Runtime;

/// The broker, until it is dropped.
pub(crate) struct Loopback {
    broker: Broker,
    _runtime: Runtime,
}

impl Loopback {
    pub(crate) fn new() -> Self {
        Self::with(|options| options)
    }

    /// A broker that takes no packet above `max` bytes.
    pub(crate) fn that_takes(max: u32) -> Self {
        Self::with(|options| Options { max_packet_bytes: max, ..options })
    }

    fn with(set: impl FnOnce(Options) -> Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let options = set(Options::plain(Access::everything()));
        let broker = runtime.block_on(Broker::start(options)).expect("loopback has a free port");

        Self { broker, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("mqtt://{}", self.broker.address())
    }
}

impl Deref for Loopback {
    type Target = Broker;

    fn deref(&self) -> &Broker {
        &self.broker
    }
}
