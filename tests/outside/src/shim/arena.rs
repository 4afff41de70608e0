//! All memory that C's caller would own, in one piece, so that "unchanged" is one comparison.
#![expect(unsafe_code, reason = "memory is handed to the C interface as C would: by pointers")]

use std::slice;

use gateward::{
    Ask, Bundle, Clock, Decision, Floor, HashList, Keys, Manifest, ManifestFields, Now,
    ParsedToken, Record, Snapshot, Text,
};

/// Storage and results, a few of each.
#[repr(C)]
pub(super) struct Arena {
    pub(super) keys: [Keys; 2],
    pub(super) manifests: [Manifest; 2],
    pub(super) lists: [HashList; 2],
    pub(super) snapshots: [Snapshot; 2],
    pub(super) tokens: [ParsedToken; 2],
    pub(super) asks: [Ask; 2],
    pub(super) clocks: [Clock; 2],
    pub(super) floors: [Floor; 2],
    /// Room for the largest storage, and 8 bytes more: never filled, filled with something else,
    /// misaligned.
    pub(super) junk: [u64; gateward::GATEWARD_KEYS_WORDS + 1],
    pub(super) now: Now,
    pub(super) decision: Decision,
    pub(super) fields: ManifestFields,
    pub(super) bundle: Bundle,
    pub(super) record: Record,
    pub(super) name: Text,
    pub(super) long: u64,
    pub(super) size: usize,
    pub(super) head: [u8; 32],
    pub(super) key: [u8; 32],
    pub(super) tag: [u8; 16],
    pub(super) id: [u8; 16],
    pub(super) lookup: [u8; 12],
    pub(super) short: u32,
    pub(super) buffer: [u8; gateward::GATEWARD_RECORD_SIZE],
    /// Where results stand that are not aligned; the first byte is skipped.
    pub(super) odd: [u8; 512],
}

/// An arena that nothing was stored in yet.
pub(super) struct Owned(*mut Arena);

impl Owned {
    pub(super) fn new() -> Self {
        Self(Box::into_raw(Box::<Arena>::new_zeroed()).cast())
    }

    pub(super) const fn at(&self) -> *mut Arena {
        self.0
    }

    /// Every byte as it is now.
    pub(super) fn bytes(&self) -> Vec<u8> {
        // SAFETY: the arena is there until `self` is dropped, and nobody writes meanwhile.
        unsafe { slice::from_raw_parts(self.0.cast::<u8>(), size_of::<Arena>()) }.to_vec()
    }

    pub(super) fn is_as(&self, before: &[u8]) -> bool {
        // SAFETY: as above.
        let now = unsafe { slice::from_raw_parts(self.0.cast::<u8>(), size_of::<Arena>()) };
        now == before
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: it was made of a box, and nothing in it wants to be dropped.
        drop(unsafe { Box::from_raw(self.0) });
    }
}
