//! Where records go, as the collector sees it: a folder of its own, or a database that several
//! collectors share.
//!
//! What a store has taken is durable when it returns: a receipt is signed next.

use std::collections::BTreeMap;
use std::path::Path;

use gateward_agent::journal::json::Origin;
use gateward_agent::upload::batch::Batch;
use gateward_core::audit::{Head, Record, SnapshotName};
use gateward_core::time::UnixSeconds;

use super::CollectFailed;
use super::held::{Held, Taken, Trouble};
use super::hole::Hole;
use crate::enroll::Enrolled;

/// Records of one batch in the form in which a store writes them.
pub(super) trait Rows: Default {
    /// Adds one that was verified.
    fn add(
        &mut self,
        record: &Record<'_>,
        origin: &Origin,
        snapshot: Option<SnapshotName>,
        head: &Head,
    );
}

/// A batch that goes on from what is held.
#[derive(Debug)]
pub(super) struct New<'a, R> {
    pub(super) enrolled: &'a Enrolled,
    /// What it goes on from.
    pub(super) before: &'a Held,
    pub(super) taken: &'a Taken<R>,
    pub(super) batch: &'a Batch,
    /// The batch as it came.
    pub(super) message: &'a [u8],
    /// What is to be told of its records.
    pub(super) late: &'a [Trouble],
    pub(super) now: UnixSeconds,
}

/// What became of what goes on from something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stored {
    /// It is safe.
    Safe,
    /// Another collector has gone on in the meantime: look again.
    Moved,
}

/// Where records go.
pub(super) trait Store {
    /// How it writes records.
    type Rows: Rows;
    /// Whether other collectors write to it too.
    const SHARED: bool;

    /// Makes it ready.
    async fn begin(&mut self) -> Result<(), CollectFailed>;

    /// Returns what is held of a gateway in the enrolment that `enrolled` says; an error of
    /// [`CollectFailed::is_altered`] is about this gateway alone.
    async fn held(&mut self, enrolled: &Enrolled) -> Result<Held, CollectFailed>;

    /// Writes a batch, its records and what is to be told of them, and that they are held.
    async fn append(&mut self, new: &New<'_, Self::Rows>) -> Result<Stored, CollectFailed>;

    /// Keeps in mind what a gateway has owned up to in a batch as it came, for the batch behind it.
    async fn own_up(
        &mut self,
        enrolled: &Enrolled,
        hole: Hole,
        message: &[u8],
    ) -> Result<(), CollectFailed>;

    /// Returns the longest hole owned up to that record `from` is in.
    async fn owned(
        &mut self,
        enrolled: &Enrolled,
        from: u64,
    ) -> Result<Option<Hole>, CollectFailed>;

    /// Returns the chain's head after a record that is held; none where it is not there any more.
    async fn head_at(
        &mut self,
        enrolled: &Enrolled,
        seq: u64,
    ) -> Result<Option<Head>, CollectFailed>;

    /// Returns when any collector last wrote records of a gateway, where that is known.
    async fn wrote(&mut self, enrolled: &Enrolled) -> Result<Option<UnixSeconds>, CollectFailed>;

    /// Returns, of those gateways that have one, the signed status in which each was the furthest.
    async fn furthest(
        &mut self,
        gateways: &[&str],
    ) -> Result<BTreeMap<String, Vec<u8>>, CollectFailed>;

    /// Keeps what a gateway said last, signed, and whether it is the furthest; `before` is the furthest
    /// that it was compared with.
    async fn keep_status(
        &mut self,
        gateway: &str,
        status: &[u8],
        before: Option<&[u8]>,
        is_furthest: bool,
    ) -> Result<Stored, CollectFailed>;

    /// Writes down that something is wrong, unless that is known; returns whether it was news.
    async fn note(
        &mut self,
        gateway: &str,
        trouble: &Trouble,
        now: UnixSeconds,
    ) -> Result<bool, CollectFailed>;

    /// Keeps elsewhere how far it has come, where that is due.
    fn keep_marks(&mut self, _now: UnixSeconds) {}

    /// Takes the names of the policy in `dir`, where it shows records with them and they have changed.
    async fn name(&mut self, dir: &Path) -> Result<(), CollectFailed>;
}
