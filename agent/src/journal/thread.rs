//! The thread that owns the writer: takes what waits, writes it at once, and then answers.
//!
//! What asks the same within a second is counted instead of written; whoever is counted is answered
//! with the others that it came with.

use std::sync::atomic::Ordering;
use std::time::Duration;
use std::{fmt, io, mem};

use gateward_core::audit::Event;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::room::Permission;
use super::tally::Met;
use super::writer::Writer;
use super::{Draft, Durability, NotWritten, Stamp, Status, Written};
use crate::clock::monotonic;

/// The most records that share a write.
const BATCH: usize = 512;
/// How often the key file and the mark are synced, and a failed write is tried again.
const TIDY: Duration = Duration::from_secs(1);
/// How long a record waits for a signed checkpoint: a thief who has the key file can rewrite a minute
/// of a quiet gateway, and its flash bears one page for that.
const SEAL: Duration = Duration::from_secs(60);
/// For how long what asks the same is counted.
const SECOND: Duration = Duration::from_secs(1);

/// For how long others are waited for that came before: as long as a sync of the fastest flash.
const TOGETHER: Duration = Duration::from_micros(400);
/// How often it is looked whether they are there; a machine with a coarse timer looks once.
const SLICE: Duration = Duration::from_micros(50);

type Reply = oneshot::Sender<Result<Written, NotWritten>>;

/// What the thread is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    Append(Box<Draft>, Option<Reply>),
    Release(u64, Stamp),
    DropWhile(Permission),
    WhenKept(Kept),
}

/// What to do once a later key than the first is on disk.
pub(crate) struct Kept(pub(crate) Box<dyn FnOnce() + Send>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl Command {
    const fn is_waited_for(&self) -> bool {
        matches!(self, Self::Append(_, Some(_)))
    }
}

/// The status that others see; whatever ends the thread, a panic too, leaves it refusing.
struct Shown(watch::Sender<Status>);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.send_modify(|status| status.failing = true);
    }
}

/// Serves until every [`super::Journal`] is gone, then leaves everything on disk.
///
/// # Errors
///
/// Something is not on disk.
pub(crate) async fn run(
    mut writer: Writer,
    mut from: mpsc::Receiver<Command>,
    show: watch::Sender<Status>,
) -> io::Result<()> {
    let show = Shown(show);
    let every = match writer.options.sync {
        Durability::Group => TIDY,
        Durability::Interval(every) => every.max(Duration::from_millis(1)),
    };
    let mut flush = tokio::time::interval(every);
    let mut tidy = tokio::time::interval(TIDY);
    let mut second = tokio::time::interval(SECOND);
    let mut seal = tokio::time::interval(SEAL);
    for interval in [&mut flush, &mut tidy, &mut second, &mut seal] {
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let mut commands = Vec::with_capacity(BATCH);
    let (mut crowd, mut untidy) = (Crowd::default(), true);
    loop {
        let was_open = writer.tally.is_open();
        let mut answers = Vec::new();
        tokio::select! {
            biased;
            _ = flush.tick(), if !writer.unsynced.is_empty() && !writer.failing => writer.flush(),
            _ = tidy.tick(), if untidy || writer.options.drop_oldest => untidy = !writer.tidy(),
            _ = second.tick(), if was_open => {
                writer.end_second();
                writer.count_missed();
                untidy = true;
            }
            _ = seal.tick(), if writer.is_unsigned() => {
                if writer.checkpoints.minute() {
                    writer.sign();
                    untidy = true;
                }
            }
            count = from.recv_many(&mut commands, BATCH) => {
                if count == 0 {
                    break;
                }
                // Without a sync to share, a wait would only be one.
                if writer.options.sync == Durability::Group {
                    let until = monotonic() + TOGETHER;
                    crowd.gather(&mut from, &mut commands, || {
                        std::thread::sleep(SLICE);
                        monotonic() < until
                    });
                }
                answers = writer.serve(commands.drain(..));
                untidy = true;
            }
        }
        if !was_open {
            second.reset();
        }
        // The status goes first: whoever has an answer can read its record.
        show.0.send_if_modified(|shown| {
            let status = writer.status();
            let changed = *shown != status;
            *shown = status;
            changed
        });
        for (reply, answer) in answers {
            // A caller that went away has its record all the same.
            let _unheard = reply.send(answer);
        }
    }

    writer.last_words()
}

/// How many ask at once, by who waited for the last two writes.
///
/// Callers who got their answers together ask again one after the other. Without this the first of
/// them has a write and a sync of its own, and wakes this thread for it, while all others wait.
#[derive(Debug, Default)]
struct Crowd([usize; 2]);

impl Crowd {
    /// Waits a moment for half of those who came in the last two writes: while these are written and
    /// synced, the others are answered and ask again.
    ///
    /// `pause` returns whether there is time for another.
    fn gather(
        &mut self,
        from: &mut mpsc::Receiver<Command>,
        commands: &mut Vec<Command>,
        mut pause: impl FnMut() -> bool,
    ) {
        let [before, last] = self.0;
        let expected = ((before + last) / 2).min(BATCH);
        let mut has_time = true;
        let callers = loop {
            // Those who hand over wake nobody meanwhile.
            while commands.len() < BATCH {
                let Ok(command) = from.try_recv() else { break };
                commands.push(command);
            }
            let callers = commands.iter().filter(|command| command.is_waited_for()).count();
            if callers == 0 || callers >= expected || commands.len() >= BATCH || !has_time {
                break callers;
            }
            has_time = pause();
        };
        // What nobody waits for says nothing about how many ask.
        if callers > 0 {
            self.0 = [last, callers];
        }
    }
}

impl Writer {
    /// Writes what is asked for and says what to answer.
    pub(crate) fn serve(
        &mut self,
        commands: impl Iterator<Item = Command>,
    ) -> Vec<(Reply, Result<Written, NotWritten>)> {
        let (mut drafts, mut callers) = (Vec::new(), Vec::new());
        for command in commands {
            match command {
                Command::Append(mut draft, reply) => {
                    let met = self.meet(&mut draft, reply.is_some());
                    match met {
                        Met::Alone | Met::First(_) => drafts.push(draft),
                        Met::Counted(place) => self.tally.count(place, *draft),
                    }
                    callers.push((met, reply));
                }
                Command::Release(through, at) => {
                    self.released = self.released.max(through.min(self.durable.0.seq));
                    (self.is_told, self.last) = (true, at);
                }
                Command::DropWhile(permission) => self.permission = Some(permission),
                Command::WhenKept(kept) => self.kept = Some(kept),
            }
        }
        let results = self.commit(drafts.iter().map(|draft| &**draft));
        self.tell();

        self.answers(callers, results)
    }

    /// A journal that fails counts nothing: each request tries it and is refused.
    fn meet(&mut self, draft: &mut Draft, somebody_waits: bool) -> Met {
        if self.failing { Met::Alone } else { self.tally.meet(draft, somebody_waits) }
    }

    /// Tells each caller of its own record, or of the one that it is counted with.
    fn answers(
        &mut self,
        callers: Vec<(Met, Option<Reply>)>,
        results: Vec<Result<Written, NotWritten>>,
    ) -> Vec<(Reply, Result<Written, NotWritten>)> {
        let mut results = results.into_iter();
        let mut own = || results.next().unwrap_or(Err(NotWritten::Failed));
        let mut answers = Vec::with_capacity(callers.len());
        for (met, reply) in callers {
            let result = match met {
                Met::Alone => own(),
                Met::First(place) => {
                    self.tally.began(place, own());
                    self.tally.first(place)
                }
                Met::Counted(place) => self.counted(place),
            };
            answers.extend(reply.map(|reply| (reply, result)));
        }
        self.tally.forget_unwritten();

        answers
    }

    /// What is counted with a record that could not be written is refused like that.
    fn counted(&mut self, place: usize) -> Result<Written, NotWritten> {
        let first = self.tally.first(place);
        let goes_out = first == Err(NotWritten::NoSpace) && self.tally.needs_no_room(place);
        if matches!(first, Err(NotWritten::Failed | NotWritten::NoSpace)) && !goes_out {
            self.refused = self.refused.saturating_add(1);
        }

        first
    }

    /// Writes down what was counted; what there is no room for is counted on.
    pub(crate) fn end_second(&mut self) {
        let (sums, refused) = (self.tally.end(), self.refused);
        let results = self.commit(sums.iter().map(|sum| &sum.draft));
        if self.failing {
            self.refused = refused;
        }
        for (sum, result) in sums.into_iter().zip(results) {
            if result.is_err() {
                self.tally.take_back(sum);
            }
        }
    }

    /// Leaves everything on disk and signed for.
    ///
    /// # Errors
    ///
    /// The disk refuses what was written, or is still to be.
    pub(crate) fn last_words(&mut self) -> io::Result<()> {
        self.end_second();
        self.count_missed();
        self.own_up();
        // Whatever else is to be said is said before the last sync and the last checkpoint.
        self.catch_up();
        self.flush();
        self.sign();
        let is_settled = self.settle();
        if self.failing || !self.unsynced.is_empty() {
            return Err(io::Error::other(mem::take(&mut self.why)));
        }
        if !is_settled {
            return Err(io::Error::other("the key file or the mark was not synced"));
        }

        Ok(())
    }

    /// Writes down how many denials never came here, because too many were waiting.
    fn count_missed(&mut self) {
        if self.failing {
            return;
        }
        let count = self.missed.swap(0, Ordering::Relaxed);
        let event = Draft::event(
            Event::AuditFailed,
            self.last,
            "too many at once to be written one by one",
        );
        let says = Draft { count, ..event };
        if count > 0 && self.commit([says].iter()).iter().any(Result::is_err) {
            self.missed.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Says, before all is over, how many were counted that there is still no room for; an event has
    /// room where a refusal has none.
    pub(crate) fn own_up(&mut self) {
        let left = self.tally.end();
        let count = left.iter().fold(0_u32, |count, sum| count.saturating_add(sum.draft.count));
        if count > 0 {
            let event = Draft::event(Event::AuditFailed, self.last, "counted, and never written");
            self.commit([Draft { count, ..event }].iter());
        }
    }
}

#[cfg(test)]
mod tests;
