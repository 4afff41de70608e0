//! One gateway and one broker, in simulated time: nothing is delivered, lost or waited for unless a
//! test says so.

use std::collections::BTreeMap;
use std::string::String;

use super::gateway::{Gateway, Published, Request};
use super::*;

pub(super) type Message = (GroupTopic, Vec<u8>);

pub(super) struct World {
    pub(super) gateway: Gateway,
    pub(super) chunks: usize,
    pub(super) published: Published,
    pub(super) online: bool,
    /// The next requests do not reach the broker: the connection breaks first.
    pub(super) unheard: bool,
    pub(super) retained: BTreeMap<String, Message>,
    pub(super) subscribed: Vec<GroupTopic>,
    pub(super) on_the_way: Vec<Message>,
}

impl World {
    pub(super) fn new(chunks: usize) -> Self {
        let mut world = Self {
            gateway: Gateway::new(),
            chunks,
            published: Published::new(),
            online: false,
            unheard: false,
            retained: BTreeMap::new(),
            subscribed: Vec::new(),
            on_the_way: Vec::new(),
        };
        world.publish();
        world
    }

    pub(super) fn newest(&self) -> u64 {
        *self.published.keys().next_back().unwrap()
    }

    pub(super) fn publish(&mut self) {
        let version = self.published.keys().next_back().map_or(1, |newest| newest + 1);
        let len = self.chunks * CHUNK - usize::try_from(version).unwrap();
        self.published.insert(version, Snapshot::new(version, len));
        self.retain(version);
    }

    /// The broker takes what a publish of `version` sends, the manifest last, and hands it on.
    pub(super) fn retain(&mut self, version: u64) {
        for (what, payload) in self.set_of(version) {
            if self.subscribed.contains(&what) {
                self.on_the_way.push((what, payload.clone()));
            }
            self.retained.insert(std::format!("{what}"), (what, payload));
        }
    }

    /// Everything that is retained of a version.
    fn set_of(&self, version: u64) -> Vec<Message> {
        let snapshot = &self.published[&version];
        let root = snapshot.root();
        let chunks = (0..).zip(snapshot.file.chunks(CHUNK));
        let chunks = chunks.map(|(index, bytes)| (GroupTopic::Chunk { root, index }, bytes));
        let pieces = snapshot.pieces();
        let pieces = pieces.map(|(piece, bytes)| (GroupTopic::List { root, piece }, bytes));
        let mut set: Vec<Message> =
            pieces.chain(chunks).map(|(what, bytes)| (what, bytes.to_vec())).collect();
        set.push((GroupTopic::Keys, b"the key set that is held".to_vec()));
        // The machine is handed the manifest itself; only its version travels here.
        let mut message = version.to_le_bytes().to_vec();
        if version.is_multiple_of(2) {
            message.extend(snapshot.delta());
        } else {
            set.push((GroupTopic::Delta { from: version - 1 }, snapshot.delta()));
        }
        set.push((GroupTopic::Manifest, message));

        set
    }

    /// The gateway meets a broker that has nothing but the set of `version`.
    pub(super) fn becomes(&mut self, version: u64) {
        self.retained.clear();
        for (what, payload) in self.set_of(version) {
            self.retained.insert(std::format!("{what}"), (what, payload));
        }
    }

    pub(super) fn choose(&mut self, pick: usize) -> Option<&mut Message> {
        let len = self.on_the_way.len();
        self.on_the_way.get_mut(pick % len.max(1))
    }

    pub(super) fn lose(&mut self, pick: usize) -> Option<Message> {
        let len = self.on_the_way.len();
        (len > 0).then(|| self.on_the_way.remove(pick % len))
    }

    /// The connection breaks; the broker keeps no session.
    pub(super) fn cut(&mut self) {
        self.online = false;
        self.subscribed.clear();
        self.on_the_way.clear();
        self.gateway.machine.link_down();
    }

    pub(super) fn connect(&mut self) {
        if !self.online {
            self.online = true;
            self.gateway.machine.link_up(self.gateway.now);
        }
    }

    pub(super) fn wait(&mut self) {
        if let Some(until) = self.gateway.machine.timeout() {
            self.gateway.now = self.gateway.now.max(until);
        }
    }

    pub(super) fn deliver(&mut self, (what, payload): &Message) {
        self.gateway.hear(*what, payload, &self.published);
    }

    pub(super) fn act(&mut self) {
        let requests = self.gateway.act(&self.published);
        if core::mem::take(&mut self.unheard) && !requests.is_empty() {
            return self.cut();
        }
        for request in requests {
            match request {
                Request::Subscribe(topics) => self.subscribe(&topics),
                Request::Unsubscribe(topics) => {
                    self.subscribed.retain(|what| !topics.contains(what));
                }
            }
        }
    }

    fn subscribe(&mut self, topics: &Topics) {
        assert!(self.online);
        for what in topics {
            if !self.subscribed.contains(what) {
                self.subscribed.push(*what);
            }
            self.on_the_way.extend(self.retained.get(&std::format!("{what}")).cloned());
        }
        let open = self.subscribed.iter().filter(|what| !is_control(**what)).count();
        assert!(open <= WINDOW, "{open} subscriptions at a time");
    }
}

pub(super) fn is_control(what: GroupTopic) -> bool {
    !matches!(what, GroupTopic::Chunk { .. } | GroupTopic::Delta { .. } | GroupTopic::List { .. })
}
