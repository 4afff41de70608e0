//! The collector beside `serve`: what becomes of it keeps nobody from publishing.

use std::path::Path;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;
use tracing::error;

use crate::broker::Reach;
use crate::collect::{CollectFailed, CollectOptions, Collector};

/// How long to wait with another attempt, such as where a disk is full.
const PAUSE: Duration = Duration::from_secs(10);

/// A collector that is begun again where it ends.
#[derive(Debug)]
pub(super) struct Audit {
    options: CollectOptions,
    collector: Collector,
}

impl Audit {
    /// Takes the folder `out`.
    pub(super) fn open(dir: &Path, reach: &Reach, out: &Path) -> Result<Self, CollectFailed> {
        let options =
            CollectOptions { dir: dir.to_owned(), reach: reach.clone(), out: out.to_owned() };
        let collector = Collector::open(&options)?;

        Ok(Self { options, collector })
    }

    /// Collects until `ended` says so.
    pub(super) async fn run(self, ended: watch::Receiver<bool>) {
        let Self { options, collector } = self;
        let mut ready = Ok(collector);
        loop {
            let collected = match ready {
                Ok(collector) => collector.run(end(ended.clone())).await,
                Err(error) => Err(error),
            };
            match collected {
                Ok(()) => return,
                Err(error) => {
                    error!("audit is not collected, it is tried again: {error}");
                }
            }
            tokio::select! {
                () = end(ended.clone()) => return,
                () = sleep(PAUSE) => {}
            }
            ready = Collector::open(&options);
        }
    }
}

async fn end(mut ended: watch::Receiver<bool>) {
    // Whoever says so being gone is the end too.
    let _ = ended.wait_for(|ended| *ended).await;
}
