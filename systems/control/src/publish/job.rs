//! One group: what its gateways are to have, what the broker has, and the messages between.

mod compare;

use std::path::Path;

use gateward_core::name::Uuid;
use gateward_core::snapshot::chunk;
use gateward_core::topic::{GroupTopic, GroupTopics};
use gateward_core::trust::manifest::CHUNK_LOG2;
use gateward_core::trust::sign;
use gateward_core::trust::{Audience, Root, Version};

use super::deltas::{Made, divide};
use super::news::News;
use super::plan::{Maker, Plan};
use super::round::Stopped;
use super::state::{Signed, State};
use super::{NotPublished, Outcome, Published};
use crate::broker::Broker;
use crate::compile::compile;
use crate::keys::Chain;
use crate::policy::{Group, Policy, Sizes};

pub(super) use compare::compare;

/// One group with its snapshot.
pub(super) struct Job<'a> {
    topics: GroupTopics<'a>,
    pub(super) group: &'a str,
    pub(super) gateways: usize,
    pub(super) bytes: Vec<u8>,
    pub(super) state: State,
    pub(super) news: News,
    /// Those of what was published, where it goes on with that.
    sizes: Option<Sizes>,
    /// To what is about to be published.
    deltas: Vec<Made>,
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
    for group in only {
        if policy.group(group).is_none() {
            // Says which groups there are.
            compile(policy, group)?;
        }
    }
    let wanted = |id: &String| only.is_empty() || only.contains(id);
    let mut jobs = Vec::new();
    for group in policy.groups().iter().filter(|group| wanted(&group.id)) {
        jobs.extend(job(dir, group, chain, compile(policy, &group.id)?)?);
    }

    Ok(jobs)
}

/// The jobs of all groups, and which groups have no snapshot by this policy: those go on with what was
/// published, where something was.
pub(super) fn jobs_that_go_on<'a>(
    dir: &Path,
    policy: &'a Policy,
    chain: &Chain,
) -> Result<(Vec<Job<'a>>, Vec<Stopped>), NotPublished> {
    let (mut jobs, mut stopped) = (Vec::new(), Vec::new());
    for group in policy.groups() {
        match compile(policy, &group.id) {
            Ok(bytes) => jobs.extend(job(dir, group, chain, bytes)?),
            Err(error) => {
                stopped.push(Stopped { group: group.id.clone(), why: error.to_string() });
                let job = job(dir, group, chain, Vec::new())?;
                jobs.extend(job.and_then(Job::kept));
            }
        }
    }

    Ok((jobs, stopped))
}

fn job<'a>(
    dir: &Path,
    group: &'a Group,
    chain: &Chain,
    bytes: Vec<u8>,
) -> Result<Option<Job<'a>>, NotPublished> {
    let account: Uuid = chain.newest().account();
    let Some(topics) = GroupTopics::new(account, &group.id) else { return Ok(None) };
    let audience = Audience::of(account, &group.id);

    Ok(Some(Job {
        topics,
        group: &group.id,
        gateways: group.gateways.len(),
        bytes,
        state: State::load(dir, &group.id, chain, audience)?,
        news: News::load(dir, &group.id, chain, audience)?,
        sizes: None,
        deltas: Vec::new(),
        kept: false,
        keys_kept: false,
        adopted: false,
    }))
}

impl Job<'_> {
    fn topic(&self, what: GroupTopic) -> String {
        self.topics.topic(what).to_string()
    }

    pub(super) async fn run(
        &mut self,
        broker: &Broker,
        chain: &Chain,
        maker: &Maker<'_>,
    ) -> Result<Published, NotPublished> {
        let maker = &self.making(maker);
        let root = maker.root(&self.bytes);
        let epoch = chain.newest().epoch();
        let upcoming = self.plan(maker, root, epoch)?;
        let revoked = self.revoke(maker, upcoming)?;
        // With the list that there is now.
        let plan = self.plan(maker, root, epoch)?;
        // Before all that is large: what is revoked is denied while the rest is still on its way.
        let mut sent_bytes = match plan {
            Plan::Rest if !revoked && self.news.is_kept() => 0,
            Plan::Rest | Plan::Publish(_) | Plan::Refresh(_) => self.send_list(broker).await?,
        };
        let counter = self.news.counter(epoch);
        let outcome = match plan {
            Plan::Rest => {
                sent_bytes += self.mend_keys(broker, chain).await?;
                Outcome::Unchanged
            }
            Plan::Publish(version) => {
                self.prepare(maker, version, counter)?;
                sent_bytes +=
                    self.send_content(broker, root.short(), maker.sizes.chunk_log2).await?;
                // As late as can be: a gateway whose key is stolen denies from here to the manifest.
                sent_bytes += self.send_keys(broker, chain).await?;
                sent_bytes += self.send_manifest(broker).await?;
                Outcome::Published
            }
            Plan::Refresh(version) => {
                self.prepare(maker, version, counter)?;
                sent_bytes += self.mend_keys(broker, chain).await?;
                sent_bytes += self.send_manifest(broker).await?;
                Outcome::Refreshed
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

    fn plan(&self, maker: &Maker<'_>, root: Root, epoch: u32) -> Result<Plan, NotPublished> {
        self.plan_where(self.kept, maker, root, epoch)
    }

    fn plan_where(
        &self,
        kept: bool,
        maker: &Maker<'_>,
        root: Root,
        epoch: u32,
    ) -> Result<Plan, NotPublished> {
        if self.adopted {
            let number = self.state.next_number(epoch);
            let left = number.ok_or_else(|| NotPublished::NoVersionLeft(self.group.to_owned()));
            return Ok(Plan::Publish(left?));
        }
        let plan = maker.plan(&self.state, root, kept, self.group)?;
        // A manifest that does not speak of the newest list would be taken for older than it.
        let spoken = |signed: &Signed| signed.manifest.revoked_counter();
        let published = self.state.published.as_ref();
        match (plan, published) {
            (Plan::Rest, Some(signed)) if spoken(signed) != self.news.counter(epoch) => {
                Ok(Plan::Refresh(signed.manifest.version().number))
            }
            (plan, _) => Ok(plan),
        }
    }

    /// Goes on with what was published, or had begun to be, whatever the policy says; returns whether
    /// there is such a snapshot.
    pub(super) fn keeps(&mut self) -> bool {
        let State { intent, published, .. } = &self.state;
        let with = |bytes, signed: &Signed| (bytes, signed.manifest.chunk_log2());
        let begun = intent
            .as_ref()
            .and_then(|signed| Some(with(self.state.earlier().file(&signed.manifest)?, signed)));
        let kept = || Some(with(self.state.file()?, published.as_ref()?));
        let Some((bytes, chunk_log2)) = begun.or_else(kept) else { return false };
        self.bytes = bytes;
        // In other chunks it would be another version.
        self.sizes = Some(Sizes::of_chunks(chunk_log2));

        true
    }

    fn making<'m>(&self, maker: &Maker<'m>) -> Maker<'m> {
        Maker { sizes: self.sizes.unwrap_or(maker.sizes), ..*maker }
    }

    /// The job that goes on with what was published; none where nothing was.
    fn kept(mut self) -> Option<Self> {
        self.keeps().then_some(self)
    }

    /// Whether gateways would take the snapshot.
    pub(super) fn fits(&self, maker: &Maker<'_>) -> Result<(), NotPublished> {
        let root = maker.root(&self.bytes);
        let known = |signed: &Signed| signed.manifest.root() == root;
        if self.state.published.iter().chain(&self.state.intent).any(known) {
            return Ok(());
        }
        let epoch = maker.keys.epoch();
        let number = self.state.next_number(epoch);
        let number = number.ok_or_else(|| NotPublished::NoVersionLeft(self.group.to_owned()))?;
        let counter = self.news.counter(epoch);

        maker.sign(&self.state, self.group, &self.bytes, number, counter, Vec::new()).map(drop)
    }

    /// Whether gateways have what they are to have, if the broker has what it had.
    pub(super) fn rests(&self, maker: &Maker<'_>) -> bool {
        let maker = &self.making(maker);
        let root = maker.root(&self.bytes);
        let plan = self.plan_where(true, maker, root, maker.keys.epoch());

        matches!(plan, Ok(Plan::Rest))
    }

    /// Makes the next revocation list, where there is anything to revoke or to allow again; returns
    /// whether there was.
    pub(super) fn revoke(&mut self, maker: &Maker<'_>, plan: Plan) -> Result<bool, NotPublished> {
        let State { published, intent, .. } = &self.state;
        for signed in published.iter().chain(intent) {
            self.news.speaks(signed.manifest.revoked());
        }
        let published = published.as_ref().map(|signed| &signed.manifest);
        let last = published.map_or(0, |manifest| manifest.version().number);
        let next = match plan {
            Plan::Publish(number) | Plan::Refresh(number) => number,
            Plan::Rest => last,
        };
        let old = self.state.files();

        self.news.revoke((&old, published), (&self.bytes, next), maker)
    }

    async fn send_list(&self, broker: &Broker) -> Result<usize, NotPublished> {
        let Some(list) = self.news.list() else { return Ok(0) };
        broker.publish(&self.topic(GroupTopic::Revoked), list).await?;

        Ok(list.len())
    }

    /// After everything else, so that what a beacon names is there when it is named.
    pub(super) async fn send_beacon(
        &mut self,
        broker: &Broker,
        maker: &Maker<'_>,
    ) -> Result<usize, NotPublished> {
        let (Some(signed), Some(beacons)) = (&self.state.published, maker.beacons) else {
            return Ok(0);
        };
        let beacon = self.news.beacon(&signed.manifest, maker.keys, beacons, maker.now)?;
        let len = beacon.len();
        broker.publish(&self.topic(GroupTopic::Time), beacon).await?;

        Ok(len)
    }

    /// Whoever lost the newest key set, or had it written over, may have lost others.
    async fn mend_keys(&self, broker: &Broker, chain: &Chain) -> Result<usize, NotPublished> {
        if self.keys_kept { Ok(0) } else { self.send_keys(broker, chain).await }
    }

    /// Makes the deltas and the manifest that names them.
    fn prepare(
        &mut self,
        maker: &Maker<'_>,
        version: u64,
        counter: u64,
    ) -> Result<(), NotPublished> {
        let name = Version { epoch: maker.keys.epoch(), number: version };
        self.deltas = self.state.earlier().deltas(name, &self.bytes, maker.sizes);
        let named = self.deltas.iter().map(Made::named).collect();
        let next = maker.sign(&self.state, self.group, &self.bytes, version, counter, named)?;

        self.intend(next)
    }

    /// From here on the snapshot may be in force somewhere.
    pub(super) fn intend(&mut self, next: Signed) -> Result<(), NotPublished> {
        self.state.earlier().keep(&next.manifest, &self.bytes)?;

        Ok(self.state.intend(next)?)
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

    async fn send_content(
        &self,
        broker: &Broker,
        root: [u8; 8],
        chunk_log2: u8,
    ) -> Result<usize, NotPublished> {
        let list: Vec<u8> = chunk::leaves(&self.bytes, chunk_log2).flatten().collect();
        let hashes = chunk::hashes_a_piece(chunk_log2) as usize;
        let pieces = list.chunks(hashes * chunk::HASH_LEN);
        let pieces = (0..)
            .zip(pieces)
            .map(|(piece, bytes)| (self.topic(GroupTopic::List { root, piece }), bytes.to_vec()));
        let chunks = (0..).zip(self.bytes.chunks(1 << chunk_log2));
        let chunks = chunks
            .map(|(index, bytes)| (self.topic(GroupTopic::Chunk { root, index }), bytes.to_vec()));
        broker.publish_all(pieces.chain(chunks)).await?;

        Ok(list.len() + self.bytes.len())
    }

    /// The last message: with it gateways have a new version. Deltas that do not travel with it go
    /// before it.
    async fn send_manifest(&mut self, broker: &Broker) -> Result<usize, NotPublished> {
        let Some(intent) = &self.state.intent else { return Ok(0) };
        let (along, apart) = divide(intent, &self.deltas);
        let along: Vec<_> = along.iter().map(|made| (made.from, &made.bytes[..])).collect();
        let message = sign::message(&intent.envelope, &along)?;
        let len = message.len() + apart.iter().map(|made| made.bytes.len()).sum::<usize>();
        let apart = apart
            .iter()
            .map(|made| (self.topic(GroupTopic::Delta { from: made.from }), made.bytes.clone()));
        broker.publish_all(apart).await?;
        broker.publish(&self.topic(GroupTopic::Manifest), message).await?;
        self.state.commit(Some(&self.bytes))?;

        Ok(len)
    }

    /// Removes what no manifest names any more.
    async fn clean(&mut self, broker: &Broker) -> Result<(), NotPublished> {
        let (garbage, deltas) = self.state.garbage();
        if garbage.is_empty() && deltas.is_empty() {
            return Ok(());
        }
        let deltas = deltas.iter().map(|&from| GroupTopic::Delta { from });
        // How long their chunks were is forgotten; taking away what is not there does no harm.
        let hashes = chunk::hashes_a_piece(*CHUNK_LOG2.start());
        let topics = garbage.iter().flat_map(|(&root, &chunks)| {
            let pieces =
                (0..chunks.div_ceil(hashes)).map(move |piece| GroupTopic::List { root, piece });
            pieces.chain((0..chunks).map(move |index| GroupTopic::Chunk { root, index }))
        });
        let messages = topics.chain(deltas).map(|what| (self.topic(what), Vec::new()));
        broker.publish_all(messages).await?;

        Ok(self.state.is_clean()?)
    }
}
