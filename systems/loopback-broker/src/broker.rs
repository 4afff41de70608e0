//! The handle: starting the broker, looking into it, and every fault it can make.
//!
//! All methods may be called from any thread, and none waits. Dropping the handle ends everything.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tracing::{error, warn};

use crate::access::Access;
use crate::hub::{Counts, Hub, Shared, Tamper, open_line};
use crate::session::{Limits, serve};
use crate::tls::{BadTls, Tls, acceptor};

/// How a broker is set up.
#[derive(Debug)]
pub struct Options {
    /// Who may read and write what.
    pub access: Access,
    /// The largest packet taken, announced in CONNACK; 256 KiB unless changed.
    pub max_packet_bytes: u32,
    /// The port on 127.0.0.1; 0, the default, takes any free one.
    pub port: u16,
    /// Packets that may wait for one client before it is disconnected; 1,024 unless changed.
    pub queue: usize,
    /// Mutual TLS; without it, a client is believed to be the user it says.
    pub tls: Option<Tls>,
}

impl Options {
    /// Mutual TLS 1.3: a client is the common name in its certificate, whatever user it names.
    #[must_use]
    pub fn mutual_tls(access: Access, tls: Tls) -> Self {
        Self { tls: Some(tls), ..Self::plain(access) }
    }

    /// Plain TCP, for tests: a client is the user it says it is.
    #[must_use]
    pub fn plain(access: Access) -> Self {
        Self { access, max_packet_bytes: 256 * 1024, port: 0, queue: 1024, tls: None }
    }
}

/// Why the broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port on loopback cannot be had.
    #[error("cannot listen on 127.0.0.1 port `{port}`; choose another port, or 0 for any")]
    Listen {
        /// The port asked for.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// Authorities, certificate chain and key do not make a TLS server.
    #[error("the TLS material of the loopback broker cannot be used")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<BadTls> for StartError {
    fn from(error: BadTls) -> Self {
        Self::Tls(Box::new(error))
    }
}

/// A running broker. For demos and tests, never for production.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    hub: Shared,
    task: JoinHandle<()>,
}

impl Broker {
    /// Starts a broker on loopback; it takes connections when this returns.
    ///
    /// # Errors
    ///
    /// [`StartError`] when the port or the TLS material cannot be used.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let Options { access, max_packet_bytes, port, queue, tls } = options;
        let acceptor = tls.map(acceptor).transpose()?;
        let listen = |source| StartError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        warn!(%address, "loopback broker started: for demos and tests, never for production");

        let hub = Shared::new(Hub::new(access, max_packet_bytes, queue));
        let limits = Limits { max_packet_bytes, queue };
        let task = tokio::spawn(accept(listener, acceptor, hub.clone(), limits));
        Ok(Self { address, hub, task })
    }

    /// Where it listens. The same for its whole life, across [`Broker::cut`] and [`Broker::mend`].
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many clients have a session now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.counts().connections
    }

    /// Sessions and packets, so far and now.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.hub.lock().counts()
    }

    /// Pulls the cable: every connection ends, and new ones are closed at once, until
    /// [`Broker::mend`]. The broker notices, so wills are published and retained as they ask.
    pub fn cut(&self) {
        self.hub.lock().cut();
    }

    /// Forgets the retained message of a topic, without telling anybody.
    pub fn forget(&self, topic: &str) {
        self.hub.lock().forget(topic);
    }

    /// Kills the broker after the next `packets` packets, both directions counted together: the
    /// last of them is handled (or written), nothing after it is, and everything stays cut until
    /// [`Broker::mend`]. Unlike [`Broker::cut`] there are no wills. 0 kills at once.
    /// What is retained survives.
    pub fn kill_after(&self, packets: u64) {
        self.hub.lock().kill_after(packets);
    }

    /// Takes connections again, and calls off a [`Broker::kill_after`] that has not struck.
    pub fn mend(&self) {
        self.hub.lock().mend();
    }

    /// Packets handled or written since the start.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.counts().packets
    }

    /// Retains a message and hands it to all that subscribed to the topic, as a hostile broker
    /// could: no client sent it, and the access list is not asked.
    ///
    /// An empty payload takes the retained message away and is handed out as such. A topic that
    /// MQTT cannot carry is not planted, and the log says so.
    pub fn plant(&self, topic: &str, payload: impl Into<Vec<u8>>) {
        self.hub.lock().plant(topic, payload.into());
    }

    /// The retained message of a topic.
    #[must_use]
    pub fn retained(&self, topic: &str) -> Option<Vec<u8>> {
        self.hub.lock().retained(topic)
    }

    /// Every topic with a retained message, sorted.
    #[must_use]
    pub fn retained_topics(&self) -> Vec<String> {
        self.hub.lock().retained_topics()
    }

    /// Replaces the access list from the next packet on, as when mosquitto is told to reload.
    pub fn set_access(&self, access: Access) {
        self.hub.lock().set_access(access);
    }

    /// From now on, asks `tamper` what to do with each message on its way to each subscriber,
    /// retained and planted ones included; `None` is an honest broker again.
    pub fn set_tamper(&self, tamper: Option<Tamper>) {
        self.hub.lock().set_tamper(tamper);
    }

    /// The counts as they change, to wait for a session or a packet without sleeping.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Counts> {
        self.hub.lock().watch()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // The connections are children of this task and end with it.
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, hub: Shared, limits: Limits) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    if let Some(work) = take_in(stream, acceptor.clone(), &hub, limits) {
                        connections.spawn(work);
                    }
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    // Out of files, most likely: trying again at once would only spin.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    error!(%error, "a connection of the loopback broker failed");
                }
            }
        }
    }
}

/// While the cable is pulled there is nobody to serve, and the stream closes as it is dropped.
fn take_in(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    hub: &Shared,
    limits: Limits,
) -> Option<impl Future<Output = ()> + use<>> {
    let line = open_line(hub)?;
    // Small retained messages would wait 40 ms for an acknowledgement otherwise.
    if let Err(error) = stream.set_nodelay(true) {
        warn!(%error, "cannot switch delaying off");
    }
    Some(serve(stream, acceptor, line, limits))
}
