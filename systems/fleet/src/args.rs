//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use gateward_control::cli::Format;

/// Starts a fleet of gateways and a broker, revokes tokens, and says how soon every gateway refused.
///
/// The end is 0 where everything held, 1 where something did not, which is said, and 69 where the
/// fleet could not be started.
#[derive(Debug, Parser)]
#[command(name = "gateward-fleet", version)]
pub(crate) struct Args {
    /// How many gateways, each with a connection and a certificate of its own
    #[arg(long, default_value_t = 200, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(2..=50_000))]
    pub(crate) gateways: usize,
    /// How many groups they are in, each with a snapshot of its own
    #[arg(long, default_value_t = 1, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1_000))]
    pub(crate) groups: usize,
    /// How many tokens the snapshots hold, at the least those that are revoked and one that is not
    #[arg(long, default_value_t = 100)]
    pub(crate) tokens: usize,
    /// How many tokens are revoked, one after another, while all are connected
    #[arg(long, default_value_t = 3)]
    pub(crate) revocations: usize,
    /// Cut off this many percent of the gateways, revoke, and connect them again
    #[arg(long, value_name = "PERCENT", num_args = 0..=1, default_missing_value = "10", value_parser = clap::value_parser!(u8).range(1..=99))]
    pub(crate) partition: Option<u8>,
    /// Stop the broker, which saves what is retained, or kill it, which loses it; start it again, and
    /// revoke
    #[arg(long, value_name = "HOW", num_args = 0..=1, default_missing_value = "stop")]
    pub(crate) restart_broker: Option<Ending>,
    /// Fail where one in a hundred of the connected gateways refuses later than this after the begin
    /// of the publish
    #[arg(long, value_name = "MS")]
    pub(crate) p99_below_ms: Option<u64>,
    /// How many gateways connect at once in the beginning
    #[arg(long, default_value_t = 64)]
    pub(crate) at_once: usize,
    /// The broker
    #[arg(long, value_name = "PROGRAM", default_value = "/usr/sbin/mosquitto")]
    pub(crate) broker: PathBuf,
    /// Where everything is kept until the end [default: /dev/shm, else the folder for temporary files]
    #[arg(long)]
    pub(crate) folder: Option<PathBuf>,
    /// How the figures are printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// How a broker ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Ending {
    /// In good order.
    Stop,
    /// As in a power cut.
    Kill,
}

impl Args {
    /// Returns how many gateways are behind the cable that is cut: the first ones.
    pub(crate) fn behind(&self) -> usize {
        let percent = self.partition.map_or(0, usize::from);

        (self.gateways * percent).div_ceil(100).min(self.gateways - 1)
    }

    /// Returns how many tokens every gateway is asked about: those to be revoked and one that is not.
    pub(crate) fn watched(&self) -> usize {
        let parts = [self.partition.is_some(), self.restart_broker.is_some()];

        self.revocations + parts.into_iter().filter(|part| *part).count() + 1
    }
}
