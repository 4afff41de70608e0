//! Audit in, verified, written durably; then a receipt out, on which the gateway may forget.
//!
//! A receipt is signed only for records that are on disk here without a gap. Whatever else comes is
//! an event: the broker is not trusted, and a gateway may have been broken into.

mod bound;
mod folder;
mod held;
mod hole;
mod late;
mod presence;
pub(crate) mod shared;
mod stick;
mod store;
mod talk;
#[cfg(test)]
mod tests;
mod waiting;
mod words;
mod work;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateward_agent::link::{self, Link, LinkConfig};
use gateward_agent::upload::stick::{self as stick_file, BadStick};
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;
use tracing::error;

use crate::broker::{self, BrokerFailed, Reach};
use crate::keys::NoChain;
use crate::lock::NotLocked;
use crate::policy::Unusable;
use crate::{secret, whole};
use folder::Folder;
use shared::Shared;
pub use shared::{BadDatabase, Database, DatabaseFailed, ReadFailed};
pub use stick::{Carried, StickOptions};
use store::Store;
use work::Work;

/// After so long without a word a gateway has gone silent, where nothing else is said.
pub const SILENT_AFTER: Duration = Duration::from_secs(15 * 60);

/// The largest batch that a gateway may be configured to send.
const MAX_BATCH: usize = stick_file::MAX_BATCH as usize;

/// What to collect, and where to.
#[derive(Clone, Debug)]
pub struct CollectOptions {
    /// The policy folder, with what `enroll` wrote down of each gateway.
    pub dir: PathBuf,
    /// How to reach the broker.
    pub reach: Reach,
    /// Where records go.
    pub to: Destination,
    /// After so long without a word a gateway has gone silent.
    pub silent_after: Duration,
}

/// Where records go.
#[derive(Clone, Debug)]
pub enum Destination {
    /// A folder, for one collector at a time.
    Folder(PathBuf),
    /// A database, which several collectors share.
    Postgres(Database),
}

impl Destination {
    /// How long to wait with another attempt.
    const fn pause(&self) -> Duration {
        match self {
            // Such as where a disk is full.
            Self::Folder(_) => Duration::from_secs(10),
            // Such as where it is started again, and gateways send again after 3 s.
            Self::Postgres(_) => Duration::from_secs(2),
        }
    }
}

/// Why collecting cannot begin, or go on.
#[derive(Debug, thiserror::Error)]
pub enum CollectFailed {
    /// The broker cannot be reached at all.
    #[error(transparent)]
    Broker(#[from] BrokerFailed),
    /// Lines that were receipted are gone.
    #[error(
        "`{}` has {found} bytes, and {held} were receipted; restore it, gateways have forgotten \
         what was in it", path.display()
    )]
    CutShort {
        /// The file of a gateway.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// What it was when the last receipt was signed.
        held: u64,
    },
    /// The database cannot be used as it was given.
    #[error(transparent)]
    BadDatabase(#[from] BadDatabase),
    /// The database did not do what it was asked.
    #[error(transparent)]
    Database(#[from] DatabaseFailed),
    /// The key sets cannot be read.
    #[error(transparent)]
    Chain(#[from] NoChain),
    /// There are lines, and nothing says how many of them were receipted.
    #[error(
        "`{}` is missing, and `{}` holds records; restore it, or move the records to another folder",
        path.display(), lines.display()
    )]
    StateLost {
        /// What the collector knew of the gateway.
        path: PathBuf,
        /// The records of the gateway.
        lines: PathBuf,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Failed(#[from] whole::Failed),
    /// Somebody else collects into that folder.
    #[error(transparent)]
    NotLocked(#[from] NotLocked),
    /// The policy cannot be read.
    #[error(transparent)]
    Policy(#[from] Unusable),
    /// A secret file cannot be used.
    #[error(transparent)]
    Secret(#[from] secret::Unusable),
    /// The file of records is none.
    #[error("`{}`: {source}", path.display())]
    Stick {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: BadStick,
    },
    /// A task of it panicked, which has been printed.
    #[error("collecting broke off; start it again")]
    Panicked,
}

impl CollectFailed {
    /// Whether somebody has altered what is held of one gateway; the others can go on.
    const fn is_altered(&self) -> bool {
        matches!(self, Self::Database(DatabaseFailed::Altered))
    }
}

/// Collects the audit of every gateway of an account.
#[derive(Debug)]
pub struct Collector {
    config: LinkConfig,
    work: Opened,
}

#[derive(Debug)]
enum Opened {
    Folder(Box<Work<Folder>>),
    Shared(Box<Work<Shared>>),
}

impl Collector {
    /// Reads keys and gateways, and takes the folder.
    ///
    /// # Errors
    ///
    /// A file cannot be used, or somebody else collects into the folder.
    pub fn open(options: &CollectOptions) -> Result<Self, CollectFailed> {
        let CollectOptions { dir, reach, to, silent_after } = options;
        let mut config = broker::config(reach, "collect")?;
        config.max_payload = MAX_BATCH;
        let work = match to {
            Destination::Folder(out) => {
                let mut work = Work::open(dir, Folder::open(out)?, *silent_after)?;
                // Says now what is wrong with the folder, and not when a gateway calls.
                work.check()?;
                Opened::Folder(Box::new(work))
            }
            Destination::Postgres(database) => {
                let store = Shared::new(database, dir)?;
                Opened::Shared(Box::new(Work::open(dir, store, *silent_after)?))
            }
        };

        Ok(Self { config, work })
    }

    /// Collects until `ended` says so; where it breaks off it is begun again with `options`.
    pub async fn run_again(self, options: &CollectOptions, ended: watch::Receiver<bool>) {
        let mut ready = Ok(self);
        loop {
            let collected = match ready {
                Ok(collector) => collector.run(until_ended(ended.clone())).await,
                Err(error) => Err(error),
            };
            match collected {
                Ok(()) => return,
                Err(error) => {
                    error!("audit is not collected, it is tried again: {error}");
                }
            }
            tokio::select! {
                () = until_ended(ended.clone()) => return,
                () = sleep(options.to.pause()) => {}
            }
            ready = Self::open(options);
        }
    }

    /// Collects until `stop` completes. A broker that is away is waited for; a database is not, so
    /// that other collectors get what would come here.
    ///
    /// # Errors
    ///
    /// The folder cannot be written to, or the database does not take records.
    pub async fn run(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), CollectFailed> {
        match self.work {
            Opened::Folder(work) => collect(self.config, *work, stop).await,
            Opened::Shared(work) => collect(self.config, *work, stop).await,
        }
    }
}

async fn collect<S: Store + Send + 'static>(
    config: LinkConfig,
    mut work: Work<S>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), CollectFailed> {
    let (link, events, handle) = link::connect(config);
    let (end, ended) = oneshot::channel::<()>();
    let runtime = tokio::runtime::Handle::current();
    // Before the broker hears of us: with nowhere to write to, others should have what comes.
    let work = tokio::task::spawn_blocking(move || {
        runtime.block_on(work.begin())?;
        Ok::<_, CollectFailed>((runtime, work))
    });
    let (runtime, work) = work.await.map_err(|_| CollectFailed::Panicked)??;
    let link = tokio::spawn(until(link, stop, ended));
    // Every record is synced, so this runs on a thread that may block.
    let working = tokio::task::spawn_blocking(move || runtime.block_on(work.run(events, handle)));
    let done = working.await.map_err(|_| CollectFailed::Panicked)?;
    drop(end);
    link.await.map_err(|_| CollectFailed::Panicked)?;

    done
}

async fn until(link: Link, stop: impl Future<Output = ()>, ended: oneshot::Receiver<()>) {
    let either = async {
        tokio::select! {
            () = stop => {}
            // Nobody takes events any more.
            _ = ended => {}
        }
    };
    // That nobody takes events is not news to whoever stopped taking them.
    let _ = link.run(either).await;
}

/// Completes when `ended` says so.
pub async fn until_ended(mut ended: watch::Receiver<bool>) {
    // Whoever says so being gone is the end too.
    let _ = ended.wait_for(|ended| *ended).await;
}

/// Returns where the lines of a gateway are in a collector's folder.
#[must_use]
pub fn lines_path(out: &Path, gateway: &str) -> PathBuf {
    out.join(format!("{gateway}.jsonl"))
}

/// Returns where the batches of a gateway are in a collector's folder, as they came: of the format of
/// [`gateward_agent::upload::stick`], those of several enrolments behind one another.
#[must_use]
pub fn batches_path(out: &Path, gateway: &str) -> PathBuf {
    out.join(format!("{gateway}.batches"))
}
