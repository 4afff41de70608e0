//! Sockets in: at most so many connections, each with so much time for the head of a request.
//!
//! The Unix socket's file mode says who may connect (DOMAIN J9); what the kernel says about the
//! peer travels with every request.

use core::net::IpAddr;
use core::time::Duration;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::body::Patience;
use crate::supervisor::Stop;

/// The most bytes of a request's head (INTERFACES section 5).
const MAX_HEAD: usize = 8 * 1024;

/// Who is at the other end, as the kernel says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Peer {
    /// A process of this user, over the Unix socket.
    Uid(u32),
    /// An address, over TCP.
    Address(IpAddr),
}

/// What may be open at once, and for how long a head may take.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// One permit a connection, shared by all sockets.
    pub(super) connections: Arc<Semaphore>,
    pub(super) header_timeout: Duration,
}

/// Makes the socket at `path` with `mode`; one that a dead agent left behind is replaced.
pub(super) fn bind_unix(path: &Path, mode: u32) -> io::Result<UnixListener> {
    if fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;

    Ok(listener)
}

/// A socket that others connect to.
pub(super) trait Accept {
    /// What carries the bytes.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Waits for the next connection, and says who is at its other end.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, io::Result<Peer>)>> + Send;
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, io::Result<Peer>)> {
        let (stream, _) = self.accept().await?;
        let peer = stream.peer_cred().map(|peer| Peer::Uid(peer.uid()));

        Ok((stream, peer))
    }
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, io::Result<Peer>)> {
        let (stream, address) = self.accept().await?;
        let _ = stream.set_nodelay(true);

        Ok((stream, Ok(Peer::Address(address.ip().to_canonical()))))
    }
}

/// Serves `router` on a socket until told to stop, then finishes what was accepted.
pub(super) async fn serve(
    listener: impl Accept,
    router: Router,
    limits: Limits,
    mut stop: Stop,
) -> io::Result<()> {
    let mut open = Open::new(router, limits);
    loop {
        // A place is taken when somebody has come, so that an idle socket holds none.
        let next = async {
            let accepted = listener.next().await;
            (accepted, open.permit().await)
        };
        let (accepted, permit) = tokio::select! {
            () = stop.requested() => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => open.spawn(stream, peer, permit),
            Err(error) => out_of_files(&error).await,
        }
    }

    open.drain().await;
    Ok(())
}

/// Serves `router` over one connection until it ends.
pub(super) async fn one<S>(stream: S, peer: Peer, router: Router, limits: Limits)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut open = Open::new(router, limits);
    open.spawn(stream, Ok(peer), None);
    while open.tasks.join_next().await.is_some() {}
}

/// Rests before the next attempt: what failed is the process's own, and may pass.
async fn out_of_files(error: &io::Error) {
    warn!(%error, "a connection could not be accepted");
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// The connections of one socket.
struct Open {
    router: Router,
    limits: Limits,
    tasks: JoinSet<()>,
    closing: watch::Sender<bool>,
}

impl Open {
    fn new(router: Router, limits: Limits) -> Self {
        Self { router, limits, tasks: JoinSet::new(), closing: watch::Sender::new(false) }
    }

    /// Waits for a place; the kernel holds whoever comes meanwhile.
    async fn permit(&mut self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        while self.tasks.try_join_next().is_some() {}

        Arc::clone(&self.limits.connections).acquire_owned().await.ok()
    }

    fn spawn<S>(
        &mut self,
        stream: S,
        peer: io::Result<Peer>,
        permit: Option<tokio::sync::OwnedSemaphorePermit>,
    ) where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // Without its peer a connection has no source to be counted by.
        let Ok(peer) = peer else { return };
        let patience = Patience(self.limits.header_timeout);
        let router = self.router.clone().layer(Extension(peer)).layer(Extension(patience));
        let service = TowerToHyperService::new(router);
        let mut closing = self.closing.subscribe();
        let connection = http1::Builder::new()
            // Who has said all that it wants may hang up in one direction and still read.
            .half_close(true)
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(stream), service);

        self.tasks.spawn(async move {
            let mut connection = core::pin::pin!(connection);
            let told = async move {
                let _ = closing.wait_for(|closing| *closing).await;
            };
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = told => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                debug!(%error, "a connection ended early");
            }
            drop(permit);
        });
    }

    async fn drain(mut self) {
        self.closing.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}
