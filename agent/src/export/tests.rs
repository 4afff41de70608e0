//! What the exports look like, held against files, and what no text from outside can do to them.

use std::fs;
use std::path::Path;

use gateward_core::audit::{
    Authentication, Credential, Event, Head, Method, Outcome, Record, SnapshotName, Source, Text,
    UnixMillis, Who,
};
use gateward_core::decide::Reason;
use gateward_core::name::Uuid;
use gateward_core::permission::{Entry, Operation, Permission};
use gateward_core::principal::TokenKind;
use gateward_core::time::Millis;
use gateward_core::token::{Lookup, Secret, write};
use gateward_core::trust::{GatewayId, Incarnation};
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::journal::json::Origin;

const ORIGIN: Origin = Origin {
    account: Uuid([0x11; 16]),
    gateway: GatewayId([0x22; 16]),
    incarnation: Incarnation([0x33; 8]),
};
const SNAPSHOT: SnapshotName = SnapshotName { epoch: 1, number: 7, root: [0xab; 32] };

fn exported(record: &Record<'_>, form: As) -> String {
    line(&Line::of(record, &ORIGIN, Some(SNAPSHOT), &Head([0xcd; 32])), form)
}

fn decision(outcome: Outcome) -> Record<'static> {
    Record {
        boot: 2,
        created_at: UnixMillis(1_700_000_000_005),
        mono: Millis(61_000),
        snapshot_version: 7,
        ..Record::new(outcome)
    }
}

fn permission(id: &str) -> Option<Permission> {
    Entry::named(id).map(|entry| entry.permission)
}

/// One of each kind that looks different.
fn samples() -> Vec<Record<'static>> {
    let ana = Who { id: Uuid([3; 16]), name: "ana.ruiz" };
    let allowed = Record {
        authentication: Authentication::ApiToken,
        principal: Some(ana),
        credential: Credential::Verified(Lookup { kind: 1, id: 5 }),
        action: Some("certificate/renew"),
        operation: Some(Operation::Issue),
        permission: permission("manage_certificate"),
        division: Some(Uuid([4; 16])),
        method: Some(Method::Put),
        path: Some("/iot/api/v1/certificate/77/renew"),
        source: Source::V4([10, 0, 0, 7]),
        request_id: Some("a1b2"),
        route: Some(9),
        ..decision(Outcome::Allow(Reason::Ok))
    };
    let by_a_service = Record {
        authentication: Authentication::ServiceUser,
        principal: Some(Who { name: "MES | sync = \\", ..ana }),
        credential: Credential::Verified(Lookup { kind: 2, id: 6 }),
        operation: Some(Operation::Write),
        permission: permission("manage_device"),
        resource: Some("device/123\nCEF:0|x|"),
        stale: true,
        source: Source::Uid(33),
        ..decision(Outcome::Deny(Reason::PermissionMissing))
    };
    let unknown = Record {
        credential: Credential::Unverified(Lookup { kind: 1, id: 7 }),
        source: Source::V6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        count: 12,
        ..decision(Outcome::Deny(Reason::BadSecret))
    };
    let passed = Record {
        authentication: Authentication::Device,
        method: Some(Method::Post),
        path: Some("/.well-known/est/simpleenroll"),
        ..decision(Outcome::Passthrough(Reason::PassthroughDevice))
    };
    let asked = Record {
        action: Some("introspect"),
        method: None,
        path: None,
        route: None,
        operation: None,
        permission: None,
        ..allowed
    };
    let started = decision(Outcome::Event(Event::Start));
    let accepted =
        Record { snapshot: Some(SNAPSHOT), ..decision(Outcome::Event(Event::SnapshotAccepted)) };
    let gap = Record {
        resource: Some("missing at start"),
        span: Some((3, 9)),
        ..decision(Outcome::Event(Event::Gap))
    };
    let all = [allowed, by_a_service, unknown, passed, asked, started, accepted, gap];

    all.into_iter().zip(1..).map(|(record, seq)| Record { seq, ..record }).collect()
}

#[test]
fn each_form_is_the_one_on_file() {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/export/golden");
    for (form, name) in
        [(As::Jsonl, "records.jsonl"), (As::Ocsf, "records.ocsf"), (As::Cef, "records.cef")]
    {
        let lines: String = samples()
            .iter()
            .map(|record| exported(record, form).replace(VERSION, "VERSION") + "\n")
            .collect();
        let on_file = fs::read_to_string(files.join(name)).unwrap_or_default();
        assert!(lines == on_file, "{name} would be\n{lines}");
    }
}

#[test]
fn an_ocsf_event_has_what_its_class_requires() {
    for record in samples() {
        let event: Value = serde_json::from_str(&exported(&record, As::Ocsf)).unwrap();
        let class = event["class_uid"].as_u64().unwrap();
        let (category, own): (_, &[&str]) = match class {
            6003 => (6, &["/actor/user/name", "/api/operation", "/src_endpoint"]),
            3002 => (3, &["/user/name", "/user/uid", "/service/name"]),
            6002 => (6, &["/app/name", "/app/vendor_name"]),
            other => panic!("class {other}"),
        };
        let all = [
            "/activity_id",
            "/severity_id",
            "/time",
            "/metadata/version",
            "/metadata/product/name",
        ];
        for required in all.iter().chain(own) {
            assert!(event.pointer(required).is_some(), "{class} lacks {required}");
        }
        let activity = event["activity_id"].as_u64().unwrap();
        assert_eq!(event["category_uid"], category);
        assert_eq!(event["type_uid"], class * 100 + activity);
        assert_eq!(event["time"], 1_700_000_000_005_u64);
    }
}

#[test]
fn n7_a_record_whose_secret_did_not_match_names_no_user_in_any_form() {
    let unknown = &samples()[2];
    let event: Value = serde_json::from_str(&exported(unknown, As::Ocsf)).unwrap();
    let cef = exported(unknown, As::Cef);

    assert_eq!(event["actor"]["user"]["type_id"], 0);
    assert!(event["actor"]["user"].get("credential_uid").is_none());
    assert!(event["unmapped"]["credential_id"].as_str().unwrap().starts_with("unverified:"));
    assert!(!cef.contains("suser=") && cef.contains("cs1=unverified:"), "{cef}");
}

/// The fields of a header, and keys with their values.
type Cef = (Vec<String>, Vec<(String, String)>);

/// Reads a line as the published rules say; none where it is no line of that form.
fn read_cef(line: &str) -> Option<Cef> {
    let (mut fields, mut field, mut chars) = (Vec::new(), String::new(), line.chars());
    while fields.len() < 7 {
        match chars.next()? {
            '\\' => field.push(chars.next().filter(|next| "|\\".contains(*next))?),
            '|' => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    let (mut pairs, mut text) = (Vec::<(String, String)>::new(), String::new());
    while let Some(next) = chars.next() {
        match next {
            '\\' => text.push(match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                same @ ('\\' | '=') => same,
                _ => return None,
            }),
            '=' => {
                let (before, key) = text.rsplit_once(' ').unwrap_or(("", &text));
                if let Some((_, value)) = pairs.last_mut() {
                    before.clone_into(value);
                }
                pairs.push((key.to_owned(), String::new()));
                text.clear();
            }
            other => text.push(other),
        }
    }
    if let Some((_, value)) = pairs.last_mut() {
        *value = text;
    }

    Some((fields, pairs))
}

proptest! {
    #[test]
    fn no_text_from_outside_forges_a_line_a_field_or_a_key(
        name in "[\\PC\\\\|= \\n\\r\u{0}\u{85}\u{2028}]{0,40}",
        resource in ".{0,40}",
        tail in "(\\\\|=|\\||\\n|suser=root |CEF:0\\|a\\|b){0,6}",
    ) {
        let hostile = format!("{resource}{tail}");
        let resource = Text::<64>::untrusted(&hostile);
        let record = Record {
            principal: Some(Who { id: Uuid([3; 16]), name: &name }),
            resource: resource.non_empty(),
            path: Some(&tail),
            request_id: Some(&tail),
            ..samples()[0]
        };
        let plain = read_cef(&exported(&samples()[1], As::Cef)).unwrap();
        let cef = exported(&record, As::Cef);
        let (fields, pairs) = read_cef(&cef).unwrap();
        let value = |key: &str| pairs.iter().filter(|(known, _)| known == key).collect::<Vec<_>>();

        let ends_a_line = |c: char| c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c);
        prop_assert!(!cef.contains(ends_a_line), "{:?}", cef);
        prop_assert_eq!(&fields[..3], &plain.0[..3]);
        prop_assert_eq!(value("suser").len(), 1);
        prop_assert_eq!(value("outcome"), [&("outcome".to_owned(), "allow".to_owned())]);
        let keys = "rt externalId outcome reason act suser suid src requestMethod request cnt \
            deviceExternalId cs1Label cs1 cs2Label cs2 cs3Label cs3 cs4Label cs4 cs5Label cs5 \
            cs6Label cs6 cn1Label cn1 cn2Label cn2 cn3Label cn3 gatewardAccount \
            gatewardAuthenticationType gatewardOperation gatewardRequestId gatewardRoute \
            gatewardStale gatewardMonoMs gatewardTimeQuality";
        for (key, _) in &pairs {
            prop_assert!(keys.split_ascii_whitespace().any(|known| known == key), "{} in {}", key, cef);
        }
        for form in [As::Jsonl, As::Ocsf] {
            let json = exported(&record, form);
            prop_assert!(!json.contains(['\n', '\r']));
            prop_assert!(serde_json::from_str::<Value>(&json).is_ok());
        }
    }

    #[test]
    fn what_was_written_as_json_lines_is_read_as_the_same(name in ".{0,40}", seq in 1_u64.., count in 2_u32..) {
        let record = Record {
            seq,
            count,
            principal: Some(Who { id: Uuid([3; 16]), name: &name }),
            ..samples()[0]
        };
        let text = exported(&record, As::Jsonl);
        let read = Line::parse(&text).unwrap();

        prop_assert_eq!(&read, &Line::of(&record, &ORIGIN, Some(SNAPSHOT), &Head([0xcd; 32])));
        prop_assert_eq!(read.to_json(), text);
    }
}

#[test]
fn n9_i4_a_token_pasted_where_it_does_not_belong_is_in_no_export() {
    let token = write(TokenKind::Api, 5, &Secret([0x5a; 32]));
    let token = core::str::from_utf8(&token).unwrap();
    let secret = &token[18..40];
    let (path, resource, id) = (
        Text::<256>::untrusted(&format!("/iot/{token}/x")),
        Text::<64>::untrusted(token),
        Text::<32>::untrusted(token),
    );
    let record = Record {
        path: path.non_empty(),
        resource: resource.non_empty(),
        request_id: id.non_empty(),
        ..samples()[0]
    };
    for form in [As::Jsonl, As::Ocsf, As::Cef] {
        let text = exported(&record, form);
        assert!(!text.contains(secret), "{text}");
        assert!(text.contains("gwd1."), "{text}");
    }
}
