//! Time-outs of a connection: how long since something last happened.

use core::pin::Pin;
use core::time::Duration;

use tokio::time::{Sleep, sleep};

/// A time-out that can be started again, without anybody reading a clock.
pub(super) struct Timer {
    period: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl Timer {
    pub(super) fn new(period: Duration) -> Self {
        Self { period, sleep: Box::pin(sleep(period)) }
    }

    /// Starts the period anew.
    pub(super) fn restart(&mut self) {
        self.sleep.set(sleep(self.period));
    }

    /// Waits for the end of the period.
    pub(super) async fn over(&mut self) {
        self.sleep.as_mut().await;
    }
}
