//! What this collector itself has heard gateways say, for two questions that the store cannot answer: is
//! a word new, or brought again by the broker; and has a gateway fallen back, or does another collector of
//! the same store only hear sooner.

use std::collections::{BTreeMap, BTreeSet};

use gateward_core::time::UnixSeconds;
use gateward_core::trust::Status;

use crate::fleet::alarm::{Alarm, fell_back, goes_beyond};

/// For so long a collector may be behind another one that hears the same.
const LATE: u64 = 60;

/// The words of gateways.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The furthest that was heard here, or was held when a gateway was first heard.
    heard: BTreeMap<String, Status>,
    /// The furthest of those that were behind what is held.
    behind: BTreeMap<String, Status>,
    /// Of what is told that a gateway has fallen back.
    told: BTreeMap<String, BTreeSet<&'static str>>,
    /// Who seems to have fallen back behind what another collector heard, and since when.
    doubted: BTreeMap<String, (Alarm, UnixSeconds)>,
}

impl Words {
    /// Takes a word that is not behind `before`, the furthest that is held; returns whether it is new.
    pub(super) fn hear(&mut self, gateway: &str, before: Option<Status>, now: &Status) -> bool {
        self.doubted.remove(gateway);
        let before = self.heard.get(gateway).copied().or(before);
        let is_news = before.is_none_or(|before| goes_beyond(&before, now));
        let furthest = if is_news { Some(*now) } else { before };
        self.heard.extend(furthest.map(|furthest| (gateway.to_owned(), furthest)));
        if is_news {
            self.behind.remove(gateway);
            self.told.remove(gateway);
        }

        is_news
    }

    /// Takes a word that is behind the furthest that is held; returns whether it is new all the same, as
    /// each is of a gateway that goes on from a copy. Who brings old words again comes to an end.
    pub(super) fn hear_behind(&mut self, gateway: &str, now: &Status) -> bool {
        let before = self.behind.get(gateway);
        let leads = before.is_none_or(|before| !goes_beyond(now, before));
        let last = before.or_else(|| self.heard.get(gateway));
        let is_news = last.is_some_and(|last| goes_beyond(last, now));
        if leads {
            self.behind.insert(gateway.to_owned(), *now);
        }

        leads && is_news
    }

    /// Returns whether that is told for the first time since the gateway said something new: who brings
    /// old words in turn has another number in each.
    pub(super) fn is_first(&mut self, gateway: &str, alarm: &Alarm) -> bool {
        match alarm {
            Alarm::FellBack { what, .. } => {
                self.told.entry(gateway.to_owned()).or_default().insert(what)
            }
            Alarm::TwoRoots { .. } => true,
        }
    }

    /// Returns whether to tell of a gateway that says less than is held. Where only another collector has
    /// heard more, that is told when it has lasted.
    pub(super) fn is_certain(
        &mut self,
        gateway: &str,
        now: &Status,
        alarm: &Alarm,
        is_shared: bool,
        at: UnixSeconds,
    ) -> bool {
        let heard_more =
            self.heard.get(gateway).is_some_and(|heard| fell_back(heard, now).is_some());
        if heard_more || !is_shared {
            return true;
        }
        self.doubted.entry(gateway.to_owned()).or_insert_with(|| (alarm.clone(), at));

        false
    }

    /// Returns, once, who has not come up with what is held since.
    pub(super) fn lasting(&mut self, now: UnixSeconds) -> BTreeMap<String, Alarm> {
        let is_late = |_: &String, (_, since): &mut (Alarm, UnixSeconds)| {
            now.0.saturating_sub(since.0) >= LATE
        };
        let lasting = self.doubted.extract_if(.., is_late);

        lasting.map(|(gateway, (alarm, _))| (gateway, alarm)).collect()
    }
}

#[cfg(test)]
mod tests {
    use gateward_core::audit::Head;
    use gateward_core::time::TimeQuality;
    use gateward_core::trust::{GatewayId, Incarnation};

    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_000_000);

    fn status(version: u64) -> Status {
        Status {
            gateway: GatewayId([1; 16]),
            incarnation: Incarnation([1; 8]),
            boot: 1,
            keyset: 1,
            version,
            root8: [1; 8],
            revoked_counter: 1,
            floor_time: NOW,
            audit_number: version,
            audit_head: Head::START,
            backlog: 0,
            time_quality: TimeQuality::Synced,
            gone: false,
        }
    }

    fn alarm(held: u64, now: u64) -> Alarm {
        fell_back(&status(held), &status(now)).unwrap()
    }

    #[test]
    fn a_collector_that_hears_later_than_another_one_raises_no_alarm() {
        let mut words = Words::default();
        assert!(words.hear("edge-1", None, &status(6)));
        // The other one has stored 8 when 7 comes here.
        assert!(!words.is_certain("edge-1", &status(7), &alarm(8, 7), true, NOW));
        assert!(words.hear("edge-1", Some(status(8)), &status(8)));

        assert!(words.lasting(NOW.plus(2 * LATE)).is_empty());
    }

    #[test]
    fn h5_what_only_another_collector_heard_and_never_comes_here_is_told_once() {
        let mut words = Words::default();
        for s in 0..3 {
            assert!(!words.is_certain("edge-1", &status(7), &alarm(8, 7), true, NOW.plus(s)));
        }
        assert!(words.lasting(NOW.plus(LATE - 1)).is_empty());
        assert_eq!(words.lasting(NOW.plus(LATE)), [("edge-1".to_owned(), alarm(8, 7))].into());
        assert!(words.lasting(NOW.plus(2 * LATE)).is_empty());
    }

    #[test]
    fn old_words_in_ascending_order_are_news_once_and_never_again() {
        let mut words = Words::default();
        words.hear("edge-1", None, &status(9));
        let news = |words: &mut Words| [2, 3, 4].map(|n| words.hear_behind("edge-1", &status(n)));
        assert_eq!(news(&mut words), [false, true, true]);
        assert_eq!(news(&mut words), [false; 3]);
        // Of two of which each is ahead of the other in something, one leads.
        let boots = Status { boot: 0, ..status(8) };
        assert_eq!([boots, status(4)].map(|one| words.hear_behind("edge-1", &one)), [false; 2]);
        let again = Status { boot: 2, ..status(2) };
        assert!(!words.hear_behind("edge-1", &again), "it has fallen back behind that as well");
    }

    #[test]
    fn h5_a_gateway_that_goes_on_from_a_copy_is_heard() {
        let mut words = Words::default();
        words.hear("edge-1", None, &status(9));
        let copied = |n| Status { boot: 2, ..status(n) };
        assert!(words.hear_behind("edge-1", &copied(3)), "nobody else has this one");
        assert!(words.hear_behind("edge-1", &copied(4)));
        assert!(!words.hear_behind("edge-1", &copied(4)));
    }

    #[test]
    fn h5_who_has_heard_more_itself_or_is_alone_tells_at_once() {
        let mut words = Words::default();
        assert!(words.is_certain("edge-1", &status(7), &alarm(8, 7), false, NOW));
        words.hear("edge-1", None, &status(8));
        assert!(words.is_certain("edge-1", &status(7), &alarm(8, 7), true, NOW));
    }
}
