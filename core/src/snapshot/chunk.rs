//! A snapshot in pieces, each verified before it is kept.
//!
//! Chunk i hashes to h_i = SHA-256(0x00 ‖ i u32 ‖ chunk); the root is SHA-256(0x01 ‖ file length u32
//! ‖ chunk_log2 u8 ‖ h_0 ‖ h_1 …), numbers little-endian (FORMAT section 3). The index keeps chunks
//! in their places, the length keeps the last one whole, and the first byte keeps a list of hashes
//! from passing for a chunk.

use sha2::{Digest, Sha256};

use crate::trust::manifest::CHUNK_LOG2;
use crate::trust::{Manifest, Refused, Root};

/// Length of the hash of a chunk in bytes.
pub const HASH_LEN: usize = 32;

/// Returns how many hashes one piece of a hash list carries: as many as make a piece as long as a chunk,
/// so that what lets the chunks through lets the list through. `chunk_log2` is one of [`CHUNK_LOG2`].
#[must_use]
pub const fn hashes_a_piece(chunk_log2: u8) -> u32 {
    let (least, most) = (*CHUNK_LOG2.start(), *CHUNK_LOG2.end());
    let log2 = if chunk_log2 < least {
        least
    } else if chunk_log2 > most {
        most
    } else {
        chunk_log2
    };

    // A hash has 2^5 bytes.
    1 << (log2 - 5)
}

/// Returns the hash of the chunk at `index`.
#[must_use]
pub fn leaf(index: u32, chunk: &[u8]) -> [u8; HASH_LEN] {
    let hash = Sha256::new_with_prefix([0]).chain_update(index.to_le_bytes()).chain_update(chunk);

    hash.finalize().into()
}

/// Returns the root over the hashes of all chunks, in order.
#[must_use]
pub fn root(file_len: u32, chunk_log2: u8, leaves: impl Iterator<Item = impl AsRef<[u8]>>) -> Root {
    let mut hash = Sha256::new_with_prefix([1]);
    hash.update(file_len.to_le_bytes());
    hash.update([chunk_log2]);
    leaves.for_each(|leaf| hash.update(leaf));

    Root(hash.finalize().into())
}

/// Returns the root of a whole file; none where the file or the chunks are too long for any
/// manifest.
#[must_use]
pub fn root_of(file: &[u8], chunk_log2: u8) -> Option<Root> {
    let len = u32::try_from(file.len()).ok()?;
    if !CHUNK_LOG2.contains(&chunk_log2) {
        return None;
    }

    Some(root(len, chunk_log2, leaves(file, chunk_log2)))
}

/// Returns the hashes of all chunks of a file, in order; `chunk_log2` is one of [`CHUNK_LOG2`].
pub fn leaves(file: &[u8], chunk_log2: u8) -> impl Iterator<Item = [u8; HASH_LEN]> {
    let len = 1_usize << chunk_log2.min(*CHUNK_LOG2.end());

    (0..).zip(file.chunks(len)).map(|(index, chunk)| leaf(index, chunk))
}

/// The hashes of all chunks of the snapshot that a manifest names.
#[derive(Clone, Debug)]
pub struct HashList<B> {
    bytes: B,
    file_len: u32,
    chunk_log2: u8,
}

impl<B: AsRef<[u8]>> HashList<B> {
    /// Checks a list against the root in the manifest.
    ///
    /// # Errors
    ///
    /// The list is not the one that the manifest names.
    pub fn check(bytes: B, manifest: &Manifest) -> Result<Self, Refused> {
        let (file_len, chunk_log2) = (manifest.file_len(), manifest.chunk_log2());
        let list = bytes.as_ref();
        let fits = list.len() == manifest.chunk_count() as usize * HASH_LEN;
        // What has the wrong length is not worth hashing.
        if !fits || root(file_len, chunk_log2, core::iter::once(list)) != manifest.root() {
            return Err(Refused::HashList);
        }

        Ok(Self { bytes, file_len, chunk_log2 })
    }

    /// Returns the list as it arrived.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// Returns the number of chunks, at least 1.
    #[must_use]
    pub const fn chunk_count(&self) -> u32 {
        self.file_len.div_ceil(1 << self.chunk_log2)
    }

    /// Returns the length of a chunk in bytes: the last one may be shorter than the others.
    #[must_use]
    pub const fn chunk_len(&self, index: u32) -> Option<u32> {
        if index >= self.chunk_count() {
            return None;
        }
        let (rest, whole) = (self.file_len - (index << self.chunk_log2), 1 << self.chunk_log2);

        Some(if rest < whole { rest } else { whole })
    }

    /// Returns where the chunk at `index` begins in the file.
    #[must_use]
    pub const fn offset(&self, index: u32) -> Option<u32> {
        if index < self.chunk_count() { Some(index << self.chunk_log2) } else { None }
    }

    /// Returns whether `chunk` is the one at `index`.
    #[must_use]
    pub fn accepts(&self, index: u32, chunk: &[u8]) -> bool {
        let fits = self.chunk_len(index).is_some_and(|len| len as usize == chunk.len());
        let expected = self.bytes().chunks_exact(HASH_LEN).nth(index as usize);

        fits && expected == Some(&leaf(index, chunk))
    }
}

#[cfg(test)]
mod tests;
