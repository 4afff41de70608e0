//! Bytes that brokers send, and bytes that none should.

use super::*;

const BOTH: [Version; 2] = [Version::V311, Version::V5];

fn decode(version: Version, bytes: &[u8]) -> Result<FromBroker, Ended> {
    FromBroker::decode(version, BytesMut::from(bytes))
}

#[test]
fn a_disconnect_without_properties_is_understood() {
    for (bytes, code) in
        [(&[0xe0, 0][..], 0), (&[0xe0, 1, 0x8e], 0x8e), (&[0xe0, 2, 0x8b, 0], 0x8b)]
    {
        let packet = decode(Version::V5, bytes).unwrap();
        assert_eq!(packet, FromBroker::Disconnect(Reason::new(code)));
    }
    let unknown = decode(Version::V5, &[0xe0, 1, 0x55]);
    assert!(matches!(unknown, Err(Ended::Malformed { .. })));
}

#[test]
fn a_malformed_packet_is_not_taken_for_an_unfinished_one() {
    // A PUBACK whose properties end early; one without its identifier.
    let early = decode(Version::V5, &[0x40, 4, 0, 1, 0, 0x85]);
    assert!(matches!(early, Err(Ended::Malformed { version: Version::V5, .. })));
    for version in BOTH {
        assert!(matches!(decode(version, &[0x40, 1, 0]), Err(Ended::Malformed { .. })));
    }
}

#[test]
fn of_answers_in_the_form_of_3_1_1_only_the_one_about_versions_says_that_there_is_no_5() {
    let answers = [
        (0, 0x84),
        (1, 0x84),
        (2, 0x85),
        (3, 0x88),
        (4, 0x86),
        (5, 0x87),
        (0x84, 0x84),
        (0x89, 0x89),
    ];
    for (code, reason) in answers {
        let packet = decode(Version::V5, &[0x20, 2, 0, code]).unwrap();
        assert_eq!(packet, FromBroker::Welcome(Welcome::plain(Reason::new(reason))), "{code}");
    }
    for code in 6..0x80 {
        let packet = decode(Version::V5, &[0x20, 2, 0, code]);
        assert!(matches!(packet, Err(Ended::Malformed { .. })), "{code}");
    }
    let said = decode(Version::V5, &[0x20, 3, 0, 0x84, 0]).unwrap();
    assert_eq!(said, FromBroker::Welcome(Welcome::plain(Reason::UNSUPPORTED_VERSION)));
}

#[test]
fn refusals_of_3_1_1_are_refusals() {
    for (code, reason) in [(1, 0x84), (2, 0x85), (3, 0x88), (4, 0x86), (5, 0x87)] {
        let packet = decode(Version::V311, &[0x20, 2, 0, code]).unwrap();
        assert_eq!(packet, FromBroker::Welcome(Welcome::plain(Reason::new(reason))));
    }
    let FromBroker::Subscribed { id: 9, reasons } =
        decode(Version::V311, &[0x90, 5, 0, 9, 1, 0x80, 0]).unwrap()
    else {
        panic!("a SUBACK")
    };
    let refused: Vec<_> = reasons.into_iter().map(Reason::is_refusal).collect();
    assert_eq!(refused, [false, true, false]);
    assert!(matches!(decode(Version::V311, &[0x90, 3, 0, 9, 3]), Err(Ended::Malformed { .. })));
}

#[test]
fn the_two_versions_have_different_bytes_for_the_same_words() {
    let publish = |version| {
        let publish = ToBroker::Publish {
            id: 7,
            topic: "t".to_owned(),
            payload: Bytes::from_static(b"x"),
            retain: true,
        };
        publish.encode(version, None).unwrap().to_vec()
    };
    assert_eq!(publish(Version::V311), [0x33, 6, 0, 1, b't', 0, 7, b'x']);
    assert_eq!(publish(Version::V5), [0x33, 7, 0, 1, b't', 0, 7, 0, b'x']);

    let bye = |version, publish_will| {
        ToBroker::Disconnect { publish_will }.encode(version, None).unwrap().to_vec()
    };
    assert_eq!(bye(Version::V311, false), [0xe0, 0]);
    assert_eq!(bye(Version::V311, true), [0; 0], "a DISCONNECT makes the broker forget the will");
    assert_eq!(bye(Version::V5, false)[..1], [0xe0]);
    assert_eq!(bye(Version::V5, true)[2], 0x04);
}

#[test]
fn a_will_and_the_wish_for_a_clean_session_reach_brokers_of_both_versions() {
    for (version, level) in [(Version::V311, 4), (Version::V5, 5)] {
        let hello = |will| Hello {
            client_id: "edge-7a".to_owned(),
            keep_alive_s: 30,
            max_packet: 1_000,
            receive_maximum: 16,
            will,
        };
        let plain = ToBroker::Connect(hello(None)).encode(version, None).unwrap();
        assert_eq!(plain[2..12], [0, 4, b'M', b'Q', b'T', b'T', level, 0x02, 0, 30]);
        let will = Will { topic: "gone".to_owned(), payload: b"!".to_vec(), retain: true };
        let with = ToBroker::Connect(hello(Some(will))).encode(version, None).unwrap();
        // Retained, QoS 1, a will, a clean session.
        assert_eq!(with[9], 0x2e);
        assert!(with.windows(6).any(|bytes| bytes == b"\0\x04gone"));
    }
}
