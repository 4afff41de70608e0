//! Bytes to packets and back, with rumqttc's codec behind one strict door.
//!
//! The codec reads only complete frames, so nothing is allocated for a length that has not
//! arrived. What it gets wrong is put right here: it refuses the short DISCONNECTs that the standard
//! allows and writes malformed ones, asks for "more bytes" inside a frame that is already complete,
//! and leaves the fixed header out of its size limit.

use std::io;

use bytes::BytesMut;
use rumqttc::v5::mqttbytes::Error as CodecError;
use rumqttc::v5::mqttbytes::v5::{Disconnect, DisconnectReasonCode, Packet};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The first byte of every DISCONNECT.
const DISCONNECT: u8 = 0xE0;

/// Why no further packet can be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadPacket {
    #[error("the other side closed the connection")]
    Closed,
    #[error("the connection broke")]
    Io(#[from] io::Error),
    #[error("not an MQTT 5 packet")]
    Malformed,
    #[error("larger than the limit that CONNACK announced")]
    TooLarge,
}

/// Waits for the next packet of at most `limit` bytes, fixed header included.
///
/// Safe to drop while waiting: what has arrived stays in `buffer`.
pub(crate) async fn read(
    wire: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    limit: u32,
) -> Result<Packet, BadPacket> {
    loop {
        if let Some(packet) = decode(buffer, limit)? {
            return Ok(packet);
        }
        if wire.read_buf(buffer).await? == 0 {
            return Err(BadPacket::Closed);
        }
    }
}

/// Takes one packet off the front of `buffer`; `None` while it is incomplete.
pub(crate) fn decode(buffer: &mut BytesMut, limit: u32) -> Result<Option<Packet>, BadPacket> {
    if let Some((reason_code, length)) = short_disconnect(buffer) {
        let _ = buffer.split_to(length);
        let reason_code = reason_code.try_into().map_err(|_| BadPacket::Malformed)?;
        return Ok(Some(Packet::Disconnect(Disconnect { reason_code, properties: None })));
    }

    let before = buffer.len();
    let read = Packet::read(buffer, Some(limit));
    let taken = before - buffer.len();
    match read {
        Ok(_) if u32::try_from(taken).is_ok_and(|taken| taken > limit) => Err(BadPacket::TooLarge),
        Ok(packet) => Ok(Some(packet)),
        Err(CodecError::InsufficientBytes(_)) if taken == 0 => Ok(None),
        Err(CodecError::PayloadSizeLimitExceeded { .. }) => Err(BadPacket::TooLarge),
        Err(_) => Err(BadPacket::Malformed),
    }
}

/// Appends a packet.
pub(crate) fn encode(packet: &Packet, buffer: &mut BytesMut) -> io::Result<()> {
    if let Packet::Disconnect(Disconnect { reason_code, properties: None }) = packet {
        // Remaining length, reason, no properties.
        buffer.extend_from_slice(&[DISCONNECT, 2, *reason_code as u8, 0]);
        return Ok(());
    }
    packet.write(buffer, None).map(drop).map_err(io::Error::other)
}

/// Reason and length of a DISCONNECT that leaves its properties out, or its reason too, which then
/// is a normal end (MQTT 5.0, sections 3.14.2.1 and 3.14.2.2.1).
fn short_disconnect(bytes: &[u8]) -> Option<(u8, usize)> {
    match bytes {
        [DISCONNECT, 0, ..] => Some((DisconnectReasonCode::NormalDisconnection as u8, 2)),
        [DISCONNECT, 1, reason, ..] => Some((*reason, 3)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::{Connect, Filter, LastWill, Login, Publish, Subscribe};

    use super::*;

    fn samples() -> Vec<Packet> {
        let connect = Connect {
            keep_alive: 10,
            client_id: "c".to_owned(),
            clean_start: true,
            properties: None,
        };
        let will = LastWill::new("a/b", "gone", QoS::AtLeastOnce, true, None);
        let mut publish = Publish::new("a/b", QoS::AtLeastOnce, "payload", None);
        publish.pkid = 7;
        vec![
            Packet::Connect(connect, Some(will), Some(Login::new("u", "p"))),
            Packet::Publish(publish),
            Packet::Subscribe(Subscribe {
                pkid: 3,
                filters: vec![Filter::new("a/#", QoS::AtLeastOnce)],
                properties: None,
            }),
        ]
    }

    fn bytes_of(packet: &Packet) -> BytesMut {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, None).unwrap();
        bytes
    }

    #[test]
    fn a_packet_cut_short_is_waited_for_and_a_flipped_byte_never_panics() {
        for packet in samples() {
            let whole = bytes_of(&packet);
            for end in 0..whole.len() {
                let mut short = BytesMut::from(&whole[..end]);
                assert!(matches!(decode(&mut short, 1000), Ok(None)));
            }
            for index in 0..whole.len() {
                for bit in 0..8 {
                    let mut flipped = whole.clone();
                    flipped[index] ^= 1 << bit;
                    let _ = decode(&mut flipped, 1000);
                }
            }
            assert_eq!(decode(&mut whole.clone(), 1000).unwrap(), Some(packet));
        }
    }

    #[test]
    fn the_limit_counts_the_whole_packet_and_holds_before_it_has_arrived() {
        let mut whole = bytes_of(&samples()[1]);
        let length = u32::try_from(whole.len()).unwrap();
        assert!(matches!(decode(&mut whole.clone(), length), Ok(Some(_))));
        assert!(matches!(decode(&mut whole, length - 1), Err(BadPacket::TooLarge)));
        let mut announced = BytesMut::from(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F][..]);
        assert!(matches!(decode(&mut announced, 1000), Err(BadPacket::TooLarge)));
    }

    #[test]
    fn a_disconnect_may_leave_out_what_is_nothing_and_survives_the_way_there_and_back() {
        let disconnect =
            |reason_code| Packet::Disconnect(Disconnect { reason_code, properties: None });
        let normal = disconnect(DisconnectReasonCode::NormalDisconnection);
        let with_will = disconnect(DisconnectReasonCode::DisconnectWithWillMessage);
        let mut written = BytesMut::new();
        encode(&with_will, &mut written).unwrap();
        for (bytes, expected) in [
            (&[0xE0, 0x00][..], &normal),
            (&[0xE0, 0x01, 0x04], &with_will),
            (&[0xE0, 0x02, 0x04, 0x00], &with_will),
            (&written, &with_will),
        ] {
            let mut buffer = BytesMut::from(bytes);
            assert_eq!(decode(&mut buffer, 1000).unwrap().as_ref(), Some(expected));
            assert!(buffer.is_empty());
        }
        let mut nonsense = BytesMut::from(&[0xE0, 0x01, 0x03][..]);
        assert!(matches!(decode(&mut nonsense, 1000), Err(BadPacket::Malformed)));
    }

    #[test]
    fn a_complete_frame_that_asks_for_more_is_malformed() {
        // PUBLISH whose property length has no end within the frame.
        let mut bytes = BytesMut::from(&[0x30, 0x04, 0x00, 0x01, b'a', 0x80][..]);
        assert!(matches!(decode(&mut bytes, 1000), Err(BadPacket::Malformed)));
    }
}
