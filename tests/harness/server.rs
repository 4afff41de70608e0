//! A running `gateward-control serve`.

use std::path::Path;
use std::process::{Command, ExitStatus};

use rustix::process::Signal;

use crate::program::Program;

/// The control plane as a daemon, until this is dropped.
#[derive(Debug)]
pub struct Server {
    program: Program,
}

impl Server {
    pub(crate) fn start(mut command: Command, log: &Path) -> Self {
        Self { program: Program::start(&mut command, log) }
    }

    /// Ends it in good order.
    ///
    /// # Panics
    ///
    /// If it does not end.
    #[must_use]
    pub fn stop(mut self) -> ExitStatus {
        self.program.terminate()
    }

    /// Kills it, as a power cut does.
    pub fn kill(mut self) {
        self.program.kill();
    }

    /// Has it look at everything.
    pub fn look(&self) {
        self.program.signal(Signal::HUP);
    }

    /// Returns all that it has printed, over all its starts.
    #[must_use]
    pub fn log(&self) -> String {
        self.program.log()
    }

    /// Returns its process.
    #[must_use]
    pub const fn program(&self) -> &Program {
        &self.program
    }
}
