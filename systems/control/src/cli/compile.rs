//! `gateward-control compile`

use std::path::PathBuf;

use gateward_core::name::Hex;
use sha2::{Digest as _, Sha256};

use super::{Failed, say};
use crate::compile::compile;
use crate::exit::Exit;
use crate::policy::Policy;
use crate::whole;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The policy folder
    dir: PathBuf,
    /// The group of gateways it is for
    #[arg(long)]
    group: String,
    /// Where to write it
    #[arg(long)]
    out: PathBuf,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        let policy = Policy::load(&self.dir)?;
        let bytes = compile(&policy, &self.group)?;
        whole::write(&self.out, &bytes, 0o600)?;
        let digest = Sha256::digest(&bytes);
        say(format_args!("{} bytes, sha256 {}", bytes.len(), Hex(&digest)))?;

        Ok(Exit::Success)
    }
}
