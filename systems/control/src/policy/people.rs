//! Who may act, with effective rights.

use std::collections::BTreeMap;

use gateward_core::name::Uuid;
use gateward_core::permission::PermissionSet;
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::build::Scope;

use super::catalogue::Catalogue;
use super::fields::Fields;
use super::folder::Root;
use super::mistake::{Mistakes, Place};
use super::structure::{Division, Ids, scope};
use crate::day::Day;

/// Whether a user or service user may act.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum PrincipalStatus {
    /// It may.
    #[default]
    Active,
    /// It may not, until it is enabled again.
    Disabled,
    /// It never will; the entry keeps its id from being used again.
    Deleted,
}

impl PrincipalStatus {
    /// Returns the word of a policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
        }
    }
}

/// A user or a service user, with its effective rights (DOMAIN 3.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Principal {
    /// Its id, never used again.
    pub id: Uuid,
    /// Username or friendly name.
    pub name: String,
    /// What it is.
    pub kind: PrincipalKind,
    /// Whether it may act.
    pub status: PrincipalStatus,
    /// Whether it may use IoT Trust Manager at all.
    pub iot_access: bool,
    /// The roles of a user; a service user has none.
    pub roles: Vec<String>,
    /// What it may do: the union of a user's roles, or what a service user was given.
    pub permissions: PermissionSet,
    /// Where it may act.
    pub scope: Scope,
    /// The last day of a service user.
    pub end: Option<Day>,
    /// Where it stands.
    pub place: Place,
}

impl Principal {
    /// Returns whether it is a service user.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.kind == PrincipalKind::ServiceUser
    }
}

/// What entries about people refer to.
pub(super) struct Context<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) divisions: &'a [Division],
    pub(super) roles: &'a BTreeMap<String, PermissionSet>,
}

const STATUS: [(&str, PrincipalStatus); 3] = [
    ("active", PrincipalStatus::Active),
    ("disabled", PrincipalStatus::Disabled),
    ("deleted", PrincipalStatus::Deleted),
];

impl Context<'_> {
    pub(super) fn principals(
        &self,
        root: &Root,
        ids: &mut Ids,
        mistakes: &mut Mistakes,
    ) -> Vec<Principal> {
        let mut principals = Vec::new();
        let mut names = BTreeMap::new();
        for (place, table) in root.many("users", mistakes) {
            let mut fields = Fields::new("users", place, table, mistakes);
            let user = self.user(&mut fields);
            ids.take(user.id, &mut fields);
            once(&mut names, &user, "username", &mut fields);
            fields.finish();
            principals.push(user);
        }
        for (place, table) in root.many("service_users", mistakes) {
            let mut fields = Fields::new("service_users", place, table, mistakes);
            let service_user = self.service_user(&mut fields);
            ids.take(service_user.id, &mut fields);
            once(&mut names, &service_user, "friendly_name", &mut fields);
            fields.finish();
            principals.push(service_user);
        }

        principals
    }

    fn user(&self, fields: &mut Fields<'_>) -> Principal {
        let id = fields.uuid("id");
        let name = fields.name("username");
        let (_, given) = fields.texts("roles").unwrap_or_default();
        let status = fields.word("status", &STATUS).unwrap_or_default();
        let system = fields.word("access_scope", &[("account", false), ("system", true)]);
        let mut permissions = PermissionSet::EMPTY;
        // What a deleted entry refers to may be gone, and it grants nothing any more.
        let deleted = status == PrincipalStatus::Deleted;
        for role in given.iter().filter(|_| !deleted) {
            if let Some(set) = self.roles.get(&role.text) {
                permissions = permissions.union(*set);
            } else {
                let known: Vec<_> = self.roles.keys().map(String::as_str).collect();
                let what = format!(
                    "`{}` is no role; add it under [[roles]], or choose among {}",
                    role.text.escape_debug(),
                    known.join(", ")
                );
                fields.wrong(role.place, "roles", what);
            }
        }
        let kind = match system {
            Some(true) => PrincipalKind::SystemUser,
            Some(false) | None => PrincipalKind::User,
        };
        let roles = given.into_iter().map(|role| role.text).collect();
        let scope = self.scope(fields, deleted);

        self.rest(
            fields,
            Principal {
                id,
                name,
                kind,
                status,
                iot_access: true,
                roles,
                permissions,
                scope,
                end: None,
                place: fields.place(),
            },
        )
    }

    fn service_user(&self, fields: &mut Fields<'_>) -> Principal {
        let id = fields.uuid("id");
        let name = fields.plain_name("friendly_name");
        let status = fields.word("status", &STATUS).unwrap_or_default();
        let deleted = status == PrincipalStatus::Deleted;
        if fields.word("access_scope", &[("account", false), ("system", true)]) == Some(true) {
            let what = "`system` is for users; a service user belongs to its account, so leave the \
                        key out";
            fields.wrong(fields.place(), "access_scope", what);
        }
        let permissions = if deleted {
            fields.texts("permissions");
            PermissionSet::EMPTY
        } else {
            self.catalogue.set(fields, "permissions")
        };
        let end = fields.day("end_date");
        let scope = self.scope(fields, deleted);

        self.rest(
            fields,
            Principal {
                id,
                name,
                kind: PrincipalKind::ServiceUser,
                status,
                iot_access: true,
                roles: Vec::new(),
                permissions,
                scope,
                end,
                place: fields.place(),
            },
        )
    }

    fn scope(&self, fields: &mut Fields<'_>, deleted: bool) -> Scope {
        if deleted {
            fields.texts("divisions");
            return Scope::Only(std::collections::BTreeSet::new());
        }

        scope(fields, self.divisions, "set status = \"disabled\"")
    }

    /// Reads what both have, and what is kept for readers only.
    fn rest(&self, fields: &mut Fields<'_>, principal: Principal) -> Principal {
        for key in ["email", "description", "created_by"] {
            fields.optional(key);
        }

        Principal { iot_access: fields.flag("iot_access").unwrap_or(true), ..principal }
    }
}

/// Refuses a second entry of one name; a service user may be called like a user (DOMAIN N14), and
/// a deleted entry gives its name free.
fn once(
    names: &mut BTreeMap<(bool, String), Place>,
    principal: &Principal,
    key: &str,
    fields: &mut Fields<'_>,
) {
    if principal.status == PrincipalStatus::Deleted || principal.name.is_empty() {
        return;
    }
    let name = (principal.is_service(), principal.name.clone());
    if let Some(first) = names.insert(name, principal.place) {
        let shown = principal.name.escape_debug();
        let what = format!("`{shown}` is already defined at {first}; rename or delete one");
        fields.wrong(principal.place, key, what);
    }
}
