//! Batches that came before their predecessors, which another collector of the same store has.
//!
//! With a shared subscription the broker hands the batches of one gateway to one collector and the
//! other. What came too early waits for a moment, and is then forgotten: the gateway sends it again.
//! Records are missing only where that helps for long.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use gateward_core::time::UnixSeconds;

use super::held::Trouble;

/// How often is looked at what waits.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// So many looks make a second.
const PATIENCE: u32 = 20;
/// As many as a gateway sends without a receipt, and again.
const MOST_OF_ONE: usize = 8;
/// Batches of all gateways.
const MOST: usize = 256;
/// A gateway sends again after 3, 9 and 21 seconds what nobody receipts.
const GAP_AFTER: u64 = 15;

/// A batch that came too early.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) message: Bytes,
    /// The number of its first record.
    pub(super) first: u64,
    looks: u32,
}

/// Batches that wait, by gateway.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    early: BTreeMap<String, Vec<Early>>,
    /// The first record that is missing of a gateway, and since when.
    missing: BTreeMap<String, (u64, UnixSeconds)>,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.early.is_empty()
    }

    pub(super) fn gateways(&self) -> Vec<String> {
        self.early.keys().cloned().collect()
    }

    /// Lets a batch wait that begins with record `first`.
    pub(super) fn hold(&mut self, gateway: &str, message: Bytes, first: u64) {
        let all: usize = self.early.values().map(Vec::len).sum();
        let of_one = self.early.entry(gateway.to_owned()).or_default();
        if all < MOST && of_one.len() < MOST_OF_ONE && of_one.iter().all(|one| one.first != first) {
            of_one.push(Early { message, first, looks: 0 });
        }
    }

    /// Returns, in order, those that go on from `through`; the others wait on, or no longer.
    pub(super) fn ready(&mut self, gateway: &str, through: u64) -> Vec<Early> {
        let mut waiting = self.early.remove(gateway).unwrap_or_default();
        waiting.sort_by_key(|one| one.first);
        let goes_on = |one: &Early| one.first <= through.saturating_add(1);
        let (ready, mut early): (Vec<_>, Vec<_>) = waiting.into_iter().partition(goes_on);
        for one in &mut early {
            one.looks += 1;
        }
        early.retain(|one| one.looks < PATIENCE);
        if !early.is_empty() {
            self.early.insert(gateway.to_owned(), early);
        }

        ready
    }

    /// Returns whether a gap has been there for so long that nobody is about to close it.
    pub(super) fn is_lasting(&mut self, gateway: &str, gap: &Trouble, now: UnixSeconds) -> bool {
        let Trouble::Gap { first, .. } = gap else { return true };
        match self.missing.get(gateway) {
            Some((missing, since)) if missing == first => {
                now.0.saturating_sub(since.0) >= GAP_AFTER
            }
            _ => {
                self.missing.insert(gateway.to_owned(), (*first, now));
                false
            }
        }
    }

    /// Nothing is missing of a gateway any more.
    pub(super) fn closed(&mut self, gateway: &str) {
        self.missing.remove(gateway);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_000);

    #[test]
    fn what_came_too_early_is_ready_when_its_predecessor_is_held_and_forgotten_after_a_second() {
        let mut waiting = Waiting::default();
        waiting.hold("edge-1", Bytes::from_static(b"third"), 7);
        waiting.hold("edge-1", Bytes::from_static(b"second"), 4);
        waiting.hold("edge-1", Bytes::from_static(b"second"), 4);
        assert!(waiting.ready("edge-1", 2).is_empty());

        let ready = waiting.ready("edge-1", 3);
        assert_eq!(ready.iter().map(|one| one.first).collect::<Vec<_>>(), [4]);
        for _ in 0..PATIENCE {
            assert!(waiting.ready("edge-1", 3).is_empty());
        }
        assert!(waiting.is_empty());
    }

    #[test]
    fn who_sends_only_what_comes_too_early_fills_no_memory() {
        let mut waiting = Waiting::default();
        for first in 2..1_000 {
            waiting.hold(&format!("edge-{}", first % 100), Bytes::new(), first);
        }
        assert!(waiting.early.values().all(|of_one| of_one.len() <= MOST_OF_ONE));
        assert_eq!(waiting.early.values().map(Vec::len).sum::<usize>(), MOST);
    }

    #[test]
    fn i9_only_what_is_missing_for_long_is_a_gap() {
        let mut waiting = Waiting::default();
        let gap = |first| Trouble::Gap { first, last: 9 };
        let later = |seconds| UnixSeconds(NOW.0 + seconds);
        assert!(!waiting.is_lasting("edge-1", &gap(3), NOW));
        assert!(!waiting.is_lasting("edge-1", &gap(3), later(GAP_AFTER - 1)));
        assert!(!waiting.is_lasting("edge-1", &gap(5), later(GAP_AFTER)), "it is another one");
        assert!(waiting.is_lasting("edge-1", &gap(5), later(2 * GAP_AFTER)));
        waiting.closed("edge-1");
        assert!(!waiting.is_lasting("edge-1", &gap(5), later(3 * GAP_AFTER)));
    }
}
