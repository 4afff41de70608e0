//! When to send again what is not receipted: soon at first, and ever more seldom while no collector
//! is there, so that an idle gateway is quiet.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// Nothing has moved for this long: what is not receipted is sent again.
const FIRST: Duration = Duration::from_secs(3);

/// The longest wait, and so the longest that a collector which comes back may be left waiting.
const LONGEST: Duration = Duration::from_secs(60);

/// Waits for a receipt.
#[derive(Debug, Default)]
pub(super) struct Resend {
    timer: Option<Pin<Box<Sleep>>>,
    /// How often in a row it was sent again in vain.
    vain: u32,
}

impl Resend {
    /// Something moved.
    pub(super) fn progress(&mut self) {
        *self = Self::default();
    }

    /// Starts to wait where something is `sent` and not receipted, and stops where nothing is.
    pub(super) fn watch(&mut self, sent: bool) {
        if !sent {
            self.timer = None;
        } else if self.timer.is_none() {
            self.timer = Some(Box::pin(sleep(rest(self.vain))));
        }
    }

    /// Completes when it is to be sent again; never while nothing is waited for. May be cancelled.
    pub(super) async fn due(&mut self) {
        match &mut self.timer {
            Some(timer) => timer.await,
            None => std::future::pending().await,
        }
        self.timer = None;
        self.vain = self.vain.saturating_add(1);
    }
}

/// Later rests are drawn, so that a fleet does not send everything again in one instant.
fn rest(vain: u32) -> Duration {
    let ceiling = FIRST.saturating_mul(2_u32.saturating_pow(vain)).min(LONGEST);
    if vain == 0 {
        return ceiling;
    }
    // Without randomness the longest rest is the polite one.
    let share = getrandom::u32().unwrap_or(u32::MAX);

    ceiling / 2 + (ceiling / 2).mul_f64(f64::from(share) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn without_a_collector_records_are_sent_again_ever_more_seldom() {
        let mut resend = Resend::default();
        let mut times = 0;
        let again = async {
            loop {
                resend.watch(true);
                resend.due().await;
                times += 1;
            }
        };
        let hour = tokio::time::timeout(Duration::from_secs(3_600), again).await;

        assert!(hour.is_err());
        assert!((60..=130).contains(&times), "{times} times in an hour");
    }

    #[tokio::test(start_paused = true)]
    async fn once_something_moves_it_is_sent_again_soon() {
        let mut resend = Resend::default();
        for _ in 0..20 {
            resend.watch(true);
            resend.due().await;
        }
        resend.progress();

        resend.watch(true);
        let soon = tokio::time::timeout(FIRST + Duration::from_millis(1), resend.due()).await;
        assert!(soon.is_ok());
    }

    #[test]
    fn a_fleet_draws_different_rests_and_none_beyond_the_longest() {
        let rests: BTreeSet<_> = (0..100).map(|_| rest(40)).collect();

        assert!(rests.len() > 90);
        assert!(rests.iter().all(|rest| *rest <= LONGEST && *rest >= LONGEST / 2));
    }
}
