//! What would change, put together by who, what and how.

use core::fmt;
use std::collections::BTreeMap;

use gateward_agent::journal::json::Line;
use serde::Serialize;

use super::again::Undecided;
use super::recorded::Answer;

/// What came of deciding again; requests, not records: one record may stand for many.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Replayed {
    /// How many requests there were.
    pub requests: u64,
    /// In how many records.
    pub records: u64,
    /// How many would be answered as they were.
    pub unchanged: u64,
    /// How many would not.
    pub changed: u64,
    /// How many were decided for the one permission that a record keeps of a question without a path.
    pub by_permission: u64,
    #[serde(skip)]
    groups: BTreeMap<Key, Group>,
    #[serde(skip)]
    undecided: BTreeMap<&'static str, (Undecided, u64)>,
    /// Each request that would change; empty where only groups are kept.
    #[serde(skip)]
    each: Vec<Change>,
    #[serde(skip)]
    keeps_each: bool,
}

/// What is told as one.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
struct Key {
    was: String,
    would_be: &'static str,
    was_reason: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Group {
    requests: u64,
    records: u64,
    /// The first of them.
    gateway: String,
    decision_id: String,
}

/// One record whose requests would be answered otherwise.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    gateway: String,
    seq: u64,
    decision_id: String,
    created_at: String,
    requests: u32,
    #[serde(flatten)]
    key: Key,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    division_id: Option<String>,
}

impl Replayed {
    pub(super) fn new(keeps_each: bool) -> Self {
        Self { keeps_each, ..Self::default() }
    }

    /// Whether something would be answered otherwise.
    #[must_use]
    pub const fn has_changes(&self) -> bool {
        self.changed > 0
    }

    /// How many requests were not decided again, by why.
    #[must_use]
    pub fn undecided(&self) -> BTreeMap<&'static str, u64> {
        self.undecided.iter().map(|(code, (_, requests))| (*code, *requests)).collect()
    }

    /// Each record whose requests would be answered otherwise, where each is kept.
    #[must_use]
    pub fn each(&self) -> &[Change] {
        &self.each
    }

    pub(super) fn add(
        &mut self,
        gateway: &str,
        line: &Line<'_>,
        verdict: Result<(Answer, Answer), Undecided>,
    ) {
        let count = line.count.unwrap_or(1);
        let requests = u64::from(count);
        self.requests += requests;
        self.records += 1;
        let (recorded, again) = match verdict {
            Ok(answers) => answers,
            Err(why) => {
                self.undecided.entry(why.code()).or_insert((why, 0)).1 += requests;
                return;
            }
        };
        if line.path.is_none() && line.permission.is_some() {
            self.by_permission += requests;
        }
        if again.is_same_as(recorded) {
            self.unchanged += requests;
            return;
        }
        self.changed += requests;
        let key = Key::of(line, recorded, again);
        let group = self.groups.entry(key.clone()).or_insert_with(|| Group {
            requests: 0,
            records: 0,
            gateway: gateway.to_owned(),
            decision_id: line.decision_id.to_string(),
        });
        group.requests += requests;
        group.records += 1;
        if self.keeps_each {
            self.each.push(Change::of(gateway, line, count, key));
        }
    }

    /// Returns it for programs: groups, and each where each is kept.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        #[derive(Serialize)]
        struct Told<'a> {
            #[serde(flatten)]
            key: &'a Key,
            #[serde(flatten)]
            group: &'a Group,
        }
        let groups: Vec<_> = self.groups.iter().map(|(key, group)| Told { key, group }).collect();
        let undecided = self.undecided();
        let mut json = serde_json::json!({ "changes": groups, "undecided": undecided });
        let counts = serde_json::to_value(self).unwrap_or_default();
        if let (Some(json), serde_json::Value::Object(mut counts)) = (json.as_object_mut(), counts)
        {
            json.append(&mut counts);
            if self.keeps_each {
                json.insert(
                    "each".to_owned(),
                    serde_json::to_value(&self.each).unwrap_or_default(),
                );
            }
        }

        json
    }
}

impl Key {
    fn of(line: &Line<'_>, recorded: Answer, again: Answer) -> Self {
        let owned = |text: &Option<std::borrow::Cow<'_, str>>| {
            text.as_ref().map(|text| text.clone().into_owned())
        };

        Self {
            was: line.decision.clone().into_owned(),
            would_be: again.decision(),
            was_reason: recorded.0.name(),
            reason: again.0.name(),
            principal: owned(&line.authentication),
            principal_id: owned(&line.authentication_id),
            authentication_type: owned(&line.authentication_type),
            action: owned(&line.action),
            permission: owned(&line.permission),
            operation: owned(&line.operation),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { was, would_be, was_reason, reason, .. } = self;
        let who = self.principal.as_deref().unwrap_or("somebody unknown");
        let kind = self.authentication_type.as_deref().unwrap_or("none");
        // A name comes from whoever wrote the policy then, and must not move the cursor.
        write!(f, "{} ({kind})", who.escape_debug())?;
        for text in [&self.action, &self.permission, &self.operation].into_iter().flatten() {
            write!(f, " {}", text.escape_debug())?;
        }

        write!(f, ": {} {was_reason} becomes {would_be} {reason}", was.escape_debug())
    }
}

impl Change {
    fn of(gateway: &str, line: &Line<'_>, requests: u32, key: Key) -> Self {
        let owned = |text: &Option<std::borrow::Cow<'_, str>>| {
            text.as_ref().map(|text| text.clone().into_owned())
        };

        Self {
            gateway: gateway.to_owned(),
            seq: line.seq,
            decision_id: line.decision_id.clone().into_owned(),
            created_at: line.created_at.clone().into_owned(),
            requests,
            key,
            method: owned(&line.method),
            path: owned(&line.path),
            resource: owned(&line.resource),
            division_id: owned(&line.division_id),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gateway, seq, created_at, requests, key, .. } = self;
        write!(f, "{} {seq} {} {key}", gateway.escape_debug(), created_at.escape_debug())?;
        for text in [&self.method, &self.path, &self.resource].into_iter().flatten() {
            write!(f, " {}", text.escape_debug())?;
        }

        if *requests == 1 { Ok(()) } else { write!(f, " ({requests} requests)") }
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, records, unchanged, changed, by_permission, .. } = self;
        let undecided: u64 = self.undecided.values().map(|(_, requests)| requests).sum();
        write!(
            f,
            "{requests} requests in {records} records: {changed} would be answered otherwise, \
             {unchanged} as they were, {undecided} cannot be decided again"
        )?;
        for (key, Group { requests, gateway, decision_id, .. }) in &self.groups {
            write!(f, "\n  {requests} x {key}; first {} {decision_id}", gateway.escape_debug())?;
        }
        for change in &self.each {
            write!(f, "\n    {change}")?;
        }
        if undecided > 0 {
            write!(f, "\nnot decided again:")?;
        }
        for (code, (why, requests)) in &self.undecided {
            write!(f, "\n  {requests} x {code}: {}", why.text())?;
        }
        if *by_permission > 0 {
            write!(
                f,
                "\n{by_permission} asked for permissions and not for a path; a record keeps one \
                 permission, and each was decided for that one"
            )?;
        }

        Ok(())
    }
}
