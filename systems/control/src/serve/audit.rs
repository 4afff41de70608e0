//! The collector beside `serve`: what becomes of it keeps nobody from publishing.

use std::path::Path;

use tokio::sync::watch;

use crate::broker::Reach;
use crate::collect::{CollectFailed, CollectOptions, Collector, Destination, SILENT_AFTER};

/// A collector that is begun again where it ends.
#[derive(Debug)]
pub(super) struct Audit {
    options: CollectOptions,
    collector: Collector,
}

impl Audit {
    /// Takes the folder `out`.
    pub(super) fn open(dir: &Path, reach: &Reach, out: &Path) -> Result<Self, CollectFailed> {
        let to = Destination::Folder(out.to_owned());
        let (dir, reach, silent_after) = (dir.to_owned(), reach.clone(), SILENT_AFTER);
        let options = CollectOptions { dir, reach, to, silent_after };
        let collector = Collector::open(&options)?;

        Ok(Self { options, collector })
    }

    /// Collects until `ended` says so.
    pub(super) async fn run(self, ended: watch::Receiver<bool>) {
        self.collector.run_again(&self.options, ended).await;
    }
}
