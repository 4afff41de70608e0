//! Whether the agent lives, and whether it can decide: for supervisors.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::judge::Judge;

/// Whether requests are answered, and from what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Readiness {
    /// From a fresh snapshot.
    Fresh,
    /// Not at all: every keyed request is refused.
    Refusing(&'static str),
    /// From a stale snapshot: operations marked `fresh` are refused.
    Stale,
}

impl Readiness {
    pub(super) fn of(judge: &Judge) -> Self {
        let Some(in_force) = judge.in_force() else { return Self::Refusing("no_snapshot") };
        let now = judge.clock().now().at;
        if in_force.is_expired(now) {
            return Self::Refusing("snapshot_expired");
        }
        if judge.journal().status().refusing() {
            return Self::Refusing("audit_unavailable");
        }

        if in_force.is_stale(now) { Self::Stale } else { Self::Fresh }
    }

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Refusing(_) => "refusing",
            Self::Stale => "stale",
        }
    }
}

pub(super) async fn livez() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(judge): State<Judge>, RawQuery(query): RawQuery) -> Response {
    let readiness = Readiness::of(&judge);
    let status = match readiness {
        Readiness::Refusing(_) => StatusCode::SERVICE_UNAVAILABLE,
        Readiness::Fresh | Readiness::Stale => StatusCode::OK,
    };
    let mut body = format!("{}\n", readiness.word());
    if query.is_some_and(|query| query.split('&').any(|part| part == "verbose")) {
        let snapshot = judge.in_force().map_or_else(
            || "snapshot: none\n".to_owned(),
            |in_force| {
                let manifest = in_force.verified.manifest();
                format!(
                    "snapshot: version {}, expires in {} s\n",
                    manifest.version().number,
                    manifest.expires_at().since(judge.clock().now().at)
                )
            },
        );
        body.push_str(&snapshot);
        if let Some(missing) = judge.in_force().and_then(|in_force| in_force.missing) {
            body.push_str(&format!("missing: {missing}\n"));
        }
        let audit = if judge.journal().status().refusing() { "refusing" } else { "writing" };
        body.push_str(&format!("audit: {audit}\n"));
        if let Readiness::Refusing(why) = readiness {
            body.push_str(&format!("why: {why}\n"));
        }
    }

    (status, body).into_response()
}

pub(super) async fn version() -> impl IntoResponse {
    Json(json!({ "name": "gateward", "version": env!("CARGO_PKG_VERSION") }))
}
