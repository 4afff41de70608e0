//! Texts for display: they point into the snapshot or into the program, and end with no zero byte.
#![expect(unsafe_code, reason = "C calls these by name")]

use gateward_core::decide::Reason;
use gateward_core::permission::Permission;

use crate::foreign::{self, call};
use crate::status::{GATEWARD_TEXT, GATEWARD_UNKNOWN, Status};
use crate::storage::Snapshot;

/// A text in UTF-8, not ended by a zero byte. One in a [`crate::Record`] is left out where `bytes` is
/// null.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Text {
    /// The first byte.
    pub bytes: *const u8,
    /// How many.
    pub len: usize,
}

impl Text {
    pub(crate) const NONE: Self = Self { bytes: core::ptr::null(), len: 0 };

    pub(crate) const fn of(text: &str) -> Self {
        Self { bytes: text.as_ptr(), len: text.len() }
    }
}

/// Stores the name of a reason, such as `token_expired`.
///
/// # Safety
///
/// `name` points to a struct, or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_reason_name(reason: u32, name: *mut Text) -> Status {
    // SAFETY: the caller promises the same.
    call(|| unsafe {
        let reason = u8::try_from(reason).ok().and_then(Reason::from_byte);
        foreign::put(name, Text::of(reason.ok_or(GATEWARD_UNKNOWN)?.name()))
    })
}

/// Stores the username of a principal, or the friendly name of a service user, and its id, 16 bytes.
///
/// # Safety
///
/// `snapshot` points to storage, `name` to a struct, `id` to 16 bytes that hold something; or any is
/// null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_principal_name(
    snapshot: *const Snapshot,
    principal: u32,
    name: *mut Text,
    id: *mut u8,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let at = usize::try_from(principal).map_err(|_| GATEWARD_UNKNOWN)?;
        let view = foreign::held(snapshot)?.names();
        let principal = view.principal(at).ok_or(GATEWARD_UNKNOWN)?;
        foreign::bytes_mut(id, 16)?;
        foreign::put(name, Text::of(principal.name()))?;
        foreign::put_bytes(id, &principal.id().0)
    })
}

/// Stores the name of the division at `index`, counted from 0 in the order of the ids, and its id, 16
/// bytes.
///
/// # Safety
///
/// `snapshot` points to storage, `name` to a struct, `id` to 16 bytes that hold something; or any is
/// null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_division_name(
    snapshot: *const Snapshot,
    index: u32,
    name: *mut Text,
    id: *mut u8,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let at = usize::try_from(index).map_err(|_| GATEWARD_UNKNOWN)?;
        let mut divisions = foreign::held(snapshot)?.names().divisions();
        let (of, text) = divisions.nth(at).ok_or(GATEWARD_UNKNOWN)?;
        foreign::bytes_mut(id, 16)?;
        foreign::put(name, Text::of(text))?;
        foreign::put_bytes(id, &of.0)
    })
}

/// Stores the name of the permission with this bit, such as `manage_device`.
///
/// # Safety
///
/// `snapshot` points to storage and `name` to a struct, or either is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_permission_name(
    snapshot: *const Snapshot,
    permission: u32,
    name: *mut Text,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let bit = u8::try_from(permission).ok().and_then(Permission::new);
        let ext = foreign::held(snapshot)?.names().ext();
        let entry = bit.and_then(|bit| ext.entry(bit)).ok_or(GATEWARD_UNKNOWN)?;
        foreign::put(name, Text::of(entry.id))
    })
}

/// Stores the set that holds the permission called `id` and nothing else: sets are put together with
/// `|`.
///
/// # Safety
///
/// `snapshot` points to storage, `id` to `len` bytes, `set` to a number; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_permission_find(
    snapshot: *const Snapshot,
    id: *const u8,
    len: usize,
    set: *mut u64,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let ext = foreign::held(snapshot)?.names().ext();
        let id = core::str::from_utf8(foreign::bytes(id, len)?).map_err(|_| GATEWARD_TEXT)?;
        let entry = ext.permission(id).ok_or(GATEWARD_UNKNOWN)?;
        foreign::put(set, entry.permission.set().0)
    })
}
