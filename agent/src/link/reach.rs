//! From the look-up of a broker's name to its CONNACK.

use core::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ended::Ended;
use super::handshake;
use super::session::Session;
use super::tls::Loaded;
use super::wire::Pipe;
use super::{BrokerUrl, LinkConfig, Version};

/// How long one attempt may take, however patient the keep-alive is.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Where to, how, and as whom.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) config: &'a LinkConfig,
    pub(super) url: &'a BrokerUrl,
    pub(super) version: Version,
    /// For `mqtts://`.
    pub(super) tls: Option<&'a Loaded>,
}

impl Target<'_> {
    /// Makes a connection, or gives up after one and a half keep-alives or ten seconds.
    pub(super) async fn reach(self) -> Result<Session, Ended> {
        self.in_time(async {
            let url = self.url;
            let tcp = TcpStream::connect((url.host(), url.port()))
                .await
                .and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp))
                .map_err(|source| Ended::Unreachable { address: url.to_string(), source })?;
            self.introduce(Box::new(tcp)).await
        })
        .await
    }

    /// A peer that stops answering half-way is left as one that does so later.
    async fn in_time(
        self,
        attempt: impl Future<Output = Result<Session, Ended>>,
    ) -> Result<Session, Ended> {
        let limit = self.config.patience().min(ATTEMPT);

        timeout(limit, attempt).await.unwrap_or(Err(Ended::TimedOut(limit)))
    }

    async fn introduce(self, pipe: Pipe) -> Result<Session, Ended> {
        let pipe = match self.tls {
            Some(tls) => tls.wrap(pipe, self.url.host()).await?,
            None => pipe,
        };

        handshake::open(self.config, self.version, pipe).await
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::super::tests::{Authority, loaded, plain};
    use super::*;

    /// Whether an attempt ends in time at a peer that takes bytes, or not even that, and never
    /// answers.
    async fn is_left_within(limit: Duration, keep_alive: u64, tls: bool, takes: bool) -> bool {
        let dir = tempfile::tempdir().unwrap();
        let tls = tls.then(|| loaded(&Authority::new().issue(dir.path(), "edge-7a")));
        let config = LinkConfig { keep_alive: Duration::from_secs(keep_alive), ..plain(1) };
        let url = config.brokers.first();
        let target = Target { config: &config, url, version: Version::V5, tls: tls.as_ref() };
        let (ours, mut theirs) = tokio::io::duplex(if takes { 1 << 16 } else { 1 });
        let attempt = target.in_time(target.introduce(Box::new(ours)));
        let taking = async {
            let mut sink = Vec::new();
            if takes {
                let _ = theirs.read_to_end(&mut sink).await;
            }
            core::future::pending::<()>().await;
        };
        tokio::select! {
            ended = timeout(limit, attempt) => matches!(ended, Ok(Err(Ended::TimedOut(_)))),
            () = taking => false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_stops_answering_before_it_is_up_is_left_within_one_and_a_half_keep_alives()
    {
        let (short, long) = (Duration::from_millis(3_010), Duration::from_millis(10_010));
        for (tls, takes) in [(true, true), (true, false), (false, true), (false, false)] {
            assert!(is_left_within(short, 2, tls, takes).await, "TLS {tls}, takes {takes}");
            assert!(is_left_within(long, 3_600, tls, takes).await, "TLS {tls}, takes {takes}");
        }
    }
}
