//! Following the chain: through one segment, and through all of them.

use std::path::{Path, PathBuf};
use std::{fs, io};

use gateward_core::audit::{Event, Head, Outcome, Record, SnapshotName};

use super::frame::{Frame, HEAD_LEN, SegmentHead};
use super::recover::list;
use super::room::Share;
use super::writer::segment_path;

/// One pass over the bytes of a segment.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    bytes: &'a [u8],
    /// Where the next frame begins.
    pub(crate) at: usize,
    /// The number of the record before it.
    pub(crate) last: u64,
    /// The chain's head there.
    pub(crate) head: Head,
    /// The snapshot in force there.
    pub(crate) snapshot: Option<SnapshotName>,
    /// Bytes of the frames before it that are of [`Share::Bounded`].
    pub(crate) bounded: u64,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(head: &SegmentHead, bytes: &'a [u8]) -> Self {
        let last = head.first.saturating_sub(1);

        Self { bytes, at: HEAD_LEN, last, head: head.before, snapshot: head.snapshot, bounded: 0 }
    }

    /// Goes over one record; none where no good one follows.
    pub(crate) fn step(&mut self) -> Option<Frame<'a>> {
        let frame = Frame::read(self.bytes.get(self.at..)?)?;
        let record = Record::decode(frame.record).ok()?;
        if record.seq != self.last.checked_add(1)? {
            return None;
        }
        self.at += frame.len();
        self.last = record.seq;
        self.head = self.head.next(frame.record);
        self.snapshot = record.snapshot.or(self.snapshot);
        if Share::of(record.outcome) == Share::Bounded {
            self.bounded += u64::try_from(frame.len()).unwrap_or_default();
        }

        Some(frame)
    }

    fn is_over(&self) -> bool {
        self.at >= self.bytes.len()
    }
}

/// What a whole journal holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Verified {
    /// How many records there are.
    pub records: u64,
    /// The numbers of the first and the last.
    pub span: Option<(u64, u64)>,
    /// The chain's head after the last; what the status topic and the checkpoints must show.
    pub head: Option<Head>,
    /// Numbers that are missing and that the journal itself says are missing.
    pub gaps: Vec<(u64, u64)>,
    /// Files that were set aside.
    pub damaged: Vec<PathBuf>,
}

/// Where a journal's chain is broken.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// A segment does not begin as one.
    #[error("`{}`: not the beginning of a segment; compare with the collector's copy", path.display())]
    Head {
        /// Which segment.
        path: PathBuf,
    },
    /// A record is not what was written.
    #[error("`{}`: record {record} is damaged or was altered; compare with the collector's copy", path.display())]
    Record {
        /// Which segment.
        path: PathBuf,
        /// The number of the record.
        record: u64,
    },
    /// Records are missing and nothing says so.
    #[error("`{}`: records {first} to {last} before it are missing without a gap record; ask the collector for them", path.display())]
    Missing {
        /// The segment that follows.
        path: PathBuf,
        /// The first missing number.
        first: u64,
        /// The last missing number.
        last: u64,
    },
    /// A segment does not follow from the one before.
    #[error("`{}`: does not follow from the segment before it; one of them was exchanged", path.display())]
    Order {
        /// The segment that does not follow.
        path: PathBuf,
    },
    /// A file cannot be read.
    #[error("`{}`: cannot be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Follows the chain through all segments in `folder`.
///
/// An unfinished record at the very end is none: it may just be being written.
///
/// # Errors
///
/// Names the first place where the chain is broken.
pub fn verify(folder: &Path) -> Result<Verified, Broken> {
    walk(folder, |_, _, _| ())
}

/// Like [`verify`], and shows each record in order with the chain's head after it and the snapshot
/// in force.
///
/// # Errors
///
/// Names the first place where the chain is broken; the records before it have been shown.
pub fn walk(
    folder: &Path,
    mut show: impl FnMut(&SegmentHead, &Record<'_>, (&Head, Option<SnapshotName>)),
) -> Result<Verified, Broken> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| Broken::Unreadable { path, source }
    };
    let mut verified =
        Verified { damaged: damaged(folder).map_err(unreadable(folder))?, ..Verified::default() };
    let segments = list(folder).map_err(unreadable(folder))?;
    let newest = segments.last().copied();
    // The hole before a segment, until the gap record that owns up to it is seen.
    let mut open: Option<(PathBuf, u64, u64)> = None;
    for first in segments {
        let path = segment_path(folder, first);
        let bytes = fs::read(&path).map_err(unreadable(&path))?;
        let Some(head) = SegmentHead::decode(&bytes).filter(|head| head.first == first) else {
            return Err(Broken::Head { path });
        };
        if let (Some((_, last)), Some(before)) = (verified.span, verified.head) {
            if first <= last || (first == last + 1 && before != head.before) {
                return Err(Broken::Order { path });
            }
            if first > last + 1 {
                open = Some((path.clone(), last + 1, first - 1));
            }
        }
        let mut walk = Walk::new(&head, &bytes);
        while let Some(frame) = walk.step() {
            let Ok(record) = Record::decode(frame.record) else { break };
            show(&head, &record, (&walk.head, walk.snapshot));
            let (from, _) = verified.span.unwrap_or((record.seq, 0));
            verified.span = Some((from, record.seq));
            verified.records += 1;
            if let (Outcome::Event(Event::Gap), Some(gap)) = (record.outcome, record.span) {
                open = open.filter(|(_, first, last)| *first < gap.0 || *last > gap.1);
                verified.gaps.push(gap);
            }
        }
        verified.head = Some(walk.head);
        if !walk.is_over() && newest != Some(first) {
            return Err(Broken::Record { path, record: walk.last.saturating_add(1) });
        }
        if !walk.is_over() && !is_torn(&bytes, walk.at) {
            return Err(Broken::Record { path, record: walk.last.saturating_add(1) });
        }
        if let Some((path, first, last)) = open.take() {
            return Err(Broken::Missing { path, first, last });
        }
    }

    Ok(verified)
}

/// Goes through the bytes of one segment and shows each whole record in order, with the chain's head
/// after it.
///
/// Returns how the segment begins and how many of its bytes are its head and whole records; none
/// where it does not begin as one.
pub fn segment(
    bytes: &[u8],
    mut show: impl FnMut(&Record<'_>, &Head),
) -> Option<(SegmentHead, usize)> {
    let head = SegmentHead::decode(bytes)?;
    let mut walk = Walk::new(&head, bytes);
    while let Some(frame) = walk.step() {
        let Ok(record) = Record::decode(frame.record) else { break };
        show(&record, &walk.head);
    }

    Some((head, walk.at))
}

/// Whether what follows `at` is the beginning of a record and nothing more.
fn is_torn(bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some((len, body)) = rest.split_first_chunk::<2>() else { return true };

    body.len() + 2 < usize::from(u16::from_le_bytes(*len)) + super::frame::FRAMING
}

fn damaged(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        paths.extend(Some(path).filter(|path| path.extension().is_some_and(|e| e == "damaged")));
    }
    paths.sort();

    Ok(paths)
}
