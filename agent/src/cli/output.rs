//! Files that a command writes to be carried away: whole or not at all, and over nothing else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use gateward_core::name::Hex;

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotWritten {
    #[error("`{}` is there and is something else; name another file", path.display())]
    InTheWay { path: PathBuf },
    #[error("cannot write `{}`", path.display())]
    Failed {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Puts a whole file that only this user may read in place, where there is none or one that begins
/// with `magic` too.
pub(super) fn write<R>(
    out: &Path,
    magic: &[u8],
    fill: impl FnOnce(&mut File) -> io::Result<R>,
) -> Result<R, NotWritten> {
    let failed = |source| NotWritten::Failed { path: out.into(), source };
    if is_something_else(out, magic).map_err(failed)? {
        return Err(NotWritten::InTheWay { path: out.into() });
    }
    let mut drawn = [0; 8];
    getrandom::fill(&mut drawn).map_err(|error| failed(io::Error::other(error)))?;
    let beside = out.with_added_extension(format!("{}.new", Hex(&drawn)));
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(&beside);
    let written = made.and_then(|mut file| {
        let filled = fill(&mut file)?;
        file.sync_all()?;
        fs::rename(&beside, out)?;
        // Else a stick that is pulled now may not have the name.
        let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(filled)
    });
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }

    written.map_err(failed)
}

/// Whether there is a file that begins otherwise.
fn is_something_else(out: &Path, magic: &[u8]) -> io::Result<bool> {
    match fs::symlink_metadata(out) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Ok(found) if !found.is_file() => return Ok(true),
        found => found.map(drop)?,
    }
    let mut start = Vec::new();
    File::open(out)?.take(magic.len() as u64).read_to_end(&mut start)?;

    Ok(start != magic)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn put(out: &Path, bytes: &[u8]) -> Result<(), NotWritten> {
        write(out, b"GWDBNDL1", |file| file.write_all(bytes))
    }

    #[test]
    fn what_is_written_replaces_nothing_but_one_of_its_kind_and_is_for_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("plant-7.bundle");
        put(&out, b"GWDBNDL1 one").unwrap();
        put(&out, b"GWDBNDL1 two").unwrap();
        assert_eq!(fs::read(&out).unwrap(), b"GWDBNDL1 two");
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);

        fs::write(&out, b"a letter").unwrap();
        let refused = put(&out, b"GWDBNDL1 three").unwrap_err();
        assert!(matches!(refused, NotWritten::InTheWay { .. }), "{refused}");
        assert!(put(dir.path(), b"GWDBNDL1").is_err());
        assert_eq!(fs::read(&out).unwrap(), b"a letter");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
