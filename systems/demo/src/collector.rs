//! The collector, and the folder in which anybody can read what it has kept.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use gateward_control::broker::Reach;
use gateward_control::collect::{self, CollectFailed, CollectOptions, Destination, SILENT_AFTER};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::control::GATEWAY;
use crate::wait::until;

/// A collector that can be stopped and started.
#[derive(Debug)]
pub(crate) struct Collector {
    options: CollectOptions,
    out: PathBuf,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), CollectFailed>>,
}

impl Collector {
    /// Writes to the folder `out`; is not started.
    pub(crate) fn new(dir: &Path, reach: Reach, out: PathBuf) -> Self {
        let to = Destination::Folder(out.clone());
        let options = CollectOptions { dir: dir.to_owned(), reach, to, silent_after: SILENT_AFTER };

        Self { options, out, running: None }
    }

    /// Starts it; it goes on where its folder ends.
    pub(crate) fn start(&mut self) -> Result<()> {
        let collector = collect::Collector::open(&self.options)?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(collector.run(async {
            // Told or dropped: both are the end.
            let _ = stopped.await;
        }));
        self.running = Some(Running { stop, task });

        Ok(())
    }

    /// Stops it in good order.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let Some(Running { stop, task }) = self.running.take() else { return Ok(()) };
        drop(stop);

        Ok(task.await??)
    }

    /// Returns the file with the records of the gateway.
    pub(crate) fn lines_path(&self) -> PathBuf {
        collect::lines_path(&self.out, GATEWAY)
    }

    /// Returns every record of the gateway that was kept.
    pub(crate) fn records(&self) -> Result<Vec<Value>> {
        let text = fs::read_to_string(self.lines_path()).unwrap_or_default();
        // The last line may be half written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);

        whole
            .lines()
            .map(|line| serde_json::from_str(line).map_err(|error| anyhow!(error)))
            .collect()
    }

    /// Waits for the record of a decision.
    pub(crate) async fn record(&self, decision_id: &str) -> Result<Value> {
        until(&format!("a record of decision {decision_id}"), async || {
            let records = self.records()?;
            let number = records.len();
            let found =
                records.into_iter().find(|record| text(record, "decision_id") == decision_id);

            Ok(found.ok_or_else(|| format!("{number} records of others")))
        })
        .await
    }

    /// Returns what the gateway says that it has refused, oldest first.
    pub(crate) fn rejections(&self) -> Result<Vec<String>> {
        let records = self.records()?.into_iter();
        let rejected = records.filter(|record| text(record, "action") == "snapshot_rejected");

        Ok(rejected.map(|record| text(&record, "resource").to_owned()).collect())
    }

    /// Waits until the gateway has refused something beyond the first `known`, and returns what.
    pub(crate) async fn rejection(&self, known: usize) -> Result<String> {
        until("an event snapshot_rejected", async || {
            let found = self.rejections()?.into_iter().nth(known);

            Ok(found.ok_or_else(|| format!("{known} events, all older")))
        })
        .await
    }
}

/// Returns a field that is a text; where it is none, an empty one.
pub(crate) fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}
