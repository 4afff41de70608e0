//! Which keys are trusted, and what was accepted so far.
#![expect(unsafe_code, reason = "C calls these by name")]

use gateward_core::name::Uuid;
use gateward_core::trust::{Audience, Floor as CoreFloor, KeySet, Vouched};

use crate::foreign::{self, call};
use crate::status::{GATEWARD_ABSURD, GATEWARD_NULL, Status};
use crate::storage::{Floor, Keys};

/// Bytes of an account, of an audience, and of any other id.
pub const GATEWARD_ID_SIZE: usize = 16;

/// Stores the audience of a group of gateways at `audience`, [`GATEWARD_ID_SIZE`] bytes.
///
/// # Safety
///
/// `account` points to [`GATEWARD_ID_SIZE`] bytes, `group` to `group_len` bytes of text, `audience`
/// to [`GATEWARD_ID_SIZE`] bytes that hold something; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_audience(
    account: *const u8,
    group: *const u8,
    group_len: usize,
    audience: *mut u8,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let account = Uuid(foreign::array(account)?);
        let group = foreign::text(group, group_len)?.ok_or(GATEWARD_NULL)?;
        if group.is_empty() {
            return Err(GATEWARD_ABSURD);
        }
        let Audience(id) = Audience::of(account, group);
        foreign::put_bytes(audience, &id)
    })
}

/// Stores the floor of a machine that has never accepted anything.
///
/// # Safety
///
/// `floor` points to a floor, or is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_floor_start(floor: *mut Floor) -> Status {
    // SAFETY: the caller promises the same.
    call(|| unsafe { foreign::put_floor(floor, &CoreFloor::default()) })
}

/// Takes the key set that was installed at enrolment: whoever installed it vouches for it.
///
/// # Safety
///
/// `envelope` points to `len` bytes, `account` to [`GATEWARD_ID_SIZE`] bytes, `keys` to storage; or
/// any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_keys_anchor(
    envelope: *const u8,
    len: usize,
    account: *const u8,
    keys: *mut Keys,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let account = Uuid(foreign::array(account)?);
        foreign::can_fill(keys)?;
        let vouched = Vouched::anchor(foreign::bytes(envelope, len)?, account)?;
        begin(keys)?;
        vouched.store(foreign::held_mut(keys)?);
        Ok(())
    })
}

/// Makes the storage hold a set. Not a part of its caller, whose stack the signatures need.
///
/// # Safety
///
/// As `gateward_keys_anchor`.
#[inline(never)]
unsafe fn begin(keys: *mut Keys) -> Result<(), Status> {
    // SAFETY: the caller promises the same.
    unsafe { foreign::fill(keys, KeySet::nobody()) }
}

/// Takes the key set of the next epoch in the place of the one held, and raises the floor by it. Write
/// the floor down before anything else is accepted, and the key set before the floor.
///
/// What is in force has to hear of it: `gateward_snapshot_follow`.
///
/// # Safety
///
/// `keys` points to storage, `envelope` to `len` bytes, `floor` to a floor; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_keys_follow(
    keys: *mut Keys,
    envelope: *const u8,
    len: usize,
    floor: *mut Floor,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe { follow(keys, foreign::bytes(envelope, len)?, floor) })
}

/// # Safety
///
/// As `gateward_keys_follow`.
#[inline(never)]
pub(crate) unsafe fn follow(
    keys: *mut Keys,
    envelope: &[u8],
    floor: *mut Floor,
) -> Result<(), Status> {
    // SAFETY: the caller promises the same about every pointer.
    unsafe {
        let held = foreign::held_mut(keys)?;
        let vouched = Vouched::next(held, envelope)?;
        replace(held, &vouched, floor)
    }
}

/// Stores a key set and the floor as it leaves that. Not a part of its caller, whose stack the
/// signatures need.
///
/// # Safety
///
/// As `gateward_keys_follow`.
#[inline(never)]
unsafe fn replace(
    held: &mut KeySet,
    vouched: &Vouched<'_>,
    floor: *mut Floor,
) -> Result<(), Status> {
    // SAFETY: the caller promises the same.
    let before = unsafe { foreign::floor(floor)? };
    vouched.store(held);

    // SAFETY: as above.
    unsafe { foreign::put_floor(floor, &before.with_keys(held)) }
}

/// Stores the epoch of a key set.
///
/// # Safety
///
/// `keys` points to storage and `epoch` to a number, or either is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_keys_epoch(keys: *const Keys, epoch: *mut u32) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe { foreign::put(epoch, foreign::held(keys)?.epoch()) })
}
