//! What the broker has, compared with what was published from this folder, before anything is sent.

use gateward_core::topic::GroupTopic;
use gateward_core::trust::{Audience, Refused, manifest};

use super::Job;
use crate::broker::{Broker, Retained};
use crate::keys::Chain;
use crate::publish::state::{Signed, State};
use crate::publish::{NotPublished, Stopped};

/// Says of which groups the broker has another version than was published from here: somebody
/// publishes from elsewhere, or this folder is an old copy. With `adopt` it goes on from there, where
/// our keys signed that. What was intended and has arrived is taken for published.
pub(in crate::publish) async fn compare(
    broker: &Broker,
    chain: &Chain,
    jobs: &mut [Job<'_>],
    adopt: bool,
) -> Result<Vec<Stopped>, NotPublished> {
    let kinds = [GroupTopic::Manifest, GroupTopic::Keys, GroupTopic::Revoked, GroupTopic::Time];
    let topics = jobs.iter().flat_map(|job| kinds.map(|what| job.topic(what)));
    let found = broker.retained(chain.newest().account(), &topics.collect::<Vec<_>>()).await?;
    let (mut others, mut adopted) = (Vec::new(), Vec::new());
    for job in jobs.iter_mut() {
        let further = job.meet_news(&found, chain).filter(|_| !adopt);
        others.extend(further.map(|why| job.stopped(why)));
    }
    for job in jobs.iter_mut() {
        match job.meet_manifest(&found, chain, adopt)? {
            Ok(None) => {}
            Ok(Some(theirs)) => adopted.push((job, theirs)),
            Err(other) => others.push(job.stopped(other)),
        }
    }
    if !others.is_empty() {
        return Ok(others);
    }
    for (job, theirs) in adopted {
        job.news.speaks(theirs.manifest.revoked());
        job.state.adopt(*theirs)?;
        job.adopted = true;
    }
    // Without `adopt` nothing further was met.
    for job in jobs {
        job.news.adopt()?;
    }

    Ok(Vec::new())
}

const REMEDY: &str = "publish from the folder that published it, or restore `state` from there; \
                      where that is lost for good, `publish --adopt` goes on from the broker's \
                      version; where nobody of yours published it, the snapshot key is stolen: \
                      `keys rotate DIR --role snapshot --compromised`";

/// The broker has what no folder with our keys published.
#[derive(Debug, thiserror::Error)]
enum NotOurs {
    /// Somebody else's keys signed it, or nobody's.
    #[error(
        "the broker has a manifest that was not signed with the keys of this folder ({0}); publish \
         from the folder whose keys signed it; where there is none, let the broker's access list \
         keep others from writing there, take the manifest away with an empty retained message, \
         and publish again"
    )]
    Foreign(Refused),
    /// It is no manifest at all.
    #[error(
        "the broker has {0} bytes there that are no manifest ({1}); none of your folders wrote them: \
         let the broker's access list keep others from writing there, then `publish --adopt` puts \
         the manifest of this folder in their place"
    )]
    Junk(usize, Refused),
}

/// What the broker has.
#[derive(Clone, Debug)]
enum Met {
    /// What it acknowledged.
    Published,
    /// What it had not acknowledged when the last command ended.
    Intent,
    /// What our keys signed before what was published from here: it came back with old data.
    Older(Box<Signed>),
    /// What our keys signed, and this folder does not know.
    Other(Box<Signed>),
    /// What a stolen key signed: no gateway takes it any more.
    Void(Box<Signed>),
}

impl Job<'_> {
    fn stopped(&self, why: String) -> Stopped {
        Stopped { group: self.group.to_owned(), why }
    }

    /// Compares the key set, the list and the beacon; says where a list goes further than ours.
    fn meet_news(&mut self, found: &Retained, chain: &Chain) -> Option<String> {
        let of = |what| found.get(&self.topic(what)).filter(|message| !message.is_empty());
        let keys_kept = of(GroupTopic::Keys).is_some_and(|message| message == chain.anchor());
        let (revoked, beacon) = (of(GroupTopic::Revoked), of(GroupTopic::Time));
        let further = self.news.meet(revoked.map(Vec::as_slice), beacon.map(Vec::as_slice), chain);
        self.keys_kept = keys_kept;
        let (topic, number) = (self.topic(GroupTopic::Revoked), further?);

        Some(format!(
            "`{topic}`: the broker has revocation list {number}, which was not published from \
             here; {REMEDY}"
        ))
    }

    /// Compares the manifest: takes up what is ours, returns what is to be adopted, or says what
    /// there is that may not be.
    fn meet_manifest(
        &mut self,
        found: &Retained,
        chain: &Chain,
        adopt: bool,
    ) -> Result<Result<Option<Box<Signed>>, String>, NotPublished> {
        let topic = self.topic(GroupTopic::Manifest);
        let Some(message) = found.get(&topic).filter(|message| !message.is_empty()) else {
            return Ok(Ok(None));
        };
        match self.meet(message, chain) {
            // As good as nothing: what was published from here is published again.
            Ok(Met::Void(old) | Met::Older(old)) => self.state.discard(&old)?,
            Ok(Met::Published) => self.kept = true,
            Ok(Met::Intent) => {
                self.kept = true;
                self.state.commit(None)?;
            }
            Ok(Met::Other(theirs)) if adopt => return Ok(Ok(Some(theirs))),
            Ok(Met::Other(theirs)) => {
                return Ok(Err(format!("`{topic}`: {}; {REMEDY}", self.differs(&theirs))));
            }
            // As good as nothing, once somebody has looked at it.
            Err(NotOurs::Junk(..)) if adopt => {}
            Err(why) => return Ok(Err(format!("`{topic}`: {why}"))),
        }

        Ok(Ok(None))
    }

    /// Compares the message retained by the broker with what was published from here.
    fn meet(&self, message: &[u8], chain: &Chain) -> Result<Met, NotOurs> {
        let junk = |refused| NotOurs::Junk(message.len(), refused);
        let envelope = manifest::split(message).map_err(junk)?.envelope;
        let audience = Audience::of(chain.newest().account(), self.group);
        let theirs = Signed::read(envelope.to_vec(), chain, audience).map_err(|why| {
            let unread = [Refused::Malformed, Refused::OtherType, Refused::TooLong];
            if unread.contains(&why) { junk(why) } else { NotOurs::Foreign(why) }
        })?;
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
        // Whoever else publishes goes on from what there is, and so never below it.
        let below = |ours: &Signed| theirs.manifest.version() < ours.manifest.version();
        if published.as_ref().or(intent.as_ref()).is_some_and(below) {
            return Ok(Met::Older(Box::new(theirs)));
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
}
