//! Changes to the people and tokens of a policy folder: the work of an account manager.
//!
//! Every change is made to a copy first and written only where the policy that comes out of it is
//! right, so a folder that was good stays good. Ids are drawn here; a token's text exists once, in
//! [`Issued`], and is never written.

mod folder;
mod line;
mod people;
mod tokens;

pub use people::{NewServiceUser, NewUser, PrincipalChange, Where};
pub use tokens::{Issued, NewToken, TokenRef};

use std::path::Path;

use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;

use crate::draw::NoRandomness;
use crate::policy::{Mistakes, Place, Policy, Principal, Sources, Unusable};
use crate::whole;

/// A policy folder that nobody else changes meanwhile.
#[derive(Debug)]
pub struct Accounts {
    folder: folder::Locked,
    sources: Sources,
    policy: Policy,
    now: UnixSeconds,
}

/// Who is meant: a username and a friendly name may be equal (DOMAIN N14).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// A service user, by its friendly name.
    ServiceUser,
    /// A user, by its username.
    User,
}

impl Kind {
    /// Returns the word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServiceUser => "service user",
            Self::User => "user",
        }
    }
}

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Somebody else is changing the folder.
    #[error("another command is changing this folder; try again when it is done")]
    Busy,
    /// What was deleted stays deleted, so that its id never stands for something else.
    #[error("{what} was deleted for good; make a new one")]
    Deleted {
        /// Which.
        what: String,
    },
    /// A token that has ended cannot be used, enabled or extended (DOMAIN E4).
    #[error("token {lookup} ended on {end} and cannot be used again; make a new one: token rotate")]
    Expired {
        /// Which.
        lookup: String,
        /// Its last day.
        end: String,
    },
    /// The token was imported before; one text is one token.
    #[error(
        "this token was imported before, as {0}; change that entry, or have another token made"
    )]
    Imported(String),
    /// The change is against a rule, such as a name that is taken; nothing was written.
    #[error("the policy would be wrong, so nothing is written:\n{0}")]
    Mistakes(Mistakes),
    /// Nobody is called so.
    #[error("no {} is called `{}`; `list` shows who there is", kind.name(), name.escape_debug())]
    NoSuchPrincipal {
        /// What was looked for.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// No token is meant by this.
    #[error("there is no token {0}; `token list` shows them")]
    NoSuchToken(String),
    /// A text that is to be imported could be guessed.
    #[error("{0}")]
    NotImportable(&'static str),
    /// The end that a new token should have is over.
    #[error("the end date {0} is over; choose a later one, or none")]
    Over(String),
    /// A person wrote the entry, so a person changes it.
    #[error(
        "{what} stands at {place}, which is written by hand; change it there, or move the entry to {table}"
    )]
    ByHand {
        /// Which.
        what: String,
        /// Where.
        place: Place,
        /// Where commands may change it.
        table: &'static str,
    },
    /// The system gives no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The folder cannot be read or written, or was wrong before.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

impl From<whole::Failed> for Refused {
    fn from(failed: whole::Failed) -> Self {
        Self::Unusable(Unusable::Unreadable(failed))
    }
}

impl Accounts {
    /// Opens the folder `dir` and keeps others from changing it until the value is dropped.
    ///
    /// # Errors
    ///
    /// Somebody else has it, it cannot be read, or its policy is wrong already.
    pub fn open(dir: &Path, now: UnixSeconds) -> Result<Self, Refused> {
        let folder = folder::Locked::open(dir)?;
        let sources = Sources::read(dir)?;
        let policy = Policy::check(&sources).map_err(Unusable::Mistakes)?;

        Ok(Self { folder, sources, policy, now })
    }

    /// Returns the policy as it is now.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Writes `sources` where they make a policy.
    fn commit(&mut self, sources: Sources) -> Result<(), Refused> {
        let policy = Policy::check(&sources).map_err(Refused::Mistakes)?;
        self.folder.write(&self.sources, &sources, &policy)?;
        self.sources = sources;
        self.policy = policy;

        Ok(())
    }

    /// Finds who is called `name`, else who was.
    fn principal(&self, kind: Kind, name: &str) -> Result<&Principal, Refused> {
        let service = kind == Kind::ServiceUser;
        let called =
            |principal: &&Principal| principal.is_service() == service && principal.name == name;
        let mut called = self.policy.principals().iter().filter(called);
        let alive = called
            .clone()
            .find(|principal| principal.status != crate::policy::PrincipalStatus::Deleted);

        alive
            .or_else(|| called.next())
            .ok_or_else(|| Refused::NoSuchPrincipal { kind, name: name.to_owned() })
    }

    fn draw_id(&self) -> Result<Uuid, Refused> {
        loop {
            let id = crate::draw::uuid(self.now.0.saturating_mul(1_000))?;
            let taken = self.policy.principals().iter().any(|principal| principal.id == id)
                || self.policy.divisions().iter().any(|division| division.id == id);
            if !taken {
                return Ok(id);
            }
        }
    }
}

#[cfg(test)]
mod tests;
