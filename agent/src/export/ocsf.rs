//! OCSF 1.3: API Activity (6003), Authentication (3002) for introspection, Application Lifecycle
//! (6002) for what happens to the agent itself.
//!
//! What the schema has no place for stands in `unmapped`, under the record's own names.

use serde_json::{Map, Value, json};

use super::{Severity, VERSION};
use crate::journal::json::Line;

/// The version of the schema.
const SCHEMA: &str = "1.3.0";

/// The action under which an introspection is recorded.
const INTROSPECT: &str = "introspect";

/// A class of events, by name and number.
struct Class {
    name: &'static str,
    uid: u32,
    category: (&'static str, u32),
}

const APPLICATION: (&str, u32) = ("Application Activity", 6);
const LIFECYCLE: Class = Class { name: "Application Lifecycle", uid: 6002, category: APPLICATION };
const API_ACTIVITY: Class = Class { name: "API Activity", uid: 6003, category: APPLICATION };
const AUTHENTICATION: Class =
    Class { name: "Authentication", uid: 3002, category: ("Identity & Access Management", 3) };

/// Returns the event for a record.
pub(super) fn event(record: &Line<'_>) -> Value {
    let class = match record.action.as_deref() {
        _ if record.is_event() => LIFECYCLE,
        Some(INTROSPECT) => AUTHENTICATION,
        _ => API_ACTIVITY,
    };
    let mut event = common(record, &class);
    let (activity, rest) = match class.uid {
        6002 => (lifecycle(record), json!({ "app": product() })),
        3002 => ((1, "Logon"), authentication(record)),
        _ => (crud(record), api_activity(record)),
    };
    let (activity_id, activity_name) = activity;
    merge(
        &mut event,
        json!({
            "activity_id": activity_id,
            "activity_name": activity_name,
            "type_uid": class.uid * 100 + activity_id,
            "type_name": format!("{}: {activity_name}", class.name),
        }),
    );
    merge(&mut event, rest);
    event.insert("unmapped".to_owned(), unmapped(record));

    Value::Object(event)
}

fn merge(event: &mut Map<String, Value>, more: Value) {
    if let Value::Object(more) = more {
        event.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
}

fn product() -> Value {
    json!({ "name": "Gateward", "vendor_name": "Gateward", "version": VERSION })
}

fn common(record: &Line<'_>, class: &Class) -> Map<String, Value> {
    let (status_id, status) = match record.decision.as_ref() {
        "allow" => (1, "Success"),
        "deny" => (2, "Failure"),
        "passthrough" => (99, "Passed through"),
        _ => (0, "Unknown"),
    };
    let (severity_id, severity) = match Severity::of(record) {
        Severity::Informational => (1, "Informational"),
        Severity::Low => (2, "Low"),
        Severity::Medium => (3, "Medium"),
        Severity::High => (4, "High"),
    };
    let mut event = Map::new();
    merge(
        &mut event,
        json!({
            "category_name": class.category.0,
            "category_uid": class.category.1,
            "class_name": class.name,
            "class_uid": class.uid,
            "count": record.count,
            "metadata": {
                "log_name": "audit",
                "product": product(),
                "sequence": record.seq,
                "tenant_uid": record.account_id,
                "uid": record.decision_id,
                "version": SCHEMA,
            },
            "severity": severity,
            "severity_id": severity_id,
            "status": status,
            "status_code": record.reason,
            "status_id": status_id,
            "time": record.unix_millis().unwrap_or_default(),
        }),
    );

    event
}

/// What became of the agent.
fn lifecycle(record: &Line<'_>) -> (u32, &'static str) {
    match record.action.as_deref() {
        Some("start") => (3, "Start"),
        Some("stop") => (4, "Stop"),
        Some(
            "config_reload" | "key_set_accepted" | "revocations_accepted" | "snapshot_accepted",
        ) => (8, "Update"),
        _ => (99, "Other"),
    }
}

/// What was to be done; an operation says it better than a method.
fn crud(record: &Line<'_>) -> (u32, &'static str) {
    const CREATE: (u32, &str) = (1, "Create");
    const READ: (u32, &str) = (2, "Read");
    const UPDATE: (u32, &str) = (3, "Update");
    const DELETE: (u32, &str) = (4, "Delete");
    match (record.operation.as_deref(), record.method.as_deref()) {
        (Some("read"), _) | (None, Some("GET" | "HEAD")) => READ,
        (Some("issue" | "issue_ca"), _) | (Some("write"), Some("POST")) | (None, Some("POST")) => {
            CREATE
        }
        (Some("write" | "approve" | "revoke"), _) | (None, Some("PUT" | "PATCH")) => UPDATE,
        (Some("delete"), _) | (None, Some("DELETE")) => DELETE,
        (None, None) => (0, "Unknown"),
        _ => (99, "Other"),
    }
}

fn api_activity(record: &Line<'_>) -> Value {
    let named = [&record.action, &record.permission, &record.method];
    let operation = named.into_iter().find_map(Option::as_deref).unwrap_or("unknown");
    let request = record.request_id.as_ref().map(|uid| json!({ "uid": uid }));
    let mut api = json!({ "operation": operation, "service": { "name": "Gateward" } });
    if let (Some(request), Some(api)) = (request, api.as_object_mut()) {
        api.insert("request".to_owned(), request);
    }

    json!({
        "actor": { "user": user(record) },
        "api": api,
        "http_request": http_request(record),
        "resources": record.resource.as_ref().map(|name| json!([{ "name": name }])),
        "src_endpoint": endpoint(record),
    })
}

fn authentication(record: &Line<'_>) -> Value {
    json!({
        "auth_protocol": "Token introspection",
        "auth_protocol_id": 99,
        "http_request": http_request(record),
        "service": { "name": "Gateward" },
        "src_endpoint": endpoint(record),
        "user": user(record),
    })
}

fn http_request(record: &Line<'_>) -> Option<Value> {
    let path = record.path.as_ref()?;

    Some(json!({ "http_method": record.method, "url": { "path": path } }))
}

/// Who acted; only a record whose secret matched names somebody (DOMAIN N7).
fn user(record: &Line<'_>) -> Value {
    let Some(name) = &record.authentication else {
        return json!({ "name": "unidentified", "type": "Unknown", "type_id": 0 });
    };
    let (kind, kind_id) = match record.authentication_type.as_deref() {
        Some("service_user") => ("Service user", 99),
        _ => ("User", 1),
    };

    json!({
        "credential_uid": record.credential_id,
        "name": name,
        "type": kind,
        "type_id": kind_id,
        "uid": record.authentication_id,
    })
}

fn endpoint(record: &Line<'_>) -> Value {
    match record.source.as_deref() {
        Some(ip) if ip.parse::<core::net::IpAddr>().is_ok() => json!({ "ip": ip }),
        Some(name) => json!({ "name": name }),
        None => json!({ "name": "unknown" }),
    }
}

fn unmapped(record: &Line<'_>) -> Value {
    let mut rest = Map::new();
    let is_event = record.is_event();
    let unproved = record.credential_id.as_ref().filter(|_| record.authentication.is_none());
    merge(
        &mut rest,
        json!({
            "action": record.action.as_ref().filter(|_| is_event),
            "authentication_type": record.authentication_type,
            "boot_id": record.boot_id,
            "credential_id": unproved,
            "decision": record.decision,
            "division_id": record.division_id,
            "dropped_before": record.dropped_before,
            "gateway_id": record.gateway_id,
            "head": record.head,
            "mono_ms": record.mono_ms,
            "operation": record.operation,
            "permission": record.permission,
            "resource": record.resource.as_ref().filter(|_| is_event),
            "route_id": record.route_id,
            "snapshot_root": record.snapshot_root,
            "snapshot_version": record.snapshot_version,
            "stale": record.stale,
            "time_quality": record.time_quality,
        }),
    );

    Value::Object(rest)
}
