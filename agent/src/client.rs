//! Asks the agent on this machine, over one of its Unix sockets.
//!
//! One request, one connection. Whatever answers there is not trusted to be quick or brief.

use core::time::Duration;
use std::io;
use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long an answer may take.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// How long an answer may take to something large, which a slow disk keeps twice.
const LONG_DEADLINE: Duration = Duration::from_secs(600);

/// The largest answer that is read, in bytes.
pub const MAX_BODY: usize = 4 * 1024 * 1024;

/// Asks for `path` at the agent behind `socket`; returns the status and the body.
///
/// # Errors
///
/// Returns why there is no answer. A status that means failure is an answer.
pub async fn get(socket: &Path, path: &str) -> Result<(u16, Vec<u8>), ClientError> {
    ask(socket, Request::get(path).body(Full::default())).await
}

/// Sends `body` as JSON to `path` at the agent behind `socket`; returns the status and the body.
///
/// # Errors
///
/// Returns why there is no answer. A status that means failure is an answer.
pub async fn post_json(
    socket: &Path,
    path: &str,
    body: &(impl Serialize + Sync),
) -> Result<(u16, Vec<u8>), ClientError> {
    // What was to be sent may hold a token, so the cause is not kept.
    let body = serde_json::to_vec(body).map_err(|_| ClientError::Unsendable)?;
    let request = Request::builder().method(Method::POST).uri(path);
    ask(socket, request.header(CONTENT_TYPE, "application/json").body(Full::from(body))).await
}

/// Sends `body` as it is to `path` at the agent behind `socket`; returns the status and the body.
///
/// # Errors
///
/// Returns why there is no answer. A status that means failure is an answer.
pub async fn post_bytes(
    socket: &Path,
    path: &str,
    body: Vec<u8>,
) -> Result<(u16, Vec<u8>), ClientError> {
    let request = Request::builder().method(Method::POST).uri(path);
    let request = request.header(CONTENT_TYPE, "application/octet-stream").body(Full::from(body));

    ask_within(LONG_DEADLINE, socket, request).await
}

async fn ask(
    socket: &Path,
    request: Result<Request<Full<Bytes>>, hyper::http::Error>,
) -> Result<(u16, Vec<u8>), ClientError> {
    ask_within(DEADLINE, socket, request).await
}

async fn ask_within(
    deadline: Duration,
    socket: &Path,
    request: Result<Request<Full<Bytes>>, hyper::http::Error>,
) -> Result<(u16, Vec<u8>), ClientError> {
    let mut request = request.map_err(|_| ClientError::Unsendable)?;
    request.headers_mut().insert(HOST, hyper::header::HeaderValue::from_static("localhost"));

    timeout(deadline, exchange(socket, request)).await.map_err(|_| ClientError::Late)?
}

async fn exchange(
    socket: &Path,
    request: Request<Full<Bytes>>,
) -> Result<(u16, Vec<u8>), ClientError> {
    let stream = UnixStream::connect(socket).await.map_err(|cause| {
        let socket = socket.display().to_string();
        if cause.kind() == io::ErrorKind::PermissionDenied {
            ClientError::Permission { socket, cause }
        } else {
            ClientError::NoAgent { socket, cause }
        }
    })?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(ClientError::Broken)?;
    let answer = async {
        let answer = sender.send_request(request).await.map_err(ClientError::Broken)?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), MAX_BODY).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => ClientError::Broken(*error),
            Err(error) if error.is::<LengthLimitError>() => ClientError::TooLong,
            Err(_) => ClientError::Unsendable,
        })?;
        Ok((status, body.to_bytes().into()))
    };

    // The connection moves only while it is polled, and may end with the last byte of the answer.
    tokio::pin!(answer);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = connection => answer.await,
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection broke, or what came is not HTTP.
    #[error("the agent's answer cannot be read; see its log")]
    Broken(#[source] hyper::Error),
    /// There was no answer in time.
    #[error("the agent did not answer in time; see its log")]
    Late,
    /// Nobody listens there.
    #[error("no agent at `{socket}`; start it, or name its configuration with `--config`")]
    NoAgent {
        /// The socket.
        socket: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The system does not let this user connect.
    #[error("not allowed to use `{socket}`; run this as root or as the agent's user")]
    Permission {
        /// The socket.
        socket: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The answer has more than [`MAX_BODY`] bytes.
    #[error("the agent's answer is longer than {MAX_BODY} bytes")]
    TooLong,
    /// The request is not one.
    #[error("the request cannot be sent: the path or the body is not valid")]
    Unsendable,
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::UnixListener;

    use super::*;

    /// Answers one request with `answer`, and returns what was asked.
    fn agent(answer: Vec<u8>) -> (TempDir, std::path::PathBuf, tokio::task::JoinHandle<String>) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("api.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = vec![0; 4096];
            let len = stream.read(&mut asked).await.unwrap();
            // The client may hang up on an answer that is too long.
            let _ = stream.write_all(&answer).await;
            asked.truncate(len);
            String::from_utf8(asked).unwrap()
        });
        (folder, socket, task)
    }

    #[tokio::test]
    async fn an_answer_comes_back_with_its_status() {
        let answer = b"HTTP/1.1 503 X\r\ncontent-length: 2\r\n\r\nno".to_vec();
        let (_folder, socket, task) = agent(answer);

        let (status, body) = get(&socket, "/readyz?verbose").await.unwrap();
        assert_eq!((status, body.as_slice()), (503, b"no".as_slice()));
        assert!(task.await.unwrap().starts_with("GET /readyz?verbose HTTP/1.1\r\n"));
    }

    #[tokio::test]
    async fn an_answer_that_ends_with_the_connection_is_whole() {
        let (_folder, socket, task) = agent(b"HTTP/1.1 200 OK\r\n\r\nall of it".to_vec());

        let body = serde_json::json!({ "a": 1 });
        assert_eq!(post_json(&socket, "/v1/explain", &body).await.unwrap().1, b"all of it");
        let asked = task.await.unwrap();
        assert!(asked.contains("content-type: application/json\r\n"), "{asked}");
        assert!(asked.ends_with("{\"a\":1}"), "{asked}");
    }

    #[tokio::test]
    async fn where_nobody_listens_there_is_no_agent() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("api.sock");
        assert!(matches!(get(&socket, "/").await, Err(ClientError::NoAgent { .. })));

        drop(UnixListener::bind(&socket).unwrap());
        assert!(matches!(get(&socket, "/").await, Err(ClientError::NoAgent { .. })));
    }

    #[tokio::test]
    async fn a_socket_that_is_not_for_this_user_says_so() {
        let (_folder, socket, _task) = agent(Vec::new());
        std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o000)).unwrap();

        // The system lets root in everywhere; then the empty answer is what is wrong.
        let root = rustix::process::geteuid().is_root();
        let refused = get(&socket, "/").await.unwrap_err();
        assert!(matches!(refused, ClientError::Permission { .. }) || root, "{refused}");
    }

    #[tokio::test]
    async fn what_is_not_http_is_a_bad_answer() {
        for answer in [b"hello\r\n\r\n".to_vec(), Vec::new(), b"HTTP/1.1 200 OK\r\nconte".to_vec()]
        {
            let (_folder, socket, _task) = agent(answer);
            assert!(matches!(get(&socket, "/").await, Err(ClientError::Broken(_))));
        }
        let (_folder, socket, _task) =
            agent(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort".to_vec());
        assert!(matches!(get(&socket, "/").await, Err(ClientError::Broken(_))));
    }

    #[tokio::test]
    async fn an_endless_answer_is_not_read_to_its_end() {
        let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        answer.resize(MAX_BODY + 65_536, b'x');
        let (_folder, socket, _task) = agent(answer);

        assert!(matches!(get(&socket, "/").await, Err(ClientError::TooLong)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_agent_that_hangs_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("api.sock");
        let _silent = UnixListener::bind(&socket).unwrap();

        assert!(matches!(get(&socket, "/").await, Err(ClientError::Late)));
    }
}
