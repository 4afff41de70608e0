//! The Common Event Format, version 0.
//!
//! Names come from whoever sent a request, and some readers take more than a line feed for the end
//! of a line; so every control character and line separator is written as an escape, and no text
//! can end its field or its line.

use core::fmt::{self, Write};

use super::{Severity, VERSION};
use crate::journal::json::Line;

/// Returns the line for a record.
pub(super) fn line(record: &Line<'_>) -> String {
    let what = record.reason.as_ref().filter(|_| !record.is_event()).or(record.action.as_ref());
    let what = what.map_or("unknown", AsRef::as_ref);
    let severity = match Severity::of(record) {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 6,
        Severity::High => 8,
    };
    let mut line = String::from("CEF:0");
    let name = format!("{} {what}", record.decision);
    for field in ["Gateward", "Gateward", VERSION, what, &name] {
        // Writing into a string cannot fail.
        let _ = write!(line, "|{}", Header(field));
    }
    let _ = write!(line, "|{severity}|");
    let extension = Extension { line, first: true };

    extension.fill(record)
}

struct Extension {
    line: String,
    first: bool,
}

impl Extension {
    fn fill(mut self, record: &Line<'_>) -> String {
        self.number("rt", record.unix_millis());
        self.text("externalId", Some(&record.decision_id));
        self.text("outcome", Some(&record.decision));
        self.text("reason", record.reason.as_deref());
        self.text("act", record.action.as_deref());
        self.text("suser", record.authentication.as_deref());
        self.text("suid", record.authentication_id.as_deref());
        self.source(record.source.as_deref());
        self.text("requestMethod", record.method.as_deref());
        self.text("request", record.path.as_deref());
        self.number("cnt", record.count);
        self.text("deviceExternalId", Some(&record.gateway_id));
        self.labelled("cs1", "credential", record.credential_id.as_deref());
        self.labelled("cs2", "resource", record.resource.as_deref());
        self.labelled("cs3", "permission", record.permission.as_deref());
        self.labelled("cs4", "division", record.division_id.as_deref());
        self.labelled("cs5", "snapshotRoot", record.snapshot_root.as_deref());
        self.labelled("cs6", "head", Some(&record.head));
        self.labelled_number("cn1", "sequence", Some(record.seq));
        self.labelled_number("cn2", "snapshotVersion", record.snapshot_version);
        self.labelled_number("cn3", "boot", Some(record.boot_id));
        // Keys of our own, for what the dictionary has no place for.
        self.text("gatewardAccount", Some(&record.account_id));
        self.text("gatewardAuthenticationType", record.authentication_type.as_deref());
        self.text("gatewardOperation", record.operation.as_deref());
        self.text("gatewardRequestId", record.request_id.as_deref());
        self.number("gatewardRoute", record.route_id);
        self.number("gatewardStale", record.stale);
        self.number("gatewardMonoMs", Some(record.mono_ms));
        self.number("gatewardDroppedBefore", record.dropped_before);
        self.text("gatewardTimeQuality", Some(&record.time_quality));

        self.line
    }

    fn number(&mut self, key: &str, value: Option<impl fmt::Display>) {
        let Some(value) = value else { return };
        let before = if self.first { "" } else { " " };
        self.first = false;
        let _ = write!(self.line, "{before}{key}={value}");
    }

    fn text(&mut self, key: &str, value: Option<&str>) {
        self.number(key, value.map(Value));
    }

    fn labelled(&mut self, key: &str, label: &str, value: Option<&str>) {
        self.labelled_number(key, label, value.map(Value));
    }

    fn labelled_number(&mut self, key: &str, label: &str, value: Option<impl fmt::Display>) {
        if value.is_some() {
            self.number(&format!("{key}Label"), Some(label));
            self.number(key, value);
        }
    }

    fn source(&mut self, source: Option<&str>) {
        let Some(text) = source else { return };
        match text.parse() {
            Ok(core::net::IpAddr::V4(_)) => self.text("src", source),
            Ok(core::net::IpAddr::V6(_)) => self.labelled("c6a2", "Source IPv6 Address", source),
            Err(_) => self.text("sproc", source),
        }
    }
}

/// A field before the last bar: a bar would end it.
struct Header<'a>(&'a str);

impl fmt::Display for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(self.0, '|', f)
    }
}

/// What a key stands for: an equals sign would begin another.
struct Value<'a>(&'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(self.0, '=', f)
    }
}

fn escape(text: &str, special: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for character in text.chars() {
        match character {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\u{2028}' | '\u{2029}' => write!(f, "\\\\u{:04x}", u32::from(character))?,
            _ if character.is_control() => write!(f, "\\\\u{:04x}", u32::from(character))?,
            _ if character == special => write!(f, "\\{character}")?,
            _ => f.write_char(character)?,
        }
    }

    Ok(())
}
