//! `gateward-control serve`

use std::path::PathBuf;

use gateward_agent::trace::Trace;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing::debug;

use super::publish::{said, said_as_json};
use super::reach::{ReachArgs, block_on};
use super::{Failed, Format, say};
use crate::exit::Exit;
use crate::serve::{ServeFailed, ServeOptions, Server};

/// Publish whenever the policy changes, keep what gateways have fresh, and collect their audit
///
/// Notices a change of the folder by itself, also of its keys, and publishes as `publish` does. What
/// has mistakes is said on stderr once, and gateways keep the last policy that had none. A change that
/// makes a principal unlimited waits for `publish --accept-widening NAME`. Where there is no broker it
/// waits for one.
///
/// Every line on stdout is something that was published. SIGHUP looks at everything now; SIGTERM and
/// SIGINT end it. GATEWARD_LOG and GATEWARD_LOG_FORMAT are those of the agent.
#[derive(clap::Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// The policy folder
    dir: PathBuf,
    #[command(flatten)]
    reach: ReachArgs,
    /// The folder to write audit to, one file for each gateway [default: DIR/state/audit]
    #[arg(long, value_name = "FOLDER", alias = "audit-out")]
    out: Option<PathBuf>,
    /// Collect no audit: `collect` does, or another machine
    #[arg(long, conflicts_with = "out")]
    no_collect: bool,
    /// How the lines on stdout look; json is one object a line
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        Trace::from_environment().map_err(|bad| Failed::new(Exit::Usage, bad))?.start();
        let out = self.out.unwrap_or_else(|| self.dir.join("state/audit"));
        let options = ServeOptions {
            dir: self.dir,
            reach: self.reach.reach()?,
            audit: (!self.no_collect).then_some(out),
        };
        let format = self.format;
        block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut hang_up = signal(SignalKind::hangup())?;
            // Whoever ends it while it begins is heard when it has begun.
            let server = Server::open(options)?;
            let (ask, asked) = mpsc::channel(1);
            let looking = tokio::spawn(async move {
                while hang_up.recv().await.is_some() {
                    // One that is waiting already is enough.
                    let _ = ask.try_send(());
                }
            });
            let stop = async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                notify(NotifyState::Stopping);
            };
            notify(NotifyState::Ready);
            server
                .run(stop, asked, |published| {
                    // That nobody reads it keeps nobody from publishing.
                    drop(match format {
                        Format::Human => say(said(published)),
                        Format::Json => say(said_as_json(published)),
                    });
                })
                .await;
            looking.abort();

            Ok(Exit::Success)
        })?
    }
}

fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        debug!(%error, "systemd was not told");
    }
}

impl From<ServeFailed> for Failed {
    fn from(failed: ServeFailed) -> Self {
        match failed {
            ServeFailed::Audit(failed) => {
                let mut failed = Self::from(failed);
                failed.text += "\naudit is collected too; --no-collect leaves that to others";
                failed
            }
            ServeFailed::NotPublished(failed) => failed.into(),
            ServeFailed::Served => Self::new(Exit::NotNow, failed),
        }
    }
}
