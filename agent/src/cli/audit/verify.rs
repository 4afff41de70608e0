//! `gateward audit verify`

use core::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use gateward_core::name::Uuid;
use gateward_core::trust::GatewayId;
use serde::Serialize;

use super::super::place::Unread;
use super::super::{Exit, Global};
use crate::config::Config;
use crate::identity::Identity;
use crate::journal::{self, Broken, Signer, Verified};
use crate::proof::{self, Known};

pub(super) fn verify(path: Option<PathBuf>, global: &Global) -> Result<Exit, Exit> {
    let (folder, signer) = match path {
        Some(file) if file.is_file() => return Ok(export(&file, global)),
        Some(folder) => (folder, None),
        None => {
            let config = global.load()?;
            let signer = own_keys(&config).map(|(account, gateway, identity)| Signer {
                account,
                gateway,
                key: identity.key.verifying_key(),
            });
            (config.state_dir, signer)
        }
    };
    let inner = folder.join("audit");
    let folder = if inner.is_dir() { inner } else { folder };
    let verified = match &signer {
        Some(signer) => journal::verify_signed(&folder, signer),
        None => journal::verify(&folder),
    };
    match verified {
        Ok(verified) => {
            let report = Report::new(&folder, &verified, signer.is_some());
            Ok(global.print(Exit::Success, &report, &report))
        }
        Err(broken) => Err(global.fail(exit(&broken), &broken)),
    }
}

/// Whose checkpoints are this gateway's; none where its key cannot be read.
fn own_keys(config: &Config) -> Option<(Uuid, GatewayId, Identity)> {
    let identity = Identity::load(&config.gateway_key).ok()?;
    let gateway = GatewayId::of(config.account, config.gateway.as_str());

    Some((config.account, gateway, identity))
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
        let (account, gateway, identity) = own_keys(&config)?;
        let known = Known { account, key: identity.key.verifying_key(), ratchet: None };
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
    /// How many checkpoints agree; absent where they were held against no key.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoints: Option<u64>,
    /// The last record that is signed for.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<u64>,
    /// Places for a checkpoint with something in them that this gateway did not sign.
    #[serde(skip_serializing_if = "is_zero")]
    unsigned_places: u64,
    /// Checkpoints that were being written when the power went, which is no mistake.
    #[serde(skip_serializing_if = "is_zero")]
    torn_checkpoints: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it like that")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl<'a> Report<'a> {
    fn new(folder: &'a Path, verified: &'a Verified, by_key: bool) -> Self {
        Self {
            checkpoints: by_key.then_some(verified.checkpoints),
            signed: verified.signed,
            unsigned_places: verified.unsigned_places,
            torn_checkpoints: verified.torn_checkpoints,
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
        match (self.checkpoints, self.signed) {
            (Some(number), Some(signed)) => {
                write!(f, "\nsigned by this gateway up to {signed}, {number} checkpoints agree")?;
            }
            (Some(_), None) => write!(f, "\nno checkpoint of this gateway's yet")?,
            (None, _) => write!(f, "\ncheckpoints were held against no key")?,
        }
        if self.unsigned_places > 0 {
            let places = self.unsigned_places;
            write!(
                f,
                "\n{places} checkpoints are not signed by this gateway's key, and prove nothing"
            )?;
        }
        if self.torn_checkpoints > 0 {
            let torn = self.torn_checkpoints;
            write!(f, "\n{torn} checkpoints are torn: the power went while they were written")?;
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
