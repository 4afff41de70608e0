//! Deltas to a new version from those that gateways may have.
//!
//! `earlier/` beside what was published holds the last few snapshots that may be in force somewhere.
//! A file of it that is lost or damaged costs a delta, and gateways fetch the whole file instead.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use gateward_core::name::Hex;
use gateward_core::snapshot::{chunk, delta};
use gateward_core::trust::manifest::MAX_DELTAS;
use gateward_core::trust::{DeltaRef, Manifest, Version};
use sha2::{Digest as _, Sha256};

use super::state::Signed;
use crate::policy::Sizes;
use crate::{secret, whole};

/// From so many versions a manifest names a delta. It could name one more, but a revocation, with its
/// delta, is to stay within 400 bytes however great the numbers are.
pub(super) const NAMED: usize = 3;
const _: () = assert!(NAMED <= MAX_DELTAS, "no manifest names more");
/// Those, and the one that it is about.
const KEPT: usize = NAMED + 1;
/// Up to here a message on `manifest` takes a delta along: every gateway reads it at once, whether it
/// needs it or not.
const MAX_MESSAGE: usize = 4_096;

/// A delta to the version that is about to be published.
#[derive(Debug)]
pub(super) struct Made {
    /// The version that it starts from.
    pub(super) from: u64,
    pub(super) bytes: Vec<u8>,
}

impl Made {
    /// Returns what the manifest says about it.
    pub(super) fn named(&self) -> DeltaRef {
        // It is no longer than `Sizes` allows.
        let len = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);

        DeltaRef { from: self.from, len, sha256: Sha256::digest(&self.bytes).into() }
    }
}

/// The snapshots that may be in force somewhere.
#[derive(Debug)]
pub(super) struct Earlier(PathBuf);

impl Earlier {
    /// `folder` is that of the group.
    pub(super) fn of(folder: &Path) -> Self {
        Self(folder.join("earlier"))
    }

    /// Keeps the snapshot of `manifest`, which may be in force from now on, and lets the oldest go.
    pub(super) fn keep(&self, manifest: &Manifest, file: &[u8]) -> Result<(), whole::Failed> {
        fs::create_dir_all(&self.0).map_err(whole::Failed::new("made", &self.0))?;
        let Version { epoch, number } = manifest.version();
        let path = self.path(manifest);
        // What had the same version never came to count: whoever takes numbers twice lost `state`.
        let same = self.all().remove(&Version { epoch, number });
        if let Some((old, _)) = same.filter(|(old, _)| *old != path) {
            fs::remove_file(&old).map_err(whole::Failed::new("removed", &old))?;
        }
        if !path.exists() {
            // Who has which rights is nobody else's business.
            whole::write(&path, file, 0o600)?;
        }
        for (_, (old, _)) in self.all().into_iter().rev().skip(KEPT) {
            fs::remove_file(&old).map_err(whole::Failed::new("removed", &old))?;
        }

        Ok(())
    }

    /// Returns the snapshot of `manifest`, where it is there and whole.
    pub(super) fn file(&self, manifest: &Manifest) -> Option<Vec<u8>> {
        let bytes = fs::read(self.path(manifest)).ok()?;

        (chunk::root_of(&bytes, manifest.chunk_log2()) == Some(manifest.root())).then_some(bytes)
    }

    fn path(&self, manifest: &Manifest) -> PathBuf {
        let Version { epoch, number } = manifest.version();

        self.0.join(format!("{epoch}.{number}-{}", Hex(&manifest.root().short())))
    }

    /// Makes deltas from the newest of them to `file`, which is to be `version`; those that are not
    /// worth it are left out, and so are snapshots with chunks of another size.
    pub(super) fn deltas(&self, version: Version, file: &[u8], sizes: Sizes) -> Vec<Made> {
        let mut before = self.all();
        drop(before.split_off(&version));
        // Numbers begin again where somebody else used them up: the newest of a number counts.
        let mut seen = BTreeSet::new();
        let mut newest: Vec<_> = before.into_iter().rev().collect();
        newest.retain(|(version, _)| seen.insert(version.number));

        newest
            .into_iter()
            .take(NAMED)
            .filter_map(|(Version { number: from, .. }, (path, root))| {
                let old = fs::read(path).ok()?;
                let whole = chunk::root_of(&old, sizes.chunk_log2)?.short() == root;
                let bytes = delta::make(&old, file, sizes.chunk_log2).ok().filter(|_| whole)?;
                let worth = bytes.len() <= sizes.max_delta.min(file.len() / 2);
                worth.then_some(Made { from, bytes })
            })
            .collect()
    }

    /// Each by its version: where it is, and the first bytes of its root.
    fn all(&self) -> BTreeMap<Version, (PathBuf, [u8; 8])> {
        let read = |entry: fs::DirEntry| {
            let name = entry.file_name();
            let (version, root) = name.to_str()?.split_once('-')?;
            let (epoch, number) = version.split_once('.')?;
            let version = Version { epoch: epoch.parse().ok()?, number: number.parse().ok()? };
            Some((version, (entry.path(), *secret::hex(root)?)))
        };
        let entries = fs::read_dir(&self.0).into_iter().flatten();

        entries.filter_map(|entry| read(entry.ok()?)).collect()
    }
}

/// Returns from which version a delta travels with the manifest itself: the newest, where there is
/// room for it. Whoever is further behind fetches one.
fn along(envelope: &[u8], deltas: &[DeltaRef]) -> Option<u64> {
    let framed = |len: usize| number_len(len as u64) + len;
    let newest = deltas.first()?;
    let delta = number_len(newest.from) + framed(newest.len as usize);
    let fits = framed(envelope.len()) + number_len(1) + delta <= MAX_MESSAGE;

    fits.then_some(newest.from)
}

/// Bytes of a number as postcard writes it.
const fn number_len(number: u64) -> usize {
    (64 - (number | 1).leading_zeros()).div_ceil(7) as usize
}

/// Divides deltas into those that travel with their manifest and those with topics of their own.
pub(super) fn divide<'a>(signed: &Signed, made: &'a [Made]) -> (Vec<&'a Made>, Vec<&'a Made>) {
    let along = along(&signed.envelope, signed.manifest.deltas());

    made.iter().partition(|one| along == Some(one.from))
}

/// Returns from which versions the manifest names a delta with a topic of its own.
pub(super) fn topics(signed: &Signed) -> impl Iterator<Item = u64> + use<> {
    let all = signed.manifest.deltas();
    let along = along(&signed.envelope, all);
    let rest: Vec<_> = all.iter().map(|delta| delta.from).collect();

    rest.into_iter().filter(move |from| along != Some(*from))
}

#[cfg(test)]
mod tests {
    use gateward_core::trust::sign;

    use super::*;

    #[test]
    fn the_length_of_a_message_is_foretold_to_the_byte() {
        let envelope = vec![7; 300];
        for len in [0, 1, 127, 128, 900, 3_785, 3_786, 3_787, 4_000] {
            for from in [0, 127, 128, u64::MAX] {
                let bytes = vec![1; len];
                let delta = DeltaRef { from, len: u32::try_from(len).unwrap(), sha256: [0; 32] };
                let message = sign::message(&envelope, &[(from, &bytes)]).unwrap();
                let fits = along(&envelope, &[delta]).is_some();
                assert_eq!(fits, message.len() <= MAX_MESSAGE, "{from} {len}: {}", message.len());
            }
        }
    }

    #[test]
    fn only_the_newest_delta_travels_with_the_manifest_and_only_where_it_fits() {
        let delta = |from, len| DeltaRef { from, len, sha256: [0; 32] };

        assert_eq!(along(&[0; 200], &[delta(9, 50), delta(8, 60)]), Some(9));
        assert_eq!(along(&[0; 200], &[delta(9, 90_000), delta(8, 60)]), None);
        assert_eq!(along(&[0; 200], &[]), None);
    }
}
