//! What is on its way to one client: packet identifiers, and the client's own limits.
//!
//! Only the writer of a connection owns one, so identifiers need no lock.

use std::collections::{BTreeSet, VecDeque};

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::Packet;

/// What the hub asks the writer of a connection to do.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// The client acknowledged this packet identifier.
    Acked(u16),
    /// What the client's CONNECT asked for.
    Limits { max_packet_bytes: Option<u32>, receive_max: Option<u16> },
    /// Write this.
    Packet(Box<Packet>),
}

/// A client that acknowledges nothing while more and more is held for it.
#[derive(Debug)]
pub(crate) struct TooSlow;

/// Turns what the hub hands over into packets that may be written now.
#[derive(Debug)]
pub(crate) struct Flight {
    held: VecDeque<Packet>,
    held_max: usize,
    in_flight: BTreeSet<u16>,
    last_id: u16,
    max_packet_bytes: Option<u32>,
    ready: VecDeque<Packet>,
    receive_max: u16,
}

impl Flight {
    /// At most `held_max` messages wait for the client's acknowledgements.
    pub(crate) fn new(held_max: usize) -> Self {
        Self {
            held: VecDeque::new(),
            held_max,
            in_flight: BTreeSet::new(),
            last_id: 0,
            max_packet_bytes: None,
            ready: VecDeque::new(),
            receive_max: u16::MAX,
        }
    }

    /// Takes one item; what it makes ready is then in [`Flight::next`].
    pub(crate) fn take(&mut self, item: Outgoing) -> Result<(), TooSlow> {
        match item {
            Outgoing::Acked(id) => {
                self.in_flight.remove(&id);
            }
            Outgoing::Limits { max_packet_bytes, receive_max } => {
                self.max_packet_bytes = max_packet_bytes;
                self.receive_max = receive_max.unwrap_or(u16::MAX);
            }
            Outgoing::Packet(packet) => self.take_packet(*packet),
        }
        self.release();
        if self.held.len() > self.held_max { Err(TooSlow) } else { Ok(()) }
    }

    /// The next packet to write.
    pub(crate) fn next(&mut self) -> Option<Packet> {
        self.ready.pop_front()
    }

    /// A packet above the client's limit is left out, as if it had been sent (MQTT 5.0, 3.1.2.11.4).
    fn fits(&self, size: usize) -> bool {
        let limit = self.max_packet_bytes.and_then(|limit| usize::try_from(limit).ok());
        limit.is_none_or(|limit| size <= limit)
    }

    fn take_packet(&mut self, mut packet: Packet) {
        let mut needs_id = false;
        if let Packet::Publish(publish) = &mut packet
            && publish.qos != QoS::AtMostOnce
        {
            // The codec leaves an identifier of 0 out of the size.
            publish.pkid = u16::MAX;
            needs_id = true;
        }
        if !self.fits(packet.size()) {
            return;
        }
        if needs_id {
            self.held.push_back(packet);
        } else {
            self.ready.push_back(packet);
        }
    }

    fn release(&mut self) {
        while self.in_flight.len() < usize::from(self.receive_max) {
            let Some(mut packet) = self.held.pop_front() else { return };
            if let Packet::Publish(publish) = &mut packet {
                publish.pkid = self.fresh_id();
                self.in_flight.insert(publish.pkid);
            }
            self.ready.push_back(packet);
        }
    }

    /// Called with fewer than 65,535 in flight, so there is a free one.
    fn fresh_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.in_flight.contains(&self.last_id) {
                return self.last_id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::v5::mqttbytes::v5::Publish;

    use super::*;

    fn publish(payload: &str) -> Outgoing {
        let publish = Publish::new("a", QoS::AtLeastOnce, payload.to_owned(), None);
        Outgoing::Packet(Box::new(Packet::Publish(publish)))
    }

    fn next_id(flight: &mut Flight) -> Option<u16> {
        match flight.next() {
            Some(Packet::Publish(publish)) => Some(publish.pkid),
            _ => None,
        }
    }

    #[test]
    fn no_more_is_in_flight_than_the_client_asked_for() {
        let mut flight = Flight::new(2);
        let limits = Outgoing::Limits { max_packet_bytes: None, receive_max: Some(1) };
        flight.take(limits).unwrap();
        flight.take(publish("1")).unwrap();
        flight.take(publish("2")).unwrap();
        assert_eq!((next_id(&mut flight), next_id(&mut flight)), (Some(1), None));
        flight.take(Outgoing::Acked(1)).unwrap();
        assert_eq!((next_id(&mut flight), next_id(&mut flight)), (Some(2), None));
        flight.take(publish("3")).unwrap();
        flight.take(publish("4")).unwrap();
        assert!(flight.take(publish("5")).is_err());
    }

    #[test]
    fn identifiers_start_again_and_skip_those_in_use() {
        let mut flight = Flight::new(2);
        flight.take(publish("held")).unwrap();
        assert_eq!(next_id(&mut flight), Some(1));
        for expected in 2..=u16::MAX {
            flight.take(publish("x")).unwrap();
            assert_eq!(next_id(&mut flight), Some(expected));
            flight.take(Outgoing::Acked(expected)).unwrap();
        }
        flight.take(publish("x")).unwrap();
        assert_eq!(next_id(&mut flight), Some(2));
    }

    #[test]
    fn what_is_larger_than_the_client_wants_is_left_out() {
        let mut flight = Flight::new(2);
        let limits = Outgoing::Limits { max_packet_bytes: Some(20), receive_max: None };
        flight.take(limits).unwrap();
        flight.take(publish("more than twenty bytes in all")).unwrap();
        assert!(flight.next().is_none());
        flight.take(publish("fits")).unwrap();
        assert_eq!(next_id(&mut flight), Some(1));
    }
}
