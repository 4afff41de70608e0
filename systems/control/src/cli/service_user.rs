//! `gateward-control service-user …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::lists::{Only, list_principals, set_status};
use super::{Failed, Format, note, say};
use crate::accounts::{Accounts, Kind, NewServiceUser, PrincipalChange, Where};
use crate::clock;
use crate::day::Day;
use crate::exit::Exit;
use crate::policy::PrincipalStatus;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a service user; prints its id
    Add(Add),
    /// Refuse all tokens of a service user until it is enabled
    Disable(Only),
    /// Let the tokens of a disabled service user work again
    Enable(Only),
    /// Delete a service user and its tokens for good
    Delete(Only),
    /// Show the service users
    List(List),
    /// Change permissions, divisions, end date or name of a service user
    Set(Set),
}

#[derive(Args, Debug)]
pub(super) struct Add {
    /// The policy folder
    dir: PathBuf,
    /// What audit records will call it
    friendly_name: String,
    /// A permission; several by commas or by saying it again
    #[arg(long = "permission", alias = "permissions", value_delimiter = ',')]
    permissions: Vec<String>,
    /// A division it is limited to; several by commas or by saying it again; left out: all
    #[arg(long = "division", alias = "divisions", value_delimiter = ',')]
    divisions: Option<Vec<String>>,
    /// Its last day, in UTC, such as 2027-06-30
    #[arg(long)]
    end_date: Option<Day>,
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// The policy folder
    dir: PathBuf,
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

#[derive(Args, Debug)]
pub(super) struct Set {
    /// The policy folder
    dir: PathBuf,
    /// Whose rights change
    friendly_name: String,
    /// All its permissions from now on
    #[arg(long = "permission", alias = "permissions", value_delimiter = ',')]
    permissions: Option<Vec<String>>,
    /// All divisions it is limited to from now on
    #[arg(long = "division", alias = "divisions", value_delimiter = ',')]
    divisions: Option<Vec<String>>,
    /// Limit it to no division: it acts in all of them
    #[arg(long, conflicts_with = "divisions")]
    all_divisions: bool,
    /// Its last day from now on
    #[arg(long)]
    end_date: Option<Day>,
    /// Take its end date away
    #[arg(long, conflicts_with = "end_date")]
    no_end_date: bool,
    /// Whether it has access to IoT Trust Manager
    #[arg(long)]
    iot_access: Option<bool>,
    /// Another friendly name; the id stays
    #[arg(long)]
    rename: Option<String>,
}

impl Command {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        const KIND: Kind = Kind::ServiceUser;
        match self {
            Self::Add(args) => args.run(),
            Self::Disable(only) => set_status(&only, KIND, PrincipalStatus::Disabled),
            Self::Enable(only) => set_status(&only, KIND, PrincipalStatus::Active),
            Self::Delete(only) => set_status(&only, KIND, PrincipalStatus::Deleted),
            Self::List(args) => list_principals(&args.dir, KIND, args.format),
            Self::Set(args) => args.run(),
        }
    }
}

impl Add {
    fn run(self) -> Result<Exit, Failed> {
        let everywhere = self.divisions.is_none();
        let service_user = NewServiceUser {
            friendly_name: self.friendly_name,
            permissions: self.permissions,
            divisions: self.divisions.map_or(Where::Everywhere, Where::Only),
            end: self.end_date,
        };
        let id = Accounts::open(&self.dir, clock::now())?.add_service_user(&service_user)?;
        say(id)?;
        if everywhere {
            note("it acts in every division; `service-user set --division NAME` limits it");
        }

        Ok(Exit::Success)
    }
}

impl Set {
    fn run(self) -> Result<Exit, Failed> {
        if self.all_divisions {
            note("gateways learn it only from a `publish` that says --accept-widening");
        }
        let everywhere = self.all_divisions.then_some(Where::Everywhere);
        let changed = PrincipalChange {
            name: self.rename,
            permissions: self.permissions,
            divisions: self.divisions.map(Where::Only).or(everywhere),
            end: self.end_date.map(Some).or(self.no_end_date.then_some(None)),
            iot_access: self.iot_access,
            ..PrincipalChange::default()
        };
        let mut accounts = Accounts::open(&self.dir, clock::now())?;
        accounts.change(Kind::ServiceUser, &self.friendly_name, &changed)?;

        Ok(Exit::Success)
    }
}
