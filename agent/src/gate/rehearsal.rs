//! A connection without a socket, a disk or a clock: bytes in, the answers and the records out.
//!
//! The connection, the router and the judge are those behind the decision sockets; only the journal
//! is a list. What comes out depends on nothing but what goes in, so that hostile bytes can be tried
//! by the million.

use std::sync::Arc;

use gateward_core::division::DivisionRules;
use gateward_core::time::UnixSeconds;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Semaphore, watch};

use super::judge::{Judge, Policy};
use super::listen::{self, Peer};
use crate::config;
use crate::journal::{Draft, Journal};
use crate::now::TrustedClock;
use crate::store::InForce;

/// Who connects; its word about addresses is believed.
const CALLER: u32 = 1_000;
/// How much is on its way at once.
const PIPE: usize = 64 * 1024;
/// More than anybody asks over one connection.
const PER_SECOND: u32 = 1_000_000;

/// What a caller got, and what was written down.
#[derive(Clone, Debug)]
pub struct Rehearsed {
    /// The bytes of all answers.
    pub answers: Vec<u8>,
    /// The records, before they have numbers.
    pub records: Vec<Draft>,
}

/// Sends `bytes` to the decision socket of a gateway that runs on `in_force`, at `now`, and hangs up.
pub async fn rehearse(bytes: &[u8], in_force: Option<Arc<InForce>>, now: UnixSeconds) -> Rehearsed {
    let (journal, kept) = Journal::in_memory();
    let (_keep, current) = watch::channel(in_force);
    let policy = Policy {
        rules: DivisionRules::default(),
        observe: false,
        trusted_peers: vec![config::Peer::Uid(CALLER)],
        allow_per_s: PER_SECOND,
        failed_per_s: PER_SECOND,
    };
    let router = super::decisions(Judge::new(current, journal, TrustedClock::at(now), policy));
    let limits = listen::Limits {
        connections: Arc::new(Semaphore::new(1)),
        header_timeout: core::time::Duration::from_secs(5),
    };
    let (ours, theirs) = tokio::io::duplex(PIPE);
    let (mut answers, mut questions) = tokio::io::split(ours);
    let mut answered = Vec::new();
    let ask = async {
        // Who does not like what it reads hangs up first.
        let _heard = questions.write_all(bytes).await;
        let _heard = questions.shutdown().await;
    };
    let (_, _, (), records) = tokio::join!(
        ask,
        answers.read_to_end(&mut answered),
        listen::one(theirs, Peer::Uid(CALLER), router, limits),
        kept,
    );

    Rehearsed { answers: answered, records }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_rehearsal_answers_as_the_socket_does_and_shows_the_record() {
        let head = "POST /v1/authorize HTTP/1.1\r\nhost: a\r\nx-real-ip: 192.0.2.1\r\n";
        let body = r#"{"permission": "manage_device"}"#;
        let request = format!("{head}content-length: {}\r\n\r\n{body}", body.len());

        let once = rehearse(request.as_bytes(), None, UnixSeconds(1)).await;

        let text = String::from_utf8(once.answers).unwrap();
        assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 1, "{text}");
        assert_eq!(text.matches(r#""allow":false"#).count(), 1, "{text}");
        assert_eq!(once.records.len(), 1);
        assert_eq!(once.records[0].source, gateward_core::audit::Source::V4([192, 0, 2, 1]));
    }

    #[tokio::test]
    async fn what_is_no_request_is_refused_and_leaves_no_record() {
        for bytes in [&b"\x16\x03\x01"[..], b"", b"POST /v1/authorize HTTP/1.1\r\n"] {
            let refused = rehearse(bytes, None, UnixSeconds(1)).await;

            assert!(refused.records.is_empty());
            assert!(!refused.answers.starts_with(b"HTTP/1.1 2"));
        }
    }
}
