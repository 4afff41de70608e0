//! Following the chain: through one segment, and through all of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use gateward_core::audit::{Event, Head, Outcome, Record, SnapshotName};
use gateward_core::trust::Incarnation;

use super::checkpoints::{self, Found, Signer};
use super::frame::{Frame, HEAD_LEN, SegmentHead};
use super::medium::is_gone;
use super::recover::{list, list_of};
use super::room::Share;
use super::torn::{Marks, is_begun, is_torn};
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

    pub(crate) fn is_over(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// What follows the records that were gone over.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
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
    /// How many signed checkpoints agree with the chain; 0 where none were looked at.
    pub checkpoints: u64,
    /// The last record that one of them covers.
    pub signed: Option<u64>,
    /// Places for a checkpoint with something in them that the gateway did not sign.
    pub unsigned_places: u64,
    /// Checkpoints that were being written when the power went.
    pub torn_checkpoints: u64,
}

/// Where a journal's chain is broken.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The gateway has signed another chain.
    #[error("`{}`: the gateway's signed checkpoint shows that what stands up to record {record} was altered; compare with the collector's copy", path.display())]
    Checkpoint {
        /// Which segment.
        path: PathBuf,
        /// The number of the record that the checkpoint is for.
        record: u64,
    },
    /// A signed checkpoint names records that are not there, and nothing says so.
    #[error("`{}`: the gateway has signed for record {record}, and it is missing without a gap record; ask the collector for it", path.display())]
    Cut {
        /// The segment that should hold it.
        path: PathBuf,
        /// The number of the record that the checkpoint is for.
        record: u64,
    },
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
/// What is at the very end and was never a whole record is none: it may just be being written, or the power
/// went while it was.
///
/// # Errors
///
/// Names the first place where the chain is broken.
pub fn verify(folder: &Path) -> Result<Verified, Broken> {
    walk(folder, |_, _, _| ())
}

/// Like [`verify`], and compares the chain with every checkpoint that `by` has signed.
///
/// Places that `by` has not signed are counted and prove nothing: whoever can write to the folder can
/// also take checkpoints away, and then [`Verified::signed`] ends sooner.
///
/// # Errors
///
/// Names the first place where the chain is broken, or is not what was signed.
pub fn verify_signed(folder: &Path, by: &Signer) -> Result<Verified, Broken> {
    follow(folder, Some(by), |_, _, _| ())
}

/// Like [`verify`], and shows each record in order with the chain's head after it and the snapshot
/// in force.
///
/// # Errors
///
/// Names the first place where the chain is broken; the records before it have been shown.
pub fn walk(
    folder: &Path,
    show: impl FnMut(&SegmentHead, &Record<'_>, (&Head, Option<SnapshotName>)),
) -> Result<Verified, Broken> {
    follow(folder, None, show)
}

/// What is signed about the segment at hand, and what was signed for and is not there.
#[derive(Default)]
struct Signed {
    heads: BTreeMap<u64, Head>,
    /// What stood beside the segments before the first of them was read: an agent may go on meanwhile,
    /// and whatever was signed by then is in them.
    beside: BTreeMap<u64, Vec<u8>>,
    missing: Vec<(PathBuf, u64)>,
}

impl Signed {
    fn read(folder: &Path) -> io::Result<Self> {
        let firsts = list_of(folder, "ckp")?.into_iter();
        let beside = firsts.map(|first| Ok((first, checkpoints::bytes(folder, first)?)));

        Ok(Self { beside: beside.collect::<io::Result<_>>()?, ..Self::default() })
    }

    /// The last record that is signed for beside the newest segment.
    fn newest(&self, by: Option<&Signer>, whose: Option<Incarnation>) -> u64 {
        let found = by.zip(whose).zip(self.beside.last_key_value());
        let found =
            found.map(|((by, whose), (first, bytes))| Found::among(bytes, *first, by, whose));

        found.and_then(|found| found.last()).map_or(0, |(number, _)| number)
    }

    /// Takes up what stands beside a segment.
    fn begin(&mut self, head: &SegmentHead, by: Option<&Signer>, verified: &mut Verified) {
        let (Some(by), Some(bytes)) = (by, self.beside.get(&head.first)) else { return };
        let found = Found::among(bytes, head.first, by, head.incarnation);
        verified.unsigned_places += found.bad;
        verified.torn_checkpoints += u64::from(found.is_torn);
        self.heads = found.heads;
    }

    /// Returns whether what is signed for the record just walked over, if anything, agrees.
    fn agrees(&mut self, walk: &Walk<'_>, verified: &mut Verified) -> bool {
        let Some(head) = self.heads.remove(&walk.last) else { return true };
        verified.checkpoints += 1;
        verified.signed = Some(walk.last);

        head == walk.head
    }

    /// Leaves the segment: what is signed for and was not walked over is missing.
    fn end(&mut self, path: &Path) {
        let left = std::mem::take(&mut self.heads);
        self.missing.extend(left.into_keys().map(|record| (path.to_owned(), record)));
    }

    /// Takes up what is signed behind the last segment, which begins with `newest`: of segments that are
    /// gone.
    fn behind(&mut self, folder: &Path, newest: &SegmentHead, by: Option<&Signer>) {
        let Some(by) = by else { return };
        for (first, bytes) in std::mem::take(&mut self.beside) {
            if first > newest.first {
                self.heads = Found::among(&bytes, first, by, newest.incarnation).heads;
                self.end(&segment_path(folder, first));
            }
        }
    }

    /// The first record that is signed for, is not there, and is in no gap.
    fn cut(self, gaps: &[(u64, u64)]) -> Option<Broken> {
        let in_gap = |record: u64| gaps.iter().any(|(from, to)| (*from..=*to).contains(&record));
        let (path, record) = self.missing.into_iter().find(|(_, record)| !in_gap(*record))?;

        Some(Broken::Cut { path, record })
    }
}

fn follow(
    folder: &Path,
    by: Option<&Signer>,
    mut show: impl FnMut(&SegmentHead, &Record<'_>, (&Head, Option<SnapshotName>)),
) -> Result<Verified, Broken> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| Broken::Unreadable { path, source }
    };
    let mut signed = if by.is_some() {
        Signed::read(folder).map_err(unreadable(folder))?
    } else {
        <_>::default()
    };
    let mut verified =
        Verified { damaged: damaged(folder).map_err(unreadable(folder))?, ..Verified::default() };
    let marks = Marks::read(folder).map_err(unreadable(folder))?;
    let segments = list(folder).map_err(unreadable(folder))?;
    let mut before = None;
    let newest = segments.last().copied();
    let mut older: Option<PathBuf> = None;
    // Holes before segments, until the gap record that owns up to each is seen: a start writes it at
    // once, the upload where it comes upon one.
    let mut open: Vec<(PathBuf, u64, u64)> = Vec::new();
    for first in segments {
        let path = segment_path(folder, first);
        let read = fs::read(&path);
        // A running agent lets the oldest go meanwhile, one after the other, never the newest: what is there begins
        // behind them.
        let is_oldest = older.replace(path.clone()).is_none_or(|older| is_gone(&older));
        if newest != Some(first) && is_gone(&path) && is_oldest {
            verified = Verified { damaged: verified.damaged, ..Verified::default() };
            open.clear();
            continue;
        }
        let bytes = read.map_err(unreadable(&path))?;
        let Some(head) = SegmentHead::decode(&bytes).filter(|head| head.first == first) else {
            let whose = before.as_ref().map(|head: &SegmentHead| head.incarnation);
            let durable = marks.durable(whose).max(signed.newest(by, whose));
            if newest == Some(first) && is_begun(&bytes, first, durable) {
                if let Some(head) = &before {
                    signed.behind(folder, head, by);
                }
                break;
            }
            return Err(Broken::Head { path });
        };
        if let (Some((_, last)), Some(before)) = (verified.span, verified.head) {
            if first <= last || (first == last + 1 && before != head.before) {
                return Err(Broken::Order { path });
            }
            if first > last + 1 {
                open.push((path.clone(), last + 1, first - 1));
            }
        }
        let whose = Some(head.incarnation);
        let durable = marks.durable(whose).max(signed.newest(by, whose));
        signed.begin(&head, by, &mut verified);
        let mut walk = Walk::new(&head, &bytes);
        while let Some(frame) = walk.step() {
            let Ok(record) = Record::decode(frame.record) else { break };
            if !signed.agrees(&walk, &mut verified) {
                return Err(Broken::Checkpoint { path, record: record.seq });
            }
            show(&head, &record, (&walk.head, walk.snapshot));
            let (from, _) = verified.span.unwrap_or((record.seq, 0));
            verified.span = Some((from, record.seq));
            verified.records += 1;
            if let (Outcome::Event(Event::Gap), Some(gap)) = (record.outcome, record.span) {
                open.retain(|(_, first, last)| *first < gap.0 || *last > gap.1);
                verified.gaps.push(gap);
            }
        }
        verified.head = Some(walk.head);
        signed.end(&path);
        if newest == Some(first) {
            signed.behind(folder, &head, by);
        }
        let may_end = walk.is_over() || (newest == Some(first) && is_torn(&walk, durable));
        if !may_end {
            return Err(Broken::Record { path, record: walk.last.saturating_add(1) });
        }
        before = Some(head);
    }
    if let Some((path, first, last)) = open.into_iter().next() {
        return Err(Broken::Missing { path, first, last });
    }

    signed.cut(&verified.gaps).map_or(Ok(verified), Err)
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

fn damaged(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        paths.extend(Some(path).filter(|path| path.extension().is_some_and(|e| e == "damaged")));
    }
    paths.sort();

    Ok(paths)
}
