//! `gateward-control token …`
//!
//! A token's text goes to stdout once, alone, so that it can be piped to where it is kept.

use std::io::{self, Read as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::lists::list_tokens;
use super::{Failed, Format, note, say};
use crate::accounts::{Accounts, Issued, Kind, NewToken, TokenRef};
use crate::clock;
use crate::day::Day;
use crate::exit::Exit;
use crate::policy::TokenStatus;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token and print it, once
    New(New),
    /// Refuse a token until it is enabled
    Disable(Which),
    /// Let a disabled token work again
    Enable(Which),
    /// Delete a token for good
    Delete(Which),
    /// Make a token in place of another and print it, once
    Rotate(Rotate),
    /// Set, move or remove the end date of a token
    Set(Set),
    /// Show the tokens
    List(List),
    /// Take a token made elsewhere from stdin and keep its digest
    Import(New),
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct Owner {
    /// Its owner, a user
    #[arg(long)]
    owner: Option<String>,
    /// Its owner, a service user
    #[arg(long)]
    service_user: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct New {
    /// The policy folder
    dir: PathBuf,
    #[command(flatten)]
    owner: Owner,
    /// What to call it
    #[arg(long)]
    name: String,
    /// Its last day, in UTC, such as 2027-06-30
    #[arg(long)]
    end_date: Option<Day>,
}

#[derive(Args, Debug)]
pub(super) struct Which {
    /// The policy folder
    dir: PathBuf,
    /// Its public part: the 12 characters between its dots
    #[arg(required_unless_present = "name", conflicts_with_all = ["name", "owner", "service_user"])]
    lookup: Option<String>,
    /// Its owner, a user
    #[arg(long, requires = "name", conflicts_with = "service_user")]
    owner: Option<String>,
    /// Its owner, a service user
    #[arg(long, requires = "name")]
    service_user: Option<String>,
    /// Its name
    #[arg(long)]
    name: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Rotate {
    #[command(flatten)]
    which: Which,
    /// The last day of the new one; left out: that of the old one
    #[arg(long)]
    end_date: Option<Day>,
    /// Disable the old one at once
    #[arg(long)]
    disable_old: bool,
}

#[derive(Args, Debug)]
pub(super) struct Set {
    #[command(flatten)]
    which: Which,
    /// Its last day from now on
    #[arg(long, required_unless_present = "no_end_date")]
    end_date: Option<Day>,
    /// Take its end date away
    #[arg(long, conflicts_with = "end_date")]
    no_end_date: bool,
}

#[derive(Args, Debug)]
pub(super) struct List {
    /// The policy folder
    dir: PathBuf,
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Command {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        match self {
            Self::New(args) => args.run(),
            Self::Disable(which) => which.set_status(TokenStatus::Disabled),
            Self::Enable(which) => which.set_status(TokenStatus::Enabled),
            Self::Delete(which) => which.set_status(TokenStatus::Deleted),
            Self::Rotate(args) => args.run(),
            Self::Set(args) => args.run(),
            Self::List(args) => list_tokens(&args.dir, args.format),
            Self::Import(args) => args.import(),
        }
    }
}

impl New {
    fn token(self) -> NewToken {
        let Self { owner, name, end_date, .. } = self;
        let (kind, owner) = match (owner.owner, owner.service_user) {
            (Some(owner), _) => (Kind::User, owner),
            (None, owner) => (Kind::ServiceUser, owner.unwrap_or_default()),
        };

        NewToken { kind, owner, name, end: end_date }
    }

    fn run(self) -> Result<Exit, Failed> {
        let mut accounts = Accounts::open(&self.dir, clock::now())?;

        hand_over(&accounts.new_token(&self.token())?)
    }

    fn import(self) -> Result<Exit, Failed> {
        // Before the folder is locked: whoever types the token keeps nobody else waiting.
        let mut text = Zeroizing::new(Vec::new());
        io::stdin().lock().take(4_096).read_to_end(&mut text)?;
        let mut accounts = Accounts::open(&self.dir, clock::now())?;
        let lookup = accounts.import_token(&self.token(), text.trim_ascii())?;
        say(lookup)?;
        note("its digest is kept; gateways know it when it is published");

        Ok(Exit::Success)
    }
}

/// The only place where the text of a token leaves the program.
fn hand_over(issued: &Issued) -> Result<Exit, Failed> {
    say(issued.text.as_str())?;
    note(format_args!(
        "token {} is shown this once: keep it where its user reads secrets; gateways know it when \
         it is published",
        issued.lookup
    ));

    Ok(Exit::Success)
}

impl Which {
    fn token(self) -> Result<TokenRef, Failed> {
        match (self.lookup, self.owner, self.service_user, self.name) {
            (Some(lookup), ..) => Ok(TokenRef::Lookup(lookup)),
            (_, Some(owner), _, Some(name)) => Ok(TokenRef::Named(Kind::User, owner, name)),
            (_, _, Some(owner), Some(name)) => Ok(TokenRef::Named(Kind::ServiceUser, owner, name)),
            _ => Err(Failed::new(
                Exit::Usage,
                "say whose token it is: --owner or --service-user, or give its public part",
            )),
        }
    }

    fn set_status(self, status: TokenStatus) -> Result<Exit, Failed> {
        let mut accounts = Accounts::open(&self.dir, clock::now())?;
        let lookup = accounts.set_token_status(&self.token()?, status)?;
        note(format_args!(
            "token {lookup} is {}; gateways know when it is published",
            status.name()
        ));

        Ok(Exit::Success)
    }
}

impl Rotate {
    fn run(self) -> Result<Exit, Failed> {
        let mut accounts = Accounts::open(&self.which.dir, clock::now())?;
        let token = self.which.token()?;
        let issued = accounts.rotate_token(&token, self.end_date, self.disable_old)?;
        if !self.disable_old {
            note("the old one still works: disable or delete it when nobody uses it any more");
        }

        hand_over(&issued)
    }
}

impl Set {
    fn run(self) -> Result<Exit, Failed> {
        let mut accounts = Accounts::open(&self.which.dir, clock::now())?;
        accounts.set_token_end(&self.which.token()?, self.end_date)?;

        Ok(Exit::Success)
    }
}
