//! What `user` and `service-user` share, and how people and tokens are listed.

use std::path::{Path, PathBuf};

use gateward_core::principal::{PrincipalKind, TokenKind};
use gateward_core::snapshot::build::Scope;
use gateward_core::time::UnixSeconds;
use serde::Serialize;

use super::{Failed, Format, note, say};
use crate::accounts::{Accounts, Kind};
use crate::clock;
use crate::exit::Exit;
use crate::policy::{Policy, Principal, PrincipalStatus, Token, TokenStatus};

#[derive(clap::Args, Debug)]
pub(super) struct Only {
    /// The policy folder
    dir: PathBuf,
    /// Whom
    name: String,
}

pub(super) fn set_status(only: &Only, kind: Kind, status: PrincipalStatus) -> Result<Exit, Failed> {
    Accounts::open(&only.dir, clock::now())?.set_status(kind, &only.name, status)?;
    note(format_args!("`{}` is {}; gateways know when it is published", only.name, status.name()));

    Ok(Exit::Success)
}

#[derive(Serialize)]
struct PrincipalRow<'a> {
    id: String,
    name: &'a str,
    status: &'static str,
    access_scope: &'static str,
    iot_access: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    roles: &'a [String],
    permissions: Vec<String>,
    /// Left out where it is all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    divisions: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
}

pub(super) fn list_principals(dir: &Path, kind: Kind, format: Format) -> Result<Exit, Failed> {
    let policy = Policy::load(dir)?;
    let listed = |principal: &&Principal| {
        principal.is_service() == (kind == Kind::ServiceUser)
            && principal.status != PrincipalStatus::Deleted
    };
    let mut rows: Vec<_> =
        policy.principals().iter().filter(listed).map(|one| row(&policy, one)).collect();
    rows.sort_by_key(|row| row.name);
    if format == Format::Json {
        return print_json(&rows);
    }
    for row in rows {
        let held =
            if kind == Kind::User { row.roles.join(", ") } else { row.permissions.join(", ") };
        let divisions =
            row.divisions.map_or_else(|| "all divisions".to_owned(), |names| names.join(", "));
        let end = row.end_date.map(|day| format!("\tuntil {day}")).unwrap_or_default();
        say(format_args!("{}\t{}\t{}\t{held}\t{divisions}{end}", row.id, row.name, row.status))?;
    }

    Ok(Exit::Success)
}

fn row<'a>(policy: &'a Policy, principal: &'a Principal) -> PrincipalRow<'a> {
    let divisions = match &principal.scope {
        Scope::All => None,
        Scope::Only(ids) => Some(
            policy
                .divisions()
                .iter()
                .filter(|division| ids.contains(&division.id))
                .map(|division| division.name.as_str())
                .collect(),
        ),
    };

    PrincipalRow {
        id: principal.id.to_string(),
        name: &principal.name,
        status: principal.status.name(),
        access_scope: match principal.kind {
            PrincipalKind::SystemUser => "system",
            PrincipalKind::ServiceUser | PrincipalKind::User => "account",
        },
        iot_access: principal.iot_access,
        roles: &principal.roles,
        permissions: policy.catalogue().ids(principal.permissions),
        divisions,
        end_date: principal.end.map(|day| day.to_string()),
    }
}

#[derive(Serialize)]
struct TokenRow<'a> {
    lookup: String,
    name: &'a str,
    kind: &'static str,
    owner: &'a str,
    owner_id: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
    expired: bool,
}

pub(super) fn list_tokens(dir: &Path, format: Format) -> Result<Exit, Failed> {
    let policy = Policy::load(dir)?;
    let now = clock::now();
    let owners = policy.principals_by_id();
    let mut rows: Vec<TokenRow<'_>> = policy
        .tokens()
        .iter()
        .filter(|token| token.status != TokenStatus::Deleted)
        .map(|token| {
            token_row(token, owners.get(&token.owner).map_or("", |owner| &owner.name), now)
        })
        .collect();
    rows.sort_by(|a, b| (a.owner, a.name, &a.lookup).cmp(&(b.owner, b.name, &b.lookup)));
    if format == Format::Json {
        return print_json(&rows);
    }
    for row in rows {
        let expired = if row.expired { " (over)" } else { "" };
        let end = row.end_date.map(|day| format!("\tuntil {day}{expired}")).unwrap_or_default();
        say(format_args!("{}\t{}\t{}\t{}{end}", row.lookup, row.owner, row.name, row.status))?;
    }

    Ok(Exit::Success)
}

fn token_row<'a>(token: &'a Token, owner: &'a str, now: UnixSeconds) -> TokenRow<'a> {
    TokenRow {
        lookup: token.lookup.to_string(),
        name: &token.name,
        kind: match token.kind {
            TokenKind::Api => "api_token",
            TokenKind::Service => "service_token",
        },
        owner,
        owner_id: token.owner.to_string(),
        status: token.status.name(),
        end_date: token.end.map(|day| day.to_string()),
        expired: token.end.is_some_and(|day| day.is_over(now)),
    }
}

pub(super) fn print_json(rows: &impl Serialize) -> Result<Exit, Failed> {
    let text = serde_json::to_string_pretty(rows)
        .map_err(|error| Failed::new(Exit::InputOutput, error))?;
    say(text)?;

    Ok(Exit::Success)
}
