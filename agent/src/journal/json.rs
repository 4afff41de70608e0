//! A record as one line of JSON (INTERFACES section 7): for people, exports and the collector.
//!
//! Fields stand in the order of the contract, and what a record does not have is left out. Texts
//! from outside are escaped here and nowhere before.

mod write;

use std::borrow::Cow;

use gateward_core::audit::{
    Authentication, Credential, DecisionId, Head, Outcome, Record, SnapshotName, Source,
};
use gateward_core::name::{Hex, Uuid};
use gateward_core::permission::{Entry, Permission};
use gateward_core::trust::{GatewayId, Incarnation};
use serde::Deserialize;

/// What is the same for every record of a journal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Origin {
    /// Whose gateway it is.
    pub account: Uuid,
    /// Which gateway it is.
    pub gateway: GatewayId,
    /// Which enrolment of it.
    pub incarnation: Incarnation,
}

/// A record with the names of the contract: what is written, what a collector keeps, and what other
/// forms are made from.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[cfg_attr(test, derive(serde::Serialize))]
#[expect(missing_docs, reason = "INTERFACES section 7 is the list, and says what each is")]
pub struct Line<'a> {
    pub seq: u64,
    pub boot_id: u32,
    pub created_at: Cow<'a, str>,
    pub time_quality: Cow<'a, str>,
    pub account_id: Cow<'a, str>,
    pub gateway_id: Cow<'a, str>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub authentication_type: Option<Cow<'a, str>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub authentication_id: Option<Cow<'a, str>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub authentication: Option<Cow<'a, str>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub credential_id: Option<Cow<'a, str>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub action: Option<Cow<'a, str>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub operation: Option<Cow<'a, str>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub permission: Option<Cow<'a, str>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub division_id: Option<Cow<'a, str>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub resource: Option<Cow<'a, str>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub method: Option<Cow<'a, str>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub path: Option<Cow<'a, str>>,
    pub decision: Cow<'a, str>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub reason: Option<Cow<'a, str>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub snapshot_version: Option<u64>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub snapshot_root: Option<Cow<'a, str>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub stale: Option<bool>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub source: Option<Cow<'a, str>>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub request_id: Option<Cow<'a, str>>,
    pub decision_id: Cow<'a, str>,
    pub mono_ms: u64,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub route_id: Option<u16>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub count: Option<u32>,
    #[cfg_attr(test, serde(skip_serializing_if = "Option::is_none"))]
    pub dropped_before: Option<u32>,
    pub head: Cow<'a, str>,
}

impl<'a> Line<'a> {
    /// Returns `record` with the names of the contract.
    ///
    /// `snapshot` is the one that was in force, by the events before the record or the head of its
    /// segment; `head` is the chain's after the record.
    #[must_use]
    pub fn of(
        record: &Record<'a>,
        origin: &Origin,
        snapshot: Option<SnapshotName>,
        head: &Head,
    ) -> Self {
        let is_event = matches!(record.outcome, Outcome::Event(_));
        let (version, root) = decided_by(record, snapshot);
        let DecisionId(decision) =
            DecisionId::new(origin.gateway, origin.incarnation, record.boot, record.seq);

        Self {
            seq: record.seq,
            boot_id: record.boot,
            created_at: time(record.created_at.0).into(),
            time_quality: record.quality.name().into(),
            account_id: id(origin.account),
            gateway_id: id(Uuid(origin.gateway.0)),
            authentication_type: (!is_event).then(|| record.authentication.name().into()),
            authentication_id: record.principal.map(|who| id(who.id)),
            authentication: record.principal.map(|who| who.name.into()),
            credential_id: credential(record.credential).map(Cow::Owned),
            action: action(record).map(Cow::Borrowed),
            operation: record.operation.map(|operation| operation.name().into()),
            permission: record.permission.map(|held| permission(held).into()),
            division_id: record.division.map(id),
            resource: resource(record).map(Cow::Owned),
            method: record.method.map(|method| method.name().into()),
            path: record.path.map(Cow::Borrowed),
            decision: record.outcome.name().into(),
            reason: reason(record.outcome).map(Cow::Borrowed),
            snapshot_version: version,
            snapshot_root: root.map(|root| hex(&root)),
            stale: (!is_event).then_some(record.stale),
            source: source(record.source).map(Cow::Owned),
            request_id: record.request_id.map(Cow::Borrowed),
            decision_id: id(decision),
            mono_ms: record.mono.0,
            route_id: record.route,
            count: (record.count != 1).then_some(record.count),
            dropped_before: (record.dropped_before != 0).then_some(record.dropped_before),
            head: hex(&head.0),
        }
    }

    /// Reads a line that was written before.
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Whether it is about the agent itself and decides nothing.
    #[must_use]
    pub fn is_event(&self) -> bool {
        self.decision == "event"
    }

    /// Milliseconds since 1970; none where `created_at` is no time.
    #[must_use]
    pub fn unix_millis(&self) -> Option<i64> {
        self.created_at.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
    }

    /// Returns it as JSON, without the end of a line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = Vec::with_capacity(640);
        self.write_json(&mut json);

        String::from_utf8(json).unwrap_or_default()
    }

    /// Adds it to `json`, without the end of a line.
    pub fn write_json(&self, json: &mut Vec<u8>) {
        write::write(self, json);
    }
}

/// Returns `record` as one line without its end; see [`Line::of`].
#[must_use]
pub fn line(
    record: &Record<'_>,
    origin: &Origin,
    snapshot: Option<SnapshotName>,
    head: &Head,
) -> String {
    Line::of(record, origin, snapshot, head).to_json()
}

/// Returns `record` as one short line for people.
#[must_use]
pub fn human(record: &Record<'_>) -> String {
    let who = match (record.principal, record.authentication) {
        (Some(who), kind) => format!("{} {:?}", kind.name(), who.name),
        (None, Authentication::None) => "-".to_owned(),
        (None, kind) => kind.name().to_owned(),
    };
    let what = match record.outcome {
        Outcome::Event(event) => event.name(),
        Outcome::Allow(reason) | Outcome::Deny(reason) | Outcome::Passthrough(reason) => {
            reason.name()
        }
    };
    let mut line = format!(
        "{} {} {} {what} {who}",
        record.seq,
        time(record.created_at.0),
        record.outcome.name()
    );
    for text in [credential(record.credential), resource(record)].into_iter().flatten() {
        line += &format!(" {}", text.escape_debug());
    }
    let method = record.method.map(|method| method.name());
    for text in [record.action, method, record.path].into_iter().flatten() {
        line += &format!(" {}", text.escape_debug());
    }

    line
}

/// RFC 3339 in UTC with milliseconds.
fn time(unix_millis: u64) -> String {
    let millis = i64::try_from(unix_millis).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);

    format!("{time:.3}")
}

/// Returns version and root of the snapshot that decided; `snapshot` is the one that was in force.
#[must_use]
pub fn decided_by(
    record: &Record<'_>,
    snapshot: Option<SnapshotName>,
) -> (Option<u64>, Option<[u8; 32]>) {
    let named =
        record.snapshot.or(snapshot.filter(|named| named.number == record.snapshot_version));
    let version = record.snapshot.map_or(record.snapshot_version, |named| named.number);

    ((version != 0).then_some(version), named.map(|named| named.root))
}

/// Returns what was to be done; of an event, which one it is.
#[must_use]
pub fn action<'a>(record: &Record<'a>) -> Option<&'a str> {
    record.action.or(match record.outcome {
        Outcome::Event(event) => Some(event.name()),
        Outcome::Allow(_) | Outcome::Deny(_) | Outcome::Passthrough(_) => None,
    })
}

/// Returns the word for why; none for an event.
#[must_use]
pub const fn reason(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Allow(reason) | Outcome::Deny(reason) | Outcome::Passthrough(reason) => {
            Some(reason.name())
        }
        Outcome::Event(_) => None,
    }
}

/// What a request only said about its credential is marked as that (DOMAIN I3).
#[must_use]
pub fn credential(credential: Credential) -> Option<String> {
    match credential {
        Credential::Certificate(id) => Some(Hex(&id).to_string()),
        Credential::None => None,
        Credential::Unverified(lookup) => Some(format!("unverified:{lookup}")),
        Credential::Verified(lookup) => Some(lookup.to_string()),
    }
}

/// Returns the name of a permission, or its number where it has none here.
#[must_use]
pub fn permission(permission: Permission) -> String {
    let entry = Entry::of(permission);

    entry.map_or_else(|| format!("bit {}", permission.bit()), |entry| entry.id.to_owned())
}

/// Returns what it was about, with the numbers that an event names.
#[must_use]
pub fn resource(record: &Record<'_>) -> Option<String> {
    let span = record.span.map(|(first, last)| format!("{first}..={last}"));
    match (record.resource, span) {
        (Some(text), Some(span)) => Some(format!("{text} {span}")),
        (text, span) => text.map(str::to_owned).or(span),
    }
}

/// A verifier makes a line for every record that it compares, so digits are written without `fmt`.
fn hex(bytes: &[u8]) -> Cow<'static, str> {
    let mut digits = Vec::with_capacity(bytes.len() * 2);
    add_hex(&mut digits, bytes);

    String::from_utf8(digits).unwrap_or_default().into()
}

fn id(Uuid(bytes): Uuid) -> Cow<'static, str> {
    let mut digits = Vec::with_capacity(36);
    let mut rest = bytes.as_slice();
    for len in [4, 2, 2, 2, 6] {
        let (group, after) = rest.split_at_checked(len).unwrap_or_default();
        if !digits.is_empty() {
            digits.push(b'-');
        }
        add_hex(&mut digits, group);
        rest = after;
    }

    String::from_utf8(digits).unwrap_or_default().into()
}

fn add_hex(digits: &mut Vec<u8>, bytes: &[u8]) {
    let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
    for byte in bytes {
        digits.extend([digit(byte >> 4), digit(byte & 15)]);
    }
}

/// Returns where the request came from.
#[must_use]
pub fn source(source: Source) -> Option<String> {
    match source {
        Source::Uid(uid) => Some(format!("uid:{uid}")),
        Source::Unknown => None,
        Source::V4(address) => Some(std::net::Ipv4Addr::from(address).to_string()),
        Source::V6(address) => Some(std::net::Ipv6Addr::from(address).to_string()),
    }
}

#[cfg(test)]
mod tests;
