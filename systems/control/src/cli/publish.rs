//! `gateward-control publish`

use std::path::PathBuf;

use super::audit::{Recorded, Setup, take};
use super::database::DatabaseArgs;
use super::reach::{ReachArgs, block_on};
use super::{Failed, say};
use crate::audit::replay::Replay;
use crate::clock;
use crate::collect::Destination;
use crate::exit::Exit;
use crate::lock::NotLocked;
use crate::publish::{NotPublished, PublishOptions, Published, preview, publish, refuse_widenings};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The policy folder
    dir: PathBuf,
    #[command(flatten)]
    reach: ReachArgs,
    /// Only this group; may be said several times
    #[arg(long)]
    group: Vec<String>,
    /// Only say who would gain and who would lose what, and how many gateways it would reach
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: also say what would have been answered otherwise to the requests that this
    /// folder of `collect --out` holds, or the database that --postgres names
    #[arg(long, value_name = "FOLDER", requires = "dry_run", conflicts_with = "postgres")]
    replay: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    setup: Setup,
    /// Let this principal, limited to divisions so far, act in all of them
    #[arg(long, value_name = "NAME")]
    accept_widening: Vec<String>,
    /// Where `state` was lost: go on from the version that the broker has, which the keys of this
    /// folder must have signed
    #[arg(long, conflicts_with = "dry_run")]
    adopt: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        if self.dry_run {
            for group in preview(&self.dir, &self.group)? {
                say(format_args!("{}: {} gateways", group.group, group.gateways))?;
                group.changes.iter().try_for_each(|change| say(format_args!("  {change}")))?;
            }
            let folder = self.replay.map(Destination::Folder);
            let records = folder.or(self.database.database().map(Destination::Postgres));
            if let Some(from) = records {
                let mut replay = Replay::against(&self.dir, self.setup.gateways(), false)?;
                let begins_later = self.setup.begins_later;
                take(&mut replay, &Recorded { from, only: None, begins_later })?;
                say(replay.finish())?;
            }
            refuse_widenings(&self.dir, &self.accept_widening)?;
            return Ok(Exit::Success);
        }
        if self.database.database().is_some() {
            return Err(Failed::new(Exit::Usage, "--postgres is for --dry-run"));
        }
        let options = PublishOptions {
            dir: self.dir,
            reach: self.reach.reach()?,
            groups: self.group,
            accept_widening: self.accept_widening,
            adopt: self.adopt,
            now: clock::now(),
        };
        for done in block_on(publish(&options))?? {
            say(said(&done))?;
        }

        Ok(Exit::Success)
    }
}

/// Returns what was done for a group, for people.
pub(super) fn said(done: &Published) -> String {
    let Published { group, outcome, version, snapshot_bytes, sent_bytes, gateways } = done;

    format!(
        "{group}: version {version} {}, snapshot {snapshot_bytes} bytes, sent {sent_bytes} bytes, \
         {gateways} gateways",
        outcome.name()
    )
}

/// Returns the same for a script.
pub(super) fn said_as_json(done: &Published) -> serde_json::Value {
    let Published { group, outcome, version, snapshot_bytes, sent_bytes, gateways } = done;

    serde_json::json!({
        "group": group,
        "outcome": outcome.name(),
        "epoch": version.epoch,
        "version": version.number,
        "snapshot_bytes": snapshot_bytes,
        "sent_bytes": sent_bytes,
        "gateways": gateways,
    })
}

impl From<NotPublished> for Failed {
    fn from(failed: NotPublished) -> Self {
        let exit = match failed {
            NotPublished::Broker(failed) => return failed.into(),
            NotPublished::Chain(failed) => return failed.into(),
            NotPublished::Failed(failed) => return failed.into(),
            NotPublished::NotCompiled(failed) => return failed.into(),
            NotPublished::NotLocked(failed) => return failed.into(),
            NotPublished::Policy(failed) => return failed.into(),
            NotPublished::Secret(failed) => return failed.into(),
            NotPublished::NewsUnusable(_)
            | NotPublished::NoBeacon(_)
            | NotPublished::NoSide(_)
            | NotPublished::NoVersionLeft(_)
            | NotPublished::OtherVersion(_)
            | NotPublished::TooMany(_)
            | NotPublished::Unusable { .. }
            | NotPublished::Widens(_) => Exit::Data,
        };

        Self::new(exit, failed)
    }
}

impl From<NotLocked> for Failed {
    fn from(failed: NotLocked) -> Self {
        match failed {
            NotLocked::Busy => Self::new(Exit::NotNow, failed),
            NotLocked::Failed(failed) => failed.into(),
        }
    }
}
