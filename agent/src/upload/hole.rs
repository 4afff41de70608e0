//! Records that are missing from the journal, and the record that says so.

use std::io;
use std::path::{Path, PathBuf};

use gateward_core::audit::{Event, Outcome, Record, TAG_LEN};

use super::{Outlet, Seal, Upload};
use crate::journal::{Draft, NotRead, Piece};

/// How often a segment is asked for that the disk does not give back.
const TRIES: u32 = 3;

/// Numbers that no record can be read for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Hole {
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// The number of the gap record about it.
    pub(crate) told: u64,
}

impl<O: Outlet, S: Seal> Upload<O, S> {
    /// Reads on; a segment that cannot be read is told to the journal and passed over.
    pub(super) async fn read(&mut self, limit: usize) -> io::Result<Option<Piece>> {
        loop {
            let durable = self.records.status().seq;
            match self.reader.next(durable, limit) {
                Ok(piece) => return Ok(piece),
                Err(lost) => {
                    let text = lost.to_string();
                    let (path, next) = match lost {
                        NotRead::Io(error) => return Err(error),
                        NotRead::Damaged { path, next, .. } => (path, next),
                        NotRead::Unreadable { path, next, source, .. } => {
                            if self.may_come_back(&path) {
                                return Err(source);
                            }
                            (path, next)
                        }
                    };
                    self.tell_damaged(path, &text).await;
                    if next.is_none() {
                        self.wait();
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Returns whether the disk may still give back a segment; each call is an attempt.
    fn may_come_back(&mut self, path: &Path) -> bool {
        let tried = match self.tried.take() {
            Some((last, tried)) if last == path => tried + 1,
            _ => 1,
        };
        self.tried = Some((path.to_owned(), tried));

        tried < TRIES && !self.damaged.iter().any(|damaged| damaged == path)
    }

    /// Writes down that a segment cannot be read, once for each start.
    async fn tell_damaged(&mut self, path: PathBuf, text: &str) {
        if self.damaged.contains(&path) {
            return;
        }
        tracing::error!("{text}");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let event = Draft::event(Event::SegmentDamaged, self.seal.now(), &name);
        if self.records.append(event).await.is_ok() {
            self.damaged.push(path);
        }
    }

    /// Sees to it that a gap record covers what is missing before `piece`; returns the piece to go
    /// on with, none where the record could not be written or sent.
    pub(super) async fn own_up(&mut self, piece: Piece, limit: usize) -> io::Result<Option<Piece>> {
        let (first, last) = (self.next, piece.first - 1);
        if covers(&piece, first, last) {
            return Ok(Some(piece));
        }
        let known = self.holes.iter().find(|hole| (hole.first, hole.last) == (first, last));
        let told = match known {
            Some(hole) => hole.told,
            None => {
                let event = Draft::event(Event::Gap, self.seal.now(), "missing in the journal");
                let draft = Draft { span: Some((first, last)), ..event };
                let Ok(written) = self.records.append(draft).await else {
                    return Ok(None);
                };
                tracing::error!(first, last, "records are missing in the journal");
                self.holes.retain(|hole| hole.first != first);
                self.holes.push(Hole { first, last, told: written.seq });
                written.seq
            }
        };
        self.reader = self.records.reader(piece.first);
        let Some(piece) = self.read(limit).await? else { return Ok(None) };
        if (piece.first..=piece.last).contains(&told) {
            return Ok(Some(piece));
        }
        let alone = match self.records.reader(told).next(told, 0) {
            Ok(Some(alone)) => alone,
            // Nobody will read that one: it is said again, in another.
            Err(
                NotRead::Damaged { next: Some(_), .. } | NotRead::Unreadable { next: Some(_), .. },
            ) => {
                self.holes.retain(|hole| hole.told != told);
                return Ok(None);
            }
            Ok(None) | Err(_) => return Ok(None),
        };
        let message = self.seal_up(&alone)?;

        Ok(self.outlet.send(message).then_some(piece))
    }
}

/// Returns whether a gap record in `piece` owns up to all of `first..=last`.
fn covers(piece: &Piece, first: u64, last: u64) -> bool {
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
