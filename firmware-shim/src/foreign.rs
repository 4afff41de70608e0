//! The border: turns C's pointers into references, or into a [`Status`]. All code that trusts a
//! pointer is here.
//!
//! What every function here asks of its caller is what the header asks of C: a pointer is null, or
//! points to as many bytes as are said, which nobody changes meanwhile.
#![expect(unsafe_code, reason = "this is where pointers from C are trusted, and nowhere else")]

use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::slice;

use gateward_core::snapshot::delta::{Broken, Sink};
use gateward_core::time::UnixSeconds;
use gateward_core::trust;

use crate::status::{
    GATEWARD_ABSURD, GATEWARD_BROKEN, GATEWARD_EMPTY, GATEWARD_LENGTH, GATEWARD_MISALIGNED,
    GATEWARD_NO_TIME, GATEWARD_NULL, GATEWARD_TEXT, Status,
};
use crate::storage::{Filled, Floor, Storage};
use crate::time::{Now, quality};

/// A function of the caller that takes `len` bytes for the place `offset` of what is written, and
/// returns 0 where it could. It is called from the function that it was given to, and never later.
pub type Write = Option<
    unsafe extern "C" fn(context: *mut c_void, offset: u32, bytes: *const u8, len: usize) -> u32,
>;

/// Calls `with`, and returns what it came to.
pub(crate) fn call(with: impl FnOnce() -> Result<(), Status>) -> Status {
    with().into()
}

/// Calls `with` in a frame of its own, and overwrites what that leaves on the stack: a secret was there.
pub(crate) fn call_and_wipe(with: impl FnOnce() -> Result<(), Status>) -> Status {
    let status = apart(with);
    wipe_stack();

    status
}

#[inline(never)]
fn apart(with: impl FnOnce() -> Result<(), Status>) -> Status {
    with().into()
}

/// The `len` bytes at `at`.
pub(crate) unsafe fn bytes<'a>(at: *const u8, len: usize) -> Result<&'a [u8], Status> {
    if at.is_null() {
        return Err(GATEWARD_NULL);
    }
    fits(len)?;

    // SAFETY: not null, not longer than an object may be, and the caller promises the rest.
    Ok(unsafe { slice::from_raw_parts(at, len) })
}

/// The `len` bytes at `at`, to be written. They hold something already.
pub(crate) unsafe fn bytes_mut<'a>(at: *mut u8, len: usize) -> Result<&'a mut [u8], Status> {
    if at.is_null() {
        return Err(GATEWARD_NULL);
    }
    fits(len)?;

    // SAFETY: not null, not longer than an object may be, and the caller promises the rest.
    Ok(unsafe { slice::from_raw_parts_mut(at, len) })
}

fn fits(len: usize) -> Result<(), Status> {
    isize::try_from(len).map(drop).map_err(|_| GATEWARD_LENGTH)
}

/// Checks that nothing that is read is written meanwhile.
pub(crate) fn lie_apart(read: &[u8], written: &[u8]) -> Result<(), Status> {
    let (read, written) = (read.as_ptr_range(), written.as_ptr_range());

    if read.start < written.end && written.start < read.end {
        return Err(GATEWARD_ABSURD);
    }

    Ok(())
}

/// The text at `at`; none where it is null and its length 0.
pub(crate) unsafe fn text<'a>(at: *const u8, len: usize) -> Result<Option<&'a str>, Status> {
    if at.is_null() && len == 0 {
        return Ok(None);
    }
    // SAFETY: as this function's.
    let bytes = unsafe { bytes(at, len)? };

    core::str::from_utf8(bytes).map(Some).map_err(|_| GATEWARD_TEXT)
}

/// The `N` bytes at `at`.
pub(crate) unsafe fn array<const N: usize>(at: *const u8) -> Result<[u8; N], Status> {
    // SAFETY: as this function's.
    let bytes = unsafe { bytes(at, N)? };

    bytes.try_into().map_err(|_| GATEWARD_LENGTH)
}

/// Reads a plain struct, wherever it stands.
pub(crate) unsafe fn plain<T: Copy>(at: *const T) -> Result<T, Status> {
    if at.is_null() {
        return Err(GATEWARD_NULL);
    }

    // SAFETY: not null; every bit pattern of the numbers and pointers in these structs is a value.
    Ok(unsafe { at.read_unaligned() })
}

/// Stores `value` at `out`.
pub(crate) unsafe fn put<T>(out: *mut T, value: T) -> Result<(), Status> {
    if out.is_null() {
        return Err(GATEWARD_NULL);
    }
    // SAFETY: not null, and the caller promises the rest.
    unsafe { out.write_unaligned(value) };

    Ok(())
}

/// Stores `bytes` at `out`.
pub(crate) unsafe fn put_bytes(out: *mut u8, bytes: &[u8]) -> Result<(), Status> {
    // SAFETY: as this function's.
    unsafe { bytes_mut(out, bytes.len())? }.copy_from_slice(bytes);

    Ok(())
}

/// What the storage at `at` holds.
pub(crate) unsafe fn held<'a, S: Storage>(at: *const S) -> Result<&'a S::Held, Status> {
    if at.is_null() {
        return Err(GATEWARD_NULL);
    }
    if !at.is_aligned() {
        return Err(GATEWARD_MISALIGNED);
    }
    let filled = at.cast::<Filled<S::Held>>();
    // SAFETY: aligned and not null; the mark is read before anything is said about the rest.
    if unsafe { (&raw const (*filled).mark).read() } != S::MARK {
        return Err(GATEWARD_EMPTY);
    }

    // SAFETY: the mark says that `fill` wrote it, and the caller that nobody else wrote since.
    Ok(unsafe { &(*filled).held })
}

/// What the storage at `at` holds, to be changed where it is.
pub(crate) unsafe fn held_mut<'a, S: Storage>(at: *mut S) -> Result<&'a mut S::Held, Status> {
    // SAFETY: as this function's.
    unsafe { held(at)? };

    // SAFETY: it is filled, as was just seen, and the caller lends it for writing.
    Ok(unsafe { &mut (*at.cast::<Filled<S::Held>>()).held })
}

/// Fills the storage at `out`.
pub(crate) unsafe fn fill<S: Storage>(out: *mut S, held: S::Held) -> Result<(), Status> {
    // SAFETY: as this function's.
    unsafe { can_fill(out)? };
    // SAFETY: not null, aligned, and `Storage` says that it is large enough.
    unsafe { out.cast::<Filled<S::Held>>().write(Filled { mark: S::MARK, held }) };

    Ok(())
}

/// Checks what [`fill`] would check, for whoever must not have done anything where it fails.
pub(crate) unsafe fn can_fill<S: Storage>(out: *mut S) -> Result<(), Status> {
    if out.is_null() {
        return Err(GATEWARD_NULL);
    }

    if out.is_aligned() { Ok(()) } else { Err(GATEWARD_MISALIGNED) }
}

/// Empties the storage at `at`, and wipes it.
pub(crate) unsafe fn clear<S: Storage>(at: *mut S) -> Result<(), Status> {
    // SAFETY: as this function's.
    unsafe { held(at)? };
    // SAFETY: it is filled, and emptied before anybody can see it again.
    unsafe { at.cast::<Filled<S::Held>>().drop_in_place() };
    // SAFETY: as above; any bytes are good storage.
    unsafe { at.write_bytes(0, 1) };

    Ok(())
}

/// The floor at `at`.
pub(crate) unsafe fn floor(at: *const Floor) -> Result<trust::Floor, Status> {
    if at.is_null() {
        return Err(GATEWARD_NULL);
    }
    // SAFETY: not null, aligned to one byte, and any bytes are good storage.
    let Floor { bytes } = unsafe { &*at };

    Ok(trust::Floor::decode(bytes)?)
}

/// Stores a floor at `out`.
pub(crate) unsafe fn put_floor(out: *mut Floor, floor: &trust::Floor) -> Result<(), Status> {
    // SAFETY: as this function's.
    unsafe { put(out, Floor { bytes: floor.encode() }) }
}

/// The time at `at`, which the caller has to know (DOMAIN L5).
pub(crate) unsafe fn now(at: *const Now) -> Result<trust::Now, Status> {
    // SAFETY: as this function's.
    let Now { at, backed, quality: number, zero } = unsafe { plain(at)? };
    if at == 0 {
        return Err(GATEWARD_NO_TIME);
    }
    if zero != 0 {
        return Err(GATEWARD_ABSURD);
    }

    Ok(trust::Now { at: UnixSeconds(at), quality: quality(number)?, backed: UnixSeconds(backed) })
}

/// How much of the stack is overwritten after a secret was on it, in words of 8 bytes: as deep as the
/// deepest call that handles one, by `tests/firmware/image`.
const WIPED: usize = if size_of::<usize>() == 4 { 184 } else { 512 };

/// Overwrites what a function that has returned left below the frame of its caller.
#[inline(never)]
fn wipe_stack() {
    let mut room = MaybeUninit::<[[u64; 8]; WIPED / 8]>::uninit();
    let first = room.as_mut_ptr().cast::<[u64; 8]>();
    for at in 0..WIPED / 8 {
        // SAFETY: within the array. Whoever reads it again is whoever is looking for a secret, so the
        // compiler must not know that nobody does.
        unsafe {
            let words = first.add(at).cast::<u64>();
            words.write_volatile(0);
            words.add(1).write_volatile(0);
            words.add(2).write_volatile(0);
            words.add(3).write_volatile(0);
            words.add(4).write_volatile(0);
            words.add(5).write_volatile(0);
            words.add(6).write_volatile(0);
            words.add(7).write_volatile(0);
        }
    }
}

/// Bytes of the caller that stay where they are while something of the caller's points to them.
#[derive(Clone, Copy)]
pub(crate) struct Lent {
    at: *const u8,
    len: usize,
}

impl Lent {
    pub(crate) const fn new(bytes: &[u8]) -> Self {
        Self { at: bytes.as_ptr(), len: bytes.len() }
    }

    /// The bytes as they are now.
    pub(crate) unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: made of a slice; the caller promises that it is still there.
        unsafe { slice::from_raw_parts(self.at, self.len) }
    }

    /// Copies them to where they are not, or leaves them where they are.
    pub(crate) unsafe fn copy_to(self, to: &mut [u8]) -> Result<(), Status> {
        if self.len != to.len() {
            return Err(GATEWARD_LENGTH);
        }
        if self.at == to.as_ptr() {
            return Ok(());
        }
        // SAFETY: the caller promises that they are there.
        let from = unsafe { self.bytes() };
        lie_apart(from, to)?;
        to.copy_from_slice(from);

        Ok(())
    }
}

/// Hands what is written to a function of the caller.
pub(crate) struct Writer {
    write: unsafe extern "C" fn(*mut c_void, u32, *const u8, usize) -> u32,
    context: *mut c_void,
    offset: u32,
}

impl Writer {
    /// Starts at `offset`.
    pub(crate) unsafe fn new(
        write: Write,
        context: *mut c_void,
        offset: u32,
    ) -> Result<Self, Status> {
        Ok(Self { write: write.ok_or(GATEWARD_NULL)?, context, offset })
    }

    pub(crate) fn put_all(&mut self, bytes: &[u8]) -> Result<(), Status> {
        self.put(bytes).map_err(|Broken| GATEWARD_BROKEN)
    }
}

impl Sink for Writer {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let len = u32::try_from(bytes.len()).map_err(|_| Broken)?;
        // SAFETY: the caller of the interface promises that its own function can be called so.
        let code = unsafe { (self.write)(self.context, self.offset, bytes.as_ptr(), bytes.len()) };
        self.offset = self.offset.checked_add(len).ok_or(Broken)?;

        if code == 0 { Ok(()) } else { Err(Broken) }
    }
}
