//! `gateward-control keys rotate`

use std::path::PathBuf;
use std::str::FromStr;

use gateward_core::name::unhex;
use gateward_core::trust::{KeyId, Role};
use serde::Serialize;

use super::keys::time;
use super::lists::print_json;
use super::{Failed, Format, note, say};
use crate::clock;
use crate::day::Day;
use crate::exit::Exit;
use crate::keys::{Fate, Left, NewKey, NotRotated, Rotated, Rotation, role_name, rotate};

#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub(super) struct Args {
    /// The policy folder
    dir: PathBuf,
    /// Draw a new key for this; the one that it replaces is retired
    #[arg(long, value_enum, group = "what")]
    role: Option<RoleName>,
    /// Limit the new key to this group; may be said several times [default: as the old one]
    #[arg(long, requires = "role")]
    group: Vec<String>,
    /// The key that the new one replaces, where there are several of the role
    #[arg(long, value_name = "KEYID", requires = "role")]
    replace: Option<KeyArg>,
    /// Replace none: the keys of the role go on signing beside the new one
    #[arg(long, requires = "role", conflicts_with = "replace")]
    keep: bool,
    /// Somebody else has this key, or, without a KEYID, the one that is replaced: what it signed is
    /// void
    #[arg(
        long,
        value_name = "KEYID",
        num_args = 0..=1,
        default_missing_value = "",
        group = "what"
    )]
    compromised: Vec<Stolen>,
    /// This key signs nothing new; may be said several times
    #[arg(long, value_name = "KEYID", group = "what")]
    retire: Vec<KeyArg>,
    /// A root key that is not in `private`: its file or folder; may be said several times
    #[arg(long, value_name = "FILE")]
    root_key: Vec<PathBuf>,
    /// The folder of a new root key [default: the next private/root-N]
    #[arg(long, value_name = "FOLDER", requires = "role")]
    root_out: Option<PathBuf>,
    /// The last day on which gateways accept what is signed under the key set, in UTC
    /// [default: in five years]
    #[arg(long, value_name = "DAY", group = "what")]
    expires: Option<Day>,
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

/// What a key signs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
enum RoleName {
    Root,
    Snapshot,
    Beacon,
    Collector,
}

impl RoleName {
    const fn role(self) -> Role {
        match self {
            Self::Root => Role::Root,
            Self::Snapshot => Role::Snapshot,
            Self::Beacon => Role::Beacon,
            Self::Collector => Role::Collector,
        }
    }
}

/// A key by its id.
#[derive(Clone, Copy, Debug)]
struct KeyArg(KeyId);

/// A stolen key: by its id, or the one that is replaced.
#[derive(Clone, Copy, Debug)]
struct Stolen(Option<KeyId>);

#[derive(Debug, thiserror::Error)]
#[error(
    "no key id; it is 16 hex digits, as `keys list` shows them, and the folder stands before it"
)]
struct NoKeyId;

impl FromStr for KeyArg {
    type Err = NoKeyId;

    fn from_str(text: &str) -> Result<Self, NoKeyId> {
        let mut id = [0; 8];

        unhex(text, &mut id).then_some(Self(KeyId(id))).ok_or(NoKeyId)
    }
}

impl FromStr for Stolen {
    type Err = NoKeyId;

    fn from_str(text: &str) -> Result<Self, NoKeyId> {
        if text.is_empty() {
            return Ok(Self(None));
        }

        text.parse().map(|KeyArg(id)| Self(Some(id)))
    }
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        let format = self.format;
        let dir = self.dir.clone();
        let rotated = rotate(&self.rotation()?)?;
        if format == Format::Json {
            print_json(&Row::of(&rotated))?;
        } else {
            print(&rotated)?;
        }
        remind(&rotated, &dir.display().to_string());

        Ok(Exit::Success)
    }

    fn rotation(self) -> Result<Rotation, Failed> {
        let stolen = self.compromised.iter().any(|Stolen(id)| id.is_none());
        if stolen && (self.role.is_none() || self.keep) {
            return Err(Failed::new(
                Exit::Usage,
                "--compromised without a key id is about the key that is replaced: add --role, \
                 without --keep, or name the key",
            ));
        }
        let fate = if stolen { Fate::Compromised } else { Fate::Retired };
        let new = self.role.map(|name| NewKey {
            role: name.role(),
            groups: self.group,
            old: (!self.keep).then_some(fate),
            replaces: self.replace.map(|KeyArg(id)| id),
            root_out: self.root_out,
        });
        let retired = self.retire.iter().map(|KeyArg(id)| (*id, Fate::Retired));
        let stolen = self.compromised.iter().filter_map(|Stolen(id)| *id);
        let stolen = stolen.map(|id| (id, Fate::Compromised));

        Ok(Rotation {
            dir: self.dir,
            new,
            leaving: retired.chain(stolen).collect(),
            root_keys: self.root_key,
            expires: self.expires,
            now: clock::now(),
        })
    }
}

#[derive(Serialize)]
struct Row {
    epoch: u32,
    expires: String,
    key_set: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<KeyRow>,
    left: Vec<KeyRow>,
}

#[derive(Serialize)]
struct KeyRow {
    id: String,
    /// What it signs, or what became of it.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    private: Option<String>,
}

impl Row {
    fn of(rotated: &Rotated) -> Self {
        let new = rotated.new.as_ref().map(|(id, role, path)| KeyRow {
            id: id.to_string(),
            status: role_name(*role),
            private: Some(path.display().to_string()),
        });
        let left = rotated.left.iter().map(|Left { id, fate, path }| KeyRow {
            id: id.to_string(),
            status: fate.name(),
            private: path.as_ref().map(|path| path.display().to_string()),
        });

        Self {
            epoch: rotated.epoch,
            expires: time(rotated.expires),
            key_set: rotated.path.display().to_string(),
            new,
            left: left.collect(),
        }
    }
}

fn print(rotated: &Rotated) -> Result<(), Failed> {
    let Row { epoch, expires, key_set, new, left } = Row::of(rotated);
    say(format_args!("epoch {epoch}, expires {expires}, {key_set}"))?;
    if let Some(KeyRow { id, status, private }) = new {
        say(format_args!("  {id} {status}, new, {}", private.unwrap_or_default()))?;
    }
    for KeyRow { id, status, private } in left {
        let private = private.map(|path| format!(", {path}")).unwrap_or_default();
        say(format_args!("  {id} {status}{private}"))?;
    }

    Ok(())
}

/// What is still to be done.
fn remind(rotated: &Rotated, dir: &str) {
    let stolen = rotated.left.iter().any(|left| left.fate == Fate::Compromised);
    let until = if stolen {
        "whoever has the stolen key can use it until then, and gateways whose snapshot it signed \
         refuse everything between the key set and the new manifest"
    } else {
        "gateways know the new key set when it is published"
    };
    note(format_args!("run `gateward-control publish {dir} --broker URL`: {until}"));
    let (roots, needed) = rotated.roots;
    if roots <= needed {
        note(format_args!(
            "all {roots} root keys must sign the next key set: with one more lost, none can follow; \
             add one with --role root --keep"
        ));
    }
    if let Some((_, Role::Root, path)) = &rotated.new {
        note(format_args!("move {} to a place of its own", path.display()));
    }
    if let Some((_, Role::Collector, _)) = &rotated.new {
        note(
            "a collector on another machine needs the new private half; one on this folder takes it",
        );
    }
}

impl From<NotRotated> for Failed {
    fn from(failed: NotRotated) -> Self {
        let exit = match failed {
            NotRotated::Chain(failed) => return failed.into(),
            NotRotated::Failed(failed) => return failed.into(),
            NotRotated::NotLocked(failed) => return failed.into(),
            NotRotated::Policy(failed) => return failed.into(),
            NotRotated::Secret(failed) => return failed.into(),
            NotRotated::NoRandomness(_) => Exit::NotNow,
            NotRotated::Expired(_)
            | NotRotated::NoLimits(_)
            | NotRotated::NoSuchGroup { .. }
            | NotRotated::OtherRole { .. }
            | NotRotated::Which { .. } => Exit::Usage,
            NotRotated::Refused(_) | NotRotated::TooMany(_) => Exit::Data,
            NotRotated::Barred(_)
            | NotRotated::KeyExists(_)
            | NotRotated::NoSuchKey(_)
            | NotRotated::NoneLeft { .. }
            | NotRotated::TooFewRoots { .. }
            | NotRotated::TooFewRootsLeft { .. }
            | NotRotated::TwoRoles { .. } => Exit::No,
        };

        Self::new(exit, failed)
    }
}
