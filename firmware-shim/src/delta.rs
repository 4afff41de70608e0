//! From one bank to the other by the records that changed.
#![expect(unsafe_code, reason = "C calls these by name")]

use core::ffi::c_void;

use gateward_core::snapshot::delta::{Delta, Mark};
use zerocopy::FromBytes as _;

use crate::foreign::{self, Write, Writer, call};
use crate::status::{
    GATEWARD_DELTA_MALFORMED, GATEWARD_DELTA_OTHER_BASE, GATEWARD_MISALIGNED, Status,
};
use crate::storage::{Manifest, Snapshot};

/// Stores how many bytes of room a delta needs beside the file that it makes.
///
/// # Safety
///
/// `delta` points to `len` bytes and `bytes` to a number, or either is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_delta_room(
    delta: *const u8,
    len: usize,
    bytes: *mut usize,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let delta = Delta::read(foreign::bytes(delta, len)?)?;
        foreign::put(bytes, delta.room().saturating_mul(size_of::<Mark>()))
    })
}

/// Makes the snapshot that `target` names out of the one in force and hands it to `write`, front to
/// back, in pieces. `room` is memory to work in, aligned to 4 bytes: as much as
/// `gateward_delta_room` says, and faster with more.
///
/// What was written is then opened as any other file is: only that says that it is right.
///
/// # Safety
///
/// `base` and `target` point to storage, `delta` to `len` bytes, `room` to `room_len` bytes that hold
/// something; or any is null. `write` can be called with `context`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_delta_apply(
    base: *const Snapshot,
    target: *const Manifest,
    delta: *const u8,
    len: usize,
    room: *mut u8,
    room_len: usize,
    write: Write,
    context: *mut c_void,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let (base, target) = (&foreign::held(base)?.verified, foreign::held(target)?);
        let bytes = foreign::bytes(delta, len)?;
        let room = foreign::bytes_mut(room, room_len)?;
        let mut to = Writer::new(write, context, 0)?;
        let from = base.manifest().version().number;
        let mut named = target.deltas().iter().filter(|delta| delta.from == from);
        if !named.any(|delta| delta.accepts(bytes)) {
            return Err(GATEWARD_DELTA_MALFORMED);
        }
        let whole = room_len / size_of::<Mark>();
        let marks = <[Mark]>::mut_from_prefix_with_elems(room, whole);
        let (marks, _) = marks.map_err(|_| GATEWARD_MISALIGNED)?;
        let delta = Delta::read(bytes)?;
        let ready = delta.on(base, marks)?;
        if ready.file_len() != target.file_len() {
            return Err(GATEWARD_DELTA_OTHER_BASE);
        }
        Ok(ready.write(&mut to)?)
    })
}
