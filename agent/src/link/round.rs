//! Which broker of the list to try next, in which version of MQTT, and after which rest.
//!
//! A rest comes before each round through the list, after each connection that broke, and before the
//! second broker after a start, so that a fleet whose broker went away, or whose power came back, does
//! not fall on the next one in the same instant.

use core::time::Duration;

use super::ended::Ended;
use super::pace::{self, Pace, SHORTEST};
use super::version::Known;
use super::{BrokerUrl, Brokers, Protocol, Version};

/// The list, and where we are in it.
#[derive(Debug)]
pub(super) struct Round {
    brokers: Brokers,
    known: Vec<Known>,
    at: usize,
    failed: usize,
    pace: Pace,
    /// Whether a rest has told this gateway from those that started with it.
    spread: bool,
}

impl Round {
    pub(super) fn new(brokers: Brokers, protocol: Protocol) -> Self {
        let known = brokers.iter().map(|_| Known::new(protocol)).collect();

        Self { brokers, known, at: 0, failed: 0, pace: Pace::default(), spread: false }
    }

    /// The broker to try, or in use.
    pub(super) fn url(&self) -> &BrokerUrl {
        self.brokers.iter().nth(self.at).unwrap_or_else(|| self.brokers.first())
    }

    /// The version to try there, or in use.
    pub(super) fn version(&self) -> Version {
        self.known.get(self.at).map_or(Version::V5, Known::next)
    }

    /// An attempt succeeded.
    pub(super) fn worked(&mut self) {
        if let Some(known) = self.known.get_mut(self.at) {
            known.worked();
        }
    }

    /// Goes on after an attempt that failed; returns the rest before the next one, which is none
    /// where the same broker is worth another version.
    pub(super) fn failed(&mut self, ended: &Ended) -> Option<Duration> {
        if self.known.get_mut(self.at).is_some_and(|known| known.failed(ended)) {
            return None;
        }
        self.advance();
        self.failed += 1;
        let is_spread = core::mem::replace(&mut self.spread, true);
        if self.failed < self.known.len() {
            return Some(if is_spread { SHORTEST } else { pace::spread() });
        }
        self.failed = 0;

        Some(self.pace.rest())
    }

    /// Whether the next attempt is the first of a round.
    pub(super) const fn begins(&self) -> bool {
        self.failed == 0
    }

    /// Goes on after a connection; returns the rest before the next attempt. That is at the same
    /// broker where the connection held: another may not retain what is retained there, and a
    /// connection that breaks says nothing against the broker.
    pub(super) fn over(&mut self, held: bool) -> Duration {
        if let Some(known) = self.known.get_mut(self.at) {
            known.over();
        }
        if held {
            self.pace.reset();
        } else {
            self.advance();
        }
        (self.failed, self.spread) = (0, true);

        self.pace.rest()
    }

    fn advance(&mut self) {
        self.at = if self.at + 1 < self.known.len() { self.at + 1 } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(brokers: u16) -> Round {
        let urls = (1..=brokers).map(|port| format!("mqtt://127.0.0.1:{port}").parse().unwrap());
        Round::new(Brokers::new(urls.collect()).unwrap(), Protocol::Auto)
    }

    fn fail(round: &mut Round) -> Duration {
        round.failed(&Ended::TimedOut(Duration::ZERO)).unwrap()
    }

    #[test]
    fn the_next_of_the_list_is_tried_at_once_and_the_rest_grows_only_with_whole_rounds() {
        let mut round = round(3);
        let mut longest = Duration::ZERO;
        for n in 0..100 {
            for port in 1..=3 {
                assert_eq!(round.url().port(), port);
                let rest = fail(&mut round);
                let is_first = (n, port) == (0, 1);
                let is_shortest = rest == SHORTEST;
                assert!(is_first || port == 3 || is_shortest, "a rest within the list: {rest:?}");
                longest = longest.max(rest);
            }
        }
        assert!(longest > Duration::from_secs(15), "{longest:?}");

        let mut beginning = self::round(3);
        for _ in 0..2 {
            fail(&mut beginning);
        }
        assert!(fail(&mut beginning) <= Duration::from_secs(1), "one round is one failure");
    }

    #[test]
    fn a_fleet_that_starts_in_one_instant_comes_to_the_second_broker_spread_over_a_second() {
        let rests: Vec<_> = (0..50).map(|_| fail(&mut round(2))).collect();
        assert!(rests.iter().any(|&rest| rest < Duration::from_millis(500)), "{rests:?}");
        assert!(rests.iter().any(|&rest| rest > Duration::from_millis(500)), "{rests:?}");
        assert!(rests.iter().all(|&rest| rest <= Duration::from_secs(1)), "{rests:?}");
    }

    #[test]
    fn a_connection_that_held_is_made_again_at_the_same_broker_while_that_can_be_reached() {
        let mut rests = Vec::new();
        for _ in 0..50 {
            let mut round = round(2);
            fail(&mut round);
            for _ in 0..3 {
                rests.push(round.over(true));
                assert_eq!(round.url().port(), 2, "a blip, and off to another");
            }
            assert_eq!(fail(&mut round), SHORTEST, "the list begins anew");
            assert_eq!(round.url().port(), 1);
        }
        let longest = rests.into_iter().max().unwrap();
        assert!(longest > Duration::from_millis(500), "no jitter: {longest:?}");
        assert!(longest <= Duration::from_secs(1), "{longest:?}");
    }

    #[test]
    fn a_broker_that_lets_in_and_drops_is_left_for_the_next() {
        let mut round = round(2);
        for port in [1, 2, 1] {
            assert_eq!(round.url().port(), port);
            round.over(false);
        }
    }

    #[test]
    fn what_one_broker_cannot_is_not_held_against_the_other() {
        let mut round = round(2);
        let refused = Ended::Refused(super::super::Reason::UNSUPPORTED_VERSION);
        assert_eq!(round.failed(&refused), None);
        assert_eq!((round.url().port(), round.version()), (1, Version::V311));
        round.over(false);
        assert_eq!((round.url().port(), round.version()), (2, Version::V5));
        round.over(false);
        assert_eq!((round.url().port(), round.version()), (1, Version::V311));
    }
}
