//! `gateward-control audit`

use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use gateward_agent::export::As;
use gateward_agent::proof::Report;
use gateward_core::decide::Mode;
use gateward_core::division::DivisionRules;

use super::database::DatabaseArgs;
use super::lists::print_json;
use super::{Failed, Format, say};
use crate::audit::database;
use crate::audit::export::{NotExported, export};
use crate::audit::folder::{Unreadable, each, each_line};
use crate::audit::replay::{Gateways, NotReplayed, Replay};
use crate::audit::verify::{Asked, Keys, NotVerified, verify, verify_database, verify_file};
use crate::collect::Destination;
use crate::exit::Exit;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Print what a collector keeps in the form of others, one line a record
    Export {
        /// The folder that `collect --out` writes to
        #[arg(required_unless_present = "postgres", conflicts_with = "postgres")]
        folder: Option<PathBuf>,
        #[command(flatten)]
        database: DatabaseArgs,
        /// The form
        #[arg(long = "as", value_enum, value_name = "FORM")]
        form: As,
        /// Only this gateway
        #[arg(long, value_name = "NAME")]
        gateway: Option<String>,
        /// What a database had before its first batch was forgotten on purpose
        #[arg(long, requires = "postgres")]
        begins_later: bool,
    },
    /// Say what a policy would have answered to recorded requests; 0 the same, 1 otherwise
    Replay {
        /// The folder that `collect --out` writes to, a file of JSON lines, or `-` for standard input
        #[arg(required_unless_present = "postgres", conflicts_with = "postgres")]
        records: Option<PathBuf>,
        #[command(flatten)]
        database: DatabaseArgs,
        /// The policy folder to try
        #[arg(long, value_name = "DIR")]
        against: PathBuf,
        /// Only this gateway
        #[arg(long, value_name = "NAME")]
        gateway: Option<String>,
        #[command(flatten)]
        setup: Setup,
        /// Tell each record whose requests would be answered otherwise
        #[arg(long)]
        all: bool,
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Say whether what a collector keeps is what the gateways wrote; 0 yes, 65 no, with all mistakes
    Verify {
        /// The folder that `collect --out` writes to, or a file that `gateward audit export` wrote
        #[arg(required_unless_present = "postgres", conflicts_with = "postgres")]
        records: Option<PathBuf>,
        #[command(flatten)]
        database: DatabaseArgs,
        /// The policy folder: with the keys that `enroll` wrote down, checkpoints and tags prove
        #[arg(long, value_name = "DIR")]
        keys: Option<PathBuf>,
        /// Only this gateway
        #[arg(long, value_name = "NAME")]
        gateway: Option<String>,
        /// What was there before the first batch was forgotten on purpose, such as with its month
        #[arg(long)]
        begins_later: bool,
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
}

/// How the gateways are set up, which no record says.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(super) struct Setup {
    /// Who asks the gateways: left out, requests whose answer hangs on it are not decided again
    #[arg(long, value_enum)]
    mode: Option<Asker>,
    /// The gateways have `strict_division = true`
    #[arg(long)]
    strict_division: bool,
    /// The gateways have `item_without_division = "deny"`
    #[arg(long)]
    deny_item_without_division: bool,
    /// What a database had before its first batch was forgotten on purpose
    #[arg(long, requires = "postgres")]
    pub(super) begins_later: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Asker {
    /// A program that acts on the answer
    Direct,
    /// A proxy before an upstream
    Proxy,
}

impl Setup {
    pub(super) const fn gateways(self) -> Gateways {
        let mode = match self.mode {
            None => None,
            Some(Asker::Direct) => Some(Mode::Direct),
            Some(Asker::Proxy) => Some(Mode::Proxy),
        };
        let (strict, deny_unattached) = (self.strict_division, self.deny_item_without_division);

        Gateways { mode, rules: DivisionRules { strict, deny_unattached } }
    }
}

/// Where records are: a folder, or a file of them, unless it is the database.
fn place(path: Option<PathBuf>, database: DatabaseArgs) -> Result<Destination, Failed> {
    match (path, database.database()) {
        (Some(path), None) => Ok(Destination::Folder(path)),
        (None, Some(database)) => Ok(Destination::Postgres(database)),
        _ => Err(Failed::new(Exit::Usage, "say a folder or --postgres URL")),
    }
}

impl Command {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        match self {
            Self::Export { folder, database, form, gateway, begins_later } => {
                let from = place(folder, database)?;
                exported(&Recorded { from, only: gateway, begins_later }, form)
            }
            Self::Replay { records, database, against, gateway, setup, all, format } => {
                let replay = Replay::against(&against, setup.gateways(), all)?;
                let (from, begins_later) = (place(records, database)?, setup.begins_later);
                replayed(replay, &Recorded { from, only: gateway, begins_later }, format)
            }
            Self::Verify { records, database, keys, gateway, begins_later, format } => {
                let keys = keys.as_deref().map(Keys::load).transpose()?;
                let (only, keys) = (gateway.as_deref(), keys.as_ref());
                verified(&place(records, database)?, &Asked { only, keys, begins_later }, format)
            }
        }
    }
}

/// Records to go through.
pub(super) struct Recorded {
    pub(super) from: Destination,
    pub(super) only: Option<String>,
    pub(super) begins_later: bool,
}

fn exported(recorded: &Recorded, form: As) -> Result<Exit, Failed> {
    let mut out = BufWriter::new(io::stdout().lock());
    let Recorded { from, only, begins_later } = recorded;
    match export(from, only.as_deref(), *begins_later, form, &mut out) {
        Err(NotExported::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        done => done?,
    }

    Ok(Exit::Success)
}

fn replayed(mut replay: Replay, recorded: &Recorded, format: Format) -> Result<Exit, Failed> {
    take(&mut replay, recorded)?;
    let replayed = replay.finish();
    if format == Format::Json {
        print_json(&replayed.to_json())?;
    } else {
        say(&replayed)?;
    }

    // Nothing was tried, so it would be wrong to say that nothing changes.
    Ok(match (replayed.has_changes(), replayed.unchanged) {
        (true, _) => Exit::No,
        (false, 0) => Exit::Data,
        (false, _) => Exit::Success,
    })
}

/// Hands on every record of a database, a folder, a file or standard input.
pub(super) fn take(replay: &mut Replay, recorded: &Recorded) -> Result<(), NotReplayed> {
    let only = recorded.only.as_deref();
    let mut show = |line: &gateward_agent::journal::json::Line<'_>| {
        replay.take(line);
        Ok(())
    };
    match &recorded.from {
        Destination::Postgres(from) => database::each(from, only, recorded.begins_later, show),
        Destination::Folder(records) if records == Path::new("-") => {
            each_line("standard input", io::stdin().lock(), show)
        }
        Destination::Folder(folder) if folder.is_dir() => each(folder, only, show),
        Destination::Folder(file) => {
            let failed = |source| crate::whole::Failed::new("read", file)(source);
            let lines = std::fs::File::open(file).map_err(failed).map_err(Unreadable::from)?;
            each_line(&file.display().to_string(), lines, &mut show)
        }
    }
}

fn verified(records: &Destination, asked: &Asked<'_>, format: Format) -> Result<Exit, Failed> {
    let reports = match records {
        Destination::Postgres(database) => verify_database(database, asked)?,
        Destination::Folder(folder) if folder.is_dir() => verify(folder, asked)?,
        Destination::Folder(file) => {
            vec![(file.display().to_string(), verify_file(file, asked.keys)?)]
        }
    };
    let is_file = matches!(records, Destination::Folder(path) if !path.is_dir());
    if !is_file && reports.iter().all(is_nothing) {
        // Nothing is wrong with nothing, but whoever asks takes 0 for a proof.
        let place = match records {
            Destination::Folder(folder) => format!("`{}`", folder.display()),
            Destination::Postgres(_) => "the database".to_owned(),
        };
        return Err(Failed::new(Exit::Data, format_args!("{place} holds no records")));
    }
    if format == Format::Json {
        let reports: std::collections::BTreeMap<_, _> =
            reports.iter().map(|(name, report)| (name, report)).collect();
        print_json(&reports)?;
    } else {
        reports.iter().try_for_each(|one| match one {
            (name, _) if !is_file && is_nothing(one) => {
                say(format_args!("{name}: nothing is held of it"))
            }
            (name, report) => say(format_args!("{name}: {report}")),
        })?;
    }
    let is_whole = |(_, report): &(String, Report)| report.mistakes.is_empty();

    Ok(if reports.iter().all(is_whole) { Exit::Success } else { Exit::Data })
}

/// Whether nothing is held of a gateway, and nobody says that anything was.
fn is_nothing((_, report): &(String, Report)) -> bool {
    report.end.is_none() && report.mistakes.is_empty()
}

impl From<Unreadable> for Failed {
    fn from(failed: Unreadable) -> Self {
        match failed {
            Unreadable::Cut(_) => Self::new(Exit::Unavailable, failed),
            Unreadable::Database(failed) => failed.into(),
            Unreadable::Failed(failed) => failed.into(),
            Unreadable::BadLine { .. } | Unreadable::NotWhole { .. } => {
                Self::new(Exit::Data, failed)
            }
            Unreadable::NoSuchGateway { .. } => Self::new(Exit::Usage, failed),
        }
    }
}

impl From<NotExported> for Failed {
    fn from(failed: NotExported) -> Self {
        match failed {
            NotExported::Unreadable(failed) => failed.into(),
            NotExported::Write(error) => error.into(),
        }
    }
}

impl From<NotReplayed> for Failed {
    fn from(failed: NotReplayed) -> Self {
        match failed {
            NotReplayed::NotCompiled(failed) => failed.into(),
            NotReplayed::Policy(failed) => failed.into(),
            NotReplayed::Refused(_) => Self::new(Exit::Data, failed),
            NotReplayed::Secret(failed) => failed.into(),
            NotReplayed::Unreadable(failed) => failed.into(),
        }
    }
}

impl From<NotVerified> for Failed {
    fn from(failed: NotVerified) -> Self {
        match failed {
            NotVerified::Policy(failed) => failed.into(),
            NotVerified::Secret(failed) => failed.into(),
            NotVerified::Unreadable(failed) => failed.into(),
        }
    }
}
