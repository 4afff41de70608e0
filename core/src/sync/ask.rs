//! What is announced: asked for at connect, and again where nothing came for too long.
//!
//! Asking again is subscribing again: the broker then sends once more what it retains.

use crate::time::Millis;
use crate::topic::GroupTopic;

/// The topics of one SUBSCRIBE or UNSUBSCRIBE; managed brokers take 8 (MEASURED).
pub type Topics = heapless::Vec<GroupTopic, 8>;

/// How long nothing may come before it is asked for again, at first.
pub(super) const FIRST_WAIT_MS: u64 = 5_000;

/// How often the first wait may double: up to 80 s.
const MAX_DOUBLINGS: u32 = 4;

/// How long the announcements may be silent on a link that is up. A broker may drop one, and nothing
/// but another look finds out.
pub(super) const QUIET_MS: u64 = 15 * 60 * 1000;

/// How long to wait: doubled each time in vain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    until: Millis,
    attempt: u32,
}

impl Patience {
    pub(super) const fn new(now: Millis) -> Self {
        Self { until: now.plus(FIRST_WAIT_MS), attempt: 0 }
    }

    pub(super) const fn ask_again(&mut self, now: Millis) {
        if self.attempt < MAX_DOUBLINGS {
            self.attempt += 1;
        }
        self.until = now.plus(FIRST_WAIT_MS << self.attempt);
    }

    pub(super) const fn rest(&mut self, now: Millis) {
        *self = Self { until: now.plus(QUIET_MS), attempt: 0 };
    }

    pub(super) const fn until(&self) -> Millis {
        self.until
    }

    pub(super) fn is_over(&self, now: Millis) -> bool {
        now >= self.until
    }
}

/// The announcements, and the walk from the key set held to the newest.
#[derive(Debug)]
pub(super) struct Control {
    keys: Asked,
    manifest: Asked,
    revoked: Optional,
    time: Optional,
    walk: Option<Walk>,
}

/// An announcement that there may be none of: it is asked for at connect and now and then, and
/// again and again only while it is known to be there.
#[derive(Debug)]
struct Optional {
    asked: Asked,
    missed: bool,
}

impl Optional {
    const fn new(now: Millis) -> Self {
        Self { asked: Asked::new(now), missed: false }
    }

    fn take(&mut self, now: Millis) -> bool {
        let taken = self.asked.take(now);
        if taken && !self.missed {
            self.asked.patience.rest(now);
        }

        taken
    }

    const fn heard(&mut self, now: Millis) {
        self.missed = false;
        self.asked.patience.rest(now);
    }

    const fn miss(&mut self, now: Millis) {
        if !self.missed {
            *self = Self { asked: Asked::new(now), missed: true };
        }
    }
}

#[derive(Debug)]
struct Asked {
    due: bool,
    patience: Patience,
}

#[derive(Debug)]
struct Walk {
    /// The epoch after the one held.
    next: u32,
    /// The newest epoch heard of.
    newest: u32,
    asked: Asked,
}

impl Asked {
    const fn new(now: Millis) -> Self {
        Self { due: true, patience: Patience::new(now) }
    }

    fn take(&mut self, now: Millis) -> bool {
        let again = self.patience.is_over(now);
        if again {
            self.patience.ask_again(now);
        }

        core::mem::take(&mut self.due) || again
    }
}

impl Control {
    pub(super) const fn new() -> Self {
        Self {
            keys: Asked::new(Millis(0)),
            manifest: Asked::new(Millis(0)),
            revoked: Optional::new(Millis(0)),
            time: Optional::new(Millis(0)),
            walk: None,
        }
    }

    pub(super) fn restart(&mut self, now: Millis) {
        self.keys = Asked::new(now);
        self.manifest = Asked::new(now);
        self.revoked = Optional::new(now);
        self.time = Optional::new(now);
        if let Some(walk) = &mut self.walk {
            walk.asked = Asked::new(now);
        }
    }

    pub(super) const fn link_down(&mut self) {
        self.keys.due = false;
        self.manifest.due = false;
        self.revoked.asked.due = false;
        self.time.asked.due = false;
    }

    /// Something accepted speaks of a revocation list that is not held.
    pub(super) const fn list_missed(&mut self, now: Millis) {
        self.revoked.miss(now);
    }

    /// Something accepted speaks of a snapshot that is not held: its manifest must be retained.
    pub(super) const fn manifest_missed(&mut self, now: Millis) {
        self.manifest = Asked::new(now);
    }

    pub(super) const fn heard(&mut self, topic: GroupTopic, now: Millis) {
        match topic {
            GroupTopic::Keys => self.keys.patience.rest(now),
            GroupTopic::Manifest => self.manifest.patience.rest(now),
            GroupTopic::Revoked => self.revoked.heard(now),
            GroupTopic::Time => self.time.heard(now),
            GroupTopic::Chunk { .. }
            | GroupTopic::Delta { .. }
            | GroupTopic::KeysOf(_)
            | GroupTopic::List { .. } => {}
        }
    }

    pub(super) fn keys_known(&mut self, epoch: u32, now: Millis) {
        self.walk = match self.walk.take() {
            Some(walk) if epoch >= walk.newest => None,
            Some(Walk { next, newest, .. }) if epoch >= next => {
                Some(Walk { next: epoch.saturating_add(1), newest, asked: Asked::new(now) })
            }
            other => other,
        };
    }

    pub(super) fn keys_held(&mut self, epoch: u32, now: Millis) {
        self.keys_known(epoch, now);
        // What was refused for want of a key set is retained, and may be good now. How far the walk
        // goes is what somebody said, so it is not waited for.
        self.manifest.due = true;
        self.revoked.asked.due = true;
        self.time.asked.due = true;
    }

    pub(super) fn keys_behind(&mut self, held: u32, epoch: u32, now: Millis) {
        if epoch <= held {
            return;
        }
        match &mut self.walk {
            Some(walk) => walk.newest = walk.newest.max(epoch),
            None => {
                let next = held.saturating_add(1);
                self.walk = Some(Walk { next, newest: epoch, asked: Asked::new(now) });
            }
        }
    }

    pub(super) fn poll(&mut self, now: Millis) -> Option<Topics> {
        let mut topics = Topics::new();
        // In this order, so that a key set arrives before what it signed.
        if self.keys.take(now) {
            let _ = topics.push(GroupTopic::Keys);
        }
        if let Some(walk) = &mut self.walk
            && walk.asked.take(now)
        {
            let _ = topics.push(GroupTopic::KeysOf(walk.next));
        }
        // What revokes comes before what is large, what confirms comes after what it confirms.
        if self.revoked.take(now) {
            let _ = topics.push(GroupTopic::Revoked);
        }
        if self.manifest.take(now) {
            let _ = topics.push(GroupTopic::Manifest);
        }
        if self.time.take(now) {
            let _ = topics.push(GroupTopic::Time);
        }

        (!topics.is_empty()).then_some(topics)
    }

    pub(super) fn timeout(&self) -> Option<Millis> {
        let due = |asked: &Asked| if asked.due { Millis(0) } else { asked.patience.until() };
        let walk = self.walk.as_ref().map(|walk| due(&walk.asked));

        let always = [&self.keys, &self.manifest, &self.revoked.asked, &self.time.asked];

        always.into_iter().map(due).chain(walk).min()
    }
}
