//! How long an answer takes, learned from those that came: what is late is told from what is lost.
//!
//! As TCP estimates it (RFC 6298): the mean of the waits and how far they stray from it. An answer to
//! what was asked twice teaches nothing, for nobody knows to which of the two it is.

use super::ask::FIRST_WAIT_MS;

/// The least to wait, however soon answers come: links stall, and brokers pause.
const LEAST_MS: u64 = 2_000;

/// The most to wait: what is published again is then found in time.
const MOST_MS: u64 = 80_000;

/// How long to wait for an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Mean of the waits and of their distances from it, once there was one.
    known: Option<(u64, u64)>,
    wait: u64,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self { known: None, wait: FIRST_WAIT_MS }
    }

    /// How long to wait before an answer is taken for lost.
    pub(super) const fn wait(&self) -> u64 {
        self.wait
    }

    /// An answer took so long.
    pub(super) fn took(&mut self, ms: u64) {
        let ms = ms.min(MOST_MS);
        let (mean, stray) = match self.known {
            None => (ms, ms / 2),
            Some((mean, stray)) => ((7 * mean + ms) / 8, (3 * stray + mean.abs_diff(ms)) / 4),
        };
        self.known = Some((mean, stray));
        self.wait = (mean + 4 * stray).clamp(LEAST_MS, MOST_MS);
    }

    /// Nothing at all came for so long: the link is slower than was thought, or nobody answers.
    pub(super) fn in_vain(&mut self) {
        self.wait = (2 * self.wait).min(MOST_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_follows_what_was_seen_within_its_limits() {
        let mut pace = Pace::new();
        assert_eq!(pace.wait(), FIRST_WAIT_MS);
        for _ in 0..50 {
            pace.took(10);
        }
        assert_eq!(pace.wait(), LEAST_MS);
        for _ in 0..50 {
            pace.took(16_000);
        }
        assert!((16_000..20_000).contains(&pace.wait()), "{}", pace.wait());
        pace.took(u64::MAX);
        assert_eq!(pace.wait(), MOST_MS);
    }

    #[test]
    fn silence_doubles_the_wait_up_to_its_limit_and_an_answer_ends_that() {
        let mut pace = Pace::new();
        let waits = [(); 6].map(|()| {
            pace.in_vain();
            pace.wait() / 1_000
        });
        assert_eq!(waits, [10, 20, 40, 80, 80, 80]);
        pace.took(100);
        assert_eq!(pace.wait(), LEAST_MS);
    }
}
