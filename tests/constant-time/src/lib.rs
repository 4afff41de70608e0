//! What the proofs of constant time share: one table, every outcome, and leaks to be found.
//!
//! `memcheck` shows that no branch and no address of the check depends on a secret; `welch` that no
//! two outcomes can be told apart by their time. Both run the code that is shipped, and both must
//! find the leaks of [`Plant`], which stand here and nowhere else. What is held and what may show
//! is written down in `core/docs/timing.md`. Run: `tests/timing`.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a proof that cannot go on should stop and say where"
)]

mod check;
mod class;
#[cfg(target_arch = "x86_64")]
pub mod client_request;
mod draw;
mod histogram;
mod places;
mod plant;
mod revoked;
mod signer;
mod table;

pub use check::{Case, NOW};
pub use class::Class;
pub use draw::Draw;
pub use histogram::Histogram;
pub use places::Places;
pub use plant::Plant;
pub use revoked::Revoked;
pub use table::{Copies, Table, presented};
