//! What was ever published from a folder: `state/known-ids`.
//!
//! Ids outlive their entries, because audit records and tokens name them. So an entry that has been
//! published is never removed, what was deleted never returns (DOMAIN N11), and a principal does
//! not become unlimited by accident (D4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use gateward_core::name::Uuid;
use gateward_core::snapshot::build::Scope;
use gateward_core::token::Lookup;

use super::mistake::{Mistakes, Place};
use super::people::PrincipalStatus;
use super::tokens::TokenStatus;
use super::{Policy, Principal};
use crate::whole;

pub(super) const FILE: &str = "state/known-ids";

/// Everything that was ever published; missing where nothing was.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct KnownIds(BTreeMap<Id, Last>);

/// What an entry is known by.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Id {
    Division(Uuid),
    Permission(u8),
    Principal(Uuid),
    Token(Lookup),
}

/// How an entry was when it was last published.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Last {
    state: State,
    name: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// In every division, or not about divisions.
    All,
    /// For good.
    Deleted,
    /// In some divisions.
    Limited,
}

impl State {
    const ALL: [Self; 3] = [Self::All, Self::Deleted, Self::Limited];

    const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Deleted => "deleted",
            Self::Limited => "limited",
        }
    }
}

/// A principal that was limited to divisions and now is not (DOMAIN D4).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Widening {
    /// Its id.
    pub id: Uuid,
    /// Username or friendly name: what `--accept-widening` takes.
    pub name: String,
    /// Where it stands.
    pub place: Place,
}

impl std::fmt::Display for Widening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: `{name}` was limited to divisions and now acts in all of them; name its divisions, \
             or say --accept-widening `{name}`",
            self.place,
            name = self.name
        )
    }
}

impl KnownIds {
    /// Reads what was published from the folder `dir`.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not one that [`KnownIds::save`] wrote.
    pub fn load(dir: &Path) -> Result<Self, whole::Failed> {
        let path = dir.join(FILE);
        let text = whole::read_text(&path)?.unwrap_or_default();

        Self::parse(&text).map_err(|_| {
            whole::Failed::new("understood", &path)(std::io::ErrorKind::InvalidData.into())
        })
    }

    /// Writes what was published.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), whole::Failed> {
        let path = dir.join(FILE);
        let state = dir.join("state");
        std::fs::create_dir_all(&state).map_err(whole::Failed::new("made", &state))?;

        whole::write(&path, self.text().as_bytes(), 0o644)
    }

    /// Adds everything that `policy` publishes, and forgets nothing.
    pub fn merge(&mut self, policy: &Policy) {
        self.0.extend(present(policy));
    }

    /// Returns the principals that were limited when last published and that `new` lets act in
    /// every division; `publish` asks about each.
    #[must_use]
    pub fn widenings(&self, new: &Policy) -> Vec<Widening> {
        let limited = |principal: &&Principal| {
            let last = self.0.get(&Id::Principal(principal.id));
            last.is_some_and(|last| last.state == State::Limited)
        };
        let widened = |principal: &&Principal| {
            principal.scope == Scope::All && principal.status != PrincipalStatus::Deleted
        };
        let Policy { principals, .. } = new;

        principals
            .iter()
            .filter(limited)
            .filter(widened)
            .map(|Principal { id, name, place, .. }| Widening {
                id: *id,
                name: name.clone(),
                place: *place,
            })
            .collect()
    }

    pub(super) fn parse(text: &str) -> Result<Self, Place> {
        let mut known = BTreeMap::new();
        for (line, text) in (1..).zip(text.lines()) {
            let (id, last) = parse_line(text).ok_or(Place { file: FILE, line })?;
            known.insert(id, last);
        }

        Ok(Self(known))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (id, Last { state, name }) in &self.0 {
            let (kind, id) = match id {
                Id::Division(id) => ("division", id.to_string()),
                Id::Permission(bit) => ("permission", bit.to_string()),
                Id::Principal(id) => ("principal", id.to_string()),
                Id::Token(lookup) => ("token", lookup.to_string()),
            };
            // Writing into a string cannot fail.
            let _ = writeln!(text, "{kind} {id} {} {name}", state.name());
        }

        text
    }

    /// Notes what was published and is gone, and what was deleted and is back.
    pub(super) fn compare(&self, policy: &Policy, mistakes: &mut Mistakes) {
        let now = present(policy);
        for (line, (id, last)) in (1..).zip(&self.0) {
            let place = Place { file: FILE, line };
            let name = last.name.escape_debug();
            match now.get(id) {
                None => {
                    if let Some(key) = id.section() {
                        let what = format!(
                            "`{}` (`{name}`) was published and its entry is gone; put it back and \
                             set status = \"deleted\"",
                            id.shown()
                        );
                        mistakes.add(place, key, what);
                    }
                }
                Some(_) if last.state != State::Deleted => {
                    if let Id::Permission(bit) = id
                        && now.get(id).is_some_and(|now| now.name != last.name)
                    {
                        let what = format!(
                            "bit {bit} was `{name}`, and bits are never used again; choose another"
                        );
                        mistakes.add(place, "permissions.bit", what);
                    }
                }
                Some(now) if now.state != State::Deleted && id.dies_for_good() => {
                    let what = format!(
                        "`{}` (`{name}`) was deleted for good; set status = \"deleted\" and make a \
                         new one",
                        id.shown()
                    );
                    mistakes.add(place, id.section().unwrap_or_default(), what);
                }
                Some(_) => {}
            }
        }
    }
}

impl Id {
    const fn section(self) -> Option<&'static str> {
        match self {
            Self::Division(_) => Some("divisions"),
            Self::Permission(_) => None,
            Self::Principal(_) => Some("users or service_users"),
            Self::Token(_) => Some("tokens"),
        }
    }

    const fn dies_for_good(self) -> bool {
        matches!(self, Self::Principal(_) | Self::Token(_))
    }

    fn shown(self) -> String {
        match self {
            Self::Division(id) | Self::Principal(id) => id.to_string(),
            Self::Permission(bit) => bit.to_string(),
            Self::Token(lookup) => lookup.to_string(),
        }
    }
}

fn parse_line(line: &str) -> Option<(Id, Last)> {
    let mut parts = line.splitn(4, ' ');
    let (kind, id) = (parts.next()?, parts.next()?);
    let id = match kind {
        "division" => Id::Division(Uuid::parse(id)?),
        "permission" => Id::Permission(id.parse().ok()?),
        "principal" => Id::Principal(Uuid::parse(id)?),
        "token" => Id::Token(Lookup::parse(id)?),
        _ => return None,
    };
    let state = parts.next()?;
    let state = State::ALL.into_iter().find(|known| known.name() == state)?;

    Some((id, Last { state, name: parts.next()?.to_owned() }))
}

fn present(policy: &Policy) -> BTreeMap<Id, Last> {
    let last = |deleted, otherwise, name: &str| Last {
        state: if deleted { State::Deleted } else { otherwise },
        name: name.to_owned(),
    };
    let divisions = policy.divisions.iter().map(|division| {
        (Id::Division(division.id), last(division.deleted, State::All, &division.name))
    });
    let permissions =
        policy.catalogue.additions().iter().map(|added| {
            (Id::Permission(added.permission.bit()), last(false, State::All, &added.id))
        });
    let principals = policy.principals.iter().map(|principal| {
        let scope = if principal.scope == Scope::All { State::All } else { State::Limited };
        let deleted = principal.status == PrincipalStatus::Deleted;
        (Id::Principal(principal.id), last(deleted, scope, &principal.name))
    });
    let tokens = policy.tokens.iter().map(|token| {
        let deleted = token.status == TokenStatus::Deleted;
        (Id::Token(token.lookup), last(deleted, State::All, &token.name))
    });

    divisions.chain(permissions).chain(principals).chain(tokens).collect()
}
