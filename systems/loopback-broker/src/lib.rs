//! An MQTT 5 broker inside the process, on loopback, for the demo and for faults on demand.
//!
//! **Never for production**, and it says so in the log each time it starts. It keeps everything in
//! memory, looks through lists where a real broker has trees, and offers to alter, drop and repeat
//! what it carries: that is its purpose. What it does, it does as a real broker would, so that a
//! client cannot tell: mutual TLS 1.3, the access list of mosquitto, retained messages, wildcards,
//! shared subscriptions, wills, limits, keep alive.
//!
//! What a reader must know first:
//!
//! - All state is behind one lock (`hub.rs`), never held while anything waits; a connection
//!   is a task that reads, asks the hub, and writes from a bounded queue. A subscriber whose queue
//!   is full is disconnected, never waited for.
//! - Packets are counted in both directions, a packet to be written when it is about to be written,
//!   so [`Broker::kill_after`] stops the world between two packets, at each `k` the same way.
//! - Left out, because nothing here needs it: QoS 2, MQTT 3.1.1, stored sessions, the passing of
//!   time for message expiry and will delay, topic aliases.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use gateward_loopback_broker::{Access, Broker, Options};
//!
//! let access = Access::parse("user edge-7\ntopic read gateward/v1/acme/#\n")?;
//! let broker = Broker::start(Options::plain(access)).await?;
//! broker.plant("gateward/v1/acme/all/manifest", b"forged".to_vec());
//! assert_eq!(broker.retained("gateward/v1/acme/all/manifest").as_deref(), Some(&b"forged"[..]));
//! broker.cut();
//! broker.mend();
//! # Ok(())
//! # }
//! ```

mod access;
mod broker;
mod filter;
mod flight;
mod hub;
mod session;
#[cfg(test)]
mod tests;
mod tls;
mod wire;

pub use access::{Access, BadAccess, BadRule};
pub use broker::{Broker, Options, StartError};
pub use hub::{Counts, Delivery, Tamper};
pub use tls::Tls;
