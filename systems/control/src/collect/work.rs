//! What the thread of a collector does with each message: verify, have it written, sign a receipt.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use gateward_agent::link::{Event, Fate, Handle};
use gateward_agent::upload::batch::Batch;
use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;
use gateward_core::topic::{GatewayTopic, GatewayTopics};
use gateward_core::trust::Role;
use gateward_core::trust::sign::{PrivateKey, ReceiptDraft};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use super::CollectFailed;
use super::folder::Folder;
use super::held::{Held, Trouble};
use super::hole::Hole;
use super::late::Late;
use super::presence::{LOOK, Presence};
use super::store::{New, Store, Stored};
use super::waiting::{TICK, Waiting};
use super::words::Words;
use crate::clock;
use crate::enroll::Enrolled;
use crate::keys::{self, Chain};
use crate::publish;

/// All is due then.
pub(super) const AT_THE_END: UnixSeconds = UnixSeconds(u64::MAX);
/// Collectors of one store share what comes under this name.
const SHARE: &str = "$share/gateward/";

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Kept {
    /// What is to be receipted; none where nothing is.
    pub(super) held: Option<Held>,
    /// Some of it was not held before: nobody else can have sent that at another time.
    pub(super) is_new: bool,
    pub(super) trouble: Option<Trouble>,
}

impl Kept {
    const NOTHING: Self = Self { held: None, is_new: false, trouble: None };

    const fn trouble(trouble: Trouble) -> Self {
        Self { trouble: Some(trouble), ..Self::NOTHING }
    }
}

/// What the thread that writes owns.
#[derive(Debug)]
pub(super) struct Work<S> {
    pub(super) account: Uuid,
    pub(super) dir: PathBuf,
    pub(super) gateways: BTreeMap<String, Enrolled>,
    /// Of the newest key set when `signers` were read.
    epoch: u32,
    late: Late,
    signers: Vec<PrivateKey>,
    pub(super) store: S,
    waiting: Waiting,
    pub(super) presence: Presence,
    pub(super) words: Words,
}

impl Work<Folder> {
    /// Says what is wrong with the folder.
    pub(super) fn check(&mut self) -> Result<(), CollectFailed> {
        for enrolled in self.gateways.values() {
            self.store.holds(enrolled)?;
        }

        Ok(())
    }
}

impl<S: Store> Work<S> {
    pub(super) fn open(
        dir: &Path,
        store: S,
        silent_after: Duration,
    ) -> Result<Self, CollectFailed> {
        // A mistake in the policy must not cost records.
        let account = publish::account(dir)?;
        let chain = Chain::load(dir, account)?;
        let signers = keys::signers(dir, &chain, Role::Collector)?;
        let all = Enrolled::all(dir)?;
        let gateways = all.into_iter().map(|one| (one.gateway.clone(), one)).collect();
        let (dir, epoch) = (dir.to_owned(), chain.newest().epoch());
        let late = Late::new(&dir, account);
        let presence = Presence::new(silent_after, clock::now());
        let (waiting, words) = (Waiting::default(), Words::default());

        Ok(Self { account, dir, gateways, epoch, late, signers, store, waiting, presence, words })
    }

    pub(super) async fn begin(&mut self) -> Result<(), CollectFailed> {
        self.store.begin().await
    }

    pub(super) async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        handle: Handle,
    ) -> Result<(), CollectFailed> {
        let (mut tick, mut look) = (interval(TICK), interval(LOOK));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.handle(event, &handle).await?,
                    None => {
                        self.store.keep_marks(AT_THE_END);
                        return Ok(());
                    }
                },
                _ = tick.tick(), if !self.waiting.is_empty() => {
                    for name in self.waiting.gateways() {
                        self.take_waiting(&name, &handle).await?;
                    }
                }
                _ = look.tick() => self.look().await?,
            }
        }
    }

    async fn handle(&mut self, event: Event, handle: &Handle) -> Result<(), CollectFailed> {
        match event {
            Event::Up { .. } => self.subscribe(handle, S::SHARED && handle.shares()),
            Event::Message { topic, payload, retain } => {
                self.hear(&topic, &payload, retain, handle).await?;
            }
            Event::Subscribed { filter, reason } if reason.is_refusal() => {
                warn!(filter, %reason, "the broker refused a subscription; check its access list");
                if filter.starts_with(SHARE) {
                    // Each collector gets everything then, and all but one are idle.
                    self.subscribe(handle, false);
                }
            }
            Event::Published { fate: Fate::Refused(reason), .. } => {
                warn!(%reason, "the broker refused a receipt; check its access list");
            }
            Event::Down | Event::Published { .. } | Event::Subscribed { .. } => {}
        }

        Ok(())
    }

    fn subscribe(&self, handle: &Handle, shares: bool) {
        let [audit, status] = [GatewayTopic::Audit, GatewayTopic::Status]
            .map(|what| GatewayTopics::of_all(self.account, what).to_string());
        let audit = if shares { format!("{SHARE}{audit}") } else { audit };
        if let Err(error) = handle.try_subscribe(&[&audit, &status]) {
            debug!(%error, "not subscribed; the connection is gone again");
        }
    }

    async fn hear(
        &mut self,
        topic: &str,
        payload: &Bytes,
        retain: bool,
        handle: &Handle,
    ) -> Result<(), CollectFailed> {
        let Some((topics, what)) = GatewayTopics::read(self.account, topic) else { return Ok(()) };
        let name = topics.gateway();
        match what {
            GatewayTopic::Audit => self.audit(name, payload, handle).await,
            GatewayTopic::Status => self.status(name, payload, retain).await,
            GatewayTopic::Receipt => Ok(()),
        }
    }

    async fn audit(
        &mut self,
        name: &str,
        payload: &Bytes,
        handle: &Handle,
    ) -> Result<(), CollectFailed> {
        if self.take(name, payload, handle).await? && !self.waiting.is_empty() {
            self.take_waiting(name, handle).await?;
        }

        Ok(())
    }

    /// Takes a batch that came; returns whether all is well with it.
    pub(super) async fn take(
        &mut self,
        name: &str,
        payload: &Bytes,
        handle: &Handle,
    ) -> Result<bool, CollectFailed> {
        let batch = match Batch::decode(payload) {
            Ok(batch) => batch,
            Err(bad) => {
                self.note(name, &Trouble::BadBatch(bad.to_string())).await?;
                return Ok(false);
            }
        };
        let Kept { held, is_new, trouble } = self.keep(name, &batch, payload).await?;
        if let Some(trouble) = &trouble {
            let is_gap = matches!(trouble, Trouble::Gap { .. });
            if S::SHARED && is_gap {
                self.waiting.hold(name, payload.clone(), batch.first);
            }
            if !S::SHARED || !is_gap || self.waiting.is_lasting(name, trouble, clock::now()) {
                self.note(name, trouble).await?;
            }
        }
        let Some(held) = held else { return Ok(false) };
        self.waiting.closed(name);
        if is_new {
            self.is_there(name).await?;
        }
        self.send_receipt(name, &held, handle);

        Ok(true)
    }

    /// Takes what has waited for its predecessor.
    async fn take_waiting(&mut self, name: &str, handle: &Handle) -> Result<(), CollectFailed> {
        let through = self.through(name).await?;
        for early in self.waiting.ready(name, through) {
            self.take(name, &early.message, handle).await?;
        }

        Ok(())
    }

    fn send_receipt(&mut self, name: &str, held: &Held, handle: &Handle) {
        let Some(topics) = GatewayTopics::new(self.account, name) else { return };
        let Some(receipt) = self.receipt(name, held) else { return };
        if let Err(error) = handle.try_publish(&topics.topic(GatewayTopic::Receipt), receipt, false)
        {
            debug!(%error, "a receipt was not sent; the gateway sends its records again");
        }
    }

    /// Writes down a batch that goes on from what is held.
    pub(super) async fn keep(
        &mut self,
        name: &str,
        batch: &Batch,
        message: &[u8],
    ) -> Result<Kept, CollectFailed> {
        let Some(enrolled) = self.enrolled(name, batch) else {
            return Ok(Kept::trouble(Trouble::Unknown));
        };
        match self.go_on(&enrolled, batch, message).await {
            // The other gateways have nothing to do with it.
            Err(failed) if failed.is_altered() => Ok(Kept::trouble(Trouble::Altered)),
            kept => kept,
        }
    }

    async fn go_on(
        &mut self,
        enrolled: &Enrolled,
        batch: &Batch,
        message: &[u8],
    ) -> Result<Kept, CollectFailed> {
        loop {
            let before = self.store.held(enrolled).await?;
            let next = before.through.saturating_add(1);
            let owned =
                if batch.first > next { self.store.owned(enrolled, next).await? } else { None };
            let taken = before.take::<S::Rows>(batch, enrolled, self.account, owned);
            if let Some(hole) = taken.told {
                // What is behind the hole comes next.
                self.store.own_up(enrolled, hole, message).await?;
                return Ok(Kept::NOTHING);
            }
            if let Some(trouble) = taken.trouble {
                return Ok(Kept::trouble(trouble));
            }
            if taken.held.through == before.through {
                return self.known(enrolled, batch, &taken.head, before).await;
            }
            let mut late = self.late.uses(&taken.uses);
            late.extend(taken.lost.map(|Hole { first, last }| Trouble::Lost { first, last }));
            let (before, taken) = (&before, &taken);
            let (late, now) = (late.as_slice(), clock::now());
            let new = New { enrolled, before, taken, batch, message, late, now };
            if self.store.append(&new).await? == Stored::Safe {
                let name = &enrolled.gateway;
                for trouble in late {
                    warn!(gateway = name, event = trouble.code(), "{trouble}");
                }
                info!(gateway = name, through = taken.held.through, "records are safe");
                return Ok(Kept { held: Some(taken.held.clone()), is_new: true, trouble: None });
            }
        }
    }

    /// What was known already is receipted again, for the last receipt may have been lost; unless it
    /// has become something else since.
    async fn known(
        &mut self,
        enrolled: &Enrolled,
        batch: &Batch,
        head: &gateward_core::audit::Head,
        held: Held,
    ) -> Result<Kept, CollectFailed> {
        let known = self.store.head_at(enrolled, batch.last()).await?;
        if known.is_some_and(|known| known != *head) {
            return Ok(Kept::trouble(Trouble::Restored(batch.last())));
        }

        Ok(Kept { held: Some(held), is_new: false, trouble: None })
    }

    /// The last record that is held of a gateway in its newest enrolment.
    pub(super) async fn through(&mut self, name: &str) -> Result<u64, CollectFailed> {
        let Some(enrolled) = self.gateways.get(name).cloned() else { return Ok(0) };

        match self.store.held(&enrolled).await {
            Ok(held) => Ok(held.through),
            // Which is told when it sends something.
            Err(failed) if failed.is_altered() => Ok(0),
            Err(failed) => Err(failed),
        }
    }

    /// Looks again where a gateway is unknown, or calls with another enrolment: it may be new.
    fn enrolled(&mut self, name: &str, batch: &Batch) -> Option<Enrolled> {
        let known = self.gateways.get(name);
        if known.is_none_or(|known| known.incarnation != batch.incarnation) {
            self.read_again(name);
        }

        self.gateways.get(name).cloned()
    }

    pub(super) fn read_again(&mut self, name: &str) {
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
    pub(super) fn receipt(&mut self, name: &str, held: &Held) -> Option<Vec<u8>> {
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

    pub(super) async fn note(
        &mut self,
        name: &str,
        trouble: &Trouble,
    ) -> Result<(), CollectFailed> {
        if self.store.note(name, trouble, clock::now()).await? {
            warn!(gateway = name, event = trouble.code(), "{trouble}");
        }

        Ok(())
    }
}
