//! One file with everything: cut into its parts, which then go the way of all others.
#![expect(unsafe_code, reason = "C calls these by name")]

use gateward_core::bundle::Bundle as CoreBundle;

use crate::foreign::{self, call};
use crate::keys::follow;
use crate::names::Text;
use crate::status::{GATEWARD_REFUSED_OLD_KEYS, Status};
use crate::storage::{Floor, Keys};

/// The parts of a bundle, where they stand; nothing of them has been checked.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Bundle {
    /// The signed manifest.
    pub manifest: Text,
    /// The hash list.
    pub list: Text,
    /// The snapshot.
    pub file: Text,
    /// The signed revocation list; of length 0 where there is none.
    pub revoked: Text,
}

/// Cuts a bundle into its parts.
///
/// # Safety
///
/// `bytes` points to `len` bytes and `bundle` to a struct, or either is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_bundle_read(
    bytes: *const u8,
    len: usize,
    bundle: *mut Bundle,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let parts = CoreBundle::read(foreign::bytes(bytes, len)?)?;
        let part = |bytes: &[u8]| Text { bytes: bytes.as_ptr(), len: bytes.len() };
        let (manifest, list) = (part(parts.manifest), part(parts.list));
        let (file, revoked) = (part(parts.file), part(parts.revoked));
        foreign::put(bundle, Bundle { manifest, list, file, revoked })
    })
}

/// Walks from the key set held to the newest of the bundle, and raises the floor by each. One that is held
/// or was before is passed over; where one does not follow, those before it stay taken.
///
/// # Safety
///
/// `bytes` points to `len` bytes, `keys` to storage, `floor` to a floor; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_bundle_walk(
    bytes: *const u8,
    len: usize,
    keys: *mut Keys,
    floor: *mut Floor,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let parts = CoreBundle::read(foreign::bytes(bytes, len)?)?;
        foreign::held(keys)?;
        foreign::floor(floor)?;
        parts.key_sets().try_for_each(|set| match follow(keys, set, floor) {
            Err(GATEWARD_REFUSED_OLD_KEYS) => Ok(()),
            outcome => outcome,
        })
    })
}
