//! The two places for a snapshot. One is in force, the other is being filled or holds the one
//! before.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateward_core::snapshot::chunk::HashList;
use gateward_core::snapshot::{self, Verified};
use gateward_core::sync::MAX_CHUNKS;
use gateward_core::trust::Manifest;

use super::disk::Disk;

/// No manifest and no list is longer.
const MAX_ENVELOPE: u64 = 64 * 1024;
const MAX_LIST: u64 = MAX_CHUNKS as u64 * 32;

/// One of the two places.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Slot {
    A,
    B,
}

impl Slot {
    pub(super) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(super) const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    pub(super) const fn dir(self) -> &'static str {
        match self {
            Self::A => "snapshot/a",
            Self::B => "snapshot/b",
        }
    }

    pub(super) fn file(self) -> PathBuf {
        Path::new(self.dir()).join("file")
    }

    pub(super) fn list(self) -> PathBuf {
        Path::new(self.dir()).join("list")
    }

    pub(super) fn manifest(self) -> PathBuf {
        Path::new(self.dir()).join("manifest")
    }

    /// The manifest's envelope as it arrived, unchecked.
    pub(super) fn read_manifest(self, disk: &Disk) -> io::Result<Option<Vec<u8>>> {
        disk.read(&self.manifest(), MAX_ENVELOPE)
    }

    /// The hash list as it arrived, unchecked.
    pub(super) fn read_list(self, disk: &Disk) -> io::Result<Option<Vec<u8>>> {
        disk.read(&self.list(), MAX_LIST)
    }

    /// Reads the file once and checks everything about it.
    pub(super) fn open(
        self,
        disk: &Disk,
        manifest: &Manifest,
    ) -> Result<Verified<Arc<[u8]>>, Unusable> {
        let bytes = disk.read_whole(&self.file(), manifest.file_len()).map_err(Unusable::Io)?;
        let bytes = bytes.ok_or(Unusable::Refused(snapshot::Refused::Length))?;

        snapshot::open(bytes, manifest.clone()).map_err(Unusable::Refused)
    }
}

/// Why a slot is not served from.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("cannot read the snapshot")]
    Io(#[source] io::Error),
    #[error("{0}")]
    Refused(snapshot::Refused),
}

/// A snapshot that is being filled, chunk by chunk.
pub(super) struct Incoming {
    pub(super) slot: Slot,
    pub(super) root: [u8; 32],
    file: File,
    chunk_log2: u8,
    written: Vec<u8>,
    since_hint: u32,
}

/// How many chunks may be written before the cache hears of it.
const HINT_EVERY: u32 = 64;

impl Incoming {
    /// Makes room in `slot`. Chunks that are there already, in the slot or in `in_force`, are kept
    /// and returned; each is verified against `list`, so `hint` may be wrong in every way.
    pub(super) fn begin<B: AsRef<[u8]>>(
        disk: &Disk,
        slot: Slot,
        manifest: &Manifest,
        list: &HashList<B>,
        hint: Option<Vec<u8>>,
        in_force: Option<&[u8]>,
    ) -> io::Result<(Self, Vec<u32>)> {
        let same = slot.read_list(disk)?.is_some_and(|old| old == list.bytes());
        if !same {
            disk.remove(&slot.manifest())?;
            disk.remove(&slot.file())?;
            disk.replace(&slot.list(), list.bytes())?;
        }
        let mut incoming = Self::create(disk, slot, manifest)?;
        let mut kept = Vec::new();
        for index in 0..manifest.chunk_count() {
            let hinted = hint.as_ref().is_none_or(|bits| has(bits, index));
            if (same && hinted && incoming.holds(list, index))
                || incoming.take_over(disk, list, index, in_force)?
            {
                add(&mut incoming.written, index);
                kept.push(index);
            }
        }

        Ok((incoming, kept))
    }

    /// Makes room in `slot` for a snapshot of which nothing is there.
    pub(super) fn empty(disk: &Disk, slot: Slot, manifest: &Manifest) -> io::Result<Self> {
        disk.remove(&slot.manifest())?;
        disk.remove(&slot.file())?;
        disk.remove(&slot.list())?;

        Self::create(disk, slot, manifest)
    }

    fn create(disk: &Disk, slot: Slot, manifest: &Manifest) -> io::Result<Self> {
        let file = disk.create(&slot.file(), u64::from(manifest.file_len()))?;
        let written = vec![0; MAX_CHUNKS as usize / 8];
        let (root, chunk_log2) = (manifest.root().0, manifest.chunk_log2());

        Ok(Self { slot, root, file, chunk_log2, written, since_hint: 0 })
    }

    fn holds<B: AsRef<[u8]>>(&self, list: &HashList<B>, index: u32) -> bool {
        let mut chunk = vec![0; list.chunk_len(index).unwrap_or(0) as usize];
        // What cannot be read is fetched again.
        let read = self.file.read_exact_at(&mut chunk, self.offset(index));

        read.is_ok() && list.accepts(index, &chunk)
    }

    /// Takes a chunk over from the snapshot in force where nothing in it changed.
    fn take_over<B: AsRef<[u8]>>(
        &self,
        disk: &Disk,
        list: &HashList<B>,
        index: u32,
        in_force: Option<&[u8]>,
    ) -> io::Result<bool> {
        let start = usize::try_from(self.offset(index)).unwrap_or(usize::MAX);
        let end = start.saturating_add(list.chunk_len(index).unwrap_or(0) as usize);
        let Some(chunk) = in_force.and_then(|bytes| bytes.get(start..end)) else {
            return Ok(false);
        };
        if !list.accepts(index, chunk) {
            return Ok(false);
        }
        disk.write_at(&self.file, &self.slot.file(), self.offset(index), chunk)?;

        Ok(true)
    }

    /// Writes a chunk that was verified. Returns whether the cache should hear of it now.
    pub(super) fn write(&mut self, disk: &Disk, index: u32, chunk: &[u8]) -> io::Result<bool> {
        disk.write_at(&self.file, &self.slot.file(), self.offset(index), chunk)?;
        add(&mut self.written, index);
        self.since_hint = (self.since_hint + 1) % HINT_EVERY;

        Ok(self.since_hint == 0)
    }

    pub(super) fn sync(&self, disk: &Disk) -> io::Result<()> {
        disk.sync_file(&self.file, &self.slot.file())
    }

    /// Which chunks were written, one bit each.
    pub(super) fn hint(&self) -> &[u8] {
        &self.written
    }

    fn offset(&self, index: u32) -> u64 {
        u64::from(index) << self.chunk_log2
    }
}

fn has(bits: &[u8], index: u32) -> bool {
    bits.get(index as usize / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
}

fn add(bits: &mut [u8], index: u32) {
    if let Some(byte) = bits.get_mut(index as usize / 8) {
        *byte |= 1 << (index % 8);
    }
}
