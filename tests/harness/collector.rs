//! The collector, and the records it has kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use serde_json::Value;

use crate::program::Program;
use crate::wait::until;

/// A running `gateward-control collect`.
#[derive(Debug)]
pub struct Collector {
    folder: PathBuf,
    program: Program,
}

impl Collector {
    pub(crate) fn start(mut command: Command, folder: &Path, log: &Path) -> Self {
        Self { folder: folder.to_owned(), program: Program::start(&mut command, log) }
    }

    /// Ends it in good order.
    ///
    /// # Panics
    ///
    /// If it does not end.
    #[must_use]
    pub fn stop(mut self) -> ExitStatus {
        self.program.terminate()
    }

    /// Kills it, as a power cut does.
    pub fn kill(mut self) {
        self.program.kill();
    }

    /// Returns the records that were kept of a gateway, in the order in which they were kept.
    #[must_use]
    pub fn records(&self, gateway: &str) -> Vec<Value> {
        records(&self.folder, gateway)
    }

    /// Waits until every record up to `number` was kept.
    ///
    /// # Panics
    ///
    /// If that takes too long.
    pub fn has(&self, gateway: &str, number: u64) -> Vec<Value> {
        until("the records of a gateway at the collector", || {
            let records = self.records(gateway);
            let last = records.last().and_then(|record| record.get("seq")).and_then(Value::as_u64);

            (last >= Some(number)).then_some(records)
        })
    }
}

/// Returns the records in a collector's folder.
///
/// # Panics
///
/// If a line that is whole is not JSON.
#[must_use]
pub(crate) fn records(folder: &Path, gateway: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(format!("{gateway}.jsonl"))).unwrap_or_default();
    let whole = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();

    whole.lines().map(|line| serde_json::from_str(line).expect("a record is JSON")).collect()
}
