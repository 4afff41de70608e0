//! The near end of the link: puts publishes and subscriptions into a bounded queue.
//!
//! The `try_` functions never wait, so a task that also takes the link's events may call them
//! without the two ever waiting for each other.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use bytes::Bytes;
use rumqttc::{valid_filter, valid_topic};
use tokio::sync::{mpsc, oneshot, watch};

use super::flight::Reply;
use super::{Fate, Reason};

/// At most this many topics in one SUBSCRIBE, which is what the strictest hosted broker takes.
const FILTERS: usize = 8;

/// Longer topics and filters are refused; MQTT itself allows 65,535 bytes.
pub(super) const LONGEST_TOPIC: usize = 1024;

/// Bytes of a PUBLISH beside topic and payload: one of kind, at most four of length, two of the
/// topic's length, two of the identifier, one of no properties.
pub(super) const OVERHEAD: usize = 10;

/// What is asked of the connection.
#[derive(Debug)]
pub(super) enum Command {
    Publish { reply: Reply, topic: String, payload: Bytes, retain: bool },
    Subscribe(Vec<String>),
    Unsubscribe(Vec<String>),
}

/// What the broker of the present connection takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The longest packet, in bytes.
    pub(super) max_packet: usize,
    /// Whether it keeps retained messages.
    pub(super) retain: bool,
    /// Whether several subscribers can share what is published; no 3.1.1 says that.
    pub(super) shares: bool,
}

/// Sends through the link. Clones share its queue.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) limits: watch::Receiver<Option<Limits>>,
    pub(super) tokens: Arc<AtomicU64>,
    pub(super) max_payload: usize,
}

impl Handle {
    /// Publishes at QoS 1 without waiting, and returns the number under which
    /// [`Event::Published`](super::Event::Published) tells what became of it.
    ///
    /// # Errors
    ///
    /// Where nothing was queued, and so no event follows.
    pub fn try_publish(
        &self,
        topic: &str,
        payload: impl Into<Bytes>,
        retain: bool,
    ) -> Result<u64, NotSent> {
        let payload = payload.into();
        self.fits(topic, payload.len(), retain)?;
        let place = self.commands.try_reserve().map_err(|_| NotSent::Busy)?;
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        let reply = Reply::Event(token);
        place.send(Command::Publish { reply, topic: topic.to_owned(), payload, retain });

        Ok(token)
    }

    /// Publishes at QoS 1 and waits for the broker's answer.
    ///
    /// The task that takes the link's events must not call this: the link may be waiting for it.
    ///
    /// # Errors
    ///
    /// Where the broker refused, or the connection broke before it answered. In the latter case it
    /// may have taken the message all the same.
    pub async fn publish(
        &self,
        topic: &str,
        payload: impl Into<Bytes>,
        retain: bool,
    ) -> Result<Reason, NotPublished> {
        let payload = payload.into();
        self.fits(topic, payload.len(), retain)?;
        let (reply, fate) = oneshot::channel();
        let reply = Reply::Caller(reply);
        let command = Command::Publish { reply, topic: topic.to_owned(), payload, retain };
        self.commands.send(command).await.map_err(|_| NotSent::Down)?;

        match fate.await {
            Ok(Fate::Taken(reason)) => Ok(reason),
            Ok(Fate::Refused(reason)) => Err(NotPublished::Refused(reason)),
            Ok(Fate::Lost) | Err(_) => Err(NotPublished::Lost),
        }
    }

    /// Subscribes at QoS 1, without waiting;
    /// [`Event::Subscribed`](super::Event::Subscribed) tells, per filter, what became of it.
    ///
    /// The broker forgets subscriptions with the connection: repeat them on every
    /// [`Event::Up`](super::Event::Up).
    ///
    /// # Errors
    ///
    /// Where nothing was queued, not even a part.
    pub fn try_subscribe(&self, filters: &[&str]) -> Result<(), NotSent> {
        self.queue(filters, Command::Subscribe)
    }

    /// Returns whether the present broker lets several subscribers share a subscription.
    #[must_use]
    pub fn shares(&self) -> bool {
        (*self.limits.borrow()).is_some_and(|limits| limits.shares)
    }

    /// Takes subscriptions back, without waiting and without an event.
    ///
    /// # Errors
    ///
    /// Where nothing was queued, not even a part.
    pub fn try_unsubscribe(&self, filters: &[&str]) -> Result<(), NotSent> {
        self.queue(filters, Command::Unsubscribe)
    }

    /// Waits until there is a connection, or returns at once where there is one.
    ///
    /// # Errors
    ///
    /// Where the link has ended.
    pub async fn until_up(&self) -> Result<(), NotSent> {
        let mut limits = self.limits.clone();

        limits.wait_for(Option::is_some).await.map(drop).map_err(|_| NotSent::Down)
    }

    fn fits(&self, topic: &str, payload: usize, retain: bool) -> Result<(), NotSent> {
        if topic.is_empty() || !valid_topic(topic) || is_odd(topic) {
            return Err(NotSent::BadTopic(topic.chars().take(64).collect()));
        }
        let limits = (*self.limits.borrow()).ok_or(NotSent::Down)?;
        let room = limits.max_packet.saturating_sub(OVERHEAD + topic.len());
        let max = room.min(self.max_payload);
        if payload > max {
            return Err(NotSent::TooLarge { bytes: payload, max });
        }
        if retain && !limits.retain {
            return Err(NotSent::NoRetain);
        }

        Ok(())
    }

    fn queue(&self, filters: &[&str], make: fn(Vec<String>) -> Command) -> Result<(), NotSent> {
        if let Some(bad) = filters.iter().find(|filter| !valid_filter(filter) || is_odd(filter)) {
            return Err(NotSent::BadTopic(bad.chars().take(64).collect()));
        }
        if self.limits.borrow().is_none() {
            return Err(NotSent::Down);
        }
        let parts = filters.chunks(FILTERS);
        let places = self.commands.try_reserve_many(parts.len()).map_err(|_| NotSent::Busy)?;
        for (place, part) in places.zip(parts) {
            place.send(make(part.iter().map(ToString::to_string).collect()));
        }

        Ok(())
    }
}

/// MQTT 5, section 1.5.4: no NUL; control characters would only confuse a log.
fn is_odd(topic: &str) -> bool {
    topic.len() > LONGEST_TOPIC || topic.chars().any(char::is_control)
}

/// Why nothing was queued.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotSent {
    /// The topic or filter is empty, too long, or has a wildcard where none may stand.
    #[error("`{0}` is not a topic that may be used here")]
    BadTopic(String),
    /// The queue is full; try again after the next event.
    #[error("the link is busy; try again when it has answered")]
    Busy,
    /// There is no connection; try again after [`Event::Up`](super::Event::Up).
    #[error("there is no connection to the broker")]
    Down,
    /// The broker keeps no retained messages.
    #[error("the broker keeps no retained messages; use one that does")]
    NoRetain,
    /// The payload is larger than the broker, or our own configuration, allows under this topic.
    #[error(
        "{bytes} bytes of payload are more than the {max} allowed; raise the broker's packet limit \
         or `max_payload_bytes`"
    )]
    TooLarge {
        /// The payload's length.
        bytes: usize,
        /// The largest payload allowed.
        max: usize,
    },
}

/// Why a message was not published, as far as is known.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NotPublished {
    /// The connection broke before the broker answered.
    #[error("the connection broke before the broker answered; send it again")]
    Lost,
    /// Nothing was sent.
    #[error(transparent)]
    NotSent(#[from] NotSent),
    /// The broker refused.
    #[error("the broker refused it: {0}")]
    Refused(Reason),
}
