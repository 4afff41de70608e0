//! The audit on disk: a record is there before the answer leaves.
//!
//! One thread owns the files. It takes whatever waits, writes it at once, syncs once, and only then
//! answers each caller; so many callers share one sync and nobody is told of a record that a power
//! cut could take back. What cannot be written is refused, and then nothing is allowed
//! (ARCHITECTURE, decision 8).

mod checkpoints;
mod draft;
mod frame;
pub mod json;
mod known;
pub(crate) mod medium;
mod metered;
mod reader;
mod records;
mod recover;
mod room;
mod slots;
mod status;
mod tally;
mod thread;
mod torn;
mod verify;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gateward_core::audit::{DecisionId, Head};
use gateward_core::name::Uuid;
use gateward_core::trust::{GatewayId, Incarnation};
use tokio::sync::{mpsc, oneshot, watch};

pub use checkpoints::Signer;
pub use draft::{Draft, Stamp};
pub use frame::SegmentHead;
pub use reader::{NotRead, Piece, Reader};
pub use records::Records;
pub use recover::Recovered;
pub use status::Status;
pub use torn::torn;
pub use verify::{Broken, Verified, segment, verify, verify_signed, walk};

use crate::identity::Identity;
use medium::{Medium, Real};
use room::Permission;
use thread::Command;

/// How many records may wait for the thread; who comes after them waits to hand over.
const QUEUE: usize = 1024;

/// When a record counts as written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// When a sync after it has ended; all that wait share one.
    Group,
    /// When the kernel has it; a sync follows within this time.
    Interval(Duration),
}

/// How the journal is kept; the values are those of `[audit]` in `agent.toml`.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// When a record counts as written.
    pub sync: Durability,
    /// Bytes that all segments together may take; the last tenth is for events.
    pub max_bytes: u64,
    /// Drops the oldest segment where there is no room, instead of refusing, while
    /// [`Journal::drop_while`] permits it.
    pub drop_oldest: bool,
    /// The account that the gateway belongs to; its checkpoints name it.
    pub account: Uuid,
    /// Which start of the agent this is, counted from 1.
    pub boot: u32,
    /// The time, for what is found out while opening.
    pub now: Stamp,
}

/// What a caller is told about its record, or about the one that its own is counted with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Written {
    /// The record's number.
    pub seq: u64,
    /// What the caller may quote.
    pub decision_id: DecisionId,
}

/// Why there is no record, and so no allow of anything guarded.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotWritten {
    /// Denials, pass-through and public answers have taken their quarter of `max_bytes`; such an
    /// answer may go without a record. An allow of anything guarded is never refused for this.
    #[error(
        "the records of denials, pass-through and public answers have taken their quarter of the journal; connect the collector or raise `audit.max_bytes`"
    )]
    Bounded,
    /// The journal has been closed.
    #[error("the journal is closed")]
    Closed,
    /// The disk refused; it is tried again with every record and every second.
    #[error("the record could not be written; see the log for the disk's error")]
    Failed,
    /// There is no room on the disk, long before `max_bytes` perhaps.
    #[error("the disk is full; make room where `state_dir` is")]
    NoSpace,
    /// All records together have reached `max_bytes` and none of them is released.
    #[error("the journal is full; connect the collector or raise `audit.max_bytes`")]
    Full,
}

/// Why the journal could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: the journal cannot be opened; check the disk and that only the agent writes there", path.display())]
pub struct NotOpened {
    path: PathBuf,
    source: io::Error,
}

/// The way to the thread that owns the files; clones share it, and the last one to go closes it.
#[derive(Clone, Debug)]
pub struct Journal {
    to: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
    /// Denials that found no room in the queue.
    missed: Arc<AtomicU32>,
    folder: Arc<Path>,
}

/// A record that the journal has, and has not answered for yet.
#[derive(Debug)]
pub struct HandedOver(oneshot::Receiver<Result<Written, NotWritten>>);

impl HandedOver {
    /// What hands `draft` over, and where its answer comes.
    fn of(draft: Draft) -> (Command, Self) {
        let (reply, answer) = oneshot::channel();

        (Command::Append(Box::new(draft), Some(reply)), Self(answer))
    }

    /// Waits until the record counts as written.
    ///
    /// # Errors
    ///
    /// Says why there is no record; nothing may be allowed then.
    pub async fn written(self) -> Result<Written, NotWritten> {
        self.0.await.map_err(|_| NotWritten::Closed)?
    }
}

/// A journal that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The way to it.
    pub journal: Journal,
    /// What was found and mended; each finding is an event in the journal already.
    pub recovered: Recovered,
    /// Resolves when the last [`Journal`] is gone, with what kept something from being on disk.
    pub done: oneshot::Receiver<io::Result<()>>,
}

impl Journal {
    /// Opens the journal in `folder`, mends what a crash left, and starts its thread.
    ///
    /// Reads the last segment only, so it takes as long after a year as after a day.
    ///
    /// # Errors
    ///
    /// The folder cannot be read or written. Damaged records are no error: they are set aside.
    pub fn open(
        folder: &Path,
        gateway: GatewayId,
        identity: &Identity,
        options: Options,
    ) -> Result<Opened, NotOpened> {
        Self::open_on(Arc::new(Real), folder, gateway, identity, options)
    }

    fn open_on(
        medium: Arc<dyn Medium>,
        folder: &Path,
        gateway: GatewayId,
        identity: &Identity,
        options: Options,
    ) -> Result<Opened, NotOpened> {
        let failed = |source| NotOpened { path: folder.to_owned(), source };
        let (writer, recovered) =
            recover::recover(medium, folder, gateway, identity, options).map_err(failed)?;
        let (to, from) = mpsc::channel(QUEUE);
        let missed = Arc::clone(&writer.missed);
        let (show, status) = watch::channel(writer.status());
        let (ended, done) = oneshot::channel();
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || {
                // Whoever does not wait for the end does not want to know.
                let _unheard = ended.send(runtime.block_on(thread::run(writer, from, show)));
            })
            .map_err(failed)?;

        let journal = Self { to, status, missed, folder: folder.into() };
        Ok(Opened { journal, recovered, done })
    }

    /// A journal that is a list, and where it ends up when its last clone is gone; for a rehearsal.
    pub(crate) fn in_memory() -> (Self, impl Future<Output = Vec<Draft>>) {
        let (to, mut from) = mpsc::channel(QUEUE);
        let status = Status {
            seq: 0,
            head: Head::START,
            bytes: 0,
            written: 0,
            released: 0,
            full: false,
            failing: false,
            no_space: false,
        };
        let kept = async move {
            let mut records = Vec::new();
            while let Some(command) = from.recv().await {
                let Command::Append(draft, reply) = command else { continue };
                records.push(*draft);
                let seq = u64::try_from(records.len()).unwrap_or(u64::MAX);
                let decision_id = DecisionId::new(GatewayId([0; 16]), Incarnation([0; 8]), 1, seq);
                // Whoever does not wait does not want to know.
                let _unheard = reply.map(|reply| reply.send(Ok(Written { seq, decision_id })));
            }
            records
        };

        let (status, missed) = (watch::channel(status).1, Arc::default());
        (Self { to, status, missed, folder: Path::new("").into() }, kept)
    }

    /// Writes a record and waits until it counts as written.
    ///
    /// # Errors
    ///
    /// Says why there is no record; nothing may be allowed then.
    pub async fn append(&self, draft: Draft) -> Result<Written, NotWritten> {
        self.hand_over(draft).await?.written().await
    }

    /// Hands over a record that is waited for afterwards, so that several can share a sync; waits for
    /// room in the queue only.
    ///
    /// # Errors
    ///
    /// The journal has been closed.
    pub async fn hand_over(&self, draft: Draft) -> Result<HandedOver, NotWritten> {
        let (command, handed_over) = HandedOver::of(draft);
        self.to.send(command).await.map_err(|_| NotWritten::Closed)?;

        Ok(handed_over)
    }

    /// Hands over a record that nobody waits for; never waits itself.
    ///
    /// Returns whether there was room in the queue.
    pub fn note(&self, draft: Draft) -> bool {
        self.to.try_send(Command::Append(Box::new(draft), None)).is_ok()
    }

    /// Like [`Journal::note`], for a request that is not let through: where there is no room in the queue it
    /// is counted, and the count written down within a second of those that there was room for (DOMAIN N7).
    pub(crate) fn note_or_count(&self, draft: Draft) {
        if !self.note(draft) {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns whether the disk refuses everything, and not because it is full.
    pub(crate) fn keeps_nothing(&self) -> bool {
        let status = self.status.borrow();

        status.failing && !status.no_space
    }

    /// Completes when nobody writes any more, although somebody still could ask.
    pub(crate) async fn died(&self) {
        self.to.closed().await;
    }

    /// Lets the journal drop what nobody else holds while `permitted` says so, where
    /// [`Options::drop_oldest`] asks for it; before this is called it may not.
    ///
    /// Returns whether there was room in the queue.
    #[must_use]
    pub fn drop_while(&self, permitted: impl Fn() -> bool + Send + 'static) -> bool {
        self.to.try_send(Command::DropWhile(Permission(Box::new(permitted)))).is_ok()
    }

    /// Calls `then`, on the journal's thread, once a key is on disk that is later than the first: nobody
    /// needs that one any more.
    ///
    /// Returns whether there was room in the queue.
    #[must_use]
    pub fn when_kept(&self, then: impl FnOnce() + Send + 'static) -> bool {
        self.to.try_send(Command::WhenKept(thread::Kept(Box::new(then)))).is_ok()
    }

    /// How the journal is doing now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// How the journal is doing, whenever that changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// What was written, for whoever carries it away; it does not keep the journal open.
    #[must_use]
    pub fn records(&self) -> Records {
        Records {
            to: self.to.downgrade(),
            status: self.status.clone(),
            folder: Arc::clone(&self.folder),
        }
    }
}

#[cfg(test)]
mod tests;
