//! Counts what the journal costs the flash: pages, as often as they are written back.
//!
//! A page that was touched is written back whole at the next sync of its file, however few bytes of it
//! are new. What the file system writes for itself (names, lengths) is not counted.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::medium::{Handle, Medium};

/// Bytes of a page of nearly every kernel and flash translation.
pub(crate) const PAGE: u64 = 4096;

/// A medium, and how many bytes went to it.
pub(crate) struct Metered {
    medium: Arc<dyn Medium>,
    written: Arc<AtomicU64>,
}

impl Metered {
    /// Counts in `written` what is done to `medium`.
    pub(crate) fn new(medium: Arc<dyn Medium>, written: Arc<AtomicU64>) -> Self {
        Self { medium, written }
    }
}

impl Medium for Metered {
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        let (file, written) = (self.medium.open(path)?, Arc::clone(&self.written));

        Ok(Box::new(MeteredFile { file, written, touched: BTreeSet::new() }))
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.medium.make_folder(path)
    }

    fn link(&self, path: &Path, other: &Path) -> io::Result<()> {
        self.medium.link(path, other)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.medium.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.medium.remove(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.medium.sync_folder(folder)
    }
}

struct MeteredFile {
    file: Box<dyn Handle>,
    written: Arc<AtomicU64>,
    /// Pages that the next sync writes back.
    touched: BTreeSet<u64>,
}

impl Handle for MeteredFile {
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)?;
        let last = offset + u64::try_from(bytes.len()).unwrap_or_default().saturating_sub(1);
        self.touched.extend(offset / PAGE..=last / PAGE);

        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()?;
        let pages = u64::try_from(self.touched.len()).unwrap_or_default();
        self.written.fetch_add(pages * PAGE, Ordering::Relaxed);
        self.touched.clear();

        Ok(())
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.file.cut(len)
    }
}
