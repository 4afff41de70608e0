//! What a start sets aside: damaged segments, kept whole as evidence under another name, and the files
//! of an enrolment before this one.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

use gateward_core::name::Hex;
use gateward_core::trust::GatewayId;

use super::super::checkpoints;
use super::super::frame::SegmentHead;
use super::super::medium::{Medium, is_unreadable};
use super::super::writer::segment_path;
use super::{Recovery, list};
use crate::identity::Identity;

impl Recovery<'_> {
    /// Takes away key files that were set aside, also at a start that was cut short, once the key is found again: no
    /// old key stays (TRUST section 5).
    pub(super) fn forget_old_keys(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.folder)? {
            let path = entry?.path();
            let is_key =
                path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"key."));
            if !is_key || !is_damaged(&path) {
                continue;
            }
            let removed = self.medium.remove(&path);
            if let Err(error) = removed.and_then(|()| self.medium.sync_folder(self.folder)) {
                tracing::warn!(%error, path = %path.display(), "an old key of the audit is still on this disk; remove it");
            }
        }

        Ok(())
    }

    /// Leaves in its place what is good of a segment.
    fn keep_good(&self, path: &Path, good: &[u8]) -> io::Result<()> {
        let mended = path.with_extension("mended");
        let mut file = self.medium.open(&mended)?;
        file.cut(0)?;
        file.write_at(good, 0)?;
        file.sync()?;

        self.medium.rename(&mended, path)
    }

    /// Keeps the whole file under another name; `good`, where there is any, stays in its place.
    pub(super) fn set_aside(&mut self, first: u64, good: Option<&[u8]>) -> io::Result<()> {
        let path = segment_path(self.folder, first);
        let aside = match aside_already(&path)? {
            Some(aside) => aside,
            None => {
                let aside = free(&path);
                self.medium.link(&path, &aside)?;
                aside
            }
        };
        match good {
            None => {
                self.medium.remove(&path)?;
                let signed = checkpoints::path(self.folder, first);
                if signed.exists() {
                    self.medium.rename(&signed, &free(&signed))?;
                }
            }
            // On a full disk it stays as it is; nothing is written behind it, and the gap is owned up to.
            Some(good) => {
                if let Err(error) = self.keep_good(&path, good) {
                    tracing::warn!(%error, "a damaged segment of the audit stays as it is, and records go on in a new one");
                }
            }
        }
        self.medium.sync_folder(self.folder)?;
        self.found.damaged.push(aside);

        Ok(())
    }
}

/// Returns the name under which this very file is kept as damaged already.
fn aside_already(path: &Path) -> io::Result<Option<PathBuf>> {
    let wanted = fs::symlink_metadata(path)?.ino();
    let stem = path.file_stem();
    for entry in fs::read_dir(path.parent().unwrap_or(path))? {
        let entry = entry?;
        let found = entry.path();
        let is_of = found.file_name().zip(stem).is_some_and(|(name, stem)| {
            name.as_encoded_bytes().starts_with(stem.as_encoded_bytes())
        });
        if is_of && is_damaged(&found) && entry.metadata()?.ino() == wanted {
            return Ok(Some(found));
        }
    }

    Ok(None)
}

pub(super) fn is_damaged(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "damaged")
}

/// A name for `path` as evidence that nothing has yet.
pub(crate) fn free(path: &Path) -> PathBuf {
    let mut aside = path.with_extension("damaged");
    let mut copy = 1;
    while aside.exists() {
        copy += 1;
        aside = path.with_extension(format!("{copy}.damaged"));
    }

    aside
}

/// How much of the disk what was set aside takes.
pub(super) fn set_aside_bytes(folder: &Path) -> io::Result<u64> {
    // One file may have several names.
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if is_damaged(&entry.path()) {
            let facts = entry.metadata()?;
            files.insert(facts.ino(), facts.len());
        }
    }

    Ok(files.into_values().sum())
}

/// A gateway that was enrolled again counts from 1 again, so the files of the enrolment before go
/// to a folder of their own.
pub(super) fn set_other_enrolment_aside(
    medium: &dyn Medium,
    folder: &Path,
    gateway: GatewayId,
    identity: &Identity,
) -> io::Result<()> {
    for first in list(folder)?.into_iter().rev() {
        let bytes = match fs::read(segment_path(folder, first)) {
            Ok(bytes) => bytes,
            // An older one says as well whose these are.
            Err(error) if is_unreadable(&error) => continue,
            Err(error) => return Err(error),
        };
        let Some(head) = SegmentHead::decode(&bytes) else { continue };
        if head.incarnation == identity.incarnation && head.gateway == gateway {
            return Ok(());
        }
        let old = folder.join(format!("enrolment-{}", Hex(&head.incarnation.0)));
        medium.make_folder(&old)?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                medium.rename(&entry.path(), &old.join(entry.file_name()))?;
            }
        }
        medium.sync_folder(&old)?;
        return medium.sync_folder(folder);
    }

    Ok(())
}
