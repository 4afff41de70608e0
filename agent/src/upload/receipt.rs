//! Receipts, from the broker or carried by hand: what a collector holds may be forgotten here.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use gateward_core::audit::Event;
use gateward_core::time::Millis;
use gateward_core::trust::{GatewayId, Incarnation};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use super::cursor::Cursor;
use super::{Acknowledged, Outlet, Seal, Upload};
use crate::journal::{Draft, Reader};

/// How often one reason for refusing receipts is written down.
const REFUSED_EVERY_MS: u64 = 10 * 60 * 1000;

/// How many reasons are written down in that time; there are fewer.
const MOST_REASONS: usize = 32;

/// How far the records are receipted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Released {
    /// The number of the last record that a collector holds.
    pub through: u64,
    /// Whether the receipt said more than what was known.
    pub is_news: bool,
}

impl Released {
    /// What became of the receipt, in one word.
    #[must_use]
    pub const fn outcome(self) -> &'static str {
        if self.is_news { "receipted" } else { "already_receipted" }
    }
}

impl Serialize for Released {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_struct("Released", 2)?;
        map.serialize_field("outcome", self.outcome())?;
        map.serialize_field("through", &self.through)?;
        map.end()
    }
}

/// Why a receipt changes nothing.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, thiserror::Error)]
pub enum NotReceipted {
    /// It is not signed by a collector that is believed now.
    #[error("{0}")]
    Seal(String),
    /// It is another's.
    #[error("for another gateway or another enrolment of it")]
    Other,
    /// It goes beyond the last record.
    #[error("for records that were never written")]
    Beyond,
    /// Its head is not that of the record it names.
    #[error("for a chain that is not this journal's")]
    Chain,
    /// The journal cannot be read, or that it was receipted cannot be written down; the records stay.
    #[error("the journal cannot be used: {0}")]
    Storage(String),
}

impl NotReceipted {
    fn storage(error: io::Error) -> Self {
        Self::Storage(error.to_string())
    }
}

/// Returns what to write down for a receipt; none where it says nothing new. `last` is the number of
/// the last record that is on disk for good, `done` that of the last one receipted.
pub(super) fn weigh(
    folder: &Path,
    whose: (GatewayId, Incarnation),
    (done, last): (u64, u64),
    receipt: &Acknowledged,
) -> Result<Option<Cursor>, NotReceipted> {
    if (receipt.gateway, receipt.incarnation) != whose {
        return Err(NotReceipted::Other);
    }
    if receipt.through <= done {
        return Ok(None);
    }
    if receipt.through > last {
        return Err(NotReceipted::Beyond);
    }
    match Reader::head_after(folder, receipt.through).map_err(NotReceipted::storage)? {
        Some(head) if head == receipt.head => {}
        // It is of a record that has been dropped since, and there is nothing left to release.
        None if Reader::begins_after(folder, receipt.through) => return Ok(None),
        _ => return Err(NotReceipted::Chain),
    }
    let Acknowledged { through, head, incarnation, .. } = *receipt;

    Ok(Some(Cursor { incarnation, through, head }))
}

/// Returns the number of the last record in `folder` that a collector is known to hold; 0 where what
/// was written down is not this journal's any more, so that everything is sent again and the
/// collector can see why. `last` is the number of the last record.
pub(crate) fn resume(folder: &Path, incarnation: Incarnation, last: u64) -> u64 {
    let Some(cursor) = Cursor::load(folder) else { return 0 };
    if cursor.incarnation != incarnation || cursor.through > last {
        return 0;
    }
    match Reader::head_after(folder, cursor.through) {
        Ok(Some(head)) if head != cursor.head => 0,
        // Released records may be gone already.
        Ok(_) | Err(_) => cursor.through,
    }
}

/// Takes a receipt for the journal in `folder`, which no agent has open: at its next start it
/// forgets what was receipted.
///
/// # Errors
///
/// Returns why the receipt changes nothing.
pub(crate) fn take(
    folder: &Path,
    whose: (GatewayId, Incarnation),
    receipt: &Acknowledged,
) -> Result<Released, NotReceipted> {
    let done = resume(folder, whose.1, u64::MAX);
    let Some(cursor) = weigh(folder, whose, (done, u64::MAX), receipt)? else {
        return Ok(Released { through: done, is_news: false });
    };
    cursor.store(folder).map_err(NotReceipted::storage)?;

    Ok(Released { through: cursor.through, is_news: true })
}

impl<O: Outlet, S: Seal> Upload<O, S> {
    pub(super) fn receipt(&mut self, message: &[u8]) -> Result<Released, NotReceipted> {
        let receipt = self.seal.receipt(message).map_err(NotReceipted::Seal)?;
        let whose = (self.gateway, self.incarnation);
        let last = self.records.status().seq;
        let cursor = weigh(self.records.folder(), whose, (self.done, last), &receipt)?;
        let Some(cursor) = cursor else {
            return Ok(Released { through: self.done, is_news: false });
        };
        // Records stay until a receipt can be written down.
        cursor.store(self.records.folder()).map_err(NotReceipted::storage)?;
        let through = cursor.through;
        self.done = through;
        self.sent.retain(|last| *last > through);
        self.holes.retain(|hole| hole.last > through);
        if self.next <= through {
            // It was about to send again what is held already.
            self.read_from(through + 1);
        }
        // Where the queue is full, the next receipt says it again.
        let _said = self.records.release(through, self.seal.now());

        Ok(Released { through, is_news: true })
    }

    /// Writes down why a receipt was refused: each reason once in a while, so that a hostile broker
    /// cannot fill the disk whatever it sends in turn.
    pub(super) fn refuse(&mut self, reason: &NotReceipted) {
        let now = self.seal.now();
        if let NotReceipted::Storage(error) = reason {
            tracing::warn!(error, "the receipt of the audit was not written down");
            return;
        }
        if self.refused.is_news(reason, now.mono) {
            tracing::warn!(%reason, "a receipt for the audit was refused");
            self.records.note(Draft::event(Event::ReceiptRefused, now, &reason.to_string()));
        }
    }
}

/// Which refusals were written down lately.
#[derive(Debug, Default)]
pub(super) struct Refusals(BTreeMap<NotReceipted, Millis>);

impl Refusals {
    fn is_news(&mut self, reason: &NotReceipted, now: Millis) -> bool {
        self.0.retain(|_, told| now.since(*told) < REFUSED_EVERY_MS);
        if self.0.contains_key(reason) || self.0.len() >= MOST_REASONS {
            return false;
        }
        self.0.insert(reason.clone(), now);

        true
    }
}
