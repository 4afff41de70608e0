//! The bytes around records on disk: the head of a segment and the frame of a record.
//!
//! A frame is length of the record u16 · CRC-32 of length, record and tag · record · tag, all
//! little-endian. A checksum finds accidents; the chain finds the rest.

use gateward_core::audit::{Head, MAX_RECORD, SnapshotName, TAG_LEN, Tag};
use gateward_core::trust::{GatewayId, Incarnation};

/// Bytes of a segment's head.
pub(crate) const HEAD_LEN: usize = 136;
/// Bytes of a frame beside its record.
pub(crate) const FRAMING: usize = 2 + 4 + TAG_LEN;
/// No frame has more bytes.
pub(crate) const MAX_FRAME: usize = FRAMING + MAX_RECORD;

const MAGIC: [u8; 8] = *b"GWDAUDT1";

/// How a segment begins: enough to follow the chain from here without the segments before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SegmentHead {
    /// Whose records they are.
    pub gateway: GatewayId,
    /// Of which enrolment.
    pub incarnation: Incarnation,
    /// Which start of the agent began the segment.
    pub boot: u32,
    /// The number of the first record.
    pub first: u64,
    /// The chain's head before the first record.
    pub before: Head,
    /// When it was begun, in milliseconds since 1970.
    pub created_at: u64,
    /// The snapshot in force before the first record; version 0 where there was none.
    pub snapshot: Option<SnapshotName>,
}

impl SegmentHead {
    pub(crate) fn encode(&self) -> [u8; HEAD_LEN] {
        let snapshot = self.snapshot.unwrap_or(NO_SNAPSHOT);
        let mut bytes = [0; HEAD_LEN];
        let fields: [&[u8]; 10] = [
            &MAGIC,
            &self.gateway.0,
            &self.incarnation.0,
            &self.boot.to_le_bytes(),
            &self.first.to_le_bytes(),
            &self.before.0,
            &self.created_at.to_le_bytes(),
            &snapshot.epoch.to_le_bytes(),
            &snapshot.number.to_le_bytes(),
            &snapshot.root,
        ];
        let places = bytes.iter_mut().zip(fields.into_iter().flatten());
        places.for_each(|(place, byte)| *place = *byte);
        if let Some((body, sum)) = bytes.split_last_chunk_mut::<4>() {
            *sum = crc32(&[body]).to_le_bytes();
        }

        bytes
    }

    /// Reads the first bytes of a segment; none where they are not a whole head.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.get(..HEAD_LEN)?.split_last_chunk::<4>()?;
        if crc32(&[body]).to_le_bytes() != *sum {
            return None;
        }
        let mut rest = body;
        if take(&mut rest)? != MAGIC {
            return None;
        }
        let head = Self {
            gateway: GatewayId(take(&mut rest)?),
            incarnation: Incarnation(take(&mut rest)?),
            boot: u32::from_le_bytes(take(&mut rest)?),
            first: u64::from_le_bytes(take(&mut rest)?),
            before: Head(take(&mut rest)?),
            created_at: u64::from_le_bytes(take(&mut rest)?),
            snapshot: Some(SnapshotName {
                epoch: u32::from_le_bytes(take(&mut rest)?),
                number: u64::from_le_bytes(take(&mut rest)?),
                root: take(&mut rest)?,
            })
            .filter(|snapshot| *snapshot != NO_SNAPSHOT),
        };

        Some(head)
    }
}

const NO_SNAPSHOT: SnapshotName = SnapshotName { epoch: 0, number: 0, root: [0; 32] };

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;

    Some(*bytes)
}

/// A record and its tag, as they lie in a segment; only the checksum has been looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) record: &'a [u8],
    pub(crate) tag: Tag,
}

impl<'a> Frame<'a> {
    /// Reads the frame at the start of `bytes`; none where there is no whole one.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (len, rest) = bytes.split_first_chunk::<2>()?;
        let (sum, rest) = rest.split_first_chunk::<4>()?;
        let size = usize::from(u16::from_le_bytes(*len));
        if size > MAX_RECORD {
            return None;
        }
        let (record, rest) = rest.split_at_checked(size)?;
        let (tag, _) = rest.split_first_chunk::<TAG_LEN>()?;

        (crc32(&[len, record, tag]).to_le_bytes() == *sum).then_some(Frame { record, tag: *tag })
    }

    /// Bytes of the whole frame.
    pub(crate) fn len(&self) -> usize {
        FRAMING + self.record.len()
    }

    /// Appends the frame to `to`.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        let len = u16::try_from(self.record.len()).unwrap_or(u16::MAX).to_le_bytes();
        to.extend_from_slice(&len);
        to.extend_from_slice(&crc32(&[&len, self.record, &self.tag]).to_le_bytes());
        to.extend_from_slice(self.record);
        to.extend_from_slice(&self.tag);
    }
}

/// CRC-32 (IEEE 802.3) by a table: nothing here is secret, so an address may depend on it.
pub(crate) fn crc32(parts: &[&[u8]]) -> u32 {
    let bytes = parts.iter().copied().flatten();
    let crc = bytes.fold(!0_u32, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        (crc >> 8) ^ TABLE.get(usize::from(low ^ byte)).copied().unwrap_or_default()
    });

    !crc
}

const TABLE: [u32; 256] = table();

#[expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where `try_from` and `get_mut` are not to be had"
)]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut value = at as u32;
        let mut bit = 0;
        while bit < 8 {
            value = (value >> 1) ^ (0xedb8_8320 & (value & 1).wrapping_neg());
            bit += 1;
        }
        table[at] = value;
        at += 1;
    }

    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_everybody() {
        assert_eq!(crc32(&[b"1234", b"56789"]), 0xcbf4_3926);
    }

    #[test]
    fn a_segments_head_is_read_back_and_every_flipped_bit_is_seen() {
        let head = SegmentHead {
            gateway: GatewayId([1; 16]),
            incarnation: Incarnation([2; 8]),
            boot: 3,
            first: 4,
            before: Head([5; 32]),
            created_at: 6,
            snapshot: Some(SnapshotName { epoch: 7, number: 8, root: [9; 32] }),
        };
        let bytes = head.encode();

        assert_eq!(SegmentHead::decode(&bytes), Some(head));
        for at in 0..HEAD_LEN * 8 {
            let mut bad = bytes;
            bad[at / 8] ^= 1 << (at % 8);
            assert_eq!(SegmentHead::decode(&bad), None, "bit {at}");
        }
        let without = SegmentHead { snapshot: None, ..head };
        assert_eq!(SegmentHead::decode(&without.encode()), Some(without));
    }
}
