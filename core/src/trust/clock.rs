//! How late it is, as far as a gateway can know (TRUST section 4).
//!
//! The clock of the machine may be wrong, set back, or absent. What was signed happened, and run
//! time passes: now is never before either. Four times are kept apart: `lived`, which nothing is
//! ever allowed before; `agreed`, which no single key can move; `rooted`, which only root keys and a
//! synchronised clock move; and what the clock shows.

use super::Floor;
use crate::time::{Millis, TimeQuality, UnixSeconds};

/// The time that decisions are made with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Now {
    /// The time.
    pub at: UnixSeconds,
    /// How far it can be trusted.
    pub quality: TimeQuality,
    /// The latest time that the clock, two keys or the root keys stand for: what one key signs may
    /// be a little later than this.
    pub backed: UnixSeconds,
}

/// What the machine's clock shows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Shown {
    /// The time, where there is a clock.
    pub clock: Option<UnixSeconds>,
    /// Whether the kernel says that it is synchronised.
    pub synchronised: bool,
}

/// Follows the time through one run of the program.
#[derive(Clone, Copy, Debug)]
pub struct TrustedTime {
    build: UnixSeconds,
    signed: UnixSeconds,
    /// L at `since`.
    lived: UnixSeconds,
    /// What more than one signer stands for, at `since`.
    agreed: UnixSeconds,
    /// What root keys and a synchronised clock stand for, at `since`.
    rooted: UnixSeconds,
    /// What the manifest in force stands for, at `since`.
    held: UnixSeconds,
    since: Millis,
}

impl TrustedTime {
    /// Starts with the floor that was read, at run time `mono`; `build` is when the program was
    /// built.
    #[must_use]
    pub const fn new(build: UnixSeconds, floor: &Floor, mono: Millis) -> Self {
        let Floor { signed, lived, agreed, rooted, held, .. } = *floor;

        Self { build, signed, lived, agreed, rooted, held, since: mono }
    }

    /// Takes over a floor that was brought up to date with [`TrustedTime::kept`] and that something
    /// may have been accepted into since; a key set may have set it back.
    pub const fn follow(&mut self, floor: &Floor, mono: Millis) {
        // What a second still lacks is not lost, however often this is called.
        let rest = mono.since(self.since) % 1000;
        *self = Self::new(self.build, floor, Millis(mono.0.saturating_sub(rest)));
    }

    /// Returns max(build time, L, clock), and how far that can be trusted.
    #[must_use]
    pub fn now(&self, mono: Millis, shown: Shown) -> Now {
        let least = self.build.max(self.lived(mono));
        let (at, quality) = match shown.clock.filter(|clock| *clock >= least) {
            Some(clock) if shown.synchronised => (clock, TimeQuality::Synced),
            Some(clock) => (clock, TimeQuality::Holdover),
            None if self.signed == UnixSeconds(0) => (least, TimeQuality::Unknown),
            None => (least, TimeQuality::Floor),
        };
        let backed = self.build.max(self.agreed(mono)).max(shown.clock.unwrap_or_default());

        Now { at, quality, backed }
    }

    /// Returns `floor` with how far time has come, to be written at least every 10 minutes and at
    /// stop, and before anything is accepted into it.
    ///
    /// The clock is written down only while it is synchronised, and at most up to `until`, the end
    /// of the manifest in force: a clock that jumped ahead must not stick.
    #[must_use]
    pub fn kept(&self, floor: &Floor, mono: Millis, shown: Shown, until: UnixSeconds) -> Floor {
        let clock = shown.clock.filter(|_| shown.synchronised).unwrap_or_default().min(until);
        let run = mono.since(self.since) / 1000;

        Floor {
            lived: self.lived(mono).max(floor.lived).max(clock),
            agreed: self.agreed(mono).max(floor.agreed).max(clock),
            rooted: self.rooted.plus(run).max(floor.rooted).max(clock),
            held: self.held.plus(run).max(floor.held),
            ..*floor
        }
    }

    /// L: signed time and the run time since.
    fn lived(&self, mono: Millis) -> UnixSeconds {
        self.lived.plus(mono.since(self.since) / 1000)
    }

    fn agreed(&self, mono: Millis) -> UnixSeconds {
        self.agreed.plus(mono.since(self.since) / 1000)
    }
}
