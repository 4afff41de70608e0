//! What is in force, and what is revoked beside it.
#![expect(unsafe_code, reason = "C calls these by name")]

use gateward_core::snapshot::open as open_file;
use gateward_core::trust::Revoked;

use crate::foreign::{self, call};
use crate::manifest::{ManifestFields, said};
use crate::open::{Open, admit, room};
use crate::status::Status;
use crate::storage::{Floor, Keys, Manifest, Snapshot};
use crate::time::Now;

/// Opens the snapshot at `file`, where it is: checks that its manifest may be in force, every byte
/// against the manifest, and every record. `keys` is the newest key set held.
///
/// The file stays where it is, unchanged, for as long as the snapshot is used.
///
/// # Safety
///
/// `manifest` and `keys` point to storage, `floor` to a floor, `now` to a time, `file` to `len` bytes
/// that stay, `snapshot` to storage; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_snapshot_open(
    manifest: *const Manifest,
    keys: *const Keys,
    floor: *const Floor,
    now: *const Now,
    file: *const u8,
    len: usize,
    snapshot: *mut Snapshot,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let (manifest, keys) = (foreign::held(manifest)?, foreign::held(keys)?);
        let (floor, now) = (foreign::floor(floor)?, foreign::now(now)?);
        let file: &'static [u8] = foreign::bytes(file, len)?;
        foreign::can_fill(snapshot)?;
        admit(manifest, keys, &floor, &now)?;
        let verified = open_file(file, manifest.clone())?;
        foreign::fill(snapshot, Open::new(verified, &floor))
    })
}

/// Raises the floor by a snapshot that was opened: written down, that is what puts it in force. A
/// floor that has risen past it since stays as it is.
///
/// # Safety
///
/// `snapshot` points to storage and `floor` to a floor, or either is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_snapshot_commit(
    snapshot: *const Snapshot,
    floor: *mut Floor,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let before = foreign::floor(floor)?;
        foreign::put_floor(floor, &foreign::held(snapshot)?.commit(&before)?)
    })
}

/// Takes a later manifest of the same snapshot, so that it is valid for longer; the bytes are not
/// read again. `gateward_snapshot_commit` follows, as after opening.
///
/// # Safety
///
/// `snapshot`, `manifest` and `keys` point to storage, `floor` to a floor, `now` to a time; or any is
/// null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_snapshot_refresh(
    snapshot: *mut Snapshot,
    manifest: *const Manifest,
    keys: *const Keys,
    floor: *const Floor,
    now: *const Now,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let (manifest, keys) = (foreign::held(manifest)?, foreign::held(keys)?);
        let (floor, now) = (foreign::floor(floor)?, foreign::now(now)?);
        admit(manifest, keys, &floor, &now)?;
        let refreshed = foreign::held(snapshot)?.refreshed(manifest.clone(), &floor)?;
        foreign::fill(snapshot, refreshed)
    })
}

/// Takes a later floor and the newest key set: what is in force may be stale by it, or void. Call it
/// whenever either has changed.
///
/// # Safety
///
/// `snapshot` and `keys` point to storage and `floor` to a floor, or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_snapshot_follow(
    snapshot: *mut Snapshot,
    keys: *const Keys,
    floor: *const Floor,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let (keys, floor) = (foreign::held(keys)?, foreign::floor(floor)?);
        let mut open = foreign::held(snapshot)?.again()?;
        open.follow(keys, &floor);
        foreign::fill(snapshot, open)
    })
}

/// Stores what the manifest of the snapshot says.
///
/// # Safety
///
/// `snapshot` points to storage and `info` to a struct, or either is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_snapshot_info(
    snapshot: *const Snapshot,
    info: *mut ManifestFields,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe { foreign::put(info, said(foreign::held(snapshot)?.verified.manifest())) })
}

/// Stores how many bytes `gateward_revoked_take` needs for the bits of this snapshot.
///
/// # Safety
///
/// `snapshot` points to storage and `bytes` to a number, or either is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_revoked_room(
    snapshot: *const Snapshot,
    bytes: *mut usize,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe { foreign::put(bytes, room(&foreign::held(snapshot)?.names())) })
}

/// Takes a revocation list: writes what it revokes in this snapshot as bits, and raises the floor by
/// it. From then on the bits belong to the snapshot.
///
/// `list_keys` is the key set of the list's epoch. `kept` is 0, or the number of the list that the
/// bits stand for already, of this very snapshot: whoever keeps bits over a restart says so. The
/// bits may be those that the snapshot has; no check may run meanwhile. A list that was held is
/// taken again after a restart.
///
/// # Safety
///
/// `snapshot` and `list_keys` point to storage, `audience` to 16 bytes, `floor` to a floor,
/// `envelope` to `len` bytes, `bits` to `bits_len` bytes that stay; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_revoked_take(
    snapshot: *mut Snapshot,
    list_keys: *const Keys,
    audience: *const u8,
    floor: *mut Floor,
    envelope: *const u8,
    len: usize,
    kept: u64,
    bits: *mut u8,
    bits_len: usize,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let (open, keys) = (foreign::held(snapshot)?, foreign::held(list_keys)?);
        let audience = gateward_core::trust::Audience(foreign::array(audience)?);
        let list = Revoked::verify(foreign::bytes(envelope, len)?, keys, audience)?;
        let bits = foreign::bytes_mut(bits, bits_len)?;
        taken(open, &list, kept, bits, snapshot, floor)
    })
}

/// Stores what becomes of a snapshot and a floor with a list. Not a part of its caller, whose stack the
/// signature needs.
///
/// # Safety
///
/// As `gateward_revoked_take`.
#[inline(never)]
unsafe fn taken(
    open: &Open,
    list: &Revoked<'_>,
    kept: u64,
    bits: &'static mut [u8],
    snapshot: *mut Snapshot,
    floor: *mut Floor,
) -> Result<(), Status> {
    // SAFETY: the caller promises the same about every pointer.
    unsafe {
        let (open, after) = open.with(list, &foreign::floor(floor)?, kept, bits)?;
        foreign::fill(snapshot, open)?;
        foreign::put_floor(floor, &after)
    }
}
