//! One decision behind every dialect: question in, record on disk, answer out.
//!
//! The order is that of DOMAIN section 4. Whatever the answer is, it leaves after its record is as
//! durable as configured; where there can be no record, there is no allow (DOMAIN N7).

use core::hash::BuildHasher as _;
use core::hint::black_box;
use std::hash::RandomState;
use std::sync::{Arc, Mutex, PoisonError};

use gateward_core::audit::{Authentication, Credential, DecisionId, Method, Outcome, Source, Text};
use gateward_core::decide::{self, Ask, Class, Decision, Mode, Reason};
use gateward_core::division::{DivisionRules, Target};
use gateward_core::name::MAX_NAME;
use gateward_core::permission::Operation;
use gateward_core::principal::TokenKind;
use gateward_core::route::{self, Found, NoRoute, NormalPath, RouteOperation};
use gateward_core::snapshot::{Principal, View};
use gateward_core::time::{Millis, UnixSeconds};
use tracing::debug;

use super::answer::{Answer, Basis, Known};
use super::credential::Presented;
use super::metrics::Counters;
use super::rate::Rates;
use crate::config::Peer;
use crate::journal::{Draft, HandedOver, Journal, NotWritten, Stamp};
use crate::now::TrustedClock;
use crate::store::{Current, InForce};

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
        }
        // Where the queue is full the figure of `/metrics` counts it.
        let _room_or_not = self.0.journal.note(draft);

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
        judgement.tells_all = for_an_operator || judgement.observed;
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
                    Err(NotWritten::Full) if free => answer,
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

/// What is found out about one question, on the way to its answer and its record.
struct Judgement {
    reason: Reason,
    observed: bool,
    /// Who holds the token is told even where it is not good any more.
    tells_all: bool,
    known: Option<Known>,
    checks: Vec<(Reason, bool)>,
    basis: Option<Basis>,
    draft: Draft,
}

/// Whose allowance a request uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Allowance {
    /// That of the credential: its holder asked, and is told so.
    Credential(u64),
    /// That of the source: the public part of a token proves nothing, and whoever is told nothing
    /// must not learn from another limit that the token was good once (DOMAIN J3).
    Source(Source),
}

impl Judgement {
    fn allowance(&self, question: &Question<'_>) -> Allowance {
        match &self.known {
            Some(known) => Allowance::Credential(known.token.id),
            None => Allowance::Source(question.source),
        }
    }

    /// Returns whether it goes out although no record has room: nobody is kept from what needs no
    /// token, and nobody fills the audit with it.
    const fn needs_no_record(&self) -> bool {
        matches!(self.reason, Reason::OkPublic | Reason::PassthroughDevice)
    }

    /// Returns whether the caller is told no; where the operator only observes, nobody is.
    fn is_denied(&self) -> bool {
        !self.observed && self.reason.class() != Class::Allow
    }

    fn new(question: &Question<'_>, stamp: Stamp) -> Self {
        let mut draft = Draft::new(Outcome::Deny(Reason::Internal), stamp);
        draft.source = question.source;
        draft.request_id = Text::untrusted(question.request_id.unwrap_or_default());
        draft.resource = Text::untrusted(question.resource.unwrap_or_default());
        if let Ok(token) = question.presented.token() {
            draft.credential = Credential::Unverified(token.lookup);
        }

        Self {
            reason: Reason::Internal,
            observed: false,
            tells_all: false,
            known: None,
            checks: Vec::new(),
            basis: None,
            draft,
        }
    }

    /// Notes the snapshot that the answer rests on.
    fn rest_on(&mut self, in_force: Option<&InForce>, now: UnixSeconds) {
        let Some(in_force) = in_force else { return };
        let manifest = in_force.verified.manifest();
        let number = manifest.version().number;
        let stale = in_force.is_stale(now);
        self.basis = Some(Basis::new(number, now.since(manifest.issued_at()), stale));
        self.draft.snapshot_version = number;
        self.draft.stale = stale;
    }

    /// Finds the rule of a path, and settles what needs no token (DOMAIN section 4, steps 1 and 2).
    fn route<'f>(
        &mut self,
        question: &Question<'f>,
        view: Option<&View<'f>>,
    ) -> Result<Option<Found<'f>>, Reason> {
        let Subject::Route { method, target } = question.subject else { return Ok(None) };
        if !method.is_empty() {
            self.draft.method = Some(Method::read(method));
        }
        // Also where no rule knows it, so that a scan can be seen (DOMAIN G13).
        self.draft.path = Text::untrusted(NormalPath::of(target).as_str());
        let added = view.map(|view| view.ext().routes()).into_iter().flatten();
        let found = route::find(method, target, added).map_err(NoRoute::reason)?;
        self.draft.route = Some(found.number);
        self.draft.action =
            Text::untrusted(&format!("{}/{}", found.rule.resource, found.rule.action));
        if let RouteOperation::Needs(operation) = found.rule.operation {
            self.draft.operation = Some(operation);
        }
        match found.settles(question.presented.sent()) {
            Some(reason) => {
                if reason == Reason::PassthroughDevice {
                    self.draft.authentication = Authentication::Device;
                }
                Err(reason)
            }
            None => Ok(Some(found)),
        }
    }

    /// Decides about the token (steps 3 to 10).
    fn decide(
        &mut self,
        question: &Question<'_>,
        found: Option<&Found<'_>>,
        view: Option<&View<'_>>,
        now: UnixSeconds,
        rules: DivisionRules,
    ) -> Result<(), Reason> {
        let token = question.presented.token()?;
        let view = view.ok_or(Reason::NoSnapshot)?;
        let ask = match (&question.subject, found) {
            (Subject::Permissions { ids, operation }, _) => {
                self.draft.operation = *operation;
                let ids = ids.iter().copied();
                Ask::of_permissions(view, ids, *operation, question.division, question.mode)
            }
            (Subject::Route { .. }, Some(found)) => {
                Ask::of_route(view, found, question.division, question.mode)
            }
            (Subject::Route { .. }, None) => return Err(Reason::RouteUnknown),
        };
        if let Target::Division(index) = ask.target() {
            self.draft.division = view.division_id(index);
        }
        let decision = decide::decide(view, &ask, token, now, rules);
        self.checks = decision.failed.checks().collect();
        self.draft.permission = decision.permission;
        self.identify(&decision);
        self.reason = decision.reason;

        Ok(())
    }

    /// Writes down who acts; known only where the secret matched, and told only to whoever may be.
    fn identify(&mut self, decision: &Decision<'_>) {
        let name = in_words(decision.principal.as_ref().map_or("", Principal::name));
        let Some(principal) = &decision.principal else { return };
        let kind = principal.kind().token_kind();
        self.draft.authentication = match kind {
            TokenKind::Api => Authentication::ApiToken,
            TokenKind::Service => Authentication::ServiceUser,
        };
        self.draft.credential = Credential::Verified(decision.lookup);
        self.draft.principal = Some((principal.id(), name));
        if decision.reason.class() == Class::Authn && !self.tells_all {
            return;
        }
        self.known = Some(Known {
            kind: kind.name(),
            name: principal.name().to_owned(),
            id: principal.id(),
            token: decision.lookup,
            divisions: divisions(principal),
        });
    }

    fn finish(mut self) -> (Answer, Draft) {
        let class = self.reason.class();
        let allowed = class == Class::Allow || (self.observed && class != Class::Unavailable);
        self.draft.outcome = if self.reason == Reason::PassthroughDevice {
            Outcome::Passthrough(self.reason)
        } else if class == Class::Allow {
            Outcome::Allow(self.reason)
        } else {
            Outcome::Deny(self.reason)
        };
        if allowed && !self.needs_no_record() {
            self.draft.asked = None;
        }
        let answer = Answer {
            reason: self.reason,
            allowed,
            decision: None::<DecisionId>,
            known: self.known,
            snapshot: self.basis,
        };

        (answer, self.draft)
    }
}

/// A name for the record, nobody's too: the longest takes as long as none, so that a 401 does not tell
/// by its time that it knows somebody (DOMAIN J3).
fn in_words(name: &str) -> Text<MAX_NAME> {
    const LONGEST: &str = match str::from_utf8(&[b'x'; MAX_NAME]) {
        Ok(text) => text,
        Err(_) => "",
    };
    let spare = LONGEST.get(name.len()..).unwrap_or_default();
    let _spare = black_box(Text::<MAX_NAME>::untrusted(black_box(spare)));

    Text::untrusted(name)
}

/// Names the scope for the upstream; never empty, since proxies drop empty headers (INTERFACES
/// section 5).
fn divisions(principal: &Principal<'_>) -> String {
    if principal.reaches_all_divisions() {
        return "*".to_owned();
    }
    let ids = principal.divisions().map(|id| id.to_string()).collect::<Vec<_>>();

    if ids.is_empty() { "none".to_owned() } else { ids.join(",") }
}
