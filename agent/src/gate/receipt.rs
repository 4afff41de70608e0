//! `POST /v1/audit/receipt` on the admin socket: a receipt that was carried from a collector.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use tokio::sync::{mpsc, oneshot};

use super::answer::problem;
use super::body::Whole;
use crate::upload::{Heard, NotReceipted};

/// Where receipts go.
#[derive(Clone, Debug)]
pub(crate) struct Receipts(mpsc::Sender<Heard>);

impl Receipts {
    /// Hands receipts to the task that sends records.
    pub(crate) const fn new(to: mpsc::Sender<Heard>) -> Self {
        Self(to)
    }
}

pub(super) async fn receipt(State(receipts): State<Receipts>, Whole(body): Whole) -> Response {
    let (answer, answered) = oneshot::channel();
    let sent = receipts.0.send(Heard::Brought { message: body.to_vec(), answer }).await;
    let taken = if sent.is_ok() { answered.await.ok() } else { None };
    match taken {
        Some(Ok(released)) => Json(released).into_response(),
        Some(Err(why @ NotReceipted::Storage(_))) => {
            problem(StatusCode::INTERNAL_SERVER_ERROR, "storage_failed", &why.to_string())
        }
        Some(Err(why)) => {
            problem(StatusCode::UNPROCESSABLE_ENTITY, "receipt_refused", &why.to_string())
        }
        None => problem(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the agent is about to stop"),
    }
}
