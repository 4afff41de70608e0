//! What is in force, and what is revoked beside it.
#![expect(unsafe_code, reason = "C calls these by name")]

use gateward_core::snapshot::open as open_file;
use gateward_core::trust::{Audience, Revoked, Version};

use crate::foreign::{self, call};
use crate::manifest::{ManifestFields, said};
use crate::open::{Given, Open, admit, room};
use crate::status::{GATEWARD_ABSURD, Status};
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
        open.follow(keys, &floor)?;
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

/// A revocation list, and where its bits go.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct List {
    /// The list as it was signed.
    pub envelope: *const u8,
    /// Bytes of `envelope`.
    pub envelope_len: usize,
    /// The bits, which belong to the snapshot from then on; those that it has already may be given.
    pub bits: *mut u8,
    /// Bytes of `bits`, as `gateward_revoked_room` says.
    pub bits_len: usize,
    /// Number of the list that `bits` stand for already, of this very snapshot; 0 for none. Whoever keeps
    /// bits over a restart says so, and writes them down before the floor.
    pub kept: u64,
    /// Epoch of that list.
    pub kept_epoch: u32,
    /// Zero.
    pub zero: u32,
}

/// Takes a revocation list: writes what it revokes in this snapshot as bits, and raises the floor by
/// it. No check may run meanwhile. A list that was held is taken again after a restart. Where it leaves
/// out what nobody has any more, it is taken all the same, and checks say `GATEWARD_NEEDS_NEWER`. A machine
/// that begins with a bundle takes its list before it commits its snapshot.
///
/// `list_keys` is the key set of the list's epoch, `keys` the newest that is held.
///
/// # Safety
///
/// `snapshot`, `list_keys` and `keys` point to storage, `audience` to 16 bytes, `floor` to a floor, `list`
/// to a struct whose pointers point to as many bytes as it says, those of `bits` staying; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_revoked_take(
    snapshot: *mut Snapshot,
    list_keys: *const Keys,
    keys: *const Keys,
    audience: *const u8,
    floor: *mut Floor,
    list: *const List,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        foreign::held(snapshot)?;
        let keys = foreign::held(keys)?;
        let audience = Audience(foreign::array(audience)?);
        let List { envelope, envelope_len, bits, bits_len, kept, kept_epoch, zero } =
            foreign::plain(list)?;
        if zero != 0 {
            return Err(GATEWARD_ABSURD);
        }
        let envelope = foreign::bytes(envelope, envelope_len)?;
        let list = Revoked::verify(envelope, foreign::held(list_keys)?, audience)?;
        let bits = foreign::bytes_mut(bits, bits_len)?;
        foreign::lie_apart(envelope, bits)?;
        let kept = Version { epoch: kept_epoch, number: kept };
        taken(&Given { list: &list, keys, kept }, bits, snapshot, floor)
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
    given: &Given<'_>,
    bits: &'static mut [u8],
    snapshot: *mut Snapshot,
    floor: *mut Floor,
) -> Result<(), Status> {
    // SAFETY: the caller promises the same about every pointer.
    unsafe {
        let (open, after) = foreign::held(snapshot)?.with(given, &foreign::floor(floor)?, bits)?;
        foreign::fill(snapshot, open)?;
        foreign::put_floor(floor, &after)
    }
}
