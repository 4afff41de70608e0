//! SIGHUP: look now whether the certificate of the link was renewed. It never ends the agent.

use core::convert::Infallible;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tracing::{info, warn};

use crate::supervisor::Stop;

/// Takes over SIGHUP, whose default is the end of the process.
pub(crate) fn hangups() -> Option<Signal> {
    signal(SignalKind::hangup())
        .inspect_err(|error| warn!(%error, "SIGHUP is not heeded; do not send it"))
        .ok()
}

/// Passes each SIGHUP on until told to stop.
pub(crate) async fn listen(
    hangups: Option<Signal>,
    reload: Arc<Notify>,
    mut stop: Stop,
) -> Result<(), Infallible> {
    let pass_on = async {
        if let Some(mut hangups) = hangups {
            while hangups.recv().await.is_some() {
                info!("SIGHUP: looking for a renewed certificate");
                reload.notify_one();
            }
        }
        core::future::pending().await
    };
    tokio::select! {
        () = stop.requested() => {}
        () = pass_on => {}
    }

    Ok(())
}
