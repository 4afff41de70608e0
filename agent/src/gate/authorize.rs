//! `POST /v1/authorize`: the native dialect.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use gateward_core::decide::Mode;
use gateward_core::permission::Operation;
use serde::Deserialize;

use super::answer::problem;
use super::body::Whole;
use super::credential::Presented;
use super::judge::{Judge, Question, Subject};
use super::listen::Peer;
use super::source;

/// What a program asks. Unknown fields are refused: a misspelt `division` would ask something else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Body {
    pub(super) token: Option<String>,
    permission: Option<OneOrMore>,
    operation: Option<String>,
    method: Option<String>,
    path: Option<String>,
    division: Option<String>,
    resource: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => core::slice::from_ref(one),
            Self::More(more) => more,
        }
    }
}

/// Why a body asks nothing that could be decided.
#[derive(Debug)]
pub(super) enum BadRequest {
    /// It is not the JSON expected; only the place is told, since a body can hold a token.
    Body { line: usize, column: usize },
    /// `operation` is none of the seven.
    Operation,
    /// Neither permissions nor a path, or both.
    Subject,
}

impl BadRequest {
    /// Says where the JSON is wrong.
    pub(super) fn json(error: &serde_json::Error) -> Self {
        Self::Body { line: error.line(), column: error.column() }
    }

    /// Returns the code that does not change, and what to do.
    pub(super) fn says(&self) -> (&'static str, String) {
        match self {
            Self::Body { line, column } => (
                "bad_body",
                format!("the body is not the JSON expected here: line {line}, column {column}"),
            ),
            Self::Operation => (
                "bad_operation",
                "`operation` is read, write, delete, issue, issue_ca, revoke or approve".to_owned(),
            ),
            Self::Subject => (
                "bad_request",
                "give `permission`, or `method` and `path`, and not both".to_owned(),
            ),
        }
    }
}

impl IntoResponse for BadRequest {
    fn into_response(self) -> Response {
        let (code, title) = self.says();

        problem(StatusCode::BAD_REQUEST, code, &title)
    }
}

impl Body {
    /// Reads the body of a request.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BadRequest> {
        serde_json::from_slice(bytes).map_err(|error| BadRequest::json(&error))
    }

    /// Says what the body asks for.
    fn subject(&self) -> Result<Subject<'_>, BadRequest> {
        let operation = self.operation.as_deref().map(Operation::parse);
        match (&self.permission, &self.method, &self.path, operation) {
            (Some(_), None, None, Some(None)) => Err(BadRequest::Operation),
            (Some(ids), None, None, operation) => {
                let ids = ids.as_slice().iter().map(String::as_str).collect();
                Ok(Subject::Permissions { ids, operation: operation.flatten() })
            }
            (None, Some(method), Some(target), None) => Ok(Subject::Route { method, target }),
            _ => Err(BadRequest::Subject),
        }
    }

    /// Puts the question that the body asks, about what `presented` holds.
    pub(super) fn question<'q>(
        &'q self,
        presented: &'q Presented,
        headers: &'q HeaderMap,
        peer: Peer,
        judge: &Judge,
    ) -> Result<Question<'q>, BadRequest> {
        Ok(Question {
            presented,
            subject: self.subject()?,
            division: self.division.as_deref(),
            resource: self.resource.as_deref(),
            mode: Mode::Direct,
            source: source::of(headers, peer, judge.trusted_peers()),
            request_id: source::request_id(headers),
        })
    }
}

pub(super) async fn authorize(
    State(judge): State<Judge>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Response {
    let body = match Body::read(&body) {
        Ok(body) => body,
        Err(bad) => return bad.into_response(),
    };
    let presented = Presented::of(&headers, body.token.as_deref());

    match body.question(&presented, &headers, peer, &judge) {
        Ok(question) => judge.answer(&question).await.into_response(),
        Err(bad) => bad.into_response(),
    }
}
