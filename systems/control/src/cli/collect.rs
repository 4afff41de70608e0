//! `gateward-control collect`

use std::path::PathBuf;
use std::time::Duration;

use gateward_agent::upload::stick::BadStick;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::database::DatabaseArgs;
use super::reach::{ReachArgs, block_on};
use super::{Failed, say};
use crate::collect::{
    BadDatabase, Carried, CollectFailed, CollectOptions, Collector, DatabaseFailed, Destination,
    ReadFailed, SILENT_AFTER, StickOptions, until_ended,
};
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
    #[command(flatten)]
    to: To,
    /// After so many seconds without a word a gateway has gone silent, which is an event
    #[arg(long, value_name = "SECONDS", default_value_t = SILENT_AFTER.as_secs())]
    silent_after: u64,
}

#[derive(clap::Args, Debug)]
struct To {
    /// The folder to write records to, one file for each gateway; one collector at a time
    #[arg(
        long,
        value_name = "FOLDER",
        required_unless_present = "postgres",
        conflicts_with = "postgres"
    )]
    out: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl To {
    fn destination(self) -> Result<Destination, Failed> {
        match (self.out, self.database.database()) {
            (Some(out), None) => Ok(Destination::Folder(out)),
            (None, Some(database)) => Ok(Destination::Postgres(database)),
            _ => Err(Failed::new(Exit::Usage, "say --out FOLDER or --postgres URL")),
        }
    }
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        let Self { dir, reach, stick, receipt, to, silent_after } = self;
        let to = to.destination()?;
        if let (Some(stick), Some(receipt)) = (stick, receipt) {
            return block_on(carried(StickOptions { dir, to, stick, receipt }))?;
        }
        let Some(reach) = reach else {
            let remedy = "say --broker URL, or --stick FILE and --receipt FILE";
            return Err(Failed::new(Exit::Usage, remedy));
        };
        let silent_after = Duration::from_secs(silent_after);
        let options = CollectOptions { dir, reach: reach.reach()?, to, silent_after };
        block_on(async {
            let (end, ended) = watch::channel(false);
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            tokio::spawn(async move {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                // Nobody there any more is the end too.
                let _ = end.send(true);
            });
            let collector = Collector::open(&options)?;
            match &options.to {
                Destination::Folder(_) => collector.run(until_ended(ended)).await?,
                Destination::Postgres(_) => collector.run_again(&options, ended).await,
            }

            Ok(Exit::Success)
        })?
    }
}

async fn carried(options: StickOptions) -> Result<Exit, Failed> {
    let Carried { gateway, records, through, trouble } = Carried::take(&options).await?;
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

impl From<BadDatabase> for Failed {
    fn from(failed: BadDatabase) -> Self {
        match failed {
            BadDatabase::Secret(failed) => failed.into(),
            BadDatabase::Authority { .. } | BadDatabase::NoTls | BadDatabase::Url => {
                Self::new(Exit::Usage, failed)
            }
        }
    }
}

impl From<DatabaseFailed> for Failed {
    fn from(failed: DatabaseFailed) -> Self {
        let exit = match failed {
            DatabaseFailed::Altered
            | DatabaseFailed::Empty
            | DatabaseFailed::Newer { .. }
            | DatabaseFailed::Older => Exit::Data,
            DatabaseFailed::Nameless => Exit::Permission,
            DatabaseFailed::Away | DatabaseFailed::Said(_) | DatabaseFailed::Silent(_) => {
                Exit::Unavailable
            }
        };

        Self::new(exit, failed)
    }
}

impl From<ReadFailed> for Failed {
    fn from(failed: ReadFailed) -> Self {
        match failed {
            ReadFailed::Bad(failed) => failed.into(),
            ReadFailed::Failed(failed) => failed.into(),
        }
    }
}

impl From<CollectFailed> for Failed {
    fn from(failed: CollectFailed) -> Self {
        match failed {
            CollectFailed::BadDatabase(failed) => failed.into(),
            CollectFailed::Broker(failed) => failed.into(),
            CollectFailed::Chain(failed) => failed.into(),
            CollectFailed::Database(failed) => failed.into(),
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
