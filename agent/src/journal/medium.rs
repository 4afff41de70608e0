//! The few things that are done to a file that is being written, so that a test can let each of
//! them fail.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Where files are opened.
pub(crate) trait Medium: Send + Sync {
    /// Opens `path` for writing and makes it, readable by nobody else, where it is not there.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>>;
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

/// Makes the names in `folder` outlive a power cut.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
