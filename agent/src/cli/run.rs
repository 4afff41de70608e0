//! `gateward run`: the agent itself.

use core::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Global};
use crate::clock::Clock;
use crate::run::{self, RunFailed};
use crate::store::OpenFailed;

/// It has no arguments: everything is in the configuration.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {}

impl Args {
    /// Ends with 0 after a signal, with 78 where the configuration or what it names is wrong, with
    /// 77 where the system refuses the state folder, the journal or a socket, with 74 where it fails at them, at
    /// a stop too.
    pub(crate) fn run(self, global: &Global) -> Exit {
        let config = match global.load() {
            Ok(config) => config,
            Err(exit) => return exit,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outcome = match runtime {
            Ok(runtime) => runtime.block_on(async {
                match stop() {
                    Ok(stop) => Ok(run::run(config, Clock::real(), stop).await),
                    Err(error) => Err(error),
                }
            }),
            Err(error) => Err(error),
        };

        match outcome {
            Ok(Ok(())) => Exit::Success,
            Ok(Err(failed)) => global.fail(exit(&failed), &failed),
            Err(error) => global.fail(Exit::Internal, &error),
        }
    }
}

/// Completes at the first SIGTERM or SIGINT.
fn stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn exit(failed: &RunFailed) -> Exit {
    match failed {
        RunFailed::Identity(_)
        | RunFailed::KeySet { .. }
        | RunFailed::NotPermitted(_)
        | RunFailed::OtherIdentity { .. }
        | RunFailed::Store(OpenFailed::Anchor(_)) => Exit::Config,
        RunFailed::Journal(_) | RunFailed::NoSocket(_) | RunFailed::Store(_) => {
            Exit::Io.unless_refused(failed)
        }
        RunFailed::Stopped(_) => Exit::Internal.unless_failed(failed).unless_refused(failed),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};

    use super::*;
    use crate::supervisor::Stopped;

    #[test]
    fn a_stop_that_a_full_disk_spoils_ends_with_74_and_one_for_no_reason_of_the_systems_with_70() {
        let cause = io::Error::from(ErrorKind::StorageFull).into();
        let failed = RunFailed::Stopped(Stopped::Failed { name: "sync", cause });
        assert_eq!(exit(&failed) as u8, 74);
        let failed = RunFailed::Stopped(Stopped::Early("sync"));
        assert_eq!(exit(&failed) as u8, 70);
    }

    #[test]
    fn a_state_folder_that_the_system_refuses_ends_with_77_and_one_that_fails_with_74() {
        for (kind, expected) in [(ErrorKind::PermissionDenied, 77), (ErrorKind::StorageFull, 74)] {
            let source = io::Error::from(kind);
            let failed = RunFailed::Store(OpenFailed::Io { dir: "/state".into(), source });
            assert_eq!(exit(&failed) as u8, expected, "{failed}");
        }
    }
}
