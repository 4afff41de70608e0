//! What is subscribed piece by piece, and when it is asked for again.
//!
//! Each topic is waited for by itself, so that one that is lost holds up nobody and what is merely late
//! is not asked for twice. On a slow link answers come one behind the other: as long as something
//! comes that was asked for no later, a topic is not late.

use super::ask::Topics;
use super::pace::Pace;
use crate::time::Millis;
use crate::topic::GroupTopic;

/// How many chunks and pieces are subscribed at a time, so that no broker's queue overflows.
pub const WINDOW: usize = 16;

/// How long an answer is waited for whatever else comes: on the slowest link that is provided for, a
/// whole window takes less. Who sends junk without end holds nothing up for longer.
const LONGEST_MS: u64 = 60 * 60 * 1000;

/// The pieces, chunks and deltas that are subscribed or about to be.
#[derive(Debug)]
pub(super) struct Window {
    slots: heapless::Vec<Slot, WINDOW>,
    pace: Pace,
    /// When anything came that was waited for.
    heard: Millis,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    topic: GroupTopic,
    state: State,
    /// When it was asked for last.
    asked: Millis,
    /// Since when nothing stands before it.
    since: Millis,
    /// How often it was asked for in vain.
    vain: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Subscribed in vain; to be subscribed again.
    Again,
    /// To be subscribed.
    Due,
    /// Subscribed; nothing has come yet.
    Waiting,
    /// To be unsubscribed.
    Done,
}

impl Window {
    pub(super) const fn new() -> Self {
        Self { slots: heapless::Vec::new(), pace: Pace::new(), heard: Millis(0) }
    }

    /// The broker knows of no subscription any more, and may be another one.
    pub(super) fn forget(&mut self) {
        *self = Self::new();
    }

    /// Nothing of what was asked for is of use any more.
    pub(super) fn leave_all(&mut self) {
        self.slots.retain(|slot| slot.state != State::Due);
        self.slots.iter_mut().for_each(|slot| slot.state = State::Done);
    }

    /// Takes `topic` up; false where there is no room.
    pub(super) fn want(&mut self, topic: GroupTopic) -> bool {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.topic == topic) {
            if slot.state == State::Done {
                slot.state = State::Again;
            }
            return true;
        }
        let never = Millis(0);
        let slot = Slot { topic, state: State::Due, asked: never, since: never, vain: 0 };

        self.slots.push(slot).is_ok()
    }

    pub(super) fn arrived(&mut self, topic: GroupTopic, now: Millis) {
        // What was not subscribed yet need not be.
        self.slots.retain(|slot| slot.topic != topic || slot.state != State::Due);
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.topic == topic) else { return };
        let Slot { asked, vain, .. } = *slot;
        slot.state = State::Done;
        if vain == 0 {
            self.pace.took(now.since(asked));
        }
        self.heard = now;
        for behind in self.slots.iter_mut().filter(|slot| slot.asked >= asked) {
            behind.since = now;
        }
    }

    /// Something came that was asked for before everything that is waited for.
    pub(super) fn passed(&mut self, now: Millis) {
        self.heard = now;
        self.slots.iter_mut().for_each(|slot| slot.since = now);
    }

    /// What came was of no use, and nothing says which of it: from now on it is waited for again.
    pub(super) fn spoilt(&mut self, now: Millis) {
        self.pace.in_vain();
        for slot in self.slots.iter_mut().filter(|slot| slot.state == State::Done) {
            slot.state = State::Waiting;
            slot.since = now;
            slot.vain = slot.vain.saturating_add(1);
        }
    }

    /// Has everything asked for again that is late.
    pub(super) fn renew(&mut self, now: Millis) {
        let wait = self.pace.wait();
        let mut late = false;
        for slot in self.slots.iter_mut().filter(|slot| slot.is_late(wait, now)) {
            slot.state = State::Again;
            slot.vain = slot.vain.saturating_add(1);
            late = true;
        }
        if late && now >= self.heard.plus(wait) {
            self.pace.in_vain();
        }
    }

    /// Whether `topic` is late, and was before.
    pub(super) fn is_late_again(&self, topic: GroupTopic, now: Millis) -> bool {
        let wait = self.pace.wait();
        let mut slots = self.slots.iter();

        slots.any(|slot| slot.topic == topic && slot.vain > 0 && slot.is_late(wait, now))
    }

    /// How long an answer is waited for.
    pub(super) const fn wait(&self) -> u64 {
        self.pace.wait()
    }

    /// When the next answer is late.
    pub(super) fn timeout(&self) -> Option<Millis> {
        let waiting = self.slots.iter().filter(|slot| slot.state == State::Waiting);

        waiting.map(|slot| slot.late_at(self.pace.wait())).min()
    }

    /// What to unsubscribe: a packet full, or the rest where nothing more is expected.
    pub(super) fn leave(&mut self) -> Option<Topics> {
        let done = self.slots.iter().filter(|slot| slot.state == State::Done).count();
        let waiting = self.slots.iter().any(|slot| slot.state == State::Waiting);
        let enough = done >= Topics::new().capacity() || (done > 0 && !waiting);
        if !enough {
            return None;
        }
        let mut topics = Topics::new();
        self.slots.retain(|slot| slot.state != State::Done || topics.push(slot.topic).is_err());

        Some(topics)
    }

    /// What to subscribe.
    pub(super) fn join(&mut self, now: Millis) -> Option<Topics> {
        let mut topics = Topics::new();
        let due = |slot: &&mut Slot| matches!(slot.state, State::Again | State::Due);
        for slot in self.slots.iter_mut().filter(due) {
            if topics.push(slot.topic).is_err() {
                break;
            }
            slot.state = State::Waiting;
            (slot.asked, slot.since) = (now, now);
        }

        (!topics.is_empty()).then_some(topics)
    }
}

impl Slot {
    fn is_late(&self, wait: u64, now: Millis) -> bool {
        self.state == State::Waiting && now >= self.late_at(wait)
    }

    fn late_at(&self, wait: u64) -> Millis {
        self.since.plus(wait).min(self.asked.plus(LONGEST_MS))
    }
}
