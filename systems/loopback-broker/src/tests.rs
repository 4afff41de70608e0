//! The parties of the tests: an ordinary client, and one that sends exactly what it is told to.
//!
//! Nothing here sleeps; every wait is for the next thing, with a deadline.

mod faults;
mod hostile;
mod routing;
mod secured;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    Connect, ConnectProperties, Filter, LastWill, Login, Packet, PubAckReason, Publish, Subscribe,
    SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::wire::{self, BadPacket};
use crate::{Access, Broker, Counts, Options};

const DEADLINE: Duration = Duration::from_secs(10);

async fn open_broker() -> Broker {
    broker_with("pattern readwrite #").await
}

async fn broker_with(access: &str) -> Broker {
    Broker::start(Options::plain(Access::parse(access).unwrap())).await.unwrap()
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    timeout(DEADLINE, work).await.expect("the next thing happens in time")
}

async fn seen(broker: &Broker, wanted: impl Fn(&Counts) -> bool) {
    in_time(broker.watch().wait_for(|counts| wanted(counts))).await.unwrap();
}

/// A message as a subscriber sees it.
#[derive(Debug, Eq, PartialEq)]
struct Got {
    payload: String,
    retain: bool,
    topic: String,
}

fn got(topic: &str, payload: &str) -> Got {
    Got { payload: payload.to_owned(), retain: false, topic: topic.to_owned() }
}

fn kept(topic: &str, payload: &str) -> Got {
    Got { retain: true, ..got(topic, payload) }
}

/// A rumqttc client that is connected, and does not connect again.
struct Party {
    client: AsyncClient,
    incoming: mpsc::Receiver<Result<Packet, String>>,
    task: JoinHandle<()>,
}

impl Party {
    async fn join(broker: &Broker, id: &str) -> Self {
        Self::join_with(broker, id, |_| {}).await
    }

    async fn join_with(broker: &Broker, id: &str, adjust: impl FnOnce(&mut MqttOptions)) -> Self {
        let mut party = Self::try_join(broker, id, adjust);
        assert!(matches!(party.next().await, Ok(Packet::ConnAck(_))));
        party
    }

    fn try_join(broker: &Broker, id: &str, adjust: impl FnOnce(&mut MqttOptions)) -> Self {
        let mut options = MqttOptions::new(id, "127.0.0.1", broker.address().port());
        options.set_credentials(id, "unused");
        options.set_max_packet_size(Some(1 << 20));
        adjust(&mut options);
        let (client, mut events) = AsyncClient::new(options, 10);
        let (sender, incoming) = mpsc::channel(4096);
        let task = tokio::spawn(async move {
            loop {
                let next = match events.poll().await {
                    Ok(Event::Incoming(packet)) => Ok(packet),
                    Ok(Event::Outgoing(_)) => continue,
                    Err(error) => Err(error.to_string()),
                };
                let over = next.is_err();
                if sender.send(next).await.is_err() || over {
                    return;
                }
            }
        });
        Self { client, incoming, task }
    }

    async fn next(&mut self) -> Result<Packet, String> {
        in_time(self.incoming.recv()).await.expect("an end is reported once")
    }

    /// The next message; acknowledgements and pings before it are passed over.
    async fn message(&mut self) -> Got {
        loop {
            if let Packet::Publish(publish) = self.next().await.unwrap() {
                return Got {
                    payload: String::from_utf8(publish.payload.to_vec()).unwrap(),
                    retain: publish.retain,
                    topic: String::from_utf8(publish.topic.to_vec()).unwrap(),
                };
            }
        }
    }

    async fn is_cut_off(&mut self) {
        while self.next().await.is_ok() {}
    }

    async fn publish(&mut self, topic: &str, payload: &str) -> PubAckReason {
        self.send(topic, payload, false).await
    }

    async fn retain(&mut self, topic: &str, payload: &str) -> PubAckReason {
        self.send(topic, payload, true).await
    }

    async fn send(&mut self, topic: &str, payload: &str, retain: bool) -> PubAckReason {
        let payload = payload.to_owned();
        self.client.publish(topic, QoS::AtLeastOnce, retain, payload).await.unwrap();
        loop {
            if let Packet::PubAck(ack) = self.next().await.unwrap() {
                return ack.reason;
            }
        }
    }

    async fn subscribe(&mut self, filter: &str) -> SubscribeReasonCode {
        self.client.subscribe(filter, QoS::AtLeastOnce).await.unwrap();
        loop {
            if let Packet::SubAck(ack) = self.next().await.unwrap() {
                return ack.return_codes[0];
            }
        }
    }
}

impl Drop for Party {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client without manners: it sends what it is told to and reads when it is told to.
struct Raw<S = TcpStream> {
    buffer: BytesMut,
    stream: S,
}

impl Raw {
    async fn open(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    async fn join(broker: &Broker, id: &str) -> Self {
        let mut raw = Self::open(broker.address()).await;
        raw.connect(id, 0, None).await;
        raw
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    fn over(stream: S) -> Self {
        Self { buffer: BytesMut::new(), stream }
    }

    async fn connect(&mut self, id: &str, keep_alive: u16, will: Option<LastWill>) {
        self.send(connect(id, keep_alive, will)).await;
        assert!(matches!(self.receive().await, Ok(Packet::ConnAck(_))));
    }

    async fn receive(&mut self) -> Result<Packet, BadPacket> {
        in_time(wire::read(&mut self.stream, &mut self.buffer, u32::MAX)).await
    }

    async fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, None).unwrap();
        self.send_bytes(&bytes).await;
    }

    async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }
}

fn connect(id: &str, keep_alive: u16, will: Option<LastWill>) -> Packet {
    let client_id = id.to_owned();
    let properties = None::<ConnectProperties>;
    let connect = Connect { keep_alive, client_id, clean_start: true, properties };
    Packet::Connect(connect, will, (!id.is_empty()).then(|| Login::new(id, "unused")))
}

fn publish(topic: &str, payload: impl Into<Vec<u8>>, qos: QoS) -> Packet {
    let mut publish = Publish::new(topic, qos, payload.into(), None);
    publish.pkid = u16::from(qos != QoS::AtMostOnce);
    Packet::Publish(publish)
}

fn subscribe(filter: &str) -> Packet {
    let filters = vec![Filter::new(filter, QoS::AtLeastOnce)];
    Packet::Subscribe(Subscribe { pkid: 1, filters, properties: None })
}
