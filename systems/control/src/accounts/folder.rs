//! The lock on a policy folder, and what is written to it.

use std::fs;
use std::path::{Path, PathBuf};

use super::Refused;
use crate::clock;
use crate::lock::{Lock, NotLocked, PATIENCE};
use crate::policy::{Pending, Policy, SERVICE_USERS, Sources, TOKENS, USERS};
use crate::revocations::Revocations;
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
        let lock =
            Lock::wait(&state.join("lock"), PATIENCE).map_err(|not_locked| match not_locked {
                NotLocked::Busy => Refused::Busy,
                NotLocked::Failed(failed) => failed.into(),
            })?;

        let locked = Self { dir: dir.to_owned(), _lock: lock };
        locked.finish()?;

        Ok(locked)
    }

    /// Writes what a crash left unwritten.
    fn finish(&self) -> Result<(), whole::Failed> {
        let mut pending = Pending::read(&self.dir)?;
        for (name, mode) in TABLES {
            let path = self.dir.join(name);
            let text = whole::read_text(&path)?.unwrap_or_default();
            let whole = pending.over(name, text.clone());
            if whole != text {
                whole::write(&path, whole.as_bytes(), mode)?;
            }
        }

        Pending::clear(&self.dir)
    }

    /// Writes the tables that changed, all or none: a crash in between is made good by the next
    /// reader.
    pub(super) fn write(
        &self,
        old: &Sources,
        new: &Sources,
        policy: &Policy,
    ) -> Result<(), whole::Failed> {
        let mut pending = Pending::default();
        for (name, old, new) in [
            (USERS, &old.users, &new.users),
            (SERVICE_USERS, &old.service_users, &new.service_users),
            (TOKENS, &old.tokens, &new.tokens),
        ] {
            if old != new {
                pending.add(name, old, new);
            }
        }
        pending.write(&self.dir)?;
        self.finish()?;

        // A crash before this is made good by the next command or publish, at its own time.
        Revocations::note(&self.dir, policy, clock::now_ms());

        Ok(())
    }
}

/// The tables that commands write, and the mode of each; tokens are for their owner alone.
const TABLES: [(&str, u32); 3] = [(USERS, 0o644), (SERVICE_USERS, 0o644), (TOKENS, 0o600)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_between_two_tables_leaves_a_folder_that_reads_as_if_both_were_written() {
        let dir = tempfile::tempdir().unwrap();
        let read = |name| fs::read_to_string(dir.path().join(name)).unwrap();
        fs::write(dir.path().join("policy.toml"), "").unwrap();
        fs::write(dir.path().join(USERS), "old user").unwrap();
        fs::write(dir.path().join(TOKENS), "old token").unwrap();
        let old = Sources::read(dir.path()).unwrap();
        let new = Sources { users: "new user".into(), tokens: "new token".into(), ..old.clone() };
        let locked = Locked::open(dir.path()).unwrap();
        let mut pending = Pending::default();
        pending.add(USERS, &old.users, &new.users);
        pending.add(TOKENS, &old.tokens, &new.tokens);
        pending.write(dir.path()).unwrap();
        // The power fails here, after the first table.
        fs::write(dir.path().join(USERS), &new.users).unwrap();
        drop(locked);

        let seen = Sources::read(dir.path()).unwrap();
        assert_eq!((seen.users, seen.tokens), (new.users, new.tokens));
        assert_eq!(read(TOKENS), "old token");
        drop(Locked::open(dir.path()).unwrap());

        assert_eq!((read(USERS), read(TOKENS)), ("new user".into(), "new token".into()));
        assert!(!dir.path().join("state/pending").exists());
    }
}
