//! The only place where the agent reads the time.
//!
//! Whatever needs the time is given a [`Clock`], so that a test covers a year in a millisecond by
//! handing out a [`Simulated`] one.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use gateward_core::name::Uuid;
use gateward_core::time::{Millis, UnixSeconds};
use rustix::time::{ClockId, Timespec, clock_gettime};
use tokio::sync::watch;
use tokio::time::sleep;

/// Where `systemd-timesyncd` leaves a mark at each adjustment of the clock.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

/// How long the mark holds. The kernel calls its clock unsynchronised once the error may be 16
/// seconds, which grows by 500 parts in a million.
const SYNCHRONISED_FOR_S: u64 = 32_000;

/// How long it is taken for granted when the mark was renewed; that it is too old is seen at once.
const MARK_HOLDS_MS: u64 = 1_000;

/// Where the kernel names this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The longest rest in one go. The timer beneath does not count suspended time, so a rest is taken
/// in pieces and a deadline that passed during a suspend is noticed after at most this time.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Tells the time: of the machine, or of a test.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// Of the machine, with the reading at which this clock started.
    Real {
        started_ms: u64,
        mark: Arc<Mark>,
    },
    Simulated(watch::Receiver<Reading>),
}

impl Clock {
    /// Starts a clock of the machine.
    #[must_use]
    pub fn real() -> Self {
        Self(Source::Real { started_ms: read_ms(ClockId::Boottime), mark: Arc::default() })
    }

    /// Returns a clock that shows what `handle` says.
    #[must_use]
    pub fn simulated(handle: &Simulated) -> Self {
        Self(Source::Simulated(handle.0.subscribe()))
    }

    /// Returns the milliseconds since this clock started; suspended time counts.
    #[must_use]
    pub fn now(&self) -> Millis {
        match &self.0 {
            Source::Real { started_ms, .. } => {
                Millis(read_ms(ClockId::Boottime).saturating_sub(*started_ms))
            }
            Source::Simulated(reading) => reading.borrow().now,
        }
    }

    /// Returns what the wall clock says, right or wrong; see TRUST section 4 for what is believed.
    #[must_use]
    pub fn wall(&self) -> UnixSeconds {
        UnixSeconds(self.wall_ms() / 1000)
    }

    /// Returns what the wall clock says in milliseconds since 1970; 0 for any time before that.
    #[must_use]
    pub fn wall_ms(&self) -> u64 {
        match &self.0 {
            Source::Real { .. } => read_ms(ClockId::Realtime),
            Source::Simulated(reading) => reading.borrow().wall_ms,
        }
    }

    /// Tells whether the wall clock is known to be synchronised.
    ///
    /// The kernel's own answer needs a call that is not memory-safe to make, so this reads the mark
    /// that `systemd-timesyncd` renews whenever it adjusts the clock, for as long as the kernel
    /// would believe it. Where another program keeps the time, the answer is no: time is then worth
    /// less than it could be, and never more.
    #[must_use]
    pub fn kernel_synchronised(&self) -> bool {
        match &self.0 {
            Source::Real { mark, .. } => {
                let renewed = mark.renewed(Path::new(SYNCHRONISED), read_ms(ClockId::Boottime));
                is_recent(renewed, self.wall())
            }
            Source::Simulated(reading) => reading.borrow().synchronised,
        }
    }

    /// Returns the id of this boot; none where the kernel does not say.
    #[must_use]
    pub fn boot_id(&self) -> Option<Uuid> {
        match &self.0 {
            Source::Real { .. } => Uuid::parse(fs::read_to_string(BOOT_ID).ok()?.trim()),
            Source::Simulated(reading) => Some(reading.borrow().boot_id),
        }
    }

    /// Waits until [`now`](Self::now) has reached `deadline`, or forever if there is none.
    pub async fn reach(&self, deadline: Option<Millis>) {
        let Some(deadline) = deadline else { return core::future::pending().await };
        match &self.0 {
            Source::Real { .. } => loop {
                let rest = deadline.since(self.now());
                if rest == 0 {
                    return;
                }
                sleep(Duration::from_millis(rest).min(LONGEST_REST)).await;
            },
            Source::Simulated(reading) => {
                // An error means that nobody can move this clock any more.
                if reading.clone().wait_for(|reading| reading.now >= deadline).await.is_err() {
                    core::future::pending::<()>().await;
                }
            }
        }
    }
}

/// Moves the clocks that were made from it; for tests.
#[derive(Clone, Debug)]
pub struct Simulated(watch::Sender<Reading>);

/// What a simulated clock shows.
#[derive(Clone, Copy, Debug)]
struct Reading {
    now: Millis,
    wall_ms: u64,
    synchronised: bool,
    boot_id: Uuid,
}

impl Simulated {
    /// Starts at `wall`, not synchronised.
    #[must_use]
    pub fn new(wall: UnixSeconds) -> Self {
        Self(watch::Sender::new(Reading {
            now: Millis(0),
            wall_ms: wall.0.saturating_mul(1000),
            synchronised: false,
            boot_id: Uuid([1; 16]),
        }))
    }

    /// Lets `ms` milliseconds pass on both clocks.
    pub fn advance(&self, ms: u64) {
        self.0.send_modify(|reading| {
            reading.now = reading.now.plus(ms);
            reading.wall_ms = reading.wall_ms.saturating_add(ms);
        });
    }

    /// Sets the wall clock; no time passes.
    pub fn set_wall(&self, wall: UnixSeconds) {
        self.0.send_modify(|reading| reading.wall_ms = wall.0.saturating_mul(1000));
    }

    /// Says whether the wall clock is synchronised.
    pub fn set_synchronised(&self, synchronised: bool) {
        self.0.send_modify(|reading| reading.synchronised = synchronised);
    }

    /// Starts another boot.
    pub fn set_boot_id(&self, boot_id: Uuid) {
        self.0.send_modify(|reading| reading.boot_id = boot_id);
    }
}

/// Returns the time since some moment, for waits that are shorter than a [`Clock`] can tell.
pub(crate) fn monotonic() -> Duration {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Monotonic);
    let part = Duration::from_nanos(u64::try_from(tv_nsec).unwrap_or(0));

    Duration::from_secs(u64::try_from(tv_sec).unwrap_or(0)).saturating_add(part)
}

fn read_ms(clock: ClockId) -> u64 {
    let Timespec { tv_sec, tv_nsec } = clock_gettime(clock);
    let seconds = u64::try_from(tv_sec).unwrap_or(0);
    let ms = u64::try_from(tv_nsec / 1_000_000).unwrap_or(0);

    seconds.saturating_mul(1000).saturating_add(ms)
}

/// When the mark of a synchronised clock was renewed, looked up once a second: every decision asks.
#[derive(Debug, Default)]
struct Mark {
    /// The next reading at which the file is looked at again.
    look_at_ms: AtomicU64,
    /// In seconds since 1970; 0 where there is no mark.
    renewed: AtomicU64,
}

impl Mark {
    /// Two tasks that ask at once may both look, or one of them take what the other saw before.
    fn renewed(&self, path: &Path, now_ms: u64) -> UnixSeconds {
        if now_ms >= self.look_at_ms.load(Ordering::Relaxed) {
            let modified = fs::metadata(path).and_then(|facts| facts.modified()).ok();
            let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            self.renewed.store(since.map_or(0, |since| since.as_secs()), Ordering::Relaxed);
            self.look_at_ms.store(now_ms.saturating_add(MARK_HOLDS_MS), Ordering::Relaxed);
        }

        UnixSeconds(self.renewed.load(Ordering::Relaxed))
    }
}

/// Tells whether a mark that was `renewed` then is of lately and not of the future.
const fn is_recent(renewed: UnixSeconds, now: UnixSeconds) -> bool {
    renewed.0 > 0 && renewed.0 <= now.0 && now.0 - renewed.0 <= SYNCHRONISED_FOR_S
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use tokio::time::timeout;

    use super::*;

    #[test]
    fn the_machine_tells_the_time() {
        let clock = Clock::real();
        let first = clock.now();

        assert!(first.0 < 60_000, "counted from the start of the clock, not of the machine");
        assert!(clock.now() >= first);
        assert!(clock.wall().0 > 1_700_000_000);
        assert_eq!(clock.wall_ms() / 100_000, clock.wall().0 / 100);
        assert_eq!(clock.boot_id(), clock.boot_id());
        assert!(clock.boot_id().is_some());
    }

    #[tokio::test]
    async fn a_deadline_is_reached_and_not_before() {
        let clock = Clock::real();
        let deadline = clock.now().plus(20);
        clock.reach(Some(deadline)).await;

        assert!(clock.now() >= deadline);
        let never = timeout(Duration::from_millis(20), clock.reach(None)).await;
        assert!(never.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_simulated_clock_moves_only_when_it_is_told() {
        let handle = Simulated::new(UnixSeconds(1_000));
        let clock = Clock::simulated(&handle);
        let wait = timeout(Duration::from_secs(3600), clock.reach(Some(Millis(5)))).await;
        assert!(wait.is_err());

        let waiting = clock.clone();
        let reached = tokio::spawn(async move { waiting.reach(Some(Millis(2_000))).await });
        handle.advance(2_000);
        reached.await.unwrap();
        assert_eq!(clock.now(), Millis(2_000));
        assert_eq!(clock.wall(), UnixSeconds(1_002));

        handle.set_wall(UnixSeconds(7));
        handle.set_synchronised(true);
        handle.set_boot_id(Uuid([2; 16]));
        assert_eq!(clock.now(), Millis(2_000));
        assert_eq!(clock.wall_ms(), 7_000);
        assert!(clock.kernel_synchronised());
        assert_eq!(clock.boot_id(), Some(Uuid([2; 16])));
    }

    #[test]
    fn an_old_mark_or_one_from_the_future_does_not_vouch_for_the_clock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("synchronized");
        let renewed = |now_ms| Mark::default().renewed(&path, now_ms);
        assert!(!is_recent(renewed(0), UnixSeconds(50_000)), "there is none");

        let file = File::create(&path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(50_000)).unwrap();
        assert!(is_recent(renewed(0), UnixSeconds(50_000)));
        assert!(is_recent(renewed(0), UnixSeconds(82_000)));
        assert!(!is_recent(renewed(0), UnixSeconds(82_001)));
        assert!(!is_recent(renewed(0), UnixSeconds(49_999)));
    }

    #[test]
    fn the_mark_is_looked_at_once_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("synchronized");
        let mark = Mark::default();
        assert_eq!(mark.renewed(&path, 5_000), UnixSeconds(0));

        let file = File::create(&path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(50_000)).unwrap();
        assert_eq!(mark.renewed(&path, 5_999), UnixSeconds(0));
        assert_eq!(mark.renewed(&path, 6_000), UnixSeconds(50_000));
    }
}
