//! What C says of a record, field by field, checked.

#![expect(unsafe_code, reason = "texts and ids of C are behind pointers")]

use gateward_core::audit::{
    Authentication, Credential, Event, MAX_PATH, MAX_RECORD, MAX_REQUEST_ID, MAX_RESOURCE, Method,
    Outcome, Record as CoreRecord, SnapshotName, Source, Text as Masked, UnixMillis, Who,
};
use gateward_core::decide::{Class, Reason};
use gateward_core::name::Uuid;
use gateward_core::permission::Permission;
use gateward_core::time::Millis;
use gateward_core::token::Lookup;

use super::{
    GATEWARD_CREDENTIAL_NONE, GATEWARD_CREDENTIAL_UNVERIFIED, GATEWARD_CREDENTIAL_VERIFIED,
    GATEWARD_OUTCOME_ALLOW, GATEWARD_OUTCOME_DENY, GATEWARD_OUTCOME_EVENT,
    GATEWARD_OUTCOME_PASSTHROUGH, Record,
};
use crate::check::{GATEWARD_NONE, operation};
use crate::foreign;
use crate::names::Text;
use crate::status::{GATEWARD_ABSURD, Status};
use crate::time::quality;

/// # Safety
///
/// As `gateward_record_encode`.
pub(super) unsafe fn encode(from: &Record, buffer: &mut [u8; MAX_RECORD]) -> Result<usize, Status> {
    if from.zero != 0 || from.stale > 1 || from.has_span > 1 || from.count == 0 {
        return Err(GATEWARD_ABSURD);
    }
    // SAFETY: the caller promises it of every pointer in the record.
    unsafe {
        let text = |text: Text| foreign::text(text.bytes, text.len);
        let resource = Masked::<MAX_RESOURCE>::untrusted(text(from.resource)?.unwrap_or_default());
        let path = Masked::<MAX_PATH>::untrusted(text(from.path)?.unwrap_or_default());
        let request =
            Masked::<MAX_REQUEST_ID>::untrusted(text(from.request_id)?.unwrap_or_default());
        let record = CoreRecord {
            seq: from.seq,
            boot: from.boot,
            created_at: UnixMillis(from.created_at_ms),
            mono: Millis(from.mono_ms),
            quality: quality(from.quality)?,
            authentication: code(from.authentication, Authentication::from_byte)?,
            principal: who(from)?,
            credential: credential(from)?,
            action: text(from.action)?,
            operation: operation(from.operation)?,
            permission: optional(from.permission, |number| code(number, Permission::new))?,
            division: id(from.division_id)?,
            resource: resource.non_empty(),
            method: match from.method {
                0 => None,
                number => Some(code(number, Method::from_byte)?),
            },
            path: path.non_empty(),
            snapshot_version: from.snapshot_version,
            snapshot: snapshot(from)?,
            stale: from.stale == 1,
            source: source(from)?,
            request_id: request.non_empty(),
            route: optional(from.route, |route| u16::try_from(route).map_err(|_| GATEWARD_ABSURD))?,
            count: from.count,
            span: (from.has_span == 1).then_some((from.span_first, from.span_last)),
            dropped_before: from.dropped_before,
            outcome: outcome(from)?,
        };

        // Whatever fits a record fits the buffer, so a text was too long.
        record.encode(buffer).map_err(|_| GATEWARD_ABSURD)
    }
}

fn code<T>(number: u32, read: impl Fn(u8) -> Option<T>) -> Result<T, Status> {
    u8::try_from(number).ok().and_then(read).ok_or(GATEWARD_ABSURD)
}

fn optional<T>(number: u32, read: impl Fn(u32) -> Result<T, Status>) -> Result<Option<T>, Status> {
    if number == GATEWARD_NONE { Ok(None) } else { read(number).map(Some) }
}

/// A record says of an outcome what its reason says: an allow that a reason denies is absurd.
fn outcome(from: &Record) -> Result<Outcome, Status> {
    let reason = || code(from.reason, Reason::from_byte);
    let outcome = match from.outcome {
        GATEWARD_OUTCOME_ALLOW => Outcome::Allow(reason()?),
        GATEWARD_OUTCOME_DENY => Outcome::Deny(reason()?),
        GATEWARD_OUTCOME_EVENT => Outcome::Event(code(from.reason, Event::from_byte)?),
        GATEWARD_OUTCOME_PASSTHROUGH => Outcome::Passthrough(reason()?),
        _ => return Err(GATEWARD_ABSURD),
    };
    let fits = match outcome {
        Outcome::Allow(reason) | Outcome::Passthrough(reason) => reason.class() == Class::Allow,
        Outcome::Deny(reason) => reason.class() != Class::Allow,
        Outcome::Event(_) => true,
    };

    if fits { Ok(outcome) } else { Err(GATEWARD_ABSURD) }
}

/// # Safety
///
/// `at` is null or points to 16 bytes.
unsafe fn id(at: *const u8) -> Result<Option<Uuid>, Status> {
    if at.is_null() {
        return Ok(None);
    }

    // SAFETY: the caller promises it.
    Ok(Some(Uuid(unsafe { foreign::array(at)? })))
}

/// # Safety
///
/// As `gateward_record_encode`.
unsafe fn who<'a>(from: &Record) -> Result<Option<Who<'a>>, Status> {
    // SAFETY: the caller promises it.
    let (id, name) = unsafe {
        (id(from.principal_id)?, foreign::text(from.principal_name.bytes, from.principal_name.len)?)
    };

    match (id, name) {
        (None, None) => Ok(None),
        (Some(id), Some(name)) => Ok(Some(Who { id, name })),
        (Some(_), None) | (None, Some(_)) => Err(GATEWARD_ABSURD),
    }
}

fn credential(from: &Record) -> Result<Credential, Status> {
    let kind = u8::try_from(from.token_kind).map_err(|_| GATEWARD_ABSURD)?;
    let lookup = Lookup { kind, id: from.token_id };

    match from.credential {
        GATEWARD_CREDENTIAL_NONE => Ok(Credential::None),
        GATEWARD_CREDENTIAL_VERIFIED => Ok(Credential::Verified(lookup)),
        GATEWARD_CREDENTIAL_UNVERIFIED => Ok(Credential::Unverified(lookup)),
        _ => Err(GATEWARD_ABSURD),
    }
}

/// # Safety
///
/// As `gateward_record_encode`.
unsafe fn snapshot(from: &Record) -> Result<Option<SnapshotName>, Status> {
    if from.snapshot_root.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller promises it.
    let root = unsafe { foreign::array(from.snapshot_root)? };

    Ok(Some(SnapshotName { epoch: from.snapshot_epoch, number: from.snapshot_version, root }))
}

/// # Safety
///
/// As `gateward_record_encode`.
unsafe fn source(from: &Record) -> Result<Source, Status> {
    // SAFETY: the caller promises it.
    unsafe {
        Ok(match from.source_kind {
            0 => Source::Unknown,
            1 => Source::Uid(u32::from_ne_bytes(foreign::array(from.source)?)),
            4 => Source::V4(foreign::array(from.source)?),
            6 => Source::V6(foreign::array(from.source)?),
            _ => return Err(GATEWARD_ABSURD),
        })
    }
}
