//! What was written, for whoever carries it away and says what need not be kept any longer.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::thread::Command;
use super::{Draft, HandedOver, NotWritten, Reader, Stamp, Status, Written};

/// The durable records of a journal.
#[derive(Clone, Debug)]
pub struct Records {
    pub(super) to: mpsc::WeakSender<Command>,
    pub(super) status: watch::Receiver<Status>,
    pub(super) folder: Arc<Path>,
}

impl Records {
    /// Reads the records from number `from` on, or from the first one after it that is still
    /// there.
    #[must_use]
    pub fn reader(&self, from: u64) -> Reader {
        Reader::new(&self.folder, from)
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

    /// Says that the collector holds every record up to `through`: they may be deleted when their
    /// space is needed. Whoever calls this has written it down first, and says the time.
    ///
    /// Returns whether there was room in the queue; where not, the next receipt says it again.
    #[must_use]
    pub fn release(&self, through: u64, at: Stamp) -> bool {
        self.to.upgrade().is_some_and(|to| to.try_send(Command::Release(through, at)).is_ok())
    }

    /// Hands over a record that nobody waits for; never waits itself.
    pub(crate) fn note(&self, draft: Draft) {
        if let Some(to) = self.to.upgrade() {
            // The log has it too.
            let _room_or_not = to.try_send(Command::Append(Box::new(draft), None));
        }
    }

    /// Writes a record and waits until it counts as written, like [`Journal::append`].
    ///
    /// # Errors
    ///
    /// Says why there is no record.
    pub(crate) async fn append(&self, draft: Draft) -> Result<Written, NotWritten> {
        let (command, handed_over) = HandedOver::of(draft);
        let to = self.to.upgrade().ok_or(NotWritten::Closed)?;
        to.send(command).await.map_err(|_| NotWritten::Closed)?;
        drop(to);

        handed_over.written().await
    }

    /// Where the journal's files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
