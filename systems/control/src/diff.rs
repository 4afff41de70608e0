//! Who gains and who loses what, between two policies or snapshots.
//!
//! Compared is what a gateway would decide by: effective rights, not the roles they come from. An
//! id is what makes two entries the same; names may change.

mod side;

pub use side::{NoSide, Side};

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use gateward_core::name::Uuid;
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::build::Scope;
use gateward_core::time::End;
use serde::Serialize;

use self::side::Person;
use crate::day::Day;

/// What a change does to whom it is about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// More is allowed than before.
    Gains,
    /// Less is allowed than before.
    Loses,
    /// Neither, such as another name.
    Changes,
}

/// One difference.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Change {
    /// What it is about: `account`, `division`, `user`, `service_user`, `token`, `resource` or
    /// `extension`.
    pub about: &'static str,
    /// The name, or what stands in for one.
    pub name: String,
    /// The id.
    pub id: String,
    /// Whether it widens or narrows.
    pub effect: Effect,
    /// What changed, such as `permissions`.
    pub what: &'static str,
    /// The items gained or lost, else the new value.
    pub items: Vec<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effect = match self.effect {
            Effect::Gains => "gains",
            Effect::Loses => "loses",
            Effect::Changes => "changes",
        };
        write!(f, "{} `{}` {effect} {}", self.about.replace('_', " "), self.name, self.what)?;
        if !self.items.is_empty() {
            write!(f, ": {}", self.items.join(", "))?;
        }
        // The id of a person tells two of a name apart.
        if matches!(self.about, "user" | "service_user") {
            write!(f, " ({})", self.id)
        } else {
            Ok(())
        }
    }
}

/// Returns every difference from `old` to `new`, in a fixed order.
#[must_use]
pub fn changes(old: &Side, new: &Side) -> Vec<Change> {
    let mut changes = Vec::new();
    account(old, new, &mut changes);
    for id in keys(&old.people, &new.people) {
        let mut about = About::person(id, old.people.get(&id), new.people.get(&id), &mut changes);
        person(&mut about, old, new, id);
    }
    for id in keys(&old.tokens, &new.tokens) {
        token(old, new, id, &mut changes);
    }
    secrets(old, new, &mut changes);
    divisions(old, new, &mut changes);
    rest(old, new, &mut changes);
    changes.sort();

    changes
}

fn keys<K: Copy + Ord, V>(old: &BTreeMap<K, V>, new: &BTreeMap<K, V>) -> BTreeSet<K> {
    old.keys().chain(new.keys()).copied().collect()
}

/// Notes changes of one subject.
struct About<'a> {
    about: &'static str,
    name: String,
    id: String,
    changes: &'a mut Vec<Change>,
}

impl<'a> About<'a> {
    fn person(
        id: Uuid,
        old: Option<&Person>,
        new: Option<&Person>,
        changes: &'a mut Vec<Change>,
    ) -> Self {
        let service = |person: &Person| person.kind == PrincipalKind::ServiceUser;
        let person = new.or(old);
        let about = if person.is_some_and(service) { "service_user" } else { "user" };
        let name = person.map(|person| person.name.clone()).unwrap_or_default();

        Self { about, name, id: id.to_string(), changes }
    }

    fn note(&mut self, effect: Effect, what: &'static str, items: Vec<String>) {
        let (about, name, id) = (self.about, self.name.clone(), self.id.clone());
        self.changes.push(Change { about, name, id, effect, what, items });
    }

    /// Notes something that is allowed now and was not, or the other way round.
    fn flag(&mut self, old: bool, new: bool, what: &'static str) {
        if old != new {
            self.note(if new { Effect::Gains } else { Effect::Loses }, what, Vec::new());
        }
    }

    /// Notes what is in one set and not in the other.
    fn sets(&mut self, old: &BTreeSet<String>, new: &BTreeSet<String>, what: &'static str) {
        for (effect, items) in
            [(Effect::Gains, new.difference(old)), (Effect::Loses, old.difference(new))]
        {
            let items: Vec<_> = items.cloned().collect();
            if !items.is_empty() {
                self.note(effect, what, items);
            }
        }
    }

    fn end(&mut self, old: End, new: End) {
        if old != new {
            let effect = if new > old { Effect::Gains } else { Effect::Loses };
            let day = Day::of(new).map_or_else(|| "none".to_owned(), |day| day.to_string());
            self.note(effect, "end date", vec![day]);
        }
    }
}

fn account(old: &Side, new: &Side, changes: &mut Vec<Change>) {
    let (old, new) = (old.view(), new.view());
    let id = new.account().to_string();
    let mut about = About { about: "account", name: id.clone(), id, changes };
    if old.account() != new.account() {
        about.note(Effect::Changes, "its id", vec![format!("was {}", old.account())]);
    }
    about.flag(!old.is_suspended(), !new.is_suspended(), "access");
}

fn person(about: &mut About<'_>, old: &Side, new: &Side, id: Uuid) {
    let (was, is) = (old.people.get(&id), new.people.get(&id));
    match (was, is) {
        (None, Some(is)) => {
            about.note(Effect::Gains, "an entry", vec![scope_text(&new.divisions, &is.scope)]);
            about.sets(&BTreeSet::new(), &is.permissions, "permissions");
        }
        (Some(was), None) => {
            about.note(Effect::Loses, "its entry", Vec::new());
            about.sets(&was.permissions, &BTreeSet::new(), "permissions");
        }
        (Some(was), Some(is)) => {
            if was.name != is.name {
                about.note(Effect::Changes, "its name", vec![format!("was `{}`", was.name)]);
            }
            about.flag(!was.disabled, !is.disabled, "access");
            about.flag(was.iot_access, is.iot_access, "IoT access");
            kind(about, was.kind, is.kind);
            about.sets(&was.permissions, &is.permissions, "permissions");
            scope(about, old, new, (&was.scope, &is.scope));
            about.end(was.end, is.end);
        }
        (None, None) => {}
    }
}

fn kind(about: &mut About<'_>, was: PrincipalKind, is: PrincipalKind) {
    let system = |kind| kind == PrincipalKind::SystemUser;
    about.flag(!system(was), !system(is), "requests for certificates and intermediate CAs");
}

/// Losing a limit is gaining everything else, and the other way round.
fn scope(about: &mut About<'_>, old: &Side, new: &Side, (was, is): (&Scope, &Scope)) {
    match (was, is) {
        (Scope::All, Scope::All) => {}
        (Scope::All, Scope::Only(_)) => {
            let text = format!("all but {}", scope_text(&new.divisions, is));
            about.note(Effect::Loses, "divisions", vec![text]);
        }
        (Scope::Only(_), Scope::All) => {
            let text = format!("all beside {}", scope_text(&old.divisions, was));
            about.note(Effect::Gains, "divisions", vec![text]);
        }
        (Scope::Only(was), Scope::Only(is)) => {
            let names = |ids: BTreeSet<&Uuid>, side: &Side| -> BTreeSet<String> {
                ids.iter().map(|id| division_name(&side.divisions, **id)).collect()
            };
            let gained = names(is.difference(was).collect(), new);
            let lost = names(was.difference(is).collect(), old);
            about.sets(&lost, &gained, "divisions");
        }
    }
}

fn division_name(divisions: &BTreeMap<Uuid, String>, id: Uuid) -> String {
    divisions.get(&id).cloned().unwrap_or_else(|| id.to_string())
}

fn scope_text(divisions: &BTreeMap<Uuid, String>, scope: &Scope) -> String {
    match scope {
        Scope::All => "all divisions".to_owned(),
        Scope::Only(ids) if ids.is_empty() => "no division".to_owned(),
        Scope::Only(ids) => {
            let names: Vec<_> = ids.iter().map(|id| division_name(divisions, *id)).collect();
            names.join(" and ")
        }
    }
}

fn token(old: &Side, new: &Side, id: u64, changes: &mut Vec<Change>) {
    let (was, is) = (old.tokens.get(&id), new.tokens.get(&id));
    let Some(token) = is.or(was) else { return };
    let people = if is.is_some() { &new.people } else { &old.people };
    let owner = people.get(&token.owner).map(|owner| owner.name.clone()).unwrap_or_default();
    let lookup = token.lookup.to_string();
    let mut about = About { about: "token", name: lookup.clone(), id: lookup, changes };
    match (was, is) {
        (None, Some(_)) => about.note(Effect::Gains, "an entry", vec![format!("for `{owner}`")]),
        (Some(_), None) => about.note(Effect::Loses, "its entry", vec![format!("of `{owner}`")]),
        (Some(was), Some(is)) => {
            about.flag(!was.disabled, !is.disabled, "access");
            about.end(was.end, is.end);
            if was.owner != is.owner {
                about.note(Effect::Changes, "its owner", vec![owner]);
            }
        }
        (None, None) => {}
    }
}

/// An id is never given to another token, so another secret is worth a question.
fn secrets(old: &Side, new: &Side, changes: &mut Vec<Change>) {
    let (before, after) = (old.view(), new.view());
    if before.verifier_len() != after.verifier_len() {
        return;
    }
    let before: BTreeMap<u64, _> = before.tokens().map(|row| (row.id, row)).collect();
    for row in after.tokens() {
        let same = before.get(&row.id).is_none_or(|old| old.has_the_secret_of(&row));
        if let Some(token) = new.tokens.get(&row.id).filter(|_| !same) {
            let lookup = token.lookup.to_string();
            let mut about = About { about: "token", name: lookup.clone(), id: lookup, changes };
            about.note(Effect::Changes, "its secret", Vec::new());
        }
    }
}

fn divisions(old: &Side, new: &Side, changes: &mut Vec<Change>) {
    for id in keys(&old.divisions, &new.divisions) {
        let (was, is) = (old.divisions.get(&id), new.divisions.get(&id));
        let name = is.or(was).cloned().unwrap_or_default();
        let mut about = About { about: "division", name, id: id.to_string(), changes };
        match (was, is) {
            (None, Some(_)) => about.note(Effect::Gains, "an entry", Vec::new()),
            (Some(_), None) => about.note(Effect::Loses, "its entry", Vec::new()),
            (Some(was), Some(is)) if was != is => {
                about.note(Effect::Changes, "its name", vec![format!("was `{was}`")]);
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }
}

fn rest(old: &Side, new: &Side, changes: &mut Vec<Change>) {
    let (before, after) = (old.resources(), new.resources());
    for key in keys(&before, &after) {
        let (was, is) = (before.get(&key), after.get(&key));
        if was == is {
            continue;
        }
        let text = match is {
            None => "not listed".to_owned(),
            Some(None) => "none".to_owned(),
            Some(Some(id)) => division_name(&new.divisions, *id),
        };
        let name = key.1.to_string();
        let mut about = About { about: "resource", id: name.clone(), name, changes };
        about.note(Effect::Changes, "its division", vec![text]);
    }
    if old.additions() != new.additions() {
        let (name, id) = ("permissions and routes".to_owned(), String::new());
        let mut about = About { about: "extension", name, id, changes };
        about.note(Effect::Changes, "what is added to the built-in ones", Vec::new());
    }
}

#[cfg(test)]
mod tests;
