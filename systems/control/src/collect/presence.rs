//! Which gateways are to be heard: one that leaves says so, or its broker does; one that is cut off says
//! nothing at all.
//!
//! One whose disk takes no writes says the same again and again, and so does a broker that hides that
//! it is gone. Nobody can tell these apart, so that is neither silence nor a sign of life.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gateward_core::time::UnixSeconds;

use super::held::Trouble;

/// How often is looked who has gone silent.
pub(super) const LOOK: Duration = Duration::from_secs(5);

/// When each gateway was heard last, and which are known to be away.
#[derive(Debug)]
pub(super) struct Presence {
    silent_after: u64,
    since: UnixSeconds,
    heard: BTreeMap<String, UnixSeconds>,
    /// When each said last what it had said before.
    again: BTreeMap<String, UnixSeconds>,
    /// Those of whom it is known that they say nothing else.
    stuck: BTreeSet<String>,
    away: BTreeSet<String>,
}

impl Presence {
    /// Nobody is away yet.
    pub(super) fn new(silent_after: Duration, now: UnixSeconds) -> Self {
        let (heard, again) = (BTreeMap::new(), BTreeMap::new());
        let (stuck, away) = (BTreeSet::new(), BTreeSet::new());

        Self { silent_after: silent_after.as_secs(), since: now, heard, again, stuck, away }
    }

    /// A gateway was heard, by something that only it can say; returns what is news of that.
    pub(super) fn hear(&mut self, gateway: &str, now: UnixSeconds) -> Option<Trouble> {
        self.heard.insert(gateway.to_owned(), now);

        let was_stuck = self.stuck.remove(gateway);

        (self.away.remove(gateway) || was_stuck).then_some(Trouble::Back)
    }

    /// Something came that a gateway had said before: it may say so again, or somebody else for it.
    pub(super) fn hear_again(&mut self, gateway: &str, now: UnixSeconds) {
        self.again.insert(gateway.to_owned(), now);
    }

    /// A gateway has left; returns what is news of that.
    pub(super) fn leave(&mut self, gateway: &str) -> Option<Trouble> {
        self.away.insert(gateway.to_owned()).then_some(Trouble::Gone)
    }

    /// Returns whether a gateway has said nothing new for too long, and that is not known yet.
    pub(super) fn is_silent(&self, gateway: &str, now: UnixSeconds) -> bool {
        let heard = self.heard.get(gateway).unwrap_or(&self.since);
        let is_known = self.away.contains(gateway)
            || (self.stuck.contains(gateway) && self.is_heard_again(gateway, now));

        !is_known && now.0.saturating_sub(heard.0) >= self.silent_after
    }

    fn is_heard_again(&self, gateway: &str, now: UnixSeconds) -> bool {
        let again = self.again.get(gateway);

        again.is_some_and(|again| now.0.saturating_sub(again.0) < self.silent_after)
    }

    /// Another collector has heard a gateway.
    pub(super) fn heard_elsewhere(&mut self, gateway: &str, at: UnixSeconds) {
        let heard = self.heard.entry(gateway.to_owned()).or_insert(at);
        *heard = (*heard).max(at);
    }

    /// A gateway has said nothing new for too long; returns what is to be told of that. Each is told once
    /// until it is heard.
    pub(super) fn miss(&mut self, gateway: &str, now: UnixSeconds) -> Trouble {
        if self.is_heard_again(gateway, now) {
            self.stuck.insert(gateway.to_owned());
            return Trouble::NothingNew(self.silent_after);
        }
        self.away.insert(gateway.to_owned());

        Trouble::Silent(self.silent_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixSeconds = UnixSeconds(1_000);

    #[test]
    fn a_gateway_that_says_nothing_is_told_of_once_and_so_is_its_return() {
        let mut presence = Presence::new(Duration::from_secs(60), NOW);
        assert_eq!(presence.hear("edge-1", UnixSeconds(1_010)), None);
        assert!(!presence.is_silent("edge-1", UnixSeconds(1_069)));
        assert!(presence.is_silent("edge-1", UnixSeconds(1_070)));
        assert_eq!(presence.miss("edge-1", UnixSeconds(1_070)), Trouble::Silent(60));
        assert!(!presence.is_silent("edge-1", UnixSeconds(2_000)));

        assert_eq!(presence.hear("edge-1", UnixSeconds(2_001)), Some(Trouble::Back));
        assert_eq!(presence.hear("edge-1", UnixSeconds(2_002)), None);
        assert!(presence.is_silent("edge-2", UnixSeconds(2_000)), "never heard at all");
    }

    #[test]
    fn one_that_leaves_in_good_order_is_not_silent_as_well() {
        let mut presence = Presence::new(Duration::from_secs(60), NOW);
        assert_eq!(presence.leave("edge-1"), Some(Trouble::Gone));
        assert_eq!(presence.leave("edge-1"), None);
        assert!(!presence.is_silent("edge-1", UnixSeconds(9_000)));
    }

    #[test]
    fn one_that_only_repeats_itself_is_not_silent_and_when_that_ends_it_is() {
        let mut presence = Presence::new(Duration::from_secs(60), NOW);
        presence.hear_again("edge-1", UnixSeconds(1_050));
        assert!(presence.is_silent("edge-1", UnixSeconds(1_060)));
        assert_eq!(presence.miss("edge-1", UnixSeconds(1_060)), Trouble::NothingNew(60));
        assert!(!presence.is_silent("edge-1", UnixSeconds(1_109)), "that is known");
        assert!(presence.is_silent("edge-1", UnixSeconds(1_110)));
        assert_eq!(presence.miss("edge-1", UnixSeconds(1_110)), Trouble::Silent(60));

        // Who repeats its words now and then makes no events of that.
        presence.hear_again("edge-1", UnixSeconds(1_120));
        assert!(!presence.is_silent("edge-1", UnixSeconds(1_121)));
        assert!(!presence.is_silent("edge-1", UnixSeconds(9_000)));
        assert_eq!(presence.hear("edge-1", UnixSeconds(9_001)), Some(Trouble::Back));
        assert_eq!(presence.hear("edge-1", UnixSeconds(9_002)), None);
    }

    #[test]
    fn one_that_another_collector_hears_is_not_silent() {
        let mut presence = Presence::new(Duration::from_secs(60), NOW);
        presence.heard_elsewhere("edge-1", UnixSeconds(1_050));
        assert!(!presence.is_silent("edge-1", UnixSeconds(1_100)));
        presence.heard_elsewhere("edge-1", UnixSeconds(1_001));
        assert!(!presence.is_silent("edge-1", UnixSeconds(1_100)), "what is older changes nothing");
    }
}
