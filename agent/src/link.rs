//! Speaks MQTT to the broker, inside mutual TLS: 5, or 3.1.1 where there is no 5. The only place that names `rumqttc` and `rustls`.
//!
//! The link knows topics and bytes and nothing of what they mean, so the control plane uses it too.
//! It promises little, on purpose: what is published and not acknowledged when a connection breaks
//! is reported [`Fate::Lost`], and subscriptions end with their connection. Whoever needs a message
//! to arrive keeps it and sends it again.
//!
//! `rumqttc` encodes and decodes the packets; its event loop is not used. It cannot speak over our
//! TLS without a local socket that others could reach, and it loses publishes on reconnect, hangs on
//! a stalled broker and never tells why a publish was refused.

use core::error::Error;
use core::future::Future;
use core::pin::{Pin, pin};
use core::sync::atomic::AtomicU64;
use core::time::Duration;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

mod config;
mod ended;
mod flight;
mod handle;
mod handshake;
mod pace;
mod packet;
mod reason;
mod session;
#[cfg(test)]
mod tests;
mod timer;
mod tls;
mod version;
mod wire;

pub use crate::config::{BadUrl, BrokerUrl, Protocol};
pub use config::{LinkConfig, Will};
pub use handle::{Handle, NotPublished, NotSent};
pub use packet::Version;
pub use reason::Reason;
pub use tls::{TlsFiles, TlsProblem, TrustedNow};

use ended::Ended;
use flight::Reply;
use handle::{Command, Limits};
use pace::Pace;
use session::Session;
use version::Known;
use wire::Pipe;

/// How many commands, or events, wait in their queue.
const QUEUE: usize = 64;

/// How long one attempt may take, from the look-up of the name to the broker's CONNACK.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How long saying good-bye may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// How many different errors are remembered so as not to warn of them again.
const REMEMBERED: usize = 8;

/// What happens on the link, in this order: `Up`, anything, `Down`, and again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// The connection is gone. Everything that was never answered has been reported before this.
    Down,
    /// A message arrived. The broker hears so when this has been taken from the queue's other end.
    Message {
        /// Where it was published.
        topic: String,
        /// What was published; never longer than the longest packet allowed.
        payload: Bytes,
        /// Whether the broker had kept it, rather than just heard it.
        retain: bool,
    },
    /// What became of a [`Handle::try_publish`].
    Published {
        /// The number that it returned.
        token: u64,
        /// What became of it.
        fate: Fate,
    },
    /// The broker's answer to one filter of a [`Handle::try_subscribe`].
    Subscribed {
        /// The filter.
        filter: String,
        /// The answer; see [`Reason::is_refusal`].
        reason: Reason,
    },
    /// There is a connection, without any subscription.
    Up {
        /// The largest payload that fits under any topic, by our configuration and the broker's.
        max_payload: usize,
    },
}

/// What became of a publish.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// The connection broke first. The broker may have taken it all the same.
    Lost,
    /// The broker refused it.
    Refused(Reason),
    /// The broker took it, which says nothing about anybody else.
    Taken(Reason),
}

/// Prepares the link and both ends of it; nothing is sent before [`Link::run`].
#[must_use]
pub fn connect(config: LinkConfig) -> (Link, mpsc::Receiver<Event>, Handle) {
    let (events, events_rx) = mpsc::channel(QUEUE);
    let (commands_tx, commands) = mpsc::channel(QUEUE);
    let (limits, limits_rx) = watch::channel(None);
    let handle = Handle {
        commands: commands_tx,
        limits: limits_rx,
        tokens: Arc::new(AtomicU64::new(1)),
        max_payload: config.max_payload,
    };
    let known = Known::new(config.protocol);
    let link =
        Link { config, commands, events, limits, pace: Pace::default(), known, warned: Vec::new() };

    (link, events_rx, handle)
}

/// Keeps a connection to the broker, and makes a new one whenever it breaks.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    limits: watch::Sender<Option<Limits>>,
    pace: Pace,
    known: Known,
    warned: Vec<String>,
}

impl Link {
    /// Runs until `stop` completes. A broker that cannot be reached is not a failure.
    ///
    /// # Errors
    ///
    /// Where the receiver of the events is gone, so that nothing could be told any more.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), LinkFailed> {
        let mut stop = pin!(stop);
        loop {
            let ended = match self.attempt(stop.as_mut()).await {
                Ok(session) => self.stay(session, stop.as_mut()).await,
                Err(ended) => {
                    if self.known.failed(&ended) {
                        info!(broker = %self.config.url, "it seems to have no MQTT 5: {}", chain(&ended));
                        continue;
                    }
                    ended
                }
            };
            if let Some(end) = end(&ended) {
                return end;
            }
            self.note(&ended);
            let rest = sleep(self.pace.rest());
            if let Err(ended) = self.offline(stop.as_mut(), rest).await
                && let Some(end) = end(&ended)
            {
                return end;
            }
        }
    }

    /// One attempt at a connection; commands that come meanwhile are reported lost.
    async fn attempt(
        &mut self,
        stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<Session, Ended> {
        let version = self.known.next();
        let Self { config, commands, events, .. } = self;
        let reaching = timeout(ATTEMPT, reach(config, version));
        tokio::select! {
            () = stop => Err(Ended::Stopped),
            () = events.closed() => Err(Ended::Unheard),
            () = refuse(commands, events) => Err(Ended::Unheard),
            reached = reaching => {
                reached.unwrap_or(Err(Ended::TimedOut(ATTEMPT.as_secs())))
            }
        }
    }

    /// Waits for `until`; commands that come meanwhile are reported lost.
    async fn offline(
        &mut self,
        stop: Pin<&mut impl Future<Output = ()>>,
        until: impl Future<Output = ()>,
    ) -> Result<(), Ended> {
        tokio::select! {
            () = stop => Err(Ended::Stopped),
            () = self.events.closed() => Err(Ended::Unheard),
            () = refuse(&mut self.commands, &self.events) => Err(Ended::Unheard),
            () = until => Ok(()),
        }
    }

    /// Uses a connection until it is over, and reports all that was lost with it.
    async fn stay(
        &mut self,
        mut session: Session,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Ended {
        info!(broker = %self.config.url, "connected, with {}", self.known.next());
        let max_payload = handshake::max_payload(&self.config, session.limits());
        self.limits.send_replace(Some(session.limits()));
        let ended = match self.tell(Event::Up { max_payload }, stop.as_mut()).await {
            Ok(()) => session.run(&mut self.commands, &self.events, stop.as_mut()).await,
            Err(ended) => ended,
        };
        self.limits.send_replace(None);
        self.known.over();
        if session.held() {
            self.pace.reset();
            self.warned.clear();
        }
        if let Ended::Stopped = ended {
            let _ = timeout(FAREWELL, session.leave(&mut self.commands)).await;
            self.tell_what_fits(session.leftovers());
            return ended;
        }
        for event in session.leftovers().chain([Event::Down]) {
            if let Err(stopped) = self.tell(event, stop.as_mut()).await {
                return stopped;
            }
        }

        ended
    }

    async fn tell(
        &self,
        event: Event,
        stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Ended> {
        tokio::select! {
            () = stop => Err(Ended::Stopped),
            sent = self.events.send(event) => sent.map_err(|_| Ended::Unheard),
        }
    }

    /// At the end nobody is waited for: what is not told is lost in any case.
    fn tell_what_fits(&self, events: impl Iterator<Item = Event>) {
        for event in events.chain([Event::Down]) {
            if self.events.try_send(event).is_err() {
                return;
            }
        }
    }

    /// Warns of each kind of failure once, and again only after a connection that held.
    fn note(&mut self, ended: &Ended) {
        let text = chain(ended);
        if self.warned.contains(&text) {
            debug!(broker = %self.config.url, "no link to the broker: {text}");
            return;
        }
        warn!(broker = %self.config.url, "no link to the broker: {text}");
        if self.warned.len() == REMEMBERED {
            self.warned.remove(0);
        }
        self.warned.push(text);
    }
}

/// Whether the whole link is over, and not only a connection.
const fn end(ended: &Ended) -> Option<Result<(), LinkFailed>> {
    if matches!(ended, Ended::Stopped) {
        return Some(Ok(()));
    }
    if matches!(ended, Ended::Unheard) {
        return Some(Err(LinkFailed::Unheard));
    }

    None
}

/// From the look-up of the name to the broker's CONNACK.
async fn reach(config: &LinkConfig, version: Version) -> Result<Session, Ended> {
    let url = &config.url;
    let tcp = TcpStream::connect((url.host(), url.port()))
        .await
        .and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp))
        .map_err(|source| Ended::Unreachable { address: url.to_string(), source })?;
    let pipe: Pipe = match (&config.tls, url.tls()) {
        (_, false) => Box::new(tcp),
        (Some(files), true) => {
            tls::wrap(tcp, url.host(), files, Arc::clone(&config.verify_time)).await?
        }
        (None, true) => return Err(TlsProblem::Missing.into()),
    };

    handshake::open(config, version, pipe).await
}

/// Takes commands while there is no connection; ends when there is nobody to tell.
async fn refuse(commands: &mut mpsc::Receiver<Command>, events: &mpsc::Sender<Event>) {
    while let Some(command) = commands.recv().await {
        let Command::Publish { reply, .. } = command else { continue };
        match reply {
            // A caller that has gone away does not want to know.
            Reply::Caller(caller) => drop(caller.send(Fate::Lost)),
            Reply::Event(token) => {
                if events.send(Event::Published { token, fate: Fate::Lost }).await.is_err() {
                    return;
                }
            }
        }
    }
    // Nobody can command any more; what arrives is still wanted.
    core::future::pending().await
}

/// An error with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }

    text
}

/// Why the link cannot go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LinkFailed {
    /// The receiver of the events is gone.
    #[error("nobody takes what arrives from the broker any more")]
    Unheard,
}
