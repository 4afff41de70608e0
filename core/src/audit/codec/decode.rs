//! Bytes that somebody sent become a record, or an error that says why not.

use core::fmt;

use super::{
    ACTION, COUNT, CREATED_AT_LEN, CREDENTIAL, DIVISION, DROPPED, MAX_RECORD, PATH, PERMISSION,
    REQUEST_ID, RESOURCE, ROUTE, SNAPSHOT, SOURCE, SPAN, WHO, kind,
};
use crate::audit::{
    Authentication, Credential, Event, MAX_ACTION, MAX_PATH, MAX_REQUEST_ID, MAX_RESOURCE, Method,
    Outcome, Record, SnapshotName, Source, UnixMillis, Who,
};
use crate::decide::Reason;
use crate::name::{MAX_NAME, Uuid};
use crate::number::{self, NotANumber};
use crate::permission::{Operation, Permission};
use crate::time::{Millis, TimeQuality};
use crate::token::Lookup;

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BadRecord {
    /// The record ends before its fields do.
    CutShort,
    /// Bytes follow the record.
    Remainder,
    /// A text is not UTF-8.
    Text,
    /// A field is longer than a record keeps.
    TooLong,
    /// A code that this build does not know, or a value in a form that is never written.
    Unknown,
}

impl fmt::Display for BadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CutShort => "the record ends before its fields do",
            Self::Remainder => "bytes follow the record",
            Self::Text => "a text of the record is not UTF-8",
            Self::TooLong => "a field is longer than a record keeps",
            Self::Unknown => "a code that this version does not know; read it with a newer one",
        })
    }
}

impl core::error::Error for BadRecord {}

impl<'a> Record<'a> {
    /// Reads a record, which must fill `bytes` exactly.
    ///
    /// # Errors
    ///
    /// Says why `bytes` are not the encoding of a record.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, BadRecord> {
        if bytes.len() > MAX_RECORD {
            return Err(BadRecord::TooLong);
        }
        let mut from = Reader(bytes);
        let present = u16::from_le_bytes(from.array()?);
        let mut record = Self::decode_fixed(&mut from)?;
        record.decode_who(present, &mut from)?;
        record.decode_what(present, &mut from)?;
        record.decode_rest(present, &mut from)?;

        if from.0.is_empty() { Ok(record) } else { Err(BadRecord::Remainder) }
    }

    fn decode_fixed(from: &mut Reader<'a>) -> Result<Self, BadRecord> {
        let (seq, boot, mono) = (from.number()?, from.small()?, Millis(from.number()?));
        let mut created_at = [0; 8];
        let low: [u8; CREATED_AT_LEN] = from.array()?;
        created_at.iter_mut().zip(low).for_each(|(place, byte)| *place = byte);
        let [codes, why, verb] = from.array()?;
        let reason = Reason::from_byte(why).ok_or(BadRecord::Unknown);
        let outcome = match (codes >> 3) & 3 {
            0 => Outcome::Allow(reason?),
            1 => Outcome::Deny(reason?),
            2 => Outcome::Passthrough(reason?),
            _ => Outcome::Event(Event::from_byte(why).ok_or(BadRecord::Unknown)?),
        };
        let mut record = Self::new(outcome);
        record.seq = seq;
        record.boot = boot;
        record.mono = mono;
        record.created_at = UnixMillis(u64::from_le_bytes(created_at));
        record.authentication = Authentication::from_byte(codes & 7).ok_or(BadRecord::Unknown)?;
        record.quality = match (codes >> 5) & 3 {
            0 => TimeQuality::Synced,
            1 => TimeQuality::Holdover,
            2 => TimeQuality::Floor,
            _ => TimeQuality::Unknown,
        };
        record.stale = codes >> 7 == 1;
        if let Some(operation) = (verb & 7).checked_sub(1) {
            record.operation = Some(Operation::from_byte(operation).ok_or(BadRecord::Unknown)?);
        }
        if verb >> 3 != 0 {
            record.method = Some(Method::from_byte(verb >> 3).ok_or(BadRecord::Unknown)?);
        }
        record.snapshot_version = from.number()?;

        Ok(record)
    }

    fn decode_who(&mut self, present: u16, from: &mut Reader<'a>) -> Result<(), BadRecord> {
        if present & WHO != 0 {
            self.principal = Some(Who { id: Uuid(from.array()?), name: from.text(MAX_NAME)? });
        }
        self.credential = match (present / CREDENTIAL) & 3 {
            0 => Credential::None,
            1 => {
                let kind = kind(self.authentication).ok_or(BadRecord::Unknown)?;
                Credential::Verified(Lookup { kind, id: u64::from_le_bytes(from.array()?) })
            }
            2 => Credential::Unverified(from.lookup()?),
            _ => match from.array()? {
                [0] => Credential::Certificate(from.array()?),
                [1] => {
                    let lookup = from.lookup()?;
                    if Some(lookup.kind) == kind(self.authentication) {
                        return Err(BadRecord::Unknown);
                    }
                    Credential::Verified(lookup)
                }
                _ => return Err(BadRecord::Unknown),
            },
        };

        Ok(())
    }

    fn decode_what(&mut self, present: u16, from: &mut Reader<'a>) -> Result<(), BadRecord> {
        if present & ACTION != 0 {
            self.action = Some(from.text(MAX_ACTION)?);
        }
        if present & PERMISSION != 0 {
            let [bit] = from.array()?;
            self.permission = Some(Permission::new(bit).ok_or(BadRecord::Unknown)?);
        }
        if present & DIVISION != 0 {
            self.division = Some(Uuid(from.array()?));
        }
        if present & RESOURCE != 0 {
            self.resource = Some(from.text(MAX_RESOURCE)?);
        }
        if present & PATH != 0 {
            self.path = Some(from.text(MAX_PATH)?);
        }

        Ok(())
    }

    fn decode_rest(&mut self, present: u16, from: &mut Reader<'a>) -> Result<(), BadRecord> {
        self.source = match (present / SOURCE) & 3 {
            0 => Source::Unknown,
            1 => Source::Uid(from.small()?),
            2 => Source::V4(from.array()?),
            _ => Source::V6(from.array()?),
        };
        if present & REQUEST_ID != 0 {
            self.request_id = Some(from.text(MAX_REQUEST_ID)?);
        }
        if present & ROUTE != 0 {
            self.route = Some(u16::try_from(from.small()?).map_err(|_| BadRecord::Unknown)?);
        }
        if present & COUNT != 0 {
            self.count = Some(from.small()?).filter(|n| *n != 1).ok_or(BadRecord::Unknown)?;
        }
        if present & DROPPED != 0 {
            self.dropped_before =
                Some(from.small()?).filter(|n| *n != 0).ok_or(BadRecord::Unknown)?;
        }
        if present & SNAPSHOT != 0 {
            let (epoch, number, root) = (from.small()?, from.number()?, from.array()?);
            self.snapshot = Some(SnapshotName { epoch, number, root });
        }
        if present & SPAN != 0 {
            self.span = Some((from.number()?, from.number()?));
        }

        Ok(())
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], BadRecord> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(BadRecord::CutShort)?;
        self.0 = rest;

        Ok(*bytes)
    }

    fn number(&mut self) -> Result<u64, BadRecord> {
        number::take(&mut self.0).map_err(|bad| match bad {
            NotANumber::CutShort => BadRecord::CutShort,
            NotANumber::Spelling => BadRecord::Unknown,
        })
    }

    fn small(&mut self) -> Result<u32, BadRecord> {
        u32::try_from(self.number()?).map_err(|_| BadRecord::Unknown)
    }

    fn text(&mut self, limit: usize) -> Result<&'a str, BadRecord> {
        let len = usize::try_from(self.number()?).map_err(|_| BadRecord::TooLong)?;
        if len > limit {
            return Err(BadRecord::TooLong);
        }
        let (bytes, rest) = self.0.split_at_checked(len).ok_or(BadRecord::CutShort)?;
        self.0 = rest;

        core::str::from_utf8(bytes).map_err(|_| BadRecord::Text)
    }

    fn lookup(&mut self) -> Result<Lookup, BadRecord> {
        let [kind] = self.array()?;

        Ok(Lookup { kind, id: u64::from_le_bytes(self.array()?) })
    }
}
