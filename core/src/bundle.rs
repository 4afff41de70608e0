//! One file with everything that a gateway needs to believe a snapshot: for sticks, firmware and
//! the commands `check --snapshot` and `snapshot import` of the agent (TRUST section 2).
//!
//! `GWDBNDL1` ‖ number of key sets u32 ‖ key sets from the first ‖ manifest ‖ hash list ‖ file ‖
//! revocation list (empty where there is none); each is preceded by its length as u32, all numbers
//! little-endian, nothing after. Reading says nothing about signatures: the parts go through the
//! same checks as those that a broker delivers.

use core::fmt;

use crate::trust::{KeySet, Refused};

/// What every bundle begins with.
pub const MAGIC: [u8; 8] = *b"GWDBNDL1";
/// The most key sets that one bundle may carry.
pub const MAX_KEY_SETS: u32 = 4_096;

/// The parts of a bundle, as they stand; nothing of them has been checked.
#[derive(Clone, Copy)]
pub struct Bundle<'a> {
    key_sets: &'a [u8],
    /// The signed manifest.
    pub manifest: &'a [u8],
    /// The hash list.
    pub list: &'a [u8],
    /// The snapshot.
    pub file: &'a [u8],
    /// The signed revocation list; empty where there is none.
    pub revoked: &'a [u8],
}

/// The bytes are not one whole bundle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotABundle;

impl fmt::Display for NotABundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not one whole bundle; make it with `gateward-control compile --bundle` or `gateward snapshot export`")
    }
}

impl core::error::Error for NotABundle {}

impl<'a> Bundle<'a> {
    /// Cuts `bytes` into its parts.
    ///
    /// # Errors
    ///
    /// A length points past the end, or something follows the last part.
    pub fn read(bytes: &'a [u8]) -> Result<Self, NotABundle> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(NotABundle)?;
        let (count, rest) = number(rest).ok_or(NotABundle)?;
        if count > MAX_KEY_SETS {
            return Err(NotABundle);
        }
        let key_sets = rest;
        let mut rest = rest;
        for _ in 0..count {
            (_, rest) = part(rest).ok_or(NotABundle)?;
        }
        let key_sets = key_sets.get(..key_sets.len() - rest.len()).ok_or(NotABundle)?;
        let (manifest, rest) = part(rest).ok_or(NotABundle)?;
        let (list, rest) = part(rest).ok_or(NotABundle)?;
        let (file, rest) = part(rest).ok_or(NotABundle)?;
        let (revoked, rest) = part(rest).ok_or(NotABundle)?;

        if rest.is_empty() {
            Ok(Self { key_sets, manifest, list, file, revoked })
        } else {
            Err(NotABundle)
        }
    }

    /// Walks from the key set held to the newest, and hands over each that follows with its
    /// envelope. One that is held already, or was before, is passed over, wherever it stands.
    ///
    /// # Errors
    ///
    /// Returns why one neither follows nor is old.
    pub fn walk(
        &self,
        held: &KeySet,
        mut followed: impl FnMut(&KeySet, &'a [u8]),
    ) -> Result<KeySet, Refused> {
        let mut keys = held.clone();
        for envelope in self.key_sets() {
            match keys.follow(envelope) {
                Ok(next) => {
                    followed(&next, envelope);
                    keys = next;
                }
                Err(Refused::OldKeys) => {}
                Err(refused) => return Err(refused),
            }
        }

        Ok(keys)
    }

    /// Returns the signed key sets, as they stand.
    pub fn key_sets(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.key_sets;
        core::iter::from_fn(move || {
            let (first, after) = part(rest)?;
            rest = after;
            Some(first)
        })
    }
}

/// Writes a bundle of `key_sets`, the first epoch first, and of manifest, hash list, file and
/// revocation list, piece by piece.
///
/// A part of 4 GiB or more cannot be said and leaves a bundle that does not read.
///
/// # Errors
///
/// Whatever `put` returns.
pub fn write<E>(
    key_sets: &[&[u8]],
    parts: [&[u8]; 4],
    mut put: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let len = |len: usize| u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
    put(&MAGIC)?;
    put(&len(key_sets.len()))?;
    key_sets.iter().copied().chain(parts).try_for_each(|part| {
        put(&len(part.len()))?;
        put(part)
    })
}

impl fmt::Debug for Bundle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle").field("file_len", &self.file.len()).finish_non_exhaustive()
    }
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = number(bytes)?;
    rest.split_at_checked(usize::try_from(len).ok()?)
}

/// Writes a bundle.
#[cfg(any(test, feature = "build"))]
pub mod build {
    extern crate alloc;

    use alloc::vec::Vec;
    use core::convert::Infallible;

    use super::Bundle;

    /// Returns the bytes of a bundle; see [`super::write`].
    #[must_use]
    pub fn write(key_sets: &[&[u8]], parts: [&[u8]; 4]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let put = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok::<_, Infallible>(())
        };
        let Ok(()) = super::write(key_sets, parts, put);
        debug_assert!(Bundle::read(&bytes).is_ok());

        bytes
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_every_truncation_is_an_error() {
        let bytes = build::write(&[b"one", b"two"], [b"manifest", b"list", b"file", b""]);
        let bundle = Bundle::read(&bytes).unwrap();

        assert_eq!(bundle.key_sets().collect::<Vec<_>>(), [b"one", b"two"]);
        assert_eq!((bundle.manifest, bundle.list), (&b"manifest"[..], &b"list"[..]));
        assert_eq!((bundle.file, bundle.revoked), (&b"file"[..], &b""[..]));
        for len in 0..bytes.len() {
            assert_eq!(Bundle::read(&bytes[..len]).unwrap_err(), NotABundle);
        }
        assert!(Bundle::read(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn h17_a_length_of_4_gib_is_an_error() {
        let good = build::write(&[b"one"], [b"m", b"l", b"f", b""]);
        for at in [8, 12, 19, 24, 29, 34] {
            let mut bad = good.clone();
            bad[at..at + 4].fill(0xff);
            assert!(Bundle::read(&bad).is_err(), "{at}");
        }
    }
}
