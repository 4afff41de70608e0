//! One look at a folder and all that follows from it on the broker: what `publish` does once and
//! `serve` again and again.

use std::path::Path;
use std::time::Duration;

use gateward_core::time::UnixSeconds;
use gateward_core::trust::{Audience, Role};

use super::job::{Job, compare, jobs, jobs_that_go_on};
use super::kept::stand_in;
use super::plan::Maker;
use super::{NotPublished, Outcome, Published, accept, settled};
use crate::broker::{Broker, BrokerFailed};
use crate::keys::{Chain, Signers};
use crate::policy::{KnownIds, Policy};

/// What is read of a folder before anything is sent.
#[derive(Debug)]
pub(crate) struct Ground {
    policy: Policy,
    /// With what `policy` publishes; none where that is no longer what the folder says.
    known: Option<KnownIds>,
    chain: Chain,
    signers: Signers,
    /// None where this folder has no beacon key: then gateways hear no time from here.
    beacons: Option<Signers>,
}

impl Ground {
    /// Reads everything, and waits for whoever changes the policy; `accepted` are the principals that
    /// may become unlimited.
    pub(crate) fn read(
        dir: &Path,
        accepted: &[String],
        patience: Duration,
    ) -> Result<Self, NotPublished> {
        let (policy, mut known) = settled(dir, patience)?;
        accept(known.widenings(&policy), accepted)?;
        known.merge(&policy);

        Self::of(dir, policy, Some(known))
    }

    /// What there is to go on with where the folder says nothing that may be published: the groups as
    /// they were and the keys as they are. With it, what was published is refreshed and nothing else.
    pub(crate) fn kept(&self, dir: &Path) -> Result<Self, NotPublished> {
        Self::of(dir, self.policy.clone(), None)
    }

    /// The same from `state/published` alone, where the policy was never read; none where nothing was
    /// published.
    pub(crate) fn published(dir: &Path) -> Option<Result<Self, NotPublished>> {
        stand_in(dir).map(|policy| Self::of(dir, policy, None))
    }

    fn of(dir: &Path, policy: Policy, known: Option<KnownIds>) -> Result<Self, NotPublished> {
        let chain = Chain::load(dir, policy.account().id)?;
        let signers = Signers::load(dir, &chain, Role::Snapshot)?;
        let beacons = Signers::load_if_any(dir, &chain, Role::Beacon)?;

        Ok(Self { policy, known, chain, signers, beacons })
    }

    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// From here on gateways may come to know every id.
    pub(super) fn remember(&self, dir: &Path) -> Result<(), NotPublished> {
        Ok(self.known.as_ref().map_or(Ok(()), |known| known.save(dir))?)
    }
}

/// A group for which nothing is done, while others go on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Stopped {
    pub(crate) group: String,
    pub(crate) why: String,
}

/// What was done, as far as it went.
#[derive(Clone, Debug, Default)]
pub(crate) struct Done {
    /// The group with which it broke off; the next round begins after it, so that it starves no other.
    pub(crate) after: Option<String>,
    pub(crate) published: Vec<Published>,
    pub(crate) stopped: Vec<Stopped>,
}

/// How far a round goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Reaching {
    /// To groups whose gateways are to have something else; the broker is believed to have the rest.
    Changes,
    /// To every group, each with a beacon, and the broker is asked what it has.
    Everything,
}

/// The jobs of all groups, and what their messages are made of.
pub(super) struct Round<'a> {
    dir: &'a Path,
    ground: &'a Ground,
    maker: Maker<'a>,
    pub(super) jobs: Vec<Job<'a>>,
}

impl<'a> Round<'a> {
    pub(super) fn begin(
        dir: &'a Path,
        ground: &'a Ground,
        groups: &[String],
        now: UnixSeconds,
    ) -> Result<Self, NotPublished> {
        let jobs = jobs(dir, &ground.policy, &ground.chain, groups)?;

        Ok(Self::of(dir, ground, jobs, now))
    }

    /// With all groups; those for which gateways would take no snapshot of this policy go on with what
    /// was published.
    fn that_goes_on(
        dir: &'a Path,
        ground: &'a Ground,
        now: UnixSeconds,
        done: &mut Done,
    ) -> Result<Self, NotPublished> {
        let (jobs, without) = jobs_that_go_on(dir, &ground.policy, &ground.chain)?;
        done.stopped.extend(without);
        let mut round = Self::of(dir, ground, jobs, now);
        if ground.known.is_none() {
            round.jobs.retain_mut(Job::keeps);
        }
        for (group, error) in round.unsigned() {
            round.jobs.retain(|job| job.group != group);
            done.stopped.push(Stopped { group, why: error.to_string() });
        }
        let Self { jobs, maker, .. } = &mut round;
        jobs.retain_mut(|job| {
            let Err(error) = job.fits(maker) else { return true };
            done.stopped.push(stopped(job, &error));
            job.keeps()
        });

        Ok(round)
    }

    fn of(dir: &'a Path, ground: &'a Ground, jobs: Vec<Job<'a>>, now: UnixSeconds) -> Self {
        let Ground { policy, chain, signers, beacons, .. } = ground;
        let maker = Maker {
            keys: chain.newest(),
            signers,
            beacons: beacons.as_ref(),
            sizes: policy.sizes(),
            staleness: policy.staleness(),
            allows: policy.allows(),
            now,
        };

        Self { dir, ground, maker, jobs }
    }

    /// Says for which groups no key of this folder signs.
    pub(super) fn unsigned(&self) -> Vec<(String, NotPublished)> {
        let account = self.ground.policy.account().id;
        let reach = |job: &Job<'_>| {
            let reached = self.ground.signers.reaching(Some(Audience::of(account, job.group)));
            Some((job.group.to_owned(), reached.err()?.into()))
        };

        self.jobs.iter().filter_map(reach).collect()
    }

    /// Compares with what the broker has, and says where that is not from here.
    pub(super) async fn compare(
        &mut self,
        broker: &Broker,
        adopt: bool,
    ) -> Result<Vec<Stopped>, NotPublished> {
        compare(broker, &self.ground.chain, &mut self.jobs, adopt).await
    }

    /// Brings every group what it lacks, and stops at the first that cannot be helped; then sends
    /// beacons, and returns of which groups there is none.
    pub(super) async fn run_all(
        &mut self,
        broker: &Broker,
    ) -> Result<(Vec<Published>, Vec<String>), NotPublished> {
        self.ground.remember(self.dir)?;
        let Self { jobs, maker, ground, .. } = self;
        let mut done = Vec::new();
        for job in &mut *jobs {
            done.push(job.run(broker, &ground.chain, maker).await?);
        }
        // After everything that they name. A stolen beacon key must stop nothing else.
        let mut silent = Vec::new();
        for (job, done) in jobs.iter_mut().zip(&mut done) {
            match job.send_beacon(broker, maker).await {
                Ok(bytes) => done.sent_bytes += bytes,
                Err(NotPublished::NewsUnusable(why)) => {
                    silent.push(format!("`{}`: {why}", job.group));
                }
                Err(other) => return Err(other),
            }
        }

        Ok((done, silent))
    }

    /// Brings every group what it lacks; what stops one stops no other. `done` has what was done
    /// before an error too.
    async fn run_each(
        &mut self,
        broker: &Broker,
        reaching: Reaching,
        done: &mut Done,
    ) -> Result<(), NotPublished> {
        self.ground.remember(self.dir)?;
        let Self { jobs, maker, ground, .. } = self;
        for job in jobs {
            done.after = Some(job.group.to_owned());
            let mut brought = match job.run(broker, &ground.chain, maker).await {
                Ok(brought) => brought,
                Err(error) if stops_only_its_group(&error) => {
                    done.stopped.push(stopped(job, &error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let is_news = brought.outcome != Outcome::Unchanged || brought.sent_bytes > 0;
            let beacon = if is_news || reaching == Reaching::Everything {
                job.send_beacon(broker, maker).await
            } else {
                Ok(0)
            };
            brought.sent_bytes += *beacon.as_ref().unwrap_or(&0);
            done.published.push(brought);
            match beacon {
                Err(error) if stops_only_its_group(&error) => {
                    done.stopped.push(stopped(job, &error));
                }
                beacon => drop(beacon?),
            }
        }
        done.after = None;

        Ok(())
    }
}

/// Brings what changed, or everything, to the broker of `serve`; whoever calls has the lock.
pub(crate) async fn round(
    (dir, ground): (&Path, &Ground),
    broker: &Broker,
    (reaching, now): (Reaching, UnixSeconds),
    done: &mut Done,
) -> Result<(), NotPublished> {
    let mut round = Round::that_goes_on(dir, ground, now, done)?;
    let first = done.after.as_ref().and_then(|after| {
        round.jobs.iter().position(|job| job.group == after).map(|index| index + 1)
    });
    round.jobs.rotate_left(first.unwrap_or(0));
    if reaching == Reaching::Changes {
        let maker = &round.maker;
        round.jobs.retain(|job| !job.rests(maker));
    }
    if round.jobs.is_empty() {
        return Ok(());
    }
    for other in round.compare(broker, false).await? {
        round.jobs.retain(|job| job.group != other.group);
        done.stopped.push(other);
    }

    round.run_each(broker, reaching, done).await
}

fn stopped(job: &Job<'_>, error: &NotPublished) -> Stopped {
    Stopped { group: job.group.to_owned(), why: error.to_string() }
}

/// Whether another group may fare better.
const fn stops_only_its_group(error: &NotPublished) -> bool {
    matches!(
        error,
        NotPublished::Broker(BrokerFailed::NotPublished { .. })
            | NotPublished::NewsUnusable(_)
            | NotPublished::NoSide(_)
            | NotPublished::NoVersionLeft(_)
            | NotPublished::TooMany(_)
            | NotPublished::Unusable { .. }
    )
}
