//! `gateward-control keys`

use std::path::PathBuf;

use gateward_core::trust::{KeySet, Role};
use serde::Serialize;

use super::lists::print_json;
use super::{Failed, Format, say};
use crate::exit::Exit;
use crate::keys::{Chain, role_name};
use crate::policy::Policy;

#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// List the key sets since the first, and what each key may sign
    List {
        /// The policy folder
        dir: PathBuf,
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
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
    /// Whether it may still sign: neither retired nor compromised.
    trusted: bool,
}

impl Command {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        let Self::List { dir, format } = self;
        let account = Policy::load(&dir)?.account().id;
        let chain = Chain::load(&dir, account)?;
        let sets: Vec<_> = chain.sets().iter().map(set).collect();
        if format == Format::Json {
            return print_json(&sets);
        }
        for Set { epoch, issued_at, expires, keys } in sets {
            say(format_args!("epoch {epoch}, issued {issued_at}, expires {expires}"))?;
            for Row { id, roles, trusted } in keys {
                let barred = if trusted { "" } else { " (signs nothing any more)" };
                say(format_args!("  {id} {}{barred}", roles.join(", ")))?;
            }
        }

        Ok(Exit::Success)
    }
}

fn set(set: &KeySet) -> Set {
    let time = |seconds: u64| {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
    };
    let row = |key: &gateward_core::trust::Key| {
        let roles = Role::ALL.into_iter().filter(|role| key.has(*role));
        let trusted = roles.clone().any(|role| set.trusts(key.id(), role));
        Row { id: key.id().to_string(), roles: roles.map(role_name).collect(), trusted }
    };

    Set {
        epoch: set.epoch(),
        issued_at: time(set.issued_at().0),
        expires: time(set.expires().0),
        keys: set.keys().iter().map(row).collect(),
    }
}
