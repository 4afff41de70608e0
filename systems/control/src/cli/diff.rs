//! `gateward-control diff`

use std::path::{Path, PathBuf};

use super::lists::print_json;
use super::{Failed, Format, say};
use crate::diff::{Side, changes};
use crate::exit::Exit;
use crate::policy::Policy;
use crate::whole;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// A snapshot file or a policy folder: how it was
    old: PathBuf,
    /// A snapshot file or a policy folder: how it is
    new: PathBuf,
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        let changes = changes(&side(&self.old)?, &side(&self.new)?);
        if self.format == Format::Json {
            print_json(&changes)?;
        } else {
            changes.iter().try_for_each(say)?;
        }

        Ok(if changes.is_empty() { Exit::Success } else { Exit::No })
    }
}

fn side(path: &Path) -> Result<Side, Failed> {
    let side = if path.is_dir() {
        Side::of_policy(&Policy::load(path)?)
    } else {
        Side::of_snapshot(std::fs::read(path).map_err(whole::Failed::new("read", path))?)
    };

    side.map_err(|none| Failed::new(Exit::Data, format_args!("{}: {none}", path.display())))
}
