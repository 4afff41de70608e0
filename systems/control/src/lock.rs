//! One at a time: a lock file that is free again when its holder ends, in whatever way.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::whole;

/// Held until it is dropped.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum NotLocked {
    /// Somebody else has it.
    #[error("another command is at work there; try again when it is done")]
    Busy,
    /// The file cannot be used.
    #[error(transparent)]
    Failed(#[from] whole::Failed),
}

impl Lock {
    /// Takes the lock at `path`, whose folder must be there.
    ///
    /// # Errors
    ///
    /// Somebody else has it, or the file cannot be used.
    pub fn take(path: &Path) -> Result<Self, NotLocked> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(whole::Failed::new("opened", path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(NotLocked::Busy),
            Err(TryLockError::Error(error)) => {
                Err(whole::Failed::new("locked", path)(error).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_had_once_and_is_free_when_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::take(&path).unwrap();
        assert!(matches!(Lock::take(&path), Err(NotLocked::Busy)));
        drop(held);

        assert!(Lock::take(&path).is_ok());
    }
}
