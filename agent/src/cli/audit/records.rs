//! The records of this gateway's journal from a number on, with whatever is missing among them.

use std::io;
use std::path::PathBuf;

use gateward_core::audit::Record;
use gateward_core::trust::GatewayId;

use super::super::carry;
use super::super::{Exit, Global};
use crate::config::Config;
use crate::identity::Identity;
use crate::journal::json::{Line, Origin};
use crate::journal::{NotRead, Piece, Reader, Signer, torn};
use crate::upload::batch::Batch;

/// Bytes of records that are held at once.
const PIECE: usize = 256 << 10;

/// What is read next.
#[derive(Debug)]
pub(super) enum Next {
    /// Consecutive records.
    Records(Piece),
    /// These numbers are not there, or cannot be read; the last may be without an end.
    Hole(u64, Option<u64>),
    /// There are no more for now.
    End,
}

/// Reads the journal in order; it may be written to meanwhile.
#[derive(Debug)]
pub(super) struct Records {
    folder: PathBuf,
    origin: Origin,
    reader: Reader,
    /// The number that is expected; none before the first record.
    next: Option<u64>,
    /// What was read behind a hole, until that has been told.
    held: Option<Piece>,
    /// The hole without an end that was told.
    told: Option<u64>,
    /// Whose checkpoints count; none where the key is not at hand.
    by: Option<Signer>,
    /// How many bytes behind the last record are the beginning of one.
    torn: u64,
}

impl Records {
    /// Begins after number `after`.
    pub(super) fn open(config: &Config, after: u64, global: &Global) -> Result<Self, Exit> {
        let identity = Identity::load(&config.gateway_key)
            .map_err(|bad| global.fail(Exit::Io.unless_refused(&bad), &bad))?;
        let Config { account, ref gateway, .. } = *config;
        let gateway = GatewayId::of(account, gateway.as_str());
        let origin = Origin { account, gateway, incarnation: identity.incarnation };
        let by = Signer { account, gateway, key: identity.key.verifying_key() };
        let records = Self::of(config.state_dir.join("audit"), origin, after);

        Ok(Self { by: Some(by), ..records })
    }

    pub(super) fn of(folder: PathBuf, origin: Origin, after: u64) -> Self {
        let next = after.saturating_add(1);
        let reader = Reader::new(&folder, next);
        let next = (after > 0).then_some(next);

        Self { folder, origin, reader, next, held: None, told: None, by: None, torn: 0 }
    }

    pub(super) const fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// How many bytes behind the last record the next start of the agent cuts off.
    pub(super) const fn torn(&self) -> u64 {
        self.torn
    }

    /// Reads on, no further than number `durable`.
    pub(super) fn next(&mut self, durable: u64) -> io::Result<Next> {
        let piece = match self.held.take() {
            Some(piece) => piece,
            None => match self.reader.next(durable, PIECE) {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok(Next::End),
                Err(NotRead::Io(source) | NotRead::Unreadable { next: None, source, .. }) => {
                    return Err(source);
                }
                Err(NotRead::Unreadable { from, next, .. }) => return Ok(self.damaged(from, next)),
                Err(NotRead::Damaged { next: None, .. }) if self.ends_torn(durable)? => {
                    return Ok(Next::End);
                }
                Err(NotRead::Damaged { from, next, .. }) => return Ok(self.damaged(from, next)),
            },
        };
        let expected = self.next.unwrap_or(piece.first);
        if piece.first > expected {
            let hole = Next::Hole(expected, Some(piece.first - 1));
            self.next = Some(piece.first);
            self.held = Some(piece);
            return Ok(hole);
        }
        self.next = Some(piece.last.saturating_add(1));

        Ok(Next::Records(piece))
    }

    /// Whether nobody writes, and what cannot be read was never a record: a power cut has left it.
    fn ends_torn(&mut self, durable: u64) -> io::Result<bool> {
        let torn = match (&self.by, durable) {
            (Some(by), u64::MAX) => torn(&self.folder, by, self.origin.incarnation)?,
            _ => None,
        };
        self.torn = torn.unwrap_or(0);

        Ok(torn.is_some())
    }

    /// A hole is told once: the reader comes upon one without an end again and again.
    fn damaged(&mut self, from: u64, next: Option<u64>) -> Next {
        if self.told == Some(from) {
            self.next = next.or(self.next);
            return Next::End;
        }
        self.told = Some(from);
        self.next = next.or(Some(from));

        Next::Hole(from, next.map(|next| next.saturating_sub(1)))
    }

    /// Shows each record of a piece.
    pub(super) fn show(
        &self,
        piece: Piece,
        mut show: impl FnMut(&Record<'_>, &Line<'_>),
    ) -> io::Result<()> {
        let Origin { gateway, incarnation, .. } = self.origin;
        let batch = Batch::of(gateway, incarnation, piece);
        let walked = batch.walk(|entry| {
            let line = Line::of(&entry.record, &self.origin, entry.snapshot, &entry.head);
            show(&entry.record, &line);
        });

        walked.map(drop).map_err(io::Error::other)
    }
}

/// How far the records are on disk for good, as the agent says; all of them where none runs and the
/// disk is told to keep what is there.
pub(super) enum Durable {
    Through(u64),
    /// Nobody writes: what was read is durable once it is settled.
    Nobody,
}

pub(super) fn durable(config: &Config) -> Result<Durable, carry::Failed> {
    match carry::durable(config) {
        Ok(number) => Ok(Durable::Through(number)),
        Err(failed) if failed.is_nobody_there() => Ok(Durable::Nobody),
        Err(failed) => Err(failed),
    }
}

/// Says on standard error what is missing.
pub(super) fn missing(first: u64, last: Option<u64>) -> String {
    match last {
        Some(last) if last == first => format!("record {first} is missing"),
        Some(last) => format!("records {first} to {last} are missing"),
        None => format!("record {first} and what is behind it cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use ed25519_dalek::SigningKey;
    use gateward_core::audit::{Outcome, Ratchet};
    use gateward_core::decide::Reason;
    use gateward_core::name::Uuid;
    use gateward_core::trust::Incarnation;

    use super::*;
    use crate::journal::{Draft, Durability, Journal, Options, Stamp};

    const ORIGIN: Origin = Origin {
        account: Uuid([1; 16]),
        gateway: GatewayId([7; 16]),
        incarnation: Incarnation([1; 8]),
    };

    /// Starts the journal, writes decisions into several segments and stops it; returns the last number.
    async fn run(folder: &Path, boot: u32) -> u64 {
        let identity = Identity {
            gateway: "edge-7a".to_owned(),
            incarnation: ORIGIN.incarnation,
            key: SigningKey::from_bytes(&[9; 32]),
            audit: Ratchet::new([2; 32]),
        };
        let (sync, now) = (Durability::Group, Stamp::default());
        let account = Uuid([7; 16]);
        let options = Options { account, sync, max_bytes: 8 << 10, drop_oldest: false, boot, now };
        let opened = Journal::open(folder, ORIGIN.gateway, &identity, options).unwrap();
        let mut last = 0;
        for _ in 0..30 {
            let draft = Draft::new(Outcome::Allow(Reason::Ok), Stamp::default());
            last = opened.journal.append(draft).await.unwrap().seq;
        }
        drop(opened.journal);
        opened.done.await.unwrap().unwrap();

        last
    }

    /// Reads on and returns the numbers and the holes, in order.
    fn read(records: &mut Records, durable: u64) -> (Vec<u64>, Vec<(u64, Option<u64>)>) {
        let (mut numbers, mut holes) = (Vec::new(), Vec::new());
        loop {
            match records.next(durable).unwrap() {
                Next::End => return (numbers, holes),
                Next::Hole(first, last) => holes.push((first, last)),
                Next::Records(piece) => {
                    records.show(piece, |_, line| numbers.push(line.seq)).unwrap();
                }
            }
        }
    }

    /// The segments, by the numbers with which they begin.
    fn segments(folder: &Path) -> Vec<(u64, PathBuf)> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> = entries
            .filter(|path| path.extension().is_some_and(|ext| ext == "seg"))
            .map(|path| (path.file_stem().unwrap().to_str().unwrap().parse().unwrap(), path))
            .collect();
        segments.sort();
        assert!(segments.len() > 1);

        segments
    }

    #[tokio::test]
    async fn following_goes_on_from_segment_to_segment_and_no_further_than_what_is_durable() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("audit");
        let first = run(&folder, 1).await;
        let mut records = Records::of(folder.clone(), ORIGIN, 0);

        assert_eq!(read(&mut records, 2), (vec![1, 2], vec![]));
        assert_eq!(read(&mut records, u64::MAX), ((3..=first).collect(), vec![]));
        let second = run(&folder, 2).await;
        // The oldest goes while whoever follows is behind it.
        fs::remove_file(&segments(&folder)[0].1).unwrap();
        assert_eq!(read(&mut records, u64::MAX), ((first + 1..=second).collect(), vec![]));
        assert_eq!(read(&mut records, u64::MAX), (vec![], vec![]));
    }

    #[tokio::test]
    async fn what_is_gone_or_damaged_is_told_once_and_passed_over() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("audit");
        let last = run(&folder, 1).await;
        let (next, segment) = (segments(&folder)[1].0, segments(&folder)[0].1.clone());
        let mut damaged = Records::of(folder.clone(), ORIGIN, 0);
        let mut bytes = fs::read(&segment).unwrap();
        let at = bytes.len() - 20;
        bytes[at] ^= 1;
        fs::write(&segment, bytes).unwrap();

        let (numbers, holes) = read(&mut damaged, u64::MAX);
        assert_eq!(holes, [(next - 1, Some(next - 1))]);
        assert_eq!(numbers, (1..next - 1).chain(next..=last).collect::<Vec<_>>());
        assert_eq!(read(&mut damaged, u64::MAX), (vec![], vec![]));

        fs::remove_file(&segment).unwrap();
        let mut late = Records::of(folder.clone(), ORIGIN, 1);
        assert_eq!(read(&mut late, u64::MAX), ((next..=last).collect(), vec![(2, Some(next - 1))]));
    }

    #[tokio::test]
    async fn what_a_power_cut_tore_is_no_hole_and_what_was_durable_once_is_one() {
        let state = tempfile::tempdir().unwrap();
        let folder = state.path().join("audit");
        let last = run(&folder, 1).await;
        let by = Signer {
            account: Uuid([7; 16]),
            gateway: ORIGIN.gateway,
            key: SigningKey::from_bytes(&[9; 32]).verifying_key(),
        };
        let records = || Records { by: Some(by), ..Records::of(folder.clone(), ORIGIN, 0) };
        let path = segments(&folder).pop().unwrap().1;
        let whole = fs::read(&path).unwrap();
        for torn in [&whole[60..61], &whole[60..90], &[0; 100]] {
            fs::write(&path, [&whole[..], torn].concat()).unwrap();
            let mut records = records();
            assert_eq!(read(&mut records, u64::MAX), ((1..=last).collect(), vec![]));
            assert_eq!(records.torn(), u64::try_from(torn.len()).unwrap());
        }

        // An agent has cut it off since, and says how far its records go: what is no record is damage.
        fs::write(&path, [&whole[..], &[0; 100]].concat()).unwrap();
        let mut followed = records();
        assert_eq!(read(&mut followed, u64::MAX), ((1..=last).collect(), vec![]));
        let hole = (last + 1, None);
        assert_eq!(read(&mut followed, last + 1), (vec![], vec![hole]));
        assert_eq!(followed.torn(), 0);

        // So is the beginning of a segment, a name alone too.
        fs::write(&path, &whole).unwrap();
        let begun = folder.join(format!("{:020}.seg", last + 1));
        for torn in [0, 30] {
            fs::write(&begun, &whole[..torn]).unwrap();
            let mut records = records();
            assert_eq!(read(&mut records, u64::MAX), ((1..=last).collect(), vec![]));
            assert_eq!(records.torn(), u64::try_from(torn).unwrap());
        }
        fs::remove_file(&begun).unwrap();

        // The mark says that it was there.
        fs::write(&path, &whole[..whole.len() - 10]).unwrap();
        let mut records = records();
        assert_eq!(read(&mut records, u64::MAX), ((1..last).collect(), vec![(last, None)]));
        assert_eq!(records.torn(), 0);
    }
}
