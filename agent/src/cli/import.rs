//! `gateward snapshot import` and `gateward snapshot export`: a snapshot that is carried by hand.
//!
//! While an agent runs, it takes the bundle itself, so that it counts at once; while none does, this
//! process takes it into the state folder. Both go through [`Store::import`].

use core::fmt;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use gateward_core::bundle::MAGIC;
use gateward_core::trust::Floor;
use serde_json::{Value, json};

use super::output::{self, NotWritten};
use super::place::{Unread, is_own, place};
use super::{Exit, Global};
use crate::client::{self, ClientError};
use crate::clock::Clock;
use crate::config::Config;
use crate::now::Timekeeper;
use crate::store::{NotExported, NotImported, OpenFailed, Store, bundle};

/// Takes a bundle. Ends with 0, with 65 where it is refused, with 69 where an agent has the state
/// folder and does not answer, with 75 where the agent cannot take it now or lets nobody in with it
/// yet, with 77 where this user may not.
pub(super) fn import(path: &Path, global: &Global) -> Exit {
    let config = match global.load() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    match take(path, &config) {
        Ok(report) => {
            let withheld = report.get("outcome").is_some_and(|outcome| outcome == "withheld");
            let exit = if withheld { Exit::NotNow } else { Exit::Success };
            global.print(exit, &Said(&report), &report)
        }
        Err(failed) => global.fail(failed.exit(), &failed),
    }
}

fn take(path: &Path, config: &Config) -> Result<Value, Failed> {
    let bytes = File::open(path).and_then(bundle::read).map_err(Unread::at(path))?;
    if !is_own(&config.state_dir) {
        // What another user wrote there the agent could not read.
        return match post(&bytes, config) {
            Err(Failed::Client(ClientError::NoAgent { .. })) => {
                Err(Failed::NotOwn { dir: config.state_dir.clone() })
            }
            taken => taken,
        };
    }
    let clock = Clock::real();
    let first = Timekeeper::new(clock.clone(), &Floor::default()).now();
    let mut store = match Store::open_between_starts(place(config, None)?, &first) {
        Err(OpenFailed::Locked { .. }) => return post(&bytes, config),
        opened => opened?,
    };
    let time = Timekeeper::new(clock, store.floor());

    Ok(store.import(&bytes, &time)?.report())
}

/// Hands the bundle to the agent that runs.
fn post(bytes: &[u8], config: &Config) -> Result<Value, Failed> {
    let exchange = client::post_bytes(&config.api.admin_socket, "/v1/snapshot", bytes.to_vec());
    let (status, body) = super::wait(exchange)?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status == 200 {
        return Ok(answer);
    }
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();

    Err(Failed::Answer { status, title: text("title"), code: text("code") })
}

/// Writes what this gateway holds into a file that only this user may read. Ends with 0, with 75
/// where there is no usable snapshot.
pub(super) fn export(out: &Path, global: &Global) -> Exit {
    let config = match global.load() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let exported = place(&config, None).map_err(Failed::from).and_then(|place| {
        let (bytes, version) = Store::export(&place)?;
        output::write(out, &MAGIC, |file| file.write_all(&bytes))?;
        Ok((bytes.len(), version))
    });
    match exported {
        Ok((len, version)) => {
            let human = format!("version {version} in {len} bytes");
            let json = json!({ "epoch": version.epoch, "version": version.number, "bytes": len });
            global.print(Exit::Success, &human, &json)
        }
        Err(failed) => global.fail(failed.exit(), &failed),
    }
}

/// What became of a bundle, for people.
struct Said<'a>(&'a Value);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |pointer: &str| self.0.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        let text = |pointer: &str| self.0.pointer(pointer).and_then(Value::as_str);
        let outcome = match text("/outcome") {
            Some("already_in_force") => "is already in force",
            Some("refreshed") => "is valid for longer",
            Some("withheld") => "is kept and lets nobody in yet",
            _ => "is in force",
        };
        write!(f, "version {}.{} {outcome}", number("/epoch"), number("/version"))?;
        let (epoch, list) = (number("/revoked/epoch"), number("/revoked/counter"));
        if list > 0 {
            write!(f, ", with revocation list {epoch}.{list}")?;
        }

        text("/missing").map_or(Ok(()), |missing| write!(f, "\nmissing: {missing}"))
    }
}

/// Why there is nothing to say.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("the agent refused it: {title} ({code})")]
    Answer { status: u16, title: String, code: String },
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Export(#[from] NotExported),
    #[error("the bundle is refused: {0}")]
    Import(#[from] NotImported),
    #[error("`{}` is another user's, and no agent runs; run this as the agent's user", dir.display())]
    NotOwn { dir: PathBuf },
    #[error(transparent)]
    Open(#[from] OpenFailed),
    #[error(transparent)]
    Read(#[from] Unread),
    #[error(transparent)]
    Write(#[from] NotWritten),
}

impl Failed {
    fn exit(&self) -> Exit {
        match self {
            Self::Answer { status: 413 | 422, .. }
            | Self::Open(OpenFailed::Anchor(_))
            | Self::Export(NotExported::Open(OpenFailed::Anchor(_)))
            | Self::Import(
                NotImported::Bad(_) | NotImported::Refused(_) | NotImported::Unusable(_),
            ) => Exit::BadData,
            Self::Answer { status: 503, .. }
            | Self::Export(
                NotExported::Bad(_) | NotExported::Behind { .. } | NotExported::Nothing { .. },
            ) => Exit::NotNow,
            Self::Client(error) => Exit::from(error),
            Self::NotOwn { .. } => Exit::Permission,
            Self::Read(unread) if unread.is_too_large() => Exit::BadData,
            Self::Answer { .. }
            | Self::Export(NotExported::Open(_))
            | Self::Import(NotImported::Io(_))
            | Self::Open(_)
            | Self::Read(_)
            | Self::Write { .. } => Exit::Io.unless_refused(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use gateward_core::trust::Version;

    use super::*;

    #[test]
    fn each_answer_of_the_agent_has_its_number() {
        let text = String::new;
        for (status, exit) in [(413, 65), (422, 65), (503, 75), (404, 74), (500, 74)] {
            let failed = Failed::Answer { status, title: text(), code: text() };
            assert_eq!(failed.exit() as u8, exit, "{status}");
        }
        assert_eq!(Failed::NotOwn { dir: "/state".into() }.exit(), Exit::Permission);
        let nothing = NotExported::Nothing { problems: Vec::new() };
        assert_eq!(Failed::Export(nothing).exit(), Exit::NotNow);
        let behind = NotExported::Behind { version: Version { epoch: 1, number: 4 } };
        assert_eq!(Failed::Export(behind).exit(), Exit::NotNow);
    }

    #[test]
    fn what_is_in_force_and_what_is_missing_is_said() {
        let report = json!({ "outcome": "in_force", "epoch": 1, "version": 7,
            "revoked": { "epoch": 1, "counter": 3 }, "missing": "version 1.8 is out" });

        let said = Said(&report).to_string();

        assert_eq!(
            said,
            "version 1.7 is in force, with revocation list 1.3\nmissing: version 1.8 is out"
        );
    }
}
