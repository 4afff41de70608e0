//! A broker that says what a test wants it to say, byte by byte.

use core::time::Duration;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::v5::Packet;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A CONNACK without properties.
pub(super) const WELCOME: [u8; 5] = [0x20, 3, 0, 0, 0];

pub(super) struct Peer {
    listener: TcpListener,
}

impl Peer {
    pub(super) async fn bind() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub(super) fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// The same, with the bytes of the CONNECT, whatever its version.
    pub(super) async fn accept_bytes(&self) -> (Caller, Vec<u8>) {
        let mut caller = self.accept_silent().await;
        let connect = caller.read_bytes().await;
        (caller, connect)
    }

    async fn accept_silent(&self) -> Caller {
        let (socket, _) = timeout(super::SOON, self.listener.accept()).await.unwrap().unwrap();
        Caller { socket, buffer: BytesMut::new() }
    }

    /// Waits for the next connection and its CONNECT, which is returned too.
    pub(super) async fn accept(&self) -> (Caller, Packet) {
        let mut caller = self.accept_silent().await;
        let connect = caller.read().await;
        (caller, connect)
    }

    /// The same, and lets it in.
    pub(super) async fn welcome(&self) -> Caller {
        let (mut caller, _) = self.accept().await;
        caller.send(&WELCOME).await;
        caller
    }
}

pub(super) struct Caller {
    socket: TcpStream,
    buffer: BytesMut,
}

impl Caller {
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).await.unwrap();
    }

    /// The next packet that the link sends, leaving out its pings, which are answered.
    pub(super) async fn read(&mut self) -> Packet {
        timeout(super::SOON, self.next()).await.expect("the link should send something")
    }

    /// The next packet of any version, as it stands; shorter than 128 bytes.
    pub(super) async fn read_bytes(&mut self) -> Vec<u8> {
        let whole = async {
            while self.buffer.get(1).is_none_or(|&rest| self.buffer.len() < 2 + usize::from(rest)) {
                let read = self.socket.read_buf(&mut self.buffer).await.unwrap();
                assert_ne!(read, 0, "the link hung up");
            }
        };
        timeout(super::SOON, whole).await.expect("the link should send something");
        let rest = self.buffer[1];
        self.buffer.split_to(2 + usize::from(rest)).to_vec()
    }

    /// Whether the link closes the connection, whatever it sends before.
    pub(super) async fn is_left(&mut self) -> bool {
        let mut rest = Vec::new();
        timeout(Duration::from_secs(10), self.socket.read_to_end(&mut rest)).await.is_ok()
    }

    async fn next(&mut self) -> Packet {
        loop {
            match Packet::read(&mut self.buffer, None) {
                Ok(Packet::PingReq(_)) => self.send(&[0xd0, 0]).await,
                Ok(packet) => return packet,
                Err(_) => {
                    let read = self.socket.read_buf(&mut self.buffer).await.unwrap();
                    assert_ne!(read, 0, "the link hung up");
                }
            }
        }
    }
}
