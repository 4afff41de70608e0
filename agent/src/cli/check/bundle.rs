//! `gateward check --snapshot`: decides from a file, with the trust anchor of the configuration.

use std::fs;
use std::io;
use std::path::Path;

use gateward_core::bundle::Bundle;
use gateward_core::decide::{Ask, Mode, Reason, decide};
use gateward_core::division::DivisionRules;
use gateward_core::permission::Operation;
use gateward_core::route;
use gateward_core::snapshot::{self, View, chunk::HashList};
use gateward_core::token::Token;
use gateward_core::trust::{Audience, Floor, KeySet, Manifest};
use serde_json::json;
use thiserror::Error;

use super::{Args, Said};
use crate::cli::{Exit, Global};
use crate::clock::Clock;
use crate::config::Config;
use crate::now::Timekeeper;

/// Why a file cannot be decided from.
#[derive(Debug, Error)]
enum Unusable {
    /// It is not what it should be.
    #[error("`{path}`: {reason}")]
    Bad { path: String, reason: String },
    /// The question makes no sense.
    #[error("`--operation` is read, write, delete, issue, issue_ca, revoke or approve")]
    Operation,
    /// It cannot be read.
    #[error("`{path}` cannot be read")]
    Read { path: String, source: io::Error },
}

impl Unusable {
    const fn exit(&self) -> Exit {
        match self {
            Self::Bad { .. } => Exit::BadData,
            Self::Operation => Exit::Usage,
            Self::Read { .. } => Exit::Io,
        }
    }
}

pub(super) fn check(args: &Args, path: &Path, token: &str, global: &Global) -> Exit {
    let decided = if args.unsigned {
        read(path).and_then(|file| unsigned(args, path, file, token))
    } else {
        let config = match global.load() {
            Ok(config) => config,
            Err(exit) => return exit,
        };
        read(path).and_then(|file| signed(args, path, &file, token, &config))
    };

    match decided {
        Ok(reason) => {
            let allow = reason == Reason::Ok || reason == Reason::OkPublic;
            let answer = json!({
                "allow": allow,
                "reason": reason.name(),
                "means": reason.text(),
                "signed": !args.unsigned,
            });
            let exit = match allow {
                true => Exit::Success,
                false if reason == Reason::SnapshotExpired => Exit::NotNow,
                false => Exit::No,
            };
            let mark = if args.unsigned { "unsigned snapshot: " } else { "" };
            global.print(exit, &format!("{mark}{}", Said(&answer)), &answer)
        }
        Err(unusable) => global.fail(unusable.exit(), &unusable),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Unusable> {
    fs::read(path).map_err(|source| Unusable::Read { path: path.display().to_string(), source })
}

fn unsigned(args: &Args, path: &Path, file: Vec<u8>, token: &str) -> Result<Reason, Unusable> {
    let content = snapshot::unsigned(file).map_err(|refused| bad(path, &refused))?;

    question(args, &content.view(), token)
}

/// Walks the key sets from the one that this gateway was enrolled with, as the agent does.
fn signed(
    args: &Args,
    path: &Path,
    file: &[u8],
    token: &str,
    config: &Config,
) -> Result<Reason, Unusable> {
    let bundle = Bundle::read(file).map_err(|not| bad(path, &not))?;
    let anchor = read(&config.key_set)?;
    let mut keys = KeySet::anchor(&anchor, config.account)
        .map_err(|refused| bad(&config.key_set, &refused))?;
    for next in bundle.key_sets().skip_while(|key_set| *key_set != anchor).skip(1) {
        keys = keys.follow(next).map_err(|refused| bad(path, &refused))?;
    }
    let audience = Audience::of(config.account, config.group.as_str());
    let manifest = Manifest::verify(bundle.manifest, &keys, audience)
        .map_err(|refused| bad(path, &refused))?;
    HashList::check(bundle.list, &manifest).map_err(|refused| bad(path, &refused))?;
    let verified = snapshot::open(bundle.file, manifest).map_err(|refused| bad(path, &refused))?;

    question(args, &verified.view(), token)
}

fn bad(path: &Path, reason: &dyn core::fmt::Display) -> Unusable {
    Unusable::Bad { path: path.display().to_string(), reason: reason.to_string() }
}

fn question(args: &Args, view: &View<'_>, token: &str) -> Result<Reason, Unusable> {
    let ask = match (&args.method, &args.path) {
        (Some(method), Some(path)) => match route::find(method, path, view.ext().routes()) {
            Ok(found) if found.rule.operation == route::RouteOperation::Public => {
                return Ok(Reason::OkPublic);
            }
            Ok(found) if !found.rule.accepts.key() => return Ok(Reason::CredentialNotAccepted),
            Ok(found) => Ask::of_route(view, &found, args.division.as_deref(), Mode::Direct),
            Err(none) => return Ok(none.reason()),
        },
        _ => {
            let operation = args.operation.as_deref().map(Operation::parse);
            if operation == Some(None) {
                return Err(Unusable::Operation);
            }
            let ids = args.permission.iter().map(String::as_str);
            Ask::of_permissions(
                view,
                ids,
                operation.flatten(),
                args.division.as_deref(),
                Mode::Direct,
            )
        }
    };
    let Ok(token) = Token::read(token.as_bytes()) else { return Ok(Reason::MalformedToken) };
    let now = Timekeeper::new(Clock::real(), &Floor::default()).now();

    Ok(decide(view, &ask, &token, now.at, DivisionRules::default()).reason)
}
