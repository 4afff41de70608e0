//! What holds after every call, whatever it was called with.
#![expect(unsafe_code, reason = "what the C interface stored is read as C reads it")]

use std::ffi::CStr;
use std::mem::offset_of;
use std::slice;

use gateward::*;
use gateward_core::audit::Record as CoreRecord;
use gateward_core::snapshot::chunk;
use gateward_core::trust::Floor as CoreFloor;

use super::arena::Arena;
use super::args::{Bytes, BytesMut, Run};
use super::values::Written;
use crate::fixture::fixture;

/// A number that no status has.
const NOBODYS: Status = Status { code: 11 };

/// A status has a sentence of its own.
pub(super) fn known(status: Status) {
    assert!(sentence(status) != sentence(NOBODYS), "{status:?} is no status");
}

pub(super) fn sentence(status: Status) -> &'static str {
    let text = gateward_strerror(status);
    assert!(!text.is_null());
    // SAFETY: it ends with a zero byte and lives as long as the program.
    let text = unsafe { CStr::from_ptr(text) }.to_str().expect("a sentence in ASCII");
    crate::is_a_message(text);

    text
}

/// No call takes back what was accepted, but for the one that starts anew.
pub(super) fn floors_rise(run: &Run<'_>, call: &str, before: &[u8]) {
    if call == "gateward_floor_start" {
        return;
    }
    for at in 0..2 {
        let start = offset_of!(Arena, floors) + at * size_of::<Floor>();
        let was = before.get(start..start + size_of::<Floor>()).expect("a floor");
        // SAFETY: the arena is there, and a floor is bytes.
        let is = unsafe { (*run.arena()).floors.get(at).expect("a floor").bytes };
        let Ok(was) = CoreFloor::decode(was) else { continue };
        let is = CoreFloor::decode(&is).expect("a floor stays one");
        assert!(is.keys >= was.keys && is.version >= was.version, "{call} lowered the floor");
        assert!(
            is.version > was.version || is.issued_at >= was.issued_at,
            "{call}: an older manifest"
        );
        assert!(is.list >= was.list && is.revoked >= was.revoked, "{call} forgot a list");
        assert!(is.beacon >= was.beacon && is.newest >= was.newest, "{call} forgot a beacon");
        assert!(is.rooted >= was.rooted, "{call} lowered what root keys say");
        assert!(is.version == was.version || is.version != CoreFloor::default().version);
    }
}

/// DOMAIN L5: there is no default for the time.
pub(super) fn time_was_said(status: Status, now: Option<&Now>) {
    let said = now.is_some_and(|now| now.at != 0 && now.zero == 0 && now.quality <= 3);
    assert!(said || status != GATEWARD_OK, "something was judged at no time");
}

pub(super) fn a_chunk_is_written_whole_or_not(status: Status, to: &Written) {
    match status {
        GATEWARD_OK => assert_eq!(to.calls, 1, "a chunk is written once"),
        GATEWARD_BROKEN => assert!(to.calls == 1 && to.until == 0),
        _ => assert_eq!(to.calls, 0, "{status:?}, and yet written"),
    }
}

/// A delta that the manifest names makes the very file that it names.
pub(super) fn a_delta_leads_to_its_target(status: Status, target: *const Manifest, to: &Written) {
    if status != GATEWARD_OK {
        return;
    }
    let mut said = ManifestFields { root: [0; 32], ..NOTHING };
    // SAFETY: the call before took the same manifest.
    assert_eq!(unsafe { gateward_manifest_info(target, &raw mut said) }, GATEWARD_OK);
    let log2 = u8::try_from(said.chunk_len.trailing_zeros()).expect("at most 31");
    assert_eq!(to.bytes.len(), said.file_len as usize);
    assert_eq!(chunk::root_of(&to.bytes, log2).map(|root| root.0), Some(said.root));
}

const NOTHING: ManifestFields = ManifestFields {
    version: 0,
    issued_at: 0,
    stale_at: 0,
    expires_at: 0,
    revoked: 0,
    epoch: 0,
    file_len: 0,
    chunk_len: 0,
    chunks: 0,
    root: [0; 32],
};

/// The bytes of some memory; none where it is none.
pub(super) fn copy(memory: BytesMut) -> Vec<u8> {
    if memory.at.is_null() {
        return Vec::new();
    }

    // SAFETY: it is there, and nobody writes meanwhile.
    unsafe { slice::from_raw_parts(memory.at, memory.len) }.to_vec()
}

pub(super) fn bits_change_only_on_success(status: Status, bits: BytesMut, before: &[u8]) {
    assert!(status == GATEWARD_OK || copy(bits) == before, "{status:?}, and yet bits were written");
}

pub(super) fn a_decision_can_be_meant(status: Status, decision: *const Decision) {
    if status != GATEWARD_OK {
        return;
    }
    // SAFETY: it was stored just now.
    let Decision { verdict, reason, failed, principal, permission, kind, .. } =
        unsafe { decision.read_unaligned() };
    let allowed = verdict == GATEWARD_CLASS_ALLOW;
    assert!(verdict <= GATEWARD_CLASS_UNAVAILABLE && kind <= u8::MAX.into());
    assert!(!allowed || failed == 0 && principal != GATEWARD_NONE && permission != GATEWARD_NONE);
    assert!(permission < 64 || permission == GATEWARD_NONE);
    let mut name = Text { bytes: std::ptr::null(), len: 0 };
    // SAFETY: the place is there.
    assert_eq!(unsafe { gateward_reason_name(reason, &raw mut name) }, GATEWARD_OK);
    assert_eq!(allowed, text(name) == "ok", "what allows is called ok, and nothing else is");
}

/// All at once comes to what the three steps come to.
pub(super) fn in_steps_it_is_the_same(
    snapshot: *const Snapshot,
    request: *const Request,
    text: Bytes,
    now: *const Now,
    decision: *const Decision,
) {
    let mut token = [0_u64; GATEWARD_TOKEN_WORDS];
    let mut ask = [0_u64; GATEWARD_ASK_WORDS];
    let mut again = [0_u64; size_of::<Decision>() / 8];
    let (token, ask) = (token.as_mut_ptr().cast(), ask.as_mut_ptr().cast());
    let to = again.as_mut_ptr().cast();
    // SAFETY: the call before took the same, and the storage is of the sizes that are said.
    let (first, second, third, same) = unsafe {
        (
            gateward_token_read(text.at, text.len, token),
            gateward_ask_prepare(snapshot, request, ask),
            gateward_check(snapshot, ask, token, now, to),
            decision.cast::<[u64; size_of::<Decision>() / 8]>().read_unaligned() == again,
        )
    };
    assert!([first, second, third] == [GATEWARD_OK; 3] && same, "in steps it is something else");
}

fn text(name: Text) -> &'static str {
    // SAFETY: the interface stored it; it points into what lives until the run ends.
    let bytes = unsafe { slice::from_raw_parts(name.bytes, name.len) };

    core::str::from_utf8(bytes).expect("a name is text")
}

pub(super) fn a_name_is_text(status: Status, name: *const Text) {
    if status == GATEWARD_OK {
        // SAFETY: it was stored just now.
        assert!(!text(unsafe { name.read_unaligned() }).is_empty());
    }
}

/// What is written is the one spelling of a record; what is not leaves the buffer as it is.
pub(super) fn a_record_can_be_read(
    status: Status,
    buffer: BytesMut,
    written: *const usize,
    before: &[u8],
) {
    let bytes = copy(buffer);
    if status != GATEWARD_OK {
        assert!(bytes == before, "{status:?}, and yet the buffer was written");
        return;
    }
    // SAFETY: it was stored just now.
    let written = unsafe { written.read_unaligned() };
    let record = CoreRecord::decode(bytes.get(..written).expect("no longer than the buffer"));
    let record = record.expect("what was written can be read");
    let mut again = [0; GATEWARD_RECORD_SIZE];
    assert_eq!(record.encode(&mut again), Ok(written));
    assert_eq!(again.get(..written), bytes.get(..written));
    let path = record.path.unwrap_or_default().as_bytes();
    let told = |token: &[u8]| path.windows(token.len()).any(|part| part == token);
    assert!(!fixture().tokens().iter().any(|token| told(token)), "a token is told");
}
