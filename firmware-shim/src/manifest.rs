//! What is to be in force, and its file as it arrives.
#![expect(unsafe_code, reason = "C calls these by name")]

use core::ffi::c_void;

use gateward_core::snapshot::chunk::HashList as CoreHashList;
use gateward_core::trust::{Audience, Manifest as CoreManifest};

use crate::foreign::{self, Write, Writer, call};
use crate::open;
use crate::status::{GATEWARD_SNAPSHOT_ROOT, Status};
use crate::storage::{Floor, HashList, Keys, Manifest};
use crate::time::Now;

/// What a manifest says.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct ManifestFields {
    /// Number of the version.
    pub version: u64,
    /// When it was signed, in seconds since 1970.
    pub issued_at: u64,
    /// From when on operations marked `fresh` are refused.
    pub stale_at: u64,
    /// From when on everything is refused.
    pub expires_at: u64,
    /// Number of the newest revocation list then; 0 for none.
    pub revoked: u64,
    /// Epoch of the key set that it was signed under.
    pub epoch: u32,
    /// Bytes of the snapshot.
    pub file_len: u32,
    /// Bytes of every chunk but the last.
    pub chunk_len: u32,
    /// Number of chunks.
    pub chunks: u32,
    /// Root of the snapshot.
    pub root: [u8; 32],
}

/// Verifies a manifest with the key set of its epoch, for one group of gateways.
///
/// # Safety
///
/// `keys` points to storage, `audience` to 16 bytes, `envelope` to `len` bytes, `manifest` to
/// storage; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_manifest_verify(
    keys: *const Keys,
    audience: *const u8,
    envelope: *const u8,
    len: usize,
    manifest: *mut Manifest,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let keys = foreign::held(keys)?;
        let audience = Audience(foreign::array(audience)?);
        let envelope = foreign::bytes(envelope, len)?;
        foreign::fill(manifest, CoreManifest::verify(envelope, keys, audience)?)
    })
}

/// Checks that a manifest may be in force: it is already, or it may follow what is, and then the floor
/// remembers that there is such a snapshot, whether or not its file ever comes. `keys` is the newest key
/// set held. What is in force has to hear of it: `gateward_snapshot_follow`.
///
/// # Safety
///
/// `manifest` and `keys` point to storage, `floor` to a floor, `now` to a time; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_manifest_admit(
    manifest: *const Manifest,
    keys: *const Keys,
    floor: *mut Floor,
    now: *const Now,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let (manifest, keys) = (foreign::held(manifest)?, foreign::held(keys)?);
        let before = foreign::floor(floor)?;
        open::admit(manifest, keys, &before, &foreign::now(now)?)?;
        foreign::put_floor(floor, &before.with_heard(manifest))
    })
}

/// Stores what a manifest says.
///
/// # Safety
///
/// `manifest` points to storage and `info` to a struct, or either is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_manifest_info(
    manifest: *const Manifest,
    info: *mut ManifestFields,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe { foreign::put(info, said(foreign::held(manifest)?)) })
}

pub(crate) fn said(manifest: &CoreManifest) -> ManifestFields {
    ManifestFields {
        version: manifest.version().number,
        issued_at: manifest.issued_at().0,
        stale_at: manifest.stale_at().0,
        expires_at: manifest.expires_at().0,
        revoked: manifest.revoked().number,
        epoch: manifest.version().epoch,
        file_len: manifest.file_len(),
        chunk_len: 1 << manifest.chunk_log2(),
        chunks: manifest.chunk_count(),
        root: manifest.root().0,
    }
}

/// Checks a hash list against its manifest. The list stays where it is.
///
/// # Safety
///
/// `manifest` points to storage, `bytes` to `len` bytes that stay, `list` to storage; or any is null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_hash_list_check(
    manifest: *const Manifest,
    bytes: *const u8,
    len: usize,
    list: *mut HashList,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let manifest = foreign::held(manifest)?;
        foreign::fill(list, CoreHashList::check(foreign::bytes(bytes, len)?, manifest)?)
    })
}

/// Verifies the chunk at `index` and hands it to `write`, whole, with its place in the file.
/// Chunks may come in any order, and more than once.
///
/// # Safety
///
/// `list` points to storage and `chunk` to `len` bytes, or either is null; `write` can be called with
/// `context`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gateward_chunk_write(
    list: *const HashList,
    index: u32,
    chunk: *const u8,
    len: usize,
    write: Write,
    context: *mut c_void,
) -> Status {
    // SAFETY: the caller promises the same about every pointer.
    call(|| unsafe {
        let (list, chunk) = (foreign::held(list)?, foreign::bytes(chunk, len)?);
        let offset = list.offset(index).ok_or(GATEWARD_SNAPSHOT_ROOT)?;
        let mut to = Writer::new(write, context, offset)?;
        if !list.accepts(index, chunk) {
            return Err(GATEWARD_SNAPSHOT_ROOT);
        }
        to.put_all(chunk)
    })
}
