//! How far the collector's receipts go, on disk before any record is deleted for it.

use std::fs;
use std::io;
use std::path::Path;

use gateward_core::audit::Head;
use gateward_core::trust::Incarnation;
use sha2::{Digest, Sha256};

use crate::journal::medium::{Medium, Real};
use crate::store::disk::is_full;

const MAGIC: &[u8; 8] = b"GWDCURS1";
const LEN: usize = 64;
const SUM: usize = 8;

/// The collector holds every record up to `through`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Cursor {
    pub(crate) incarnation: Incarnation,
    pub(crate) through: u64,
    pub(crate) head: Head,
}

impl Cursor {
    /// Reads the file in `folder`; none where there is none that can be believed, which only means
    /// that records are sent again.
    pub(crate) fn load(folder: &Path) -> Option<Self> {
        let bytes = fs::read(folder.join("cursor")).ok()?;
        let bytes: &[u8; LEN] = bytes.as_slice().try_into().ok()?;
        let (body, sum) = bytes.split_last_chunk::<SUM>()?;
        let (magic, rest) = body.split_first_chunk::<8>()?;
        let (incarnation, rest) = rest.split_first_chunk()?;
        let (through, head) = rest.split_first_chunk()?;
        if magic != MAGIC || checksum(body) != *sum {
            return None;
        }

        Some(Self {
            incarnation: Incarnation(*incarnation),
            through: u64::from_le_bytes(*through),
            head: Head(head.try_into().ok()?),
        })
    }

    /// Writes the file whole; when this returns it outlives a power cut.
    ///
    /// On a disk that is full of records a receipt is the way out, so there the file is overwritten in
    /// its place: torn by a power cut it is not believed, and records are sent again.
    pub(crate) fn store(&self, folder: &Path) -> io::Result<()> {
        match self.store_on(&Real, folder) {
            Err(error) if is_full(&error) => {
                let mut file = Real.open(&folder.join("cursor"))?;
                file.write_at(&self.encode(), 0)?;
                file.sync()
            }
            done => done,
        }
    }

    /// Makes sure that there is a file, whose place on the disk is there when the disk is full.
    pub(crate) fn reserve(incarnation: Incarnation, folder: &Path) {
        if !folder.join("cursor").exists() {
            let nothing = Self { incarnation, through: 0, head: Head::START };
            if let Err(error) = nothing.store(folder) {
                tracing::warn!(%error, "a receipt for the audit cannot be written down; make room");
            }
        }
    }

    pub(crate) fn store_on(&self, medium: &dyn Medium, folder: &Path) -> io::Result<()> {
        let new = folder.join("cursor.new");
        let mut file = medium.open(&new)?;
        file.cut(0)?;
        file.write_at(&self.encode(), 0)?;
        file.sync()?;
        medium.rename(&new, &folder.join("cursor"))?;
        medium.sync_folder(folder)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.incarnation.0);
        bytes.extend_from_slice(&self.through.to_le_bytes());
        bytes.extend_from_slice(&self.head.0);
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);

        bytes
    }
}

fn checksum(body: &[u8]) -> [u8; SUM] {
    let mut sum = [0; SUM];
    sum.iter_mut().zip(Sha256::digest(body)).for_each(|(place, byte)| *place = byte);

    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_that_was_damaged_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let cursor = Cursor { incarnation: Incarnation([1; 8]), through: 7, head: Head([2; 32]) };
        assert_eq!(Cursor::load(folder.path()), None);
        cursor.store(folder.path()).unwrap();
        assert_eq!(Cursor::load(folder.path()), Some(cursor));

        let path = folder.path().join("cursor");
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bad = whole.clone();
            bad[at] ^= 1;
            fs::write(&path, bad).unwrap();
            assert_eq!(Cursor::load(folder.path()), None, "byte {at}");
        }
    }
}
