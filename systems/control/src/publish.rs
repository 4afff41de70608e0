//! From a policy to the retained topics that gateways read, as a whole or not at all.
//!
//! Everything that a manifest names is on the broker before the manifest is, so a crash between two
//! messages leaves gateways on the old version or on the new one. What has been published is written
//! down only when the broker has it; see `state.rs` for what happens in between.

mod plan;
mod state;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateward_core::name::Uuid;
use gateward_core::snapshot::build::{Contents, VerifierLen};
use gateward_core::snapshot::chunk;
use gateward_core::sync::HASHES_A_PIECE;
use gateward_core::time::UnixSeconds;
use gateward_core::topic::{GroupTopic, GroupTopics};
use gateward_core::trust::sign::{self, TooMany};
use gateward_core::trust::{Audience, KeyId, Role, SigningKey, Version, manifest};

pub(crate) use state::published;

use crate::broker::{Broker, BrokerFailed, Reach};
use crate::compile::{NotCompiled, compile};
use crate::diff::{Change, NoSide, Side, changes};
use crate::keys::{self, Chain, NoChain};
use crate::lock::{Lock, NotLocked};
use crate::policy::{Account, KnownIds, Policy, Unusable, Widening};
use crate::secret;
use crate::whole;
use plan::{CHUNK_LOG2, Maker, Plan};
use state::{Signed, State};

/// How long a retained manifest may take to come where one is expected.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long to look for one where none is expected.
const LOOK: Duration = Duration::from_millis(500);

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
    /// What was published before cannot be compared.
    #[error(transparent)]
    NoSide(#[from] NoSide),
    /// The broker has something else than was published from here.
    #[error("{}", .0.join("\n"))]
    OtherVersion(Vec<String>),
    /// The private key cannot be used.
    #[error(transparent)]
    Secret(#[from] secret::Unusable),
    /// The messages do not fit their format.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// The snapshot key is not in the key set.
    #[error(
        "the key in `{}` may not sign for the newest key set; restore it from a backup, or publish \
         the key set that names it", .0.display()
    )]
    UntrustedKey(PathBuf),
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

/// One group with its snapshot.
struct Job<'a> {
    topics: GroupTopics<'a>,
    group: &'a str,
    gateways: usize,
    bytes: Vec<u8>,
    state: State,
    /// Whether the broker has what was published.
    kept: bool,
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
    let policy = Policy::load(dir)?;
    let mut known = KnownIds::load(dir)?;
    accept(known.widenings(&policy), &options.accept_widening)?;
    let chain = Chain::load(dir, policy.account().id)?;
    let signer = signer(dir, &chain)?;
    let mut jobs = jobs(dir, &policy, &chain, &options.groups)?;

    let broker = Broker::connect(&options.reach, "publish").await?;
    compare(&broker, &chain, &mut jobs).await?;
    // From here on gateways may come to know every id.
    known.merge(&policy);
    known.save(dir)?;
    let maker =
        Maker { keys: chain.newest(), signer: &signer, staleness: policy.staleness(), now: *now };
    let mut done = Vec::new();
    for job in &mut jobs {
        done.push(job.run(&broker, &chain, &maker).await?);
    }
    broker.leave().await;

    Ok(done)
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
            let new = Side::of_snapshot(job.bytes)?;
            let changes = match job.state.file() {
                Some(old) => changes(&Side::of_snapshot(old)?, &new),
                None => changes(&nothing(&policy)?, &new),
            };
            Ok(Preview { group: job.group.to_owned(), changes, gateways: job.gateways })
        })
        .collect()
}

/// What gateways know before anything was published.
fn nothing(policy: &Policy) -> Result<Side, NotPublished> {
    let Account { id: account, suspended, .. } = *policy.account();
    let empty = Contents { account, suspended, ..Contents::default() };
    let bytes = empty.compile(VerifierLen::Full).map_err(NotCompiled::from)?;

    Ok(Side::of_snapshot(bytes)?)
}

fn lock(dir: &Path) -> Result<Lock, NotPublished> {
    let state = dir.join("state");
    // A mistyped folder is not made: its policy is what must be there first.
    if dir.is_dir() {
        fs::create_dir_all(&state).map_err(whole::Failed::new("made", &state))?;
    }

    Ok(Lock::take(&state.join("publish.lock"))?)
}

fn accept(widenings: Vec<Widening>, accepted: &[String]) -> Result<(), NotPublished> {
    let silent = |widening: &Widening| !accepted.contains(&widening.name);
    let refused: Vec<_> = widenings.into_iter().filter(silent).collect();

    if refused.is_empty() { Ok(()) } else { Err(NotPublished::Widens(refused)) }
}

fn signer(dir: &Path, chain: &Chain) -> Result<SigningKey, NotPublished> {
    let key = keys::signing_key(dir, Role::Snapshot)?;
    let id = KeyId::of(key.verifying_key().as_bytes());
    if !chain.newest().trusts(id, Role::Snapshot) {
        return Err(NotPublished::UntrustedKey(keys::secret_path(dir, Role::Snapshot)));
    }

    Ok(key)
}

fn jobs<'a>(
    dir: &Path,
    policy: &'a Policy,
    chain: &Chain,
    only: &[String],
) -> Result<Vec<Job<'a>>, NotPublished> {
    let account: Uuid = policy.account().id;
    for group in only {
        if policy.group(group).is_none() {
            // Says which groups there are.
            compile(policy, group)?;
        }
    }
    let wanted = |id: &String| only.is_empty() || only.contains(id);
    let mut jobs = Vec::new();
    for group in policy.groups().iter().filter(|group| wanted(&group.id)) {
        let Some(topics) = GroupTopics::new(account, &group.id) else { continue };
        let audience = Audience::of(account, &group.id);
        jobs.push(Job {
            topics,
            group: &group.id,
            gateways: group.gateways.len(),
            bytes: compile(policy, &group.id)?,
            state: State::load(dir, &group.id, chain, audience)?,
            kept: false,
        });
    }

    Ok(jobs)
}

/// Stops where the broker has another version than was published from here: somebody publishes from
/// elsewhere, or this folder is an old copy. What was intended and has arrived is adopted.
async fn compare(broker: &Broker, chain: &Chain, jobs: &mut [Job<'_>]) -> Result<(), NotPublished> {
    let topics: Vec<_> = jobs.iter().map(|job| job.topic(GroupTopic::Manifest)).collect();
    let expected = jobs.iter().any(|job| job.state.published.is_some());
    let found = broker.retained(&topics, if expected { PATIENCE } else { LOOK }).await?;
    let mut others = Vec::new();
    for (job, topic) in jobs.iter_mut().zip(&topics) {
        let message = found.get(topic).filter(|message| !message.is_empty());
        match message.map(|message| job.meet(message, chain)) {
            None => {}
            Some(Ok(met)) => {
                job.kept = true;
                if met == Met::Intent {
                    job.state.commit(None)?;
                }
            }
            Some(Err(why)) => others.push(format!("`{topic}`: {why}; {REMEDY}")),
        }
    }

    if others.is_empty() { Ok(()) } else { Err(NotPublished::OtherVersion(others)) }
}

const REMEDY: &str = "publish from the folder that published it, or restore `state` from there; \
                      where that is lost for good, remove the retained message from the broker, and \
                      gateways wait for a version above the one they have";

/// What the broker has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Met {
    /// What it acknowledged.
    Published,
    /// What it had not acknowledged when the last command ended.
    Intent,
}

impl Job<'_> {
    fn topic(&self, what: GroupTopic) -> String {
        self.topics.topic(what).to_string()
    }

    /// Compares the message retained by the broker with what was published from here.
    fn meet(&self, message: &[u8], chain: &Chain) -> Result<Met, String> {
        let envelope = manifest::split(message).map_err(|refused| refused.to_string())?.envelope;
        let audience = Audience::of(chain.newest().account(), self.group);
        let theirs = Signed::read(envelope.to_vec(), chain, audience)
            .ok_or("the broker has a manifest that was not signed with the keys of this folder")?;
        let is = |ours: &Option<Signed>| ours.as_ref().is_some_and(|ours| ours.is_same(&theirs));
        let State { published, intent, .. } = &self.state;
        let last_word = |intent: &Signed| intent.envelope == theirs.envelope;
        if intent.as_ref().is_some_and(last_word) || (is(intent) && !is(published)) {
            return Ok(Met::Intent);
        }
        if is(published) {
            return Ok(Met::Published);
        }
        let theirs = theirs.manifest.version();

        Err(match published {
            None => format!("the broker has version {theirs}, and nothing was published from here"),
            Some(ours) => {
                let ours = ours.manifest.version();
                format!("the broker has version {theirs}, and {ours} was published from here")
            }
        })
    }

    async fn run(
        &mut self,
        broker: &Broker,
        chain: &Chain,
        maker: &Maker<'_>,
    ) -> Result<Published, NotPublished> {
        let root = chunk::root_of(&self.bytes, CHUNK_LOG2).unwrap_or_default();
        let plan = maker.plan(&self.state, root, self.kept);
        let (outcome, sent_bytes) = match plan {
            Plan::Rest => (Outcome::Unchanged, 0),
            Plan::Publish(version) => {
                let next = maker.sign(&self.state, self.group, &self.bytes, version)?;
                self.state.intend(next)?;
                let keys = self.send_keys(broker, chain).await?;
                let content = self.send_content(broker, root.short()).await?;
                (Outcome::Published, keys + content + self.send_manifest(broker).await?)
            }
            Plan::Refresh(version) => {
                let next = maker.sign(&self.state, self.group, &self.bytes, version)?;
                self.state.intend(next)?;
                (Outcome::Refreshed, self.send_manifest(broker).await?)
            }
        };
        self.clean(broker).await?;
        let version = self.state.published.as_ref().map(|signed| signed.manifest.version());

        Ok(Published {
            group: self.group.to_owned(),
            outcome,
            version: version.unwrap_or_default(),
            snapshot_bytes: self.bytes.len(),
            sent_bytes,
            gateways: self.gateways,
        })
    }

    /// The newest key set last: a gateway that hears of it finds all those before.
    async fn send_keys(&self, broker: &Broker, chain: &Chain) -> Result<usize, NotPublished> {
        let epochs = chain.sets().iter().zip(chain.envelopes());
        let messages = epochs
            .map(|(set, envelope)| (self.topic(GroupTopic::KeysOf(set.epoch())), envelope.clone()));
        broker.publish_all(messages).await?;
        broker.publish(&self.topic(GroupTopic::Keys), chain.anchor()).await?;

        Ok(chain.envelopes().iter().map(Vec::len).sum::<usize>() + chain.anchor().len())
    }

    async fn send_content(&self, broker: &Broker, root: [u8; 8]) -> Result<usize, NotPublished> {
        let list: Vec<u8> = chunk::leaves(&self.bytes, CHUNK_LOG2).flatten().collect();
        let pieces = list.chunks(HASHES_A_PIECE as usize * chunk::HASH_LEN);
        let pieces = (0..)
            .zip(pieces)
            .map(|(piece, bytes)| (self.topic(GroupTopic::List { root, piece }), bytes.to_vec()));
        let chunks = (0..).zip(self.bytes.chunks(1 << CHUNK_LOG2));
        let chunks = chunks
            .map(|(index, bytes)| (self.topic(GroupTopic::Chunk { root, index }), bytes.to_vec()));
        broker.publish_all(pieces.chain(chunks)).await?;

        Ok(list.len() + self.bytes.len())
    }

    /// The last message: with it gateways have a new version.
    async fn send_manifest(&mut self, broker: &Broker) -> Result<usize, NotPublished> {
        let Some(intent) = &self.state.intent else { return Ok(0) };
        let message = sign::message(&intent.envelope, &[])?;
        let len = message.len();
        broker.publish(&self.topic(GroupTopic::Manifest), message).await?;
        self.state.commit(Some(&self.bytes))?;

        Ok(len)
    }

    /// Removes what no manifest names any more.
    async fn clean(&mut self, broker: &Broker) -> Result<(), NotPublished> {
        if self.state.garbage().is_empty() {
            return Ok(());
        }
        let topics = self.state.garbage().iter().flat_map(|(&root, &chunks)| {
            let pieces = (0..chunks.div_ceil(HASHES_A_PIECE))
                .map(move |piece| GroupTopic::List { root, piece });
            pieces.chain((0..chunks).map(move |index| GroupTopic::Chunk { root, index }))
        });
        let messages = topics.map(|what| (self.topic(what), Vec::new()));
        broker.publish_all(messages).await?;

        Ok(self.state.is_clean()?)
    }
}
