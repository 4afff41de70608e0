//! The record of a decision, and the chain that ties it to the one before.
#![expect(unsafe_code, reason = "C calls these by name")]

mod fields;

use fields::encode;
use gateward_core::audit::{Head, MAX_RECORD, Ratchet, TAG_LEN};

use crate::check::{Decision, GATEWARD_CLASS_ALLOW, GATEWARD_NONE};
use crate::foreign::{self, call};
use crate::names::Text;
use crate::status::{GATEWARD_NO_ROOM, GATEWARD_UNKNOWN, Status};
use crate::storage::Snapshot;
use crate::time::{GATEWARD_TIME_FLOOR, Now};

/// No record has more bytes.
pub const GATEWARD_RECORD_SIZE: usize = 768;
/// Bytes of the head of the chain, and of its key.
pub const GATEWARD_HEAD_SIZE: usize = 32;
/// Bytes of a tag.
pub const GATEWARD_TAG_SIZE: usize = 16;

const _: () = assert!(GATEWARD_RECORD_SIZE == MAX_RECORD && GATEWARD_TAG_SIZE == TAG_LEN);

/// The request was allowed, for one of the reasons.
pub const GATEWARD_OUTCOME_ALLOW: u32 = 0;
/// The request was denied, for one of the reasons.
pub const GATEWARD_OUTCOME_DENY: u32 = 1;
/// Something happened to the machine itself: `reason` is the number of an event.
pub const GATEWARD_OUTCOME_EVENT: u32 = 2;
/// The request carries a device credential, for something behind to check.
pub const GATEWARD_OUTCOME_PASSTHROUGH: u32 = 3;

/// The record names no token.
pub const GATEWARD_CREDENTIAL_NONE: u32 = 0;
/// The record names a token whose secret matched.
pub const GATEWARD_CREDENTIAL_VERIFIED: u32 = 1;
/// The record names a token as it was presented, which proves nothing.
pub const GATEWARD_CREDENTIAL_UNVERIFIED: u32 = 2;

/// One line of the audit. `gateward_record_start` fills it from a decision; the caller adds what it
/// knows of the request.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Record {
    /// Counted from 1, without gaps, across restarts.
    pub seq: u64,
    /// Milliseconds since 1970.
    pub created_at_ms: u64,
    /// Run time in milliseconds.
    pub mono_ms: u64,
    /// Version of the snapshot that decided.
    pub snapshot_version: u64,
    /// Id of the token.
    pub token_id: u64,
    /// First number that an event is about.
    pub span_first: u64,
    /// Last number that an event is about.
    pub span_last: u64,
    /// Which start of the program wrote it, counted from 1.
    pub boot: u32,
    /// One of `GATEWARD_TIME_*`.
    pub quality: u32,
    /// One of `GATEWARD_OUTCOME_*`.
    pub outcome: u32,
    /// Why, or which event.
    pub reason: u32,
    /// 0 none, 1 API token, 2 service user, 3 client certificate, 4 device.
    pub authentication: u32,
    /// One of `GATEWARD_CREDENTIAL_*`.
    pub credential: u32,
    /// Kind of the token.
    pub token_kind: u32,
    /// One of `GATEWARD_OPERATION_*`; 0 is left out.
    pub operation: u32,
    /// The permission; [`GATEWARD_NONE`] is left out.
    pub permission: u32,
    /// Number of the method, as records have it; 0 is left out.
    pub method: u32,
    /// 1 where the snapshot was stale, else 0.
    pub stale: u32,
    /// How many requests this stands for, at least 1.
    pub count: u32,
    /// How many records were lost just before.
    pub dropped_before: u32,
    /// 1 where `span_first` and `span_last` count, else 0.
    pub has_span: u32,
    /// Which rule matched; [`GATEWARD_NONE`] is left out.
    pub route: u32,
    /// Epoch of the snapshot that an event is about.
    pub snapshot_epoch: u32,
    /// Who it was, 16 bytes; null where nobody is known.
    pub principal_id: *const u8,
    /// The name beside `principal_id`.
    pub principal_name: Text,
    /// The division, 16 bytes, or null.
    pub division_id: *const u8,
    /// Root of the snapshot that an event is about, 32 bytes, or null.
    pub snapshot_root: *const u8,
    /// What was to be done.
    pub action: Text,
    /// What it was about. What looks like a token is masked, as in the next two.
    pub resource: Text,
    /// The path.
    pub path: Text,
    /// The caller's own number of the request.
    pub request_id: Text,
    /// 4 or 16 bytes of an address, or 4 of a user id in the machine's order; null where unknown.
    pub source: *const u8,
    /// 0 unknown, 1 user id, 4 IPv4, 6 IPv6.
    pub source_kind: u32,
    /// Zero.
    pub zero: u32,
}

/// Starts a record with a decision: who, which token, why, by which snapshot.
///
/// Names are told only where the secret matched.
///
/// # Safety
///
/// `snapshot` points to storage, `decision`, `now` and `record` to structs; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_record_start(
    snapshot: *const Snapshot,
    decision: *const Decision,
    now: *const Now,
    record: *mut Record,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let (open, decision) = (foreign::held(snapshot)?, foreign::plain(decision)?);
        let (number, time) = (foreign::plain(now)?.quality, foreign::now(now)?);
        let view = open.names();
        let at = usize::try_from(decision.principal).ok();
        let principal = at.and_then(|at| view.principal(at));
        if principal.is_none() && decision.principal != GATEWARD_NONE {
            return Err(GATEWARD_UNKNOWN);
        }
        let allowed = decision.verdict == GATEWARD_CLASS_ALLOW;
        let known = principal.is_some();
        foreign::put(
            record,
            Record {
                created_at_ms: open.time(&time).0.saturating_mul(1000),
                snapshot_version: open.verified.manifest().version().number,
                token_id: decision.id,
                // Time that was lifted is no clock's.
                quality: if open.time(&time) > time.at { GATEWARD_TIME_FLOOR } else { number },
                outcome: if allowed { GATEWARD_OUTCOME_ALLOW } else { GATEWARD_OUTCOME_DENY },
                reason: decision.reason,
                authentication: principal.map_or(0, |who| who.kind().token_kind() as u32),
                credential: if known {
                    GATEWARD_CREDENTIAL_VERIFIED
                } else {
                    GATEWARD_CREDENTIAL_UNVERIFIED
                },
                token_kind: decision.kind,
                permission: decision.permission,
                stale: u32::from(open.time(&time) >= view.limits().stale_at),
                principal_id: principal.map_or(core::ptr::null(), |who| who.id_bytes().as_ptr()),
                principal_name: principal.map_or(Text::NONE, |who| Text::of(who.name())),
                ..EMPTY
            },
        )
    })
}

const EMPTY: Record = Record {
    seq: 0,
    created_at_ms: 0,
    mono_ms: 0,
    snapshot_version: 0,
    token_id: 0,
    span_first: 0,
    span_last: 0,
    boot: 0,
    quality: 0,
    outcome: GATEWARD_OUTCOME_DENY,
    reason: 0,
    authentication: 0,
    credential: GATEWARD_CREDENTIAL_NONE,
    token_kind: 0,
    operation: 0,
    permission: GATEWARD_NONE,
    method: 0,
    stale: 0,
    count: 1,
    dropped_before: 0,
    has_span: 0,
    route: GATEWARD_NONE,
    snapshot_epoch: 0,
    principal_id: core::ptr::null(),
    principal_name: Text::NONE,
    division_id: core::ptr::null(),
    snapshot_root: core::ptr::null(),
    action: Text::NONE,
    resource: Text::NONE,
    path: Text::NONE,
    request_id: Text::NONE,
    source: core::ptr::null(),
    source_kind: 0,
    zero: 0,
};

/// Writes a record into `buffer`; [`GATEWARD_RECORD_SIZE`] bytes are always enough. Stores its length.
///
/// # Safety
///
/// `record` points to a struct whose pointers are null or point to as many bytes as they say,
/// `buffer` to `len` bytes that hold something, `written` to a number; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_record_encode(
    record: *const Record,
    buffer: *mut u8,
    len: usize,
    written: *mut usize,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let record = foreign::plain(record)?;
        let buffer = foreign::bytes_mut(buffer, len)?;
        let mut whole = [0; MAX_RECORD];
        let size = encode(&record, &mut whole)?;
        let from = whole.get(..size).ok_or(GATEWARD_NO_ROOM)?;
        let to = buffer.get_mut(..size).ok_or(GATEWARD_NO_ROOM)?;
        foreign::put(written, size)?;
        to.copy_from_slice(from);
        Ok(())
    })
}

/// Goes on by one record: stores its tag at `tag`, the new head at `head`, and the next key at `key`,
/// where the old one is lost. Nobody who finds the key later can write another record in its place.
///
/// # Safety
///
/// `head` and `key` point to [`GATEWARD_HEAD_SIZE`] bytes, `record` to `len` bytes, `tag` to
/// [`GATEWARD_TAG_SIZE`] bytes that hold something; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_chain_next(
    head: *mut u8,
    key: *mut u8,
    record: *const u8,
    len: usize,
    tag: *mut u8,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    foreign::call_and_wipe(|| unsafe {
        let mut ratchet = Ratchet::new(foreign::array(key)?);
        let next = Head(foreign::array(head)?).next(foreign::bytes(record, len)?);
        let proof = ratchet.tag(&next);
        ratchet.step();
        foreign::put_bytes(tag, &proof)?;
        foreign::put_bytes(head, &next.0)?;
        foreign::put_bytes(key, ratchet.expose())
    })
}
