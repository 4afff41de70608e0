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
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should stop and say where"
)]

pub mod authority;
pub mod c;
pub mod fixtures;
pub mod plant;
pub mod spoilt;
