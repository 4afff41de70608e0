//! What the gateway knows and how it decides.
//!
//! Nothing here opens a socket, reads a clock or allocates, so the same code runs in the agent,
//! behind the C interface in a boot loader, and in a test that covers a year in a millisecond.
//! Everything that changes over time is handed in. (Writing snapshots and signing them, behind the
//! feature `build`, does allocate: that is the control plane's part.)
//!
//! Read the modules in the order the bytes travel:
//!
//! | module | takes | gives |
//! |---|---|---|
//! | [`topic`] | account, group, gateway | the names of all messages |
//! | [`sync`] | what was heard, and when | what to ask for, one whole file |
//! | [`trust`] | signed bytes, the key set, the floor | what may be believed, or why not |
//! | [`snapshot`] | a file and its manifest | [`Verified`](snapshot::Verified), read through a [`View`](snapshot::View) |
//! | [`name`], [`permission`], [`division`], [`principal`] | text and bits from outside | who may do what, where |
//! | [`token`] | the text of a token | what it is looked up by, and its secret |
//! | [`route`] | method and path | the rule that judges them |
//! | [`decide`] | view, question, token, now | a [`Decision`](decide::Decision) with every reason |
//! | [`audit`] | a decision or an event | a [`Record`](audit::Record), its bytes and its chain |
//! | [`bundle`] | one file with everything | its parts |
//! | [`time`] | | two kinds of time that are never mixed |
//!
//! The bytes themselves are written down in [`format`].
#![no_std]
#![forbid(unsafe_code)]

pub mod audit;
pub mod bundle;
pub mod decide;
pub mod division;
pub mod format;
pub mod name;
mod number;
pub mod permission;
pub mod principal;
pub mod route;
pub mod snapshot;
pub mod sync;
pub mod time;
pub mod token;
pub mod topic;
pub mod trust;
