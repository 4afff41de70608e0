//! The command line. Each command is a module with its arguments and a `run`.
//!
//! Data goes to standard output, everything else to standard error.

mod audit;
mod carry;
mod check;
mod check_config;
mod healthcheck;
mod import;
mod output;
mod place;
mod run;
mod snapshot;
mod status;

use core::fmt;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::{ExitCode, Termination};

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;

use crate::client::ClientError;
use crate::config::{self, Config};
use crate::trace::Trace;

/// Decides on a factory gateway, with the cable out, who may do what.
#[derive(Debug, Parser)]
#[command(name = "gateward", version, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// One variant a command, each in a file of its own.
#[derive(Debug, Subcommand)]
enum Command {
    /// Show the records on this gateway's disk, or check that none was altered
    Audit(audit::Args),
    /// Ask whether a token may do something; the token comes from standard input or a file
    Check(check::Args),
    /// Say whether the configuration can be used, and everything that is wrong with it
    CheckConfig(check_config::Args),
    /// Say whether the running agent answers requests: 0 yes, 1 no, 69 nobody there
    Healthcheck(healthcheck::Args),
    /// Run the agent until SIGTERM; SIGHUP looks for a renewed certificate
    Run(run::Args),
    /// Say what a snapshot on disk holds, and whether it may be believed
    Snapshot(snapshot::Args),
    /// Show what the running agent decides with, and how it fares
    Status(status::Args),
}

/// What every command takes.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// The configuration [default: $GATEWARD_CONFIG, else /etc/gateward/agent.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How to print
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Human,
    /// For programs
    Json,
}

/// Runs the command that the arguments of this process name.
#[must_use]
pub fn main() -> Exit {
    run(std::env::args_os())
}

/// Runs the command that `args` name; the first is the name of the program.
fn run(args: impl Iterator<Item = OsString>) -> Exit {
    let Cli { global, command } = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(usage) => return explain(&usage),
    };
    match Trace::from_environment() {
        Ok(trace) => trace.start(),
        Err(error) => return global.fail(Exit::Config, &error),
    }

    match command {
        Command::Audit(args) => args.run(&global),
        Command::Check(args) => args.run(&global),
        Command::CheckConfig(args) => args.run(&global),
        Command::Healthcheck(args) => args.run(&global),
        Command::Run(args) => args.run(&global),
        Command::Snapshot(args) => args.run(&global),
        Command::Status(args) => args.run(&global),
    }
}

/// Prints what clap has to say: help and version are what was asked for, all else is wrong usage.
fn explain(usage: &clap::Error) -> Exit {
    match (usage.print(), usage.use_stderr()) {
        (Err(_), _) => Exit::Io,
        (Ok(()), true) => Exit::Usage,
        (Ok(()), false) => Exit::Success,
    }
}

/// Runs one exchange with the agent to its end.
pub(crate) fn wait<T>(
    exchange: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(exchange),
        Err(_) => Err(ClientError::Unsendable),
    }
}

impl Global {
    /// Returns which configuration is meant.
    pub(crate) fn config_path(&self) -> PathBuf {
        let named = || std::env::var_os("GATEWARD_CONFIG").filter(|path| !path.is_empty());
        self.config
            .clone()
            .or_else(|| named().map(PathBuf::from))
            .unwrap_or_else(|| PathBuf::from(config::DEFAULT_PATH))
    }

    /// Reads the configuration; where it cannot be used, says why and returns how to end.
    pub(crate) fn load(&self) -> Result<Config, Exit> {
        Config::load(&self.config_path(), config::environment())
            .map_err(|bad| self.fail(Exit::Config, &bad))
    }

    /// Prints data: `human` or `json`, as asked. Returns `exit` unless that fails.
    pub(crate) fn print(
        &self,
        exit: Exit,
        human: &impl fmt::Display,
        json: &impl Serialize,
    ) -> Exit {
        let mut out = io::stdout().lock();
        let printed = match self.format {
            Format::Human => writeln!(out, "{human}"),
            Format::Json => serde_json::to_writer(&mut out, json)
                .map_err(io::Error::from)
                .and_then(|()| writeln!(out)),
        };

        if printed.and_then(|()| out.flush()).is_ok() { exit } else { Exit::Io }
    }

    /// Says on standard error why the command ends with `exit`, with all causes.
    pub(crate) fn fail(&self, exit: Exit, error: &dyn core::error::Error) -> Exit {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        // Where even standard error is closed, the exit code still tells.
        let _ = writeln!(io::stderr().lock(), "{text}");
        exit
    }
}

/// How the process ends; scripts and systemd rely on these numbers (INTERFACES section 4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Exit {
    /// Yes, done.
    Success = 0,
    /// A clean no: denied, unhealthy, different.
    No = 1,
    /// Wrong usage.
    Usage = 2,
    /// Bad data: signature, format, broken chain.
    BadData = 65,
    /// The agent or the broker is not reachable.
    Unavailable = 69,
    /// Internal error.
    Internal = 70,
    /// Input or output failed.
    Io = 74,
    /// Not now: no usable snapshot.
    NotNow = 75,
    /// Permission refused by the system.
    Permission = 77,
    /// Configuration; systemd does not restart on it.
    Config = 78,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

impl Exit {
    /// Returns [`Exit::Permission`] where the system refused something below `error`, else this.
    pub(crate) fn unless_refused(self, error: &(dyn core::error::Error + 'static)) -> Self {
        let mut causes = system_errors(error);
        let refused = causes.any(|cause| cause.kind() == io::ErrorKind::PermissionDenied);

        if refused { Self::Permission } else { self }
    }

    /// Returns [`Exit::Io`] where the system failed at something below `error`, else this.
    pub(crate) fn unless_failed(self, error: &(dyn core::error::Error + 'static)) -> Self {
        if system_errors(error).next().is_some() { Self::Io } else { self }
    }
}

/// Returns what the system said, of `error` and what caused it.
fn system_errors<'e>(
    error: &'e (dyn core::error::Error + 'static),
) -> impl Iterator<Item = &'e io::Error> {
    let causes = core::iter::successors(Some(error), |error| error.source());

    causes.filter_map(|cause| cause.downcast_ref())
}

impl From<&ClientError> for Exit {
    fn from(error: &ClientError) -> Self {
        match error {
            ClientError::Broken(_) | ClientError::TooLong => Self::Io,
            ClientError::Late | ClientError::NoAgent { .. } => Self::Unavailable,
            ClientError::Permission { .. } => Self::Permission,
            ClientError::Unsendable => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn exit(args: &[&str]) -> Exit {
        run(core::iter::once("gateward").chain(args.iter().copied()).map(OsString::from))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_usage_ends_with_2_and_help_with_0() {
        assert_eq!(exit(&[]), Exit::Usage);
        assert_eq!(exit(&["no-such-command"]), Exit::Usage);
        assert_eq!(exit(&["check-config", "--format", "xml"]), Exit::Usage);
        assert_eq!(exit(&["--help"]), Exit::Success);
        assert_eq!(exit(&["--version"]), Exit::Success);
    }

    #[test]
    fn a_configuration_that_cannot_be_used_ends_with_78() {
        assert_eq!(exit(&["check-config", "--config", "/no/such/agent.toml"]), Exit::Config);
        assert_eq!(exit(&["--config", "/no/such/agent.toml", "check-config"]), Exit::Config);
    }

    #[test]
    fn what_the_system_refuses_ends_with_77_however_deep_it_lies() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] io::Error);
        let outer = |kind| Outer(io::Error::from(kind));

        let refused = outer(io::ErrorKind::PermissionDenied);
        assert_eq!(Exit::Io.unless_refused(&refused), Exit::Permission);
        assert_eq!(Exit::Io.unless_refused(&outer(io::ErrorKind::NotFound)), Exit::Io);
    }

    #[test]
    fn each_reason_for_no_answer_has_its_number() {
        let cause = || io::Error::other("x");
        let socket = String::new;
        for (error, exit) in [
            (ClientError::NoAgent { socket: socket(), cause: cause() }, 69),
            (ClientError::Permission { socket: socket(), cause: cause() }, 77),
            (ClientError::Late, 69),
            (ClientError::TooLong, 74),
        ] {
            assert_eq!(Exit::from(&error) as u8, exit, "{error}");
        }
    }
}
