//! `gateward audit export` and `gateward audit receipt`: records and receipts that are carried by hand.
//!
//! The file holds what the audit topic would carry, so a collector believes no more of it. A receipt
//! is taken by the agent where one runs, so that it may forget at once.

use core::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

use gateward_core::trust::GatewayId;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use super::output::{self, NotWritten};
use super::place::{Unread, is_own, place};
use super::{Exit, Global};
use crate::client::{self, ClientError};
use crate::clock::Clock;
use crate::config::Config;
use crate::identity::{BadIdentity, Identity};
use crate::now::Timekeeper;
use crate::post::Sealer;
use crate::store::{Belief, OpenFailed, hold};
use crate::upload::stick::{self, MAGIC, Range, Written};
use crate::upload::{NotReceipted, Released, Seal as _, receipt as receipts};

/// A signed receipt is shorter, also with two signatures.
const MAX_RECEIPT: u64 = 8 * 1024;

/// Writes the records that are not receipted. Ends with 0, with 65 where some are missing (what is
/// there is written), with 69 where an agent has the journal and does not answer.
pub(super) fn export(out: &Path, global: &Global) -> Exit {
    let config = match global.load() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    match carry(out, &config) {
        Ok(written) => {
            let exit = if written.holes.is_empty() { Exit::Success } else { Exit::BadData };
            global.print(exit, &Said(&written), &Report::from(&written))
        }
        Err(failed) => global.fail(failed.exit(), &failed),
    }
}

fn carry(out: &Path, config: &Config) -> Result<Written, Failed> {
    let mut own = Own::load(config)?;
    let folder = config.state_dir.join("audit");
    // Held until the file is written: an agent that started meanwhile could not be asked.
    let (_held, durable) = match take_folder(config)? {
        Some(held) => {
            settle(&folder)?;
            (Some(held), u64::MAX)
        }
        None => (None, durable(config)?),
    };
    let Own { gateway, incarnation, .. } = own;
    let from = receipts::resume(&folder, incarnation, durable) + 1;
    let range = Range { gateway, incarnation, from, durable };

    Ok(output::write(out, &MAGIC, |file| {
        let mut file = BufWriter::new(file);
        let written = stick::write(&folder, &range, &mut own.seal, &mut file)?;
        file.flush()?;
        Ok(written)
    })?)
}

/// Takes the state folder where no agent has it; none where one does, or where it is another user's,
/// in which nothing is to be made that the agent could not read.
fn take_folder(config: &Config) -> Result<Option<File>, Failed> {
    if !config.state_dir.is_dir() {
        return Err(Failed::NoState { dir: config.state_dir.clone() });
    }
    if !is_own(&config.state_dir) {
        return Ok(None);
    }
    match hold(&place(config, None)?) {
        Err(OpenFailed::Locked { .. }) => Ok(None),
        held => Ok(Some(held?)),
    }
}

/// Has the disk keep what an agent may have been killed before it synced: what a collector holds must
/// not be written anew under the same numbers after a power cut.
pub(super) fn settle(folder: &Path) -> Result<(), Failed> {
    let failed = |source| Failed::Journal { folder: folder.into(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_file() {
            File::open(&path).and_then(|file| file.sync_all()).map_err(failed)?;
        }
    }

    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Asks the agent that runs how far its records are on disk for good.
pub(super) fn durable(config: &Config) -> Result<u64, Failed> {
    let answer = super::wait(client::get(&config.api.admin_socket, "/v1/status"))?;
    let status: Value = serde_json::from_slice(&answer.1).unwrap_or_default();

    status.pointer("/audit/seq").and_then(Value::as_u64).ok_or(Failed::Answer(answer.0))
}

/// Takes a receipt. Ends with 0, also where it says nothing new; with 65 where it is refused.
pub(super) fn receipt(path: &Path, global: &Global) -> Exit {
    let config = match global.load() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    match take(path, &config) {
        Ok(released) => {
            let through = released.through;
            let human = if released.is_news {
                format!("a collector holds the records up to {through}")
            } else {
                format!("nothing new: a collector is known to hold the records up to {through}")
            };
            global.print(Exit::Success, &human, &released)
        }
        Err(failed) => global.fail(failed.exit(), &failed),
    }
}

fn take(path: &Path, config: &Config) -> Result<Released, Failed> {
    let message = read(path).map_err(Unread::at(path))?;
    let Some(_held) = take_folder(config)? else { return post(message, config) };
    let mut own = Own::load(config)?;
    let said = own.seal.receipt(&message).map_err(NotReceipted::Seal)?;
    let folder = config.state_dir.join("audit");

    Ok(receipts::take(&folder, (own.gateway, own.incarnation), &said)?)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut message = Vec::new();
    File::open(path)?.take(MAX_RECEIPT + 1).read_to_end(&mut message)?;
    if message.len() as u64 > MAX_RECEIPT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "no receipt is so long"));
    }

    Ok(message)
}

/// Hands the receipt to the agent that runs.
fn post(message: Vec<u8>, config: &Config) -> Result<Released, Failed> {
    let exchange = client::post_bytes(&config.api.admin_socket, "/v1/audit/receipt", message);
    let (status, body) = super::wait(exchange)?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let through = answer.get("through").and_then(Value::as_u64);
    match (status, through) {
        (200, Some(through)) => {
            let news = Released { through, is_news: true };
            let is_news = answer.get("outcome").is_some_and(|outcome| outcome == news.outcome());
            Ok(Released { is_news, ..news })
        }
        (422, _) => {
            let title = answer.get("title").and_then(Value::as_str).unwrap_or("-");
            Err(Failed::Refused(title.to_owned()))
        }
        _ => Err(Failed::Answer(status)),
    }
}

/// What this gateway signs with, and whose signatures it believes.
struct Own {
    gateway: GatewayId,
    incarnation: gateward_core::trust::Incarnation,
    seal: Sealer,
}

impl Own {
    fn load(config: &Config) -> Result<Self, Failed> {
        let identity = Identity::load(&config.gateway_key)?;
        let Belief { keys, floor } = Belief::read(&place(config, None)?)?;
        let gateway = GatewayId::of(config.account, config.gateway.as_str());
        let incarnation = identity.incarnation;
        let time = Timekeeper::new(Clock::real(), &floor).reader();
        let keys = watch::channel(keys).1;
        let seal = Sealer::new(config.account, identity, floor.boots, keys, time);

        Ok(Self { gateway, incarnation, seal })
    }
}

/// What was written, for people.
struct Said<'a>(&'a Written);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.span {
            None => f.write_str("no records that are not receipted")?,
            Some((first, last)) => {
                write!(f, "records {first} to {last}, {} of them", self.0.records)?;
            }
        }
        for (first, last) in &self.0.holes {
            match last {
                Some(last) => write!(f, "\nmissing: {first} to {last}")?,
                None => write!(f, "\nmissing: {first} and what is behind it")?,
            }
            f.write_str("; a collector takes nothing behind that")?;
        }

        Ok(())
    }
}

/// What was written, for programs.
#[derive(Debug, Serialize)]
struct Report<'a> {
    records: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<u64>,
    missing: &'a [(u64, Option<u64>)],
}

impl<'a> From<&'a Written> for Report<'a> {
    fn from(written: &'a Written) -> Self {
        Self {
            records: written.records,
            first: written.span.map(|(first, _)| first),
            last: written.span.map(|(_, last)| last),
            missing: &written.holes,
        }
    }
}

/// Why there is nothing to say.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("the agent answered {0}; see its log")]
    Answer(u16),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Identity(#[from] BadIdentity),
    #[error("`{}`: the journal cannot be read", folder.display())]
    Journal {
        folder: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("`{}` is not there; the agent makes it at its first start", dir.display())]
    NoState { dir: PathBuf },
    #[error("the receipt is refused: {0}")]
    NotReceipted(#[from] NotReceipted),
    #[error(transparent)]
    Open(#[from] OpenFailed),
    #[error(transparent)]
    Read(#[from] Unread),
    #[error("the agent refused the receipt: {0}")]
    Refused(String),
    #[error(transparent)]
    Write(#[from] NotWritten),
}

impl Failed {
    /// Whether an agent runs and was only late to answer.
    pub(super) const fn is_late(&self) -> bool {
        matches!(self, Self::Client(ClientError::Late))
    }

    /// Whether no agent runs that could be asked.
    pub(super) const fn is_nobody_there(&self) -> bool {
        matches!(self, Self::Client(ClientError::NoAgent { .. }))
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Client(error) => Exit::from(error),
            Self::Refused(_) | Self::Open(OpenFailed::Anchor(_)) => Exit::BadData,
            Self::NotReceipted(NotReceipted::Storage(_)) => Exit::Io,
            Self::NotReceipted(_) => Exit::BadData,
            Self::Read(unread) if unread.is_too_large() => Exit::BadData,
            Self::Answer(_) => Exit::Unavailable,
            Self::Identity(_)
            | Self::Journal { .. }
            | Self::NoState { .. }
            | Self::Open(_)
            | Self::Read(_)
            | Self::Write(_) => Exit::Io.unless_refused(self),
        }
    }
}
