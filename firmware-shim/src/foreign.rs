//! The border: turns C's pointers into references, or into a [`Status`].
#![expect(unsafe_code, reason = "this is where pointers from C are trusted, and nowhere else")]

use crate::Status;

/// Calls `with` with the `len` bytes at `bytes`.
///
/// # Safety
///
/// `bytes` is null, or points to `len` readable bytes that nobody changes meanwhile.
pub(crate) unsafe fn read(
    bytes: *const u8,
    len: usize,
    with: impl FnOnce(&[u8]) -> Result<(), Status>,
) -> Status {
    if bytes.is_null() {
        return Status::NULL;
    }
    if isize::try_from(len).is_err() {
        return Status::LENGTH;
    }

    // SAFETY: not null, not longer than an object may be, and the caller promises the rest.
    with(unsafe { core::slice::from_raw_parts(bytes, len) }).into()
}

/// Stores `value` at `out`.
///
/// # Safety
///
/// `out` is null, or points to a writable `T`.
pub(crate) unsafe fn write<T>(out: *mut T, value: T) -> Result<(), Status> {
    if out.is_null() {
        return Err(Status::NULL);
    }
    // SAFETY: not null, and the caller promises the rest.
    unsafe { out.write_unaligned(value) };

    Ok(())
}
