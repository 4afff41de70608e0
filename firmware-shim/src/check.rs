//! A decision: a token, a question and the time against the snapshot in force.
//!
//! From the text of a token to the decision, nothing branches on the token's secret part, on what the
//! snapshot says of it or on whether it is there; the number of instructions is the same for every
//! outcome.
#![expect(unsafe_code, reason = "C calls these by name")]

use gateward_core::decide::{Ask as CoreAsk, Mode, Verdict, weigh};
use gateward_core::division::DivisionRules;
use gateward_core::permission::{Operation, PermissionSet};
use gateward_core::token::{LOOKUP_LEN, Token};
use gateward_core::trust::Now as CoreNow;

use crate::foreign::{self, call};
use crate::open::Open;
use crate::status::{GATEWARD_ABSURD, GATEWARD_OTHER_SNAPSHOT, Status};
use crate::storage::{Ask, ParsedToken, Prepared, Snapshot};
use crate::time::Now;

/// The operation is not said: each permission counts for the strictest that it can mean.
pub const GATEWARD_OPERATION_STRICTEST: u32 = 0;
/// Approving somebody's request, from which system users are barred.
pub const GATEWARD_OPERATION_APPROVE: u32 = 1;
/// Removing something.
pub const GATEWARD_OPERATION_DELETE: u32 = 2;
/// Requesting or renewing a certificate, from which system users are barred.
pub const GATEWARD_OPERATION_ISSUE: u32 = 3;
/// Requesting an intermediate CA, from which system users are barred.
pub const GATEWARD_OPERATION_ISSUE_CA: u32 = 4;
/// Looking at something.
pub const GATEWARD_OPERATION_READ: u32 = 5;
/// Revoking a certificate.
pub const GATEWARD_OPERATION_REVOKE: u32 = 6;
/// Making or changing something.
pub const GATEWARD_OPERATION_WRITE: u32 = 7;

// One more than the number in records, where 0 is none too.
const _: () = {
    assert!(GATEWARD_OPERATION_APPROVE == Operation::Approve as u32 + 1);
    assert!(GATEWARD_OPERATION_DELETE == Operation::Delete as u32 + 1);
    assert!(GATEWARD_OPERATION_ISSUE == Operation::Issue as u32 + 1);
    assert!(GATEWARD_OPERATION_ISSUE_CA == Operation::IssueCa as u32 + 1);
    assert!(GATEWARD_OPERATION_READ == Operation::Read as u32 + 1);
    assert!(GATEWARD_OPERATION_REVOKE == Operation::Revoke as u32 + 1);
    assert!(GATEWARD_OPERATION_WRITE == Operation::Write as u32 + 1);
};

/// Whoever asks acts on the answer: what is not said counts against it.
pub const GATEWARD_MODE_DIRECT: u32 = 0;
/// Whoever asks passes the request on to something that checks the same token again.
pub const GATEWARD_MODE_PROXY: u32 = 1;

/// A limited principal is denied where the division is left to something behind too.
pub const GATEWARD_RULE_STRICT: u32 = 1;
/// A limited principal is denied on an item that is in no division.
pub const GATEWARD_RULE_DENY_UNATTACHED: u32 = 2;

/// The request may go on.
pub const GATEWARD_CLASS_ALLOW: u32 = 0;
/// The credential is not good: one fixed answer, whatever the reason is.
pub const GATEWARD_CLASS_AUTHN: u32 = 1;
/// The credential is good and may not do this.
pub const GATEWARD_CLASS_AUTHZ: u32 = 2;
/// No answer can be given now.
pub const GATEWARD_CLASS_UNAVAILABLE: u32 = 3;

/// In [`Decision`]: nobody, or no permission.
pub const GATEWARD_NONE: u32 = 0xffff_ffff;
/// Bytes of the public part of a token.
pub const GATEWARD_LOOKUP_SIZE: usize = 12;

const _: () = assert!(GATEWARD_LOOKUP_SIZE == LOOKUP_LEN);

/// What is asked.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Request {
    /// Any of these permissions suffices; see `gateward_permission_find`.
    pub permissions: u64,
    /// The division by its name or its id, in text; null where it is not said.
    pub division: *const u8,
    /// Bytes of `division`.
    pub division_len: usize,
    /// One of `GATEWARD_OPERATION_*`.
    pub operation: u32,
    /// One of `GATEWARD_MODE_*`.
    pub mode: u32,
    /// Any of `GATEWARD_RULE_*`; 0 for none.
    pub rules: u32,
    /// Zero.
    pub zero: u32,
}

/// What was decided. The request may go on where `verdict` is [`GATEWARD_CLASS_ALLOW`], and only
/// there.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Decision {
    /// One of `GATEWARD_CLASS_*`.
    pub verdict: u32,
    /// Why, as a number of records: for the record, never for whoever asked.
    pub reason: u32,
    /// Every check that failed, a bit each in the order in which reasons are given.
    pub failed: u32,
    /// Who acts, for `gateward_principal_name`; [`GATEWARD_NONE`] where the secret did not match.
    pub principal: u32,
    /// The permission that was used or that was missing; [`GATEWARD_NONE`] where none was asked for.
    pub permission: u32,
    /// The kind of token, as presented: 1 API token, 2 service token, 0 another product's.
    pub kind: u32,
    /// The id of the token, as presented.
    pub id: u64,
}

/// Reads the text of a token into `token`. Clear it once it is checked.
///
/// # Safety
///
/// `text` points to `len` bytes and `token` to storage, or either is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_token_read(
    text: *const u8,
    len: usize,
    token: *mut ParsedToken,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    foreign::call_and_wipe(|| unsafe {
        foreign::fill(token, Token::read(foreign::bytes(text, len)?)?)
    })
}

/// Wipes a token.
///
/// # Safety
///
/// `token` points to storage, or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_token_clear(token: *mut ParsedToken) -> Status {
    // SAFETY: the caller promises the same.
    call(|| unsafe { foreign::clear(token) })
}

/// Stores the public part of a token, which logs may show: [`GATEWARD_LOOKUP_SIZE`] characters.
///
/// # Safety
///
/// `token` points to storage and `lookup` to [`GATEWARD_LOOKUP_SIZE`] bytes that hold something, or
/// either is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_token_lookup(
    token: *const ParsedToken,
    lookup: *mut u8,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe { foreign::put_bytes(lookup, &foreign::held(token)?.lookup.text()) })
}

/// Prepares a question for one snapshot: for any number of tokens, until the snapshot is replaced.
///
/// # Safety
///
/// `snapshot` points to storage, `request` to a struct whose `division` is null or points to
/// `division_len` bytes, `ask` to storage; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_ask_prepare(
    snapshot: *const Snapshot,
    request: *const Request,
    ask: *mut Ask,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let prepared = prepare(foreign::held(snapshot)?, &foreign::plain(request)?)?;
        foreign::fill(ask, prepared)
    })
}

/// Decides whether whoever presents `token` may do what is asked.
///
/// # Safety
///
/// `snapshot`, `ask` and `token` point to storage, `now` to a time, `decision` to a struct; or any is
/// null. The bits of `gateward_revoked_take` are still there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_check(
    snapshot: *const Snapshot,
    ask: *const Ask,
    token: *const ParsedToken,
    now: *const Now,
    decision: *mut Decision,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    foreign::call_and_wipe(|| unsafe {
        let (snapshot, ask) = (foreign::held(snapshot)?, foreign::held(ask)?);
        let decided = decided(snapshot, ask, foreign::held(token)?, &foreign::now(now)?)?;
        foreign::put(decision, decided)
    })
}

/// Does all of it at once: reads the text, prepares the question, decides, and wipes what it read. A
/// text that cannot be a token is a status, the same answer as any other denial.
///
/// # Safety
///
/// As those three.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_check_text(
    snapshot: *const Snapshot,
    request: *const Request,
    text: *const u8,
    len: usize,
    now: *const Now,
    decision: *mut Decision,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    foreign::call_and_wipe(|| unsafe {
        let snapshot = foreign::held(snapshot)?;
        let token = Token::read(foreign::bytes(text, len)?)?;
        let prepared = prepare(snapshot, &foreign::plain(request)?)?;
        let decided = decided(snapshot, &prepared, &token, &foreign::now(now)?)?;
        foreign::put(decision, decided)
    })
}

/// # Safety
///
/// As `gateward_ask_prepare`.
unsafe fn prepare(open: &Open, request: &Request) -> Result<Prepared, Status> {
    let Request { permissions, division, division_len, operation, mode, rules, zero } = *request;
    if rules & !(GATEWARD_RULE_STRICT | GATEWARD_RULE_DENY_UNATTACHED) != 0 || zero != 0 {
        return Err(GATEWARD_ABSURD);
    }
    let operation = self::operation(operation)?;
    let mode = match mode {
        GATEWARD_MODE_DIRECT => Mode::Direct,
        GATEWARD_MODE_PROXY => Mode::Proxy,
        _ => return Err(GATEWARD_ABSURD),
    };
    // SAFETY: the caller promises it.
    let division = unsafe { foreign::text(division, division_len)? };
    let view = open.names();
    let ask = CoreAsk::of_set(&view, PermissionSet(permissions), operation, division, mode);
    let rules = DivisionRules {
        strict: rules & GATEWARD_RULE_STRICT != 0,
        deny_unattached: rules & GATEWARD_RULE_DENY_UNATTACHED != 0,
    };

    Ok(Prepared { ask, rules, of: open.verified.manifest().root() })
}

/// The operation with this number; none for [`GATEWARD_OPERATION_STRICTEST`].
pub(crate) fn operation(number: u32) -> Result<Option<Operation>, Status> {
    let Some(number) = number.checked_sub(1) else { return Ok(None) };
    let operation = u8::try_from(number).ok().and_then(Operation::from_byte);

    operation.map(Some).ok_or(GATEWARD_ABSURD)
}

/// # Safety
///
/// As `gateward_check`.
unsafe fn decided(
    open: &Open,
    prepared: &Prepared,
    token: &Token,
    now: &CoreNow,
) -> Result<Decision, Status> {
    if prepared.of != open.verified.manifest().root() {
        return Err(GATEWARD_OTHER_SNAPSHOT);
    }
    // SAFETY: the caller promises it.
    let view = unsafe { open.view()? };
    let weighed = weigh(&view, &prepared.ask, token, open.time(now), prepared.rules);
    let Verdict { reason, failed, lookup, principal, permission } = weighed.verdict();

    Ok(Decision {
        verdict: reason.class() as u32,
        reason: reason as u32,
        failed: failed.bits(),
        principal: principal.map_or(GATEWARD_NONE, |at| u32::try_from(at).unwrap_or(GATEWARD_NONE)),
        permission: permission.map_or(GATEWARD_NONE, |permission| permission.bit().into()),
        kind: lookup.kind.into(),
        id: lookup.id,
    })
}
