//! From a policy to the retained topics that gateways read, as a whole or not at all.
//!
//! Everything that a manifest names is on the broker before the manifest is, so a crash between two
//! messages leaves gateways on the old version or on the new one. What has been published is written
//! down only when the broker has it; see `state.rs` for what happens in between.

mod deltas;
mod job;
mod kept;
mod news;
mod offline;
mod plan;
mod round;
mod state;
#[cfg(test)]
pub(crate) mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateward_core::snapshot::build::{Contents, VerifierLen};
use gateward_core::time::UnixSeconds;
use gateward_core::trust::Version;
use gateward_core::trust::sign::TooMany;

pub(crate) use kept::account;
pub use offline::bundle;
pub(crate) use round::{Done, Ground, Reaching, Stopped, round};
pub(crate) use state::published;

use crate::broker::{Broker, BrokerFailed, Reach};
use crate::compile::NotCompiled;
use crate::diff::{Change, NoSide, Side, changes};
use crate::keys::{Chain, NoChain};
use crate::lock::{Lock, NotLocked, PATIENCE};
use crate::policy::{Account, KnownIds, Policy, Unusable, Widening};
use crate::revocations::Revocations;
use crate::{clock, secret, whole};
use job::jobs;
use round::Round;

/// What to publish, and where.
#[derive(Clone, Debug)]
pub struct PublishOptions {
    /// The policy folder.
    pub dir: PathBuf,
    /// How to reach the broker.
    pub reach: Reach,
    /// Only these groups; empty for all.
    pub groups: Vec<String>,
    /// Names of principals that may become unlimited (DOMAIN D4).
    pub accept_widening: Vec<String>,
    /// Go on from what the broker has, where the keys of this folder signed it and `state` does not
    /// know it.
    pub adopt: bool,
    /// Now.
    pub now: UnixSeconds,
}

/// What was done for one group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Published {
    /// The group.
    pub group: String,
    /// What was done.
    pub outcome: Outcome,
    /// The version that its gateways are to have now.
    pub version: Version,
    /// Bytes of the snapshot.
    pub snapshot_bytes: usize,
    /// Bytes of everything that was sent.
    pub sent_bytes: usize,
    /// How many gateways are in the group.
    pub gateways: usize,
}

/// What a publish did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// A new snapshot, or one that the broker had lost.
    Published,
    /// The same snapshot, valid for longer.
    Refreshed,
    /// Nothing: nothing has changed.
    Unchanged,
}

impl Outcome {
    /// Returns the word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Refreshed => "refreshed",
            Self::Unchanged => "unchanged",
        }
    }
}

/// What a publish would do for one group.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The group.
    pub group: String,
    /// Who gains and who loses what.
    pub changes: Vec<Change>,
    /// How many gateways are in the group.
    pub gateways: usize,
}

/// Why nothing, or not everything, was published.
#[derive(Debug, thiserror::Error)]
pub enum NotPublished {
    /// The broker did not do its part.
    #[error(transparent)]
    Broker(#[from] BrokerFailed),
    /// The key sets cannot be read.
    #[error(transparent)]
    Chain(#[from] NoChain),
    /// A file cannot be read or written.
    #[error(transparent)]
    Failed(#[from] whole::Failed),
    /// Somebody else publishes.
    #[error(transparent)]
    NotLocked(#[from] NotLocked),
    /// A group cannot be compiled.
    #[error(transparent)]
    NotCompiled(#[from] NotCompiled),
    /// Everything is published but the beacons of these groups.
    #[error("everything is published but for beacons:\n{}", .0.join("\n"))]
    NoBeacon(Vec<String>),
    /// A revocation list or a beacon cannot be made.
    #[error("revocation list or beacon: {0}")]
    NewsUnusable(String),
    /// What was published before cannot be compared.
    #[error(transparent)]
    NoSide(#[from] NoSide),
    /// The broker has something else than was published from here.
    #[error("{}", .0.join("\n"))]
    OtherVersion(Vec<String>),
    /// No version follows the greatest there is.
    #[error(
        "group `{0}`: the greatest version number of this key set is used up; if it was not you, \
         the snapshot key is stolen: run `keys rotate DIR --role snapshot --compromised`"
    )]
    NoVersionLeft(String),
    /// The private key cannot be used.
    #[error(transparent)]
    Secret(#[from] secret::Unusable),
    /// The messages do not fit their format.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// A gateway would refuse what was made.
    #[error("group `{group}`: a gateway would refuse this snapshot: {why}")]
    Unusable {
        /// The group.
        group: String,
        /// Why.
        why: String,
    },
    /// The policy has mistakes.
    #[error(transparent)]
    Policy(#[from] Unusable),
    /// Principals become unlimited, and nobody said that they may.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Widens(Vec<Widening>),
}

impl NotPublished {
    /// Whether it is the policy that somebody has to change, or to accept.
    pub(crate) const fn lies_in_policy(&self) -> bool {
        matches!(self, Self::Policy(Unusable::Mistakes(_)) | Self::Widens(_))
    }
}

/// Publishes what changed, for each group.
///
/// # Errors
///
/// The policy has mistakes, the broker has something else than was published from here, or does not
/// answer. What was not published is published next time.
pub async fn publish(options: &PublishOptions) -> Result<Vec<Published>, NotPublished> {
    let PublishOptions { dir, now, .. } = options;
    let _lock = lock(dir)?;
    let ground = Ground::read(dir, &options.accept_widening, PATIENCE)?;
    let mut round = Round::begin(dir, &ground, &options.groups, *now)?;
    // Before anything is sent: a group without a key must not stop the others half-way.
    if let Some((_, unsigned)) = round.unsigned().into_iter().next() {
        return Err(unsigned);
    }

    let broker = Broker::connect(&options.reach, "publish").await?;
    let others = round.compare(&broker, options.adopt).await?;
    if !others.is_empty() {
        return Err(NotPublished::OtherVersion(
            others.into_iter().map(|other| other.why).collect(),
        ));
    }
    let (done, silent) = round.run_all(&broker).await?;
    broker.leave().await;

    if silent.is_empty() { Ok(done) } else { Err(NotPublished::NoBeacon(silent)) }
}

/// Says what [`publish`] would change, without a broker.
///
/// # Errors
///
/// The policy has mistakes, or what was published before cannot be read.
pub fn preview(dir: &Path, groups: &[String]) -> Result<Vec<Preview>, NotPublished> {
    let policy = Policy::load(dir)?;
    let chain = Chain::load(dir, policy.account().id)?;
    jobs(dir, &policy, &chain, groups)?
        .into_iter()
        .map(|job| {
            let new = Side::of_snapshot(job.bytes)?.named_by(&policy);
            let changes = match job.state.file() {
                Some(old) => changes(&Side::of_snapshot(old)?.named_by(&policy), &new),
                None => changes(&nothing(&policy)?, &new),
            };
            Ok(Preview { group: job.group.to_owned(), changes, gateways: job.gateways })
        })
        .collect()
}

/// Stops where [`publish`] would, because principals become unlimited that `accepted` does not name.
///
/// # Errors
///
/// There are such principals, or the folder cannot be read.
pub fn refuse_widenings(dir: &Path, accepted: &[String]) -> Result<(), NotPublished> {
    let policy = Policy::load(dir)?;

    accept(KnownIds::load(dir)?.widenings(&policy), accepted)
}

/// What gateways know before anything was published.
fn nothing(policy: &Policy) -> Result<Side, NotPublished> {
    let Account { id: account, suspended, .. } = *policy.account();
    let empty = Contents { account, suspended, ..Contents::default() };
    let bytes = empty.compile(VerifierLen::Full).map_err(NotCompiled::from)?;

    Ok(Side::of_snapshot(bytes)?)
}

/// Reads the policy while no command changes it, for which it waits up to `patience`, and notes since
/// when what is revoked is revoked.
fn settled(dir: &Path, patience: Duration) -> Result<(Policy, KnownIds), NotPublished> {
    let _quiet = Lock::wait(&dir.join("state/lock"), patience)?;
    let policy = Policy::load(dir)?;
    Revocations::note(dir, &policy, clock::now_ms());

    Ok((policy, KnownIds::load(dir)?))
}

/// Takes the lock on publishing, and waits for whoever publishes.
pub(crate) fn lock(dir: &Path) -> Result<Lock, NotPublished> {
    Ok(Lock::wait(&lock_path(dir)?, PATIENCE)?)
}

/// Takes the lock on publishing where nobody has it.
pub(crate) fn try_lock(dir: &Path) -> Result<Lock, NotPublished> {
    Ok(Lock::take(&lock_path(dir)?)?)
}

fn lock_path(dir: &Path) -> Result<PathBuf, NotPublished> {
    let state = dir.join("state");
    // A mistyped folder is not made: its policy is what must be there first.
    if dir.is_dir() {
        fs::create_dir_all(&state).map_err(whole::Failed::new("made", &state))?;
    }

    Ok(state.join("publish.lock"))
}

fn accept(widenings: Vec<Widening>, accepted: &[String]) -> Result<(), NotPublished> {
    let silent = |widening: &Widening| !accepted.contains(&widening.name);
    let refused: Vec<_> = widenings.into_iter().filter(silent).collect();

    if refused.is_empty() { Ok(()) } else { Err(NotPublished::Widens(refused)) }
}
