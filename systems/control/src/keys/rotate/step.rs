//! The steps of a rotation: each is done whole or not at all, and none undoes another.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::{secret, whole};

/// One change of the folder.
pub(super) enum Step {
    /// Gives a private key another name; where that is taken, it stays where it is.
    Move { from: PathBuf, to: PathBuf },
    /// Writes a private key to a new file.
    Secret { path: PathBuf, text: Zeroizing<String> },
    /// Writes the key set: from here on it counts.
    Write { path: PathBuf, bytes: Vec<u8> },
}

impl Step {
    pub(super) fn take(&self) -> Result<(), whole::Failed> {
        match self {
            Self::Move { from, to } => rename(from, to),
            Self::Secret { path, text } => {
                secret::make_folder(folder(path))?;
                secret::write(path, text)
            }
            Self::Write { path, bytes } => whole::write(path, bytes, 0o644),
        }
    }
}

/// Nothing is overwritten: a private key that is gone is gone for good.
fn rename(from: &Path, to: &Path) -> Result<(), whole::Failed> {
    if to.exists() {
        return Ok(());
    }
    secret::make_folder(folder(to))?;
    fs::rename(from, to).map_err(whole::Failed::new("moved", from))?;
    for folder in [folder(to), folder(from)] {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(whole::Failed::new("synced", folder))?;
    }

    Ok(())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
