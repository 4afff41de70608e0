//! The control plane as a daemon: what changes in the policy folder is published at once, and what
//! gateways have is kept fresh.
//!
//! Each look at the folder is a publish, with the code and the locks of `publish`: it goes on from
//! `state`, so whatever ends this process, the next look makes good what the last one left. Nothing
//! that counts is kept in memory but the last policy without a mistake, which is refreshed until there
//! is another.

mod audit;
mod reports;
mod schedule;
#[cfg(test)]
mod tests;
mod watch;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use tokio::sync::{mpsc, watch as cell};
use tokio::time::timeout;
use tracing::info;

use crate::broker::{Broker, Reach};
use crate::clock::{self, Running};
use crate::collect::CollectFailed;
use crate::lock::{Lock, NotLocked, PATIENCE};
use crate::publish::{
    Done, Ground, NotPublished, Outcome, Published, Reaching, lock, round, try_lock,
};
use audit::Audit;
use reports::Reports;
use schedule::{Schedule, Went, every};
use watch::{Watch, unmoved};

/// How long a look that has begun may go on when it is time to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// How often files that never come to rest are read again before what was read counts.
const RESTLESS: u32 = 10;

/// What to serve, and where.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The policy folder.
    pub dir: PathBuf,
    /// How to reach the broker.
    pub reach: Reach,
    /// Where audit goes; none where it is collected elsewhere.
    pub audit: Option<PathBuf>,
}

/// Why serving cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeFailed {
    /// Audit cannot be collected.
    #[error(transparent)]
    Audit(#[from] CollectFailed),
    /// The policy cannot be published.
    #[error(transparent)]
    NotPublished(#[from] NotPublished),
    /// Another one serves this folder.
    #[error("another `serve` is at work on this folder; one is enough")]
    Served,
}

/// Reads the folder. Where its policy may not be published, what was published is to go on from.
fn begin(dir: &Path, reports: &mut Reports) -> Result<Ground, NotPublished> {
    match Ground::read(dir, &[], PATIENCE) {
        Err(error) if error.lies_in_policy() => {
            let Some(kept) = Ground::published(dir) else { return Err(error) };
            reports.policy(&error, Reaching::Everything);
            kept
        }
        read => read,
    }
}

/// Serves one policy folder.
#[derive(Debug)]
pub struct Server {
    options: ServeOptions,
    /// The last policy without a mistake.
    ground: Ground,
    /// The group with which the last round broke off.
    after: Option<String>,
    /// How often in a row files moved while they were read.
    restless: u32,
    broker: Broker,
    reports: Reports,
    audit: Option<Audit>,
    _lock: Lock,
}

impl Server {
    /// Reads the folder, and begins to connect.
    ///
    /// # Errors
    ///
    /// The policy has mistakes and nothing was published before, a file cannot be used, or another one serves the folder.
    pub fn open(options: ServeOptions) -> Result<Self, ServeFailed> {
        let ServeOptions { dir, reach, audit } = &options;
        let mut reports = Reports::default();
        let ground = {
            let _lock = lock(dir)?;
            begin(dir, &mut reports)?
        };
        let lock = Lock::take(&dir.join("state/serve.lock")).map_err(|error| match error {
            NotLocked::Busy => ServeFailed::Served,
            NotLocked::Failed(failed) => ServeFailed::NotPublished(failed.into()),
        })?;
        let audit = audit.as_ref().map(|out| Audit::open(dir, reach, out)).transpose()?;
        let broker = Broker::begin(reach, "serve").map_err(NotPublished::from)?;

        Ok(Self { options, ground, after: None, restless: 0, broker, reports, audit, _lock: lock })
    }

    /// Serves until `stop` completes; each message on `look` has everything looked at. `tell` hears of
    /// all that was published.
    ///
    /// # Errors
    ///
    /// None: whatever goes wrong is said on stderr, and tried again.
    pub async fn run(
        mut self,
        stop: impl Future<Output = ()>,
        mut look: mpsc::Receiver<()>,
        mut tell: impl FnMut(&Published),
    ) {
        let (ending, ended) = cell::channel(false);
        let audit = self.audit.take().map(|audit| tokio::spawn(audit.run(ended)));
        let mut stop = pin!(stop);
        let time = Running::start();
        let mut watch = Watch::begin(&self.options.dir);
        let mut schedule = Schedule::new(every(self.stale_after_s()));
        let mut connection = 0;
        loop {
            let next = schedule.next();
            let due = async {
                match next {
                    Some((at, _)) => time.until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = &mut stop => break,
                number = self.broker.another_connection(connection) => {
                    connection = number;
                    schedule.connected(time.elapsed());
                }
                () = watch.changed() => schedule.changed(time.elapsed()),
                Some(()) = look.recv() => schedule.asked(time.elapsed()),
                () = due => {
                    let Some((_, reaching)) = next else { continue };
                    schedule.begins();
                    let went = {
                        let mut looking = pin!(self.look(reaching, &mut tell));
                        tokio::select! {
                            went = &mut looking => went,
                            () = &mut stop => {
                                // Broken off it is made good next time; mostly it is soon done.
                                let _ = timeout(FAREWELL, looking).await;
                                break;
                            }
                        }
                    };
                    if !self.broker.is_up() {
                        schedule.lost();
                    }
                    let stale = Some(self.stale_after_s());
                    schedule.ended(time.elapsed(), reaching, went, stale);
                }
            }
        }
        let _ = ending.send(true);
        if let Some(audit) = audit {
            // A panic of it has been printed.
            let _ = audit.await;
        }
        self.broker.leave().await;
    }

    fn stale_after_s(&self) -> u32 {
        self.ground.policy().staleness().stale_after_s
    }

    /// One look at the folder, and at the broker where there is one.
    async fn look(&mut self, reaching: Reaching, tell: &mut impl FnMut(&Published)) -> Went {
        let dir = &self.options.dir;
        let lock = match try_lock(dir) {
            Ok(lock) => lock,
            Err(NotPublished::NotLocked(NotLocked::Busy)) => return Went::Busy,
            Err(error) => return self.reports.failed(&error),
        };
        let (read, at_rest) = unmoved(dir, || Ground::read(dir, &[], Duration::ZERO));
        self.restless = if at_rest { 0 } else { self.restless + 1 };
        if (1..=RESTLESS).contains(&self.restless) {
            return Went::Busy;
        }
        let mut went = Went::Well;
        match read {
            Ok(ground) => {
                self.ground = ground;
                self.reports.policy_is_good();
            }
            Err(NotPublished::NotLocked(NotLocked::Busy)) => return Went::Busy,
            Err(error) => {
                // Whatever else it is may have passed in a moment.
                if error.lies_in_policy() {
                    self.reports.policy(&error, reaching);
                } else {
                    went = self.reports.failed(&error);
                }
                if reaching == Reaching::Changes {
                    return went;
                }
                match self.ground.kept(dir) {
                    Ok(ground) => self.ground = ground,
                    Err(error) => return self.reports.failed(&error),
                }
            }
        }
        if !self.broker.is_up() {
            info!("there is no connection to the broker; what changed is published when there is");
            return Went::Well;
        }
        let mut done = Done { after: self.after.take(), ..Done::default() };
        let now = clock::now();
        let ended = round((dir, &self.ground), &self.broker, (reaching, now), &mut done).await;
        drop(lock);
        self.after = done.after.take();
        let news = done.published.iter().filter(|one| one.outcome != Outcome::Unchanged);
        news.for_each(tell);
        self.reports.groups(&done.stopped, reaching);

        match ended {
            Ok(()) if went == Went::Failed => went,
            Ok(()) => self.reports.well(),
            Err(error) => self.reports.failed(&error),
        }
    }
}
