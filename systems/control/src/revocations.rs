//! Since when what may no longer be used may no longer be used: `state/revocations`.
//!
//! A gateway that is away goes on allowing what it knows. Its records say when, and this file says
//! whether that was too late (DOMAIN B10). It is written when a command changes the policy, and when
//! a publish reads it; whoever writes it holds `state/lock`. It stops neither: where it is damaged it
//! is set aside, and begins anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gateward_core::name::Uuid;
use gateward_core::token::Lookup;
use tracing::warn;

use crate::policy::{Policy, PrincipalStatus, TokenStatus};
use crate::whole;

/// What can be revoked.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Id {
    /// Everything.
    Account(Uuid),
    /// A user or service user.
    Principal(Uuid),
    /// A token.
    Token(Lookup),
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account {id}"),
            Self::Principal(id) => write!(f, "principal {id}"),
            Self::Token(lookup) => write!(f, "token {lookup}"),
        }
    }
}

impl Id {
    fn parse(kind: &str, id: &str) -> Option<Self> {
        match kind {
            "account" => Uuid::parse(id).map(Self::Account),
            "principal" => Uuid::parse(id).map(Self::Principal),
            "token" => Lookup::parse(id).map(Self::Token),
            _ => None,
        }
    }
}

/// When each was revoked and restored, in milliseconds since 1970, in order.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Revocations(BTreeMap<Id, Vec<(u64, Became)>>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Became {
    Restored,
    Revoked,
}

impl Became {
    const fn name(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::Revoked => "revoked",
        }
    }
}

impl Revocations {
    /// Returns where it is in a policy folder.
    pub(crate) fn path(dir: &Path) -> PathBuf {
        dir.join("state/revocations")
    }

    /// Reads the folder `dir`; nothing where nothing was ever revoked.
    pub(crate) fn load(dir: &Path) -> Result<Self, whole::Failed> {
        let path = Self::path(dir);
        let text = whole::read_text(&path)?.unwrap_or_default();

        Self::parse(&text)
            .ok_or(io::ErrorKind::InvalidData.into())
            .map_err(whole::Failed::new("understood", &path))
    }

    /// Notes what `policy` revokes and did not before, and what it gives back. What goes wrong is
    /// warned of, and is no reason not to revoke.
    pub(crate) fn note(dir: &Path, policy: &Policy, now_ms: u64) {
        if let Err(failed) = Self::write_down(dir, policy, now_ms) {
            warn!(
                "{failed}: {}; what is revoked now is missing in it, so a late use of that may not be \
                 listed",
                failed.source
            );
        }
    }

    fn write_down(dir: &Path, policy: &Policy, now_ms: u64) -> Result<(), whole::Failed> {
        let mut all = match Self::load(dir) {
            Err(failed) if failed.source.kind() == io::ErrorKind::InvalidData => {
                set_aside(&failed)?;
                Self::default()
            }
            read => read?,
        };
        if all.follow(&revoked(policy), now_ms) {
            whole::write(&Self::path(dir), all.text().as_bytes(), 0o644)?;
        }

        Ok(())
    }

    /// Returns since when `id` was revoked at the time `at_ms`.
    pub(crate) fn since(&self, id: Id, at_ms: u64) -> Option<u64> {
        let changes = self.0.get(&id)?;
        let before = changes.iter().rfind(|(when, _)| *when <= at_ms);

        before.filter(|(_, became)| *became == Became::Revoked).map(|(when, _)| *when)
    }

    fn is_revoked(changes: &[(u64, Became)]) -> bool {
        changes.last().is_some_and(|(_, became)| *became == Became::Revoked)
    }

    /// Returns whether anything is new.
    fn follow(&mut self, now: &BTreeSet<Id>, now_ms: u64) -> bool {
        let mut is_new = false;
        for (id, changes) in &mut self.0 {
            if Self::is_revoked(changes) && !now.contains(id) {
                changes.push((now_ms, Became::Restored));
                is_new = true;
            }
        }
        for id in now {
            let changes = self.0.entry(*id).or_default();
            if !Self::is_revoked(changes) {
                changes.push((now_ms, Became::Revoked));
                is_new = true;
            }
        }

        is_new
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (id, changes) in &self.0 {
            for (when, became) in changes {
                // Writing into a string cannot fail.
                let _ = writeln!(text, "{id} {} {when}", became.name());
            }
        }

        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut all = Self::default();
        for line in text.lines() {
            let mut parts = line.split(' ');
            let id = Id::parse(parts.next()?, parts.next()?)?;
            let became = match parts.next()? {
                "restored" => Became::Restored,
                "revoked" => Became::Revoked,
                _ => return None,
            };
            all.0.entry(id).or_default().push((parts.next()?.parse().ok()?, became));
        }

        Some(all)
    }
}

/// Moves a damaged file out of the way, where somebody can look at it.
fn set_aside(damaged: &whole::Failed) -> Result<(), whole::Failed> {
    let path = &damaged.path;
    let aside = path.with_extension("damaged");
    fs::rename(path, &aside).map_err(whole::Failed::new("set aside", path))?;
    warn!(
        "{damaged}; it is now `{}`, and what is revoked counts as revoked from now on: restore it from \
         a backup to list earlier uses",
        aside.display()
    );

    Ok(())
}

/// What may not be used by this policy, but for what has come to its end date.
fn revoked(policy: &Policy) -> BTreeSet<Id> {
    let account = policy.account();
    let account = account.suspended.then_some(Id::Account(account.id));
    let principals = policy.principals().iter();
    let principals = principals
        .filter(|one| one.status != PrincipalStatus::Active || !one.iot_access)
        .map(|one| Id::Principal(one.id));
    let tokens = policy.tokens().iter();
    let tokens = tokens
        .filter(|token| token.status != TokenStatus::Enabled)
        .map(|token| Id::Token(token.lookup));

    account.into_iter().chain(principals).chain(tokens).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Accounts, Kind};
    use crate::policy::Policy;
    use crate::testing::{NOW, folder};

    #[test]
    fn what_is_revoked_is_so_from_then_until_it_is_restored() {
        let id = Id::Principal(Uuid([7; 16]));
        let mut all = Revocations::default();
        assert!(all.follow(&BTreeSet::from([id]), 100));
        assert!(!all.follow(&BTreeSet::from([id]), 150), "nothing is new");
        assert!(all.follow(&BTreeSet::new(), 200));
        assert!(all.follow(&BTreeSet::from([id]), 300));

        for (at, since) in
            [(99, None), (100, Some(100)), (199, Some(100)), (200, None), (300, Some(300))]
        {
            assert_eq!(all.since(id, at), since, "at {at}");
        }
        assert_eq!(all.since(Id::Account(Uuid([7; 16])), 150), None);
        assert_eq!(Revocations::parse(&all.text()), Some(all));
        assert_eq!(Revocations::parse("token x revoked 1\n"), None);
    }

    #[test]
    fn a_command_writes_down_when_it_revoked() {
        let dir = folder();
        let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
        let id = Id::Principal(accounts.policy().principals()[0].id);
        assert_eq!(accounts.policy().principals()[0].name, "ana.ruiz");
        accounts.set_status(Kind::User, "ana.ruiz", PrincipalStatus::Disabled).unwrap();
        drop(accounts);

        let all = Revocations::load(dir.path()).unwrap();
        assert!(all.since(id, u64::MAX).is_some());
        assert_eq!(all.since(id, 0), None);
        let gone = Policy::load(dir.path()).unwrap();
        let gone = gone.principals().iter().find(|one| one.name == "gone").unwrap().id;
        assert!(all.since(Id::Principal(gone), u64::MAX).is_some(), "was gone before");
    }

    #[test]
    fn what_is_damaged_is_set_aside_and_stops_no_command() {
        for damage in [&b"rubbish\n"[..], b"\xff"] {
            let dir = folder();
            let path = Revocations::path(dir.path());
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, damage).unwrap();
            let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
            let id = Id::Principal(accounts.policy().principals()[0].id);

            accounts.set_status(Kind::User, "ana.ruiz", PrincipalStatus::Disabled).unwrap();

            assert!(Revocations::load(dir.path()).unwrap().since(id, u64::MAX).is_some());
            assert_eq!(fs::read(path.with_extension("damaged")).unwrap(), damage);
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_where_it_is_and_stops_no_command() {
        let dir = folder();
        let path = Revocations::path(dir.path());
        fs::create_dir_all(&path).unwrap();
        let mut accounts = Accounts::open(dir.path(), NOW).unwrap();
        accounts.set_status(Kind::User, "ana.ruiz", PrincipalStatus::Disabled).unwrap();

        assert!(path.is_dir());
        assert_eq!(
            Policy::load(dir.path()).unwrap().principals()[0].status,
            PrincipalStatus::Disabled
        );
    }
}
