//! The thread that owns the writer: takes what waits, writes it at once, and then answers.
//!
//! What asks the same within a second is counted instead of written; whoever is counted is answered
//! with the others that it came with.

use std::time::Duration;

use gateward_core::audit::Event;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use super::room::Permission;
use super::tally::Met;
use super::writer::Writer;
use super::{Draft, Durability, NotWritten, Stamp, Status, Written};

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
const SLICE: Duration = Duration::from_micros(50);
const SLICES: usize = 8;

type Reply = oneshot::Sender<Result<Written, NotWritten>>;

/// What the thread is asked to do.
#[derive(Debug)]
pub(crate) enum Command {
    Append(Box<Draft>, Option<Reply>),
    Release(u64, Stamp),
    DropWhile(Permission),
}

/// The status that others see; whatever ends the thread, a panic too, leaves it refusing.
struct Shown(watch::Sender<Status>);

impl Drop for Shown {
    fn drop(&mut self) {
        self.0.send_modify(|status| status.failing = true);
    }
}

/// Serves until every [`super::Journal`] is gone, then leaves everything on disk.
pub(crate) async fn run(
    mut writer: Writer,
    mut from: mpsc::Receiver<Command>,
    show: watch::Sender<Status>,
) {
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
                crowd.gather(&mut from, &mut commands);
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
    writer.end_second();
    writer.own_up();
    writer.flush();
    writer.sign();
    writer.tidy();
}

/// How many ask at once, by what shared the last two writes.
///
/// Callers who got their answers together ask again one after the other. Without this the first of
/// them has a write and a sync of its own, and wakes this thread for it, while all others wait.
#[derive(Debug, Default)]
struct Crowd([usize; 2]);

impl Crowd {
    /// Waits a moment for as many as came before; where fewer come, once more at the most.
    fn gather(&mut self, from: &mut mpsc::Receiver<Command>, commands: &mut Vec<Command>) {
        let [before, last] = self.0;
        let expected = before.max(last).min(BATCH);
        for _ in 0..SLICES {
            // Those who hand over wake nobody meanwhile.
            if commands.len() + from.len() >= expected {
                break;
            }
            std::thread::sleep(SLICE);
        }
        while commands.len() < BATCH {
            let Ok(command) = from.try_recv() else { break };
            commands.push(command);
        }
        self.0 = [last, commands.len()];
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
        if matches!(first, Err(NotWritten::Failed | NotWritten::NoSpace)) {
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
mod tests {
    use super::*;

    fn waiting(count: usize) -> (mpsc::Sender<Command>, mpsc::Receiver<Command>) {
        let (to, from) = mpsc::channel(BATCH * 2);
        for _ in 0..count {
            let draft = Draft::event(Event::Start, Stamp::default(), "");
            assert!(to.try_send(Command::Append(Box::new(draft), None)).is_ok());
        }

        (to, from)
    }

    #[test]
    fn as_many_as_came_together_before_share_a_write_and_who_stays_away_is_not_waited_for_again() {
        let (_to, mut from) = waiting(BATCH + 10);
        let mut first = Vec::new();
        let mut crowd = Crowd([1, 64]);
        crowd.gather(&mut from, &mut first);
        assert_eq!((first.len(), crowd.0), (BATCH, [64, BATCH]));

        let mut rest = Vec::new();
        crowd.gather(&mut from, &mut rest);
        assert_eq!((rest.len(), crowd.0), (10, [BATCH, 10]));

        let (_to, mut nobody) = waiting(0);
        for _ in 0..2 {
            crowd.gather(&mut nobody, &mut vec![Command::Release(1, Stamp::default())]);
        }
        assert_eq!(crowd.0, [1, 1], "now one alone waits for nobody");
    }
}
