//! Files that are read whole and written whole: a reader sees the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file or folder could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{}: cannot be {did}", path.display())]
pub struct Failed {
    /// Which one.
    pub path: PathBuf,
    /// What was tried, such as `read`.
    pub did: &'static str,
    /// Why not.
    pub source: io::Error,
}

impl Failed {
    /// Tells what was tried with which file.
    pub fn new<'a>(did: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + use<'a> {
        move |source| Self { path: path.to_owned(), did, source }
    }
}

/// Reads a text file; none where there is no such file.
///
/// # Errors
///
/// The file is there and cannot be read, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<Option<String>, Failed> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failed::new("read", path)(error)),
    }
}

/// Writes `bytes` beside `path`, syncs them, puts them in its place and syncs the folder.
///
/// `mode` counts where the file is new; an existing one keeps its own.
///
/// # Errors
///
/// Some step fails; the old file is still there then.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failed> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let beside = folder.join(name);
    #[cfg(test)]
    breaking::step(path)?;
    let written = write_beside(path, &beside, bytes, mode);
    if written.is_err() {
        // What is left of it would only confuse; why it failed is already known.
        drop(fs::remove_file(&beside));
    }

    let written = written.and_then(|()| File::open(folder)?.sync_all());
    #[cfg(test)]
    breaking::step(path)?;

    written.map_err(Failed::new("written", path))
}

/// Ends whoever writes before or after any file, as a crash there would.
#[cfg(test)]
pub(crate) mod breaking {
    use std::cell::Cell;
    use std::io;
    use std::path::Path;

    use super::Failed;

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// From now on, on this thread, nothing is written after so many steps; returns how many were left.
    pub(crate) fn after(steps: Option<u32>) -> Option<u32> {
        LEFT.replace(steps)
    }

    pub(super) fn step(path: &Path) -> Result<(), Failed> {
        match LEFT.get() {
            None => Ok(()),
            Some(0) => Err(Failed::new("written any more", path)(io::ErrorKind::Other.into())),
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            }
        }
    }
}

fn write_beside(path: &Path, beside: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(beside)?;
    if let Ok(old) = fs::metadata(path) {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()?;

    fs::rename(beside, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.jsonl");
        write(&path, b"old", 0o600).unwrap();
        write(&path, b"new", 0o644).unwrap();

        assert_eq!(read_text(&path).unwrap().as_deref(), Some("new"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_not_there_is_not_an_error() {
        assert!(read_text(Path::new("/nowhere/at/all")).unwrap().is_none());
        assert!(write(Path::new("/nowhere/at/all"), b"", 0o600).is_err());
    }
}
