//! How the journal is doing, for whoever asks, and whether it would refuse an allow.

use gateward_core::audit::Head;
use gateward_core::time::Millis;

pub(super) const DAY_MS: u64 = 86_400_000;

/// How the journal is doing; what is durable, not what was handed over.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Status {
    /// The number of the last durable record; 0 where there is none.
    pub seq: u64,
    /// The chain's head after it.
    pub head: Head,
    /// Bytes of all files with records.
    pub bytes: u64,
    /// Bytes that went to the flash since the start, whole pages as often as they were written back.
    pub written: u64,
    /// The collector holds every record up to this number.
    pub released: u64,
    /// There is no room for a decision.
    pub full: bool,
    /// The last write failed, or nobody writes any more.
    pub failing: bool,
    /// It failed because the disk is full.
    pub no_space: bool,
}

impl Status {
    /// Returns how many records the collector does not hold yet.
    #[must_use]
    pub const fn backlog(&self) -> u64 {
        self.seq.saturating_sub(self.released)
    }

    /// Returns the bytes that go to the flash in a day: the mean since the start, `running` ago, and
    /// within the first day what has been written so far.
    #[must_use]
    pub const fn written_per_day(&self, running: Millis) -> u64 {
        if running.0 <= DAY_MS {
            return self.written;
        }

        // No flash bears so many that this overflows before it is worn out.
        self.written.saturating_mul(1000) / (running.0 / (DAY_MS / 1000))
    }

    /// Returns whether an allow would be refused.
    #[must_use]
    pub const fn refusing(&self) -> bool {
        self.full || self.failing
    }

    /// Returns why it would be, in a word that does not change.
    #[must_use]
    pub const fn problem(&self) -> Option<&'static str> {
        match (self.failing, self.no_space, self.full) {
            (true, true, _) => Some("disk_full"),
            (true, false, _) => Some("disk_failing"),
            (false, _, true) => Some("journal_full"),
            (false, _, false) => None,
        }
    }
}
