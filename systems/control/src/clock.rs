//! The only place of the control plane that reads the clock.

use std::time::{SystemTime, UNIX_EPOCH};

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
