//! The admin socket: what this gateway runs on, and why a request is decided as it is.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use gateward_core::name::Hex;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::authorize::Body;
use super::body::Whole;
use super::credential::Presented;
use super::health::{self, Readiness};
use super::import::{self, Imports};
use super::judge::Judge;
use super::listen::Peer;
use super::receipt::{self, Receipts};
use super::{MAX_BODY, metrics};
use crate::store::Missing;

/// What the status is about, beside what a decision needs.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// The names of this gateway.
    pub(crate) account: String,
    pub(crate) group: String,
    pub(crate) gateway: String,
    /// Which start of the agent this is.
    pub(crate) boot: u32,
    /// Whether the broker is connected.
    pub(crate) connected: watch::Receiver<bool>,
}

#[derive(Clone)]
struct Admin {
    judge: Judge,
    subject: Arc<Subject>,
}

pub(super) fn router(
    judge: Judge,
    subject: Subject,
    (imports, receipts): (Imports, Receipts),
) -> Router {
    let admin = Admin { judge: judge.clone(), subject: Arc::new(subject) };

    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/explain", post(explain))
        .with_state(admin)
        .route("/v1/audit/receipt", post(receipt::receipt).with_state(receipts))
        // What it takes has a bound of its own.
        .merge(Router::new().route("/v1/snapshot", post(import::import)).with_state(imports))
        .merge(
            Router::new()
                .route("/livez", get(health::livez))
                .route("/readyz", get(health::readyz))
                .route("/version", get(health::version))
                .route("/metrics", get(metrics::metrics))
                .with_state(judge),
        )
        .fallback(super::unknown)
        .method_not_allowed_fallback(super::wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
}

async fn status(State(Admin { judge, subject }): State<Admin>) -> Json<Value> {
    let now = judge.clock().now();
    let snapshot = judge.in_force().map(|in_force| {
        let manifest = in_force.verified.manifest();
        let view = in_force.verified.view();
        json!({
            "version": manifest.version().number,
            "epoch": manifest.version().epoch,
            "root": Hex(&manifest.root().0).to_string(),
            "issued_at": manifest.issued_at().0,
            "age_s": now.at.since(manifest.issued_at()),
            "stale_at": in_force.stale_at().0,
            "expires_at": manifest.expires_at().0,
            "stale": in_force.is_stale(now.at),
            "tokens": view.token_count(),
            "principals": view.principal_count(),
            "floor_rebuilt": in_force.missing == Some(Missing::Floor),
            "missing": in_force.missing.map(|missing| missing.to_string()),
            "revoked": {
                "epoch": in_force.revoked.epoch,
                "counter": in_force.revoked.number,
                "entries": in_force.revocations,
            },
        })
    });
    let audit = judge.journal().status();

    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "account": subject.account,
        "group": subject.group,
        "gateway": subject.gateway,
        "boot": subject.boot,
        "state": Readiness::of(&judge).word(),
        "time": { "now": now.at.0, "quality": now.quality.name() },
        "link": if *subject.connected.borrow() { "up" } else { "down" },
        "snapshot": snapshot,
        "audit": {
            "seq": audit.seq,
            "head": Hex(&audit.head.0).to_string(),
            "backlog": audit.backlog(),
            "bytes": audit.bytes,
            "written_per_day": audit.written_per_day(judge.clock().stamp().mono),
            "refusing": audit.refusing(),
            "problem": audit.problem(),
        },
    }))
}

/// Answers a question of `/v1/authorize` with every check; nothing is let through, so nothing is
/// written down.
async fn explain(
    State(Admin { judge, .. }): State<Admin>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    Whole(body): Whole,
) -> Response {
    let body = match Body::read(&body) {
        Ok(body) => body,
        Err(bad) => return bad.into_response(),
    };
    let presented = Presented::of(&headers, body.token.as_deref());
    let question = match body.question(&presented, &headers, peer, &judge) {
        Ok(question) => question,
        Err(bad) => return bad.into_response(),
    };
    let explained = judge.explain(&question);
    let checks = explained.checks.iter().map(|(reason, passed)| {
        let means = (!passed).then(|| reason.text());
        json!({ "check": reason.name(), "passed": passed, "means": means })
    });
    let principal = explained.known.as_ref().map(|known| {
        json!({
            "kind": known.kind,
            "name": known.name,
            "id": known.id.to_string(),
            "token": known.token.to_string(),
            "divisions": known.divisions,
        })
    });

    Json(json!({
        "allow": explained.reason.class() == gateward_core::decide::Class::Allow,
        "reason": explained.reason.name(),
        "means": explained.reason.text(),
        "principal": principal,
        "checks": checks.collect::<Vec<_>>(),
    }))
    .into_response()
}
