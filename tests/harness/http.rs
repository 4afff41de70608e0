//! HTTP/1.1 as a stranger speaks it: one request, one connection, headers as they are given.
//!
//! No client library, because the scenarios send what a library would refuse or tidy up.

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(20);

/// Where a server listens.
#[derive(Clone, Debug)]
pub enum At {
    /// A port on loopback.
    Port(u16),
    /// A Unix socket.
    Socket(PathBuf),
}

impl From<&Path> for At {
    fn from(path: &Path) -> Self {
        Self::Socket(path.to_owned())
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in small letters, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// All of it, as it came.
    pub raw: Vec<u8>,
}

impl Answer {
    /// Returns the value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("not JSON: {error}: {} {}", self.status, self.text()))
    }
}

/// Sends one request and reads all of its answer.
///
/// # Errors
///
/// Nobody listens, or what comes back is not HTTP.
pub fn send(
    at: &At,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let mut request =
        format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        request.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    let mut request = request.into_bytes();
    request.extend_from_slice(body);

    match at {
        At::Port(port) => {
            let stream = TcpStream::connect(("127.0.0.1", *port))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(stream, &request, method)
        }
        At::Socket(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(stream, &request, method)
        }
    }
}

fn exchange(mut stream: impl Read + Write, request: &[u8], method: &str) -> io::Result<Answer> {
    // A server may answer and close before it has read all of a request that it refuses.
    let sent = stream.write_all(request);
    let mut raw = Vec::new();
    let read = stream.read_to_end(&mut raw);
    if raw.is_empty() {
        sent?;
        read?;
    }

    parse(raw, method == "HEAD").ok_or_else(|| io::Error::other("not an HTTP answer"))
}

fn parse(raw: Vec<u8>, bare: bool) -> Option<Answer> {
    let end = raw.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, rest) = raw.split_at_checked(end)?;
    let head = String::from_utf8_lossy(head).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = rest.get(4..)?;
    let value = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, v)| v);
    let body = if bare {
        Vec::new()
    } else if value("transfer-encoding").is_some_and(|value| value == "chunked") {
        dechunk(rest)?
    } else {
        let length = value("content-length").and_then(|value| value.parse::<usize>().ok());
        rest.get(..length.unwrap_or(rest.len()))?.to_vec()
    };

    Some(Answer { status, headers, body, raw })
}

fn dechunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = core::str::from_utf8(rest.get(..end)?).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let start = end.checked_add(2)?;
        let stop = start.checked_add(size)?;
        body.extend_from_slice(rest.get(start..stop)?);
        rest = rest.get(stop.checked_add(2)?..)?;
    }
}
