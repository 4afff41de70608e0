//! The local API: one file a dialect, one decision behind all of them.
//!
//! Requests come in over sockets that [`Gate::bind`] makes before anything else runs, so that a
//! socket that cannot be had is a failed start and not a late surprise.

mod admin;
mod answer;
mod authorize;
mod batch;
mod body;
mod credential;
mod health;
mod import;
mod judge;
mod listen;
mod metrics;
mod nginx;
mod rate;
mod receipt;
mod rehearsal;
mod source;

use core::net::SocketAddr;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{any, get, post};
use thiserror::Error;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;

pub(crate) use self::admin::Subject;
pub(crate) use self::import::Imports;
pub(crate) use self::judge::{Judge, Policy};
pub(crate) use self::receipt::Receipts;
pub use self::rehearsal::{Rehearsed, rehearse};

use crate::config::{Api, Limits};
use crate::supervisor::Stop;

/// The most bytes of a body (INTERFACES section 5).
const MAX_BODY: usize = 8 * 1024;
/// The most bytes of a batch: 64 questions as long as they usually are do not fit into 8 KiB.
const MAX_BATCH: usize = 64 * 1024;
/// How many operators, and how many collectors of figures, may be connected at once.
const OPERATORS: usize = 8;
/// Decisions: whoever is in the socket's group may ask.
const API_MODE: u32 = 0o660;
/// Operators: the agent's own user only.
const ADMIN_MODE: u32 = 0o600;

/// The sockets of the local API.
#[derive(Debug)]
pub(crate) struct Gate {
    api: UnixListener,
    admin: UnixListener,
    tcp: Option<TcpListener>,
    metrics: Option<TcpListener>,
    limits: listen::Limits,
}

/// A socket of the local API cannot be had.
#[derive(Debug, Error)]
#[error(
    "`{place}` cannot be listened on; is another agent running, and may this user write there?"
)]
pub struct NoSocket {
    place: String,
    #[source]
    source: io::Error,
}

impl Gate {
    /// Makes the sockets; a caller that comes early waits for its answer.
    pub(crate) async fn bind(
        api: &Api,
        limits: &Limits,
        metrics: Option<SocketAddr>,
    ) -> Result<Self, NoSocket> {
        let unix = |path: &PathBuf, mode| {
            listen::bind_unix(path, mode)
                .map_err(|source| NoSocket { place: path.display().to_string(), source })
        };
        let connections = Arc::new(Semaphore::new(limits.connections));

        Ok(Self {
            api: unix(&api.socket, API_MODE)?,
            admin: unix(&api.admin_socket, ADMIN_MODE)?,
            tcp: bind_tcp(api.listen).await?,
            metrics: bind_tcp(metrics).await?,
            limits: listen::Limits { connections, header_timeout: limits.header_timeout },
        })
    }

    /// Answers until told to stop, then finishes what was accepted.
    pub(crate) async fn run(
        self,
        judge: Judge,
        subject: Subject,
        brought: (Imports, Receipts),
        stop: Stop,
    ) -> io::Result<()> {
        let decisions = decisions(judge.clone());
        let figures = metrics::router(judge.clone());
        let operators = admin::router(judge, subject, brought);
        // Operators are served when the others have used up every place.
        let header_timeout = self.limits.header_timeout;
        let some =
            || listen::Limits { connections: Arc::new(Semaphore::new(OPERATORS)), header_timeout };
        let (own, few) = (some(), some());
        let (stops, limits) = ((stop.clone(), stop.clone(), stop.clone()), self.limits.clone());
        let (api, admin, tcp, metrics) = tokio::join!(
            listen::serve(self.api, decisions.clone(), self.limits, stops.0),
            listen::serve(self.admin, operators, own, stops.1),
            serve_tcp(self.tcp, decisions, limits, stops.2),
            serve_tcp(self.metrics, figures, few, stop),
        );

        api.and(admin).and(tcp).and(metrics)
    }
}

async fn bind_tcp(address: Option<SocketAddr>) -> Result<Option<TcpListener>, NoSocket> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await;

    listener.map(Some).map_err(|source| NoSocket { place: address.to_string(), source })
}

async fn serve_tcp(
    listener: Option<TcpListener>,
    router: Router,
    limits: listen::Limits,
    stop: Stop,
) -> io::Result<()> {
    match listener {
        Some(listener) => listen::serve(listener, router, limits, stop).await,
        None => Ok(()),
    }
}

/// What anybody on the decision sockets may ask.
fn decisions(judge: Judge) -> Router {
    Router::new()
        .route("/v1/authorize", post(authorize::authorize))
        .route(
            "/v1/authorize/batch",
            post(batch::authorize).layer(DefaultBodyLimit::max(MAX_BATCH)),
        )
        .route("/v1/auth/nginx", any(nginx::auth_request))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/version", get(health::version))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(judge)
}

async fn wrong_method() -> Response {
    let title = "this endpoint takes another method";
    answer::problem(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", title)
}

async fn unknown() -> Response {
    answer::problem(StatusCode::NOT_FOUND, "not_found", "no such endpoint on this socket")
}
