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
use crate::journal::{NotRead, Piece, Reader};
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
}

impl Records {
    /// Begins after number `after`.
    pub(super) fn open(config: &Config, after: u64, global: &Global) -> Result<Self, Exit> {
        let identity = Identity::load(&config.gateway_key)
            .map_err(|bad| global.fail(Exit::Io.unless_refused(&bad), &bad))?;
        let Config { account, ref gateway, .. } = *config;
        let gateway = GatewayId::of(account, gateway.as_str());
        let origin = Origin { account, gateway, incarnation: identity.incarnation };

        Ok(Self::of(config.state_dir.join("audit"), origin, after))
    }

    pub(super) fn of(folder: PathBuf, origin: Origin, after: u64) -> Self {
        let next = after.saturating_add(1);
        let reader = Reader::new(&folder, next);
        let next = (after > 0).then_some(next);

        Self { folder, origin, reader, next, held: None, told: None }
    }

    pub(super) const fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// Reads on, no further than number `durable`.
    pub(super) fn next(&mut self, durable: u64) -> io::Result<Next> {
        let piece = match self.held.take() {
            Some(piece) => piece,
            None => match self.reader.next(durable, PIECE) {
                Ok(Some(piece)) => piece,
                Ok(None) => return Ok(Next::End),
                Err(NotRead::Io(error)) => return Err(error),
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
