//! One group: what its gateways are to have, what the broker has, and the messages between.

use std::path::Path;

use gateward_core::name::Uuid;
use gateward_core::snapshot::chunk;
use gateward_core::sync::HASHES_A_PIECE;
use gateward_core::topic::{GroupTopic, GroupTopics};
use gateward_core::trust::sign;
use gateward_core::trust::{Audience, manifest};

use super::plan::{CHUNK_LOG2, Maker, Plan};
use super::state::{Signed, State};
use super::{NotPublished, Outcome, Published};
use crate::broker::Broker;
use crate::compile::compile;
use crate::keys::Chain;
use crate::policy::Policy;

/// One group with its snapshot.
pub(super) struct Job<'a> {
    topics: GroupTopics<'a>,
    pub(super) group: &'a str,
    pub(super) gateways: usize,
    pub(super) bytes: Vec<u8>,
    pub(super) state: State,
    /// Whether the broker has what was published.
    kept: bool,
    /// Whether the broker has the newest key set.
    keys_kept: bool,
    /// Whether it goes on from what was published from elsewhere.
    adopted: bool,
}

pub(super) fn jobs<'a>(
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
            keys_kept: false,
            adopted: false,
        });
    }

    Ok(jobs)
}

/// Stops where the broker has another version than was published from here: somebody publishes from
/// elsewhere, or this folder is an old copy. With `adopt` it goes on from there, where our keys
/// signed that. What was intended and has arrived is taken for published.
pub(super) async fn compare(
    broker: &Broker,
    chain: &Chain,
    jobs: &mut [Job<'_>],
    adopt: bool,
) -> Result<(), NotPublished> {
    let topics: Vec<_> = jobs.iter().map(|job| job.topic(GroupTopic::Manifest)).collect();
    let keys: Vec<_> = jobs.iter().map(|job| job.topic(GroupTopic::Keys)).collect();
    let all = [&topics[..], &keys].concat();
    let found = broker.retained(chain.newest().account(), &all).await?;
    for (job, topic) in jobs.iter_mut().zip(&keys) {
        job.keys_kept = found.get(topic).is_some_and(|message| message == chain.anchor());
    }
    let (mut others, mut adopted) = (Vec::new(), Vec::new());
    for (job, topic) in jobs.iter_mut().zip(&topics) {
        let message = found.get(topic).filter(|message| !message.is_empty());
        match message.map(|message| job.meet(message, chain)) {
            None => {}
            Some(Ok(Met::Void(void))) => job.state.discard(&void.manifest)?,
            Some(Ok(Met::Published)) => job.kept = true,
            Some(Ok(Met::Intent)) => {
                job.kept = true;
                job.state.commit(None)?;
            }
            Some(Ok(Met::Other(theirs))) if adopt => adopted.push((job, theirs)),
            Some(Ok(Met::Other(theirs))) => {
                others.push(format!("`{topic}`: {}; {REMEDY}", job.differs(&theirs)));
            }
            Some(Err(why)) => others.push(format!("`{topic}`: {why}; {FOREIGN}")),
        }
    }
    if !others.is_empty() {
        return Err(NotPublished::OtherVersion(others));
    }
    for (job, theirs) in adopted {
        job.state.adopt(*theirs)?;
        job.adopted = true;
    }

    Ok(())
}

const REMEDY: &str = "publish from the folder that published it, or restore `state` from there; \
                      where that is lost for good, `publish --adopt` goes on from the broker's \
                      version; where nobody of yours published it, the snapshot key is stolen: \
                      `keys rotate DIR --role snapshot --compromised`";
const FOREIGN: &str = "publish from the folder whose keys signed it";

/// What the broker has.
#[derive(Clone, Debug)]
enum Met {
    /// What it acknowledged.
    Published,
    /// What it had not acknowledged when the last command ended.
    Intent,
    /// What our keys signed, and this folder does not know.
    Other(Box<Signed>),
    /// What a stolen key signed: no gateway takes it any more.
    Void(Box<Signed>),
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
        if chain.compromises(&theirs.manifest) {
            return Ok(Met::Void(Box::new(theirs)));
        }

        Ok(Met::Other(Box::new(theirs)))
    }

    fn differs(&self, theirs: &Signed) -> String {
        let theirs = theirs.manifest.version();
        match &self.state.published {
            None => format!("the broker has version {theirs}, and nothing was published from here"),
            Some(ours) => {
                let ours = ours.manifest.version();
                format!("the broker has version {theirs}, and {ours} was published from here")
            }
        }
    }

    pub(super) async fn run(
        &mut self,
        broker: &Broker,
        chain: &Chain,
        maker: &Maker<'_>,
    ) -> Result<Published, NotPublished> {
        let root = chunk::root_of(&self.bytes, CHUNK_LOG2).unwrap_or_default();
        let plan = if self.adopted {
            let number = self.state.next_number(chain.newest().epoch());
            let left = number.ok_or_else(|| NotPublished::NoVersionLeft(self.group.to_owned()));
            Plan::Publish(left?)
        } else {
            maker.plan(&self.state, root, self.kept, self.group)?
        };
        let (outcome, sent_bytes) = match plan {
            Plan::Rest => (Outcome::Unchanged, self.mend_keys(broker, chain).await?),
            Plan::Publish(version) => {
                let next = maker.sign(&self.state, self.group, &self.bytes, version)?;
                self.state.intend(next)?;
                let content = self.send_content(broker, root.short()).await?;
                // As late as can be: a gateway whose key is stolen denies from here to the manifest.
                let keys = self.send_keys(broker, chain).await?;
                (Outcome::Published, keys + content + self.send_manifest(broker).await?)
            }
            Plan::Refresh(version) => {
                let next = maker.sign(&self.state, self.group, &self.bytes, version)?;
                self.state.intend(next)?;
                let keys = self.mend_keys(broker, chain).await?;
                (Outcome::Refreshed, keys + self.send_manifest(broker).await?)
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

    /// Whoever lost the newest key set, or had it written over, may have lost others.
    async fn mend_keys(&self, broker: &Broker, chain: &Chain) -> Result<usize, NotPublished> {
        if self.keys_kept { Ok(0) } else { self.send_keys(broker, chain).await }
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
