//! `gateward check --snapshot`: decides from a file, with the trust anchor of the configuration.

use std::fs;
use std::io;
use std::path::Path;

use gateward_core::bundle::Bundle;
use gateward_core::decide::{Ask, Class, Mode, Reason, decide};
use gateward_core::division::DivisionRules;
use gateward_core::permission::Operation;
use gateward_core::route::{self, Sent};
use gateward_core::snapshot::{self, View, chunk::HashList};
use gateward_core::token::Token;
use gateward_core::trust::{Audience, Floor, KeySet, Manifest};
use serde_json::json;
use thiserror::Error;

use super::{Args, Said, ending};
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
    /// Deciding without its revocations would allow what is revoked.
    #[error("`{path}`: carries a revocation list, which this build does not read; update gateward")]
    Revocations { path: String },
    /// It cannot be read.
    #[error("`{path}` cannot be read")]
    Read { path: String, source: io::Error },
}

impl Unusable {
    fn exit(&self) -> Exit {
        match self {
            Self::Bad { .. } | Self::Revocations { .. } => Exit::BadData,
            Self::Operation => Exit::Usage,
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
        read(path).and_then(|file| signed(args, path, &file, token, &config))
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
    fs::read(path).map_err(|source| Unusable::Read { path: path.display().to_string(), source })
}

fn unsigned(args: &Args, path: &Path, file: Vec<u8>, token: &str) -> Result<Reason, Unusable> {
    let content = snapshot::unsigned(file).map_err(|refused| bad(path, &refused))?;

    question(args, &content.view(), token, DivisionRules::default())
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
    if !bundle.revoked.is_empty() {
        return Err(Unusable::Revocations { path: path.display().to_string() });
    }
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

    question(args, &verified.view(), token, config.decision.rules())
}

fn bad(path: &Path, reason: &dyn core::fmt::Display) -> Unusable {
    Unusable::Bad { path: path.display().to_string(), reason: reason.to_string() }
}

fn question(
    args: &Args,
    view: &View<'_>,
    token: &str,
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
    let now = Timekeeper::new(Clock::real(), &Floor::default()).now();

    Ok(decide(view, &ask, &token, now.at, rules).reason)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use gateward_core::bundle::build;
    use gateward_core::snapshot::chunk;

    use super::*;
    use crate::store::testing::{ACCOUNT, Authority, GROUP};

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    /// Decides about `question` from a bundle with `revoked`, as on a gateway of that group.
    fn decided(revoked: &[u8], question: &[&str]) -> Result<Reason, Unusable> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let authority = Authority::new();
        let (anchor, published) = (authority.key_set(), authority.publish(1, 3));
        fs::write(path("keyset"), &anchor).unwrap();
        fs::write(path("gateway.key"), b"").unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(path("gateway.key"), private).unwrap();
        let toml = format!(
            "account = '{ACCOUNT}'\ngroup = '{GROUP}'\ngateway = 'edge-7a'\n\
             state_dir = '{0}'\nkey_set = '{0}/keyset'\ngateway_key = '{0}/gateway.key'\n\
             [api]\nsocket = '{0}/api.sock'\nadmin_socket = '{0}/admin.sock'\n\
             [broker]\nurl = 'mqtt://127.0.0.1'\n",
            folder.path().display()
        );
        fs::write(path("agent.toml"), toml).unwrap();
        let config = Config::load(&path("agent.toml"), core::iter::empty()).unwrap();
        let list = chunk::leaves(&published.file, 12).flatten().collect::<Vec<_>>();
        let parts = [&published.envelope[..], &list, &published.file, revoked];
        let bundle = build::write(&[&anchor], parts);
        let args = Command::parse_from(["check"].iter().chain(question)).args;

        signed(&args, Path::new("bundle"), &bundle, "", &config)
    }

    #[test]
    fn a_bundle_with_a_revocation_list_is_not_decided_from() {
        let question = ["--permission", "view_device"];
        let refused = decided(b"list", &question).unwrap_err();
        assert_eq!(refused.exit(), Exit::BadData);
        assert!(refused.to_string().contains("revocation list"), "{refused}");

        assert_eq!(decided(b"", &question).unwrap(), Reason::MalformedToken);
    }

    #[test]
    fn a_path_that_no_rule_knows_is_denied_from_a_bundle_too() {
        let question = ["--method", "GET", "--path", "/no/such/path"];

        assert_eq!(decided(b"", &question).unwrap(), Reason::RouteUnknown);
    }
}
