//! How to reach the broker, for every command that does.

use std::future::Future;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use gateward_agent::link::{BrokerUrl, Brokers, TlsFiles};

use super::Failed;
use crate::broker::{BrokerFailed, Reach};
use crate::exit::Exit;

#[derive(clap::Args, Debug)]
pub(super) struct ReachArgs {
    /// Where the broker is, such as mqtts://broker.example:8883; mqtt:// only on this machine.
    /// May be given several times; after a failure the next one is tried
    #[arg(long, value_name = "URL", required = true)]
    broker: Vec<BrokerUrl>,
    /// Who vouches for the broker, PEM
    #[arg(long, value_name = "FILE", requires_all = ["cert", "key"])]
    ca: Option<PathBuf>,
    /// Our certificate, PEM, as `certificate --client` writes it
    #[arg(long, value_name = "FILE", requires_all = ["ca", "key"])]
    cert: Option<PathBuf>,
    /// The private key of our certificate, PEM
    #[arg(long, value_name = "FILE", requires_all = ["ca", "cert"])]
    key: Option<PathBuf>,
}

impl ReachArgs {
    pub(super) fn reach(self) -> Result<Reach, Failed> {
        let tls = match (self.ca, self.cert, self.key) {
            (Some(ca), Some(cert), Some(key)) => Some(TlsFiles { ca, cert, key }),
            _ => None,
        };
        let url = Brokers::new(self.broker)
            .ok_or_else(|| Failed::new(Exit::Usage, "--broker names no broker"))?;
        if tls.is_none() && url.tls() {
            return Err(Failed::new(
                Exit::Usage,
                "mqtts:// needs --ca, --cert and --key; `certificate --client` makes them",
            ));
        }

        Ok(Reach { url, tls })
    }
}

/// From here on what goes wrong on the way is told on stderr.
pub(super) fn log() {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // A second one in the same process is none of our business.
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .with_max_level(tracing::Level::WARN)
        .with_target(false)
        .without_time()
        .try_init();
}

/// Runs `work` to its end.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failed> {
    // The link has a thread of its own: signing a large snapshot takes longer than a broker waits.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;

    Ok(runtime.block_on(work))
}

impl From<BrokerFailed> for Failed {
    fn from(failed: BrokerFailed) -> Self {
        let exit = match failed {
            BrokerFailed::Failed(failed) => return failed.into(),
            BrokerFailed::Secret(failed) => return failed.into(),
            BrokerFailed::NoRandomness(_) => Exit::NotNow,
            BrokerFailed::Tls(_) => Exit::Data,
            BrokerFailed::NotPublished { .. } | BrokerFailed::NotSubscribed { .. } => Exit::No,
            BrokerFailed::Lost
            | BrokerFailed::NoFence(_)
            | BrokerFailed::Silent
            | BrokerFailed::Unreachable { .. } => Exit::Unavailable,
        };

        Self::new(exit, failed)
    }
}
