//! `gateward check --snapshot`: decides from a file, with the trust anchor of the configuration.
//!
//! It takes the bundle as an agent does that has nothing else: what that agent would refuse is
//! not decided from.

use std::fs;
use std::io;
use std::path::Path;

use gateward_core::decide::{Ask, Class, Mode, Reason, decide};
use gateward_core::division::DivisionRules;
use gateward_core::permission::Operation;
use gateward_core::route::{self, Sent};
use gateward_core::snapshot::{self, View};
use gateward_core::time::UnixSeconds;
use gateward_core::token::Token;
use gateward_core::trust::{Audience, Floor, KeySet};
use serde_json::json;
use thiserror::Error;

use super::{Args, Said, ending};
use crate::cli::{Exit, Global};
use crate::clock::Clock;
use crate::config::Config;
use crate::now::Timekeeper;
use crate::store::bundle::{self, BadBundle, Checked};

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
    fn exit(&self) -> Exit {
        match self {
            Self::Bad { .. } => Exit::BadData,
            Self::Operation => Exit::Usage,
            Self::Read { source, .. } if source.kind() == io::ErrorKind::FileTooLarge => {
                Exit::BadData
            }
            Self::Read { .. } => Exit::Io.unless_refused(self),
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
        read(path).and_then(|file| signed(args, path, &file, token, &config, Clock::real()))
    };

    match decided {
        Ok(reason) => {
            let allow = reason.class() == Class::Allow;
            let answer = json!({
                "allow": allow,
                "reason": reason.name(),
                "means": reason.text(),
                "signed": !args.unsigned,
            });
            let exit = ending(allow, Some(reason));
            let mark = if args.unsigned { "unsigned snapshot: " } else { "" };
            global.print(exit, &format!("{mark}{}", Said(&answer)), &answer)
        }
        Err(unusable) => global.fail(unusable.exit(), &unusable),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Unusable> {
    fs::File::open(path)
        .and_then(bundle::read)
        .map_err(|source| Unusable::Read { path: path.display().to_string(), source })
}

fn unsigned(args: &Args, path: &Path, file: Vec<u8>, token: &str) -> Result<Reason, Unusable> {
    let content = snapshot::unsigned(file).map_err(|refused| bad(path, &refused))?;
    let now = Timekeeper::new(Clock::real(), &Floor::default()).now().at;

    question(args, &content.view(), token, now, DivisionRules::default())
}

/// Decides as an agent does that was enrolled as this gateway and has this bundle: with the time
/// that key sets and manifest vouch for, with what is revoked in it, and stale where it says that
/// something is missing.
fn signed(
    args: &Args,
    path: &Path,
    file: &[u8],
    token: &str,
    config: &Config,
    clock: Clock,
) -> Result<Reason, Unusable> {
    let anchor = read(&config.key_set)?;
    let keys = KeySet::anchor(&anchor, config.account)
        .map_err(|refused| bad(&config.key_set, &refused))?;
    let audience = Audience::of(config.account, config.group.as_str());
    let checked = Checked::new(file, &keys, audience).map_err(|why| bad(path, &why))?;
    let mut floor = checked.floor(&keys).map_err(|refused| bad(path, &refused))?;
    let time = Timekeeper::new(clock, &floor);
    floor
        .admit(checked.manifest(), &time.now())
        .map_err(|refused| bad(path, &BadBundle::Manifest(refused)))?;
    floor = floor.with(checked.manifest());
    time.follow(&floor);
    let now = time.now().at;
    let in_force = checked
        .in_force(&floor, now)
        .ok_or_else(|| bad(path, &"cannot be decided from; compile the bundle again"))?;

    question(args, &in_force.view(), token, now, config.decision.rules())
}

fn bad(path: &Path, reason: &dyn core::fmt::Display) -> Unusable {
    Unusable::Bad { path: path.display().to_string(), reason: reason.to_string() }
}

fn question(
    args: &Args,
    view: &View<'_>,
    token: &str,
    now: UnixSeconds,
    rules: DivisionRules,
) -> Result<Reason, Unusable> {
    let ask = match (&args.method, &args.path) {
        (Some(method), Some(path)) => match route::find(method, path, view.ext().routes()) {
            Ok(found) => match found.settles(Sent::Token) {
                Some(settled) => return Ok(settled),
                None => Ask::of_route(view, &found, args.division.as_deref(), Mode::Direct),
            },
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

    Ok(decide(view, &ask, &token, now, rules).reason)
}

#[cfg(test)]
mod tests;
