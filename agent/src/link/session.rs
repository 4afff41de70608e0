//! One connection, from the broker's CONNACK to its end.
//!
//! Everything happens in one loop that never waits for one thing alone: a consumer that is slow to
//! take events holds back reading, not the keep-alive; a broker that is slow to read holds back
//! commands, not the end of the connection.

use core::future::Future;
use core::pin::Pin;
use core::time::Duration;
use std::collections::VecDeque;

use rumqttc::v5::mqttbytes::v5::{
    Disconnect, DisconnectReasonCode, Filter, Packet, PingReq, PubAck, Publish, SubAck, Subscribe,
    Unsubscribe,
};
use rumqttc::v5::mqttbytes::{Error, QoS};
use tokio::sync::mpsc;

use super::ended::Ended;
use super::flight::{Flight, Flights, Reply};
use super::handle::{Command, Limits};
use super::handshake::Agreed;
use super::reason::Reason;
use super::timer::Timer;
use super::wire::{Incoming, Outgoing};
use super::{Event, Fate};

const WRONG_ACK: &str = "an answer of the wrong kind";

/// How long a connection must last for the next rest to be short again.
const HELD: Duration = Duration::from_secs(5);

/// The shortest time that a broker gets to acknowledge anything at all.
const LEAST_ACK_WAIT: Duration = Duration::from_secs(10);

/// A connection that the broker has accepted.
pub(super) struct Session {
    incoming: Incoming,
    outgoing: Outgoing,
    flights: Flights,
    /// Taken from the wire, not yet by the consumer; bounded by what one packet can cause.
    arrivals: VecDeque<Arrival>,
    limits: Limits,
    has_will: bool,
    held: bool,
    ping: Timer,
    silence: Timer,
    steady: Timer,
    stuck: Timer,
    unacknowledged: Timer,
}

/// An event, and the publish to acknowledge once it has been taken.
struct Arrival {
    event: Event,
    acknowledge: Option<u16>,
}

impl Session {
    /// Begins with what the handshake agreed on.
    pub(super) fn new(
        (incoming, outgoing): (Incoming, Outgoing),
        Agreed { limits, in_flight, keep_alive, has_will }: Agreed,
    ) -> Self {
        Self {
            incoming,
            outgoing,
            flights: Flights::new(in_flight),
            arrivals: VecDeque::new(),
            limits,
            has_will,
            held: false,
            ping: Timer::new(keep_alive.mul_f32(0.75)),
            silence: Timer::new(keep_alive.mul_f32(1.5)),
            steady: Timer::new(HELD),
            stuck: Timer::new(keep_alive.mul_f32(1.5)),
            unacknowledged: Timer::new((keep_alive * 2).max(LEAST_ACK_WAIT)),
        }
    }

    /// What the broker takes.
    pub(super) const fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether the connection lasted long enough to be called one.
    pub(super) const fn held(&self) -> bool {
        self.held
    }

    /// Moves bytes until the connection is over, and says why.
    pub(super) async fn run(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
        events: &mpsc::Sender<Event>,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Ended {
        loop {
            match self.turn(commands, events, stop.as_mut()).await {
                Ok(()) => {}
                Err(ended) => return ended,
            }
        }
    }

    /// Waits for the next thing to happen, and does it.
    async fn turn(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
        events: &mpsc::Sender<Event>,
        stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Ended> {
        self.take_packets()?;
        let reading = self.reads();
        tokio::select! {
            () = stop => return Err(Ended::Stopped),
            place = events.reserve(), if !self.arrivals.is_empty() => {
                self.deliver(place.map_err(|_| Ended::Unheard)?)?;
            }
            filled = self.incoming.fill(), if reading => {
                filled?;
                self.silence.restart();
            }
            sent = self.outgoing.drain(), if self.outgoing.waiting() => {
                sent?;
                self.stuck.restart();
            }
            Some(command) = commands.recv(),
                if self.flights.has_room() && self.outgoing.has_room() => self.obey(command)?,
            () = self.ping.over() => {
                self.ping.restart();
                self.send(&Packet::PingReq(PingReq))?;
            }
            () = self.silence.over(), if reading => return Err(Ended::Silent),
            () = self.stuck.over(), if self.outgoing.waiting() => return Err(Ended::Stuck),
            () = self.unacknowledged.over(), if !self.flights.is_empty() => {
                return Err(Ended::Unacknowledged);
            }
            () = self.steady.over(), if !self.held => self.held = true,
        }
        if !reading && self.reads() {
            self.silence.restart();
        }

        Ok(())
    }

    /// Whether more is taken from the wire: not before the consumer has taken what there is.
    fn reads(&self) -> bool {
        self.arrivals.is_empty() && self.outgoing.has_room()
    }

    /// Handles whole packets that have arrived, up to the first that causes an event.
    fn take_packets(&mut self) -> Result<(), Ended> {
        while self.reads() {
            let Some(packet) = self.incoming.take()? else { break };
            self.handle(packet)?;
        }

        Ok(())
    }

    fn handle(&mut self, packet: Packet) -> Result<(), Ended> {
        match packet {
            Packet::Publish(publish) => self.handle_publish(publish),
            Packet::PubAck(ack) => self.handle_puback(&ack),
            Packet::SubAck(ack) => self.handle_suback(ack),
            Packet::UnsubAck(ack) => match self.close(ack.pkid)? {
                Flight::Unsubscribe => Ok(()),
                Flight::Publish(_) | Flight::Subscribe(_) => Err(Ended::Protocol(WRONG_ACK)),
            },
            Packet::PingResp(_) => Ok(()),
            Packet::Disconnect(bye) => Err(Ended::Disconnected(Reason::new(bye.reason_code as u8))),
            Packet::Auth(_)
            | Packet::ConnAck(_)
            | Packet::Connect(..)
            | Packet::PingReq(_)
            | Packet::PubComp(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_) => Err(Ended::Protocol("a packet that no broker sends here")),
        }
    }

    fn handle_publish(&mut self, publish: Publish) -> Result<(), Ended> {
        let acknowledge = match publish.qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => Some(publish.pkid),
            QoS::ExactlyOnce => return Err(Ended::Protocol("QoS 2, which nobody asked for")),
        };
        // No alias is ever allowed, so an empty topic has no meaning.
        let topic = String::from_utf8(publish.topic.into()).ok().filter(|topic| !topic.is_empty());
        let topic = topic.ok_or(Ended::Protocol("a message without a topic"))?;
        let event = Event::Message { topic, payload: publish.payload, retain: publish.retain };
        self.arrivals.push_back(Arrival { event, acknowledge });

        Ok(())
    }

    fn handle_puback(&mut self, ack: &PubAck) -> Result<(), Ended> {
        let Flight::Publish(reply) = self.close(ack.pkid)? else {
            return Err(Ended::Protocol(WRONG_ACK));
        };
        let reason = Reason::from(ack.reason);
        self.answer(
            reply,
            if reason.is_refusal() { Fate::Refused(reason) } else { Fate::Taken(reason) },
        );

        Ok(())
    }

    fn handle_suback(&mut self, ack: SubAck) -> Result<(), Ended> {
        let Flight::Subscribe(filters) = self.close(ack.pkid)? else {
            return Err(Ended::Protocol(WRONG_ACK));
        };
        if filters.len() != ack.return_codes.len() {
            return Err(Ended::Protocol("a SUBACK for another number of topics"));
        }
        for (filter, code) in filters.into_iter().zip(ack.return_codes) {
            let event = Event::Subscribed { filter, reason: code.into() };
            self.arrivals.push_back(Arrival { event, acknowledge: None });
        }

        Ok(())
    }

    /// Takes out what waited under `id`; the broker is alive and acknowledging.
    fn close(&mut self, id: u16) -> Result<Flight, Ended> {
        self.unacknowledged.restart();

        self.flights.close(id).ok_or(Ended::Protocol("an answer to what nobody asked"))
    }

    /// Hands the oldest event over; only then does the broker hear that it arrived.
    fn deliver(&mut self, place: mpsc::Permit<'_, Event>) -> Result<(), Ended> {
        let Some(Arrival { event, acknowledge }) = self.arrivals.pop_front() else { return Ok(()) };
        place.send(event);

        match acknowledge {
            Some(id) => self.send(&Packet::PubAck(PubAck::new(id, None))),
            None => Ok(()),
        }
    }

    fn answer(&mut self, reply: Reply, fate: Fate) {
        match reply {
            // A caller that has gone away does not want to know.
            Reply::Caller(caller) => drop(caller.send(fate)),
            Reply::Event(token) => {
                let event = Event::Published { token, fate };
                self.arrivals.push_back(Arrival { event, acknowledge: None });
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<(), Ended> {
        let id = self.flights.free_id();
        let (packet, flight) = match command {
            Command::Publish { reply, topic, payload, retain } => {
                let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload, None);
                publish.pkid = id;
                publish.retain = retain;
                (Packet::Publish(publish), Flight::Publish(reply))
            }
            Command::Subscribe(filters) => {
                let wanted = filters.iter().map(|filter| Filter::new(filter, QoS::AtLeastOnce));
                let mut subscribe = Subscribe::new_many(wanted, None);
                subscribe.pkid = id;
                (Packet::Subscribe(subscribe), Flight::Subscribe(filters))
            }
            Command::Unsubscribe(filters) => {
                let unsubscribe = Unsubscribe { pkid: id, filters, properties: None };
                (Packet::Unsubscribe(unsubscribe), Flight::Unsubscribe)
            }
        };
        self.launch(id, &packet, flight)
    }

    fn launch(&mut self, id: u16, packet: &Packet, flight: Flight) -> Result<(), Ended> {
        match (self.push(packet), flight) {
            (Ok(()), flight) => {
                if self.flights.is_empty() {
                    self.unacknowledged.restart();
                }
                self.flights.open(id, flight);
                Ok(())
            }
            // The handle checked against the limits of an earlier connection.
            (Err(Error::OutgoingPacketTooLarge { .. }), Flight::Publish(reply)) => {
                self.answer(reply, Fate::Refused(Reason::PACKET_TOO_LARGE));
                Ok(())
            }
            (Err(error), _) => Err(Ended::Malformed(error)),
        }
    }

    fn send(&mut self, packet: &Packet) -> Result<(), Ended> {
        self.push(packet).map_err(Ended::Malformed)
    }

    fn push(&mut self, packet: &Packet) -> Result<(), Error> {
        if !self.outgoing.waiting() {
            self.stuck.restart();
        }

        self.outgoing.push(packet)
    }

    /// Sends what was queued, then says good-bye in the way that makes the broker publish the will:
    /// whoever stops is gone.
    pub(super) async fn leave(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
    ) -> Result<(), Ended> {
        while self.flights.has_room()
            && let Ok(command) = commands.try_recv()
        {
            self.obey(command)?;
        }
        let reason = if self.has_will {
            DisconnectReasonCode::DisconnectWithWillMessage
        } else {
            DisconnectReasonCode::NormalDisconnection
        };
        self.send(&Packet::Disconnect(Disconnect::new(reason)))?;

        self.outgoing.close().await
    }

    /// What the consumer must still hear when the connection is over: answers that came, then
    /// everything that was never answered. Messages not yet taken were never acknowledged.
    pub(super) fn leftovers(mut self) -> impl Iterator<Item = Event> {
        for reply in self.flights.unanswered() {
            self.answer(reply, Fate::Lost);
        }

        self.arrivals
            .into_iter()
            .filter(|arrival| matches!(arrival.event, Event::Published { .. }))
            .map(|arrival| arrival.event)
    }
}

#[cfg(test)]
mod tests {
    use core::future::pending;
    use core::pin::pin;

    use tokio::io::AsyncWriteExt;
    use tokio::time::timeout;

    use super::super::wire;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_consumer_holds_back_reading_and_is_not_taken_for_a_dead_broker() {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        for _ in 0..100 {
            theirs.write_all(&[0x30, 4, 0, 1, b't', 0]).await.unwrap();
        }
        let limits = Limits { max_packet: usize::MAX, retain: true };
        let keep_alive = Duration::from_secs(30);
        let agreed = Agreed { limits, in_flight: 1, keep_alive, has_will: false };
        let mut session = Session::new(wire::split(Box::new(ours), 1_000), agreed);
        let (_commands, mut commands_rx) = mpsc::channel(1);
        let (events, mut events_rx) = mpsc::channel(1);

        let mut stop = pin!(pending());
        let running = session.run(&mut commands_rx, &events, stop.as_mut());
        assert!(timeout(Duration::from_secs(3_600), running).await.is_err(), "it gave up");
        assert_eq!(session.arrivals.len(), 1, "more was read than was taken");

        let taking = async {
            for _ in 0..100 {
                assert!(matches!(events_rx.recv().await, Some(Event::Message { .. })));
            }
        };
        tokio::select! {
            ended = session.run(&mut commands_rx, &events, stop.as_mut()) => panic!("{ended}"),
            () = taking => {}
        }
        let ended = session.run(&mut commands_rx, &events, stop).await;
        assert!(matches!(ended, Ended::Silent), "{ended}");
    }
}
