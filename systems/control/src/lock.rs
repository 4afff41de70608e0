//! One at a time: a lock file that is free again when its holder ends, in whatever way.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::whole;

/// How long a command waits for another one to be done, which is a matter of moments: `serve` reads
/// a folder each time that it changes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks.
const STEP: Duration = Duration::from_millis(5);

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

    /// Takes the lock at `path`, and waits up to `limit` for whoever has it.
    ///
    /// # Errors
    ///
    /// Somebody else has it all the while, or the file cannot be used.
    pub fn wait(path: &Path, limit: Duration) -> Result<Self, NotLocked> {
        Self::wait_by(path, limit, thread::sleep)
    }

    fn wait_by(
        path: &Path,
        limit: Duration,
        mut pause: impl FnMut(Duration),
    ) -> Result<Self, NotLocked> {
        let mut left = limit;
        loop {
            match Self::take(path) {
                Err(NotLocked::Busy) if !left.is_zero() => pause(STEP.min(left)),
                ended => return ended,
            }
            left = left.saturating_sub(STEP);
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

    #[test]
    fn whoever_waits_has_it_when_it_is_free_and_gives_up_in_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::take(&path).unwrap();
        assert!(matches!(Lock::wait(&path, 2 * STEP), Err(NotLocked::Busy)));

        let mut held = Some(held);
        let mut paused = 0;
        let had = Lock::wait_by(&path, PATIENCE, |_| {
            paused += 1;
            drop(held.take_if(|_| paused == 3));
        });
        assert!(had.is_ok());
        assert_eq!(paused, 3);
    }
}
