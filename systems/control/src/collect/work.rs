//! What the thread of a collector does with each message: verify, have it written, sign a receipt.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use gateward_agent::link::{Event, Fate, Handle};
use gateward_agent::upload::batch::Batch;
use gateward_core::name::Uuid;
use gateward_core::topic::{GatewayTopic, GatewayTopics};
use gateward_core::trust::sign::{PrivateKey, ReceiptDraft};
use gateward_core::trust::{Role, Status};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{debug, info, warn};

use super::CollectFailed;
use super::folder::Folder;
use super::held::{Held, Trouble};
use super::hole::Hole;
use super::late::Late;
use super::presence::{LOOK, Presence};
use super::store::{Appended, New, Store};
use super::waiting::{TICK, Waiting};
use crate::clock;
use crate::enroll::Enrolled;
use crate::fleet::alarm::{fell_back, two_roots};
use crate::keys::{self, Chain};
use crate::publish;

/// Collectors of one store share what comes under this name.
const SHARE: &str = "$share/gateward/";

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Kept {
    /// What is to be receipted; none where nothing is.
    pub(super) held: Option<Held>,
    pub(super) trouble: Option<Trouble>,
}

/// What the thread that writes owns.
#[derive(Debug)]
pub(super) struct Work<S> {
    pub(super) account: Uuid,
    dir: PathBuf,
    pub(super) gateways: BTreeMap<String, Enrolled>,
    /// Of the newest key set when `signers` were read.
    epoch: u32,
    late: Late,
    signers: Vec<PrivateKey>,
    pub(super) store: S,
    waiting: Waiting,
    presence: Presence,
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
        let waiting = Waiting::default();

        Ok(Self { account, dir, gateways, epoch, late, signers, store, waiting, presence })
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
                    None => return Ok(()),
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
        let Kept { held, trouble } = self.keep(name, &batch, payload).await?;
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
        self.is_there(name).await?;
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
            return Ok(Kept { held: None, trouble: Some(Trouble::Unknown) });
        };
        loop {
            let before = self.store.held(&enrolled).await?;
            let next = before.through.saturating_add(1);
            let owned =
                if batch.first > next { self.store.owned(&enrolled, next).await? } else { None };
            let taken = before.take::<S::Rows>(batch, &enrolled, self.account, owned);
            if let Some(hole) = taken.told {
                // What is behind the hole comes next.
                self.store.own_up(&enrolled, hole).await?;
                return Ok(Kept { held: None, trouble: None });
            }
            if let Some(trouble) = taken.trouble {
                return Ok(Kept { held: None, trouble: Some(trouble) });
            }
            if taken.held.through == before.through {
                return self.known(&enrolled, batch, &taken.head, before).await;
            }
            let mut late = self.late.uses(&taken.uses);
            late.extend(taken.lost.map(|Hole { first, last }| Trouble::Lost { first, last }));
            let (enrolled, before, taken) = (&enrolled, &before, &taken);
            let (late, now) = (late.as_slice(), clock::now());
            let new = New { enrolled, before, taken, batch, message, late, now };
            if self.store.append(&new).await? == Appended::Safe {
                for trouble in late {
                    warn!(gateway = name, event = trouble.code(), "{trouble}");
                }
                info!(gateway = name, through = taken.held.through, "records are safe");
                return Ok(Kept { held: Some(taken.held.clone()), trouble: None });
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
            return Ok(Kept { held: None, trouble: Some(Trouble::Restored(batch.last())) });
        }

        Ok(Kept { held: Some(held), trouble: None })
    }

    /// The last record that is held of a gateway in its newest enrolment.
    pub(super) async fn through(&mut self, name: &str) -> Result<u64, CollectFailed> {
        let Some(enrolled) = self.gateways.get(name).cloned() else { return Ok(0) };

        Ok(self.store.held(&enrolled).await?.through)
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

    /// Keeps the status of a gateway, unless it says less than it had said; compares it with those of
    /// its group, which no gateway sees.
    pub(super) async fn status(
        &mut self,
        name: &str,
        payload: &[u8],
        retain: bool,
    ) -> Result<(), CollectFailed> {
        let Some((group, status)) = self.said(name, payload) else {
            debug!(gateway = name, "a status is not the gateway's");
            return Ok(());
        };
        let of_group = self.gateways.values().filter(|one| one.group == group);
        let names: Vec<_> = of_group.map(|one| one.gateway.as_str()).collect();
        let kept = self.store.furthest(&names).await?;
        let read = |(name, bytes): (&String, &Vec<u8>)| {
            Some((name.clone(), self.read_status(self.gateways.get(name)?, bytes)?))
        };
        let mut kept: BTreeMap<_, _> = kept.iter().filter_map(read).collect();
        let before = kept.remove(name);
        let first = before.is_none();
        let fallen = before.and_then(|before| fell_back(&before, &status));
        let two = two_roots(&status, kept.iter().map(|(name, one)| (name.as_str(), one)));
        if fallen.is_none() {
            // What a gateway that is gone says may be less than what it had said since.
            self.store.keep_status(name, payload, first || !status.gone).await?;
        }
        for alarm in [fallen, two].into_iter().flatten() {
            self.note(name, &Trouble::Alarm(alarm)).await?;
        }
        match (status.gone, retain) {
            (true, _) => match self.presence.leave(name) {
                Some(gone) => self.note(name, &gone).await,
                None => Ok(()),
            },
            (false, false) => self.is_there(name).await,
            // Said at some time before we came.
            (false, true) => Ok(()),
        }
    }

    async fn is_there(&mut self, name: &str) -> Result<(), CollectFailed> {
        match self.presence.hear(name, clock::now()) {
            Some(back) => self.note(name, &back).await,
            None => Ok(()),
        }
    }

    /// Looks who has gone silent.
    pub(super) async fn look(&mut self) -> Result<(), CollectFailed> {
        let now = clock::now();
        let all = self.gateways.values();
        let silent = all.filter(|one| self.presence.is_silent(&one.gateway, now)).cloned();
        for one in silent.collect::<Vec<_>>() {
            if let Some(at) = self.store.wrote(&one).await? {
                self.presence.heard_elsewhere(&one.gateway, at);
            }
            if self.presence.is_silent(&one.gateway, now) {
                let silent = self.presence.miss(&one.gateway);
                self.note(&one.gateway, &silent).await?;
            }
        }
        if S::SHARED {
            self.store.name(&self.dir).await?;
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
