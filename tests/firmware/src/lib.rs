//! The firmware shim against agent core, and the bytes that programs in C are tried with.
//!
//! Everything is drawn from fixed seeds, so a run can be had again; every key here is a test key
//! whose secret stands in [`authority`]. The same snapshot, the same question and the same token go
//! to agent core as the agent asks it and to the C interface as firmware calls it, and what comes
//! out has to be the same number for number (DOMAIN L4).
//!
//! | module | |
//! |---|---|
//! | [`authority`] | who signs |
//! | [`plant`] | a snapshot of 1,000 tokens with a token for every outcome |
//! | [`spoilt`] | envelopes that must be refused |
//! | [`fixtures`] | every file by name |
//! | [`c`] | the same as arrays for C |
//! | [`world`], [`question`] | a random snapshot, and a random question about it |
//! | [`agent`], [`firmware`] | what either side answers |
//! | [`pair`] | that it is the same |
//! | [`image`] | pairs as bytes, for a machine without an operating system |
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop and say where"
)]

pub mod agent;
pub mod answer;
pub mod authority;
pub mod c;
pub mod firmware;
pub mod fixtures;
pub mod image;
pub mod pair;
pub mod plant;
pub mod question;
pub mod spoilt;
pub mod world;
