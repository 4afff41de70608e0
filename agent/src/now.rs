//! The time that may be believed, for every task (TRUST section 4).
//!
//! One task raises it, when something signed was accepted; all others read it. What is believed is
//! decided in [`gateward_core::trust::TrustedTime`]; this only reads the clock for it.

use gateward_core::audit::UnixMillis;
use gateward_core::time::{Millis, UnixSeconds};
use gateward_core::trust::{Floor, Now, Shown, TrustedTime};
use tokio::sync::watch;

use crate::clock::{Clock, Simulated};
use crate::journal::Stamp;

/// The day of this source; raised with each release.
const SOURCE: UnixSeconds = UnixSeconds(1_795_392_000);

/// No clock is believed that is before this: when the program was built, as far as a build that
/// can be repeated byte for byte may say (`SOURCE_DATE_EPOCH`), and never before its source.
const BUILT: UnixSeconds = built(option_env!("SOURCE_DATE_EPOCH"));

const fn built(stated: Option<&str>) -> UnixSeconds {
    let Some(stated) = stated else { return SOURCE };
    match u64::from_str_radix(stated, 10) {
        Ok(seconds) if seconds > SOURCE.0 => UnixSeconds(seconds),
        // Packagers state 0 or 1980 where they do not know.
        Ok(_) | Err(_) => SOURCE,
    }
}

/// Tells the trusted time.
#[derive(Clone, Debug)]
pub struct TrustedClock {
    clock: Clock,
    time: watch::Receiver<TrustedTime>,
}

/// Raises the trusted time; there is one of it.
#[derive(Debug)]
pub struct Timekeeper {
    clock: Clock,
    time: watch::Sender<TrustedTime>,
}

impl Timekeeper {
    /// Starts from the floor that was read at start.
    #[must_use]
    pub fn new(clock: Clock, floor: &Floor) -> Self {
        let time = watch::Sender::new(TrustedTime::new(BUILT, floor, clock.now()));

        Self { clock, time }
    }

    /// Returns a reader of the same time.
    #[must_use]
    pub fn reader(&self) -> TrustedClock {
        TrustedClock { clock: self.clock.clone(), time: self.time.subscribe() }
    }

    /// Returns the trusted moment.
    #[must_use]
    pub fn now(&self) -> Now {
        self.time.borrow().now(self.clock.now(), shown(&self.clock))
    }

    /// Takes over a floor that was brought up to date with [`Timekeeper::kept`], and that something
    /// signed may have been accepted into since.
    pub fn follow(&self, floor: &Floor) {
        self.time.send_modify(|time| time.follow(floor, self.clock.now()));
    }

    /// Returns the floor to be written down, so that a restart does not lose the time that ran;
    /// `until` is the end of the snapshot in force.
    #[must_use]
    pub fn kept(&self, floor: &Floor, until: UnixSeconds) -> Floor {
        self.time.borrow().kept(floor, self.clock.now(), shown(&self.clock), until)
    }
}

impl TrustedClock {
    /// Returns a clock that stands still and believes it, for a rehearsal.
    pub(crate) fn at(now: UnixSeconds) -> Self {
        let time = TrustedTime::new(UnixSeconds(0), &Floor::default(), Millis(0));

        Self { clock: Clock::simulated(&Simulated::new(now)), time: watch::channel(time).1 }
    }

    /// Returns the trusted moment.
    #[must_use]
    pub fn now(&self) -> Now {
        self.time.borrow().now(self.clock.now(), shown(&self.clock))
    }

    /// Returns the moment of a record.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        let now = self.now();
        let wall = self.clock.wall_ms();
        let believed = now.at.0.saturating_mul(1_000);
        // The clock's milliseconds count only where the clock is what is believed.
        let at = if wall / 1_000 == now.at.0 { wall } else { believed };

        Stamp { created_at: UnixMillis(at), mono: self.clock.now(), quality: now.quality }
    }
}

fn shown(clock: &Clock) -> Shown {
    Shown { clock: Some(clock.wall()), synchronised: clock.kernel_synchronised() }
}

#[cfg(test)]
mod tests {
    use gateward_core::time::TimeQuality;

    use super::*;

    #[test]
    fn the_program_was_not_built_in_the_future() {
        assert!(BUILT <= Clock::real().wall(), "a right clock would never be believed");
    }

    #[test]
    fn the_build_says_when_it_was_unless_that_is_before_its_source() {
        let later = SOURCE.plus(86_400);

        assert_eq!(built(Some(&later.0.to_string())), later);
        for stated in [None, Some("0"), Some("315532800"), Some("yesterday"), Some("")] {
            assert_eq!(built(stated), SOURCE, "{stated:?}");
        }
    }

    #[test]
    fn e7_a_board_that_boots_in_1970_uses_the_floor() {
        let machine = Simulated::new(UnixSeconds(0));
        let signed = UnixSeconds(BUILT.0 + 1_000);
        let floor = Floor { signed, lived: signed, agreed: signed, ..Floor::default() };
        let keeper = Timekeeper::new(Clock::simulated(&machine), &floor);
        let clock = keeper.reader();

        machine.advance(5_000);

        let at = signed.plus(5);
        assert_eq!(clock.now(), Now { at, quality: TimeQuality::Floor, backed: at });
        assert_eq!(clock.stamp().created_at, UnixMillis(signed.plus(5).0 * 1_000));
    }

    #[test]
    fn a_clock_that_is_set_back_sets_time_back_to_what_was_lived_and_no_further() {
        let machine = Simulated::new(UnixSeconds(BUILT.0 + 90_000));
        let lived = UnixSeconds(BUILT.0 + 86_400);
        let floor = Floor { signed: BUILT, lived, ..Floor::default() };
        let clock = Timekeeper::new(Clock::simulated(&machine), &floor).reader();
        assert_eq!(clock.now().at, UnixSeconds(BUILT.0 + 90_000));

        machine.set_wall(UnixSeconds(BUILT.0));

        assert_eq!(clock.now().at, lived);
    }
}
