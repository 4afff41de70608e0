//! What a collector keeps, looked at afterwards: proved, exported, and tried against a policy.
//!
//! Nothing here writes, so a collector may go on meanwhile.

pub mod database;
pub mod export;
pub mod folder;
mod gateways;
pub mod replay;
mod steps;
#[cfg(test)]
mod tests;
pub mod verify;
mod witnesses;
