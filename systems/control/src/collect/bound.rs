//! How much trouble is written down that others can cause again and again: nobody fills a disk with it, and
//! nobody uses up what is there for a gateway that is not his.

use std::collections::BTreeMap;

use gateward_core::time::UnixSeconds;
use tracing::warn;

use super::held::Trouble;

/// So much of what anybody can make is written down in one run of the collector.
pub(super) const MOST_EVENTS: u32 = 10_000;
/// So much of each kind that can be brought again is written down of one gateway in one day.
pub(super) const MOST_BROUGHT: u32 = 100;

const DAY_S: u64 = 24 * 60 * 60;

/// How much was written down.
#[derive(Debug, Default)]
pub(super) struct Bound {
    /// What anybody can make, since the collector began.
    made: u32,
    /// The day, in UTC, that `brought` is of.
    day: u64,
    /// What only who has heard it can bring again, by gateway and kind. Each name is of a gateway that was
    /// enrolled: no other one's signature verifies.
    brought: BTreeMap<(String, &'static str), u32>,
}

impl Bound {
    pub(super) fn has_room(&self, gateway: &str, trouble: &Trouble, now: UnixSeconds) -> bool {
        if !trouble.is_vouched_for() {
            return self.made < MOST_EVENTS;
        }
        let today = self.day == now.0 / DAY_S;
        let kind = (gateway.to_owned(), trouble.code());
        let brought = self.brought.get(&kind).filter(|_| today);

        !trouble.can_be_replayed() || brought.is_none_or(|count| *count < MOST_BROUGHT)
    }

    pub(super) fn take(&mut self, gateway: &str, trouble: &Trouble, now: UnixSeconds) {
        if !trouble.is_vouched_for() {
            self.made = self.made.saturating_add(1);
            if self.made == MOST_EVENTS {
                warn!(
                    gateway,
                    "no more trouble that anybody can make is written down until the next start; this was the last"
                );
            }
        } else if trouble.can_be_replayed() {
            let day = now.0 / DAY_S;
            if day != self.day {
                self.day = day;
                self.brought.clear();
            }
            let count = self.brought.entry((gateway.to_owned(), trouble.code())).or_default();
            *count = count.saturating_add(1);
            if *count == MOST_BROUGHT {
                warn!(
                    gateway,
                    event = trouble.code(),
                    "no more of this is written down of this gateway today: look who replays its words"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::alarm::Alarm;

    const NOON: UnixSeconds = UnixSeconds(20_000 * DAY_S + DAY_S / 2);

    /// Writes that down as often as there is room, and no more than `most` times.
    fn fill(
        bound: &mut Bound,
        gateway: &str,
        trouble: &Trouble,
        now: UnixSeconds,
        most: u32,
    ) -> u32 {
        let mut written = 0;
        while written < most && bound.has_room(gateway, trouble, now) {
            bound.take(gateway, trouble, now);
            written += 1;
        }

        written
    }

    #[test]
    fn h5_who_replays_the_words_of_one_gateway_hides_those_of_no_other_and_only_for_a_day() {
        let mut bound = Bound::default();
        let brought = Trouble::Restored(3);
        assert_eq!(fill(&mut bound, "edge-1", &brought, NOON, u32::MAX), MOST_BROUGHT);
        assert_eq!(fill(&mut bound, "edge-2", &brought, NOON, u32::MAX), MOST_BROUGHT);
        let (other, version) = ("edge-2".to_owned(), 7);
        let roots = Alarm::TwoRoots { version, root8: [1; 8], other, other8: [2; 8] };
        let roots = Trouble::Alarm(roots);
        assert!(bound.has_room("edge-1", &roots, NOON), "another kind of its own hides it neither");
        let last_second = UnixSeconds(20_001 * DAY_S - 1);
        assert!(!bound.has_room("edge-1", &brought, last_second), "the day is not over");

        let midnight = last_second.plus(1);
        assert_eq!(fill(&mut bound, "edge-1", &brought, midnight, u32::MAX), MOST_BROUGHT);
    }

    #[test]
    fn garbage_and_replays_and_what_nobody_can_cause_have_each_its_own_room() {
        let mut bound = Bound::default();
        let garbage = Trouble::BadBatch(String::new());
        let (brought, lost) = (Trouble::Restored(3), Trouble::Lost { first: 3, last: 5 });
        let kinds = [(&garbage, MOST_EVENTS), (&brought, MOST_BROUGHT), (&lost, 2 * MOST_EVENTS)];
        for (trouble, most) in kinds {
            assert_eq!(fill(&mut bound, "edge-1", trouble, NOON, 2 * MOST_EVENTS), most);
        }
        let tomorrow = NOON.plus(DAY_S);
        assert!(!bound.has_room("edge-2", &garbage, tomorrow), "that is for the whole run");
    }

    #[test]
    fn names_that_anybody_makes_up_take_no_memory_and_those_of_yesterday_neither() {
        let mut bound = Bound::default();
        for n in 0..1_000 {
            let name = format!("edge-{n}");
            for made in [Trouble::Unknown, Trouble::ForgedTag(n), Trouble::Silent(60)] {
                bound.take(&name, &made, NOON);
            }
        }
        assert!(bound.brought.is_empty());
        bound.take("edge-1", &Trouble::Restored(1), NOON);
        bound.take("edge-2", &Trouble::Restored(1), NOON.plus(DAY_S));
        let kept: Vec<_> = bound.brought.keys().map(|(gateway, _)| gateway.as_str()).collect();
        assert_eq!(kept, ["edge-2"]);
    }
}
