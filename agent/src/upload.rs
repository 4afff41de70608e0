//! Records out to the collector, at least once and in order; forgotten only on its receipt.
//!
//! An acknowledgement of the broker proves nothing, since it may have no subscriber. What is not
//! receipted is sent again at each connection and whenever nothing has moved for a while; the
//! journal is the queue, so nothing is held here that a crash could lose.
//!
//! What is missing from the journal is owned up to: a gap record that covers the hole goes out with
//! the first batch behind it, or before it in a batch of its own where it does not fit in there.

pub mod batch;
pub(crate) mod cursor;
mod hole;
pub(crate) mod receipt;
mod resend;
pub mod stick;

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use gateward_core::audit::Head;
use gateward_core::trust::{GatewayId, Incarnation};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Sleep, sleep, timeout};

use crate::journal::{Piece, Reader, Records, Stamp};
pub use receipt::{NotReceipted, Released};

use batch::OVERHEAD;
use hole::Hole;
use resend::Resend;

/// How long records wait for others to go with them.
const LINGER: Duration = Duration::from_millis(100);
/// The most batches that are sent and not receipted.
const WINDOW: usize = 4;

/// How long a start waits for the journal to know what is receipted.
const HANGS: Duration = Duration::from_secs(2);

/// What may be sent in a second when much has waited: some thousand records, so that a month offline
/// is sent in some ten minutes, and a site that comes back does not fill its line with it.
const A_SECOND: isize = 256 << 10;
/// What may be sent at once after a quiet time.
const AT_ONCE: isize = 1 << 20;

/// Where batches go: the gateway's audit topic.
pub trait Outlet: Send {
    /// Sends `message` without waiting; returns whether it was taken.
    fn send(&mut self, message: Vec<u8>) -> bool;
}

/// What is signed and what is believed; the keys are elsewhere.
pub trait Seal: Send {
    /// Returns the signed checkpoint that `number` is the last record and `head` the chain's head
    /// after it; empty where none can be made.
    fn checkpoint(&mut self, number: u64, head: &Head) -> Vec<u8>;

    /// Returns what a signed receipt says.
    ///
    /// # Errors
    ///
    /// Says why the receipt is not one of a collector that is believed now.
    fn receipt(&mut self, message: &[u8]) -> Result<Acknowledged, String>;

    /// Returns the time, for the events that come of receipts.
    fn now(&mut self) -> Stamp;
}

/// The collector holds every record of a gateway up to `through`, and the chain's head was `head`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Acknowledged {
    /// Whose records.
    pub gateway: GatewayId,
    /// Of which enrolment.
    pub incarnation: Incarnation,
    /// The number of the last record.
    pub through: u64,
    /// The chain's head after it.
    pub head: Head,
}

/// What is heard of the link and of operators.
#[derive(Debug)]
pub enum Heard {
    /// The broker is connected and takes messages of this many bytes.
    Up {
        /// The most bytes of a message.
        max_payload: usize,
    },
    /// The broker is not connected.
    Down,
    /// A message on the receipt topic.
    Receipt(Vec<u8>),
    /// A receipt that an operator brought.
    Brought {
        /// The signed receipt.
        message: Vec<u8>,
        /// Where to tell how far the records are receipted, or why it is refused.
        answer: oneshot::Sender<Result<Released, NotReceipted>>,
    },
}

/// Sends the records of one journal.
pub struct Upload<O, S> {
    records: Records,
    gateway: GatewayId,
    incarnation: Incarnation,
    outlet: O,
    seal: S,
    /// The most bytes of a message; 0 while there is no broker.
    max_payload: usize,
    /// How many bytes may be sent now.
    ///
    /// Below nothing where a message was longer than what was left: it is paid back.
    allowance: isize,
    /// The last record that there was when the link came up: what was written since is never held
    /// back.
    behind: u64,
    /// Receipted.
    done: u64,
    /// The last numbers of the batches that are sent and not receipted.
    sent: Vec<u64>,
    reader: Reader,
    /// The number that the next piece begins with, where nothing is missing.
    next: u64,
    /// What is missing and not receipted yet.
    holes: Vec<Hole>,
    /// Segments that cannot be read, each of which the journal has been told of.
    damaged: Vec<PathBuf>,
    /// The segment that the disk did not give back, and how often it was asked for.
    tried: Option<(PathBuf, u32)>,
    refused: receipt::Refusals,
}

impl<O, S> std::fmt::Debug for Upload<O, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("done", &self.done).finish_non_exhaustive()
    }
}

impl<O: Outlet, S: Seal> Upload<O, S> {
    /// Goes on where the last receipt that was written down ended.
    pub fn new(
        records: Records,
        gateway: GatewayId,
        incarnation: Incarnation,
        outlet: O,
        mut seal: S,
    ) -> Self {
        let done = receipt::resume(records.folder(), incarnation, records.status().seq);
        cursor::Cursor::reserve(incarnation, records.folder());
        // Where the queue is full, the next receipt says it again.
        let _said = records.release(done, seal.now());
        let reader = records.reader(done + 1);

        Self {
            records,
            gateway,
            incarnation,
            outlet,
            seal,
            max_payload: 0,
            allowance: AT_ONCE,
            behind: 0,
            done,
            sent: Vec::new(),
            reader,
            next: done + 1,
            holes: Vec::new(),
            damaged: Vec::new(),
            tried: None,
            refused: receipt::Refusals::default(),
        }
    }

    /// Completes when the journal knows what was receipted in the life before, so that the first word of this one, a
    /// signed one too, does not count it as missing; a disk that hangs is not waited for.
    pub async fn has_resumed(&self) {
        let mut status = self.records.watch();
        let known = status.wait_for(|status| status.released >= self.done);
        // Whoever asks the journal is told if it has ended, and the next receipt says it again.
        let _late = timeout(HANGS, known).await;
    }

    /// Sends until the link has no more to say, on a thread that may block: it reads, syncs and
    /// compresses, and no answer of the gate waits for that.
    ///
    /// # Errors
    ///
    /// The thread panicked.
    pub async fn run(self, heard: mpsc::Receiver<Heard>) -> Result<(), Panicked>
    where
        O: 'static,
        S: 'static,
    {
        let runtime = Handle::current();
        let worker = tokio::task::spawn_blocking(move || runtime.block_on(self.work(heard)));

        worker.await.map_err(|_| Panicked)
    }

    async fn work(mut self, mut heard: mpsc::Receiver<Heard>) {
        let mut status = self.records.watch();
        let mut open = true;
        let mut linger: Option<Pin<Box<Sleep>>> = None;
        let mut resend = Resend::default();
        let mut refill: Option<Pin<Box<Sleep>>> = None;
        loop {
            let pump;
            tokio::select! {
                message = heard.recv() => match message {
                    None => return,
                    Some(message) => {
                        let (done, was_up) = (self.done, self.max_payload > 0);
                        pump = self.hear(message);
                        if self.done != done || (!was_up && self.max_payload > 0) {
                            resend.progress();
                        }
                    }
                },
                // Looked at only where there is something to do about it: while decisions run, every
                // record changes it.
                changed = status.changed(), if open && linger.is_none() && self.has_room() => {
                    // The journal's last words go out without waiting for more.
                    (open, pump) = (changed.is_ok(), changed.is_err());
                    if open {
                        linger = Some(Box::pin(sleep(LINGER)));
                    }
                }
                () = ended(&mut linger) => pump = true,
                () = ended(&mut refill) => {
                    self.allowance = (self.allowance + A_SECOND).min(AT_ONCE);
                    pump = true;
                }
                () = resend.due() => {
                    self.rewind();
                    pump = true;
                }
            }
            if pump {
                self.pump().await;
            }
            if self.allowance < AT_ONCE && refill.is_none() {
                refill = Some(Box::pin(sleep(Duration::from_secs(1))));
            }
            resend.watch(!self.sent.is_empty());
        }
    }

    /// Takes in what the link heard; returns whether there may be something to send.
    fn hear(&mut self, heard: Heard) -> bool {
        match heard {
            Heard::Up { max_payload } => {
                self.max_payload = max_payload;
                self.behind = self.records.status().seq;
                self.rewind();
            }
            Heard::Down => {
                self.max_payload = 0;
                self.rewind();
            }
            Heard::Receipt(message) => {
                if let Err(reason) = self.receipt(&message) {
                    self.refuse(&reason);
                }
            }
            Heard::Brought { message, answer } => {
                let taken = self.receipt(&message);
                if let Err(reason) = &taken {
                    self.refuse(reason);
                }
                // Whoever asked may have gone; what was taken stays.
                let _ = answer.send(taken);
            }
        }

        true
    }

    /// Begins again after the last receipt.
    fn rewind(&mut self) {
        self.sent.clear();
        self.read_from(self.done + 1);
    }

    fn read_from(&mut self, next: u64) {
        self.next = next;
        self.reader = self.records.reader(next);
    }

    /// Whether what comes next is new, or there is some of the allowance for old records left.
    const fn may_send(&self) -> bool {
        self.allowance > 0 || self.next > self.behind
    }

    /// Whether the link is up and takes another batch before the next receipt.
    const fn has_room(&self) -> bool {
        self.max_payload > OVERHEAD && self.sent.len() < WINDOW
    }

    async fn pump(&mut self) {
        while self.has_room() && self.may_send() {
            match self.send_one().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, "audit records cannot be read for the collector");
                    // What was read and not sent would look as if it were missing.
                    self.reader = self.records.reader(self.next);
                    self.wait();
                    return;
                }
            }
        }
    }

    /// Sends the next batch; returns whether there was one and it was taken.
    async fn send_one(&mut self) -> io::Result<bool> {
        let mut limit = self.max_payload.saturating_mul(2).min(batch::MAX_RECORDS / 2);
        let Some(mut piece) = self.read(limit).await? else { return Ok(false) };
        if piece.first > self.next {
            match self.own_up(piece, limit).await? {
                Some(with_gap) => piece = with_gap,
                None => {
                    self.reader = self.records.reader(self.next);
                    return Ok(self.wait());
                }
            }
        }
        let mut message = self.seal_up(&piece)?;
        while message.len() > self.max_payload && piece.last > piece.first {
            // These compress badly: fewer of them.
            limit /= 2;
            self.reader = self.records.reader(piece.first);
            let Some(smaller) = self.read(limit).await? else {
                self.reader = self.records.reader(self.next);
                return Ok(self.wait());
            };
            piece = smaller;
            message = self.seal_up(&piece)?;
        }
        let len = message.len();
        if self.outlet.send(message) {
            if piece.first <= self.behind {
                self.allowance = self.allowance.saturating_sub_unsigned(len);
            }
            self.sent.push(piece.last);
            self.next = piece.last + 1;
            return Ok(true);
        }
        self.reader = self.records.reader(self.next);

        Ok(self.wait())
    }

    /// Where nothing is on its way that would bring a receipt, lets the timer try again.
    fn wait(&mut self) -> bool {
        if self.sent.is_empty() {
            self.sent.push(self.done);
        }

        false
    }

    fn seal_up(&mut self, piece: &Piece) -> io::Result<Vec<u8>> {
        let checkpoint = self.seal.checkpoint(piece.last, &piece.after);

        batch::encode(self.gateway, self.incarnation, piece, &checkpoint)
    }
}

/// The thread that uploads panicked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the upload of the audit panicked")]
pub struct Panicked;

/// Waits for the end of a timer, forever where there is none, and takes it away.
async fn ended(timer: &mut Option<Pin<Box<Sleep>>>) {
    match timer {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
    *timer = None;
}

#[cfg(test)]
mod tests;
