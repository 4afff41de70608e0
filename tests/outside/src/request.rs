//! A connection to the decision socket, byte for byte: head, headers, JSON, and nginx's dialect.

use std::sync::{Arc, OnceLock};

use gateward_agent::store::InForce;
use gateward_agent::{Rehearsed, rehearse};
use gateward_core::audit::{Credential, MAX_RECORD, Outcome, Record};
use gateward_core::decide::Reason;
use gateward_core::snapshot;
use gateward_core::token::Token;
use tokio::runtime::Runtime;

use crate::fixture::fixture;
use crate::{Input, cast, heap};

/// A connection may cost this much, and so much more for each byte.
const ONCE: usize = 1 << 20;
const EACH: usize = 1 << 10;

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.way(2) {
        0 => asked(input.rest()),
        _ => asked(&written(input)),
    }
}

/// Sends `bytes` and hangs up.
fn asked(bytes: &[u8]) {
    let limit = ONCE + EACH * bytes.len();
    let in_force = Some(Arc::clone(in_force()));
    let rehearsed =
        heap::within(limit, || runtime().block_on(rehearse(bytes, in_force, cast::NOW)));
    let Rehearsed { answers, records } = rehearsed;
    let answers = String::from_utf8_lossy(&answers);
    let told = answers.matches("\r\n\r\n{\"allow\":true").count()
        + answers.matches("HTTP/1.1 204 ").count();
    let kept = records.iter().filter(|draft| is_allowed(draft.outcome)).count();
    assert!(told <= kept, "an allow without its record:\n{answers}");
    assert!(!answers.contains("HTTP/1.1 500"), "an answer that nobody meant:\n{answers}");

    for draft in &records {
        let record = draft.record(1, 1, 0);
        let mut buffer = [0; MAX_RECORD];
        let len = record.encode(&mut buffer).expect("every record fits");
        let read = Record::decode(buffer.get(..len).unwrap_or_default());
        assert_eq!(read, Ok(record), "a record that cannot be read again");
        if draft.outcome == Outcome::Allow(Reason::Ok) {
            let Credential::Verified(lookup) = draft.credential else { panic!("{draft:?}") };
            let known = fixture().tokens().iter().filter_map(|text| Token::read(text).ok());
            assert!(known.into_iter().any(|token| token.lookup == lookup), "{draft:?}");
        }
        no_secret(&String::from_utf8_lossy(&buffer));
    }
    no_secret(&answers);
}

const fn is_allowed(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Allow(_) | Outcome::Passthrough(_))
}

/// The secret part of a token is neither told nor written down.
fn no_secret(text: &str) {
    for token in fixture().tokens() {
        let secret =
            core::str::from_utf8(token).ok().and_then(|text| text.get(18..)).expect("ours");
        assert!(!text.contains(secret), "a secret got out: {text}");
    }
}

/// Paths, headers and what they may hold, each picked by a byte.
const LINES: [&str; 5] = [
    "POST /v1/authorize HTTP/1.1",
    "GET /v1/auth/nginx HTTP/1.1",
    "GET /readyz HTTP/1.1",
    "POST /v1/authorize?a=b HTTP/1.0",
    "PUT /v1/explain HTTP/1.1",
];
const NAMES: [&str; 13] = [
    "x-api-key",
    "authorization",
    "x-passcode",
    "x-original-method",
    "x-original-uri",
    "x-gateward-permission",
    "x-gateward-operation",
    "x-gateward-division",
    "x-real-ip",
    "x-forwarded-for",
    "x-request-id",
    "connection",
    "expect",
];

/// Requests whose heads can be read, so that the search is about what they say.
fn written(mut input: Input<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let line = LINES.get(usize::from(input.byte()) % LINES.len()).expect("a line");
        bytes.extend(format!("{line}\r\nhost: a\r\n").bytes());
        for _ in 0..input.byte() % 8 {
            let name = NAMES.get(usize::from(input.byte()) % NAMES.len()).expect("a name");
            bytes.extend(format!("{name}: ").bytes());
            bytes.extend(value(&mut input));
            bytes.extend(b"\r\n");
        }
        let len = input.u16();
        let body = input.bytes(usize::from(len % 1_024));
        bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes());
        bytes.extend(body);
        if input.is_over() || bytes.len() > 8_192 {
            return bytes;
        }
    }
}

/// Up to 127 bytes; or a token of the fixture, whole or after `Bearer`.
fn value(input: &mut Input<'_>) -> Vec<u8> {
    let len = input.byte();
    if len < 128 {
        return input.bytes(usize::from(len)).to_vec();
    }
    let texts = fixture().tokens();
    let text = texts.get(usize::from(len & 63) % texts.len()).cloned().unwrap_or_default();

    if len & 64 == 0 { text } else { [&b"Bearer "[..], &text].concat() }
}

fn in_force() -> &'static Arc<InForce> {
    static IN_FORCE: OnceLock<Arc<InForce>> = OnceLock::new();

    IN_FORCE.get_or_init(|| {
        let file: Arc<[u8]> = fixture().bytes().into();
        let manifest = cast::manifest(&file, 15).expect("a file of ours");
        let verified = snapshot::open(file, manifest).expect("a file of ours");
        Arc::new(InForce::alone(verified, cast::NOW).expect("a snapshot of ours"))
    })
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();

    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
    })
}
