//! `gateward-control compile`

use std::path::PathBuf;

use gateward_core::name::Hex;
use sha2::{Digest as _, Sha256};

use super::{Failed, say};
use crate::clock;
use crate::compile::compile;
use crate::exit::Exit;
use crate::policy::Policy;
use crate::publish::bundle;
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
    /// Signed and complete, for sticks, firmware and `gateward check --snapshot`
    #[arg(long)]
    bundle: bool,
    /// Let this principal, limited to divisions so far, act in all of them
    #[arg(long, value_name = "NAME", requires = "bundle")]
    accept_widening: Vec<String>,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        let bytes = if self.bundle {
            bundle(&self.dir, &self.group, &self.accept_widening, clock::now())?
        } else {
            compile(&Policy::load(&self.dir)?, &self.group)?
        };
        whole::write(&self.out, &bytes, 0o600)?;
        let digest = Sha256::digest(&bytes);
        say(format_args!("{} bytes, sha256 {}", bytes.len(), Hex(&digest)))?;

        Ok(Exit::Success)
    }
}
