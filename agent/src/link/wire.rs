//! Packets over a stream of bytes, with a bound in either direction.
//!
//! The encoding is `rumqttc`'s. Cutting the stream into packets is done here, before it looks: its
//! decoder takes a malformed packet for an unfinished one. The frame is the same in all versions.

use core::future::poll_fn;
use core::pin::Pin;
use std::io;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::Error;
use rumqttc::v5::mqttbytes::v5::check;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};

use super::ended::Ended;
use super::packet::{FromBroker, NotEncoded, ToBroker, Version};

/// How much is read at once; the buffer grows by what has arrived, never by what was announced.
const READ: usize = 8 * 1024;

/// Beyond this many bytes waiting to be written nothing new is taken on.
const WRITE_AHEAD: usize = 256 * 1024;

/// A connection to the broker, with or without TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Any connection.
pub(super) type Pipe = Box<dyn Stream>;

/// Splits a connection; no incoming packet is longer than `max` bytes.
pub(super) fn split(pipe: Pipe, version: Version, max: u32) -> (Incoming, Outgoing) {
    let (read, write) = tokio::io::split(pipe);

    (
        Incoming { half: read, buffer: BytesMut::new(), version, max },
        Outgoing { half: write, buffer: BytesMut::new(), version, unflushed: false, limit: None },
    )
}

/// What the broker sends.
pub(super) struct Incoming {
    half: ReadHalf<Pipe>,
    buffer: BytesMut,
    version: Version,
    max: u32,
}

impl Incoming {
    /// The next packet, where all of it has arrived.
    pub(super) fn take(&mut self) -> Result<Option<FromBroker>, Ended> {
        let header = match check(self.buffer.iter(), Some(self.max)) {
            Ok(header) => header,
            Err(Error::InsufficientBytes(_)) => return Ok(None),
            Err(Error::PayloadSizeLimitExceeded { pkt_size, max }) => {
                return Err(Ended::TooLarge { bytes: pkt_size, max });
            }
            Err(error) => {
                return Err(Ended::Malformed { version: self.version, source: error.into() });
            }
        };
        let frame = self.buffer.split_to(header.frame_length());

        FromBroker::decode(self.version, frame).map(Some)
    }

    /// Reads what is there, at least one byte. May be cancelled without loss.
    pub(super) async fn fill(&mut self) -> Result<(), Ended> {
        self.buffer.reserve(READ);
        match self.half.read_buf(&mut self.buffer).await {
            Ok(0) => Err(Ended::Closed),
            Ok(_) => Ok(()),
            Err(error) => Err(Ended::Io(error)),
        }
    }

    /// Reads one packet; for the handshake.
    pub(super) async fn next(&mut self) -> Result<FromBroker, Ended> {
        loop {
            if let Some(packet) = self.take()? {
                return Ok(packet);
            }
            self.fill().await?;
        }
    }
}

/// What waits to be sent.
pub(super) struct Outgoing {
    half: WriteHalf<Pipe>,
    buffer: BytesMut,
    version: Version,
    unflushed: bool,
    limit: Option<u32>,
}

impl Outgoing {
    /// Sets the longest packet that the broker takes.
    pub(super) const fn set_limit(&mut self, limit: Option<u32>) {
        self.limit = limit;
    }

    /// Queues a packet; [`drain`](Self::drain) sends it.
    pub(super) fn push(&mut self, packet: ToBroker) -> Result<(), NotEncoded> {
        let frame = packet.encode(self.version, self.limit)?;
        if self.buffer.is_empty() {
            self.buffer = frame;
        } else {
            self.buffer.extend_from_slice(&frame);
        }

        Ok(())
    }

    /// Whether something has not left yet.
    pub(super) fn waiting(&self) -> bool {
        self.unflushed || !self.buffer.is_empty()
    }

    /// Whether more may be queued.
    pub(super) fn has_room(&self) -> bool {
        self.buffer.len() < WRITE_AHEAD
    }

    /// Sends a part of what waits. May be cancelled without loss.
    pub(super) async fn drain(&mut self) -> Result<(), Ended> {
        if self.buffer.is_empty() {
            // TLS may hold back the last record until it is flushed.
            poll_fn(|context| Pin::new(&mut self.half).poll_flush(context)).await?;
            self.unflushed = false;
            return Ok(());
        }
        if self.half.write_buf(&mut self.buffer).await? == 0 {
            return Err(Ended::Io(io::ErrorKind::WriteZero.into()));
        }
        self.unflushed = true;

        Ok(())
    }

    /// Sends all that waits.
    pub(super) async fn drain_all(&mut self) -> Result<(), Ended> {
        while self.waiting() {
            self.drain().await?;
        }

        Ok(())
    }

    /// Sends all that waits and closes the connection.
    pub(super) async fn close(&mut self) -> Result<(), Ended> {
        self.drain_all().await?;

        Ok(self.half.shutdown().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(version: Version, max: u32, bytes: &[u8]) -> Incoming {
        let (ours, _theirs) = tokio::io::duplex(64);
        let (mut incoming, _) = split(Box::new(ours), version, max);
        incoming.buffer.extend_from_slice(bytes);
        incoming
    }

    #[tokio::test]
    async fn an_announced_length_beyond_the_limit_is_refused_before_it_arrives() {
        for version in [Version::V311, Version::V5] {
            let take = |bytes: &[u8]| incoming(version, 100, bytes).take();
            assert!(matches!(
                take(&[0x30, 0xff, 0xff, 0xff, 0x7f]),
                Err(Ended::TooLarge { bytes: 268_435_455, max: 100 })
            ));
            let endless = take(&[0x30, 0xff, 0xff, 0xff, 0xff]);
            assert!(matches!(endless, Err(Ended::Malformed { .. })), "{version}");
            assert!(matches!(take(&[0x30, 20, 0]), Ok(None)), "{version}");
        }
    }

    #[tokio::test]
    async fn any_bytes_are_a_packet_or_an_error_and_never_a_panic() {
        let seeds: [&[u8]; 10] = [
            &[0x20, 0x0b, 0, 0, 8, 0x27, 0, 1, 0, 0, 0x21, 0, 20],
            &[0x20, 2, 0, 1],
            &[0x32, 0x0c, 0, 3, b'a', b'/', b'b', 0, 1, 2, 0x01, 1, b'x', b'y'],
            &[0x32, 0x08, 0, 3, b'a', b'/', b'b', 0, 1, b'x'],
            &[0x40, 0x04, 0, 1, 0x87, 0],
            &[0x40, 0x02, 0, 1],
            &[0x90, 0x05, 0, 1, 0, 1, 0x87],
            &[0x90, 0x03, 0, 1, 0x80],
            &[0xb0, 0x04, 0, 1, 0, 0x11],
            &[0xe0, 0x07, 0x8b, 5, 0x1f, 0, 2, b'h', b'i'],
        ];
        for (seed, version) in seeds
            .into_iter()
            .flat_map(|seed| [Version::V311, Version::V5].map(|version| (seed, version)))
        {
            for at in 0..seed.len() {
                take_all(version, &seed[..at]);
                for value in 0..=255 {
                    let mut bytes = seed.to_vec();
                    bytes[at] = value;
                    bytes.extend([0; 8]);
                    take_all(version, &bytes);
                }
            }
        }
    }

    fn take_all(version: Version, bytes: &[u8]) {
        let mut incoming = incoming(version, 1_000, bytes);
        while let Ok(Some(_)) = incoming.take() {}
    }
}
