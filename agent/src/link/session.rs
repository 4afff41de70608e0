//! One connection, from the broker's CONNACK to its end.
//!
//! Everything happens in one loop that never waits for one thing alone: a consumer that is slow to
//! take events holds back reading, not the keep-alive; a broker that is slow to read holds back
//! commands, not the end of the connection.

use core::future::Future;
use core::pin::Pin;
use core::time::Duration;
use std::collections::VecDeque;

use tokio::sync::mpsc;

use super::ended::Ended;
use super::flight::{Flight, Flights, Reply};
use super::handle::{Command, Limits};
use super::handshake::Agreed;
use super::packet::{FromBroker, NotEncoded, ToBroker};
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
                self.send(ToBroker::Ping)?;
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

    fn handle(&mut self, packet: FromBroker) -> Result<(), Ended> {
        match packet {
            FromBroker::Disconnect(reason) => Err(Ended::Disconnected(reason)),
            FromBroker::Message { topic, payload, retain, acknowledge } => {
                let event = Event::Message { topic, payload, retain };
                self.arrivals.push_back(Arrival { event, acknowledge });
                Ok(())
            }
            FromBroker::Pong => Ok(()),
            FromBroker::Published { id, reason } => self.handle_published(id, reason),
            FromBroker::Subscribed { id, reasons } => self.handle_subscribed(id, reasons),
            FromBroker::Unsubscribed(id) => match self.close(id)? {
                Flight::Unsubscribe => Ok(()),
                Flight::Publish(_) | Flight::Subscribe(_) => Err(Ended::Protocol(WRONG_ACK)),
            },
            FromBroker::Unasked | FromBroker::Welcome(_) => {
                Err(Ended::Protocol("a packet that no broker sends here"))
            }
        }
    }

    fn handle_published(&mut self, id: u16, reason: Reason) -> Result<(), Ended> {
        let Flight::Publish(reply) = self.close(id)? else {
            return Err(Ended::Protocol(WRONG_ACK));
        };
        self.answer(
            reply,
            if reason.is_refusal() { Fate::Refused(reason) } else { Fate::Taken(reason) },
        );

        Ok(())
    }

    fn handle_subscribed(&mut self, id: u16, reasons: Vec<Reason>) -> Result<(), Ended> {
        let Flight::Subscribe(filters) = self.close(id)? else {
            return Err(Ended::Protocol(WRONG_ACK));
        };
        if filters.len() != reasons.len() {
            return Err(Ended::Protocol("a SUBACK for another number of topics"));
        }
        for (filter, reason) in filters.into_iter().zip(reasons) {
            let event = Event::Subscribed { filter, reason };
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
            Some(id) => self.send(ToBroker::Acknowledge(id)),
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
                (ToBroker::Publish { id, topic, payload, retain }, Flight::Publish(reply))
            }
            Command::Subscribe(filters) => {
                let packet = ToBroker::Subscribe { id, filters: filters.clone() };
                (packet, Flight::Subscribe(filters))
            }
            Command::Unsubscribe(filters) => {
                (ToBroker::Unsubscribe { id, filters }, Flight::Unsubscribe)
            }
        };
        self.launch(id, packet, flight)
    }

    fn launch(&mut self, id: u16, packet: ToBroker, flight: Flight) -> Result<(), Ended> {
        match (self.push(packet), flight) {
            (Ok(()), flight) => {
                if self.flights.is_empty() {
                    self.unacknowledged.restart();
                }
                self.flights.open(id, flight);
                Ok(())
            }
            // The handle checked against the limits of an earlier connection.
            (Err(NotEncoded::TooLarge), Flight::Publish(reply)) => {
                self.answer(reply, Fate::Refused(Reason::PACKET_TOO_LARGE));
                Ok(())
            }
            (Err(error), _) => Err(error.into()),
        }
    }

    fn send(&mut self, packet: ToBroker) -> Result<(), Ended> {
        Ok(self.push(packet)?)
    }

    fn push(&mut self, packet: ToBroker) -> Result<(), NotEncoded> {
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
        self.send(ToBroker::Disconnect { publish_will: self.has_will })?;

        self.outgoing.close().await
    }

    /// Says good-bye in the way that makes the broker forget the will: we are still there.
    pub(super) async fn retire(&mut self) -> Result<(), Ended> {
        self.send(ToBroker::Disconnect { publish_will: false })?;

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
mod tests;
