//! What this code says of records and chains.

use gateward_core::audit::{
    BadRecord, Credential, Head, Outcome, Ratchet, Record, Source, TAG_LEN,
};
use gateward_core::token::Lookup;
use serde_json::{Value, json};

use crate::replay::{Given, Said};
use crate::vector::hex;

const fn code(bad: BadRecord) -> &'static str {
    match bad {
        BadRecord::TooLong => "record_too_long",
        BadRecord::CutShort | BadRecord::Remainder | BadRecord::Text | BadRecord::Unknown => {
            "bad_record"
        }
    }
}

pub(crate) fn record(bytes: &[u8]) -> Said {
    let record = Record::decode(bytes).map_err(code)?;
    let (outcome, why) = (
        record.outcome.name(),
        match record.outcome {
            Outcome::Allow(reason) | Outcome::Deny(reason) | Outcome::Passthrough(reason) => {
                reason.name()
            }
            Outcome::Event(event) => event.name(),
        },
    );
    let mut fields = json!({
        "authentication": record.authentication.name(),
        "boot": record.boot,
        "count": record.count,
        "created_at": record.created_at.0,
        "dropped_before": record.dropped_before,
        "mono_ms": record.mono.0,
        "outcome": outcome,
        "seq": record.seq,
        "snapshot_version": record.snapshot_version,
        "stale": record.stale,
        "time_quality": record.quality.name(),
        "why": why,
    });
    for (name, value) in optional(&record) {
        if let Some(value) = value {
            fields[name] = value;
        }
    }

    Ok(fields)
}

fn optional(record: &Record<'_>) -> [(&'static str, Option<Value>); 15] {
    let (uid, address) = match record.source {
        Source::Unknown => (None, None),
        Source::Uid(uid) => (Some(json!(uid)), None),
        Source::V4(address) => (None, Some(json!(hex(&address)))),
        Source::V6(address) => (None, Some(json!(hex(&address)))),
    };
    let snapshot = record.snapshot;

    [
        ("who", record.principal.map(|who| json!([hex(&who.id.0), who.name]))),
        ("credential", credential(record.credential)),
        ("action", record.action.map(Value::from)),
        ("operation", record.operation.map(|one| json!(one.name()))),
        ("method", record.method.map(|one| json!(one.name()))),
        ("permission", record.permission.map(|one| json!(one.bit()))),
        ("division", record.division.map(|id| json!(hex(&id.0)))),
        ("resource", record.resource.map(Value::from)),
        ("path", record.path.map(Value::from)),
        ("uid", uid),
        ("address", address),
        ("request_id", record.request_id.map(Value::from)),
        ("route", record.route.map(Value::from)),
        ("snapshot", snapshot.map(|one| json!([one.epoch, one.number, hex(&one.root)]))),
        ("span", record.span.map(|(first, last)| json!([first, last]))),
    ]
}

fn credential(credential: Credential) -> Option<Value> {
    let lookup = |name: &str, Lookup { kind, id }| json!([name, kind, format!("{id:016x}")]);
    match credential {
        Credential::Certificate(id) => Some(json!(["certificate", hex(&id)])),
        Credential::None => None,
        Credential::Unverified(one) => Some(lookup("unverified", one)),
        Credential::Verified(one) => Some(lookup("verified", one)),
    }
}

/// Follows the chain as a collector does.
pub(crate) fn chain(bytes: &[u8], given: &Given<'_>) -> Said {
    let mut ratchet = given.has("key").then(|| Ratchet::new(given.array("key")));
    let (mut head, mut number) = (Head(given.array("before")), given.number("first"));
    let mut rest = bytes;
    while let Some((len, after)) = rest.split_first_chunk() {
        let len = usize::from(u16::from_le_bytes(*len));
        let (record, after) = after.split_at_checked(len).ok_or("bad_record")?;
        let (tag, after) = after.split_first_chunk::<TAG_LEN>().ok_or("bad_record")?;
        rest = after;
        if Record::decode(record).map_err(code)?.seq != number {
            return Err("gap");
        }
        head = head.next(record);
        if let Some(ratchet) = &mut ratchet {
            if !ratchet.accepts(&head, tag) {
                return Err("forged_tag");
            }
            ratchet.step();
        }
        number += 1;
    }
    if !rest.is_empty() {
        return Err("bad_record");
    }
    if head.0 != given.array("head") {
        return Err("fork");
    }

    Ok(json!({ "last": number - 1, "next_key": ratchet.map(|one| hex(one.expose())) }))
}
