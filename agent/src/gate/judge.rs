//! One decision behind every dialect: question in, record on disk, answer out.
//!
//! The order is that of DOMAIN section 4. Whatever the answer is, it leaves after its record is as
//! durable as configured; where there can be no record, there is no allow (DOMAIN N7).

mod judgement;

use core::hash::BuildHasher as _;
use std::hash::RandomState;
use std::sync::{Arc, Mutex, PoisonError};

use gateward_core::audit::Source;
use gateward_core::decide::{Mode, Reason};
use gateward_core::division::DivisionRules;
use gateward_core::permission::Operation;
use gateward_core::time::Millis;
use tracing::debug;

use super::answer::{Answer, Known};
use super::credential::Presented;
use super::metrics::Counters;
use super::rate::Rates;
use crate::config::Peer;
use crate::journal::{HandedOver, Journal, NotWritten, Stamp};
use crate::now::TrustedClock;
use crate::store::{Current, InForce};
use judgement::{Allowance, Judgement};

/// What somebody asks about a credential.
#[derive(Debug)]
pub(super) struct Question<'q> {
    pub(super) presented: &'q Presented,
    pub(super) subject: Subject<'q>,
    pub(super) division: Option<&'q str>,
    pub(super) resource: Option<&'q str>,
    pub(super) mode: Mode,
    pub(super) source: Source,
    pub(super) request_id: Option<&'q str>,
}

impl Question<'_> {
    /// A number for all that is asked, as it was sent; who asks and with which credential is not in
    /// it. What the snapshot makes of it, a division's id for one, is nothing that a sender knows.
    fn number(&self, numbers: &RandomState) -> u64 {
        let subject = match &self.subject {
            Subject::Permissions { ids, operation } => (Some((ids, operation)), None),
            Subject::Route { method, target } => (None, Some((method, target))),
        };

        numbers.hash_one((subject, self.division, self.resource, self.mode == Mode::Direct))
    }
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Subject<'q> {
    /// What any of these permissions grants.
    Permissions { ids: Vec<&'q str>, operation: Option<Operation> },
    /// What a request to the upstream does.
    Route { method: &'q str, target: &'q str },
}

/// Decides, and writes it down.
#[derive(Clone, Debug)]
pub(crate) struct Judge(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    current: Current,
    journal: Journal,
    clock: TrustedClock,
    policy: Policy,
    counters: Counters,
    /// Of credentials whose secret matched.
    known: Mutex<Rates<u64>>,
    /// Of sources, for everything else.
    unknown: Mutex<Rates<Source>>,
    /// Drawn at the start, so that nobody can bring about that two questions have one number.
    numbers: RandomState,
}

/// The most credentials, and the most sources, that have an allowance of their own.
const MOST_CALLERS: usize = 16_384;

/// What the operator of this gateway decides.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) rules: DivisionRules,
    /// Lets denied requests pass, where the signed manifest permits that.
    pub(crate) observe: bool,
    pub(crate) trusted_peers: Vec<Peer>,
    /// Allows a second for one credential.
    pub(crate) allow_per_s: u32,
    /// Failed attempts a second from one source.
    pub(crate) failed_per_s: u32,
}

impl Judge {
    pub(crate) fn new(
        current: Current,
        journal: Journal,
        clock: TrustedClock,
        policy: Policy,
    ) -> Self {
        let known = Mutex::new(Rates::new(policy.allow_per_s, MOST_CALLERS));
        let unknown = Mutex::new(Rates::new(policy.failed_per_s, MOST_CALLERS));
        let counters = Counters::default();

        let numbers = RandomState::new();

        Self(Arc::new(Inner { current, journal, clock, policy, counters, known, unknown, numbers }))
    }

    pub(super) fn trusted_peers(&self) -> &[Peer] {
        &self.0.policy.trusted_peers
    }

    /// Returns the snapshot in force, which a caller uses for all of one answer (DOMAIN H21).
    pub(super) fn in_force(&self) -> Option<Arc<InForce>> {
        self.0.current.borrow().clone()
    }

    pub(super) fn clock(&self) -> &TrustedClock {
        &self.0.clock
    }

    pub(super) fn journal(&self) -> &Journal {
        &self.0.journal
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Decides about one request, and answers once its record is kept.
    pub(super) async fn answer(&self, question: &Question<'_>) -> Answer {
        self.begin(question).await.end(self).await
    }

    /// Decides about one request, and hands its record over.
    pub(super) async fn begin(&self, question: &Question<'_>) -> Begun {
        let judgement = self.weigh(question, false);
        let now = judgement.draft.stamp.mono;
        let within = match judgement.allowance(question) {
            Allowance::Credential(id) => take(&self.0.known, id, now),
            Allowance::Source(source) => take(&self.0.unknown, source, now),
        };
        // Who only observes denies nobody for being fast; the audit bounds itself.
        if within || judgement.observed {
            self.record(judgement).await
        } else {
            Begun::Settled(self.beyond(judgement))
        }
    }

    /// Answers whoever asks too fast: nobody waits for its record, which is counted with others.
    fn beyond(&self, judgement: Judgement) -> Answer {
        let (free, is_known) = (judgement.needs_no_record(), judgement.known.is_some());
        let (mut answer, mut draft) = judgement.finish();
        if !free {
            answer = Answer::unavailable(Reason::RateLimited);
            draft = draft.rate_limited(is_known);
        } else if self.0.journal.keeps_nothing() {
            // As whoever waits for his record is told.
            answer = Answer::unavailable(Reason::AuditUnavailable);
        }
        self.0.journal.note_or_count(draft);

        answer
    }

    async fn record(&self, judgement: Judgement) -> Begun {
        let (free, denied) = (judgement.needs_no_record(), judgement.is_denied());
        let (answer, draft) = judgement.finish();
        let record = self.0.journal.hand_over(draft).await;

        Begun::Recorded { answer, record, free, denied }
    }

    /// Says what every check comes to; nothing is written, since nothing is let through.
    pub(super) fn explain(&self, question: &Question<'_>) -> Explained {
        let judgement = self.weigh(question, true);

        Explained { reason: judgement.reason, checks: judgement.checks, known: judgement.known }
    }

    /// Weighs everything; an operator is told all that is found out, whatever comes of it.
    fn weigh(&self, question: &Question<'_>, for_an_operator: bool) -> Judgement {
        let in_force = self.in_force();
        let now = self.0.clock.now();
        let mut judgement = Judgement::new(question, self.stamp());
        judgement.draft.asked = Some(question.number(&self.0.numbers));
        let may_observe =
            in_force.as_deref().is_some_and(|held| held.verified.manifest().allow_observe());
        judgement.observed = self.0.policy.observe && may_observe;
        // Whom nobody authenticated acts for nobody, also where he is let through to be observed.
        judgement.tells_all = for_an_operator;
        judgement.rest_on(in_force.as_deref(), now.at);
        let view = in_force.as_deref().map(|in_force| in_force.view());
        let decided = judgement.route(question, view.as_ref()).and_then(|found| {
            judgement.decide(question, found.as_ref(), view.as_ref(), now.at, self.0.policy.rules)
        });
        if let Err(reason) = decided {
            judgement.reason = reason;
        }

        judgement
    }

    fn stamp(&self) -> Stamp {
        self.0.clock.stamp()
    }
}

/// A decision whose answer may not leave yet.
#[derive(Debug)]
pub(super) enum Begun {
    /// Nothing is waited for.
    Settled(Answer),
    /// The record has to be kept first.
    Recorded {
        answer: Answer,
        record: Result<HandedOver, NotWritten>,
        /// It goes out although no record has room.
        free: bool,
        /// The caller is told no.
        denied: bool,
    },
}

impl Begun {
    /// Waits for the record; where that cannot be kept, only what no token decided goes out.
    pub(super) async fn end(self, judge: &Judge) -> Answer {
        let answer = match self {
            Self::Settled(answer) => answer,
            Self::Recorded { mut answer, record, free, denied } => {
                let written = match record {
                    Ok(record) => record.written().await,
                    Err(error) => Err(error),
                };
                match written {
                    Ok(written) => {
                        answer.decision = Some(written.decision_id);
                        answer
                    }
                    Err(NotWritten::Bounded) if free || denied => answer,
                    Err(NotWritten::Full | NotWritten::NoSpace) if free => answer,
                    Err(error) => {
                        debug!(%error, "a request was refused because its record was not kept");
                        Answer::unavailable(Reason::AuditUnavailable)
                    }
                }
            }
        };
        judge.0.counters.count(answer.reason);

        answer
    }
}

/// A poisoned allowance is still an allowance.
fn take<K: Ord>(rates: &Mutex<Rates<K>>, caller: K, now: Millis) -> bool {
    rates.lock().unwrap_or_else(PoisonError::into_inner).take(caller, now)
}

/// Every check of one question, for operators.
#[derive(Debug)]
pub(super) struct Explained {
    pub(super) reason: Reason,
    pub(super) checks: Vec<(Reason, bool)>,
    pub(super) known: Option<Known>,
}
