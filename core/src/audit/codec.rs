//! The bytes of a record.
//!
//! In this order, numbers little-endian, `v` a base-128 number in its shortest form:
//! present u16 · seq v · boot v · mono_ms v · created_at u48 · codes u8 · reason or event u8 ·
//! verb u8 · snapshot_version v · then what `present` names, from bit 0 up. `codes` holds, from
//! bit 0, authentication (3 bits), outcome (2), time quality (2), stale (1); `verb` holds operation + 1
//! (3 bits, 0 none) and method (5 bits, 0 none). A record has exactly one encoding, and only that
//! one is read.

mod decode;

use core::fmt;

pub use decode::BadRecord;

use super::{
    Authentication, Credential, MAX_ACTION, MAX_PATH, MAX_REQUEST_ID, MAX_RESOURCE, Outcome,
    Record, Source,
};
use crate::name::MAX_NAME;

/// No record has more bytes.
pub const MAX_RECORD: usize = 768;

const WHO: u16 = 1;
const CREDENTIAL: u16 = 1 << 1; // two bits: 1 verified, kind as authentication says; 2 unverified; 3 see tag
const ACTION: u16 = 1 << 3;
const PERMISSION: u16 = 1 << 4;
const DIVISION: u16 = 1 << 5;
const RESOURCE: u16 = 1 << 6;
const PATH: u16 = 1 << 7;
const SOURCE: u16 = 1 << 8; // two bits: 1 user id, 2 IPv4, 3 IPv6
const REQUEST_ID: u16 = 1 << 10;
const ROUTE: u16 = 1 << 11;
const COUNT: u16 = 1 << 12;
const DROPPED: u16 = 1 << 13;
const SNAPSHOT: u16 = 1 << 14;
const SPAN: u16 = 1 << 15;

const CREATED_AT_LEN: usize = 6;

/// A field is longer than a record keeps, or the buffer is too small.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field is longer than a record keeps; cut it first")
    }
}

impl core::error::Error for TooLong {}

impl<'a> Record<'a> {
    /// Writes the record at the start of `buffer` and returns its length; [`MAX_RECORD`] bytes are
    /// always enough.
    ///
    /// # Errors
    ///
    /// A text is longer than a record keeps, or `buffer` is too small.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize, TooLong> {
        let size = buffer.len();
        let mut to = Writer(buffer);
        to.bytes(&self.present().to_le_bytes())?;
        to.number(self.seq)?;
        to.number(self.boot.into())?;
        to.number(self.mono.0)?;
        let created_at = self.created_at.0.min((1 << 48) - 1).to_le_bytes();
        to.bytes(created_at.get(..CREATED_AT_LEN).unwrap_or_default())?;
        let (outcome, why) = match self.outcome {
            Outcome::Allow(reason) => (0, reason as u8),
            Outcome::Deny(reason) => (1, reason as u8),
            Outcome::Passthrough(reason) => (2, reason as u8),
            Outcome::Event(event) => (3, event as u8),
        };
        let quality = self.quality as u8;
        let operation = self.operation.map_or(0, |operation| operation as u8 + 1);
        let method = self.method.map_or(0, |method| method as u8);
        let stale = u8::from(self.stale);
        let codes = self.authentication as u8 | (outcome << 3) | (quality << 5) | (stale << 7);
        to.bytes(&[codes, why, operation | (method << 3)])?;
        to.number(self.snapshot_version)?;
        self.encode_present(&mut to)?;

        Ok(size - to.0.len())
    }

    fn present(&self) -> u16 {
        let bit = |there: bool, bit: u16| if there { bit } else { 0 };
        let credential = match self.credential {
            Credential::None => 0,
            Credential::Verified(lookup) if Some(lookup.kind) == kind(self.authentication) => 1,
            Credential::Unverified(_) => 2,
            Credential::Certificate(_) | Credential::Verified(_) => 3,
        };
        let source = match self.source {
            Source::Unknown => 0,
            Source::Uid(_) => 1,
            Source::V4(_) => 2,
            Source::V6(_) => 3,
        };

        bit(self.principal.is_some(), WHO)
            | (credential * CREDENTIAL)
            | bit(self.action.is_some(), ACTION)
            | bit(self.permission.is_some(), PERMISSION)
            | bit(self.division.is_some(), DIVISION)
            | bit(self.resource.is_some(), RESOURCE)
            | bit(self.path.is_some(), PATH)
            | (source * SOURCE)
            | bit(self.request_id.is_some(), REQUEST_ID)
            | bit(self.route.is_some(), ROUTE)
            | bit(self.count != 1, COUNT)
            | bit(self.dropped_before != 0, DROPPED)
            | bit(self.snapshot.is_some(), SNAPSHOT)
            | bit(self.span.is_some(), SPAN)
    }

    fn encode_present(&self, to: &mut Writer<'_>) -> Result<(), TooLong> {
        if let Some(who) = self.principal {
            to.bytes(&who.id.0)?;
            to.text(who.name, MAX_NAME)?;
        }
        encode_credential(self.credential, self.authentication, to)?;
        self.action.map_or(Ok(()), |text| to.text(text, MAX_ACTION))?;
        self.permission.map_or(Ok(()), |permission| to.bytes(&[permission.bit()]))?;
        self.division.map_or(Ok(()), |division| to.bytes(&division.0))?;
        self.resource.map_or(Ok(()), |text| to.text(text, MAX_RESOURCE))?;
        self.path.map_or(Ok(()), |text| to.text(text, MAX_PATH))?;
        match self.source {
            Source::Unknown => {}
            Source::Uid(uid) => to.number(uid.into())?,
            Source::V4(address) => to.bytes(&address)?,
            Source::V6(address) => to.bytes(&address)?,
        }
        self.request_id.map_or(Ok(()), |text| to.text(text, MAX_REQUEST_ID))?;
        self.route.map_or(Ok(()), |route| to.number(route.into()))?;
        if self.count != 1 {
            to.number(self.count.into())?;
        }
        if self.dropped_before != 0 {
            to.number(self.dropped_before.into())?;
        }
        if let Some(snapshot) = self.snapshot {
            to.number(snapshot.epoch.into())?;
            to.number(snapshot.number)?;
            to.bytes(&snapshot.root)?;
        }
        if let Some((first, last)) = self.span {
            to.number(first)?;
            to.number(last)?;
        }

        Ok(())
    }
}

/// The kind that goes without saying for a token of this kind of credential.
const fn kind(authentication: Authentication) -> Option<u8> {
    match authentication {
        Authentication::ApiToken => Some(1),
        Authentication::ServiceUser => Some(2),
        Authentication::None | Authentication::ClientCert | Authentication::Device => None,
    }
}

fn encode_credential(
    credential: Credential,
    authentication: Authentication,
    to: &mut Writer<'_>,
) -> Result<(), TooLong> {
    match credential {
        Credential::None => Ok(()),
        Credential::Certificate(id) => {
            to.bytes(&[0])?;
            to.bytes(&id)
        }
        Credential::Unverified(lookup) => {
            to.bytes(&[lookup.kind])?;
            to.bytes(&lookup.id.to_le_bytes())
        }
        Credential::Verified(lookup) => {
            if Some(lookup.kind) != kind(authentication) {
                to.bytes(&[1, lookup.kind])?;
            }
            to.bytes(&lookup.id.to_le_bytes())
        }
    }
}

/// What is left of the buffer.
struct Writer<'b>(&'b mut [u8]);

impl Writer<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        let (place, rest) =
            core::mem::take(&mut self.0).split_at_mut_checked(bytes.len()).ok_or(TooLong)?;
        place.copy_from_slice(bytes);
        self.0 = rest;

        Ok(())
    }

    fn number(&mut self, mut value: u64) -> Result<(), TooLong> {
        loop {
            let low = value.to_le_bytes()[0] & 0x7f;
            value >>= 7;
            if value == 0 {
                return self.bytes(&[low]);
            }
            self.bytes(&[low | 0x80])?;
        }
    }

    fn text(&mut self, text: &str, limit: usize) -> Result<(), TooLong> {
        if text.len() > limit {
            return Err(TooLong);
        }
        self.number(u64::try_from(text.len()).map_err(|_| TooLong)?)?;
        self.bytes(text.as_bytes())
    }
}
