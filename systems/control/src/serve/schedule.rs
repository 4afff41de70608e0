//! When to look at the policy, and when at everything; told the time, so a year passes in no time.
//!
//! A *look at everything* asks the broker what it has, refreshes what is due and sends beacons. It is
//! due with each new connection and again after [`every`]. A *look at changes* follows a change of
//! the folder as soon as that has come to rest, also where there is no broker: when something was
//! revoked is written down then.

use std::time::Duration;

use crate::publish::Reaching;

/// So long nothing must have changed, for a command writes several files.
const REST: Duration = Duration::from_millis(50);
/// What never comes to rest is looked at all the same.
const RESTLESS: Duration = Duration::from_millis(500);
/// How soon to try again where a command was at work.
const BUSY: Duration = Duration::from_millis(50);
/// The first pause after a failure, and the longest.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often a beacon is sent: a gateway without a clock that starts is so far behind at most.
const BEACON: Duration = Duration::from_secs(300);

/// Returns how long after a look at everything the next one is due. A refresh is due after a quarter
/// of the time until a manifest is stale, so on the broker none grows older than three eighths of it.
pub(super) fn every(stale_after_s: u32) -> Duration {
    BEACON.min(Duration::from_secs(u64::from(stale_after_s)) / 8)
}

/// How a look went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Went {
    /// A command was at work in the folder.
    Busy,
    /// Not to its end, and not for a reason that lies in the policy.
    Failed,
    /// To its end.
    Well,
}

#[derive(Clone, Copy, Debug)]
struct Change {
    first: Duration,
    last: Duration,
}

/// What is due when. All times count from the same moment.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    every: Duration,
    change: Option<Change>,
    everything: Duration,
    /// Nothing before this.
    pause: Duration,
    failures: u32,
    connected: bool,
}

impl Schedule {
    pub(super) const fn new(every: Duration) -> Self {
        let zero = Duration::ZERO;

        Self { every, change: None, everything: zero, pause: zero, failures: 0, connected: false }
    }

    /// The folder has changed.
    pub(super) fn changed(&mut self, now: Duration) {
        let first = self.change.map_or(now, |change| change.first);
        self.change = Some(Change { first, last: now });
    }

    /// Somebody wants everything looked at.
    pub(super) const fn asked(&mut self, now: Duration) {
        self.everything = now;
        self.pause = now;
    }

    /// There is a new connection: the broker may have lost what it had.
    pub(super) const fn connected(&mut self, now: Duration) {
        self.connected = true;
        self.failures = 0;
        self.asked(now);
    }

    /// The connection is gone.
    pub(super) const fn lost(&mut self) {
        self.connected = false;
    }

    /// Returns what comes next, and when; none where a change or a connection must come first.
    pub(super) fn next(&self) -> Option<(Duration, Reaching)> {
        let at_rest = |change: Change| (change.last + REST).min(change.first + RESTLESS);
        let change = self.change.map(|change| (at_rest(change), Reaching::Changes));
        let everything = self.connected.then_some((self.everything, Reaching::Everything));
        let next = match (change, everything) {
            // Everything is changes too.
            (Some(change), Some(everything)) if everything.0 <= change.0 => Some(everything),
            (change, everything) => change.or(everything),
        };

        next.map(|(at, reaching)| (at.max(self.pause), reaching))
    }

    /// A look begins; what changes from here on is for the next one.
    pub(super) const fn begins(&mut self) {
        self.change = None;
    }

    /// A look has ended, and with a policy of which manifests are stale after `stale_after_s`.
    pub(super) fn ended(
        &mut self,
        now: Duration,
        reaching: Reaching,
        went: Went,
        stale_after_s: Option<u32>,
    ) {
        self.every = stale_after_s.map_or(self.every, every);
        match went {
            Went::Well => {
                self.failures = 0;
                if reaching == Reaching::Everything {
                    self.everything = now + self.every;
                }
            }
            Went::Busy => self.again(reaching, now, BUSY),
            Went::Failed => {
                let pause = PAUSE * 2_u32.saturating_pow(self.failures.min(6));
                self.failures += 1;
                // What was done before it failed is not known.
                self.again(Reaching::Everything, now, pause.min(LONGEST_PAUSE));
            }
        }
    }

    fn again(&mut self, reaching: Reaching, now: Duration, pause: Duration) {
        match reaching {
            Reaching::Changes => self.changed(now),
            Reaching::Everything => self.everything = now,
        }
        self.pause = now + pause;
    }
}

#[cfg(test)]
mod tests;
