//! Many times in a few figures.

use serde::Serialize;

/// What is said of many times, in milliseconds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub(crate) struct Figures {
    /// The shortest.
    pub(crate) first_ms: u64,
    /// Half of them are at most this.
    pub(crate) p50_ms: u64,
    /// All but one in a hundred are at most this.
    pub(crate) p99_ms: u64,
    /// The longest.
    pub(crate) max_ms: u64,
}

impl Figures {
    /// Sums up; nothing where there are none.
    pub(crate) fn of(mut times: Vec<u64>) -> Self {
        times.sort_unstable();
        let rank = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100);
            times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };

        Self { first_ms: rank(0), p50_ms: rank(50), p99_ms: rank(99), max_ms: rank(100) }
    }
}

/// Returns how many of these moments are in the fullest span of `length`.
pub(crate) fn most_within(mut moments: Vec<u64>, length: u64) -> usize {
    moments.sort_unstable();
    let upto = |end: u64| moments.partition_point(|moment| *moment < end);
    let within = moments.iter().enumerate().map(|(before, first)| upto(first + length) - before);

    within.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_hundred_may_be_longer_than_p99() {
        let figures = Figures::of((1..=200).rev().collect());

        assert_eq!(figures, Figures { first_ms: 1, p50_ms: 100, p99_ms: 198, max_ms: 200 });
        assert_eq!(Figures::of(vec![7]), Figures { first_ms: 7, p50_ms: 7, p99_ms: 7, max_ms: 7 });
        assert_eq!(Figures::of(Vec::new()), Figures::default());
    }

    #[test]
    fn the_fullest_span_begins_anywhere() {
        assert_eq!(most_within(vec![0, 95, 105, 150, 194, 300], 100), 4);
        assert_eq!(most_within(Vec::new(), 100), 0);
    }
}
