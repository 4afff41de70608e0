//! Records that are missing from the journal, and the record that says so.

use gateward_core::audit::{Event, Outcome, Record, TAG_LEN};

use crate::journal::Piece;

/// Numbers that no record can be read for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Hole {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// The number of the gap record about it.
    pub(crate) told: u64,
}

/// Returns whether a gap record in `piece` owns up to all of `first..=last`.
pub(crate) fn covers(piece: &Piece, first: u64, last: u64) -> bool {
    let mut rest = piece.records.as_slice();
    while let Some((len, after)) = rest.split_first_chunk::<2>() {
        let len = usize::from(u16::from_le_bytes(*len));
        let Some((bytes, after)) = after.split_at_checked(len) else { return false };
        let Ok(record) = Record::decode(bytes) else { return false };
        let is_gap = record.outcome == Outcome::Event(Event::Gap);
        if is_gap && record.span.is_some_and(|(from, to)| from <= first && to >= last) {
            return true;
        }
        rest = after.get(TAG_LEN..).unwrap_or_default();
    }

    false
}
