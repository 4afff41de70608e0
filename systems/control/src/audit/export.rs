//! A collector's store in the forms that others read, by the mapping of the gateway's own export.

use std::io::{self, Write};

use gateward_agent::export::{self, As};
use gateward_agent::journal::json::Line;

use super::database;
use super::folder::{self, Unreadable};
use crate::collect::Destination;

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

/// Writes every record of a store in a form, a line each; `begins_later` where the beginning of a
/// database was forgotten on purpose.
///
/// # Errors
///
/// The store cannot be read, or `out` cannot be written to.
pub fn export(
    from: &Destination,
    only: Option<&str>,
    begins_later: bool,
    form: As,
    out: &mut impl Write,
) -> Result<(), NotExported> {
    let show =
        |line: &Line<'_>| writeln!(out, "{}", export::line(line, form)).map_err(NotExported::Write);
    match from {
        Destination::Folder(folder) => folder::each(folder, only, show)?,
        Destination::Postgres(from) => database::each(from, only, begins_later, show)?,
    }

    Ok(out.flush()?)
}
