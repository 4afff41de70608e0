//! Users and service users.

use gateward_core::name::Uuid;

use super::line::{ServiceUserLine, TokenLine, UserLine, append, change};
use super::{Accounts, Kind, Refused};
use crate::day::Day;
use crate::policy::{PrincipalStatus, SERVICE_USERS, Sources, TOKENS, TokenStatus, USERS};

/// Where somebody may act.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Where {
    /// In every division.
    #[default]
    Everywhere,
    /// In these divisions, by name; an empty list is refused.
    Only(Vec<String>),
}

impl Where {
    fn line(&self) -> Option<Vec<String>> {
        match self {
            Self::Everywhere => None,
            Self::Only(divisions) => Some(divisions.clone()),
        }
    }
}

/// A user to be added.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NewUser {
    /// What audit records will call its tokens' actions.
    pub username: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// Where it may act.
    pub divisions: Where,
    /// Whether its access scope is the system: then it never requests certificates.
    pub system: bool,
    /// Whether it has no access to IoT Trust Manager.
    pub no_iot_access: bool,
}

/// A service user to be added.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NewServiceUser {
    /// What audit records will call its actions.
    pub friendly_name: String,
    /// What it may do.
    pub permissions: Vec<String>,
    /// Where it may act.
    pub divisions: Where,
    /// Its last day.
    pub end: Option<Day>,
}

/// What is to be different about a user or service user; none leaves it as it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PrincipalChange {
    /// Another name; its id stays.
    pub name: Option<String>,
    /// Roles of a user.
    pub roles: Option<Vec<String>>,
    /// Permissions of a service user.
    pub permissions: Option<Vec<String>>,
    /// Where it may act.
    pub divisions: Option<Where>,
    /// The last day of a service user; none within takes it away.
    pub end: Option<Option<Day>>,
    /// Whether a user's access scope is the system.
    pub system: Option<bool>,
    /// Whether it has access to IoT Trust Manager.
    pub iot_access: Option<bool>,
}

const fn scope_word(system: bool) -> &'static str {
    if system { "system" } else { "account" }
}

impl Accounts {
    /// Adds a user and returns its id.
    ///
    /// # Errors
    ///
    /// The username is taken, or something about the user is wrong.
    pub fn add_user(&mut self, user: &NewUser) -> Result<Uuid, Refused> {
        let id = self.draw_id()?;
        let mut sources = self.sources.clone();
        append(
            &mut sources.users,
            &UserLine {
                username: user.username.clone(),
                id: id.to_string(),
                roles: user.roles.clone(),
                divisions: user.divisions.line(),
                access_scope: Some(scope_word(user.system).to_owned()),
                status: Some(PrincipalStatus::Active.name().to_owned()),
                iot_access: Some(!user.no_iot_access),
                ..UserLine::default()
            },
        );
        self.commit(sources)?;

        Ok(id)
    }

    /// Adds a service user and returns its id.
    ///
    /// # Errors
    ///
    /// The friendly name is taken, or something about the service user is wrong.
    pub fn add_service_user(&mut self, service_user: &NewServiceUser) -> Result<Uuid, Refused> {
        let id = self.draw_id()?;
        let mut sources = self.sources.clone();
        append(
            &mut sources.service_users,
            &ServiceUserLine {
                friendly_name: service_user.friendly_name.clone(),
                id: id.to_string(),
                permissions: service_user.permissions.clone(),
                divisions: service_user.divisions.line(),
                status: Some(PrincipalStatus::Active.name().to_owned()),
                end_date: service_user.end.map(|day| day.to_string()),
                ..ServiceUserLine::default()
            },
        );
        self.commit(sources)?;

        Ok(id)
    }

    /// Enables, disables or deletes somebody; whoever is deleted takes its tokens along.
    ///
    /// # Errors
    ///
    /// Nobody is called so, it was deleted before, or its entry was written by hand.
    pub fn set_status(
        &mut self,
        kind: Kind,
        name: &str,
        status: PrincipalStatus,
    ) -> Result<(), Refused> {
        let id = self.principal(kind, name)?.id;
        let mut sources = self.edit(
            kind,
            name,
            |user| user.status = Some(status.name().to_owned()),
            |service_user| service_user.status = Some(status.name().to_owned()),
        )?;
        if status == PrincipalStatus::Deleted {
            self.delete_tokens_of(id, &mut sources);
        }

        self.commit(sources)
    }

    /// Changes somebody's rights, name or end.
    ///
    /// # Errors
    ///
    /// Nobody is called so, it was deleted, its entry was written by hand, or the change is wrong.
    pub fn change(
        &mut self,
        kind: Kind,
        name: &str,
        changed: &PrincipalChange,
    ) -> Result<(), Refused> {
        let id = self.principal(kind, name)?.id;
        let mut sources = self.edit(
            kind,
            name,
            |user| change_user(user, changed),
            |service_user| change_service_user(service_user, changed),
        )?;
        if let Some(name) = &changed.name {
            self.rename_owner(id, name, &mut sources)?;
        }

        self.commit(sources)
    }

    /// Returns the texts with one entry changed.
    fn edit(
        &self,
        kind: Kind,
        name: &str,
        user: impl FnOnce(&mut UserLine),
        service_user: impl FnOnce(&mut ServiceUserLine),
    ) -> Result<Sources, Refused> {
        let principal = self.principal(kind, name)?;
        let what = || format!("{} `{}`", kind.name(), name.escape_debug());
        if principal.status == PrincipalStatus::Deleted {
            return Err(Refused::Deleted { what: what() });
        }
        let mut sources = self.sources.clone();
        let place = principal.place;
        let (table, changed) = match kind {
            Kind::User if place.file == USERS => {
                (USERS, change(&mut sources.users, place.line, user))
            }
            Kind::ServiceUser if place.file == SERVICE_USERS => {
                (SERVICE_USERS, change(&mut sources.service_users, place.line, service_user))
            }
            Kind::User => (USERS, false),
            Kind::ServiceUser => (SERVICE_USERS, false),
        };
        if !changed {
            return Err(Refused::ByHand { what: what(), place, table });
        }

        Ok(sources)
    }

    /// Tokens that were written by hand stay: without their owner they are not shipped.
    fn delete_tokens_of(&self, owner: Uuid, sources: &mut Sources) {
        for token in self.policy.tokens() {
            if token.owner == owner && token.place.file == TOKENS {
                change(&mut sources.tokens, token.place.line, |line: &mut TokenLine| {
                    line.status = Some(TokenStatus::Deleted.name().to_owned());
                    line.verifier = None;
                });
            }
        }
    }

    /// The owner's name beside its id is for readers, and wrong once the owner is called otherwise.
    fn rename_owner(&self, owner: Uuid, name: &str, sources: &mut Sources) -> Result<(), Refused> {
        for token in self.policy.tokens().iter().filter(|token| token.owner == owner) {
            if token.place.file != TOKENS {
                let what = format!("token {}", token.lookup);
                return Err(Refused::ByHand { what, place: token.place, table: TOKENS });
            }
            change(&mut sources.tokens, token.place.line, |line: &mut TokenLine| {
                line.owner = Some(name.to_owned());
            });
        }

        Ok(())
    }
}

fn change_user(line: &mut UserLine, changed: &PrincipalChange) {
    if let Some(name) = &changed.name {
        line.username.clone_from(name);
    }
    if let Some(roles) = &changed.roles {
        line.roles.clone_from(roles);
    }
    if let Some(divisions) = &changed.divisions {
        line.divisions = divisions.line();
    }
    if let Some(system) = changed.system {
        line.access_scope = Some(scope_word(system).to_owned());
    }
    line.iot_access = changed.iot_access.or(line.iot_access);
}

fn change_service_user(line: &mut ServiceUserLine, changed: &PrincipalChange) {
    if let Some(name) = &changed.name {
        line.friendly_name.clone_from(name);
    }
    if let Some(permissions) = &changed.permissions {
        line.permissions.clone_from(permissions);
    }
    if let Some(divisions) = &changed.divisions {
        line.divisions = divisions.line();
    }
    if let Some(end) = changed.end {
        line.end_date = end.map(|day| day.to_string());
    }
    line.iot_access = changed.iot_access.or(line.iot_access);
}
