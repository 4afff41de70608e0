//! `gateward-control collect`

use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use super::Failed;
use super::reach::{ReachArgs, block_on};
use crate::collect::{CollectFailed, CollectOptions, Collector};
use crate::exit::Exit;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The policy folder, which knows the gateways
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    reach: ReachArgs,
    /// The folder to write records to, one file for each gateway
    #[arg(long)]
    out: PathBuf,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        let options = CollectOptions { dir: self.dir, reach: self.reach.reach()?, out: self.out };
        block_on(async {
            let collector = Collector::open(&options)?;
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let stop = async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            };
            collector.run(stop).await?;

            Ok(Exit::Success)
        })?
    }
}

impl From<CollectFailed> for Failed {
    fn from(failed: CollectFailed) -> Self {
        match failed {
            CollectFailed::Broker(failed) => failed.into(),
            CollectFailed::Chain(failed) => failed.into(),
            CollectFailed::Failed(failed) => failed.into(),
            CollectFailed::NotLocked(failed) => failed.into(),
            CollectFailed::Policy(failed) => failed.into(),
            CollectFailed::Secret(failed) => failed.into(),
            CollectFailed::CutShort { .. } | CollectFailed::StateLost { .. } => {
                Self::new(Exit::Data, failed)
            }
            CollectFailed::Panicked => Self::new(Exit::Internal, failed),
        }
    }
}
