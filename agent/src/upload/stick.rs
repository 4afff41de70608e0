//! Records that are carried by hand, for a gateway that no broker reaches: the batches that the audit
//! topic carries, with their signed checkpoints, one after the other in a file.
//!
//! `GWDAUDB1`, then for each batch its length u32 little-endian and its bytes. Nothing in the file is
//! believed but what the collector believes of the topic.

use std::io::{self, Read, Write};
use std::path::Path;

use gateward_core::trust::{GatewayId, Incarnation};

use super::{Seal, batch};
use crate::journal::{NotRead, Reader};

/// How the file begins.
pub const MAGIC: [u8; 8] = *b"GWDAUDB1";

/// Bytes of records in one batch, before compression.
const PIECE: usize = 256 << 10;

/// No batch in a file is longer.
pub const MAX_BATCH: u32 = 2 << 20;

/// What a file holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Written {
    /// How many records.
    pub records: u64,
    /// The numbers of the first and the last.
    pub span: Option<(u64, u64)>,
    /// Numbers that no record can be read for; the last may be without an end.
    pub holes: Vec<(u64, Option<u64>)>,
}

/// Whose records are written, and which of them.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Whose.
    pub gateway: GatewayId,
    /// Of which enrolment.
    pub incarnation: Incarnation,
    /// The first number that is wanted.
    pub from: u64,
    /// The last number that is on disk for good; `u64::MAX` where all that is there is.
    pub durable: u64,
}

/// Writes the records of the journal in `folder` that `range` names.
///
/// # Errors
///
/// The journal cannot be read, or the file cannot be written.
pub(crate) fn write(
    folder: &Path,
    range: &Range,
    seal: &mut impl Seal,
    out: &mut impl Write,
) -> io::Result<Written> {
    let mut written = Written::default();
    let mut reader = Reader::new(folder, range.from);
    out.write_all(&MAGIC)?;
    loop {
        let next = written.span.map_or(range.from, |(_, last)| last.saturating_add(1));
        let end = Some(range.durable).filter(|durable| *durable != u64::MAX);
        let piece = match reader.next(range.durable, PIECE) {
            Ok(Some(piece)) => piece,
            Ok(None) => {
                if end.is_some_and(|end| next <= end) {
                    written.holes.push((next, end));
                }
                return Ok(written);
            }
            Err(NotRead::Damaged { next: None, .. }) => {
                written.holes.push((next, end));
                return Ok(written);
            }
            // What is behind is carried too; the hole is told below.
            Err(
                NotRead::Damaged { next: Some(_), .. } | NotRead::Unreadable { next: Some(_), .. },
            ) => {
                continue;
            }
            Err(NotRead::Io(source) | NotRead::Unreadable { source, .. }) => return Err(source),
        };
        if piece.first > next {
            written.holes.push((next, Some(piece.first - 1)));
        }
        let checkpoint = seal.checkpoint(piece.last, &piece.after);
        let message = batch::encode(range.gateway, range.incarnation, &piece, &checkpoint)?;
        let len = u32::try_from(message.len()).map_err(io::Error::other)?;
        out.write_all(&len.to_le_bytes())?;
        out.write_all(&message)?;
        written.records += piece.last - piece.first + 1;
        written.span = Some((written.span.map_or(piece.first, |(first, _)| first), piece.last));
    }
}

/// Why a file is no file of records.
#[derive(Debug, thiserror::Error)]
pub enum BadStick {
    /// It begins otherwise.
    #[error("the file is none that `gateward audit export` wrote; name another")]
    Magic,
    /// It ends within a batch, or names one that is longer than any.
    #[error("the file was cut short or altered; export it again")]
    Cut,
    /// It cannot be read.
    #[error("the file cannot be read")]
    Io(#[from] io::Error),
}

/// Hands each batch of a file to `take`, in order, with one of them in memory at a time.
///
/// # Errors
///
/// The file is not what [`write`] makes, or `take` fails.
pub fn read<E: From<BadStick>>(
    mut file: impl Read,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut magic = [0; MAGIC.len()];
    if !fill(&mut file, &mut magic)? || magic != MAGIC {
        return Err(BadStick::Magic.into());
    }
    let mut len = [0; 4];
    while fill(&mut file, &mut len)? {
        let len = u32::from_le_bytes(len);
        if len > MAX_BATCH {
            return Err(BadStick::Cut.into());
        }
        // Grows by what is there, never by what was announced.
        let mut batch = Vec::new();
        file.by_ref().take(len.into()).read_to_end(&mut batch).map_err(BadStick::Io)?;
        if batch.len() as u64 != u64::from(len) {
            return Err(BadStick::Cut.into());
        }
        take(&batch)?;
    }

    Ok(())
}

/// Fills `buffer`; returns whether there was anything left in the file.
fn fill(file: &mut impl Read, buffer: &mut [u8]) -> Result<bool, BadStick> {
    match file.read(buffer.get_mut(..1).unwrap_or_default())? {
        0 => Ok(false),
        _ => match file.read_exact(buffer.get_mut(1..).unwrap_or_default()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(BadStick::Cut),
            Err(error) => Err(error.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(batches: &[&[u8]]) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        for batch in batches {
            file.extend_from_slice(&u32::try_from(batch.len()).unwrap().to_le_bytes());
            file.extend_from_slice(batch);
        }

        file
    }

    fn batches(file: &[u8]) -> Result<Vec<Vec<u8>>, BadStick> {
        let mut taken = Vec::new();
        read(file, |batch| {
            taken.push(batch.to_vec());
            Ok(())
        })
        .map(|()| taken)
    }

    #[test]
    fn batches_come_out_as_they_went_in() {
        assert_eq!(batches(&file(&[b"one", b"", b"three"])).unwrap(), [&b"one"[..], b"", b"three"]);
        assert!(batches(&file(&[])).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_was_cut_anywhere_is_refused_or_ends_between_two_batches() {
        let whole = file(&[b"one", b"two"]);
        for len in 0..whole.len() {
            let cut = batches(&whole[..len]);
            let between = [MAGIC.len(), MAGIC.len() + 7].contains(&len);
            assert_eq!(cut.is_ok(), between, "{len}: {cut:?}");
        }
    }

    #[test]
    fn a_length_of_four_gigabytes_is_refused_before_anything_is_read() {
        let mut file = MAGIC.to_vec();
        file.extend_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(batches(&file), Err(BadStick::Cut)));
        assert!(matches!(batches(b"not a stick at all"), Err(BadStick::Magic)));
    }
}
