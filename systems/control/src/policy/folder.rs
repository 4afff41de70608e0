//! The files of a policy folder, and the tables in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::Unusable;
use super::mistake::{Mistakes, Place};
use super::pending::Pending;
use super::text::{self, Node, Table, Value};
use crate::whole;

pub(crate) const POLICY: &str = "policy.toml";
pub(crate) const USERS: &str = "users.jsonl";
pub(crate) const SERVICE_USERS: &str = "service_users.jsonl";
pub(crate) const TOKENS: &str = "tokens.jsonl";

/// The texts of a folder, before anything about them is known.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `policy.toml`.
    pub policy: String,
    /// `users.jsonl`.
    pub users: String,
    /// `service_users.jsonl`.
    pub service_users: String,
    /// `tokens.jsonl`.
    pub tokens: String,
    /// `state/known-ids`: what was ever published.
    pub known: String,
}

impl Sources {
    pub(crate) fn read(dir: &Path) -> Result<Self, Unusable> {
        let path = dir.join(POLICY);
        let none = || Unusable::Missing(path.clone());
        let mut pending = Pending::read(dir)?;
        let mut table = |name| {
            let text = whole::read_text(&dir.join(name))?.unwrap_or_default();
            Ok::<_, whole::Failed>(pending.over(name, text))
        };

        Ok(Self {
            policy: whole::read_text(&path)?.ok_or_else(none)?,
            users: table(USERS)?,
            service_users: table(SERVICE_USERS)?,
            tokens: table(TOKENS)?,
            known: table(super::known::FILE)?,
        })
    }

    /// Returns when each file of the folder was last written: it is read again where that changed.
    pub(crate) fn stamps(dir: &Path) -> Vec<(PathBuf, Option<SystemTime>)> {
        let written = |path: &PathBuf| fs::metadata(path).and_then(|facts| facts.modified()).ok();
        let paths = [POLICY, USERS, SERVICE_USERS, TOKENS].map(|name| dir.join(name));

        paths.into_iter().map(|path| (path.clone(), written(&path))).collect()
    }

    pub(super) fn parse(&self, mistakes: &mut Mistakes) -> Root {
        let root = Root {
            policy: text::toml(POLICY, &self.policy, mistakes),
            users: text::json_lines(USERS, &self.users, mistakes),
            service_users: text::json_lines(SERVICE_USERS, &self.service_users, mistakes),
            tokens: text::json_lines(TOKENS, &self.tokens, mistakes),
        };
        for (key, node) in &root.policy {
            if !SECTIONS.contains(&key.as_str()) {
                let place = Place { file: POLICY, line: node.line };
                let known = SECTIONS.join("`, `");
                let what = format!("is no table of a policy; the tables are `{known}`");
                mistakes.add(place, key.escape_debug().to_string(), what);
            }
        }

        root
    }
}

const SECTIONS: [&str; 11] = [
    "account",
    "divisions",
    "groups",
    "permissions",
    "resources",
    "roles",
    "routes",
    "service_users",
    "snapshot",
    "tokens",
    "users",
];

/// The tables of a folder.
#[derive(Debug)]
pub(super) struct Root {
    policy: Table,
    users: Vec<Node>,
    service_users: Vec<Node>,
    tokens: Vec<Node>,
}

impl Root {
    fn node(&self, section: &str) -> Option<&Node> {
        self.policy.iter().find(|(key, _)| key == section).map(|(_, node)| node)
    }

    /// Returns a table that stands once, such as `[account]`.
    pub(super) fn one(
        &self,
        section: &'static str,
        mistakes: &mut Mistakes,
    ) -> Option<(Place, &Table)> {
        let node = self.node(section)?;
        let place = Place { file: POLICY, line: node.line };
        if let Value::Table(table) = &node.value {
            return Some((place, table));
        }
        mistakes.add(place, section, format!("is {}; write [{section}]", node.value.kind()));

        None
    }

    /// Returns the tables of a list, such as `[[users]]`, and then those of its file.
    pub(super) fn many(
        &self,
        section: &'static str,
        mistakes: &mut Mistakes,
    ) -> Vec<(Place, &Table)> {
        let inline = match self.node(section) {
            None => &[][..],
            Some(Node { value: Value::List(nodes), .. }) => nodes,
            Some(node) => {
                let place = Place { file: POLICY, line: node.line };
                let what = format!("is {}; write [[{section}]]", node.value.kind());
                mistakes.add(place, section, what);
                &[]
            }
        };
        let (file, more) = match section {
            "users" => (USERS, &self.users[..]),
            "service_users" => (SERVICE_USERS, &self.service_users[..]),
            "tokens" => (TOKENS, &self.tokens[..]),
            _ => (POLICY, &[][..]),
        };
        let mut tables = Vec::with_capacity(inline.len() + more.len());
        for (file, node) in
            inline.iter().map(|node| (POLICY, node)).chain(more.iter().map(|node| (file, node)))
        {
            let place = Place { file, line: node.line };
            if let Value::Table(table) = &node.value {
                tables.push((place, table));
            } else {
                let what = format!("is {}; write a table", node.value.kind());
                mistakes.add(place, section, what);
            }
        }

        tables
    }
}
