//! The table of attackers: what whoever holds something gets, and what not, each cell a test.
//!
//! The names of the tests are the words of the cells (TRUST section 6). Each one is tried on running
//! programs, with what the attacker holds and nothing else of ours.

mod broker;
mod collector_key;
mod disk;
mod forger;
mod root_keys;
mod signing_keys;
mod signs;
mod token;
