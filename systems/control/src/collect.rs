//! Audit in, verified, written durably; then a receipt out, on which the gateway may forget.
//!
//! A receipt is signed only for records that are on disk here without a gap. Whatever else comes is
//! an event: the broker is not trusted, and a gateway may have been broken into.

mod held;
mod late;
mod stick;
mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};

use gateward_agent::link::{self, Event, Fate, Handle, Link, LinkConfig};
use gateward_agent::upload::batch::Batch;
use gateward_agent::upload::stick::{self as stick_file, BadStick};
use gateward_core::name::Uuid;
use gateward_core::topic::{GatewayTopic, GatewayTopics};
use gateward_core::trust::sign::{PrivateKey, ReceiptDraft};
use gateward_core::trust::{Role, Status};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info, warn};

use crate::broker::{self, BrokerFailed, Reach};
use crate::clock;
use crate::enroll::Enrolled;
use crate::fleet::alarm::{fell_back, two_roots};
use crate::keys::{self, Chain, NoChain};
use crate::lock::NotLocked;
use crate::policy::Unusable;
use crate::{publish, secret, whole};
use held::{Held, Trouble};
use late::Late;
pub use stick::{Carried, StickOptions};
use store::Store;

/// The largest batch that a gateway may be configured to send.
const MAX_BATCH: usize = stick_file::MAX_BATCH as usize;

/// What to collect, and where to.
#[derive(Clone, Debug)]
pub struct CollectOptions {
    /// The policy folder, with what `enroll` wrote down of each gateway.
    pub dir: PathBuf,
    /// How to reach the broker.
    pub reach: Reach,
    /// The folder to write to; one collector at a time.
    pub out: PathBuf,
}

/// Why collecting cannot begin, or go on.
#[derive(Debug, thiserror::Error)]
pub enum CollectFailed {
    /// The broker cannot be reached at all.
    #[error(transparent)]
    Broker(#[from] BrokerFailed),
    /// Lines that were receipted are gone.
    #[error(
        "`{}` has {found} bytes, and {held} were receipted; restore it, gateways have forgotten \
         what was in it", path.display()
    )]
    CutShort {
        /// The file of a gateway.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// What it was when the last receipt was signed.
        held: u64,
    },
    /// The key sets cannot be read.
    #[error(transparent)]
    Chain(#[from] NoChain),
    /// There are lines, and nothing says how many of them were receipted.
    #[error(
        "`{}` is missing, and `{}` holds records; restore it, or move the records to another folder",
        path.display(), lines.display()
    )]
    StateLost {
        /// What the collector knew of the gateway.
        path: PathBuf,
        /// The records of the gateway.
        lines: PathBuf,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Failed(#[from] whole::Failed),
    /// Somebody else collects into that folder.
    #[error(transparent)]
    NotLocked(#[from] NotLocked),
    /// The policy cannot be read.
    #[error(transparent)]
    Policy(#[from] Unusable),
    /// A secret file cannot be used.
    #[error(transparent)]
    Secret(#[from] secret::Unusable),
    /// The file of records is none.
    #[error("`{}`: {source}", path.display())]
    Stick {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: BadStick,
    },
    /// A task of it panicked, which has been printed.
    #[error("collecting broke off; start it again")]
    Panicked,
}

/// Collects the audit of every gateway of an account.
#[derive(Debug)]
pub struct Collector {
    config: LinkConfig,
    work: Work,
}

impl Collector {
    /// Reads keys and gateways, and takes the folder.
    ///
    /// # Errors
    ///
    /// A file cannot be used, or somebody else collects into the folder.
    pub fn open(options: &CollectOptions) -> Result<Self, CollectFailed> {
        let CollectOptions { dir, reach, out } = options;
        let mut config = broker::config(reach, "collect")?;
        config.max_payload = MAX_BATCH;

        Ok(Self { config, work: Work::open(dir, out)? })
    }

    /// Collects until `stop` completes. A broker that is away is waited for.
    ///
    /// # Errors
    ///
    /// The folder cannot be written to.
    pub async fn run(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), CollectFailed> {
        let Self { config, work } = self;
        let (link, events, handle) = link::connect(config);
        let (end, ended) = oneshot::channel::<()>();
        let link = tokio::spawn(until(link, stop, ended));
        let runtime = tokio::runtime::Handle::current();
        // Every record is synced, so this runs on a thread that may block.
        let working =
            tokio::task::spawn_blocking(move || runtime.block_on(work.run(events, handle)));
        let done = working.await.map_err(|_| CollectFailed::Panicked)?;
        drop(end);
        link.await.map_err(|_| CollectFailed::Panicked)?;

        done
    }
}

async fn until(link: Link, stop: impl Future<Output = ()>, ended: oneshot::Receiver<()>) {
    let either = async {
        tokio::select! {
            () = stop => {}
            // Nobody takes events any more.
            _ = ended => {}
        }
    };
    // That nobody takes events is not news to whoever stopped taking them.
    let _ = link.run(either).await;
}

/// What became of a batch.
#[derive(Debug)]
struct Kept {
    /// What is to be receipted; none where nothing is.
    held: Option<Held>,
    trouble: Option<Trouble>,
}

/// What the thread that writes owns.
#[derive(Debug)]
struct Work {
    account: Uuid,
    dir: PathBuf,
    gateways: BTreeMap<String, Enrolled>,
    /// Of the newest key set when `signers` were read.
    epoch: u32,
    late: Late,
    signers: Vec<PrivateKey>,
    store: Store,
}

impl Work {
    fn open(dir: &Path, out: &Path) -> Result<Self, CollectFailed> {
        // A mistake in the policy must not cost records.
        let account = publish::account(dir)?;
        let chain = Chain::load(dir, account)?;
        let signers = keys::signers(dir, &chain, Role::Collector)?;
        let mut gateways = BTreeMap::new();
        let mut store = Store::open(out)?;
        for enrolled in Enrolled::all(dir)? {
            // Says now what is wrong with the folder, and not when a gateway calls.
            store.held(&enrolled)?;
            gateways.insert(enrolled.gateway.clone(), enrolled);
        }
        let (dir, epoch) = (dir.to_owned(), chain.newest().epoch());

        let late = Late::new(&dir, account);

        Ok(Self { account, dir, gateways, epoch, late, signers, store })
    }

    async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        handle: Handle,
    ) -> Result<(), CollectFailed> {
        while let Some(event) = events.recv().await {
            match event {
                Event::Up { .. } => self.subscribe(&handle),
                Event::Message { topic, payload, .. } => self.hear(&topic, &payload, &handle)?,
                Event::Subscribed { filter, reason } if reason.is_refusal() => {
                    warn!(filter, %reason, "the broker refused a subscription; check its access list");
                }
                Event::Published { fate: Fate::Refused(reason), .. } => {
                    warn!(%reason, "the broker refused a receipt; check its access list");
                }
                Event::Down | Event::Published { .. } | Event::Subscribed { .. } => {}
            }
        }

        Ok(())
    }

    fn subscribe(&self, handle: &Handle) {
        let filters = [GatewayTopic::Audit, GatewayTopic::Status]
            .map(|what| GatewayTopics::of_all(self.account, what).to_string());
        let filters: Vec<_> = filters.iter().map(String::as_str).collect();
        if let Err(error) = handle.try_subscribe(&filters) {
            debug!(%error, "not subscribed; the connection is gone again");
        }
    }

    fn hear(&mut self, topic: &str, payload: &[u8], handle: &Handle) -> Result<(), CollectFailed> {
        let Some((topics, what)) = GatewayTopics::read(self.account, topic) else { return Ok(()) };
        match what {
            GatewayTopic::Audit => self.audit(topics, payload, handle),
            GatewayTopic::Status => self.status(topics.gateway(), payload),
            GatewayTopic::Receipt => Ok(()),
        }
    }

    fn audit(
        &mut self,
        topics: GatewayTopics<'_>,
        payload: &[u8],
        handle: &Handle,
    ) -> Result<(), CollectFailed> {
        let name = topics.gateway();
        let batch = match Batch::decode(payload) {
            Ok(batch) => batch,
            Err(bad) => return self.note(name, &Trouble::BadBatch(bad.to_string())),
        };
        let Some(held) = self.keep(name, &batch, payload)?.held else { return Ok(()) };
        let Some(receipt) = self.receipt(name, &held) else { return Ok(()) };
        if let Err(error) = handle.try_publish(&topics.topic(GatewayTopic::Receipt), receipt, false)
        {
            debug!(%error, "a receipt was not sent; the gateway sends its records again");
        }

        Ok(())
    }

    /// Writes down what of a batch goes on from what is held.
    fn keep(&mut self, name: &str, batch: &Batch, message: &[u8]) -> Result<Kept, CollectFailed> {
        let Some(enrolled) = self.enrolled(name, batch) else {
            self.note(name, &Trouble::Unknown)?;
            return Ok(Kept { held: None, trouble: Some(Trouble::Unknown) });
        };
        let held = self.store.held(&enrolled)?;
        let taken = held.take(batch, &enrolled, self.account);
        let is_news = taken.held.through > held.through;
        if is_news {
            // Before the records: what is kept is not looked at again.
            for late in self.late.uses(&taken.uses) {
                self.note(name, &late)?;
            }
            self.store.append(name, &taken.lines, message, taken.held.clone())?;
            info!(gateway = name, through = taken.held.through, "records are safe");
        }
        if let Some(trouble) = &taken.trouble {
            self.note(name, trouble)?;
        }
        // What was known already is receipted again: the last receipt may have been lost.
        let held = self.store.held(&enrolled)?;

        Ok(Kept { held: taken.trouble.is_none().then_some(held), trouble: taken.trouble })
    }

    /// Looks again where a gateway is unknown, or calls with another enrolment: it may be new.
    fn enrolled(&mut self, name: &str, batch: &Batch) -> Option<Enrolled> {
        let known = self.gateways.get(name);
        if known.is_none_or(|known| known.incarnation != batch.incarnation) {
            self.read_again(name);
        }

        self.gateways.get(name).cloned()
    }

    fn read_again(&mut self, name: &str) {
        if !Enrolled::path(&self.dir, name).exists() {
            return;
        }
        match Enrolled::load(&self.dir, name) {
            Ok(enrolled) => drop(self.gateways.insert(name.to_owned(), enrolled)),
            Err(error) => warn!(gateway = name, %error, "enrolment cannot be read"),
        }
    }

    /// Takes the key that a rotation brought: with the new key set, gateways refuse the old one.
    fn follow_keys(&mut self) {
        if !keys::set_path(&self.dir, self.epoch.saturating_add(1)).exists() {
            return;
        }
        let read = || {
            let chain = Chain::load(&self.dir, self.account)?;
            let signers = keys::signers(&self.dir, &chain, Role::Collector)?;
            Ok::<_, CollectFailed>((chain.newest().epoch(), signers))
        };
        match read() {
            Ok((epoch, signers)) => (self.epoch, self.signers) = (epoch, signers),
            Err(error) => warn!(%error, "receipts are signed with the old key"),
        }
    }

    /// Signs that what is held of a gateway is safe; none where no key of ours can.
    fn receipt(&mut self, name: &str, held: &Held) -> Option<Vec<u8>> {
        self.follow_keys();
        let draft = ReceiptDraft {
            account: self.account,
            gateway: self.gateways.get(name)?.id(self.account),
            incarnation: held.incarnation,
            through: held.through,
            head: held.head,
            time: clock::now(),
        };
        let signers: Vec<_> = self.signers.iter().collect();

        draft.sign(&signers).ok()
    }

    /// Keeps the status of a gateway, unless it says less than it had said; compares it with those of
    /// its group, which no gateway sees.
    fn status(&mut self, name: &str, payload: &[u8]) -> Result<(), CollectFailed> {
        let Some((group, status)) = self.said(name, payload) else {
            debug!(gateway = name, "a status is not the gateway's");
            return Ok(());
        };
        let kept = |one: &Enrolled| {
            let bytes = self.store.furthest(&one.gateway)?;
            Some((one.gateway.clone(), self.read_status(one, &bytes)?))
        };
        let before = self.gateways.get(name).and_then(kept);
        let first = before.is_none();
        let fallen = before.and_then(|(_, before)| fell_back(&before, &status));
        let near = |one: &&Enrolled| one.group == group && one.gateway != name;
        let neighbours: Vec<_> = self.gateways.values().filter(near).filter_map(kept).collect();
        let two = two_roots(&status, neighbours.iter().map(|(name, one)| (name.as_str(), one)));
        if fallen.is_none() {
            // What a gateway that is gone says may be less than what it had said since.
            if first || !status.gone {
                self.store.keep_furthest(name, payload)?;
            }
            self.store.keep_status(name, payload)?;
        }
        for alarm in [fallen, two].into_iter().flatten() {
            self.note(name, &Trouble::Alarm(alarm))?;
        }

        Ok(())
    }

    /// Returns the group of a gateway and what it says; looks again where its key does not verify
    /// that: it may have been enrolled again.
    fn said(&mut self, name: &str, payload: &[u8]) -> Option<(String, Status)> {
        let read = |work: &Self| {
            let enrolled = work.gateways.get(name)?;
            Some((enrolled.group.clone(), work.read_status(enrolled, payload)?))
        };

        read(self).or_else(|| {
            self.read_again(name);
            read(self)
        })
    }

    fn read_status(&self, enrolled: &Enrolled, bytes: &[u8]) -> Option<Status> {
        Status::verify(bytes, &enrolled.key, self.account, enrolled.id(self.account)).ok()
    }

    fn note(&mut self, name: &str, trouble: &Trouble) -> Result<(), CollectFailed> {
        if self.store.note(name, trouble, clock::now())? {
            warn!(gateway = name, event = trouble.code(), "{trouble}");
        }

        Ok(())
    }
}

/// Returns where the lines of a gateway are in a collector's folder.
#[must_use]
pub fn lines_path(out: &Path, gateway: &str) -> PathBuf {
    out.join(format!("{gateway}.jsonl"))
}

/// Returns where the batches of a gateway are in a collector's folder, as they came: of the format of
/// [`gateward_agent::upload::stick`], those of several enrolments behind one another.
#[must_use]
pub fn batches_path(out: &Path, gateway: &str) -> PathBuf {
    out.join(format!("{gateway}.batches"))
}
