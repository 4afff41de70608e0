//! Reading the journal from a number on, while it is being written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use gateward_core::audit::{Head, Record, SnapshotName};

use super::frame::{Frame, HEAD_LEN, MAX_FRAME, SegmentHead};
use super::medium::{is_gone, is_unreadable};
use super::recover::list;
use super::writer::segment_path;

/// How much is read at once.
const PIECE: usize = 64 << 10;

/// Why there is nothing to read although there should be.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    /// A segment holds bytes that are no record where one was written.
    #[error("`{}`: record {from} is damaged or was altered; keep the file, and compare with the collector's copy", path.display())]
    Damaged {
        /// Which segment.
        path: PathBuf,
        /// The first number that cannot be read.
        from: u64,
        /// Where the reader goes on, the number with which the next segment begins; where there is
        /// none yet, the same error comes again until there is.
        next: Option<u64>,
    },
    /// A file cannot be read.
    #[error("the journal cannot be read; check the disk and that only the agent writes there")]
    Io(#[from] io::Error),
    /// The disk does not give back a segment.
    #[error("`{}`: the disk does not give it back: {source}; keep it, and replace the disk", path.display())]
    Unreadable {
        /// Which segment.
        path: PathBuf,
        /// The first number that cannot be read.
        from: u64,
        /// Where the reader goes on, as with [`NotRead::Damaged`].
        next: Option<u64>,
        /// What the system says.
        source: io::Error,
    },
}

/// Consecutive records of one segment, with what is needed to follow the chain from there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Piece {
    /// The number of the first record.
    pub first: u64,
    /// The number of the last record.
    pub last: u64,
    /// The chain's head before the first.
    pub before: Head,
    /// The chain's head after the last.
    pub after: Head,
    /// The snapshot in force before the first.
    pub snapshot: Option<SnapshotName>,
    /// Each record as length u16 little-endian, record, tag.
    pub records: Vec<u8>,
}

/// A place in the journal; it goes on when there is more.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    next: u64,
    at: Option<Place>,
}

#[derive(Debug)]
struct Place {
    file: File,
    /// The number with which the segment begins.
    first: u64,
    offset: u64,
    last: u64,
    head: Head,
    snapshot: Option<SnapshotName>,
    /// Nothing was found here that is no record.
    whole: bool,
}

impl Reader {
    pub(crate) fn new(folder: &Path, from: u64) -> Self {
        Self { folder: folder.to_owned(), next: from.max(1), at: None }
    }

    /// Returns the next records of one segment, none above number `durable` and together at most
    /// `limit` bytes (but at least one record); none where there are no more for now.
    ///
    /// Records that are no longer there are passed over, which `first` shows.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or holds no record where there was one: what could not be read is
    /// never passed over in silence.
    pub fn next(&mut self, durable: u64, limit: usize) -> Result<Option<Piece>, NotRead> {
        let read = self.try_next(durable, limit);
        if let Err(NotRead::Io(source)) = read {
            return Err(if is_unreadable(&source) {
                self.unreadable(source)
            } else {
                NotRead::Io(source)
            });
        }

        read
    }

    /// Says which segment it is that cannot be read, and goes on behind it.
    fn unreadable(&mut self, source: io::Error) -> NotRead {
        let Ok(segments) = list(&self.folder) else { return NotRead::Io(source) };
        let holding = segments.iter().rev().find(|first| **first <= self.next);
        let Some(first) = holding.or(segments.first()).copied() else { return NotRead::Io(source) };
        let next = segments.into_iter().find(|other| *other > first);
        let from = self.next.max(first);
        self.next = next.unwrap_or(self.next);
        self.at = None;

        NotRead::Unreadable { path: segment_path(&self.folder, first), from, next, source }
    }

    fn try_next(&mut self, durable: u64, limit: usize) -> Result<Option<Piece>, NotRead> {
        while self.next <= durable {
            if self.at.is_none() && !self.seek()? {
                return Ok(None);
            }
            let (piece, damaged) = self.read(durable, limit)?;
            if piece.is_some() {
                return Ok(piece);
            }
            // The segment has no more; a later one goes on.
            let left = self.at.take();
            // One that was dropped meanwhile is emptied.
            let is_there = |place: &Place| !is_gone(&segment_path(&self.folder, place.first));
            let mut segments = list(&self.folder)?.into_iter();
            if let Some(place) = left.filter(|place| damaged && is_there(place)) {
                let next = segments.find(|first| *first > place.first);
                self.next = next.unwrap_or(self.next).max(self.next);
                let path = segment_path(&self.folder, place.first);
                return Err(NotRead::Damaged { path, from: place.last.saturating_add(1), next });
            }
            match segments.find(|first| *first >= self.next) {
                Some(first) => self.next = first,
                None => return Ok(None),
            }
        }

        Ok(None)
    }

    /// Returns the chain's head after record `number`; none where that record is not there.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or what should be a record is none.
    pub fn head_after(folder: &Path, number: u64) -> io::Result<Option<Head>> {
        let mut reader = Self::new(folder, number);
        if number == 0 || !reader.seek()? {
            return Ok(None);
        }
        let (piece, _) = reader.read(number, 0)?;

        Ok(piece.filter(|piece| piece.last == number).map(|piece| piece.after))
    }

    /// Returns whether record `number` is before the first one that is still there.
    pub(crate) fn begins_after(folder: &Path, number: u64) -> bool {
        list(folder).is_ok_and(|segments| segments.first().is_some_and(|first| *first > number))
    }

    /// Opens the segment with record `next` and goes there; the first later one where it is gone.
    fn seek(&mut self) -> io::Result<bool> {
        let segments = list(&self.folder)?;
        let holding = segments.iter().rev().find(|first| **first <= self.next);
        let Some(first) = holding.or(segments.first()).copied() else { return Ok(false) };
        let path = segment_path(&self.folder, first);
        let file = match File::open(&path) {
            // It was dropped meanwhile.
            Err(_) if is_gone(&path) => return self.seek(),
            file => file?,
        };
        let mut bytes = [0; HEAD_LEN];
        let whole = file.read_exact_at(&mut bytes, 0).is_ok();
        let head = SegmentHead::decode(&bytes).filter(|head| whole && head.first == first);
        let last = first.saturating_sub(1);
        if head.is_none() && is_gone(&path) {
            // And emptied.
            return self.seek();
        }
        let Some(head) = head else {
            // Nothing of it can be followed; its records are found missing when they are read.
            let (head, snapshot) = (Head::START, None);
            self.at = Some(Place { file, first, offset: 0, last, head, snapshot, whole: false });
            return Ok(true);
        };
        self.next = self.next.max(first);
        let mut place = Place {
            file,
            first,
            offset: u64::try_from(HEAD_LEN).unwrap_or_default(),
            last,
            head: head.before,
            snapshot: head.snapshot,
            whole: true,
        };
        place.advance(self.next - 1, usize::MAX, |_| ())?;
        self.at = Some(place);

        Ok(true)
    }

    /// Returns the next records of the segment, and whether it goes on with what is no record.
    fn read(&mut self, durable: u64, limit: usize) -> io::Result<(Option<Piece>, bool)> {
        let Some(place) = &mut self.at else { return Ok((None, false)) };
        let (before, snapshot, first) = (place.head, place.snapshot, place.last.saturating_add(1));
        let mut records = Vec::new();
        if first == self.next {
            place.advance(durable, limit, |frame| {
                let len = u16::try_from(frame.record.len()).unwrap_or(u16::MAX);
                records.extend_from_slice(&len.to_le_bytes());
                records.extend_from_slice(frame.record);
                records.extend_from_slice(&frame.tag);
            })?;
        }
        let (last, after) = (place.last, place.head);
        self.next = self.next.max(last.saturating_add(1));
        let piece = Piece { first, last, before, after, snapshot, records };

        Ok((Some(piece).filter(|piece| !piece.records.is_empty()), !place.whole))
    }
}

impl Place {
    /// Goes over records up to number `through`, stopping after the first with which they take
    /// `limit` bytes or more would follow.
    fn advance(
        &mut self,
        through: u64,
        limit: usize,
        mut take: impl FnMut(&Frame<'_>),
    ) -> io::Result<()> {
        let mut buffer = vec![0; PIECE.max(MAX_FRAME)];
        let mut taken = 0_usize;
        while self.whole && self.last < through {
            let got = self.file.read_at(&mut buffer, self.offset)?;
            let mut rest = buffer.get(..got).unwrap_or_default();
            let before = self.last;
            while let Some((frame, record)) = self.frame(rest).filter(|_| self.last < through) {
                if taken > 0 && taken + frame.len() > limit {
                    return Ok(());
                }
                take(&frame);
                taken += frame.len();
                self.last = record.seq;
                self.head = self.head.next(frame.record);
                self.snapshot = record.snapshot.or(self.snapshot);
                self.offset += u64::try_from(frame.len()).unwrap_or_default();
                rest = rest.get(frame.len()..).unwrap_or_default();
            }
            if self.last == before {
                // Up to `through` everything was written whole, so what is here is no record any
                // more; where nothing is here a later segment has it.
                self.whole = got == 0;
                return Ok(());
            }
        }

        Ok(())
    }

    /// Reads the record after the last one.
    fn frame<'a>(&self, bytes: &'a [u8]) -> Option<(Frame<'a>, Record<'a>)> {
        let frame = Frame::read(bytes)?;
        let record = Record::decode(frame.record).ok()?;

        (Some(record.seq) == self.last.checked_add(1)).then_some((frame, record))
    }
}
