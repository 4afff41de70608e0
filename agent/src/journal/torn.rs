//! What a power cut leaves at the end of a journal, for whoever reads it while no agent runs.

use std::path::Path;
use std::{fs, io};

use gateward_core::trust::Incarnation;

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

/// Returns how many bytes at the end of a journal that nobody writes a start would cut off, since they were
/// never a whole record.
///
/// # Errors
///
/// A file cannot be read.
pub fn torn(folder: &Path, by: &Signer, incarnation: Incarnation) -> io::Result<u64> {
    let Some(first) = list(folder)?.pop() else { return Ok(0) };
    let bytes = fs::read(segment_path(folder, first))?;
    let mut known = signed_for(folder, by, incarnation);
    for name in ["key", "mark"] {
        let (_, slot) = slots::newer(&folder.join(name), incarnation)?;
        known = known.max(slot.map_or(0, |slot| slot.number));
    }
    let head = SegmentHead::decode(&bytes).filter(|head| head.first == first);
    let Some(head) = head else {
        let is_empty = bytes.len() <= HEAD_LEN && known < first;
        return Ok(if is_empty { u64::try_from(bytes.len()).unwrap_or_default() } else { 0 });
    };
    let mut walk = Walk::new(&head, &bytes);
    while walk.step().is_some() {}
    let rest = bytes.get(walk.at..).unwrap_or_default();
    let is_torn = walk.last >= known && behind(rest, walk.last, u64::MAX).is_none();

    Ok(if is_torn { u64::try_from(rest.len()).unwrap_or_default() } else { 0 })
}
