//! `gateward-control status`

use std::path::PathBuf;

use super::lists::print_json;
use super::reach::{ReachArgs, block_on};
use super::{Failed, Format, say};
use crate::clock;
use crate::exit::Exit;
use crate::fleet::{FleetOptions, NoFleet, Row, fleet};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The policy folder
    dir: PathBuf,
    #[command(flatten)]
    reach: ReachArgs,
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Args {
    /// Ends with 1 where a gateway does not run on what was published, or says what it must not.
    pub(super) fn run(self) -> Result<Exit, Failed> {
        let options = FleetOptions { dir: self.dir, reach: self.reach.reach()?, now: clock::now() };
        let rows = block_on(fleet(&options))??;
        if self.format == Format::Json {
            print_json(&rows)?;
        } else {
            rows.iter().try_for_each(print)?;
            for row in rows.iter().filter(|row| row.alarm.is_some()) {
                let alarm = row.alarm.as_deref().unwrap_or_default();
                say(format_args!("ALARM {}: {alarm}", row.gateway))?;
            }
            let good = rows.iter().filter(|row| !row.behind).count();
            say(format_args!("{good} of {} gateways run on what was published", rows.len()))?;
        }

        let wrong = |row: &Row| row.behind || row.alarm.is_some();

        Ok(if rows.iter().any(wrong) { Exit::No } else { Exit::Success })
    }
}

fn print(row: &Row) -> Result<(), std::io::Error> {
    let Row { gateway, group, .. } = row;
    let behind = if row.behind { "behind" } else { "good" };
    let wanted = row.published.map_or("-".to_owned(), |version| version.to_string());
    match &row.said {
        None => {
            let problem = row.problem.as_deref().unwrap_or_default();
            say(format_args!("{gateway:<16} {group:<12} {behind:<7} of {wanted}: {problem}"))
        }
        Some(said) => {
            let gone = if said.gone { ", gone" } else { "" };
            say(format_args!(
                "{gateway:<16} {group:<12} {behind:<7} {} of {wanted}, root {}, keys {}, revocation \
                 list {}, boot {}, floor {} ({} s ago), time {}, audit {}, backlog {}{gone}",
                said.version,
                said.root,
                said.keyset,
                said.revoked,
                said.boot,
                said.floor,
                said.age_s,
                said.time_quality,
                said.audit_number,
                said.backlog,
            ))
        }
    }
}

impl From<NoFleet> for Failed {
    fn from(failed: NoFleet) -> Self {
        match failed {
            NoFleet::Broker(failed) => failed.into(),
            NoFleet::Chain(failed) => failed.into(),
            NoFleet::Failed(failed) => failed.into(),
            NoFleet::Policy(failed) => failed.into(),
            NoFleet::Secret(failed) => failed.into(),
        }
    }
}
