//! From one connection to the next that takes its place, while there is one.

use core::future::Future;
use core::pin::Pin;
use core::time::Duration;

use tokio::time::timeout;
use tracing::info;

use super::ended::Ended;
use super::reach::Target;
use super::session::Session;
use super::{Event, Link, handshake, lost, renewal};

/// How long saying good-bye may take.
const FAREWELL: Duration = Duration::from_secs(1);

impl Link {
    /// Uses a connection, and those that take its place, until one is over; returns why, and
    /// whether any held.
    pub(super) async fn stay(
        &mut self,
        mut session: Session,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> (Ended, bool) {
        let mut held = false;
        loop {
            let over = self.follow(&mut session, stop.as_mut()).await;
            self.limits.send_replace(None);
            held |= session.held();
            if held {
                self.warned.clear();
            }
            let parted = match over {
                Over::Ended(ended) => self.part(session, ended, stop.as_mut()).await,
                Over::Renewed(fresh) => {
                    info!("a connection with the renewed certificate takes the place of the old");
                    // A broker that does not take the good-bye loses nothing by it.
                    let _ = timeout(FAREWELL, session.retire()).await;
                    let old = core::mem::replace(&mut session, *fresh);
                    match self.bury(old, stop.as_mut()).await {
                        Ok(()) => continue,
                        Err(ended) => ended,
                    }
                }
            };
            return (parted, held);
        }
    }

    /// Uses one connection until it is over, or until there is a better one.
    async fn follow(
        &mut self,
        session: &mut Session,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Over {
        info!(broker = %self.round.url(), "connected, with {}", self.round.version());
        let max_payload = handshake::max_payload(&self.config, session.limits());
        self.limits.send_replace(Some(session.limits()));
        if let Err(ended) = self.tell(Event::Up { max_payload }, stop.as_mut()).await {
            return Over::Ended(ended);
        }
        let Self { config, commands, events, round, credentials, .. } = self;
        let target = Target { config, url: round.url(), version: round.version(), tls: None };
        tokio::select! {
            ended = session.run(commands, events, stop) => Over::Ended(ended),
            fresh = renewal::renewed(target, credentials) => Over::Renewed(Box::new(fresh)),
        }
    }

    /// Takes leave where that is possible, and reports all that was lost.
    async fn part(
        &mut self,
        mut session: Session,
        ended: Ended,
        stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Ended {
        if let Ended::Stopped = ended {
            let _ = timeout(FAREWELL, session.leave(&mut self.commands)).await;
            self.tell_what_fits(session.leftovers());
            return ended;
        }

        self.bury(session, stop).await.err().unwrap_or(ended)
    }

    /// Reports all that was lost with a connection; what was still queued for it is.
    async fn bury(
        &mut self,
        session: Session,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Ended> {
        for event in session.leftovers() {
            self.tell(event, stop.as_mut()).await?;
        }
        while let Ok(command) = self.commands.try_recv() {
            if let Some(event) = lost(command) {
                self.tell(event, stop.as_mut()).await?;
            }
        }

        self.tell(Event::Down, stop).await
    }
}

/// How the use of one connection is over.
enum Over {
    Ended(Ended),
    Renewed(Box<Session>),
}
