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
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::sleep;
use tracing::{debug, info, warn};

mod config;
mod credentials;
mod ended;
mod flight;
mod handle;
mod handshake;
mod pace;
mod packet;
mod reach;
mod reason;
mod renewal;
mod round;
mod session;
mod stay;
#[cfg(test)]
mod tests;
mod timer;
mod tls;
mod version;
mod wire;

pub use crate::config::{BadUrl, BrokerUrl, Brokers, Protocol};
pub use config::{LinkConfig, Will};
pub use handle::{Handle, NotPublished, NotSent};
pub use packet::Version;
pub use reason::Reason;
pub use tls::{TlsFiles, TlsProblem, TrustedNow};

use credentials::Credentials;
use ended::Ended;
use flight::Reply;
use handle::{Command, Limits};
use pace::SHORTEST;
use reach::Target;
use round::Round;
use session::Session;

/// How many commands, or events, wait in their queue.
const QUEUE: usize = 64;

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
    let round = Round::new(config.brokers.clone(), config.protocol);
    let verify_time = Arc::clone(&config.verify_time);
    let credentials = config.tls.clone().map(|files| Credentials::new(files, verify_time));
    let warned = Vec::new();
    let link = Link { config, commands, events, limits, round, credentials, warned };

    (link, events_rx, handle)
}

/// Keeps a connection to the broker, and makes a new one whenever it breaks.
#[derive(Debug)]
pub struct Link {
    config: LinkConfig,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
    limits: watch::Sender<Option<Limits>>,
    round: Round,
    credentials: Option<Credentials>,
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
            let broker = self.round.url().to_string();
            let (ended, rest) = match self.attempt(stop.as_mut()).await {
                Ok(session) => {
                    self.round.worked();
                    let (ended, held) = self.stay(session, stop.as_mut()).await;
                    (ended, Some(self.round.over(held)))
                }
                Err(ended) => {
                    let rest = self.go_on(&ended);
                    (ended, rest)
                }
            };
            if let Some(end) = end(&ended) {
                return end;
            }
            let Some(rest) = rest else {
                info!(%broker, "no MQTT 5 there, trying 3.1.1: {}", chain(&ended));
                continue;
            };
            self.note(&broker, &ended);
            if let Err(ended) = self.offline(stop.as_mut(), sleep(rest)).await
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
        let Self { config, commands, events, round, credentials, .. } = self;
        let (url, version) = (round.url(), round.version());
        let loaded = match (url.tls(), credentials.as_mut()) {
            (false, _) => None,
            (true, None) => return Err(TlsProblem::Missing.into()),
            (true, Some(credentials)) => Some(credentials.choose()?),
        };
        let target = Target { config, url, version, tls: loaded.as_ref() };
        let reached = tokio::select! {
            () = stop => Err(Ended::Stopped),
            () = events.closed() => Err(Ended::Unheard),
            () = refuse(commands, events) => Err(Ended::Unheard),
            reached = target.reach() => reached,
        };
        if let (Some(loaded), Some(credentials)) = (loaded, credentials) {
            match &reached {
                Ok(_) => credentials.worked(loaded),
                Err(ended) => credentials.failed(&loaded, ended),
            }
        }

        reached
    }

    /// Goes on after an attempt that failed; returns the rest before the next one, which is none
    /// where the same broker is worth another version.
    fn go_on(&mut self, ended: &Ended) -> Option<Duration> {
        if self.credentials.as_ref().is_some_and(Credentials::has_another) {
            return Some(SHORTEST);
        }
        let rest = self.round.failed(ended);
        if rest.is_some()
            && self.round.begins()
            && let Some(credentials) = &mut self.credentials
        {
            credentials.round_over();
        }

        rest
    }

    /// Waits for `until`; commands that come meanwhile are reported lost.
    async fn offline(
        &mut self,
        stop: Pin<&mut impl Future<Output = ()>>,
        until: impl Future<Output = ()>,
    ) -> Result<(), Ended> {
        let Self { config, commands, events, credentials, .. } = self;
        tokio::select! {
            () = stop => Err(Ended::Stopped),
            () = events.closed() => Err(Ended::Unheard),
            () = refuse(commands, events) => Err(Ended::Unheard),
            () = obey(&config.reload, credentials) => Err(Ended::Unheard),
            () = until => Ok(()),
        }
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
    fn note(&mut self, broker: &str, ended: &Ended) {
        let text = format!("{broker}: {}", chain(ended));
        if self.warned.contains(&text) {
            debug!("no link to the broker: {text}");
            return;
        }
        warn!("no link to the broker: {text}");
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

/// Tries whatever is on disk again, each time that somebody asks.
async fn obey(reload: &Notify, credentials: &mut Option<Credentials>) {
    loop {
        reload.notified().await;
        if let Some(credentials) = credentials {
            credentials.asked();
        }
    }
}

/// Takes commands while there is no connection; ends when there is nobody to tell.
async fn refuse(commands: &mut mpsc::Receiver<Command>, events: &mpsc::Sender<Event>) {
    while let Some(command) = commands.recv().await {
        let Some(event) = lost(command) else { continue };
        if events.send(event).await.is_err() {
            return;
        }
    }
    // Nobody can command any more; what arrives is still wanted.
    core::future::pending().await
}

/// Says that a command was lost: to whoever waits for it, else by the event that is returned.
fn lost(command: Command) -> Option<Event> {
    let Command::Publish { reply, .. } = command else { return None };
    match reply {
        // A caller that has gone away does not want to know.
        Reply::Caller(caller) => {
            let _ = caller.send(Fate::Lost);
            None
        }
        Reply::Event(token) => Some(Event::Published { token, fate: Fate::Lost }),
    }
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
