//! How a connection reaches the hub: the lock, and a line that is hung up when it is dropped.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::{Connection, Hub};
use crate::flight::Outgoing;

/// More connections at once are closed as soon as they are accepted.
const MAX_CONNECTIONS: usize = 1024;

/// Names one connection for as long as the broker lives.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct ConnectionId(pub(super) u64);

/// The hub as all connections and the handle share it.
#[derive(Clone, Debug)]
pub(crate) struct Shared(Arc<Mutex<Hub>>);

impl Shared {
    pub(crate) fn new(hub: Hub) -> Self {
        Self(Arc::new(Mutex::new(hub)))
    }

    /// A tamper function that panicked leaves no half-done change behind that matters to a test.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Hub> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's end of its line to the hub. The connection is forgotten when it is dropped.
#[derive(Debug)]
pub(crate) struct Line {
    /// Which pull of the cable ends this connection's right to write.
    pub(crate) epoch: u64,
    /// Resolves when the hub has given the connection up.
    pub(crate) gone: oneshot::Receiver<Infallible>,
    pub(crate) hub: Shared,
    pub(crate) id: ConnectionId,
    /// What to write, in order; ends when the hub has given the connection up.
    pub(crate) queue: mpsc::Receiver<Outgoing>,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.hub.lock().hang_up(self.id);
    }
}

/// Takes a new connection in; `None` while the cable is pulled, or when there are too many.
pub(crate) fn open_line(shared: &Shared) -> Option<Line> {
    let mut hub = shared.lock();
    if hub.cut || hub.connections.len() >= MAX_CONNECTIONS {
        return None;
    }

    hub.last_id += 1;
    let id = ConnectionId(hub.last_id);
    let (sender, queue) = mpsc::channel(hub.queue);
    let (alive, gone) = oneshot::channel();
    hub.connections.insert(id, Connection { _alive: alive, queue: sender, session: None });
    Some(Line { epoch: hub.epoch, gone, hub: shared.clone(), id, queue })
}
