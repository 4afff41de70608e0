//! The control plane of Gateward: accounts, tokens and service users; compiles what gateways know.
//!
//! Read in the order of the work: [`accounts`] changes a folder, [`policy`] says whether all of it
//! is right, [`compile`] turns it into bytes, [`diff`] says who gains and who loses what.

pub mod access;
pub mod accounts;
pub mod audit;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod collect;
pub mod compile;
pub mod day;
pub mod diff;
pub mod draw;
pub mod enroll;
pub mod exit;
mod extension;
pub mod fleet;
pub mod keys;
pub mod lock;
pub mod pki;
pub mod policy;
pub mod publish;
mod revocations;
pub mod secret;
pub mod serve;
#[cfg(test)]
mod testing;
pub mod whole;
