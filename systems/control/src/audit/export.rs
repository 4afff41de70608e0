//! A collector's store in the forms that others read, by the mapping of the gateway's own export.

use std::io::{self, Write};
use std::path::Path;

use gateward_agent::export::{self, As};

use super::folder::{self, Unreadable};

/// Why not everything was exported.
#[derive(Debug, thiserror::Error)]
pub enum NotExported {
    /// The store cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// What was asked for cannot be written.
    #[error("the export cannot be written")]
    Write(#[from] io::Error),
}

/// Writes every record of the folder in a form, a line each.
///
/// # Errors
///
/// The folder cannot be read, or `out` cannot be written to.
pub fn export(
    folder: &Path,
    only: Option<&str>,
    form: As,
    out: &mut impl Write,
) -> Result<(), NotExported> {
    folder::each(folder, only, |line| {
        writeln!(out, "{}", export::line(line, form)).map_err(NotExported::Write)
    })?;

    Ok(out.flush()?)
}
