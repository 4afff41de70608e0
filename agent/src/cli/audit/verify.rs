//! `gateward audit verify`

use core::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use gateward_core::trust::GatewayId;
use serde::Serialize;

use super::super::place::Unread;
use super::super::{Exit, Global};
use crate::identity::Identity;
use crate::journal::{self, Broken, Verified};
use crate::proof::{self, Known};

pub(super) fn verify(path: Option<PathBuf>, global: &Global) -> Result<Exit, Exit> {
    let folder = match path {
        Some(file) if file.is_file() => return Ok(export(&file, global)),
        Some(folder) => folder,
        None => global.load()?.state_dir,
    };
    let inner = folder.join("audit");
    let folder = if inner.is_dir() { inner } else { folder };
    match journal::verify(&folder) {
        Ok(verified) => {
            let report = Report::new(&folder, &verified);
            Ok(global.print(Exit::Success, &report, &report))
        }
        Err(broken) => Err(global.fail(exit(&broken), &broken)),
    }
}

/// Follows the chain through a file that is to be carried; where this is the gateway that wrote it,
/// its checkpoints are held against its key.
fn export(file: &Path, global: &Global) -> Exit {
    let opened = match File::open(file).map_err(Unread::at(file)) {
        Ok(opened) => opened,
        Err(unread) => return global.fail(Exit::Io.unless_refused(&unread), &unread),
    };
    let own = global.config_path().is_file().then(|| global.load().ok()).flatten();
    let own = own.and_then(|config| {
        let identity = Identity::load(&config.gateway_key).ok()?;
        let gateway = GatewayId::of(config.account, config.gateway.as_str());
        let key = identity.key.verifying_key();
        let known = Known { account: config.account, key, ratchet: None };
        Some(((gateway, identity.incarnation), known))
    });
    let known = |gateway, incarnation| {
        own.as_ref()
            .filter(|(who, _)| *who == (gateway, incarnation))
            .map(|(_, known)| known.clone())
    };
    let report = proof::of_file(io::BufReader::new(opened), known);
    let exit = if report.mistakes.is_empty() { Exit::Success } else { Exit::BadData };

    global.print(exit, &report, &report)
}

pub(super) fn exit(broken: &Broken) -> Exit {
    match broken {
        Broken::Unreadable { .. } => Exit::Io.unless_refused(broken),
        Broken::Checkpoint { .. }
        | Broken::Cut { .. }
        | Broken::Head { .. }
        | Broken::Missing { .. }
        | Broken::Order { .. }
        | Broken::Record { .. } => Exit::BadData,
    }
}

/// A chain that is whole, and what it does not hold.
#[derive(Debug, Serialize)]
struct Report<'a> {
    folder: &'a Path,
    records: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    gaps: &'a [(u64, u64)],
    damaged: &'a [PathBuf],
}

impl<'a> Report<'a> {
    fn new(folder: &'a Path, verified: &'a Verified) -> Self {
        Self {
            folder,
            records: verified.records,
            first: verified.span.map(|(first, _)| first),
            last: verified.span.map(|(_, last)| last),
            head: verified.head.map(|head| head.to_string()),
            gaps: &verified.gaps,
            damaged: &verified.damaged,
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the chain is whole, {} records", self.folder.display(), self.records)?;
        if let (Some(first), Some(last), Some(head)) = (self.first, self.last, &self.head) {
            write!(f, ", {first} to {last}\nhead {head}")?;
        }
        for (first, last) in self.gaps {
            write!(f, "\nrecorded gap: {first} to {last}")?;
        }
        for path in self.damaged {
            write!(f, "\nset aside: {}", path.display())?;
        }

        Ok(())
    }
}
