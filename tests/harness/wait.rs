//! Waiting for what must happen soon. The only clock of the tests.
//!
//! Nothing waits for a while and then believes that something has happened: it looks until it has.

use core::time::Duration;
use std::thread;
use std::time::Instant;

/// How long a scenario waits for what must happen: the machine may be busy, brokers have to agree on a leader, and
/// what was not acknowledged is sent again after a while.
pub const SOON: Duration = Duration::from_secs(120);

/// How often it looks.
const STEP: Duration = Duration::from_millis(4);

/// Returns what `look` finds, as soon as it finds something.
///
/// # Panics
///
/// If it finds nothing soon; the message says `what` was awaited.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    match within(SOON, look) {
        Some(found) => found,
        None => panic!("not within {} s: {what}", SOON.as_secs()),
    }
}

/// Returns what `look` finds within `limit`.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let watch = Stopwatch::start();
    loop {
        let last = watch.elapsed() >= limit;
        if let Some(found) = look() {
            return Some(found);
        }
        if last {
            return None;
        }
        thread::sleep(STEP);
    }
}

/// Measures how long something takes.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where the tests read a clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
