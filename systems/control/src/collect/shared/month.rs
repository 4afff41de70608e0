//! Months of UTC, which partitions are by.

use std::fmt;

/// Months from this one back that get a partition of their own; a gateway may have been away for long.
const BACK: i32 = 36;
/// Months from this one on: clocks differ.
const AHEAD: i32 = 1;

/// A month, counted from January of the year 0.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Month(i32);

impl Month {
    /// The month of a moment in milliseconds since 1970.
    pub(super) fn of(millis: u64) -> Self {
        let millis = i64::try_from(millis).unwrap_or(i64::MAX);
        let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
        let date = jiff::tz::Offset::UTC.to_datetime(time);

        Self(i32::from(date.year()) * 12 + i32::from(date.month()) - 1)
    }

    /// Whether it gets a partition of its own in the month `now`: who says what time it is must not
    /// make thousands.
    pub(super) const fn is_near(self, now: Self) -> bool {
        self.0 >= now.0 - BACK && self.0 <= now.0 + AHEAD
    }

    pub(super) const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// As the database reads it, whatever its own time zone.
    pub(super) fn first_day(self) -> String {
        format!("{:04}-{:02}-01 00:00:00+00", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}_{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_one_another_across_the_year() {
        let december = Month::of(1_796_083_199_999);
        assert_eq!(
            (december.to_string(), december.next().to_string()),
            ("2026_11".into(), "2026_12".into())
        );
        assert_eq!(december.next().next().first_day(), "2027-01-01 00:00:00+00");
    }

    #[test]
    fn a_clock_that_is_far_off_makes_no_partition() {
        let now = Month::of(1_796_083_199_999);
        assert!(now.is_near(now) && now.next().is_near(now) && Month(now.0 - 36).is_near(now));
        assert!(!now.next().next().is_near(now) && !Month::of(0).is_near(now));
        assert!(!Month::of(u64::MAX).is_near(now));
    }
}
