//! How long to rest before the next attempt: full jitter, so that a thousand gateways do not come
//! back to a restarted broker in the same instant.

use core::time::Duration;

/// The longest rest before the first attempt after a failure: two thousand gateways at one broker
/// are then two handshakes a millisecond, which a small one can bear.
const FIRST: Duration = Duration::from_secs(1);

/// The longest rest of all.
const LONGEST: Duration = Duration::from_secs(30);

/// The shortest rest, so that a broker that accepts and closes is not called in a tight loop.
pub(super) const SHORTEST: Duration = Duration::from_millis(10);

/// Counts failures and draws the rests between them.
#[derive(Debug, Default)]
pub(super) struct Pace {
    failures: u32,
}

impl Pace {
    /// Forgets the failures so far, after a connection that held.
    pub(super) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The rest before the next attempt.
    pub(super) fn rest(&mut self) -> Duration {
        let ceiling = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);

        draw(ceiling)
    }
}

/// A rest that counts as no failure: for those that started in the same instant.
pub(super) fn spread() -> Duration {
    draw(FIRST)
}

fn draw(ceiling: Duration) -> Duration {
    // Without randomness the longest rest is the polite one.
    let share = getrandom::u32().unwrap_or(u32::MAX);

    ceiling.mul_f64(f64::from(share) / f64::from(u32::MAX)).max(SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_to_half_a_minute_and_no_further() {
        let mut pace = Pace::default();
        let longest = (0..1_000).map(|_| pace.rest()).max().unwrap();
        assert!(longest <= LONGEST && longest > Duration::from_secs(20), "{longest:?}");
    }

    #[test]
    fn a_fleet_that_lost_its_broker_in_one_instant_comes_back_spread_over_the_whole_rest() {
        const FLEET: u32 = 2_000;
        for failures in [0, 3, 20] {
            let ceiling = FIRST.saturating_mul(2_u32.pow(failures)).min(LONGEST);
            let mut parts = [0_u32; 10];
            for _ in 0..FLEET {
                let rest = Pace { failures }.rest();
                let part = (1..10).find(|&part| rest < ceiling / 10 * part).unwrap_or(10);
                parts[part as usize - 1] += 1;
            }
            // A part of an even spread has 200, give or take 13; this is seven times as much.
            let even = |&part: &u32| (100..=300).contains(&part);
            assert!(parts.iter().all(even), "after {failures} failures: {parts:?}");
        }
    }

    #[test]
    fn the_first_rest_is_short_again_after_a_connection_that_held() {
        let mut pace = Pace::default();
        for _ in 0..50 {
            assert!(pace.rest() <= LONGEST);
            assert!(pace.rest() >= SHORTEST);
            pace.reset();
            assert!(pace.rest() <= FIRST);
            pace.reset();
        }
    }
}
