//! Two kinds of time that must never be mixed: elapsed milliseconds and seconds of the calendar.
//!
//! Nothing in this crate reads a clock; both are handed in.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since some start, from a clock that never steps and counts suspended time too.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Millis(pub u64);

impl Millis {
    /// Returns the moment `ms` milliseconds later, or the last one there is.
    #[must_use]
    pub const fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Returns the milliseconds since `earlier`; 0 where that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(transparent)]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    /// Returns the moment `seconds` later, or the last one there is.
    #[must_use]
    pub const fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Returns the seconds since `earlier`; 0 where that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The first second at which something is no longer valid, in the 32 bits of a snapshot record.
///
/// An end date is inclusive and counted in UTC: what ends on a day is valid until the next
/// midnight (DOMAIN 3.4, E1, E2).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct End(pub u32);

impl End {
    /// No end date (DOMAIN E3).
    pub const NEVER: Self = Self(u32::MAX);

    /// Returns the end as seconds, or none where there is no end.
    #[must_use]
    pub fn seconds(self) -> Option<UnixSeconds> {
        (self != Self::NEVER).then_some(UnixSeconds(u64::from(self.0)))
    }
}

/// The moment of a decision in the 32 bits that ends are compared in.
///
/// Clamped below [`End::NEVER`], so that a clock past 2106 expires every end date and nothing else
/// (DOMAIN E12).
#[must_use]
pub fn clamp(now: UnixSeconds) -> u32 {
    u32::try_from(now.0).unwrap_or(u32::MAX).min(u32::MAX - 1)
}

/// How far the time of a record can be trusted (TRUST section 4).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum TimeQuality {
    /// The kernel says that its clock is synchronised.
    Synced = 0,
    /// The clock runs and is ahead of every signed time, but nobody vouches for it.
    Holdover = 1,
    /// The clock is behind signed time, which is used instead.
    Floor = 2,
    /// Nothing but the build time of the program is known.
    #[default]
    Unknown = 3,
}

impl TimeQuality {
    /// Returns the name used in records and in status.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Holdover => "holdover",
            Self::Floor => "floor",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e12_a_clock_past_2106_does_not_reach_never() {
        assert!(clamp(UnixSeconds(u64::MAX)) < End::NEVER.0);
        assert_eq!(clamp(UnixSeconds(7)), 7);
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(UnixSeconds(u64::MAX).plus(1), UnixSeconds(u64::MAX));
        assert_eq!(Millis(1).since(Millis(2)), 0);
    }
}
