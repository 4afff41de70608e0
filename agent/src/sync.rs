//! Drives [`gateward_core::sync::CatchUp`] with a real link, clock and store.
//!
//! There is no protocol in this file: it waits for the next thing to happen, tells the machine, and
//! does what the machine says. It reads and writes files, so it runs on a thread that may block.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use gateward_core::name::Uuid;
use gateward_core::sync::CatchUp;
use gateward_core::time::{Millis, UnixSeconds};
use gateward_core::topic::{GroupTopic, GroupTopics};
use gateward_core::trust::{Root, Version};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tracing::{debug, warn};

use crate::clock::Clock;
use crate::link::Event;
use crate::now::Timekeeper;
use crate::store::Store;
use crate::store::disk::is_full;

mod act;
mod ask;
mod delta;
mod hear;
mod import;
mod limits;
mod news;
mod refusals;
mod status;

pub use ask::Ask;
pub use import::Import;
use limits::Limits;
use refusals::{Refusals, Unheard};
pub use status::Standing;

/// How often the signed status is published where nothing changes.
const STATUS_EVERY_MS: u64 = 5 * 60 * 1000;

/// How often the time is written down (TRUST 4).
const KEEP_TIME_EVERY_MS: u64 = 10 * 60 * 1000;

/// Something that belongs into the audit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Notice {
    /// A snapshot is in force.
    Accepted {
        /// Its version.
        version: Version,
        /// Its root.
        root: Root,
    },
    /// The snapshot in force has expired: every keyed operation is refused.
    Expired {
        /// Its version.
        version: Version,
        /// Its root.
        root: Root,
    },
    /// A key set was accepted.
    KeysAccepted {
        /// Its epoch.
        epoch: u32,
    },
    /// The link is gone.
    LinkDown,
    /// The link is up.
    LinkUp,
    /// The snapshot in force is valid for longer.
    Refreshed {
        /// Its version.
        version: Version,
    },
    /// Something that arrived was refused; it is kept as evidence.
    Rejected {
        /// A stable word for the reason.
        code: &'static str,
        /// What was refused.
        topic: String,
    },
    /// A revocation list is in force.
    Revoked {
        /// Its number.
        number: Version,
    },
    /// The snapshot in force is stale: operations marked `fresh` are refused.
    Stale {
        /// Its version.
        version: Version,
        /// Its root.
        root: Root,
    },
    /// The store could not keep what arrived (DOMAIN H11).
    StorageFailed {
        /// Whether the disk is full.
        full: bool,
    },
}

/// What the task is made of.
#[derive(Debug)]
pub struct Parts<A> {
    /// Sends through the link.
    pub ask: A,
    /// The account.
    pub account: Uuid,
    /// Reads the clock, for waiting only.
    pub clock: Clock,
    /// What the link delivers.
    pub events: mpsc::Receiver<Event>,
    /// Where everything goes that is not about snapshots; what does not fit is dropped.
    pub forward: Option<mpsc::Sender<Event>>,
    /// The group.
    pub group: String,
    /// Bundles that an operator brought.
    pub imports: mpsc::Receiver<Import>,
    /// Where to tell what belongs into the audit.
    pub notices: mpsc::Sender<Notice>,
    /// What the gateway says about itself.
    pub standing: Arc<Standing>,
    /// What is kept on disk.
    pub store: Store,
    /// Raises the time that is believed.
    pub time: Timekeeper,
}

/// Keeps the gateway's snapshot the newest.
#[derive(Debug)]
pub struct Sync<A> {
    parts: Parts<A>,
    machine: CatchUp<Vec<u8>>,
    /// The envelope of the machine's target.
    envelope: Vec<u8>,
    /// A manifest that waits for a beacon to confirm its time.
    candidate: Option<((Version, UnixSeconds), Bytes)>,
    /// The delta to the machine's target, until it is applied.
    delta: Vec<u8>,
    refusals: Refusals,
    limits: Limits,
    status_at: Option<Millis>,
    keep_time_at: Millis,
    /// The last time that was to be written down was.
    is_time_kept: bool,
    out: Vec<Notice>,
}

impl<A: Ask> Sync<A> {
    /// Prepares the task.
    #[must_use]
    pub fn new(parts: Parts<A>) -> Self {
        let keep_time_at = parts.clock.now().plus(KEEP_TIME_EVERY_MS);

        Self {
            parts,
            machine: CatchUp::new(),
            envelope: Vec::new(),
            candidate: None,
            delta: Vec::new(),
            refusals: Refusals::default(),
            limits: Limits::default(),
            status_at: None,
            keep_time_at,
            is_time_kept: true,
            out: Vec::new(),
        }
    }

    /// Runs until the link has ended, on a thread that may block.
    ///
    /// # Errors
    ///
    /// The time could not be written down at the end.
    pub async fn run(self) -> Result<(), SyncFailed> {
        let runtime = Handle::current();
        let worker = tokio::task::spawn_blocking(move || runtime.block_on(self.run_in_place()));

        worker.await.map_err(|_| SyncFailed::Panicked)?
    }

    /// Like [`Sync::run`], in the caller's task, whose thread it holds up for as long as a file takes:
    /// for thousands of gateways in one process, whose threads would keep each other from running.
    ///
    /// # Errors
    ///
    /// As [`Sync::run`].
    pub async fn run_in_place(mut self) -> Result<(), SyncFailed> {
        loop {
            let deadline = self.deadline();
            tokio::select! {
                event = self.parts.events.recv() => match event {
                    Some(event) => self.tell(event),
                    None => break,
                },
                Some(import) = self.parts.imports.recv() => self.import(import),
                () = self.parts.clock.reach(Some(deadline)) => {}
            }
            self.act();
            for notice in core::mem::take(&mut self.out) {
                // The journal never waits for this task, so it may wait for the journal.
                if self.parts.notices.send(notice).await.is_err() {
                    debug!("nobody takes notices any more");
                }
            }
        }

        self.keep_time().map_err(SyncFailed::KeepTime)
    }

    fn deadline(&self) -> Millis {
        let machine = self.machine.timeout();
        let due = [machine, self.status_at, self.limit_due()];

        due.into_iter().flatten().fold(self.keep_time_at, Millis::min)
    }

    /// Returns when the next limit of the snapshot in force passes, if the clock is not set until
    /// then.
    fn limit_due(&self) -> Option<Millis> {
        let current = self.parts.store.current().borrow().clone()?;
        let left = self.limits.next(&current)?.since(self.parts.time.now().at);

        Some(self.parts.clock.now().plus(left.saturating_mul(1_000)))
    }

    fn tell_limits(&mut self) {
        let Some(current) = self.parts.store.current().borrow().clone() else { return };
        self.out.extend(self.limits.passed(&current, self.parts.time.now().at));
    }

    fn tell(&mut self, event: Event) {
        let now = self.parts.clock.now();
        match event {
            Event::Up { .. } => {
                self.machine.link_up(now);
                self.ask_for_what_is_missing(now);
                self.status_at = Some(now);
                self.out.push(Notice::LinkUp);
                self.pass_on(event);
            }
            Event::Down => {
                self.machine.link_down();
                self.status_at = None;
                self.out.push(Notice::LinkDown);
                self.pass_on(event);
            }
            Event::Message { ref topic, ref payload, .. } => {
                match self.topics().and_then(|topics| topics.read(topic)) {
                    Some(what) => {
                        let (topic, payload) = (topic.clone(), payload.clone());
                        self.hear(what, &topic, &payload, now);
                    }
                    None => self.pass_on(event),
                }
            }
            Event::Subscribed { ref filter, reason } => {
                if reason.is_refusal() {
                    warn!(filter, %reason, "the broker refused a subscription; check its access list");
                }
            }
            Event::Published { .. } => self.pass_on(event),
        }
    }

    fn pass_on(&self, event: Event) {
        if let Some(forward) = &self.parts.forward
            && forward.try_send(event).is_err()
        {
            debug!("dropped an event that nobody took in time");
        }
    }

    fn hear(&mut self, what: GroupTopic, topic: &str, payload: &Bytes, now: Millis) {
        self.machine.heard(what, now);
        self.bring_time_up_to_date();
        let heard = match what {
            GroupTopic::Keys | GroupTopic::KeysOf(_) => self.hear_keys(payload, now),
            GroupTopic::Manifest => self.hear_manifest(payload, now),
            GroupTopic::List { root, piece } => {
                self.machine.piece(root, piece, payload, now).map_err(Unheard::from)
            }
            GroupTopic::Chunk { root, index } => self.hear_chunk(root, index, payload, now),
            GroupTopic::Delta { from } => self.hear_delta(from, payload, now),
            GroupTopic::Revoked => self.hear_revoked(payload, now),
            GroupTopic::Time => self.hear_beacon(payload, now),
        };
        if what == GroupTopic::Revoked {
            // Whatever it was, a list that is missing is asked for again.
            self.ask_for_what_is_missing(now);
        }
        match heard {
            Ok(()) => {}
            Err(Unheard::Useless) => debug!(topic, "of no use"),
            Err(Unheard::Refused(code)) => self.reject(code, place(what), topic, payload),
            Err(Unheard::Storage(error)) => self.storage_failed(&error),
        }
    }

    fn reject(&mut self, code: &'static str, place: &'static str, topic: &str, payload: &[u8]) {
        if !self.refusals.is_news(code, place, payload, self.parts.clock.now()) {
            debug!(code, topic, "refused, like others before");
            return;
        }
        warn!(code, topic, "refused");
        self.parts.store.keep_evidence(code, payload);
        self.out.push(Notice::Rejected { code, topic: topic.to_owned() });
    }

    fn storage_failed(&mut self, error: &io::Error) {
        let full = is_full(error);
        warn!(%error, full, "cannot keep what arrived; what is in force stays");
        self.out.push(Notice::StorageFailed { full });
    }

    fn topics(&self) -> Option<GroupTopics<'_>> {
        GroupTopics::new(self.parts.account, &self.parts.group)
    }
}

/// Returns what kind of message a topic has.
const fn place(topic: GroupTopic) -> &'static str {
    match topic {
        GroupTopic::Chunk { .. } => "chunk",
        GroupTopic::Delta { .. } => "delta",
        GroupTopic::Keys | GroupTopic::KeysOf(_) => "keys",
        GroupTopic::List { .. } => "list",
        GroupTopic::Manifest => "manifest",
        GroupTopic::Revoked => "revoked",
        GroupTopic::Time => "time",
    }
}

/// Why the sync task ended badly.
#[derive(Debug, thiserror::Error)]
pub enum SyncFailed {
    /// The time could not be written down at stop.
    #[error(
        "cannot write down the time at stop; after a restart it may be up to 10 minutes behind"
    )]
    KeepTime(#[source] io::Error),
    /// It has a bug.
    #[error("the sync task panicked")]
    Panicked,
}

#[cfg(test)]
mod tests;
