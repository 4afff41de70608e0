//! What the machine asks for, and what is due without it: the status, and the time that is written down.

use std::io;

use gateward_core::snapshot;
use gateward_core::sync::{Output, Settled, Topics};
use gateward_core::time::Millis;
use gateward_core::topic::Topic;
use tracing::debug;

use super::{Ask, KEEP_TIME_EVERY_MS, Notice, STATUS_EVERY_MS, Sync};
use crate::store::NotStored;

impl<A: Ask> Sync<A> {
    /// Does what the machine says until it has nothing more to say, and what is due.
    pub(super) fn act(&mut self) {
        let now = self.parts.clock.now();
        while let Some(output) = self.machine.poll(now) {
            match output {
                Output::Begin => self.begin(now),
                Output::Check => self.check(now),
                Output::Patch => self.patch(now),
                Output::Subscribe(topics) => self.named(&topics, |ask, names| ask.subscribe(names)),
                Output::Unsubscribe(topics) => {
                    self.named(&topics, |ask, names| ask.unsubscribe(names));
                }
            }
        }
        self.tell_limits();
        if self.status_at.is_some_and(|due| due <= now) {
            self.make_news(now);
            let sent = self.publish_status();
            // A busy link is tried again soon.
            self.status_at = Some(now.plus(if sent { STATUS_EVERY_MS } else { 1_000 }));
        }
        if self.keep_time_at <= now {
            self.keep_time_now(now);
        }
    }

    /// Makes the next status a newer one than all before, so that none of those can pass for it.
    ///
    /// Its time is the one at hand, which a disk that fails cannot stop. Of what is said, a power cut takes
    /// back no more than the collector expects, so it is written down no more often than a status is due.
    fn make_news(&mut self, now: Millis) {
        if self.keep_time_at <= now.plus(KEEP_TIME_EVERY_MS - STATUS_EVERY_MS) {
            self.keep_time_now(now);
        } else {
            self.bring_time_up_to_date();
        }
        self.parts.store.tell_time();
    }

    fn keep_time_now(&mut self, now: Millis) {
        self.keep_time_at = now.plus(KEEP_TIME_EVERY_MS);
        match self.keep_time() {
            Ok(()) => self.is_time_kept = true,
            Err(error) if self.is_time_kept => {
                self.is_time_kept = false;
                self.storage_failed(&error);
            }
            Err(error) => debug!(%error, "the time is still not written down"),
        }
    }

    fn begin(&mut self, now: Millis) {
        let begun = match (self.machine.target(), self.machine.list()) {
            (Some(manifest), Some(list)) => self.parts.store.begin(manifest, list),
            _ => return,
        };
        match begun {
            Ok(kept) => self.machine.begun(kept.into_iter(), now),
            Err(error) => {
                self.storage_failed(&error);
                self.machine.not_now(now);
            }
        }
    }

    /// Puts the snapshot that arrived in force, or keeps the one that is.
    fn check(&mut self, now: Millis) {
        let Some(manifest) = self.machine.target().cloned() else { return };
        self.bring_time_up_to_date();
        let trusted = self.parts.time.reader().now();
        match self.parts.store.commit(&manifest, &self.envelope, &trusted) {
            Ok(()) => {
                // What a list is owed for is told once the list is there.
                if self.parts.store.current().borrow().is_some() {
                    let (version, root) = (manifest.version(), manifest.root());
                    self.accepted(Notice::Accepted { version, root }, now);
                }
                self.machine.settled(Settled::InForce, now);
            }
            Err(NotStored::Io(error)) => {
                self.storage_failed(&error);
                self.machine.not_now(now);
            }
            Err(
                NotStored::NotBegun
                | NotStored::Refused(snapshot::Refused::Length | snapshot::Refused::Root),
            ) => {
                self.machine.settled(Settled::Damaged, now);
            }
            Err(NotStored::NotAdmitted(refused)) => {
                self.reject(refused.code(), "manifest", "manifest", &self.envelope.clone());
                self.machine.abandon();
            }
            Err(NotStored::Refused(refused)) => {
                self.reject(refused.code(), "manifest", "manifest", &self.envelope.clone());
                self.parts.store.refuse(manifest.version());
                self.machine.settled(Settled::Refused, now);
            }
        }
    }

    fn named(&self, topics: &Topics, send: impl FnOnce(&A, &[&str])) {
        let Some(group) = self.topics() else { return };
        let names: Vec<_> = topics.iter().map(|what| group.topic(*what)).collect();
        let names: Vec<&str> = names.iter().map(Topic::as_str).collect();
        send(&self.parts.ask, &names);
    }

    fn publish_status(&self) -> bool {
        let standing = &self.parts.standing;
        let (Some(topic), Some(status)) = (standing.topic(), standing.sign(false)) else {
            return true;
        };

        self.parts.ask.publish_retained(&topic, status)
    }

    pub(super) fn keep_time(&mut self) -> io::Result<()> {
        self.bring_time_up_to_date();

        self.parts.store.keep_time()
    }

    /// Whatever is accepted next is accepted into a floor that knows how late it is.
    pub(super) fn bring_time_up_to_date(&mut self) {
        self.parts.store.keep_up(&self.parts.time);
    }

    /// What was accepted moves time, and belongs into the status.
    pub(super) fn accepted(&mut self, notice: Notice, now: Millis) {
        self.parts.time.follow(self.parts.store.floor());
        self.ask_for_what_is_missing(now);
        self.status_at = self.status_at.map(|_| now);
        self.out.push(notice);
    }
}
