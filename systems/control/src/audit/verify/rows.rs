//! Records as rows of the table of a database, compared in the form in which the collector wrote them.

use std::io;

use bytes::{Buf as _, BytesMut};
use gateward_agent::proof::Mistake;
use gateward_core::name::Hex;
use gateward_core::trust::Incarnation;

use super::super::database::{Chunks, Reading};
use super::super::gateways::{Enrolment, Gateway};
use super::beside::{About, Form, Proved};
use crate::collect::shared::rows::{COLUMNS, HEADER, add_row};

/// No row is longer: each field of a record, and its texts escaped.
const MAX_ROW: usize = 64 << 10;

/// The rows of a gateway, enrolment after enrolment.
pub(super) struct Rows {
    reading: Reading,
    /// What is asked for next, in turn.
    queries: std::vec::IntoIter<String>,
    chunks: Option<Chunks>,
    buffer: BytesMut,
    row: BytesMut,
    begun: bool,
}

impl Rows {
    pub(super) fn new(reading: Reading, gateway: &Gateway) -> Self {
        let (id, columns) = (&gateway.id, COLUMNS.join(", "));
        let of = |enrolment: &Enrolment| {
            let incarnation = Hex(&enrolment.incarnation.0);
            format!(
                "SELECT {columns} FROM gateward.record WHERE gateway_id = '{id}' \
                 AND incarnation = '\\x{incarnation}' ORDER BY seq, created_at"
            )
        };
        let queries: Vec<_> = gateway.enrolments.iter().map(of).collect();

        Self {
            reading,
            queries: queries.into_iter(),
            chunks: None,
            buffer: BytesMut::new(),
            row: BytesMut::new(),
            begun: false,
        }
    }

    /// Takes in more; returns whether there was any.
    fn fill(&mut self) -> io::Result<bool> {
        loop {
            let Some(chunks) = &mut self.chunks else {
                let Some(query) = self.queries.next() else { return Ok(false) };
                self.chunks = Some(self.reading.copy(&query).map_err(io::Error::other)?);
                self.begun = false;
                continue;
            };
            match self.reading.more(chunks).map_err(io::Error::other)? {
                Some(more) => {
                    more.iter().for_each(|bytes| self.buffer.extend_from_slice(bytes));
                    return Ok(true);
                }
                None => self.chunks = None,
            }
        }
    }

    /// The length of the row that the buffer begins with, where all of it is there; 0 for what ends a
    /// copy.
    fn whole(&self) -> io::Result<Option<usize>> {
        let mut at = 2;
        let Some(count) = self.buffer.first_chunk::<2>() else { return Ok(None) };
        let count = i16::from_be_bytes(*count);
        if count == -1 {
            return Ok(Some(0));
        }
        for _ in 0..count {
            let len = self.buffer.get(at..).and_then(<[u8]>::first_chunk::<4>);
            let Some(len) = len else { return Ok(None) };
            at += 4 + usize::try_from(i32::from_be_bytes(*len)).unwrap_or(0);
            if at > MAX_ROW {
                return Err(io::Error::other(
                    "a row of the table `record` is longer than any can be",
                ));
            }
        }

        Ok((at <= self.buffer.len()).then_some(at))
    }
}

impl Form for Rows {
    fn write(proved: &Proved<'_>, out: &mut Vec<u8>) {
        let Proved { record, origin, snapshot, head } = proved;
        add_row(record, origin, *snapshot, head, out);
    }

    fn about(found: &[u8]) -> Option<About> {
        let fields = split(found);
        let incarnation = Incarnation((*fields.get(1)?)?.try_into().ok()?);
        let seq = i64::from_be_bytes((*fields.get(2)?)?.try_into().ok()?);

        Some(About { seq: u64::try_from(seq).ok()?, whose: incarnation.to_string() })
    }

    fn fields(expected: &[u8], found: &[u8]) -> Vec<String> {
        let (expected, found) = (split(expected), split(found));
        let both = COLUMNS.iter().zip(expected.iter().zip(&found));

        both.filter(|(_, (expected, found))| expected != found)
            .map(|(name, _)| (*name).to_owned())
            .collect()
    }

    fn take_if(&mut self, expected: &[u8]) -> bool {
        let is_next = self.begun && self.buffer.starts_with(expected);
        if is_next {
            self.buffer.advance(expected.len());
        }

        is_next
    }

    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            if !self.begun && self.buffer.len() >= HEADER.len() {
                self.buffer.advance(HEADER.len());
                self.begun = true;
            }
            match if self.begun { self.whole()? } else { None } {
                Some(0) => {
                    self.buffer.clear();
                    self.begun = false;
                    if !self.fill()? {
                        return Ok(None);
                    }
                }
                Some(len) => {
                    self.row = self.buffer.split_to(len);
                    return Ok(Some(&self.row));
                }
                None if self.fill()? => {}
                None => return Ok(None),
            }
        }
    }

    fn surplus(&self, about: Option<About>) -> Mistake {
        let About { seq, whose } = about.unwrap_or_default();

        Mistake::Surplus { enrolment: whose, number: seq }
    }
}

/// The fields of a row; none where it has no value.
fn split(row: &[u8]) -> Vec<Option<&[u8]>> {
    let mut fields = Vec::with_capacity(COLUMNS.len());
    let mut rest = row.get(2..).unwrap_or_default();
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let len = usize::try_from(i32::from_be_bytes(*len)).ok();
        let Some((field, after)) = after.split_at_checked(len.unwrap_or(0)) else { break };
        fields.push(len.map(|_| field));
        rest = after;
    }

    fields
}
