//! What a power cut leaves at the end of a journal, for whoever reads it and does not mend it: the rule by
//! which a start cuts it off ([`super::recover`]), and the only one.

use std::path::Path;
use std::{fs, io};

use gateward_core::trust::Incarnation;
use zeroize::Zeroizing;

use super::checkpoints::{Found, Signer};
use super::frame::{HEAD_LEN, SegmentHead};
use super::recover::{behind, list, list_of};
use super::slots;
use super::verify::Walk;
use super::writer::segment_path;

/// The last record that a checkpoint in `folder` is signed for.
pub(super) fn signed_for(folder: &Path, by: &Signer, incarnation: Incarnation) -> u64 {
    let newest = list_of(folder, "ckp").ok().and_then(|firsts| firsts.last().copied());
    let found = newest.and_then(|first| Found::read(folder, first, by, incarnation).ok());

    found.and_then(|found| found.last()).map_or(0, |(number, _)| number)
}

/// What the key file and the mark say, as it was before the segments were read: an agent may go on with
/// all of them meanwhile.
pub(super) struct Marks([Zeroizing<Vec<u8>>; 2]);

impl Marks {
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        Ok(Self([slots::bytes(&folder.join("key"))?, slots::bytes(&folder.join("mark"))?]))
    }

    /// Records up to this number were durable once; where nobody knows whose records they are, whatever
    /// was ever written may have been.
    pub(super) fn durable(&self, incarnation: Option<Incarnation>) -> u64 {
        let Some(incarnation) = incarnation else {
            return if self.0.iter().all(|bytes| bytes.is_empty()) { 0 } else { u64::MAX };
        };
        let numbers = self.0.iter().filter_map(|bytes| slots::newer_in(bytes, incarnation).1);

        numbers.map(|slot| slot.number).max().unwrap_or(0)
    }
}

/// Returns whether `bytes`, which do not begin as segment `first`, are one that was being begun.
pub(super) const fn is_begun(bytes: &[u8], first: u64, durable: u64) -> bool {
    bytes.len() <= HEAD_LEN && durable < first
}

/// Returns whether what follows the records of the newest segment was never a whole one.
pub(super) fn is_torn(walk: &Walk<'_>, durable: u64) -> bool {
    walk.last >= durable && behind(walk.rest(), walk.last, u64::MAX).is_none()
}

/// Returns how many bytes at the end of a journal that nobody writes a start would cut off, since they were
/// never a whole record; none where it does not end like that.
///
/// # Errors
///
/// A file cannot be read.
pub fn torn(folder: &Path, by: &Signer, incarnation: Incarnation) -> io::Result<Option<u64>> {
    let Some(first) = list(folder)?.pop() else { return Ok(None) };
    let marks = Marks::read(folder)?;
    let durable = marks.durable(Some(incarnation)).max(signed_for(folder, by, incarnation));
    let bytes = fs::read(segment_path(folder, first))?;
    let head = SegmentHead::decode(&bytes).filter(|head| head.first == first);
    let Some(head) = head else {
        return Ok(is_begun(&bytes, first, durable).then_some(len(&bytes)));
    };
    let mut walk = Walk::new(&head, &bytes);
    while walk.step().is_some() {}

    Ok((!walk.is_over() && is_torn(&walk, durable)).then(|| len(walk.rest())))
}

fn len(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
