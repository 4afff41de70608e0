//! `gateward healthcheck`: for supervisors that run a program instead of asking a socket.

use super::{Exit, Global};
use crate::client;

/// It has no arguments.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {}

impl Args {
    /// Ends with 0 where requests are answered, 1 where they are refused, 69 where nobody is there.
    pub(crate) fn run(self, global: &Global) -> Exit {
        let config = match global.load() {
            Ok(config) => config,
            Err(exit) => return exit,
        };
        let (status, body) = match super::wait(client::get(&config.api.socket, "/readyz?verbose")) {
            Ok(answer) => answer,
            Err(error) => return global.fail(Exit::from(&error), &error),
        };
        let text = String::from_utf8_lossy(&body).trim_end().to_owned();
        let state = text.lines().next().unwrap_or_default().to_owned();
        let exit = if status == 200 { Exit::Success } else { Exit::No };

        global.print(exit, &text, &serde_json::json!({ "state": state }))
    }
}
