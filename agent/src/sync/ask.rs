//! What the sync task asks of the link.

use tracing::debug;

use crate::link;

/// Sends through the link, and never waits: events and requests make a circle, and a circle of
/// queues that all wait can stand still. What is not sent is asked for again by the machine.
pub trait Ask: Send + 'static {
    /// Subscribes to exact names.
    fn subscribe(&self, topics: &[&str]);
    /// Unsubscribes from exact names.
    fn unsubscribe(&self, topics: &[&str]);
    /// Publishes a retained message; false where it was not sent.
    fn publish_retained(&self, topic: &str, payload: Vec<u8>) -> bool;
}

impl Ask for link::Handle {
    fn subscribe(&self, topics: &[&str]) {
        if let Err(error) = self.try_subscribe(topics) {
            debug!(%error, "not subscribed; the machine will ask again");
        }
    }

    fn unsubscribe(&self, topics: &[&str]) {
        if let Err(error) = self.try_unsubscribe(topics) {
            debug!(%error, "not unsubscribed");
        }
    }

    fn publish_retained(&self, topic: &str, payload: Vec<u8>) -> bool {
        self.try_publish(topic, payload, true)
            .inspect_err(|error| debug!(%error, "status not published"))
            .is_ok()
    }
}
