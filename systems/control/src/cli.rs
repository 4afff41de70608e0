//! The command line. Each command is a module with its arguments and a `run`; what it finds goes to
//! stdout, everything else to stderr.

mod audit;
mod certificate;
mod check;
mod collect;
mod compile;
mod database;
mod diff;
mod enroll;
mod init;
mod keys;
mod lists;
mod publish;
mod reach;
mod rotate;
mod serve;
mod service_user;
mod status;
mod token;
mod user;

use std::fmt::Display;
use std::io::{self, Write as _};

use clap::{Parser, Subcommand, ValueEnum};

use crate::accounts::Refused;
use crate::compile::NotCompiled;
use crate::exit::Exit;
use crate::policy::Unusable;
use crate::whole;

/// Adds people, makes tokens, and publishes to gateways what they may do.
#[derive(Debug, Parser)]
#[command(name = "gateward-control", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Prove, export and replay what was collected
    #[command(subcommand)]
    Audit(audit::Command),
    /// Issue a certificate for the broker, the control plane or the collector
    Certificate(certificate::Args),
    /// Say what is wrong with a policy folder, or nothing
    Check(check::Args),
    /// Collect the audit of all gateways, and say what is safe
    Collect(collect::Args),
    /// Write the snapshot of a group of gateways
    Compile(compile::Args),
    /// Say who gains and who loses what between two snapshots or policy folders
    Diff(diff::Args),
    /// Make everything that one gateway needs
    Enroll(enroll::Args),
    /// Begin an account: a policy folder with its keys
    Init(init::Args),
    /// Look at the keys of the account, and replace them
    #[command(subcommand)]
    Keys(keys::Command),
    /// Bring what changed to the gateways
    Publish(publish::Args),
    Serve(serve::Args),
    /// Add and change service users
    #[command(subcommand)]
    ServiceUser(service_user::Command),
    /// Say what every gateway runs on, and who is behind
    Status(status::Args),
    /// Make and change tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Add and change users
    #[command(subcommand)]
    User(user::Command),
}

impl Cli {
    /// Runs the command; why it failed goes to stderr.
    #[must_use]
    pub fn run(self) -> Exit {
        // `serve` tells more than the others.
        if !matches!(self.command, Command::Serve(_)) {
            reach::log();
        }
        let ended = match self.command {
            Command::Audit(command) => command.run(),
            Command::Certificate(args) => args.run(),
            Command::Check(args) => args.run(),
            Command::Collect(args) => args.run(),
            Command::Compile(args) => args.run(),
            Command::Diff(args) => args.run(),
            Command::Enroll(args) => args.run(),
            Command::Init(args) => args.run(),
            Command::Keys(command) => command.run(),
            Command::Publish(args) => args.run(),
            Command::Serve(args) => args.run(),
            Command::ServiceUser(command) => command.run(),
            Command::Status(args) => args.run(),
            Command::Token(command) => command.run(),
            Command::User(command) => command.run(),
        };

        ended.unwrap_or_else(|failed| {
            note(&failed.text);
            failed.exit
        })
    }
}

/// How what is printed looks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// One JSON document.
    Json,
}

/// Why a command did not do what it was asked, and what scripts are told.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) exit: Exit,
    pub(crate) text: String,
}

impl Failed {
    pub(crate) fn new(exit: Exit, text: impl Display) -> Self {
        Self { exit, text: text.to_string() }
    }
}

impl From<whole::Failed> for Failed {
    fn from(failed: whole::Failed) -> Self {
        Self::new(Exit::of_io(&failed.source), format_args!("{failed}: {}", failed.source))
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::new(Exit::of_io(&error), error)
    }
}

impl From<Unusable> for Failed {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Mistakes(mistakes) => Self::new(Exit::Data, mistakes),
            Unusable::Missing(_) => Self::new(Exit::InputOutput, unusable),
            Unusable::Unreadable(failed) => failed.into(),
        }
    }
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        let exit = match refused {
            Refused::Unusable(unusable) => return unusable.into(),
            Refused::Busy | Refused::NoRandomness(_) => Exit::NotNow,
            Refused::Mistakes(_) | Refused::NotImportable(_) => Exit::Data,
            Refused::ByHand { .. }
            | Refused::Deleted { .. }
            | Refused::Expired { .. }
            | Refused::Imported(_)
            | Refused::NoSuchPrincipal { .. }
            | Refused::NoSuchToken(_)
            | Refused::Over(_) => Exit::No,
        };

        Self::new(exit, refused)
    }
}

impl From<NotCompiled> for Failed {
    fn from(failed: NotCompiled) -> Self {
        let exit = match failed {
            NotCompiled::BadContents(_) => Exit::Data,
            NotCompiled::NoSuchGroup { .. } => Exit::Usage,
        };

        Self::new(exit, failed)
    }
}

/// Writes a line of data.
pub(crate) fn say(line: impl Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Writes a line for whoever sits in front of it; that it cannot be read is not an error.
pub(crate) fn note(line: impl Display) {
    drop(writeln!(io::stderr().lock(), "{line}"));
}
