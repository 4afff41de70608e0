//! What a collector says it holds of a gateway: how far it signed receipts, and how long its files are.
//!
//! A store that was cut short at its end is whole in itself; only this tells.

use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, thread};

use gateward_agent::proof::{Follower, Mistake, Witness};
use gateward_core::trust::Incarnation;

use super::super::steps::hold_to;
use crate::collect::{batches_path, lines_path};
use crate::secret;

/// How long a collector may take from a file to the count of it.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Debug, Eq, PartialEq)]
pub(super) struct Counted {
    pub(super) incarnation: Incarnation,
    pub(super) through: u64,
    /// Of the lines.
    pub(super) bytes: u64,
    /// Of the batches; none where a collector kept none.
    pub(super) batches: Option<u64>,
}

impl Counted {
    /// Reads what the collector counts; none where there is nothing, or this user may not.
    pub(super) fn read(folder: &Path, gateway: &str) -> Option<Self> {
        let text = secret::read(&path(folder, gateway)).ok()?;
        let field =
            |label: &str| text.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix(' '));

        Some(Self {
            incarnation: Incarnation(*secret::hex(field("incarnation")?)?),
            through: field("through")?.parse().ok()?,
            bytes: field("bytes")?.parse().ok()?,
            batches: field("batches").and_then(|bytes| bytes.parse().ok()).filter(|len| *len > 0),
        })
    }

    /// Notes where less is there than was receipted, or more than is counted.
    pub(super) fn hold(&self, folder: &Path, gateway: &str, follower: &mut Follower) {
        hold_to(follower, self.incarnation, self.through, Witness::Receipts);
        if self.leaves_something(folder, gateway) {
            thread::sleep(PATIENCE);
            // A collector that goes on has counted more since.
            let is_idle = Self::read(folder, gateway).as_ref() == Some(self);
            if is_idle && self.leaves_something(folder, gateway) {
                follower.note(Mistake::Uncounted);
            }
        }
    }

    fn leaves_something(&self, folder: &Path, gateway: &str) -> bool {
        let longer = |path: PathBuf, counted: u64| {
            fs::metadata(path).is_ok_and(|facts| facts.len() > counted)
        };
        let batches = self.batches.unwrap_or_default();

        longer(lines_path(folder, gateway), self.bytes)
            || longer(batches_path(folder, gateway), batches)
    }
}

fn path(folder: &Path, gateway: &str) -> PathBuf {
    folder.join("state").join(format!("{gateway}.held"))
}
