//! Tells systemd how the agent is (`sd_notify(3)`); silent where nobody listens.
//!
//! A watchdog signal is sent by the same thread that answers requests, so it stops when that does.

use core::convert::Infallible;
use core::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

use crate::supervisor::Stop;

/// Says that the agent answers requests.
pub(crate) fn ready() {
    send(&[NotifyState::Ready]);
}

/// Says that the agent is stopping.
pub(crate) fn stopping() {
    send(&[NotifyState::Stopping]);
}

/// Feeds the watchdog of systemd until told to stop; does nothing else where there is none.
pub(crate) async fn feed_watchdog(mut stop: Stop) -> Result<(), Infallible> {
    match sd_notify::watchdog_enabled() {
        Some(limit) => tokio::select! {
            () = stop.requested() => {}
            () = feed(limit) => {}
        },
        None => stop.requested().await,
    }
    Ok(())
}

/// Signals at half of the limit, as systemd recommends.
async fn feed(limit: Duration) {
    let mut ticks = interval((limit / 2).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        send(&[NotifyState::Watchdog]);
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        debug!(%error, "systemd was not told");
    }
}
