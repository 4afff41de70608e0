//! Which chunks have arrived, one bit each.

use super::MAX_CHUNKS;

const WORDS: usize = MAX_CHUNKS as usize / 64;

/// A set of numbers below [`MAX_CHUNKS`].
#[derive(Clone, Debug)]
pub(super) struct Bits([u64; WORDS]);

impl Bits {
    pub(super) const fn new() -> Self {
        Self([0; WORDS])
    }

    pub(super) fn has(&self, number: u32) -> bool {
        self.0.get(number as usize / 64).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    pub(super) fn add(&mut self, number: u32) {
        if let Some(word) = self.0.get_mut(number as usize / 64) {
            *word |= 1 << (number % 64);
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// The numbers below `end` that are not in the set, ascending.
    pub(super) fn missing(&self, end: u32) -> impl Iterator<Item = u32> + '_ {
        let words = self.0.iter().zip((0..).step_by(64)).filter(|(word, _)| **word != u64::MAX);

        words
            .flat_map(|(word, first)| {
                (first..first + 64).filter(move |n| word >> (n % 64) & 1 == 0)
            })
            .take_while(move |number| *number < end)
    }
}
