//! The only place of the control plane that reads the clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gateward_core::time::UnixSeconds;

/// Returns the time of this machine, which issues what gateways believe: keep it synchronised.
#[must_use]
pub fn now() -> UnixSeconds {
    UnixSeconds(now_ms() / 1_000)
}

/// Returns the same in milliseconds.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "everything else in the control plane is told")]
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();

    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The time since a moment, whatever becomes of the clock on the wall.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running(Instant);

impl Running {
    /// Begins now.
    #[expect(clippy::disallowed_methods, reason = "everything else in the control plane is told")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Waits until it has been running for `so_long`.
    pub(crate) async fn until(&self, so_long: Duration) {
        tokio::time::sleep(so_long.saturating_sub(self.elapsed())).await;
    }
}
