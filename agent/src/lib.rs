//! Decides on a factory gateway, with the cable out, who may do what.
//!
//! Work flows one way, through tasks that own their state and meet only at bounded queues:
//!
//! ```text
//!   broker ─▶ link ─▶ sync ─▶ store ─▶ gate ─▶ journal ─▶ upload ─▶ broker
//! ```
//!
//! Every decision is made by `gateward-core`; this crate owns the sockets, the disk and the clock.

pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod export;
mod gate;
pub mod identity;
pub mod journal;
pub mod link;
mod notices;
mod notify;
pub mod now;
#[cfg(test)]
mod platter;
mod post;
pub mod proof;
mod reload;
mod run;
pub mod store;
mod supervisor;
pub mod sync;
pub mod trace;
pub mod upload;

pub use crate::gate::{NoSocket, Rehearsed, rehearse};
pub use crate::run::{RunFailed, link_config, run};
pub use crate::supervisor::Stopped;
