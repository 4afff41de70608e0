//! All that the broker knows, and the faults: connections, sessions, retained messages, the count.
//!
//! Everything here happens at once, under the lock of [`Shared`], and nothing here waits. A call
//! that may end connections collects their wills and ends with [`Hub::settle`], which sends them,
//! cuts if the count says so, and tells the watchers.

mod join;
mod line;
mod route;
mod subscribe;

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::fmt;

use rumqttc::v5::mqttbytes::v5::{Disconnect, DisconnectReasonCode, Packet, PingResp};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, warn};

use crate::access::{Access, Who};
use crate::flight::Outgoing;
use crate::hub::route::Message;
use crate::hub::subscribe::Subscription;

pub(crate) use crate::hub::line::{ConnectionId, Line, Shared, open_line};

/// What is done to a message on its way to one subscriber.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Delivery {
    /// The payload is replaced.
    Altered(Vec<u8>),
    /// Nothing is changed.
    AsIs,
    /// The subscriber never gets it.
    Dropped,
    /// The subscriber gets it twice.
    Twice,
}

/// Decides from topic and payload what is done to each message on its way to each subscriber.
///
/// Called under the broker's lock: it must not call the broker.
pub type Tamper = Box<dyn Fn(&str, Vec<u8>) -> Delivery + Send + Sync>;

/// What a test or demo may wait for, instead of sleeping.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Sessions begun since the start.
    pub accepted: u64,
    /// Sessions now.
    pub connections: usize,
    /// Packets handled since the start, both directions together.
    pub packets: u64,
}

/// The broker's state.
pub(crate) struct Hub {
    access: Access,
    accepted: u64,
    connections: BTreeMap<ConnectionId, Connection>,
    counts: watch::Sender<Counts>,
    cut: bool,
    epoch: u64,
    kill_at: Option<u64>,
    last_id: u64,
    last_words: VecDeque<Message>,
    max_packet_bytes: u32,
    packets: u64,
    queue: usize,
    retained: BTreeMap<String, Message>,
    /// The member of a share, by group and filter, that was served last.
    served_last: BTreeMap<(String, String), ConnectionId>,
    tamper: Option<Tamper>,
}

#[derive(Debug)]
struct Connection {
    /// Held only so that the connection sees it dropped.
    _alive: oneshot::Sender<Infallible>,
    queue: mpsc::Sender<Outgoing>,
    session: Option<Session>,
}

#[derive(Debug)]
struct Session {
    client_id: String,
    identity: Option<String>,
    subscriptions: Vec<Subscription>,
    will: Option<Message>,
}

impl Session {
    fn who(&self) -> Who<'_> {
        Who { client_id: &self.client_id, identity: self.identity.as_deref() }
    }
}

impl Hub {
    pub(crate) fn new(access: Access, max_packet_bytes: u32, queue: usize) -> Self {
        Self {
            access,
            accepted: 0,
            connections: BTreeMap::new(),
            counts: watch::Sender::new(Counts::default()),
            cut: false,
            epoch: 0,
            kill_at: None,
            last_id: 0,
            last_words: VecDeque::new(),
            max_packet_bytes,
            packets: 0,
            queue: queue.max(1),
            retained: BTreeMap::new(),
            served_last: BTreeMap::new(),
            tamper: None,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let sessions = self.connections.values().filter(|connection| connection.session.is_some());
        Counts { accepted: self.accepted, connections: sessions.count(), packets: self.packets }
    }

    /// Ends every connection; until [`Hub::mend`] no new one is taken. Wills are kept where they are
    /// to be retained, for a broker notices when a cable is pulled.
    pub(crate) fn cut(&mut self) {
        let ids: Vec<_> = self.connections.keys().copied().collect();
        for id in ids {
            self.give_up(id);
        }
        self.cut = true;
        self.epoch += 1;
        self.settle();
    }

    /// Whether a packet may be written now on a connection of `epoch`; if so, it counts.
    pub(crate) fn goes_out(&mut self, epoch: u64) -> bool {
        let goes = !self.cut && epoch == self.epoch;
        if goes {
            self.packets += 1;
            self.settle();
        }
        goes
    }

    /// The connection ended on its own.
    pub(crate) fn hang_up(&mut self, id: ConnectionId) {
        self.give_up(id);
        self.settle();
    }

    /// Handles one packet. `peer` is the name in the client's certificate. `false` when the
    /// connection has been given up, so that nothing more of it may be handled.
    pub(crate) fn incoming(
        &mut self,
        id: ConnectionId,
        peer: Option<&str>,
        packet: Packet,
    ) -> bool {
        if !self.connections.contains_key(&id) {
            return false;
        }
        self.packets += 1;
        self.handle(id, peer, packet);
        self.settle();
        self.connections.contains_key(&id)
    }

    /// After `packets` more packets, everything is cut, without a last word from anybody.
    pub(crate) fn kill_after(&mut self, packets: u64) {
        self.kill_at = Some(self.packets.saturating_add(packets));
        self.settle();
    }

    pub(crate) fn mend(&mut self) {
        self.cut = false;
        self.kill_at = None;
    }

    /// Ends a connection that broke the protocol, and says why.
    pub(crate) fn reject(&mut self, id: ConnectionId, reason: DisconnectReasonCode) {
        self.dismiss(id, reason);
        self.settle();
    }

    pub(crate) fn set_access(&mut self, access: Access) {
        self.access = access;
    }

    pub(crate) fn set_tamper(&mut self, tamper: Option<Tamper>) {
        self.tamper = tamper;
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Counts> {
        self.counts.subscribe()
    }

    fn dismiss(&mut self, id: ConnectionId, reason: DisconnectReasonCode) {
        // Before CONNACK a broker says nothing.
        if self.session(id).is_some() {
            debug!(?id, ?reason, "connection ended by the broker");
            let farewell = Disconnect { reason_code: reason, properties: None };
            self.write(id, Packet::Disconnect(farewell));
        }
        self.give_up(id);
    }

    fn end(&mut self, id: ConnectionId, reason: DisconnectReasonCode) {
        if reason == DisconnectReasonCode::NormalDisconnection
            && let Some(session) = self.session_mut(id)
        {
            session.will = None;
        }
        self.give_up(id);
    }

    /// Forgets a connection. Its writer still writes what is queued, unless the world was cut.
    fn give_up(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.remove(&id) else { return };
        if let Some(mut session) = connection.session
            && let Some(will) = session.will.take()
            && self.access.may_write(session.who(), &will.topic)
        {
            self.last_words.push_back(will);
        }
    }

    fn handle(&mut self, id: ConnectionId, peer: Option<&str>, packet: Packet) {
        let joined = self.session(id).is_some();
        match packet {
            Packet::Connect(connect, will, login) if !joined => {
                self.join(id, peer, connect, will, login);
            }
            _ if !joined => self.give_up(id),
            Packet::Disconnect(disconnect) => self.end(id, disconnect.reason_code),
            Packet::PingReq(_) => self.write(id, Packet::PingResp(PingResp)),
            Packet::PubAck(ack) => self.push(id, Outgoing::Acked(ack.pkid)),
            Packet::Publish(publish) => self.published(id, publish),
            Packet::Subscribe(subscribe) => self.subscribe(id, subscribe),
            Packet::Unsubscribe(unsubscribe) => self.unsubscribe(id, &unsubscribe),
            Packet::Auth(_)
            | Packet::ConnAck(_)
            | Packet::Connect(..)
            | Packet::PingResp(_)
            | Packet::PubComp(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_) => self.dismiss(id, DisconnectReasonCode::ProtocolError),
        }
    }

    /// Queues something for a connection, which is given up when its queue is full.
    fn push(&mut self, id: ConnectionId, outgoing: Outgoing) {
        let Some(connection) = self.connections.get(&id) else { return };
        if connection.queue.try_send(outgoing).is_err() {
            warn!(?id, "client is too slow for its queue and is disconnected");
            self.give_up(id);
        }
    }

    fn session(&self, id: ConnectionId) -> Option<&Session> {
        self.connections.get(&id)?.session.as_ref()
    }

    fn session_mut(&mut self, id: ConnectionId) -> Option<&mut Session> {
        self.connections.get_mut(&id)?.session.as_mut()
    }

    fn settle(&mut self) {
        // A killed broker has no time for wills.
        if self.kill_at.is_some_and(|at| at <= self.packets) {
            self.kill_at = None;
            self.connections.clear();
            self.last_words.clear();
            self.cut = true;
            self.epoch += 1;
        }
        // Handing out a will may end further connections, which have wills of their own.
        while let Some(will) = self.last_words.pop_front() {
            self.route(will);
        }
        let counts = self.counts();
        self.counts.send_if_modified(|before| std::mem::replace(before, counts) != counts);
    }

    fn write(&mut self, id: ConnectionId, packet: Packet) {
        self.push(id, Outgoing::Packet(Box::new(packet)));
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("connections", &self.connections.len())
            .field("counts", &self.counts())
            .field("cut", &self.cut)
            .field("retained", &self.retained.len())
            .field("tampered", &self.tamper.is_some())
            .finish_non_exhaustive()
    }
}
