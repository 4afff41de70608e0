//! The lock on a policy folder, and what is written to it.

use std::fs;
use std::path::{Path, PathBuf};

use super::Refused;
use crate::lock::{Lock, NotLocked};
use crate::policy::{SERVICE_USERS, Sources, TOKENS, USERS};
use crate::whole;

/// A folder that this process alone changes, until the value is dropped.
#[derive(Debug)]
pub(super) struct Locked {
    dir: PathBuf,
    _lock: Lock,
}

impl Locked {
    pub(super) fn open(dir: &Path) -> Result<Self, Refused> {
        let state = dir.join("state");
        // A mistyped folder is not made: its policy is what must be there first.
        if dir.is_dir() {
            fs::create_dir_all(&state).map_err(whole::Failed::new("made", &state))?;
        }
        let lock = Lock::take(&state.join("lock")).map_err(|not_locked| match not_locked {
            NotLocked::Busy => Refused::Busy,
            NotLocked::Failed(failed) => failed.into(),
        })?;

        Ok(Self { dir: dir.to_owned(), _lock: lock })
    }

    /// Writes the tables that changed; owners before tokens, so that a token is never without one
    /// and a deleted owner never has a token that works.
    pub(super) fn write(&self, old: &Sources, new: &Sources) -> Result<(), whole::Failed> {
        for (name, old, new, mode) in [
            (USERS, &old.users, &new.users, 0o644),
            (SERVICE_USERS, &old.service_users, &new.service_users, 0o644),
            (TOKENS, &old.tokens, &new.tokens, 0o600),
        ] {
            if old != new {
                whole::write(&self.dir.join(name), new.as_bytes(), mode)?;
            }
        }

        Ok(())
    }
}
