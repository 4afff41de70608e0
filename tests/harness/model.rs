//! The meaning of a policy in plain words: sets, texts and loops, written from DOMAIN sections 3, 4
//! and 7 and from the two tables, and from nothing that the product is made of.
//!
//! Slow and simple on purpose: where it and the product differ, one of them is wrong.

mod place;
mod tables;

pub use tables::{Permission, Route, Tables};

use std::collections::{BTreeMap, BTreeSet};

use place::{Target, within};

type Set = BTreeSet<String>;

/// An account.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Whether it is suspended.
    pub suspended: bool,
    /// Its divisions: id and name.
    pub divisions: Vec<(String, String)>,
    /// What custom roles hold.
    pub roles: BTreeMap<String, Set>,
    /// Everybody.
    pub principals: Vec<Principal>,
    /// Their tokens.
    pub tokens: Vec<Token>,
    /// Enrollment profiles: id, and the name of the division that it is in.
    pub profiles: BTreeMap<String, Option<String>>,
    /// Names of the divisions that the group of gateways is limited to.
    pub group: Option<Set>,
    /// From when on operations that need a fresh snapshot are refused.
    pub stale_at: u64,
    /// From when on everything is refused.
    pub expires_at: u64,
}

/// A user or a service user.
#[derive(Clone, Debug)]
pub struct Principal {
    /// Whether it is a service user.
    pub service: bool,
    /// Whether its access scope is the system.
    pub system: bool,
    /// `active`, `disabled` or `deleted`.
    pub status: &'static str,
    /// Whether it has access to IoT Trust Manager.
    pub iot_access: bool,
    /// Roles of a user, permissions of a service user.
    pub grants: Set,
    /// Names of the divisions it is limited to; none for all of them.
    pub divisions: Option<Set>,
    /// Whether its limit has lost all of its divisions on the way: no policy can say that.
    pub nowhere: bool,
    /// Year, month and day.
    pub end: Option<(u64, u64, u64)>,
}

/// A token.
#[derive(Clone, Debug)]
pub struct Token {
    /// Place of its owner.
    pub owner: usize,
    /// `enabled`, `disabled` or `deleted`.
    pub status: &'static str,
    /// Year, month and day.
    pub end: Option<(u64, u64, u64)>,
}

/// What somebody sends as a credential.
#[derive(Clone, Copy, Debug)]
pub enum Credential {
    /// The text of this token.
    Right(usize),
    /// The public part of this token and another secret.
    WrongSecret(usize),
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// With what.
    pub credential: Credential,
    /// For what.
    pub what: What,
    /// In which division, by name or id.
    pub division: Option<String>,
    /// Whether a proxy asks, whose upstream checks the same key again.
    pub proxy: bool,
    /// When.
    pub at: u64,
    /// Whether an unknown division is refused behind a proxy too.
    pub strict: bool,
    /// Whether an item without a division is refused to whoever is limited.
    pub deny_unattached: bool,
}

/// For what somebody asks.
#[derive(Clone, Debug)]
pub enum What {
    /// Any of these permissions, and the operation.
    Permissions(Vec<String>, Option<String>),
    /// A method, the segments of a path, and values of `division_id` in the query.
    Sends(String, Vec<String>, Vec<String>),
}
/// What a request needs: permissions, each with the operation it would be used for.
struct Need {
    any_of: Vec<(String, String)>,
    fresh: bool,
    target: Target,
}

/// Returns the first second after a day: days since 1970 are counted one month at a time.
#[must_use]
pub fn end_of((year, month, day): (u64, u64, u64)) -> u64 {
    let leap = |year: u64| {
        (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400)
    };
    let mut days = day;
    for earlier in 1970..year {
        days += if leap(earlier) { 366 } else { 365 };
    }
    for earlier in 1..month {
        days += match earlier {
            2 if leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
    }

    days * 86_400
}

const BARRED: [&str; 3] = ["issue", "issue_ca", "approve"];

impl Tables {
    /// Returns the reason for the answer, by its name.
    #[must_use]
    pub fn decide(&self, account: &Account, request: &Request) -> &'static str {
        let need = match self.need(account, request) {
            Ok(need) => need,
            Err(reason) => return reason,
        };
        if request.at >= account.expires_at {
            return "snapshot_expired";
        }
        let (Credential::Right(at) | Credential::WrongSecret(at)) = request.credential;
        let token = account.tokens.get(at).expect("a token of this account");
        let owner = account.principals.get(token.owner).expect("an owner of this account");
        let over = |end: Option<_>| end.is_some_and(|end| request.at >= end_of(end));
        let held = self.held(account, owner);
        let usable: Vec<_> = need.any_of.iter().filter(|(id, _)| held.contains(id)).collect();

        if token.status == "deleted" || !account.knows(owner) {
            return "unknown_token";
        }
        if matches!(request.credential, Credential::WrongSecret(_)) {
            return "bad_secret";
        }
        match () {
            () if token.status == "disabled" => "token_disabled",
            () if over(token.end) => "token_expired",
            () if owner.status == "disabled" => "owner_disabled",
            () if over(owner.end) => "owner_expired",
            () if account.suspended => "account_suspended",
            () if !owner.iot_access => "no_iot_access",
            () if need.fresh && request.at >= account.stale_at => "snapshot_stale",
            () if usable.is_empty() => "permission_missing",
            () if owner.system && usable.iter().all(|(_, op)| BARRED.contains(&op.as_str())) => {
                "system_user_barred"
            }
            () => within(owner, &need.target, request),
        }
    }

    /// Returns what somebody holds (DOMAIN 3.2).
    fn held(&self, account: &Account, principal: &Principal) -> Set {
        if principal.service {
            return principal.grants.clone();
        }
        let mut held = Set::new();
        for role in &principal.grants {
            for (id, permission) in &self.permissions {
                let built_in = (role == "iot_account_admin" && permission.account_admin)
                    || (role == "iot_system_admin" && permission.system_admin);
                if built_in || account.roles.get(role).is_some_and(|role| role.contains(id)) {
                    held.insert(id.clone());
                }
            }
        }

        held
    }

    fn need(&self, account: &Account, request: &Request) -> Result<Need, &'static str> {
        match &request.what {
            What::Permissions(ids, op) => {
                Ok(self.need_of_permissions(account, request, ids, op.as_deref()))
            }
            What::Sends(method, path, query) => {
                let route = self.route(method, path)?;
                if route.op == "public" {
                    return Err("ok_public");
                }
                if !route.key {
                    return Err("credential_not_accepted");
                }
                Ok(self.need_of_route(account, request, route, path, query))
            }
        }
    }

    fn need_of_permissions(
        &self,
        account: &Account,
        request: &Request,
        ids: &[String],
        op: Option<&str>,
    ) -> Need {
        let mut any_of = Vec::new();
        let (mut granting, mut fresh, mut scoped) = (0, 0, false);
        for id in ids {
            let Some(permission) = self.permissions.get(id) else {
                // What is not known may well depend on divisions.
                scoped = true;
                continue;
            };
            scoped |= permission.division_scoped;
            let op = op.unwrap_or_else(|| strictest(id));
            if permission.ops.contains(op) {
                granting += 1;
                fresh += usize::from(permission.fresh_ops.contains(op));
                any_of.push((id.clone(), op.to_owned()));
                if id == "view_certificate" && op == "read" {
                    any_of.push(("manage_certificate".to_owned(), op.to_owned()));
                }
            }
        }
        let target = match &request.division {
            _ if !scoped => Target::NotLimitedByDivisions,
            Some(division) => account.target(division),
            None => Target::Unknown,
        };

        Need { any_of, fresh: granting > 0 && fresh == granting, target }
    }

    fn need_of_route(
        &self,
        account: &Account,
        request: &Request,
        route: &Route,
        path: &[String],
        query: &[String],
    ) -> Need {
        let grants = |id: &&String| {
            self.permissions.get(*id).is_some_and(|permission| permission.ops.contains(&route.op))
        };
        let scoped = |id: &String| self.permissions.get(id).is_none_or(|p| p.division_scoped);
        let named = account.named_by(route, path, query);
        let stated = request.division.as_deref().map(|division| account.target(division));
        let target = match (named, stated) {
            _ if route.division == "none" || !route.any_of.iter().any(scoped) => {
                Target::NotLimitedByDivisions
            }
            (Target::Unknown, None) => Target::Unknown,
            (Target::Unknown, Some(stated)) => stated,
            (named, None) => named,
            (Target::Division(one), Some(Target::Division(other))) if one == other => {
                Target::Division(one)
            }
            (Target::SomeOtherDivision, Some(Target::SomeOtherDivision)) => {
                Target::SomeOtherDivision
            }
            (_, Some(_)) => Target::TwoOrNonsense,
        };
        let any_of = route.any_of.iter().filter(grants);

        Need {
            any_of: any_of.map(|id| (id.clone(), route.op.clone())).collect(),
            fresh: route.fresh,
            target,
        }
    }
}

/// The operation that a permission means where none is said (INTERFACES 5).
fn strictest(id: &str) -> &'static str {
    match id {
        "manage_certificate" => "issue",
        "manage_iot_ca" => "issue_ca",
        _ if id.starts_with("view_") => "read",
        _ => "write",
    }
}
