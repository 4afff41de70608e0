//! The lines of the tables that commands write, in the order of keys that people read them in.
//!
//! A line that is not changed is not touched, so version control shows what was done.

use serde::{Deserialize, Serialize};

/// A line of `users.jsonl`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserLine {
    pub(super) username: String,
    pub(super) id: String,
    #[serde(default)]
    pub(super) roles: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) divisions: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) access_scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) iot_access: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created_by: Option<String>,
}

/// A line of `service_users.jsonl`.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceUserLine {
    pub(super) friendly_name: String,
    pub(super) id: String,
    #[serde(default)]
    pub(super) permissions: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) divisions: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) access_scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) iot_access: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end_date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) created_by: Option<String>,
}

/// A line of `tokens.jsonl`.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenLine {
    pub(super) kind: String,
    pub(super) owner_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<String>,
    pub(super) name: String,
    pub(super) lookup: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) verifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end_date: Option<String>,
}

/// Adds a line to a table.
pub(super) fn append(table: &mut String, line: &impl Serialize) {
    if !table.is_empty() && !table.ends_with('\n') {
        table.push('\n');
    }
    table.push_str(&written(line));
    table.push('\n');
}

/// Changes the line with this number, counted from 1; false where it is not such a line.
pub(super) fn change<L: Serialize + for<'de> Deserialize<'de>>(
    table: &mut String,
    number: usize,
    edit: impl FnOnce(&mut L),
) -> bool {
    let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
    let Some(text) = number.checked_sub(1).and_then(|at| lines.get_mut(at)) else { return false };
    let Ok(mut line) = serde_json::from_str::<L>(text) else { return false };
    edit(&mut line);
    *text = written(&line);
    *table = lines.join("\n");
    table.push('\n');

    true
}

/// Texts, lists and flags always become JSON.
fn written(line: &impl Serialize) -> String {
    serde_json::to_string(line).unwrap_or_default()
}
