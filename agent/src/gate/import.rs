//! `POST /v1/snapshot` on the admin socket: a bundle for the task that owns the store.
//!
//! It goes through a file without a name, because a gateway need not have room in memory for every
//! caller, and nothing of it is left behind whatever happens.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use gateward_core::name::Hex;
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::answer::problem;
use super::body::Patience;
use crate::store::NotImported;
use crate::store::bundle::MAX_BUNDLE;
use crate::sync::Import;

/// How many pieces of a body wait to be written.
const PIECES: usize = 4;

/// Where bundles go.
#[derive(Clone, Debug)]
pub(crate) struct Imports {
    dir: PathBuf,
    to: mpsc::Sender<Import>,
    one: Arc<Semaphore>,
}

impl Imports {
    /// Bundles are kept in `dir` until `to` has taken them, one at a time.
    pub(crate) fn new(dir: PathBuf, to: mpsc::Sender<Import>) -> Self {
        Self { dir, to, one: Arc::new(Semaphore::new(1)) }
    }
}

/// Why there is no bundle to be taken.
enum NotKept {
    Body,
    Disk(io::Error),
    Late,
    TooLong,
}

pub(super) async fn import(
    State(imports): State<Imports>,
    Extension(Patience(patience)): Extension<Patience>,
    request: Request,
) -> Response {
    let Ok(_only) = imports.one.try_acquire() else {
        let title = "another bundle is being imported; try again when that has ended";
        return problem(StatusCode::SERVICE_UNAVAILABLE, "busy", title);
    };
    let bundle = match keep(&imports.dir, request.into_body(), patience).await {
        Ok(bundle) => bundle,
        Err(not) => return not.into_response(),
    };
    let (answer, answered) = oneshot::channel();
    let sent = imports.to.send(Import { bundle, answer }).await;
    let taken = if sent.is_ok() { answered.await.ok() } else { None };
    match taken {
        Some(Ok(imported)) => Json(imported.report()).into_response(),
        Some(Err(not)) => refused(&not),
        None => problem(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the agent is about to stop"),
    }
}

fn refused(not: &NotImported) -> Response {
    let status = match not {
        NotImported::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
        NotImported::Bad(_) | NotImported::Refused(_) | NotImported::Unusable(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    };

    problem(status, not.code(), &not.to_string())
}

/// Writes a body into a file that only this process has.
async fn keep(dir: &Path, mut body: Body, patience: core::time::Duration) -> Result<File, NotKept> {
    let dir = dir.to_owned();
    let (pieces, mut written) = mpsc::channel::<Bytes>(PIECES);
    let file = spawn_blocking(move || {
        let mut file = nameless(&dir)?;
        while let Some(piece) = written.blocking_recv() {
            file.write_all(&piece)?;
        }
        Ok(file)
    });
    let mut len = 0_u64;
    loop {
        let frame = match timeout(patience, body.frame()).await {
            Ok(None) => break,
            Ok(Some(frame)) => frame.map_err(|_| NotKept::Body)?,
            Err(_) => return Err(NotKept::Late),
        };
        let Ok(piece) = frame.into_data() else { continue };
        len += piece.len() as u64;
        if len > MAX_BUNDLE {
            return Err(NotKept::TooLong);
        }
        if pieces.send(piece).await.is_err() {
            // It was not written, and the writer says why.
            break;
        }
    }
    drop(pieces);
    let file = file.await.map_err(|error| NotKept::Disk(io::Error::other(error)))?;

    file.map_err(NotKept::Disk)
}

fn nameless(dir: &Path) -> io::Result<File> {
    let mut drawn = [0; 8];
    getrandom::fill(&mut drawn).map_err(io::Error::other)?;
    let path = dir.join(format!("import-{}", Hex(&drawn)));
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;

    Ok(file)
}

impl NotKept {
    fn into_response(self) -> Response {
        match self {
            Self::Body => {
                problem(StatusCode::BAD_REQUEST, "bad_body", "the body could not be read")
            }
            Self::Disk(error) => {
                tracing::warn!(%error, "a bundle could not be kept");
                let title = "the bundle cannot be kept; make room on the disk";
                problem(StatusCode::INTERNAL_SERVER_ERROR, "storage_failed", title)
            }
            Self::Late => {
                let title = "the body did not come in time";
                problem(StatusCode::REQUEST_TIMEOUT, "too_slow", title)
            }
            Self::TooLong => {
                let title = format!("the body is longer than {MAX_BUNDLE} bytes");
                problem(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &title)
            }
        }
    }
}
