//! Decisions behind a C interface, for boot loaders and firmware without an operating system.
//!
//! The interface keeps to seven rules, so that it can be read in one sitting:
//!
//! 1. Every function returns a [`Status`]; results go through out pointers.
//! 2. A pointer that is read comes with a length or a type; one that is written is set only on
//!    success.
//! 3. Nothing is allocated and nothing is static: every object lives in storage of the caller, and
//!    two calls may run at once where neither writes what the other reads (DOMAIN L6).
//! 4. A null, misaligned or unfilled pointer is a status, not a crash (DOMAIN L2).
//! 5. No C `enum` or `bool` crosses the border: a wrong value of either is undefined behaviour.
//! 6. What an object points to (the file of a snapshot, a hash list, the bits of a revocation list)
//!    stays where it is and as it is for as long as the object is used.
//! 7. The time is always said by the caller; there is no default (DOMAIN L5).
//!
//! In the order in which a program calls them:
//!
//! | module | functions | |
//! |---|---|---|
//! | `keys` | `gateward_keys_*`, `gateward_floor_start` | which keys are trusted |
//! | `manifest` | `gateward_manifest_*`, `gateward_hash_list_*`, `gateward_chunk_write` | what is to be in force, and the file as it arrives |
//! | `delta` | `gateward_delta_*` | from one bank to the other |
//! | `snapshot` | `gateward_snapshot_*`, `gateward_revoked_*` | what is in force, and what is revoked beside it |
//! | `time` | `gateward_clock_*`, `gateward_beacon_take` | how late it is |
//! | `check` | `gateward_token_*`, `gateward_ask_prepare`, `gateward_check*` | a decision |
//! | `audit` | `gateward_record_*`, `gateward_chain_next` | its record |
//! | `names` | `gateward_*_name`, `gateward_permission_find` | texts for display |
//! | `bundle` | `gateward_bundle_*` | one file with everything |
//!
//! All pointers are handled in the module `foreign`.

#![no_std]

mod audit;
mod bundle;
mod check;
mod delta;
mod foreign;
#[cfg(feature = "firmware")]
mod halt;
mod keys;
mod manifest;
mod names;
mod open;
mod snapshot;
mod status;
mod storage;
mod time;
mod version;

pub use audit::*;
pub use bundle::*;
pub use check::*;
pub use delta::*;
pub use foreign::Write;
#[cfg(feature = "no-panic")]
pub use halt::gateward_planted_panic;
pub use keys::*;
pub use manifest::*;
pub use names::*;
pub use snapshot::*;
pub use status::*;
pub use storage::*;
pub use time::*;
pub use version::*;

#[cfg(test)]
mod tests;
