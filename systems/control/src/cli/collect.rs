//! `gateward-control collect`

use std::path::PathBuf;

use gateward_agent::upload::stick::BadStick;
use tokio::signal::unix::{SignalKind, signal};

use super::reach::{ReachArgs, block_on};
use super::{Failed, say};
use crate::collect::{Carried, CollectFailed, CollectOptions, Collector, StickOptions};
use crate::exit::Exit;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The policy folder, which knows the gateways
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    reach: Option<ReachArgs>,
    /// Take the records that `gateward audit export` wrote, without a broker
    #[arg(long, value_name = "FILE", requires = "receipt", conflicts_with = "broker")]
    stick: Option<PathBuf>,
    /// Where to write the receipt for `gateward audit receipt` on that gateway
    #[arg(long, value_name = "FILE", requires = "stick")]
    receipt: Option<PathBuf>,
    /// The folder to write records to, one file for each gateway
    #[arg(long)]
    out: PathBuf,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        let Self { dir, reach, stick, receipt, out } = self;
        if let (Some(stick), Some(receipt)) = (stick, receipt) {
            return carried(&StickOptions { dir, out, stick, receipt });
        }
        let Some(reach) = reach else {
            let remedy = "say --broker URL, or --stick FILE and --receipt FILE";
            return Err(Failed::new(Exit::Usage, remedy));
        };
        let options = CollectOptions { dir, reach: reach.reach()?, out };
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

fn carried(options: &StickOptions) -> Result<Exit, Failed> {
    let Carried { gateway, records, through, trouble } = Carried::take(options)?;
    match &gateway {
        None if trouble.is_none() => say("no records in it")?,
        None => {}
        Some(gateway) => say(format!(
            "{gateway}: {records} new records, safe up to {through}; carry `{}` back",
            options.receipt.display()
        ))?,
    }

    trouble.map_or(Ok(Exit::Success), |trouble| Err(Failed::new(Exit::Data, trouble)))
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
            CollectFailed::Stick { source: BadStick::Io(ref error), .. } => {
                Self::new(Exit::of_io(error), format_args!("{failed}: {error}"))
            }
            CollectFailed::CutShort { .. }
            | CollectFailed::StateLost { .. }
            | CollectFailed::Stick { .. } => Self::new(Exit::Data, failed),
            CollectFailed::Panicked => Self::new(Exit::Internal, failed),
        }
    }
}
