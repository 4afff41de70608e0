//! What was seen at every gateway.

use core::ops::Range;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use gateward_agent::clock::Clock;
use gateward_core::decide::Reason;
use gateward_core::time::Millis;
use gateward_core::token::Token;
use gateward_core::trust::Version;

use crate::wait::{Missed, until};

/// What a gateway said about a token when it was asked last.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It was not asked, because nothing was in force.
    #[default]
    Unasked,
    /// It allowed the request.
    Allowed,
    /// It refused, since then.
    Refused(Millis),
}

/// What was seen at one gateway.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// When it was started.
    pub(crate) started: Millis,
    /// Whether it is connected.
    pub(crate) up: bool,
    /// When it was connected last.
    pub(crate) up_at: Millis,
    /// When something was in force first.
    pub(crate) served_at: Option<Millis>,
    /// Its group.
    pub(crate) group: usize,
    /// The version in force.
    pub(crate) version: Version,
    /// The revocation list in force.
    pub(crate) list: Version,
    /// Whether it knows of something that it does not have.
    pub(crate) lacks: bool,
    /// Why it refused messages.
    pub(crate) rejected: Vec<String>,
    faults: Vec<String>,
    verdicts: Vec<Verdict>,
}

impl Seen {
    /// Returns what it said about a token.
    pub(crate) fn verdict(&self, token: usize) -> Verdict {
        self.verdicts.get(token).copied().unwrap_or_default()
    }

    /// Writes down what it says about a token, which is revoked, or about to be, or not.
    pub(crate) fn answered(&mut self, token: usize, reason: Reason, revoked: bool, at: Millis) {
        let verdict = match (reason, self.verdict(token)) {
            (Reason::Ok, Verdict::Refused(_)) => {
                let what = format!("token {token} was allowed after it had been refused");
                return self.fault(at, &what);
            }
            (Reason::Ok, Verdict::Allowed | Verdict::Unasked) => Verdict::Allowed,
            (Reason::Revoked | Reason::TokenDisabled, before @ Verdict::Refused(_)) => before,
            (Reason::Revoked | Reason::TokenDisabled, _) if revoked => Verdict::Refused(at),
            (reason, _) => return self.fault(at, &format!("token {token} was refused: {reason}")),
        };
        if let Some(place) = self.verdicts.get_mut(token) {
            *place = verdict;
        }
    }

    /// Writes down what must never be.
    pub(crate) fn fault(&mut self, at: Millis, what: &str) {
        self.faults.push(format!("{what}, {} ms after the start", at.0));
    }
}

/// What was seen at all of them.
#[derive(Debug)]
pub(crate) struct Ledger {
    clock: Clock,
    tokens: Vec<Token>,
    /// Tokens before this one are revoked, in the order of their numbers.
    revoked: AtomicUsize,
    seen: Vec<Mutex<Seen>>,
}

impl Ledger {
    /// Begins for gateways in these groups, at which these tokens are watched.
    pub(crate) fn new(
        clock: Clock,
        groups: impl Iterator<Item = usize>,
        tokens: Vec<Token>,
    ) -> Self {
        let verdicts = vec![Verdict::Unasked; tokens.len()];
        let seen = |group| Seen { group, verdicts: verdicts.clone(), ..Seen::default() };
        let seen = groups.map(|group| Mutex::new(seen(group))).collect();

        Self { clock, tokens, revoked: AtomicUsize::new(0), seen }
    }

    /// Returns the time.
    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Returns the tokens that are watched.
    pub(crate) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Returns whether a token is, or is about to be, revoked.
    pub(crate) fn is_revoked(&self, token: usize) -> bool {
        token < self.revoked.load(Ordering::SeqCst)
    }

    /// Counts the next token as revoked, and returns its number.
    pub(crate) fn revoke_next(&self) -> usize {
        self.revoked.fetch_add(1, Ordering::SeqCst)
    }

    /// Reads or writes what was seen at a gateway.
    pub(crate) fn with<R>(&self, gateway: usize, step: impl FnOnce(&mut Seen) -> R) -> Option<R> {
        let seen = self.seen.get(gateway)?;

        Some(step(&mut seen.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Returns what `look` finds at each of these gateways.
    pub(crate) fn each<R>(&self, which: Range<usize>, look: impl Fn(&Seen) -> R) -> Vec<R> {
        which.filter_map(|gateway| self.with(gateway, |seen| look(seen))).collect()
    }

    /// Waits until something is so at every one of these gateways, and nothing is wrong at any.
    pub(crate) async fn all(
        &self,
        which: Range<usize>,
        what: &str,
        holds: impl Fn(&Seen) -> bool,
    ) -> Result<()> {
        let mut left = 0;
        let waited = until(what, async || {
            self.faultless()?;
            left = self.each(which.clone(), &holds).into_iter().filter(|held| !held).count();
            Ok((left == 0).then_some(()))
        });
        waited.await.map_err(|error| match error.downcast::<Missed>() {
            Ok(Missed(text)) if left > 0 => Missed(format!("{text}; {left} are left")).into(),
            Ok(missed) => missed.into(),
            Err(error) => error,
        })
    }

    /// Fails where something is so at any of these gateways that must not be.
    pub(crate) fn none(
        &self,
        which: Range<usize>,
        what: &str,
        is: impl Fn(&Seen) -> bool,
    ) -> Result<()> {
        let number = self.each(which, is).into_iter().filter(|is| *is).count();
        if number > 0 {
            return Err(Missed(format!("{number} gateways {what}")).into());
        }

        Ok(())
    }

    /// Fails where something was seen that must never be.
    pub(crate) fn faultless(&self) -> Result<()> {
        for gateway in 0..self.seen.len() {
            let fault = self.with(gateway, |seen| seen.faults.first().cloned()).flatten();
            if let Some(fault) = fault {
                return Err(Missed(format!("{}: {fault}", crate::account::name(gateway))).into());
            }
        }

        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen() -> Seen {
        Seen { verdicts: vec![Verdict::Unasked; 2], ..Seen::default() }
    }

    #[test]
    fn a_token_is_refused_from_the_first_refusal_on() {
        let mut seen = seen();
        seen.answered(1, Reason::Ok, false, Millis(1));
        assert_eq!(seen.verdict(1), Verdict::Allowed);
        // By the list first, and later by the snapshot.
        seen.answered(1, Reason::Revoked, true, Millis(2));
        seen.answered(1, Reason::TokenDisabled, true, Millis(3));

        assert_eq!(seen.verdict(1), Verdict::Refused(Millis(2)));
        assert_eq!(seen.verdict(0), Verdict::Unasked);
        assert!(seen.faults.is_empty(), "{:?}", seen.faults);
    }

    #[test]
    fn a_token_that_is_allowed_again_and_one_that_is_refused_for_nothing_are_faults() {
        for (before, answer, revoked) in [
            (Reason::Revoked, Reason::Ok, true),
            (Reason::Ok, Reason::Revoked, false),
            (Reason::Ok, Reason::SnapshotExpired, true),
            (Reason::Revoked, Reason::UnknownToken, true),
        ] {
            let mut seen = seen();
            seen.answered(0, before, true, Millis(1));
            assert!(seen.faults.is_empty(), "{:?}", seen.faults);

            seen.answered(0, answer, revoked, Millis(2));
            assert_eq!(seen.faults.len(), 1, "{before}, then {answer}");
        }
    }

    #[tokio::test]
    async fn a_fault_at_any_gateway_ends_every_wait() {
        let ledger = Ledger::new(Clock::real(), [0, 0].into_iter(), Vec::new());
        ledger.with(1, |seen| seen.fault(Millis(7), "wrong"));

        let ended = ledger.all(0..1, "nothing", |_| true).await.unwrap_err();
        assert_eq!(ended.to_string(), "edge-00001: wrong, 7 ms after the start");
        let none = ledger.none(0..2, "are connected", |seen| !seen.up).unwrap_err();
        assert_eq!(none.to_string(), "2 gateways are connected");
    }
}
