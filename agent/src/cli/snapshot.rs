//! `gateward snapshot`: what is on disk, and whether it may be believed. Looking neither needs nor
//! disturbs a running agent.

use core::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use gateward_core::name::{Hex, Uuid};
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::{self, View};
use gateward_core::time::UnixSeconds;
use gateward_core::trust::{KeySet, Manifest};
use jiff::Timestamp;
use serde::Serialize;

use super::place::{Unread, place};
use super::{Exit, Global, import};
use crate::clock::Clock;
use crate::store::{Look, OpenFailed, Store};

/// What to do with a snapshot.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write what is in force here into a bundle, for another gateway of the group
    Export {
        /// Where to write it; only this user may read it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Take a bundle, as from a broker; the agent may run or not
    Import {
        /// What `gateward-control compile --bundle` or `gateward snapshot export` wrote
        bundle: PathBuf,
    },
    /// Say what a snapshot holds
    Inspect {
        /// A snapshot's file, whose origin is then not checked [default: what is in force here]
        path: Option<PathBuf>,
    },
    /// Check everything on disk again: signatures, hashes, shape, and which one is in force
    Verify {
        /// A state folder [default: that of the configuration]
        path: Option<PathBuf>,
    },
}

impl Args {
    /// Ends with 0, with 65 where the content is bad, with 75 where there is no snapshot.
    pub(crate) fn run(self, global: &Global) -> Exit {
        let done = match self.command {
            Command::Export { out } => return import::export(&out, global),
            Command::Import { bundle } => return import::import(&bundle, global),
            Command::Inspect { path: Some(path) } => inspect_file(&path, global),
            Command::Inspect { path: None } => inspect(global),
            Command::Verify { path } => verify(path, global),
        };

        done.unwrap_or_else(|failed| global.fail(failed.exit(), &failed))
    }
}

fn inspect_file(path: &Path, global: &Global) -> Result<Exit, Failed> {
    let bytes = fs::read(path).map_err(Unread::at(path))?;
    let content = snapshot::unsigned(bytes)
        .map_err(|refused| Failed::BadFile { path: path.into(), reason: refused.to_string() })?;
    let summary = Summary::new(&content.view(), None);

    Ok(global.print(Exit::Success, &summary, &summary))
}

fn inspect(global: &Global) -> Result<Exit, Failed> {
    let look = match look(None, global)? {
        Ok(look) => look,
        Err(exit) => return Ok(exit),
    };
    let named = look.slots.iter().find(|slot| slot.named).ok_or(Failed::Nothing)?;
    let verified = named.content.as_ref().map_err(|reason| Failed::Bad(reason.clone()))?;
    let summary = Summary::new(&verified.view(), Some(verified.manifest()));

    Ok(global.print(Exit::Success, &summary, &summary))
}

fn verify(path: Option<PathBuf>, global: &Global) -> Result<Exit, Failed> {
    let look = match look(path, global)? {
        Ok(look) => look,
        Err(exit) => return Ok(exit),
    };
    let report = Report::new(&look);
    let exit = if !report.problems.is_empty() {
        Exit::BadData
    } else if report.slots.iter().any(|slot| slot.in_force) {
        Exit::Success
    } else {
        Exit::NotNow
    };

    Ok(global.print(exit, &report, &report))
}

/// The inner error is how to end where the configuration cannot be used, which was said already.
fn look(dir: Option<PathBuf>, global: &Global) -> Result<Result<Look, Exit>, Failed> {
    let config = match global.load() {
        Ok(config) => config,
        Err(exit) => return Ok(Err(exit)),
    };
    let place = place(&config, dir)?;

    Ok(Ok(Store::read_only(&place)?))
}

/// What a snapshot holds.
#[derive(Debug, Serialize)]
struct Summary {
    /// Absent where nobody vouches for the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed: Option<Signed>,
    account: String,
    suspended: bool,
    tokens: usize,
    verifier_bytes: u8,
    divisions: Vec<Division>,
    resources: usize,
    principals: Vec<Principal>,
}

#[derive(Debug, Serialize)]
struct Signed {
    epoch: u32,
    version: u64,
    root: String,
    bytes: u32,
    issued_at: String,
    stale_at: String,
    expires_at: String,
    /// As of the clock of this machine, which may be wrong.
    state: &'static str,
}

#[derive(Debug, Serialize)]
struct Division {
    id: String,
    name: String,
}

#[derive(Debug, Serialize)]
struct Principal {
    id: String,
    name: String,
    kind: &'static str,
    enabled: bool,
    permissions: u32,
    /// Absent where it reaches all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    divisions: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_at: Option<String>,
}

impl Summary {
    fn new(view: &View<'_>, manifest: Option<&Manifest>) -> Self {
        let divisions = view.divisions();
        let divisions =
            divisions.map(|(id, name)| Division { id: id.to_string(), name: name.into() });

        Self {
            signed: manifest.map(Signed::new),
            account: view.account().to_string(),
            suspended: view.is_suspended(),
            tokens: view.token_count(),
            verifier_bytes: view.verifier_len(),
            divisions: divisions.collect(),
            resources: view.resources().count(),
            principals: view.principals().map(|principal| Principal::new(&principal)).collect(),
        }
    }
}

impl Signed {
    fn new(manifest: &Manifest) -> Self {
        let now = Clock::real().wall();
        let (stale, expires) = (manifest.stale_at(), manifest.expires_at());

        Self {
            epoch: manifest.version().epoch,
            version: manifest.version().number,
            root: Hex(&manifest.root().0).to_string(),
            bytes: manifest.file_len(),
            issued_at: time(manifest.issued_at()),
            stale_at: time(stale),
            expires_at: time(expires),
            state: match now {
                now if now >= expires => "expired",
                now if now >= stale => "stale",
                _ => "fresh",
            },
        }
    }
}

impl Principal {
    fn new(principal: &snapshot::Principal<'_>) -> Self {
        let divisions = || principal.divisions().map(|id: Uuid| id.to_string()).collect();

        Self {
            id: principal.id().to_string(),
            name: principal.name().into(),
            kind: match principal.kind() {
                PrincipalKind::ServiceUser => "service user",
                PrincipalKind::SystemUser => "system user",
                PrincipalKind::User => "user",
            },
            enabled: !principal.is_disabled() && principal.has_iot_access(),
            permissions: principal.permissions().0.count_ones(),
            divisions: (!principal.reaches_all_divisions()).then(divisions),
            ends_at: principal.end().seconds().map(time),
        }
    }
}

fn time(at: UnixSeconds) -> String {
    i64::try_from(at.0)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map_or_else(|| format!("{at} s after 1970"), |at| at.to_string())
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.signed {
            Some(signed) => writeln!(f, "{signed}")?,
            None => writeln!(f, "not signed: nothing says who made this file")?,
        }
        let suspended = if self.suspended { ", suspended: nobody is let in" } else { "" };
        writeln!(f, "account     {}{suspended}", self.account)?;
        writeln!(f, "tokens      {} with verifiers of {} bytes", self.tokens, self.verifier_bytes)?;
        writeln!(f, "resources   {}", self.resources)?;
        writeln!(f, "divisions   {}", self.divisions.len())?;
        for division in &self.divisions {
            writeln!(f, "  {}  {}", division.id, division.name)?;
        }
        write!(f, "principals  {}", self.principals.len())?;
        self.principals.iter().try_for_each(|principal| write!(f, "\n  {principal}"))
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, version, root, bytes, issued_at, stale_at, expires_at, state } = self;
        writeln!(
            f,
            "version     {version} under key set {epoch}, {state} by this machine's clock"
        )?;
        writeln!(f, "root        {root}, {bytes} bytes")?;
        write!(f, "issued      {issued_at}, stale from {stale_at}, expires {expires_at}")
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, name, kind, enabled, permissions, divisions, ends_at } = self;
        write!(f, "{id}  {name}  {kind}, {permissions} permissions, ")?;
        match divisions {
            None => f.write_str("all divisions")?,
            Some(divisions) => write!(f, "{} divisions", divisions.len())?,
        }
        if let Some(end) = ends_at {
            write!(f, ", until {end}")?;
        }
        if *enabled { Ok(()) } else { f.write_str(", disabled") }
    }
}

/// Whether a state folder may be believed.
#[derive(Debug, Serialize)]
struct Report {
    key_set: u32,
    slots: Vec<SlotReport>,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct SlotReport {
    name: &'static str,
    in_force: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// Why the slot may not be served from; only a problem where it is the one in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

impl Report {
    fn new(look: &Look) -> Self {
        let slots = look.slots.iter().map(|slot| SlotReport {
            name: slot.name,
            in_force: slot.named && slot.content.is_ok(),
            version: slot.content.as_ref().ok().map(|content| content.manifest().version().number),
            refused: slot.content.as_ref().err().cloned(),
        });

        Self {
            key_set: look.keys.last().map_or(0, KeySet::epoch),
            slots: slots.collect(),
            problems: look.problems.clone(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key set {}", self.key_set)?;
        for slot in &self.slots {
            write!(f, "\nslot {}: ", slot.name)?;
            match (slot.version, slot.in_force) {
                (Some(version), true) => write!(f, "version {version}, in force")?,
                (Some(version), false) => write!(f, "version {version}, kept")?,
                (None, _) => f.write_str(slot.refused.as_deref().unwrap_or("empty"))?,
            }
        }
        self.problems.iter().try_for_each(|problem| write!(f, "\nproblem: {problem}"))
    }
}

/// Why there is nothing to print.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the snapshot in force is bad: {0}; the agent fetches it again when it is connected")]
    Bad(String),
    #[error("`{}` is not a usable snapshot: {reason}", path.display())]
    BadFile { path: PathBuf, reason: String },
    #[error("there is no snapshot yet; start the agent and connect it once")]
    Nothing,
    #[error(transparent)]
    Open(#[from] OpenFailed),
    #[error(transparent)]
    Read(#[from] Unread),
}

impl Failed {
    fn exit(&self) -> Exit {
        match self {
            Self::Bad(_) | Self::BadFile { .. } | Self::Open(OpenFailed::Anchor(_)) => {
                Exit::BadData
            }
            Self::Nothing => Exit::NotNow,
            Self::Open(_) | Self::Read(_) => Exit::Io.unless_refused(self),
        }
    }
}

#[cfg(test)]
mod tests;
