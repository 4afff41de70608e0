//! Several tables changed as one: what a crash left half written is read, and then finished, whole.
//!
//! The new texts are written to one file first. While it is there, a table that still has its old
//! text counts as having the new one; a table that somebody has edited since counts as it is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::whole;

/// Where the new texts wait; secret like the tables themselves.
const FILE: &str = "state/pending";
const MODE: u32 = 0o600;

/// Changes that have been decided and may not all have been written.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Pending(BTreeMap<String, Change>);

#[derive(Debug, Deserialize, Serialize)]
struct Change {
    /// Digest of the text that is replaced.
    old: [u8; 32],
    new: String,
}

impl Pending {
    /// Reads what is pending in a policy folder; nothing where the file is not one of ours.
    pub(crate) fn read(dir: &Path) -> Result<Self, whole::Failed> {
        let text = whole::read_text(&dir.join(FILE))?.unwrap_or_default();

        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Adds the change of one table.
    pub(crate) fn add(&mut self, name: &str, old: &str, new: &str) {
        let change = Change { old: Sha256::digest(old).into(), new: new.to_owned() };
        self.0.insert(name.to_owned(), change);
    }

    /// Returns the text that a table has once everything is written.
    pub(crate) fn over(&mut self, name: &str, text: String) -> String {
        match self.0.remove(name) {
            Some(Change { old, new }) if Sha256::digest(&text)[..] == old => new,
            Some(_) | None => text,
        }
    }

    /// Writes the changes down before the first table is touched.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), whole::Failed> {
        let path = dir.join(FILE);
        let text = serde_json::to_string(self)
            .map_err(|error| whole::Failed::new("written", &path)(error.into()))?;

        whole::write(&path, text.as_bytes(), MODE)
    }

    /// Forgets the changes: every table has been written.
    pub(crate) fn clear(dir: &Path) -> Result<(), whole::Failed> {
        let path = dir.join(FILE);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(whole::Failed::new("removed", &path)(error))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_with_its_old_text_counts_as_new_and_an_edited_one_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("state")).unwrap();
        let mut pending = Pending::default();
        pending.add("users.jsonl", "old", "new");
        pending.add("tokens.jsonl", "old", "new");
        pending.write(dir.path()).unwrap();

        let mut read = Pending::read(dir.path()).unwrap();

        assert_eq!(read.over("users.jsonl", "old".into()), "new");
        assert_eq!(read.over("tokens.jsonl", "edited".into()), "edited");
        assert_eq!(read.over("other", "text".into()), "text");
        Pending::clear(dir.path()).unwrap();
        assert!(Pending::read(dir.path()).unwrap().0.is_empty());
    }
}
