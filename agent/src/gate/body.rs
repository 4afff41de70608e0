//! A whole body within its time and size, or a problem that says what was wrong.
//!
//! Without a limit in time one byte and a long silence would hold a place for ever (DOMAIN J10).

use core::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::Response;
use tokio::time::timeout;

use super::answer::problem;

/// How long a caller may take to send the body; the same as for the head.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience(pub(super) Duration);

/// The whole body of a request.
#[derive(Debug)]
pub(super) struct Whole(pub(super) Bytes);

impl<S: Send + Sync> FromRequest<S> for Whole {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let patience = request.extensions().get::<Patience>().map_or(Duration::ZERO, |p| p.0);
        match timeout(patience, Bytes::from_request(request, state)).await {
            Ok(Ok(body)) => Ok(Self(body)),
            Ok(Err(refused)) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let title = "the body is longer than 8 KiB, or 64 KiB for a batch";
                Err(problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large", title))
            }
            Ok(Err(_)) => {
                Err(problem(StatusCode::BAD_REQUEST, "bad_body", "the body could not be read"))
            }
            Err(_) => {
                let title = "the body did not come in time";
                Err(problem(StatusCode::REQUEST_TIMEOUT, "too_slow", title))
            }
        }
    }
}
