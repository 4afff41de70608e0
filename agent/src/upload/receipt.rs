//! Receipts, from the broker or carried by hand: what a collector holds may be forgotten here.

use std::path::Path;

use gateward_core::audit::Event;
use gateward_core::trust::{GatewayId, Incarnation};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use super::cursor::Cursor;
use super::{Acknowledged, Outlet, Seal, Upload};
use crate::journal::{Draft, Reader};

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
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
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

/// Returns what to write down for a receipt; none where it says nothing new. `last` is the number of
/// the last record that is on disk for good, `done` that of the last one receipted.
fn weigh(
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
    let head = Reader::head_after(folder, receipt.through);
    if head.map_err(|error| NotReceipted::Storage(error.to_string()))? != Some(receipt.head) {
        return Err(NotReceipted::Chain);
    }
    let Acknowledged { through, head, incarnation, .. } = *receipt;

    Ok(Some(Cursor { incarnation, through, head }))
}

/// Returns the number of the last record in `folder` that is known to be receipted.
pub(crate) fn receipted(folder: &Path, incarnation: Incarnation) -> u64 {
    let cursor = Cursor::load(folder).filter(|cursor| cursor.incarnation == incarnation);

    cursor.map_or(0, |cursor| cursor.through)
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
    let done = receipted(folder, whose.1);
    let Some(cursor) = weigh(folder, whose, (done, u64::MAX), receipt)? else {
        return Ok(Released { through: done, is_news: false });
    };
    cursor.store(folder).map_err(|error| NotReceipted::Storage(error.to_string()))?;

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
        if let Err(error) = cursor.store(self.records.folder()) {
            // Records stay until a receipt can be written down.
            tracing::warn!(%error, "the receipt of the audit was not written down");
            return Ok(Released { through: self.done, is_news: false });
        }
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

    /// Writes down why a receipt was refused, once for each reason and connection, so that a
    /// hostile broker cannot fill the disk.
    pub(super) fn refuse(&mut self, reason: &NotReceipted) {
        if self.refused.as_ref() != Some(reason) {
            tracing::warn!(%reason, "a receipt for the audit was refused");
            let now = self.seal.now();
            self.records.note(Draft::event(Event::ReceiptRefused, now, &reason.to_string()));
            self.refused = Some(reason.clone());
        }
    }
}
