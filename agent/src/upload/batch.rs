//! A batch of records as the audit topic carries it, for both ends.
//!
//! postcard: format u8 (1), gateway \[u8; 16\], incarnation \[u8; 8\], first u64, head before
//! \[u8; 32\], snapshot in force before, option of (epoch u32, number u64, root \[u8; 32\]), count
//! u32, length u32, checkpoint bytes, records bytes. The records are zstd over, for each, length
//! u16 little-endian, record, tag; `length` is theirs before compression. The checkpoint is the
//! signed object of TRUST section 2 for the last record, or empty.

use std::io::{self, Read as _};

use gateward_core::audit::{BadRecord, Head, Record, SnapshotName, TAG_LEN, Tag};
use gateward_core::trust::{GatewayId, Incarnation};
use serde::{Deserialize, Serialize};

use crate::journal::Piece;

const FORMAT: u8 = 1;
/// As much as records compress well enough in, and not so much that a batch takes long.
const LEVEL: i32 = 3;
/// No batch holds more bytes of records.
pub const MAX_RECORDS: usize = 1 << 20;
/// Bytes of a batch beside its checkpoint and its records, at most.
pub const OVERHEAD: usize = 160;

/// Records that one gateway says it wrote; nothing is believed until [`Batch::walk`] went through.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Batch {
    /// Whose they are, as the batch says.
    pub gateway: GatewayId,
    /// Of which enrolment.
    pub incarnation: Incarnation,
    /// The number of the first record.
    pub first: u64,
    /// The chain's head before it.
    pub before: Head,
    /// The snapshot in force before it.
    pub snapshot: Option<SnapshotName>,
    /// How many records there are, at least 1.
    pub count: u32,
    /// The signed checkpoint of the last record; empty where there is none.
    pub checkpoint: Vec<u8>,
    records: Vec<u8>,
}

#[derive(Deserialize, Serialize)]
struct Wire<'a> {
    format: u8,
    gateway: [u8; 16],
    incarnation: [u8; 8],
    first: u64,
    before: [u8; 32],
    snapshot: Option<(u32, u64, [u8; 32])>,
    count: u32,
    length: u32,
    #[serde(borrow)]
    checkpoint: &'a [u8],
    #[serde(borrow)]
    records: &'a [u8],
}

/// Why bytes are not a batch, or a batch is not what it says.
#[derive(Debug, thiserror::Error)]
pub enum BadBatch {
    /// The chain's head after the last record is not the one that was expected.
    #[error("the records do not have the numbers that the batch says")]
    Numbers,
    /// The bytes are not those of a batch of this format.
    #[error("not a batch of format 1")]
    Frame,
    /// A record is none.
    #[error("record {number} cannot be read")]
    Record {
        /// The number that it should have.
        number: u64,
        /// Why not.
        source: BadRecord,
    },
    /// The records are not what was compressed.
    #[error("the records cannot be decompressed")]
    Zstd(#[source] io::Error),
}

/// One record of a batch, with the chain followed up to it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// What it says.
    pub record: Record<'a>,
    /// Its bytes, which the chain is over.
    pub bytes: &'a [u8],
    /// What proves it to whoever holds the gateway's first key.
    pub tag: Tag,
    /// The chain's head after it.
    pub head: Head,
    /// The snapshot in force at it.
    pub snapshot: Option<SnapshotName>,
}

/// Returns the message for `piece`.
///
/// # Errors
///
/// The records cannot be compressed, for want of memory.
pub fn encode(
    gateway: GatewayId,
    incarnation: Incarnation,
    piece: &Piece,
    checkpoint: &[u8],
) -> io::Result<Vec<u8>> {
    let records = zstd::bulk::compress(&piece.records, LEVEL)?;
    let count = u32::try_from(piece.last - piece.first + 1).map_err(io::Error::other)?;
    let wire = Wire {
        format: FORMAT,
        gateway: gateway.0,
        incarnation: incarnation.0,
        first: piece.first,
        before: piece.before.0,
        snapshot: piece.snapshot.map(|name| (name.epoch, name.number, name.root)),
        count,
        length: u32::try_from(piece.records.len()).map_err(io::Error::other)?,
        checkpoint,
        records: &records,
    };

    postcard::to_allocvec(&wire).map_err(io::Error::other)
}

impl Batch {
    /// Returns what [`encode`] would send of `piece`, without a checkpoint, for whoever shows it.
    #[must_use]
    pub fn of(gateway: GatewayId, incarnation: Incarnation, piece: Piece) -> Self {
        let count = piece.last.saturating_sub(piece.first).saturating_add(1);

        Self {
            gateway,
            incarnation,
            first: piece.first,
            before: piece.before,
            snapshot: piece.snapshot,
            count: u32::try_from(count).unwrap_or(u32::MAX),
            checkpoint: Vec::new(),
            records: piece.records,
        }
    }

    /// Reads a message; allocates as it decompresses, never as a length says.
    ///
    /// # Errors
    ///
    /// The bytes are not those of a batch.
    pub fn decode(message: &[u8]) -> Result<Self, BadBatch> {
        let (wire, rest) =
            postcard::take_from_bytes::<Wire<'_>>(message).map_err(|_| BadBatch::Frame)?;
        let length = usize::try_from(wire.length).map_err(|_| BadBatch::Frame)?;
        let fits = wire.format == FORMAT && rest.is_empty() && length <= MAX_RECORDS;
        if !fits || wire.count == 0 || wire.first == 0 {
            return Err(BadBatch::Frame);
        }
        let mut records = Vec::new();
        let decoder = zstd::stream::read::Decoder::new(wire.records).map_err(BadBatch::Zstd)?;
        let most = u64::from(wire.length) + 1;
        decoder.take(most).read_to_end(&mut records).map_err(BadBatch::Zstd)?;
        if records.len() != length {
            return Err(BadBatch::Frame);
        }

        Ok(Self {
            gateway: GatewayId(wire.gateway),
            incarnation: Incarnation(wire.incarnation),
            first: wire.first,
            before: Head(wire.before),
            snapshot: wire.snapshot.map(|(epoch, number, root)| SnapshotName {
                epoch,
                number,
                root,
            }),
            count: wire.count,
            checkpoint: wire.checkpoint.to_vec(),
            records,
        })
    }

    /// The number of the last record.
    #[must_use]
    pub fn last(&self) -> u64 {
        self.first.saturating_add(u64::from(self.count) - 1)
    }

    /// Goes through the records in order and returns the chain's head after the last.
    ///
    /// # Errors
    ///
    /// Names the first record that is none, or that does not have its number.
    pub fn walk<'a>(&'a self, mut show: impl FnMut(Entry<'a>)) -> Result<Head, BadBatch> {
        let (mut head, mut snapshot, mut number) = (self.before, self.snapshot, self.first);
        let mut rest = self.records.as_slice();
        while !rest.is_empty() {
            let (bytes, tag, after) = split(rest).ok_or(BadBatch::Frame)?;
            let record =
                Record::decode(bytes).map_err(|source| BadBatch::Record { number, source })?;
            if record.seq != number {
                return Err(BadBatch::Numbers);
            }
            head = head.next(bytes);
            snapshot = record.snapshot.or(snapshot);
            show(Entry { record, bytes, tag, head, snapshot });
            number = number.checked_add(1).ok_or(BadBatch::Numbers)?;
            rest = after;
        }
        if number.checked_sub(1) != Some(self.last()) {
            return Err(BadBatch::Numbers);
        }

        Ok(head)
    }
}

fn split(rest: &[u8]) -> Option<(&[u8], Tag, &[u8])> {
    let (len, rest) = rest.split_first_chunk::<2>()?;
    let (record, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
    let (tag, rest) = rest.split_first_chunk::<TAG_LEN>()?;

    Some((record, *tag, rest))
}

#[cfg(test)]
mod tests {
    use gateward_core::audit::{MAX_RECORD, Outcome};
    use gateward_core::decide::Reason;

    use super::*;

    fn piece() -> Piece {
        let (mut records, mut head) = (Vec::new(), Head([1; 32]));
        for seq in 5..=9 {
            let mut buffer = [0; MAX_RECORD];
            let record = Record { seq, ..Record::new(Outcome::Allow(Reason::Ok)) };
            let len = record.encode(&mut buffer).unwrap();
            records.extend_from_slice(&u16::try_from(len).unwrap().to_le_bytes());
            records.extend_from_slice(&buffer[..len]);
            records.extend_from_slice(&[7; TAG_LEN]);
            head = head.next(&buffer[..len]);
        }
        let snapshot = Some(SnapshotName { epoch: 1, number: 2, root: [3; 32] });

        Piece { first: 5, last: 9, before: Head([1; 32]), after: head, snapshot, records }
    }

    fn message() -> Vec<u8> {
        encode(GatewayId([4; 16]), Incarnation([5; 8]), &piece(), b"checkpoint").unwrap()
    }

    #[test]
    fn what_a_gateway_sends_is_what_the_collector_reads() {
        let batch = Batch::decode(&message()).unwrap();
        let mut seqs = Vec::new();
        let head = batch.walk(|entry| seqs.push((entry.record.seq, entry.tag))).unwrap();

        assert_eq!(head, piece().after);
        assert_eq!(seqs, (5..=9).map(|seq| (seq, [7; TAG_LEN])).collect::<Vec<_>>());
        assert_eq!((batch.last(), batch.snapshot), (9, piece().snapshot));
        assert_eq!(batch.checkpoint, b"checkpoint");
    }

    #[test]
    fn i9_a_batch_that_was_cut_grown_or_altered_is_refused_or_ends_in_another_head() {
        let message = message();
        for len in 0..message.len() {
            assert!(Batch::decode(&message[..len]).is_err(), "{len}");
        }
        let mut longer = message.clone();
        longer.push(0);
        assert!(matches!(Batch::decode(&longer), Err(BadBatch::Frame)));

        let head = piece().after;
        let good = Batch::decode(&message).unwrap();
        for at in 0..message.len() * 8 {
            let mut bad = message.clone();
            bad[at / 8] ^= 1 << (at % 8);
            let Ok(batch) = Batch::decode(&bad) else { continue };
            // What the collector looks at beside the chain: whose, from where on, the checkpoint.
            let about = |batch: &Batch| {
                let whose = (batch.gateway, batch.incarnation);
                (whose, batch.first, batch.before, batch.checkpoint.clone())
            };
            let mut tags = Vec::new();
            let after = batch.walk(|entry| tags.push(entry.tag)).ok();
            let told = about(&batch) != about(&good) || after != Some(head);
            let forged = tags.iter().any(|tag| *tag != [7; TAG_LEN]);
            if !told && !forged {
                // The snapshot is not in the chain, and the collector does not go by it.
                assert_eq!(Batch { snapshot: good.snapshot, ..batch }, good, "bit {at}");
            }
        }
    }

    #[test]
    fn a_batch_that_would_decompress_to_more_than_it_says_is_refused() {
        let bomb = Piece { records: vec![0; MAX_RECORDS + 1], ..piece() };
        let message = encode(GatewayId([4; 16]), Incarnation([5; 8]), &bomb, &[]).unwrap();

        assert!(message.len() < 1000 && matches!(Batch::decode(&message), Err(BadBatch::Frame)));
    }
}
