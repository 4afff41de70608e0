//! What the gateway knows and how it decides.
//!
//! Nothing here opens a socket, reads a clock or allocates, so the same code runs in the agent,
//! behind the C interface in a boot loader, and in a test that covers a year in a millisecond.
//! Everything that changes over time is handed in.
#![no_std]
#![forbid(unsafe_code)]

pub mod audit;
pub mod bundle;
pub mod decide;
pub mod division;
pub mod format;
pub mod name;
pub mod permission;
pub mod principal;
pub mod route;
pub mod snapshot;
pub mod sync;
pub mod time;
pub mod token;
pub mod topic;
pub mod trust;
