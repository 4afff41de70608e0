//! End dates: days of the calendar, in UTC, inclusive.
//!
//! What ends on a day is valid until the next midnight (DOMAIN 3.4, E1, E2); nothing ends after
//! 2105, where 32 bits of seconds run out (E12).

use std::fmt;

use gateward_core::time::{End, UnixSeconds};
use jiff::civil::{Date, date};

/// The last day that something is valid.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Day {
    date: Date,
    end: End,
}

/// Why a text is not an end date.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadDay {
    /// Before 1970 or after 2105.
    #[error("outside 1970-01-01 to 2105-12-31; leave it out where nothing ends")]
    Absurd,
    /// Not a day.
    #[error("not a day; write it as 2027-06-30")]
    NotADay,
}

impl Day {
    /// Reads `2027-06-30`.
    ///
    /// # Errors
    ///
    /// The text is something else, or a day that no snapshot can express.
    pub fn parse(text: &str) -> Result<Self, BadDay> {
        if text.len() != 10 {
            return Err(BadDay::NotADay);
        }
        let date: Date = text.parse().map_err(|_| BadDay::NotADay)?;
        if !(1970..=2105).contains(&date.year()) {
            return Err(BadDay::Absurd);
        }
        let midnight = date.tomorrow().map_err(|_| BadDay::Absurd)?.duration_since(EPOCH).as_secs();
        let end = u32::try_from(midnight).map_err(|_| BadDay::Absurd)?;

        Ok(Self { date, end: End(end) })
    }

    /// Returns the day that an end of a snapshot record stands for; none where it has no end.
    #[must_use]
    pub fn of(end: End) -> Option<Self> {
        let days = i64::try_from(end.seconds()?.0 / 86_400).ok()? - 1;
        let date = EPOCH.checked_add(jiff::SignedDuration::from_hours(days * 24)).ok()?;

        Some(Self { date, end })
    }

    /// Returns the first second at which it is over.
    #[must_use]
    pub const fn end(self) -> End {
        self.end
    }

    /// Returns whether it is over.
    #[must_use]
    pub fn is_over(self, now: UnixSeconds) -> bool {
        now.0 >= u64::from(self.end.0)
    }
}

const EPOCH: Date = date(1970, 1, 1);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date.fmt(f)
    }
}

impl std::str::FromStr for Day {
    type Err = BadDay;

    fn from_str(text: &str) -> Result<Self, BadDay> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_an_end_date_is_valid_until_its_last_second_and_expired_at_midnight() {
        let day = Day::parse("2023-08-12").unwrap();

        assert_eq!(day.end(), End(1_691_884_800));
        assert!(!day.is_over(UnixSeconds(1_691_884_799)));
        assert!(day.is_over(UnixSeconds(1_691_884_800)));
        assert_eq!(Day::of(day.end()), Some(day));
        assert_eq!(day.to_string(), "2023-08-12");
    }

    #[test]
    fn e12_a_day_that_32_bits_cannot_hold_is_refused() {
        assert!(Day::parse("2105-12-31").is_ok());
        for absurd in ["2106-01-01", "9999-12-31", "1969-12-31"] {
            assert_eq!(Day::parse(absurd), Err(BadDay::Absurd), "{absurd}");
        }
    }

    #[test]
    fn what_is_not_a_day_is_refused() {
        for bad in ["", "2027-02-30", "2027-6-3", "30.06.2027", "2027-06-30T00:00:00Z", "20270630"]
        {
            assert_eq!(Day::parse(bad), Err(BadDay::NotADay), "{bad}");
        }
    }

    #[test]
    fn no_end_is_no_day() {
        assert_eq!(Day::of(End::NEVER), None);
    }
}
