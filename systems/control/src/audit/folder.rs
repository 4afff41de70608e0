//! A collector's folder as readers see it: `GATEWAY.jsonl` and `GATEWAY.batches`.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use gateward_agent::journal::json::Line;
use gateward_core::topic;
use gateward_core::trust::SEALED_LEN;

use crate::access::EVENTS;
use crate::collect::{DatabaseFailed, ReadFailed, lines_path};
use crate::whole;

/// No line that a collector writes is longer.
const MAX_LINE: usize = 16 * 1024;

/// Why lines cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// A line is no record.
    #[error("{name}, line {line}: not the JSON line of a record; `audit verify` says more")]
    BadLine {
        /// The file.
        name: String,
        /// Which line, counted from 1.
        line: u64,
    },
    /// A database cannot be read on.
    #[error("the database: {0}")]
    Cut(io::Error),
    /// A database cannot be read.
    #[error(transparent)]
    Database(#[from] ReadFailed),
    /// A file cannot be read.
    #[error(transparent)]
    Failed(#[from] whole::Failed),
    /// What a database holds was altered or cut.
    #[error(
        "what the database holds of `{gateway}` is not whole; `audit verify --postgres` says more"
    )]
    NotWhole {
        /// Of which gateway.
        gateway: String,
    },
    /// There is nothing of that gateway.
    #[error("{place} holds no records of `{gateway}`")]
    NoSuchGateway {
        /// Where it was looked for.
        place: String,
        /// What was asked for.
        gateway: String,
    },
}

impl From<DatabaseFailed> for Unreadable {
    fn from(failed: DatabaseFailed) -> Self {
        Self::Database(failed.into())
    }
}

/// Returns the names of the gateways whose records are in the folder.
///
/// # Errors
///
/// The folder cannot be read.
pub fn gateways(folder: &Path) -> Result<Vec<String>, Unreadable> {
    let failed = |source| whole::Failed::new("read", folder)(source);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().into_string().unwrap_or_default();
        let stem = name.strip_suffix(".jsonl").or_else(|| name.strip_suffix(".batches"));
        // What the collector itself noticed stands beside them.
        let stem = stem.filter(|stem| topic::is_level(stem) && *stem != EVENTS);
        names.extend(stem.map(str::to_owned));
    }

    Ok(names)
}

/// Returns those of the names that are asked for, each once and in order.
///
/// # Errors
///
/// The folder holds nothing of `only`.
pub fn of(
    folder: &Path,
    mut names: Vec<String>,
    only: Option<&str>,
) -> Result<Vec<String>, Unreadable> {
    names.sort();
    names.dedup();
    if let Some(gateway) = only {
        names.retain(|name| name == gateway);
        if names.is_empty() {
            let (place, gateway) = (format!("`{}`", folder.display()), gateway.to_owned());
            return Err(Unreadable::NoSuchGateway { place, gateway });
        }
    }

    Ok(names)
}

/// Returns what the folder keeps as the words of a gateway, none longer than any can be.
#[must_use]
pub fn words(folder: &Path, gateway: &str) -> Vec<Vec<u8>> {
    let paths = [
        folder.join("state").join(format!("{gateway}.furthest")),
        folder.join("status").join(gateway),
    ];
    let read = |path| {
        let mut words = Vec::new();
        let most = SEALED_LEN as u64 + 1;
        File::open(path).ok()?.take(most).read_to_end(&mut words).ok()?;
        Some(words)
    };

    paths.iter().filter_map(read).collect()
}

/// Opens a file, none where it is not there.
///
/// # Errors
///
/// It cannot be opened.
pub fn open(path: &Path) -> Result<Option<File>, whole::Failed> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(whole::Failed::new("read", path)(error)),
    }
}

/// The lines of a file, one at a time and none longer than a record's can be.
#[derive(Debug)]
pub struct Lines<R> {
    from: BufReader<R>,
    text: Vec<u8>,
    number: u64,
}

impl<R: Read> Lines<R> {
    /// Begins.
    pub fn new(from: R) -> Self {
        Self { from: BufReader::with_capacity(256 << 10, from), text: Vec::new(), number: 0 }
    }

    /// Goes on to the next line; none at the end of the file. One that has no end is none, and one
    /// that is too long is cut.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        self.text.clear();
        loop {
            let buffer = self.from.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            let room = MAX_LINE.saturating_sub(self.text.len());
            self.text.extend_from_slice(part.get(..room).unwrap_or(part));
            let (used, is_last) = (part.len() + usize::from(end.is_some()), buffer.is_empty());
            self.from.consume(used);
            if is_last {
                return Ok(None);
            }
            if end.is_some() {
                self.number += 1;
                return Ok(Some(&self.text));
            }
        }
    }

    /// Goes on over the next line if it is `expected`; returns whether. Where it cannot be told without
    /// reading on, it is not, and [`Lines::next_line`] tells.
    pub fn take_if(&mut self, expected: &[u8]) -> bool {
        let rest = self.from.buffer().strip_prefix(expected);
        let is_next = rest.and_then(<[u8]>::first) == Some(&b'\n');
        if is_next {
            self.from.consume(expected.len() + 1);
            self.number += 1;
        }

        is_next
    }

    /// The number of the line, counted from 1.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }
}

/// Shows every record of a file of lines.
///
/// # Errors
///
/// The file cannot be read or holds a line that is no record, or `show` fails.
pub fn each_line<E: From<Unreadable>>(
    name: &str,
    from: impl Read,
    mut show: impl FnMut(&Line<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut lines = Lines::new(from);
    loop {
        let number = lines.number() + 1;
        let read = lines.next_line().map_err(whole::Failed::new("read", Path::new(name)));
        let Some(text) = read.map_err(Unreadable::from)? else { return Ok(()) };
        let text = core::str::from_utf8(text).ok();
        let line = text.and_then(|text| Line::parse(text).ok());
        let bad = || Unreadable::BadLine { name: name.to_owned(), line: number };
        show(&line.ok_or_else(bad)?)?;
    }
}

/// Shows every record of the folder, of one gateway after the other.
///
/// # Errors
///
/// A file cannot be read, or `show` fails.
pub fn each<E: From<Unreadable>>(
    folder: &Path,
    only: Option<&str>,
    mut show: impl FnMut(&Line<'_>) -> Result<(), E>,
) -> Result<(), E> {
    for gateway in of(folder, gateways(folder)?, only)? {
        let path = lines_path(folder, &gateway);
        if let Some(file) = open(&path).map_err(Unreadable::from)? {
            each_line(&path.display().to_string(), file, &mut show)?;
        }
    }

    Ok(())
}
