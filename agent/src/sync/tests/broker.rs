//! A broker that retains, and delivers to exact names; whatever is asked of it is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::*;

#[derive(Clone)]
pub(super) struct Broker {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<()>,
    events: mpsc::WeakSender<Event>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) retained: BTreeMap<String, Vec<u8>>,
    pub(super) subscribed: BTreeSet<String>,
    asked: Vec<String>,
    /// It takes no message of the gateway's.
    pub(super) is_busy: bool,
    /// How many it did not take.
    pub(super) refused: usize,
}

impl Broker {
    pub(super) fn new(events: mpsc::WeakSender<Event>) -> Self {
        Self { state: Arc::default(), changed: watch::Sender::new(()), events }
    }

    pub(super) fn name(what: &str) -> String {
        format!("gateward/v1/{ACCOUNT}/{GROUP}/{what}")
    }

    /// Keeps a message for whoever subscribes later.
    pub(super) fn put(&self, what: &str, payload: Vec<u8>) {
        self.state.lock().unwrap().retained.insert(Self::name(what), payload);
    }

    pub(super) fn forget(&self, what: &str) -> Vec<u8> {
        self.state.lock().unwrap().retained.remove(&Self::name(what)).unwrap()
    }

    /// Keeps a message, and delivers it to whoever subscribed before.
    pub(super) fn publish(&self, what: &str, payload: Vec<u8>) {
        self.put(what, payload.clone());
        let topic = Self::name(what);
        if self.state.lock().unwrap().subscribed.contains(&topic) {
            self.deliver(topic, payload);
        }
    }

    /// Publishes a snapshot: the manifest last.
    pub(super) fn retain(&self, snapshot: &Published) {
        self.retain_as(snapshot, snapshot.message());
    }

    /// Publishes a snapshot with any message on the topic `manifest`.
    pub(super) fn retain_as(&self, snapshot: &Published, message: Vec<u8>) {
        let root = hex(&snapshot.root());
        self.put(&format!("chunk/{root}/l0"), snapshot.hashes());
        for (index, chunk) in snapshot.file.chunks(4096).enumerate() {
            self.put(&format!("chunk/{root}/{index}"), chunk.to_vec());
        }
        self.publish("manifest", message);
    }

    pub(super) fn is_busy(&self, is_busy: bool) {
        self.state.lock().unwrap().is_busy = is_busy;
    }

    fn deliver(&self, topic: String, payload: Vec<u8>) {
        if let Some(events) = self.events.upgrade() {
            let message = Event::Message { topic, payload: payload.into(), retain: true };
            events.try_send(message).unwrap();
        }
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.state.lock().unwrap().asked.clone()
    }

    pub(super) fn subscriptions(&self) -> usize {
        self.asked().len()
    }

    pub(super) async fn until<R>(&self, seen: impl Fn(&State) -> Option<R>) -> R {
        let mut changed = self.changed.subscribe();
        let found = timeout(Duration::from_secs(10), async {
            loop {
                changed.borrow_and_update();
                if let Some(found) = seen(&self.state.lock().unwrap()) {
                    return found;
                }
                changed.changed().await.unwrap();
            }
        });
        found.await.expect("the broker saw it in time")
    }

    /// Waits until every chunk that is retained was asked for.
    pub(super) async fn wait_for_quiet(&self) {
        self.until(|state| {
            let mut chunks = state.retained.keys().filter(|topic| topic.contains("/chunk/"));
            chunks.all(|topic| state.asked.contains(topic)).then_some(())
        })
        .await;
    }
}

impl Ask for Broker {
    fn subscribe(&self, topics: &[&str]) {
        assert!(topics.len() <= 8);
        for topic in topics.iter().map(ToString::to_string) {
            let mut state = self.state.lock().unwrap();
            state.subscribed.insert(topic.clone());
            state.asked.push(topic.clone());
            let retained = state.retained.get(&topic).cloned();
            drop(state);
            if let Some(payload) = retained {
                self.deliver(topic, payload);
            }
        }
        self.changed.send_replace(());
    }

    fn unsubscribe(&self, topics: &[&str]) {
        self.state.lock().unwrap().subscribed.retain(|topic| !topics.contains(&topic.as_str()));
    }

    fn publish_retained(&self, topic: &str, payload: Vec<u8>) -> bool {
        let mut state = self.state.lock().unwrap();
        let taken = !state.is_busy;
        if taken {
            state.retained.insert(topic.to_owned(), payload);
        } else {
            state.refused += 1;
        }
        drop(state);
        self.changed.send_replace(());

        taken
    }
}
