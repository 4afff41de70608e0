//! Seeds for the parsers of the agent.

use gateward_core::audit::{
    Authentication, Credential, Event, MAX_RECORD, Method, Outcome, Record, SnapshotName, Source,
    UnixMillis, Who,
};
use gateward_core::decide::Reason;
use gateward_core::name::{Hex, Uuid};
use gateward_core::permission::{Operation, Permission};
use gateward_core::token::Lookup;

use super::{Named, way};
use crate::fixture::fixture;

/// A record with every field.
fn full_record() -> Vec<u8> {
    let record = Record {
        seq: 1,
        boot: 1,
        created_at: UnixMillis(1_795_000_000_000),
        authentication: Authentication::ApiToken,
        principal: Some(Who { id: Uuid([5; 16]), name: "ana.ruiz" }),
        credential: Credential::Verified(Lookup { kind: 1, id: 77 }),
        action: Some("certificate/request"),
        operation: Some(Operation::Read),
        permission: Permission::new(7),
        division: Some(Uuid([6; 16])),
        resource: Some("x"),
        method: Some(Method::read("GET")),
        path: Some("/a/b"),
        snapshot_version: 300,
        snapshot: Some(SnapshotName { epoch: 1, number: 300, root: [4; 32] }),
        source: Source::V4([192, 0, 2, 1]),
        request_id: Some("r-1"),
        route: Some(3),
        count: 2,
        span: Some((1, 2)),
        dropped_before: 1,
        ..Record::new(Outcome::Allow(Reason::Ok))
    };
    let mut buffer = [0; MAX_RECORD];
    let len = record.encode(&mut buffer).expect("a record fits");

    buffer.get(..len).unwrap_or_default().to_vec()
}

pub(super) fn audit() -> Named {
    let full = full_record();
    let event = |seq| {
        let record = Record { seq, ..Record::new(Outcome::Event(Event::Start)) };
        let mut buffer = [0; MAX_RECORD];
        let len = record.encode(&mut buffer).expect("a record fits");
        let len_bytes = u16::try_from(len).unwrap_or(0).to_le_bytes();
        [&len_bytes, buffer.get(..len).unwrap_or_default()].concat()
    };
    let head = [0, 0, 1, 2, 3, 4, 0];
    let three = [&head[..], &event(1), &event(2), &event(3)].concat();
    let gap = [&head[..], &event(1), &event(3)].concat();
    let mut bare = crate::audit::framed_bytes(&three);
    let segment = bare.clone();
    bare.truncate(segment.len() - 5);

    vec![
        ("record", way(0, &full)),
        ("segment", way(1, &segment)),
        ("segment-cut", way(1, &bare)),
        ("three", way(2, &three)),
        ("gap", way(2, &gap)),
        ("opened", way(3, &[&[0, 0, 0], &three[..]].concat())),
        ("opened-gap", way(3, &[&[0, 0, 0], &gap[..]].concat())),
        ("opened-with-marks", way(3, &[&[1, 3, 0, 9, 1, 3, 0, 9, 0], &three[..]].concat())),
    ]
}

pub(super) fn request() -> Named {
    let token = fixture().tokens().first().cloned().unwrap_or_default();
    let token = String::from_utf8(token).unwrap_or_default();
    let post = |headers: &str, body: &str| {
        let len = body.len();
        let head = "POST /v1/authorize HTTP/1.1\r\nhost: a\r\n";
        way(0, format!("{head}{headers}content-length: {len}\r\n\r\n{body}").as_bytes())
    };
    let get = |headers: &str| {
        way(0, format!("GET /v1/auth/nginx HTTP/1.1\r\nhost: a\r\n{headers}\r\n").as_bytes())
    };
    let path = "x-original-method: GET\r\nx-original-uri: /iot/api/v2/device?division_id=A\r\n";
    let both =
        format!(r#"{{"token":"{token}","permission":["manage_device"],"operation":"read"}}"#);
    let routed = format!(
        r#"{{"token":"{token}","method":"POST","path":"/net/d1d1d1d1-d1d1-d1d1-d1d1-d1d1d1d1d1d1/scan"}}"#
    );
    let id = Hex(&[0xd1; 4]);

    vec![
        ("body-token", post("", &both)),
        ("body-path", post("", &routed)),
        ("header-token", post(&format!("x-api-key: {token}\r\n"), r#"{"permission":"scan"}"#)),
        ("two-tokens", post(&format!("x-api-key: {token}\r\n"), &both)),
        ("no-json", post("", "{\"token\":")),
        ("nginx-path", get(&format!("authorization: Bearer {token}\r\n{path}"))),
        ("nginx-permission", get(&format!(
            "x-api-key: {token}\r\nx-gateward-permission: manage_device\r\nx-gateward-division: A\r\n"
        ))),
        ("nginx-both", get(&format!("x-gateward-division: {id}\r\n{path}"))),
        ("chunked", way(0, b"POST /v1/authorize HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")),
        ("written", way(1, &[0, 2, 0, 128, 8, 9, b'1', b'9', b'2', b'.', b'0', b'.', b'2', b'.', b'1', 2, 0, b'{', b'}'])),
        ("written-nginx", way(1, &[1, 3, 1, 192, 3, 3, b'G', b'E', b'T', 4, 4, b'/', b'a', b'/', b'b', 0, 0])),
    ]
}
