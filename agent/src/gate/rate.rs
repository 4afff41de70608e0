//! How often one caller may be answered: so many a second, and ten times that at once.
//!
//! Told the time. Its memory is bounded: callers beyond the bound share one allowance, so a flood
//! from many addresses throttles itself and nobody who is known already (DOMAIN J6).

use std::collections::BTreeMap;

use gateward_core::time::Millis;

/// How much more than a second's worth may be used at once.
const BURST: u64 = 10;

/// What is left of one caller's allowance, in thousandths of an answer.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: u64,
    at: Millis,
}

/// The allowances of many callers.
#[derive(Debug)]
pub(super) struct Rates<K> {
    per_s: u64,
    most: usize,
    known: BTreeMap<K, Bucket>,
    others: Bucket,
}

impl<K: Ord> Rates<K> {
    /// Allows `per_s` answers a second to each of at most `most` callers.
    pub(super) fn new(per_s: u32, most: usize) -> Self {
        let per_s = u64::from(per_s);
        let others = Bucket { left: per_s * BURST * 1_000, at: Millis(0) };

        Self { per_s, most, known: BTreeMap::new(), others }
    }

    /// Takes one answer from the allowance of `caller`; false where nothing is left.
    pub(super) fn take(&mut self, caller: K, now: Millis) -> bool {
        let (per_s, full) = (self.per_s, self.per_s * BURST * 1_000);
        if self.known.len() >= self.most && !self.known.contains_key(&caller) {
            // Whoever has not asked for a while is as good as unknown.
            self.known.retain(|_, bucket| refilled(bucket, per_s, full, now) < full);
        }
        let bucket = if self.known.len() < self.most || self.known.contains_key(&caller) {
            self.known.entry(caller).or_insert(Bucket { left: full, at: now })
        } else {
            &mut self.others
        };
        let left = refilled(bucket, per_s, full, now);
        *bucket = Bucket { left: left.saturating_sub(1_000), at: now };

        left >= 1_000
    }
}

/// An answer a second is one thousandth of one each millisecond.
fn refilled(bucket: &Bucket, per_s: u64, full: u64, now: Millis) -> u64 {
    let gained = now.since(bucket.at).saturating_mul(per_s);
    bucket.left.saturating_add(gained).min(full)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(rates: &mut Rates<u32>, caller: u32, now: Millis, times: u32) -> usize {
        (0..times).filter(|_| rates.take(caller, now)).count()
    }

    #[test]
    fn a_burst_is_ten_seconds_worth_and_then_it_is_so_many_a_second() {
        let mut rates = Rates::new(5, 8);

        assert_eq!(taken(&mut rates, 1, Millis(0), 100), 50);
        assert_eq!(taken(&mut rates, 1, Millis(1_000), 100), 5);
        assert_eq!(taken(&mut rates, 1, Millis(1_100), 100), 0);
        assert_eq!(taken(&mut rates, 1, Millis(1_000_000), 100), 50);
    }

    #[test]
    fn j6_one_caller_does_not_use_up_what_another_has() {
        let mut rates = Rates::new(5, 8);
        taken(&mut rates, 1, Millis(0), 1_000);

        assert_eq!(taken(&mut rates, 2, Millis(0), 10), 10);
    }

    #[test]
    fn j6_callers_beyond_the_bound_share_and_memory_does_not_grow() {
        let mut rates = Rates::new(1, 2);
        taken(&mut rates, 1, Millis(0), 1);
        taken(&mut rates, 2, Millis(0), 1);

        let shared: usize = (10..60).map(|other| taken(&mut rates, other, Millis(0), 1)).sum();

        assert_eq!((shared, rates.known.len()), (10, 2));
        assert_eq!(taken(&mut rates, 1, Millis(0), 1), 1);
        assert_eq!(taken(&mut rates, 99, Millis(60_000), 20), 10);
    }
}
