//! `gateward-control check`

use std::path::PathBuf;

use super::Failed;
use crate::exit::Exit;
use crate::policy::Policy;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The policy folder
    dir: PathBuf,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        Policy::load(&self.dir)?;

        Ok(Exit::Success)
    }
}
