//! Packet identifiers, and what waits for the broker's answer under each.
//!
//! An identifier is free again only when it has been answered, in whatever order the answers come,
//! so no publish ever takes another's place.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::Fate;

/// Who wants to know what became of a publish.
#[derive(Debug)]
pub(super) enum Reply {
    /// Whoever waits for it.
    Caller(oneshot::Sender<Fate>),
    /// The events, under this number.
    Event(u64),
}

/// What waits for an answer.
#[derive(Debug)]
pub(super) enum Flight {
    Publish(Reply),
    Subscribe(Vec<String>),
    Unsubscribe,
}

/// Everything that waits for an answer on one connection.
#[derive(Debug)]
pub(super) struct Flights {
    open: BTreeMap<u16, Flight>,
    last: u16,
    limit: u16,
}

impl Flights {
    /// At most `limit` at once, which is the lower of ours and the broker's.
    pub(super) const fn new(limit: u16) -> Self {
        Self { open: BTreeMap::new(), last: 0, limit }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn has_room(&self) -> bool {
        self.open.len() < usize::from(self.limit)
    }

    /// An identifier that nothing else waits under.
    pub(super) fn free_id(&mut self) -> u16 {
        loop {
            self.last = self.last.wrapping_add(1).max(1);
            if !self.open.contains_key(&self.last) {
                return self.last;
            }
        }
    }

    pub(super) fn open(&mut self, id: u16, flight: Flight) {
        self.open.insert(id, flight);
    }

    /// Takes out what waited under `id`.
    pub(super) fn close(&mut self, id: u16) -> Option<Flight> {
        self.open.remove(&id)
    }

    /// Takes out every publish that was never answered, oldest identifier first.
    pub(super) fn unanswered(&mut self) -> impl Iterator<Item = Reply> + use<> {
        core::mem::take(&mut self.open).into_values().filter_map(|flight| match flight {
            Flight::Publish(reply) => Some(reply),
            Flight::Subscribe(_) | Flight::Unsubscribe => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_in_use_is_never_given_out_again() {
        let mut flights = Flights::new(3);
        flights.last = u16::MAX - 1;
        for expected in [u16::MAX, 1, 2] {
            let id = flights.free_id();
            assert_eq!(id, expected);
            flights.open(id, Flight::Unsubscribe);
        }
        assert!(!flights.has_room());
        assert!(flights.close(1).is_some() && flights.close(1).is_none());
        flights.last = u16::MAX - 1;
        assert_eq!(flights.free_id(), 1, "65535 still waits");
    }
}
