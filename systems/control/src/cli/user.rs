//! `gateward-control user …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::lists::{Only, list_principals, set_status};
use super::{Failed, Format, note, say};
use crate::accounts::{Accounts, Kind, NewUser, PrincipalChange, Where};
use crate::clock;
use crate::exit::Exit;
use crate::policy::PrincipalStatus;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a user; prints its id
    Add(Add),
    /// Refuse all tokens of a user until it is enabled
    Disable(Only),
    /// Let the tokens of a disabled user work again
    Enable(Only),
    /// Delete a user and its tokens for good
    Delete(Only),
    /// Show the users
    List(List),
    /// Change roles, divisions or name of a user
    Set(Set),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum AccessScope {
    /// The account.
    Account,
    /// The system: never requests certificates or intermediate CAs.
    System,
}

#[derive(Args, Debug)]
pub(super) struct Add {
    /// The policy folder
    dir: PathBuf,
    /// What audit records will call it
    username: String,
    /// A role; several by commas or by saying it again
    #[arg(long = "role", alias = "roles", value_delimiter = ',')]
    roles: Vec<String>,
    /// A division it is limited to; several by commas or by saying it again; left out: all
    #[arg(long = "division", alias = "divisions", value_delimiter = ',')]
    divisions: Option<Vec<String>>,
    #[arg(long, value_enum, default_value = "account")]
    access_scope: AccessScope,
    /// Give it no access to IoT Trust Manager
    #[arg(long)]
    no_iot_access: bool,
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
    username: String,
    /// All its roles from now on
    #[arg(long = "role", alias = "roles", value_delimiter = ',')]
    roles: Option<Vec<String>>,
    /// All divisions it is limited to from now on
    #[arg(long = "division", alias = "divisions", value_delimiter = ',')]
    divisions: Option<Vec<String>>,
    /// Limit it to no division: it acts in all of them
    #[arg(long, conflicts_with = "divisions")]
    all_divisions: bool,
    #[arg(long, value_enum)]
    access_scope: Option<AccessScope>,
    /// Whether it has access to IoT Trust Manager
    #[arg(long)]
    iot_access: Option<bool>,
    /// Another username; the id stays
    #[arg(long)]
    rename: Option<String>,
}

impl Command {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        match self {
            Self::Add(args) => args.run(),
            Self::Disable(only) => set_status(&only, Kind::User, PrincipalStatus::Disabled),
            Self::Enable(only) => set_status(&only, Kind::User, PrincipalStatus::Active),
            Self::Delete(only) => set_status(&only, Kind::User, PrincipalStatus::Deleted),
            Self::List(args) => list_principals(&args.dir, Kind::User, args.format),
            Self::Set(args) => args.run(),
        }
    }
}

impl Add {
    fn run(self) -> Result<Exit, Failed> {
        let everywhere = self.divisions.is_none();
        let user = NewUser {
            username: self.username,
            roles: self.roles,
            divisions: self.divisions.map_or(Where::Everywhere, Where::Only),
            system: self.access_scope == AccessScope::System,
            no_iot_access: self.no_iot_access,
        };
        let id = Accounts::open(&self.dir, clock::now())?.add_user(&user)?;
        say(id)?;
        if everywhere {
            note("it acts in every division; `user set --division NAME` limits it");
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
            roles: self.roles,
            divisions: self.divisions.map(Where::Only).or(everywhere),
            system: self.access_scope.map(|scope| scope == AccessScope::System),
            iot_access: self.iot_access,
            ..PrincipalChange::default()
        };
        Accounts::open(&self.dir, clock::now())?.change(Kind::User, &self.username, &changed)?;

        Ok(Exit::Success)
    }
}
