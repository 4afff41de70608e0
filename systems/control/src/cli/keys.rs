//! `gateward-control keys`

use std::path::PathBuf;

use gateward_core::time::UnixSeconds;
use serde::Serialize;

use super::lists::print_json;
use super::{Failed, Format, rotate, say};
use crate::exit::Exit;
use crate::keys::{self, Listed, ListedSet, NotListed, Standing, algorithm_name, role_name};

#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// List the key sets since the first: what each key signs, and whose private half is here
    List {
        /// The policy folder
        dir: PathBuf,
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Make the next key set, which the root keys of the old one and of the new one sign
    Rotate(rotate::Args),
}

#[derive(Serialize)]
struct Set {
    epoch: u32,
    issued_at: String,
    expires: String,
    keys: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    roles: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<&'static str>,
    /// Left out where it is all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<String>>,
    /// Whether it may still sign: neither retired nor compromised.
    trusted: bool,
    status: &'static str,
    /// Left out where the private half is elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    private: Option<PathBuf>,
}

impl Command {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        match self {
            Self::List { dir, format } => list(&dir, format),
            Self::Rotate(args) => args.run(),
        }
    }
}

fn list(dir: &std::path::Path, format: Format) -> Result<Exit, Failed> {
    let sets: Vec<_> = keys::list(dir)?.into_iter().map(set).collect();
    if format == Format::Json {
        return print_json(&sets);
    }
    for Set { epoch, issued_at, expires, keys } in sets {
        say(format_args!("epoch {epoch}, issued {issued_at}, expires {expires}"))?;
        keys.iter().try_for_each(|row| say(format_args!("  {}", line(row))))?;
    }

    Ok(Exit::Success)
}

fn line(row: &Row) -> String {
    let Row { id, roles, algorithm, groups, trusted, status, private } = row;
    let algorithm = algorithm.map(|name| format!(" {name}"));
    let groups = groups.as_ref().map(|groups| format!(" for {}", groups.join(", ")));
    let barred = if *trusted { String::new() } else { format!(", {status}") };
    let private = private.as_ref().map(|path| format!(", {}", path.display()));

    format!(
        "{id} {}{}{}{barred}{}",
        roles.join(", "),
        algorithm.unwrap_or_default(),
        groups.unwrap_or_default(),
        private.unwrap_or_default()
    )
}

/// Returns a time as people and programs write it.
pub(super) fn time(at: UnixSeconds) -> String {
    let seconds = i64::try_from(at.0).unwrap_or(i64::MAX);

    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}

fn set(set: ListedSet) -> Set {
    let row = |Listed { id, roles, algorithm, groups, standing, private }| Row {
        id: format!("{id}"),
        roles: roles.into_iter().map(role_name).collect(),
        algorithm: algorithm.map(algorithm_name),
        groups,
        trusted: standing == Standing::Trusted,
        status: standing.name(),
        private,
    };

    Set {
        epoch: set.epoch,
        issued_at: time(set.issued_at),
        expires: time(set.expires),
        keys: set.keys.into_iter().map(row).collect(),
    }
}

impl From<NotListed> for Failed {
    fn from(failed: NotListed) -> Self {
        match failed {
            NotListed::Chain(failed) => failed.into(),
            NotListed::Policy(failed) => failed.into(),
            NotListed::Secret(failed) => failed.into(),
        }
    }
}
