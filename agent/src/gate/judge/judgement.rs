//! What is found out about one question: whose it is, what every check comes to, and what the record of
//! it says.

use core::hint::black_box;

use gateward_core::audit::{Authentication, Credential, DecisionId, Method, Outcome, Source, Text};
use gateward_core::decide::{self, Ask, Class, Decision, Reason};
use gateward_core::division::{DivisionRules, Target};
use gateward_core::name::MAX_NAME;
use gateward_core::principal::TokenKind;
use gateward_core::route::{self, Found, NoRoute, NormalPath, RouteOperation};
use gateward_core::snapshot::{Principal, View};
use gateward_core::time::UnixSeconds;

use super::super::answer::{Answer, Basis, Known};
use super::{Question, Subject};
use crate::journal::{Draft, Stamp};
use crate::store::InForce;

/// What is found out about one question, on the way to its answer and its record.
pub(super) struct Judgement {
    pub(super) reason: Reason,
    pub(super) observed: bool,
    /// Who holds the token is told even where it is not good any more.
    pub(super) tells_all: bool,
    pub(super) known: Option<Known>,
    pub(super) checks: Vec<(Reason, bool)>,
    pub(super) basis: Option<Basis>,
    pub(super) draft: Draft,
}

/// Whose allowance a request uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Allowance {
    /// That of the credential: its holder asked, and is told so.
    Credential(u64),
    /// That of the source: the public part of a token proves nothing, and whoever is told nothing
    /// must not learn from another limit that the token was good once (DOMAIN J3).
    Source(Source),
}

impl Judgement {
    pub(super) fn allowance(&self, question: &Question<'_>) -> Allowance {
        match &self.known {
            Some(known) => Allowance::Credential(known.token.id),
            None => Allowance::Source(question.source),
        }
    }

    /// Returns whether it goes out although no record has room: nobody is kept from what needs no
    /// token, and nobody fills the audit with it.
    pub(super) const fn needs_no_record(&self) -> bool {
        matches!(self.reason, Reason::OkPublic | Reason::PassthroughDevice)
    }

    /// Returns whether the caller is told no; where the operator only observes, nobody is.
    pub(super) fn is_denied(&self) -> bool {
        !self.observed && self.reason.class() != Class::Allow
    }

    pub(super) fn new(question: &Question<'_>, stamp: Stamp) -> Self {
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
    pub(super) fn rest_on(&mut self, in_force: Option<&InForce>, now: UnixSeconds) {
        let Some(in_force) = in_force else { return };
        let manifest = in_force.verified.manifest();
        let number = manifest.version().number;
        let stale = in_force.is_stale(now);
        self.basis = Some(Basis::new(number, now.since(manifest.issued_at()), stale));
        self.draft.snapshot_version = number;
        self.draft.stale = stale;
    }

    /// Finds the rule of a path, and settles what needs no token (DOMAIN section 4, steps 1 and 2).
    pub(super) fn route<'f>(
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
    pub(super) fn decide(
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

    pub(super) fn finish(mut self) -> (Answer, Draft) {
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
