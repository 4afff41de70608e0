//! Every change to a file of the truth goes through here, one operation at a time.
//!
//! A file is replaced whole: written beside, synced, renamed, and its folder synced. Before each
//! operation a [`Watcher`] sees it and may let it fail, so a test can stop at any of them, or record
//! them and rebuild what a power cut would have left (`tests/power.rs`).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An operation that is about to change what is on disk; paths are relative to the state folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step<'a> {
    /// A file is made, or opened where it exists, and given this length.
    Create {
        /// Which file.
        path: &'a Path,
        /// Its length from then on.
        len: u64,
    },
    /// A folder is made.
    CreateDir(&'a Path),
    /// A file is removed.
    Remove(&'a Path),
    /// A file takes the place of another.
    Rename {
        /// Its name so far.
        from: &'a Path,
        /// Its name from then on.
        to: &'a Path,
    },
    /// The names in a folder are made durable.
    SyncDir(&'a Path),
    /// A file's content is made durable.
    SyncFile(&'a Path),
    /// Bytes are written into a file.
    Write {
        /// Which file.
        path: &'a Path,
        /// Where in it.
        at: u64,
        /// What.
        bytes: &'a [u8],
    },
}

/// Sees each [`Step`] before it is done; an error is returned instead of doing it.
pub type Watcher = Arc<dyn Fn(Step<'_>) -> io::Result<()> + Send + Sync>;

/// The folder that the agent keeps its state in.
#[derive(Clone)]
pub(super) struct Disk {
    root: PathBuf,
    watcher: Option<Watcher>,
}

impl Disk {
    pub(super) const fn new(root: PathBuf, watcher: Option<Watcher>) -> Self {
        Self { root, watcher }
    }

    pub(super) fn path(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    fn before(&self, step: Step<'_>) -> io::Result<()> {
        self.watcher.as_ref().map_or(Ok(()), |watcher| watcher(step))
    }

    /// Makes a folder that only the agent may enter, durably.
    pub(super) fn create_dir(&self, path: &Path) -> io::Result<()> {
        if self.path(path).is_dir() {
            return Ok(());
        }
        self.before(Step::CreateDir(path))?;
        DirBuilder::new().mode(0o700).create(self.path(path))?;

        self.sync_dir(path.parent().unwrap_or(Path::new("")))
    }

    /// Replaces a file whole and durably: after a power cut it has the old content or the new.
    pub(super) fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let beside = path.with_extension("new");
        let file = self.create(&beside, 0)?;
        self.write_at(&file, &beside, 0, bytes)?;
        self.sync_file(&file, &beside)?;
        drop(file);
        self.before(Step::Rename { from: &beside, to: path })?;
        fs::rename(self.path(&beside), self.path(path))?;

        self.sync_dir(path.parent().unwrap_or(Path::new("")))
    }

    /// Opens a file that only the agent may read, cut or extended to `len`.
    pub(super) fn create(&self, path: &Path, len: u64) -> io::Result<File> {
        self.before(Step::Create { path, len })?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(len == 0)
            .mode(0o600)
            .open(self.path(path))?;
        if len > 0 {
            file.set_len(len)?;
            reserve(&file, len)?;
        }

        Ok(file)
    }

    pub(super) fn write_at(
        &self,
        file: &File,
        path: &Path,
        at: u64,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.before(Step::Write { path, at, bytes })?;
        file.write_all_at(bytes, at)
    }

    pub(super) fn sync_file(&self, file: &File, path: &Path) -> io::Result<()> {
        self.before(Step::SyncFile(path))?;
        file.sync_all()
    }

    pub(super) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.before(Step::SyncDir(path))?;
        File::open(self.path(path))?.sync_all()
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        self.before(Step::Remove(path))?;
        match fs::remove_file(self.path(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// Reads a small file whole; none where there is none.
    pub(super) fn read(&self, path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let mut bytes = Vec::new();
        let read = file.take(most + 1).read_to_end(&mut bytes)?;
        if read as u64 > most {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "`{}` is longer than {most} bytes; it was not written by the agent",
                    path.display()
                ),
            ));
        }

        Ok(Some(bytes))
    }

    /// Reads a file of `len` bytes into one buffer; none where its length differs or there is none.
    pub(super) fn read_whole(&self, path: &Path, len: u32) -> io::Result<Option<Arc<[u8]>>> {
        let mut file = match File::open(self.path(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        if file.metadata()?.len() != u64::from(len) {
            return Ok(None);
        }
        let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, len as usize).collect();
        if let Some(buffer) = Arc::get_mut(&mut bytes) {
            file.read_exact(buffer)?;
        }

        Ok(Some(bytes))
    }
}

/// Takes the room on disk now, so that a full disk is known before the first chunk is asked for.
fn reserve(file: &File, len: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, len) {
        // A file system that cannot reserve fails at the write that does not fit.
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => Ok(()),
        done => Ok(done?),
    }
}

/// Returns whether the disk, or the part of it that the agent may use, is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn a_replaced_file_is_old_or_new_whichever_step_fails() {
        let dir = tempfile::tempdir().unwrap();
        let path = Path::new("floor");
        for last in 0.. {
            Disk::new(dir.path().into(), None).replace(path, b"old").unwrap();
            let left = AtomicUsize::new(last);
            let watcher: Watcher = Arc::new(move |_| {
                let go =
                    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
                go.map(drop).map_err(|_| io::Error::other("the power is out"))
            });
            let done = Disk::new(dir.path().into(), Some(watcher)).replace(path, b"longer");

            let now = fs::read(dir.path().join(path)).unwrap();
            assert!(now == b"old" || now == b"longer", "{now:?}");
            if done.is_ok() {
                assert_eq!(now, b"longer");
                return;
            }
        }
    }

    #[test]
    fn nobody_else_may_read_what_the_agent_writes() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path().into(), None);
        disk.create_dir(Path::new("trust")).unwrap();
        disk.replace(Path::new("trust/keyset-1"), b"k").unwrap();

        let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode();
        assert_eq!(mode("trust") & 0o777, 0o700);
        assert_eq!(mode("trust/keyset-1") & 0o777, 0o600);
    }

    #[test]
    fn a_file_longer_than_it_can_be_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let disk = Disk::new(dir.path().into(), None);
        disk.replace(Path::new("floor"), &[0; 100]).unwrap();

        assert!(disk.read(Path::new("floor"), 99).is_err());
        assert_eq!(disk.read(Path::new("floor"), 100).unwrap().unwrap().len(), 100);
        assert!(disk.read_whole(Path::new("floor"), 99).unwrap().is_none());
    }
}
