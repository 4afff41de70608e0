//! `gateward check --snapshot`: decides from a file, with the trust anchor of the configuration.

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
use crate::store::bundle::{self, Checked};

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
    fs::File::open(path)
        .and_then(bundle::read)
        .map_err(|source| Unusable::Read { path: path.display().to_string(), source })
}

fn unsigned(args: &Args, path: &Path, file: Vec<u8>, token: &str) -> Result<Reason, Unusable> {
    let content = snapshot::unsigned(file).map_err(|refused| bad(path, &refused))?;

    question(args, &content.view(), token, DivisionRules::default())
}

/// Decides as an agent does that was enrolled as this gateway and has this bundle, with what is
/// revoked in it and stale where it says that something is missing.
fn signed(
    args: &Args,
    path: &Path,
    file: &[u8],
    token: &str,
    config: &Config,
) -> Result<Reason, Unusable> {
    let anchor = read(&config.key_set)?;
    let keys = KeySet::anchor(&anchor, config.account)
        .map_err(|refused| bad(&config.key_set, &refused))?;
    let audience = Audience::of(config.account, config.group.as_str());
    let checked = Checked::new(file, &keys, audience).map_err(|why| bad(path, &why))?;
    let in_force = checked
        .in_force(UnixSeconds(0))
        .ok_or_else(|| bad(path, &"cannot be decided from; compile the bundle again"))?;

    question(args, &in_force.view(), token, config.decision.rules())
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
    use gateward_core::principal::TokenKind;
    use gateward_core::token;

    use super::*;
    use crate::store::testing::{self, ACCOUNT, Authority, GROUP, token_id};

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    /// Decides about `question` from a bundle, as on a gateway of that group.
    fn decided(bytes: &[u8], token: &str, question: &[&str]) -> Result<Reason, Unusable> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("keyset"), Authority::new().key_set()).unwrap();
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
        let args = Command::parse_from(["check"].iter().chain(question)).args;

        signed(&args, Path::new("bundle"), bytes, token, &config)
    }

    const QUESTION: [&str; 2] = ["--permission", "view_device"];

    /// A bundle of nine tokens with a revocation list; its snapshot is of now.
    fn with(revoked: &[u8]) -> Vec<u8> {
        let authority = Authority::new();
        let file = authority.publish(4, 9).file;
        let published = authority.sign(1, 4, Clock::real().wall(), file);

        testing::bundle(&[&authority.key_set()], &published, revoked)
    }

    fn reason(bytes: &[u8], number: u64) -> Reason {
        let text = token::write(TokenKind::Api, token_id(number), &testing::SECRET);

        decided(bytes, core::str::from_utf8(&text).unwrap(), &QUESTION).unwrap()
    }

    #[test]
    fn h19_what_a_list_in_the_bundle_revokes_is_denied_and_nothing_else() {
        let list = Authority::new().revoke(1, 4, &[token_id(3)]);

        let (without, bytes) = (with(b""), with(&list));

        assert_ne!(reason(&without, 3), Reason::Revoked);
        assert_eq!(reason(&bytes, 4), reason(&without, 4));
        assert_eq!(reason(&bytes, 3), Reason::Revoked);
    }

    #[test]
    fn h4_a_list_that_is_damaged_or_of_a_key_that_nobody_trusts_is_not_decided_from() {
        let mut damaged = Authority::new().revoke(1, 4, &[token_id(3)]);
        let last = damaged.len() - 5;
        damaged[last] ^= 1;
        let elsewhere = Authority::new().revoke_under(2, 1, 4, &[token_id(3)]);
        for list in [&b"list"[..], &damaged, &elsewhere] {
            let refused = decided(&with(list), "", &QUESTION).unwrap_err();
            assert_eq!(refused.exit(), Exit::BadData);
            assert!(refused.to_string().contains("revocation list"), "{refused}");
        }
    }

    #[test]
    fn what_a_compromised_key_signed_is_not_decided_from() {
        let authority = Authority::new();
        let published = authority.publish(1, 3);
        let sets = [authority.key_set(), authority.key_set_after_theft()];
        let bytes = testing::bundle(&[&sets[0], &sets[1]], &published, b"");

        let refused = decided(&bytes, "", &QUESTION).unwrap_err();

        assert_eq!(refused.exit(), Exit::BadData);
    }

    #[test]
    fn h22_a_bundle_without_the_list_that_its_manifest_speaks_of_is_stale() {
        let authority = Authority::new();
        let lacking = authority.publish_with_revocations(4);
        let keys = KeySet::anchor(&authority.key_set(), ACCOUNT).unwrap();
        let view_stale_at = |list: &[u8]| {
            let bytes = testing::bundle(&[&authority.key_set()], &lacking, list);
            let audience = Audience::of(ACCOUNT, GROUP);
            let checked = Checked::new(&bytes, &keys, audience).unwrap();
            checked.in_force(UnixSeconds(0)).unwrap().stale_at()
        };

        assert_eq!(view_stale_at(b""), UnixSeconds(0));
        assert!(view_stale_at(&authority.revoke(1, 4, &[])) > UnixSeconds(0));
    }

    #[test]
    fn a_path_that_no_rule_knows_is_denied_from_a_bundle_too() {
        let question = ["--method", "GET", "--path", "/no/such/path"];

        assert_eq!(decided(&with(b""), "", &question).unwrap(), Reason::RouteUnknown);
    }
}
