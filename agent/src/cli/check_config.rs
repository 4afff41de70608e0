//! `gateward check-config`: everything that is wrong with the configuration, or what it says.

use core::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::{Exit, Global};
use crate::config::{Config, Mode};

/// Nothing but what every command takes.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {}

impl Args {
    /// Ends with 0 where the configuration can be used, else with 78.
    pub(crate) fn run(self, global: &Global) -> Exit {
        match global.load() {
            Ok(config) => {
                let summary = Summary::new(global.config_path(), &config);
                global.print(Exit::Success, &summary, &summary)
            }
            Err(exit) => exit,
        }
    }
}

/// What the configuration says, in brief.
#[derive(Debug, Serialize)]
struct Summary {
    config: PathBuf,
    account: String,
    group: String,
    gateway: String,
    broker: String,
    state_dir: PathBuf,
    api_socket: PathBuf,
    mode: &'static str,
}

impl Summary {
    fn new(path: PathBuf, config: &Config) -> Self {
        Self {
            config: path,
            account: config.account.to_string(),
            group: config.group.to_string(),
            gateway: config.gateway.to_string(),
            broker: config.broker.url.to_string(),
            state_dir: config.state_dir.clone(),
            api_socket: config.api.socket.clone(),
            mode: match config.decision.mode {
                Mode::Enforce => "enforce",
                Mode::Observe => "observe",
            },
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, account, group, gateway, broker, state_dir, api_socket, mode } = self;
        writeln!(f, "{} can be used", config.display())?;
        writeln!(f, "  gateway  {gateway} of group {group}, account {account}")?;
        writeln!(f, "  broker   {broker}")?;
        writeln!(f, "  state    {}", state_dir.display())?;
        writeln!(f, "  answers  {}", api_socket.display())?;
        write!(f, "  mode     {mode}")
    }
}
