//! The control plane's connection to the broker, for a command that asks, publishes and ends, and for
//! `serve`, whose connection may break and come back between two rounds.
//!
//! Retained messages have no last one: a broker never says that there are no more. So whoever asks
//! publishes a message to itself behind them, the fence: a broker keeps the order, so what had not
//! come before the fence is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gateward_agent::link::{
    self, BrokerUrl, Event, Handle, LinkConfig, NotPublished, NotSent, Reason, TlsFiles,
    TlsProblem, TrustedNow,
};
use gateward_core::name::{Hex, Uuid};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use crate::access;
use crate::draw::{self, NoRandomness};
use crate::secret::{self, Unusable};
use crate::{clock, whole};

/// The largest payload either way; a manifest with its deltas stays far below.
const MAX_PAYLOAD: usize = 256 * 1024;
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long the first connection may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long the broker may take to answer one message.
const ANSWER: Duration = Duration::from_secs(30);
/// How long the fence may take.
const FENCE: Duration = Duration::from_secs(10);
/// How many messages are on their way at once.
const WINDOW: usize = 16;

/// How to reach the broker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reach {
    /// Where it is.
    pub url: BrokerUrl,
    /// Authority, certificate and key; required for `mqtts://`.
    pub tls: Option<TlsFiles>,
}

/// Why something was not done on the broker.
#[derive(Debug, thiserror::Error)]
pub enum BrokerFailed {
    /// It does not answer.
    #[error("the broker did not answer within {} s; try again", ANSWER.as_secs())]
    Silent,
    /// It does not deliver what it acknowledged, so what it retains is not known.
    #[error(
        "the broker did not deliver `{0}` within {secs} s, so what it has is not known; try again",
        secs = FENCE.as_secs()
    )]
    NoFence(String),
    /// The connection broke. What was published before is there.
    #[error("the connection to the broker broke; run the command again, it goes on where it was")]
    Lost,
    /// The system gives no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// A message was not published.
    #[error("`{topic}`: {source}")]
    NotPublished {
        /// Its topic.
        topic: String,
        /// Why not.
        source: NotPublished,
    },
    /// A subscription was refused.
    #[error("`{filter}`: the broker refused the subscription: {reason}; check its access list")]
    NotSubscribed {
        /// The topic or filter.
        filter: String,
        /// What it said.
        reason: Reason,
    },
    /// The private key cannot be used.
    #[error(transparent)]
    Secret(#[from] Unusable),
    /// The files of TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsProblem),
    /// There is no connection.
    #[error("no connection to {url} within {} s; check address, certificates and broker", CONNECT.as_secs())]
    Unreachable {
        /// Where it should be.
        url: String,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Failed(#[from] whole::Failed),
}

/// Returns what a link needs to connect as `role`, such as `publish`.
///
/// # Errors
///
/// A file of TLS cannot be used, or others can read the key.
pub(crate) fn config(reach: &Reach, role: &str) -> Result<LinkConfig, BrokerFailed> {
    match &reach.tls {
        Some(files) => {
            secret::read(&files.key)?;
            files.check()?;
        }
        None if reach.url.tls() => return Err(TlsProblem::Missing.into()),
        None => {}
    }

    Ok(LinkConfig {
        url: reach.url.clone(),
        tls: reach.tls.clone(),
        // Two commands at once must not put each other out.
        client_id: format!("gateward-{role}-{}", Hex(&draw::bytes::<6>()?)),
        keep_alive: KEEP_ALIVE,
        max_payload: MAX_PAYLOAD,
        will: Arc::new(|| None),
        verify_time: Arc::new(|| TrustedNow {
            unix_seconds: clock::now().0,
            check_not_before: true,
        }),
    })
}

/// What has come so far.
#[derive(Debug, Default)]
struct Heard {
    wanted: BTreeSet<String>,
    answers: BTreeMap<String, Reason>,
    messages: BTreeMap<String, Vec<u8>>,
    fence: Fence,
    /// How many connections there were; what was subscribed to ended with its own.
    connections: u64,
    down: bool,
}

/// The message behind those that are waited for; two commands at once have different ones.
#[derive(Debug, Default)]
struct Fence {
    topic: String,
    payload: Vec<u8>,
    come: bool,
}

impl Heard {
    fn note(&mut self, event: Event) {
        match event {
            Event::Message { topic, payload, .. } if topic == self.fence.topic => {
                self.fence.come |= payload == self.fence.payload;
            }
            Event::Message { topic, payload, .. } if self.wanted.contains(&topic) => {
                self.messages.insert(topic, payload.to_vec());
            }
            Event::Subscribed { filter, reason } => {
                self.answers.insert(filter, reason);
            }
            Event::Down => self.down = true,
            Event::Up { .. } => {
                self.connections += 1;
                self.down = false;
            }
            Event::Message { .. } | Event::Published { .. } => {}
        }
    }

    /// Whether nothing more can come on that connection.
    const fn is_over(&self, connection: u64) -> bool {
        self.down || self.connections != connection
    }
}

/// Retained messages by topic.
pub(crate) type Retained = BTreeMap<String, Vec<u8>>;

/// A connection that is up; it ends with [`Broker::leave`], or hard when it is dropped.
#[derive(Debug)]
pub(crate) struct Broker {
    handle: Handle,
    heard: Arc<watch::Sender<Heard>>,
    stop: oneshot::Sender<()>,
    link: JoinHandle<()>,
    pump: JoinHandle<()>,
}

impl Broker {
    /// Connects.
    ///
    /// # Errors
    ///
    /// There is no connection in time, or the files of TLS cannot be used.
    pub(crate) async fn connect(reach: &Reach, role: &str) -> Result<Self, BrokerFailed> {
        let broker = Self::begin(reach, role)?;
        match timeout(CONNECT, broker.handle.until_up()).await {
            Ok(Ok(())) => Ok(broker),
            Ok(Err(_)) | Err(_) => Err(BrokerFailed::Unreachable { url: reach.url.to_string() }),
        }
    }

    /// Begins to connect, and goes on trying, whenever there is no connection.
    ///
    /// # Errors
    ///
    /// The files of TLS cannot be used.
    pub(crate) fn begin(reach: &Reach, role: &str) -> Result<Self, BrokerFailed> {
        let (link, events, handle) = link::connect(config(reach, role)?);
        let (stop, stopped) = oneshot::channel::<()>();
        let link = tokio::spawn(async move {
            let until = async {
                // Dropped or told: both are the end.
                let _ = stopped.await;
            };
            // The pump takes events as long as the link runs.
            let _ = link.run(until).await;
        });
        let heard = Arc::new(watch::Sender::new(Heard::default()));
        let pump = tokio::spawn(pump(events, Arc::clone(&heard)));

        Ok(Self { handle, heard, stop, link, pump })
    }

    /// Waits until there is another connection than the one of that number, and returns its own;
    /// the first is 1.
    pub(crate) async fn another_connection(&self, than: u64) -> u64 {
        let mut seen = self.heard.subscribe();
        let another = |heard: &Heard| !heard.down && heard.connections > than;

        // The sender is `self`, so it is there as long as anybody waits.
        seen.wait_for(another).await.map_or(than, |heard| heard.connections)
    }

    /// Whether there is a connection.
    pub(crate) fn is_up(&self) -> bool {
        let heard = self.heard.borrow();

        heard.connections > 0 && !heard.down
    }

    /// Returns the retained messages of `topics`: all that the broker has.
    ///
    /// # Errors
    ///
    /// The broker refuses a subscription or the fence, or is gone.
    pub(crate) async fn retained(
        &self,
        account: Uuid,
        topics: &[String],
    ) -> Result<Retained, BrokerFailed> {
        let fence = access::fence(account);
        let payload = draw::bytes::<16>()?.to_vec();
        self.heard.send_modify(|heard| {
            heard.answers.clear();
            heard.messages.clear();
            heard.wanted = topics.iter().cloned().collect();
            heard.fence = Fence { topic: fence.clone(), payload: payload.clone(), come: false };
        });
        let mut seen = self.heard.subscribe();
        // The link may be up before this has been heard.
        let begun = seen.wait_for(|heard| heard.connections > 0);
        let connection = match timeout(ANSWER, begun).await {
            Ok(Ok(heard)) => heard.connections,
            Ok(Err(_)) | Err(_) => return Err(BrokerFailed::Lost),
        };
        self.subscribe(std::slice::from_ref(&fence), connection, &mut seen).await?;
        for part in topics.chunks(WINDOW) {
            self.subscribe(part, connection, &mut seen).await?;
        }
        publish(self.handle.clone(), fence.clone(), payload, false).await?;
        let over = |heard: &Heard| heard.is_over(connection) || heard.fence.come;
        let found = match timeout(FENCE, seen.wait_for(over)).await {
            Err(_) => return Err(BrokerFailed::NoFence(fence)),
            Ok(Err(_)) => return Err(BrokerFailed::Lost),
            Ok(Ok(heard)) if heard.is_over(connection) => return Err(BrokerFailed::Lost),
            Ok(Ok(heard)) => heard.messages.clone(),
        };
        let filters: Vec<_> = topics.iter().chain([&fence]).map(String::as_str).collect();
        for part in filters.chunks(WINDOW) {
            // A broker that goes on sending what was asked for does no harm.
            let _ = self.handle.try_unsubscribe(part);
        }

        Ok(found)
    }

    /// Subscribes and waits for every answer.
    async fn subscribe(
        &self,
        topics: &[String],
        connection: u64,
        seen: &mut watch::Receiver<Heard>,
    ) -> Result<(), BrokerFailed> {
        let filters: Vec<_> = topics.iter().map(String::as_str).collect();
        self.handle.try_subscribe(&filters).map_err(|_| BrokerFailed::Lost)?;
        let answered = |heard: &Heard| {
            heard.is_over(connection)
                || topics.iter().all(|topic| heard.answers.contains_key(topic))
        };
        let waited = timeout(ANSWER, seen.wait_for(|heard| answered(heard))).await;
        let heard = waited.map_err(|_| BrokerFailed::Silent)?.map_err(|_| BrokerFailed::Lost)?;
        if heard.is_over(connection) {
            return Err(BrokerFailed::Lost);
        }
        let refused = topics.iter().find_map(|topic| {
            let reason = *heard.answers.get(topic)?;
            reason.is_refusal().then(|| (topic.clone(), reason))
        });

        refused
            .map_or(Ok(()), |(filter, reason)| Err(BrokerFailed::NotSubscribed { filter, reason }))
    }

    /// Publishes one retained message and waits for the broker to have it; an empty payload removes
    /// what was retained.
    ///
    /// # Errors
    ///
    /// The broker refuses, or is gone.
    pub(crate) async fn publish(
        &self,
        topic: &str,
        payload: impl Into<Vec<u8>>,
    ) -> Result<(), BrokerFailed> {
        publish(self.handle.clone(), topic.to_owned(), payload.into(), true).await
    }

    /// Publishes many retained messages, in no order, and waits for the broker to have all of them.
    ///
    /// # Errors
    ///
    /// The broker refuses one, or is gone; the others may be there or not.
    pub(crate) async fn publish_all(
        &self,
        messages: impl Iterator<Item = (String, Vec<u8>)>,
    ) -> Result<(), BrokerFailed> {
        let mut flying = JoinSet::new();
        for (topic, payload) in messages {
            if flying.len() == WINDOW {
                landed(flying.join_next().await)?;
            }
            flying.spawn(publish(self.handle.clone(), topic, payload, true));
        }
        while let Some(one) = flying.join_next().await {
            landed(Some(one))?;
        }

        Ok(())
    }

    /// Says good-bye to the broker.
    pub(crate) async fn leave(self) {
        let Self { stop, link, pump, .. } = self;
        let _ = stop.send(());
        // Neither can fail but by a panic, which has been printed.
        let _ = link.await;
        let _ = pump.await;
    }
}

async fn pump(mut events: mpsc::Receiver<Event>, heard: Arc<watch::Sender<Heard>>) {
    while let Some(event) = events.recv().await {
        heard.send_modify(|heard| heard.note(event));
    }
}

async fn publish(
    handle: Handle,
    topic: String,
    payload: Vec<u8>,
    retain: bool,
) -> Result<(), BrokerFailed> {
    match timeout(ANSWER, handle.publish(&topic, payload, retain)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(NotPublished::Lost | NotPublished::NotSent(NotSent::Down))) => {
            Err(BrokerFailed::Lost)
        }
        Ok(Err(source)) => Err(BrokerFailed::NotPublished { topic, source }),
        Err(_) => Err(BrokerFailed::Silent),
    }
}

fn landed(
    one: Option<Result<Result<(), BrokerFailed>, tokio::task::JoinError>>,
) -> Result<(), BrokerFailed> {
    match one {
        None => Ok(()),
        Some(Ok(published)) => published,
        Some(Err(_)) => Err(BrokerFailed::Lost),
    }
}
