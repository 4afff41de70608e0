//! What a record promises, whatever is in it.

extern crate std;

use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use proptest::prelude::*;

use super::*;
use crate::token::{self, Lookup, Secret};

const NAME: &str = "a name of 24 characters!";
const RESOURCE: &str = "device/0123456789abcdef0";
/// Length, checksum and tag around a record on disk.
const FRAMING: usize = 2 + 4 + TAG_LEN;

/// What a busy gateway writes a year after it was installed.
fn allow() -> Record<'static> {
    Record {
        seq: 100_000_000,
        boot: 300,
        created_at: UnixMillis(1_800_000_000_000),
        mono: Millis(3_000_000_000),
        quality: TimeQuality::Synced,
        authentication: Authentication::ApiToken,
        principal: Some(Who { id: Uuid([1; 16]), name: NAME }),
        credential: Credential::Verified(Lookup { kind: 1, id: u64::MAX }),
        operation: Some(Operation::Write),
        permission: Permission::new(5),
        division: Some(Uuid([2; 16])),
        resource: Some(RESOURCE),
        method: Some(Method::Put),
        snapshot_version: 100_000,
        source: Source::V4([192, 0, 2, 1]),
        route: Some(80),
        ..Record::new(Outcome::Allow(Reason::Ok))
    }
}

fn encoded(record: &Record<'_>) -> Vec<u8> {
    let mut buffer = vec![0; MAX_RECORD];
    let len = record.encode(&mut buffer).unwrap();
    buffer.truncate(len);

    buffer
}

#[test]
fn a_record_with_a_name_and_a_resource_of_24_bytes_takes_at_most_144_on_disk() {
    assert_eq!((NAME.len(), RESOURCE.len()), (24, 24));
    let len = encoded(&allow()).len() + FRAMING;

    assert!(len <= 144, "{len} bytes");
}

#[test]
fn the_longest_record_fits() {
    let text = "x".repeat(MAX_PATH);
    let longest = Record {
        seq: u64::MAX,
        boot: u32::MAX,
        mono: Millis(u64::MAX),
        created_at: UnixMillis(u64::MAX),
        principal: Some(Who { id: Uuid([1; 16]), name: &text[..128] }),
        credential: Credential::Certificate([1; 16]),
        action: Some(&text[..MAX_ACTION]),
        resource: Some(&text[..MAX_RESOURCE]),
        path: Some(&text),
        request_id: Some(&text[..MAX_REQUEST_ID]),
        snapshot_version: u64::MAX,
        snapshot: Some(SnapshotName { epoch: u32::MAX, number: u64::MAX, root: [1; 32] }),
        source: Source::V6([1; 16]),
        route: Some(u16::MAX),
        count: u32::MAX,
        span: Some((u64::MAX, u64::MAX)),
        dropped_before: u32::MAX,
        ..allow()
    };

    assert!(encoded(&longest).len() <= MAX_RECORD);
}

#[test]
fn i1_an_api_token_is_recorded_under_its_administrators_username() {
    let bytes = encoded(&Record {
        principal: Some(Who { id: Uuid([1; 16]), name: "ana.ruiz" }),
        ..allow()
    });
    let read = Record::decode(&bytes).unwrap();

    assert_eq!(read.authentication.name(), "api_token");
    assert_eq!(read.principal.unwrap().name, "ana.ruiz");
}

#[test]
fn i2_n14_a_service_user_is_recorded_under_its_friendly_name_with_kind_and_id() {
    let bytes = encoded(&Record {
        authentication: Authentication::ServiceUser,
        principal: Some(Who { id: Uuid([3; 16]), name: "ana.ruiz" }),
        credential: Credential::Verified(Lookup { kind: 2, id: 7 }),
        ..allow()
    });
    let read = Record::decode(&bytes).unwrap();

    assert_eq!(read.authentication.name(), "service_user");
    assert_eq!(read.principal, Some(Who { id: Uuid([3; 16]), name: "ana.ruiz" }));
    assert_eq!(read.credential, Credential::Verified(Lookup { kind: 2, id: 7 }));
}

#[test]
fn i3_an_unknown_token_keeps_its_presented_id_unverified_and_nothing_of_its_secret() {
    let text = token::write(crate::principal::TokenKind::Api, 77, &Secret([0xa7; 32]));
    let presented = token::Token::read(&text).unwrap();
    let bytes = encoded(&Record {
        authentication: Authentication::None,
        principal: None,
        credential: Credential::Unverified(presented.lookup),
        ..Record::new(Outcome::Deny(Reason::UnknownToken))
    });

    let read = Record::decode(&bytes).unwrap();
    assert_eq!(read.credential, Credential::Unverified(Lookup { kind: 1, id: 77 }));
    assert!(!bytes.windows(4).any(|window| window == [0xa7; 4]));
}

#[test]
fn i4_a_token_pasted_where_it_does_not_belong_is_masked_before_it_is_kept_or_cut() {
    let text = token::write(crate::principal::TokenKind::Api, 77, &Secret([0xa7; 32]));
    let text = core::str::from_utf8(&text).unwrap();
    let secret = &text[18..];
    for before in 0..MAX_RESOURCE + 2 {
        let pasted = format!("{}{text}", "x".repeat(before));
        let kept = Text::<MAX_RESOURCE>::untrusted(&pasted);
        assert!(!kept.as_str().contains(&secret[..4]), "{kept:?}");
    }
    assert_eq!(Text::<8>::untrusted("abcdefgé").as_str(), "abcdefg", "cut between characters");
    assert_eq!(Text::<8>::untrusted("").non_empty(), None);
}

#[test]
fn a_record_that_was_cut_or_grew_is_refused_at_every_length() {
    let bytes = encoded(&allow());
    for len in 0..bytes.len() {
        assert!(Record::decode(&bytes[..len]).is_err(), "{len}");
    }
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(Record::decode(&longer), Err(BadRecord::Remainder));
}

#[test]
fn codes_that_this_build_does_not_know_are_refused() {
    let bytes = encoded(&allow());
    let codes = bytes.len() - encoded_after_codes();
    for (at, value) in [(0, 0b111), (1, 200), (2, 20 << 3)] {
        let mut unknown = bytes.clone();
        unknown[codes + at] = value;
        assert_eq!(Record::decode(&unknown), Err(BadRecord::Unknown), "{at}");
    }
}

/// How many bytes of `allow()` follow the place where the codes begin.
fn encoded_after_codes() -> usize {
    3 + 3 + 16 + 25 + 8 + 1 + 16 + 25 + 4 + 1
}

#[test]
fn a_text_too_long_for_a_record_is_refused_not_cut_in_silence() {
    let text = "x".repeat(129);
    let record = Record { principal: Some(Who { id: Uuid([1; 16]), name: &text }), ..allow() };

    assert_eq!(record.encode(&mut [0; MAX_RECORD]), Err(TooLong));
    assert_eq!(allow().encode(&mut [0; 20]), Err(TooLong));
}

prop_compose! {
    fn texts()(name in "\\PC{0,30}", path in "\\PC{0,60}", rest in "\\PC{0,8}") -> [String; 3] {
        [name, path, rest]
    }
}

proptest! {
    #[test]
    fn what_is_written_is_what_is_read(
        [name, path, rest] in texts(),
        numbers in any::<[u64; 4]>(),
        small in any::<[u32; 4]>(),
        codes in any::<[u8; 8]>(),
        there in any::<u16>(),
    ) {
        let there = |bit: u32| (there >> bit) & 1 == 1;
        let pick = |at: usize, all: usize| usize::from(codes[at]) % all;
        let reason = Reason::ALL[pick(0, Reason::ALL.len())];
        let outcome = match pick(1, 4) {
            0 => Outcome::Allow(reason),
            1 => Outcome::Deny(reason),
            2 => Outcome::Passthrough(reason),
            _ => Outcome::Event(Event::ALL[pick(0, Event::ALL.len())]),
        };
        let lookup = Lookup { kind: codes[2], id: numbers[3] };
        let record = Record {
            seq: numbers[0],
            boot: small[0],
            created_at: UnixMillis(numbers[1] >> 16),
            mono: Millis(numbers[2]),
            quality: [TimeQuality::Synced, TimeQuality::Holdover, TimeQuality::Floor, TimeQuality::Unknown][pick(3, 4)],
            authentication: Authentication::ALL[pick(4, 5)],
            principal: there(0).then_some(Who { id: Uuid([codes[0]; 16]), name: &name }),
            credential: match pick(5, 4) {
                0 => Credential::None,
                1 => Credential::Verified(lookup),
                2 => Credential::Unverified(lookup),
                _ => Credential::Certificate([codes[1]; 16]),
            },
            action: there(1).then_some(rest.as_str()),
            operation: there(2).then_some(Operation::ALL[pick(6, 7)]),
            permission: if there(3) { Permission::new(codes[3] % 64) } else { None },
            division: there(4).then_some(Uuid([codes[6]; 16])),
            resource: there(5).then_some(rest.as_str()),
            method: there(6).then_some(Method::ALL[pick(7, Method::ALL.len())]),
            path: there(7).then_some(path.as_str()),
            snapshot_version: numbers[2],
            snapshot: there(8).then_some(SnapshotName { epoch: small[1], number: numbers[0], root: [codes[5]; 32] }),
            stale: there(9),
            source: match pick(2, 4) {
                0 => Source::Unknown,
                1 => Source::Uid(small[1]),
                2 => Source::V4(small[2].to_le_bytes()),
                _ => Source::V6([codes[4]; 16]),
            },
            request_id: there(10).then_some(rest.as_str()),
            route: there(11).then_some(u16::from(codes[6])),
            count: small[2],
            span: there(12).then_some((numbers[3], numbers[0])),
            dropped_before: small[3],
            outcome,
        };
        prop_assume!(name.len() <= 128 && path.len() <= MAX_PATH && rest.len() <= MAX_REQUEST_ID);

        let bytes = encoded(&record);
        prop_assert_eq!(Record::decode(&bytes), Ok(record));
    }

    #[test]
    fn any_bytes_are_an_error_or_the_one_encoding_of_a_record(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(record) = Record::decode(&bytes) {
            prop_assert_eq!(encoded(&record), bytes);
        }
    }

    #[test]
    fn a_flipped_bit_is_an_error_or_another_record(at in 0..1000_usize, bit in 0..8) {
        let mut bytes = encoded(&allow());
        let at = at % bytes.len();
        bytes[at] ^= 1_u8 << bit;
        if let Ok(record) = Record::decode(&bytes) {
            prop_assert_ne!(record, allow());
            prop_assert_eq!(encoded(&record), bytes);
        }
    }
}
