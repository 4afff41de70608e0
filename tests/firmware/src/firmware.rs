//! The other side: the C interface, called as C calls it.
#![expect(unsafe_code, reason = "the functions of the interface are those of C")]

use core::marker::PhantomData;
use core::mem::zeroed;
use core::ptr;

use gateward::{
    Ask, Decision, Floor, GATEWARD_OK, GATEWARD_TOKEN, Keys, Manifest, Now, ParsedToken, Request,
    Snapshot, Status,
};
use gateward_core::decide::Mode;
use gateward_core::permission::{Operation, PermissionSet};
use gateward_core::snapshot::View;

use crate::answer::Answer;
use crate::authority::{ACCOUNT, audience};
use crate::question::Question;
use crate::world::Given;

/// A snapshot in force.
#[derive(Debug)]
pub struct Firmware<'g> {
    snapshot: Box<Snapshot>,
    keys: Box<Keys>,
    floor: Floor,
    /// What the snapshot reads in the place of a list.
    bits: Vec<u8>,
    file: PhantomData<&'g [u8]>,
}

impl<'g> Firmware<'g> {
    /// Takes all that is given, in its order.
    ///
    /// # Errors
    ///
    /// The status of the first call that failed.
    pub fn open(given: &'g Given) -> Result<Self, Status> {
        let now = at(given.at);
        // SAFETY: storage is numbers, and no storage holds something before it is filled.
        let (mut all, mut manifest) = unsafe { (Self::nothing(), zeroed::<Manifest>()) };
        let Self { snapshot, keys, floor, .. } = &mut all;
        // SAFETY: every pointer is to an object of its type, every length is its slice's, and the
        // file outlives what is made of it.
        unsafe {
            ok(gateward::gateward_floor_start(floor))?;
            let account = ACCOUNT.0.as_ptr();
            let (bytes, len) = (given.keys.as_ptr(), given.keys.len());
            ok(gateward::gateward_keys_anchor(bytes, len, account, &mut **keys))?;
            let (bytes, len) = (given.manifest.as_ptr(), given.manifest.len());
            let to = audience();
            let (to, into) = (to.0.as_ptr(), &raw mut manifest);
            ok(gateward::gateward_manifest_verify(&**keys, to, bytes, len, into))?;
            let (file, len) = (given.file.as_ptr(), given.file.len());
            let into = &mut **snapshot;
            ok(gateward::gateward_snapshot_open(&manifest, &**keys, floor, &now, file, len, into))?;
            ok(gateward::gateward_snapshot_commit(&**snapshot, floor))?;
        }
        if let Some(beacon) = &given.beacon {
            all.hear(beacon, &now)?;
        }
        for list in &given.lists {
            all.take(list)?;
        }

        Ok(all)
    }

    /// # Safety
    ///
    /// None of it is used before it is filled.
    unsafe fn nothing() -> Self {
        // SAFETY: all of these are plain numbers.
        unsafe {
            Self {
                snapshot: Box::new(zeroed()),
                keys: Box::new(zeroed()),
                floor: zeroed(),
                bits: Vec::new(),
                file: PhantomData,
            }
        }
    }

    fn hear(&mut self, beacon: &[u8], now: &Now) -> Result<(), Status> {
        let (to, bytes, len) = (audience(), beacon.as_ptr(), beacon.len());
        let (snapshot, keys, floor) = (&mut *self.snapshot, &*self.keys, &mut self.floor);
        // SAFETY: every pointer is to an object of its type, every length is its slice's.
        unsafe {
            ok(gateward::gateward_beacon_take(keys, to.0.as_ptr(), floor, now, bytes, len))?;
            ok(gateward::gateward_snapshot_follow(snapshot, keys, floor))
        }
    }

    fn take(&mut self, list: &[u8]) -> Result<(), Status> {
        let (to, bytes, len) = (audience(), list.as_ptr(), list.len());
        let (snapshot, keys, floor) = (&mut *self.snapshot, &*self.keys, &mut self.floor);
        let mut room = 0;
        // SAFETY: every pointer is to an object of its type.
        unsafe { ok(gateward::gateward_revoked_room(snapshot, &raw mut room))? };
        // Other bits every time: those before are copied where they are still needed.
        let mut bits = vec![0xa5; room];
        let into = bits.as_mut_ptr();
        // SAFETY: every length is its slice's, and the bits before are there until after the call.
        unsafe {
            let to = to.0.as_ptr();
            let given = gateward::List {
                envelope: bytes,
                envelope_len: len,
                bits: into,
                bits_len: room,
                kept: 0,
                kept_epoch: 0,
                zero: 0,
            };
            ok(gateward::gateward_revoked_take(snapshot, keys, keys, to, floor, &raw const given))?;
        }
        self.bits = bits;

        Ok(())
    }

    /// Decides in steps: reads the token, prepares the question, checks, and clears the token.
    #[must_use]
    pub fn answer(&self, view: &View<'_>, question: &Question) -> Answer {
        let (request, now) = (request(question), at(question.now));
        // SAFETY: storage is numbers, and every pointer is to an object of its type.
        let answer = unsafe {
            let mut token: ParsedToken = zeroed();
            let mut ask: Ask = zeroed();
            let mut decision: Decision = zeroed();
            let (text, len) = (question.token.as_ptr(), question.token.len());
            ok(gateward::gateward_token_read(text, len, &raw mut token))
                .and_then(|()| {
                    ok(gateward::gateward_ask_prepare(&*self.snapshot, &request, &raw mut ask))
                })
                .and_then(|()| {
                    let into = &raw mut decision;
                    ok(gateward::gateward_check(&*self.snapshot, &ask, &token, &now, into))
                })
                .and_then(|()| ok(gateward::gateward_token_clear(&raw mut token)))
                .map(|()| decision)
        };

        of(answer, view)
    }

    /// Decides in one call.
    #[must_use]
    pub fn answer_text(&self, view: &View<'_>, question: &Question) -> Answer {
        let (request, now) = (request(question), at(question.now));
        let (text, len) = (question.token.as_ptr(), question.token.len());
        // SAFETY: as above.
        let answer = unsafe {
            let mut decision: Decision = zeroed();
            let into = &raw mut decision;
            ok(gateward::gateward_check_text(&*self.snapshot, &request, text, len, &now, into))
                .map(|()| decision)
        };

        of(answer, view)
    }

    /// Finds the set of the permission that is called `id`.
    #[must_use]
    pub fn permission(&self, id: &str) -> Option<PermissionSet> {
        let mut set = 0;
        // SAFETY: every pointer is to an object of its type, and the length is the text's.
        let found = unsafe {
            let into = &raw mut set;
            gateward::gateward_permission_find(&*self.snapshot, id.as_ptr(), id.len(), into)
        };

        (found == GATEWARD_OK).then_some(PermissionSet(set))
    }
}

/// A principal is a place in the snapshot; its key is what the agent's side can be asked for.
fn of(answer: Result<Decision, Status>, view: &View<'_>) -> Answer {
    let Decision { verdict, reason, failed, principal, permission, kind, id } = match answer {
        Ok(decision) => decision,
        Err(GATEWARD_TOKEN) => return Answer::NotAToken,
        Err(Status { code }) => return Answer::Status(code),
    };
    let at = (principal != gateward::GATEWARD_NONE).then_some(principal);
    let key = |at: u32| {
        let at = usize::try_from(at).expect("a usize has 32 bits at least");
        view.principal(at).expect("whoever acts is in the snapshot").key()
    };
    let (principal, token) = (at.map(key), (kind, id));

    Answer::Decided { verdict, reason, failed, principal, permission, token }
}

fn at(seconds: u64) -> Now {
    Now { at: seconds, backed: seconds, quality: gateward::GATEWARD_TIME_SYNCED, zero: 0 }
}

fn request(question: &Question) -> Request {
    let division = question.division.as_deref();
    let [operation, mode, rules] = numbers(question);

    Request {
        permissions: question.permissions.0,
        division: division.map_or(ptr::null(), str::as_ptr),
        division_len: division.map_or(0, str::len),
        operation,
        mode,
        rules,
        zero: 0,
    }
}

/// Returns the operation, the mode and the rules as numbers of the interface.
#[must_use]
pub fn numbers(question: &Question) -> [u32; 3] {
    let operation = match question.operation {
        None => gateward::GATEWARD_OPERATION_STRICTEST,
        Some(Operation::Approve) => gateward::GATEWARD_OPERATION_APPROVE,
        Some(Operation::Delete) => gateward::GATEWARD_OPERATION_DELETE,
        Some(Operation::Issue) => gateward::GATEWARD_OPERATION_ISSUE,
        Some(Operation::IssueCa) => gateward::GATEWARD_OPERATION_ISSUE_CA,
        Some(Operation::Read) => gateward::GATEWARD_OPERATION_READ,
        Some(Operation::Revoke) => gateward::GATEWARD_OPERATION_REVOKE,
        Some(Operation::Write) => gateward::GATEWARD_OPERATION_WRITE,
    };
    let mode = match question.mode {
        Mode::Direct => gateward::GATEWARD_MODE_DIRECT,
        Mode::Proxy => gateward::GATEWARD_MODE_PROXY,
    };
    let rule = |on: bool, rule: u32| if on { rule } else { 0 };
    let rules = rule(question.rules.strict, gateward::GATEWARD_RULE_STRICT)
        | rule(question.rules.deny_unattached, gateward::GATEWARD_RULE_DENY_UNATTACHED);

    [operation, mode, rules]
}

fn ok(status: Status) -> Result<(), Status> {
    if status == GATEWARD_OK { Ok(()) } else { Err(status) }
}
