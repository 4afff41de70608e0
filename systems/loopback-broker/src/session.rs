//! One connection: TLS, then reading and writing side by side until either is over.
//!
//! The reader waits for the wire only and the writer for the queue only, so a client that does not
//! read cannot stop its own packets from being handled, nor anybody else's.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::v5::{DisconnectReasonCode, Packet};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::flight::{Flight, Outgoing, TooSlow};
use crate::hub::{ConnectionId, Line, Shared};
use crate::tls::common_name;
use crate::wire::{self, BadPacket};

/// What is ready is written together, up to about this much.
const BATCH_BYTES: usize = 64 * 1024;
/// A connection given up may finish what it is writing for this long.
const GRACE: Duration = Duration::from_millis(250);
/// TLS, and then CONNECT, must each be there within this time.
const OPENING: Duration = Duration::from_secs(10);

/// What a connection needs to know of the broker's options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_packet_bytes: u32,
    pub(crate) queue: usize,
}

/// Serves one connection to its end.
pub(crate) async fn serve(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    mut line: Line,
    limits: Limits,
) {
    let id = line.id;
    let ended = match acceptor {
        None => converse(stream, None, &mut line, limits).await,
        Some(acceptor) => match handshake(&acceptor, stream, &mut line.gone).await {
            Ok((stream, name)) => converse(stream, Some(name), &mut line, limits).await,
            Err(error) => Err(error.into()),
        },
    };
    if let Err(error) = ended {
        debug!(?id, error = &error as &dyn std::error::Error, "connection ended");
    }
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("it was given up and did not finish within the grace period")]
    GivenUp,
    #[error("no TLS session")]
    Handshake(#[from] NoSession),
    #[error("reading failed")]
    Read(#[from] BadPacket),
    #[error("it acknowledges too slowly")]
    Slow,
    #[error("writing failed")]
    Write(#[from] io::Error),
}

/// Why there is no TLS session.
#[derive(Debug, thiserror::Error)]
enum NoSession {
    #[error("the certificate has no single common name to know the client by")]
    Nameless,
    #[error("the handshake took too long")]
    Slow,
    #[error("the handshake failed")]
    Tls(#[from] io::Error),
    #[error("the cable was pulled")]
    Cut,
}

async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    gone: &mut oneshot::Receiver<std::convert::Infallible>,
) -> Result<(TlsStream<TcpStream>, String), NoSession> {
    let stream = tokio::select! {
        accepted = timeout(OPENING, acceptor.accept(stream)) => {
            accepted.map_err(|_| NoSession::Slow)??
        }
        _ = gone => return Err(NoSession::Cut),
    };
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let name = certificates.first().and_then(common_name).ok_or(NoSession::Nameless)?;
    Ok((stream, name))
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite,
    name: Option<String>,
    line: &mut Line,
    limits: Limits,
) -> Result<(), Ended> {
    let (from_client, to_client) = tokio::io::split(stream);
    let reader = Reader {
        hub: line.hub.clone(),
        id: line.id,
        max_packet_bytes: limits.max_packet_bytes,
        name,
    };
    let writer = Writer {
        buffer: BytesMut::new(),
        epoch: line.epoch,
        flight: Flight::new(limits.queue),
        hub: line.hub.clone(),
    };
    let (queue, gone) = (&mut line.queue, &mut line.gone);
    tokio::select! {
        ended = reader.run(Box::pin(from_client)) => ended,
        ended = writer.run(Box::pin(to_client), queue) => ended,
        () = async { let _ = gone.await; sleep(GRACE).await } => Err(Ended::GivenUp),
    }
}

struct Reader {
    hub: Shared,
    id: ConnectionId,
    max_packet_bytes: u32,
    name: Option<String>,
}

impl Reader {
    /// Ends when the client is gone. Given up by the hub, it leaves the end to the writer.
    async fn run(self, mut wire: impl AsyncRead + Unpin) -> Result<(), Ended> {
        let mut buffer = BytesMut::new();
        let mut patience = Some(OPENING);
        loop {
            let read = within(patience, wire::read(&mut wire, &mut buffer, self.max_packet_bytes));
            let reason = match read.await {
                None => DisconnectReasonCode::KeepAliveTimeout,
                Some(Err(BadPacket::Malformed)) => DisconnectReasonCode::MalformedPacket,
                Some(Err(BadPacket::TooLarge)) => DisconnectReasonCode::PacketTooLarge,
                Some(Err(error @ (BadPacket::Closed | BadPacket::Io(_)))) => {
                    return Err(error.into());
                }
                Some(Ok(packet)) => {
                    if let Packet::Connect(connect, ..) = &packet {
                        patience = keep_alive(connect.keep_alive);
                    }
                    if self.hub.lock().incoming(self.id, self.name.as_deref(), packet) {
                        continue;
                    }
                    return std::future::pending().await;
                }
            };
            self.hub.lock().reject(self.id, reason);
            return std::future::pending().await;
        }
    }
}

struct Writer {
    buffer: BytesMut,
    epoch: u64,
    flight: Flight,
    hub: Shared,
}

impl Writer {
    /// Ends when the hub has given the connection up and all that was queued is written.
    async fn run(
        mut self,
        mut wire: impl AsyncWrite + Unpin,
        queue: &mut mpsc::Receiver<Outgoing>,
    ) -> Result<(), Ended> {
        while let Some(first) = queue.recv().await {
            let more = self.fill(first, queue);
            wire.write_all_buf(&mut self.buffer).await?;
            wire.flush().await?;
            if !more? {
                break;
            }
        }
        Ok(())
    }

    /// Encodes what may go out now; false when the world was cut behind the last of it.
    fn fill(
        &mut self,
        first: Outgoing,
        queue: &mut mpsc::Receiver<Outgoing>,
    ) -> Result<bool, Ended> {
        let mut item = Some(first);
        while let Some(outgoing) = item {
            self.flight.take(outgoing).map_err(|TooSlow| Ended::Slow)?;
            while let Some(packet) = self.flight.next() {
                if !self.hub.lock().goes_out(self.epoch) {
                    return Ok(false);
                }
                wire::encode(&packet, &mut self.buffer)?;
            }
            if self.buffer.len() >= BATCH_BYTES {
                break;
            }
            item = queue.try_recv().ok();
        }
        Ok(true)
    }
}

/// One and a half times what the client promised (MQTT 5.0, section 3.1.2.10); 0 is for ever.
fn keep_alive(seconds: u16) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)) * 3 / 2)
}

/// `None` when the time is over first.
async fn within<T>(limit: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match limit {
        Some(limit) => timeout(limit, work).await.ok(),
        None => Some(work.await),
    }
}
