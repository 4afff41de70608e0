//! What was decided, and how the native dialect says it.
//!
//! A denial tells nothing but that it is one: unknown, disabled, expired and wrong secret are the
//! same bytes (DOMAIN N10). Names are told on an allow and to whoever is known but may not.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gateward_core::audit::DecisionId;
use gateward_core::decide::{Class, Reason};
use gateward_core::name::Uuid;
use gateward_core::token::Lookup;
use serde::Serialize;

/// How long whoever got no answer should wait, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// What was decided about one request.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// Why; never told to the caller.
    pub(super) reason: Reason,
    /// Whether the request may go on; where the operator only observes, that is more than `reason`
    /// says.
    pub(super) allowed: bool,
    /// Which record says so; none where there could be no record.
    pub(super) decision: Option<DecisionId>,
    /// Who acts, where the secret matched.
    pub(super) known: Option<Known>,
    /// What it was decided with.
    pub(super) snapshot: Option<Basis>,
}

/// Somebody whose secret matched.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) id: Uuid,
    pub(super) token: Lookup,
    /// The divisions for the upstream: `*`, ids joined by commas, or `none`.
    pub(super) divisions: String,
}

/// The snapshot that an answer rests on.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Basis {
    version: u64,
    age_s: u64,
    stale: bool,
}

impl Basis {
    pub(super) const fn new(version: u64, age_s: u64, stale: bool) -> Self {
        Self { version, age_s, stale }
    }
}

impl Answer {
    /// An answer that no record stands behind: nothing can be allowed now.
    pub(super) const fn unavailable(reason: Reason) -> Self {
        Self { reason, allowed: false, decision: None, known: None, snapshot: None }
    }

    /// Returns who acts where the caller may be told: on an allow, and to whoever is known but may
    /// not.
    pub(super) fn principal(&self) -> Option<&Known> {
        let told = self.allowed || self.reason.class() == Class::Authz;
        self.known.as_ref().filter(|_| told)
    }

    /// Returns whether no answer can be given now.
    pub(super) fn is_unavailable(&self) -> bool {
        !self.allowed && self.reason.class() == Class::Unavailable
    }
}

/// An answer in the native dialect.
#[derive(Serialize)]
pub(super) struct Native {
    allow: bool,
    /// The code of whatever keeps the gateway from deciding; only among several answers, alone it is
    /// a problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    unavailable: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<Principal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<Basis>,
}

#[derive(Serialize)]
struct Principal {
    kind: &'static str,
    name: String,
    id: String,
    token: String,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        if self.is_unavailable() {
            return unavailable(self.reason);
        }

        Json(Native::from(self)).into_response()
    }
}

impl From<Answer> for Native {
    fn from(answer: Answer) -> Self {
        let principal = answer.principal().map(|known| Principal {
            kind: known.kind,
            name: known.name.clone(),
            id: known.id.to_string(),
            token: known.token.to_string(),
        });

        Self {
            allow: answer.allowed,
            unavailable: answer.is_unavailable().then(|| answer.reason.name()),
            decision_id: answer.decision.map(|id| id.to_string()),
            principal,
            snapshot: answer.snapshot,
        }
    }
}

fn unavailable(reason: Reason) -> Response {
    let limited = reason == Reason::RateLimited;
    let status =
        if limited { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::SERVICE_UNAVAILABLE };
    let title = reason.text();
    let mut response = problem(status, reason.name(), title);
    response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);

    response
}

/// An error that is no decision (RFC 9457), with a code that does not change.
pub(super) fn problem(status: StatusCode, code: &str, title: &str) -> Response {
    #[derive(Serialize)]
    struct Problem<'a> {
        r#type: &'static str,
        title: &'a str,
        status: u16,
        code: &'a str,
    }
    let body = Problem { r#type: "about:blank", title, status: status.as_u16(), code };
    let mut response = (status, Json(body)).into_response();
    let kind = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);

    response
}
