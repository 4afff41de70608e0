//! The few things that are done to the journal's folder and to a file in it, so that a test can let
//! each of them fail, or record them and rebuild what a power cut would have left.
//!
//! Only what changes the disk goes through here; nothing is lost by reading.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::io::Errno;

/// Where files are opened, and their names changed.
pub(crate) trait Medium: Send + Sync {
    /// Opens `path` for writing and makes it, readable by nobody else, where it is not there.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>>;

    /// Makes a folder that only the agent may enter, and those above it, where it is not there.
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    /// Gives a file a second name.
    fn link(&self, path: &Path, other: &Path) -> io::Result<()> {
        fs::hard_link(path, other)
    }

    /// Lets a file take the place of another.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Takes a name away, and with the last one the file.
    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    /// Makes the names in `folder` outlive a power cut.
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

/// Returns whether what is there cannot be read, today or ever: a bad block, or a file system that has
/// noticed that it is broken.
pub(crate) fn is_unreadable(error: &io::Error) -> bool {
    let number = error.raw_os_error().map(Errno::from_raw_os_error);
    let bad = [Errno::IO, Errno::UCLEAN, Errno::BADMSG, Errno::NODATA, Errno::LOOP, Errno::ISDIR];

    number.is_some_and(|number| bad.contains(&number))
}

/// Returns whether nothing has this name any more.
pub(crate) fn is_gone(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// An open file.
pub(crate) trait Handle: Send {
    /// Writes all of `bytes` at `offset`.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Waits until the file's bytes outlive a power cut.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file.
    fn cut(&mut self, len: u64) -> io::Result<()>;
}

/// The file system.
#[derive(Debug)]
pub(crate) struct Real;

impl Medium for Real {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(false).mode(0o600).open(path)?;

        Ok(Box::new(file))
    }
}

impl Handle for File {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }
}
