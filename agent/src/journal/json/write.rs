//! A line as JSON, written field by field: whoever verifies a million lines makes each again, and most of
//! that time would go into looking for what must be escaped in names that never change.

use std::io::Write as _;

use super::Line;

/// Adds `line` to `json`, in the order of the contract.
pub(super) fn write(line: &Line<'_>, json: &mut Vec<u8>) {
    let mut object = Object { json, is_empty: true };
    object.number("seq", Some(line.seq));
    object.number("boot_id", Some(line.boot_id.into()));
    object.text("created_at", Some(&line.created_at));
    object.text("time_quality", Some(&line.time_quality));
    object.text("account_id", Some(&line.account_id));
    object.text("gateway_id", Some(&line.gateway_id));
    object.text("authentication_type", line.authentication_type.as_deref());
    object.text("authentication_id", line.authentication_id.as_deref());
    object.text("authentication", line.authentication.as_deref());
    object.text("credential_id", line.credential_id.as_deref());
    object.text("action", line.action.as_deref());
    object.text("operation", line.operation.as_deref());
    object.text("permission", line.permission.as_deref());
    object.text("division_id", line.division_id.as_deref());
    object.text("resource", line.resource.as_deref());
    object.text("method", line.method.as_deref());
    object.text("path", line.path.as_deref());
    object.text("decision", Some(&line.decision));
    object.text("reason", line.reason.as_deref());
    object.number("snapshot_version", line.snapshot_version);
    object.text("snapshot_root", line.snapshot_root.as_deref());
    object.truth("stale", line.stale);
    object.text("source", line.source.as_deref());
    object.text("request_id", line.request_id.as_deref());
    object.text("decision_id", Some(&line.decision_id));
    object.number("mono_ms", Some(line.mono_ms));
    object.number("route_id", line.route_id.map(u64::from));
    object.number("count", line.count.map(u64::from));
    object.number("dropped_before", line.dropped_before.map(u64::from));
    object.text("head", Some(&line.head));
    object.json.push(b'}');
}

/// An object that is being written; what there is none of is left out.
struct Object<'o> {
    json: &'o mut Vec<u8>,
    is_empty: bool,
}

impl Object<'_> {
    fn name(&mut self, name: &str) {
        self.json.extend_from_slice(if self.is_empty { b"{\"" } else { b",\"" });
        self.is_empty = false;
        self.json.extend_from_slice(name.as_bytes());
        self.json.extend_from_slice(b"\":");
    }

    fn number(&mut self, name: &str, number: Option<u64>) {
        let Some(number) = number else { return };
        self.name(name);
        // A list of bytes takes everything.
        let _always = write!(self.json, "{number}");
    }

    fn truth(&mut self, name: &str, truth: Option<bool>) {
        let Some(truth) = truth else { return };
        self.name(name);
        self.json.extend_from_slice(if truth { b"true" } else { b"false" });
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        self.name(name);
        if is_plain(text) {
            self.json.push(b'"');
            self.json.extend_from_slice(text.as_bytes());
            self.json.push(b'"');
        } else {
            // Texts always have a form in JSON.
            let _always = serde_json::to_writer(&mut *self.json, text);
        }
    }
}

/// Whether nothing of it has to be escaped; looks at everything, so that many bytes are compared at once.
fn is_plain(text: &str) -> bool {
    let special = |byte: u8| (byte < 0x20) | (byte == b'"') | (byte == b'\\');

    !text.bytes().fold(false, |found, byte| found | special(byte))
}
