//! How often each time was measured, and what that says of two classes.

/// Times at or above this many nanoseconds count as this many.
const LONGEST: usize = 1 << 20;

/// The times of one class.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u32>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; LONGEST + 1], total: 0 }
    }
}

impl Histogram {
    /// Counts one time.
    pub fn add(&mut self, nanoseconds: u128) {
        let at = usize::try_from(nanoseconds).unwrap_or(LONGEST).min(LONGEST);
        self.counts[at] += 1;
        self.total += 1;
    }

    /// Returns how many times were counted.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Returns the time that `share` of all are at most as long as.
    #[must_use]
    pub fn quantile(&self, share: f64) -> usize {
        let wanted = self.total as f64 * share;
        let mut seen = 0.0;
        for (time, count) in self.counts.iter().enumerate() {
            seen += f64::from(*count);
            if seen >= wanted {
                return time;
            }
        }

        LONGEST
    }

    /// Returns the same quantile of all classes together: the one limit past which times are left
    /// out, of every class alike.
    #[must_use]
    pub fn limit(classes: &[Self], share: f64) -> usize {
        let mut all = Self::default();
        for class in classes {
            all.total += class.total;
            for (sum, count) in all.counts.iter_mut().zip(&class.counts) {
                *sum += count;
            }
        }

        all.quantile(share)
    }

    /// Returns count, mean and variance of the times up to `limit`.
    fn moments(&self, limit: usize) -> (f64, f64, f64) {
        let kept = || self.counts.iter().take(limit + 1).zip(0_u32..);
        let sum = |of: &dyn Fn(f64) -> f64| -> f64 {
            kept().filter(|(n, _)| **n > 0).map(|(n, at)| f64::from(*n) * of(f64::from(at))).sum()
        };
        let count = sum(&|_| 1.0);
        let mean = sum(&|time| time) / count;

        (count, mean, sum(&|time| (time - mean).powi(2)) / (count - 1.0))
    }

    /// Returns the mean of the times up to `limit`.
    #[must_use]
    pub fn mean(&self, limit: usize) -> f64 {
        self.moments(limit).1
    }

    /// Returns Welch's t of two classes: how many standard errors apart their means are.
    #[must_use]
    pub fn t(&self, other: &Self, limit: usize) -> f64 {
        let ((n, mean, variance), (m, other_mean, other_variance)) =
            (self.moments(limit), other.moments(limit));

        (mean - other_mean) / (variance / n + other_variance / m).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[u128]) -> Histogram {
        let mut all = Histogram::default();
        times.iter().for_each(|time| all.add(*time));
        all
    }

    #[test]
    fn t_is_welchs() {
        // Means 3 and 6, variances 2.5 and 10, five of each: -3 / sqrt(0.5 + 2).
        let (a, b) = (of(&[1, 2, 3, 4, 5]), of(&[2, 4, 6, 8, 10]));

        assert!((a.t(&b, LONGEST) + 3.0 / 2.5_f64.sqrt()).abs() < 1e-12);
        assert!((a.t(&a, LONGEST)).abs() < 1e-12);
    }

    #[test]
    fn one_limit_holds_for_all_classes() {
        let (a, b) = (of(&[1, 2, 3, 4]), of(&[5, 6, 7, 1_000_000_000]));

        let limit = Histogram::limit(&[a, b.clone()], 0.875);

        assert_eq!(limit, 7);
        assert!((b.mean(limit) - 6.0).abs() < 1e-12);
        assert_eq!(b.quantile(1.0), LONGEST);
    }
}
