//! Figures for supervision, as Prometheus text.
//!
//! Labels are reasons, of which there is a closed list; nothing that a caller chose becomes one
//! (DOMAIN N9).

use core::fmt::Write as _;
use core::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use gateward_core::decide::Reason;

use super::health::Readiness;
use super::judge::Judge;

/// The text format of Prometheus, version 0.0.4.
const KIND: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often each reason was given.
#[derive(Debug)]
pub(super) struct Counters([AtomicU64; Reason::ALL.len()]);

impl Default for Counters {
    fn default() -> Self {
        Self([const { AtomicU64::new(0) }; Reason::ALL.len()])
    }
}

impl Counters {
    pub(super) fn count(&self, reason: Reason) {
        if let Some(counter) = self.0.get(usize::from(reason as u8)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Serves the figures and nothing else.
pub(super) fn router(judge: Judge) -> Router {
    Router::new().route("/metrics", get(metrics)).fallback(super::unknown).with_state(judge)
}

pub(super) async fn metrics(State(judge): State<Judge>) -> Response {
    ([(CONTENT_TYPE, KIND)], text(&judge)).into_response()
}

fn text(judge: &Judge) -> String {
    let mut text = String::new();
    // A string takes whatever is written to it.
    let mut gauge = |name: &str, help: &str, value: u64| {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    };
    let now = judge.clock().now().at;
    let ready = !matches!(Readiness::of(judge), Readiness::Refusing(_));
    gauge("gateward_ready", "Whether requests are answered.", u64::from(ready));
    if let Some(in_force) = judge.in_force() {
        let manifest = in_force.verified.manifest();
        let age = now.since(manifest.issued_at());
        gauge("gateward_snapshot_version", "Version in force.", manifest.version().number);
        gauge("gateward_snapshot_age_seconds", "Time since it was signed.", age);
        let left = manifest.expires_at().since(now);
        gauge("gateward_snapshot_expires_in_seconds", "Time until all is refused.", left);
        let fresh = in_force.stale_at().since(now);
        gauge("gateward_snapshot_stale_in_seconds", "Time until it is stale; 0 once it is.", fresh);
        gauge("gateward_revocation_list", "Number of the list held.", in_force.revoked.number);
        let revoked = u64::try_from(in_force.revocations).unwrap_or(u64::MAX);
        gauge("gateward_revocations", "Tokens and principals on it.", revoked);
        let missing = u64::from(in_force.missing.is_some());
        gauge("gateward_missing", "Whether a list, a snapshot or the floor is missing.", missing);
    }
    // 0 synced, 1 holdover, 2 floor, 3 unknown, as in records.
    let quality = judge.clock().now().quality as u64;
    gauge("gateward_time_quality", "How far time can be trusted; 0 is best.", quality);
    let audit = judge.journal().status();
    gauge("gateward_audit_records", "Number of the last record.", audit.seq);
    gauge("gateward_audit_backlog_records", "Records without a receipt.", audit.backlog());
    gauge("gateward_audit_bytes", "Disk that the records take.", audit.bytes);
    gauge(
        "gateward_audit_written_bytes",
        "What records cost the flash since the start.",
        audit.written,
    );
    gauge("gateward_audit_refusing", "Whether records have no room.", u64::from(audit.refusing()));

    let name = "gateward_decisions_total";
    let _ = writeln!(text, "# HELP {name} Requests by reason.\n# TYPE {name} counter");
    for (reason, counter) in Reason::ALL.iter().zip(&judge.counters().0) {
        let count = counter.load(Ordering::Relaxed);
        if count > 0 {
            let _ = writeln!(text, "{name}{{reason=\"{reason}\"}} {count}");
        }
    }

    text
}
