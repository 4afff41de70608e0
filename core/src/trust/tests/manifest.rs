//! Manifests, the envelope around them, and the message that carries both.

use proptest::prelude::*;

use super::*;
use crate::trust::envelope::{Envelope, Kind, Signed};
use crate::trust::manifest::{MAX_EXPIRES_AFTER, MAX_MESSAGE, split};
use crate::trust::sign::{TooMany, message, seal_payload};

#[test]
fn what_was_signed_is_read() {
    let manifest = manifest(&draft(17));

    assert_eq!(manifest.account(), ACCOUNT);
    assert_eq!(manifest.audience(), audience());
    assert_eq!(manifest.version(), Version { epoch: 1, number: 17 });
    assert_eq!(manifest.issued_at(), UnixSeconds(T0));
    assert_eq!(manifest.stale_at(), UnixSeconds(T0 + 3_600));
    assert_eq!(manifest.expires_at(), UnixSeconds(T0 + 7 * DAY));
    assert_eq!((manifest.file_len(), manifest.chunk_log2()), (100_000, 15));
    assert_eq!(manifest.chunk_count(), 4);
    assert_eq!(manifest.root(), Root([7; 32]));
    assert_eq!(manifest.revoked_counter(), 3);
    assert!(manifest.allow_observe() && !manifest.allow_drop());
    assert_eq!(manifest.deltas(), draft(17).deltas);
}

#[test]
fn the_payload_is_as_written_down() {
    let mut draft = draft(300);
    draft.deltas.clear();
    let envelope = envelope(&draft);

    let mut expected = vec![1, 92, 1];
    expected.extend([0xac; 16]);
    expected.extend(audience().0);
    expected.extend([1, 0xac, 0x02]);
    expected.extend([0x80, 0xa4, 0xa7, 0xda, 0x06]);
    expected.extend([0x90, 0x1c, 0x80, 0xf5, 0x24, 0xa0, 0x8d, 0x06, 15]);
    expected.extend([7; 32]);
    expected.extend([3, 1, 0]);
    expected[1] = u8::try_from(expected.len() - 2).unwrap();
    expected.push(1);
    expected.extend(id(&key(SNAPSHOT)).0);
    expected.extend([1, 64]);
    assert_eq!(envelope[..expected.len()], expected);
    assert_eq!(envelope.len(), expected.len() + 64);
}

#[test]
fn h2_every_flipped_bit_and_every_truncation_of_a_manifest_is_refused() {
    let keys = anchor();
    every_damage_is_refused(&envelope(&draft(1)), |bytes| {
        Manifest::verify(bytes, &keys, audience()).is_ok()
    });
}

#[test]
fn h2_every_truncation_of_a_message_is_refused() {
    let good = message(&envelope(&draft(1)), &[(1, b"delta"), (2, b"")]).unwrap();
    let read = split(&good).unwrap();
    assert_eq!(read.envelope, envelope(&draft(1)));
    assert_eq!((read.deltas[0].from, read.deltas[0].bytes), (1, b"delta".as_slice()));

    for len in 0..good.len() {
        assert!(split(&good[..len]).is_err());
    }
    assert!(split(&[&good[..], &[0]].concat()).is_err());
    assert_eq!(message(&[], &[(0, b"".as_slice()); 5]), Err(TooMany("deltas")));
}

#[test]
fn h3_a_manifest_for_another_audience_is_refused() {
    let mut draft = draft(1);
    draft.audience = Audience::of(ACCOUNT, "line-2");
    assert_eq!(refusal(&draft), Refused::OtherAudience);
}

#[test]
fn h4_a_manifest_for_another_account_is_refused() {
    let mut draft = draft(1);
    draft.account = OTHER;
    assert_eq!(refusal(&draft), Refused::OtherAccount);
}

#[test]
fn a_manifest_of_another_epoch_is_refused_and_says_which_way() {
    let mut draft = draft(1);
    draft.keyset = 2;
    assert_eq!(refusal(&draft), Refused::NewerKeys(2));

    let next = anchor().follow(&signed_by_roots(&key_set(2))).unwrap();
    let old = envelope(&super::draft(1));
    assert_eq!(Manifest::verify(&old, &next, audience()).unwrap_err(), Refused::OldKeys);
}

#[test]
fn a_key_of_another_role_signs_no_manifest() {
    for number in [1, BEACON, COLLECTOR, STRANGER] {
        let bytes = draft(1).sign(&[&key(number)]).unwrap();
        let refused = Manifest::verify(&bytes, &anchor(), audience()).unwrap_err();
        assert_eq!(refused, Refused::Unsigned, "key {number}");
    }
}

#[test]
fn unknown_keys_are_ignored_beside_a_good_one() {
    let bytes = draft(1).sign(&[&key(STRANGER), &key(SNAPSHOT)]).unwrap();
    assert!(Manifest::verify(&bytes, &anchor(), audience()).is_ok());
}

#[test]
fn a_signature_under_another_domain_is_refused() {
    let good = envelope(&draft(1));
    let payload = Envelope::open(&good, Kind::Manifest).unwrap().payload;
    for kind in Kind::ALL {
        let mut bytes = seal_payload(kind, payload, &[&key(SNAPSHOT)]).unwrap();
        let refused = Manifest::verify(&bytes, &anchor(), audience()).err();
        let expected = (kind != Kind::Manifest).then_some(Refused::OtherType);
        assert_eq!(refused, expected);

        bytes[0] = Kind::Manifest as u8;
        let refused = Manifest::verify(&bytes, &anchor(), audience()).err();
        let expected = (kind != Kind::Manifest).then_some(Refused::Unsigned);
        assert_eq!(refused, expected, "{kind:?}");
    }
}

#[test]
fn h9_an_unknown_format_is_refused() {
    let good = envelope(&draft(1));
    let mut payload = Envelope::open(&good, Kind::Manifest).unwrap().payload.to_vec();
    payload[0] = 2;
    let bytes = seal_payload(Kind::Manifest, &payload, &[&key(SNAPSHOT)]).unwrap();
    let refused = Manifest::verify(&bytes, &anchor(), audience()).unwrap_err();
    assert_eq!(refused, Refused::UnknownFormat);
}

#[test]
fn n6_an_unknown_permission_of_a_manifest_grants_nothing_and_stops_no_gateway() {
    let mut draft = draft(1);
    (draft.allow_observe, draft.allow_drop) = (false, false);
    draft.deltas.clear();
    let good = envelope(&draft);
    let mut payload = Envelope::open(&good, Kind::Manifest).unwrap().payload.to_vec();
    // Behind it stands the number of deltas.
    let allow = payload.len() - 2;
    for (bits, observe, drop) in [(0b1111_1100, false, false), (0xff, true, true)] {
        payload[allow] = bits;
        let bytes = seal_payload(Kind::Manifest, &payload, &[&key(SNAPSHOT)]).unwrap();
        let manifest = Manifest::verify(&bytes, &anchor(), audience()).unwrap();
        assert_eq!((manifest.allow_observe(), manifest.allow_drop()), (observe, drop), "{bits:b}");
    }
}

#[test]
fn a_remainder_that_was_signed_is_refused_too() {
    let good = envelope(&draft(1));
    let payload = Envelope::open(&good, Kind::Manifest).unwrap().payload;
    let longer = [payload, &[0]].concat();
    let bytes = seal_payload(Kind::Manifest, &longer, &[&key(SNAPSHOT)]).unwrap();
    let refused = Manifest::verify(&bytes, &anchor(), audience()).unwrap_err();
    assert_eq!(refused, Refused::Malformed);
}

#[test]
fn a_second_spelling_of_a_length_is_refused() {
    let good = envelope(&draft(1));
    let (typ, rest) = good.split_first().unwrap();
    assert!(rest[0] < 0x80, "one byte of length");
    let longer = [&[*typ, rest[0] | 0x80, 0], &rest[1..]].concat();
    assert_eq!(Manifest::verify(&longer, &anchor(), audience()).unwrap_err(), Refused::Malformed);
}

#[test]
fn h17_a_length_of_four_gib_is_refused_before_anything_is_kept() {
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let typ = [Kind::Manifest as u8];
    let no_payload = [typ.as_slice(), &[0]].concat();
    for bytes in [&[&typ[..], &huge].concat(), &[&no_payload[..], &huge].concat()] {
        let refused = Manifest::verify(bytes, &anchor(), audience()).unwrap_err();
        assert_eq!(refused, Refused::Malformed);
    }
    assert_eq!(split(&huge).unwrap_err(), Refused::Malformed);
    assert_eq!(split(&[&[0][..], &huge].concat()).unwrap_err(), Refused::Malformed);

    let long = vec![0; MAX_ENVELOPE + 1];
    assert_eq!(Manifest::verify(&long, &anchor(), audience()).unwrap_err(), Refused::TooLong);
    assert_eq!(split(&vec![0; MAX_MESSAGE + 1]).unwrap_err(), Refused::TooLong);
    assert_eq!(split(&message(&long, &[]).unwrap()).unwrap_err(), Refused::TooLong);
}

#[test]
fn more_signatures_than_may_be_are_refused() {
    let keys: Vec<_> = (20..29).map(key).collect();
    let all: Vec<_> = keys.iter().collect();
    assert_eq!(draft(1).sign(&all), Err(TooMany("signatures")));

    let good = envelope(&draft(1));
    let bytes = [0; 64];
    let one = || Signed { key: KeyId([0; 8]), algorithm: 1, bytes: &bytes };
    let payload = Envelope::open(&good, Kind::Manifest).unwrap().payload;
    let nine: Vec<_> = (0..9).map(|_| one()).collect();
    let bytes = postcard::to_allocvec(&(1_u8, payload, nine)).unwrap();
    assert!(Envelope::read(&bytes).is_err());
}

#[test]
fn e12_h17_numbers_out_of_all_bounds_are_refused_though_signed() {
    let spoils: [fn(&mut ManifestDraft); 11] = [
        |draft| draft.issued_at = UnixSeconds(u64::MAX),
        |draft| draft.issued_at = UnixSeconds(1 << 32),
        |draft| draft.expires_after = 0,
        |draft| draft.expires_after = MAX_EXPIRES_AFTER + 1,
        |draft| draft.expires_after = u32::MAX,
        |draft| draft.stale_after = draft.expires_after + 1,
        |draft| draft.file_len = 79,
        |draft| draft.file_len = (256 << 20) + 1,
        |draft| draft.file_len = u32::MAX,
        |draft| draft.chunk_log2 = 11,
        |draft| draft.chunk_log2 = 21,
    ];
    for (at, spoil) in spoils.iter().enumerate() {
        let mut draft = draft(1);
        spoil(&mut draft);
        assert_eq!(refusal(&draft), Refused::Absurd, "{at}");
    }
    let mut widest = draft(u64::MAX);
    widest.expires_after = MAX_EXPIRES_AFTER;
    widest.stale_after = MAX_EXPIRES_AFTER;
    widest.file_len = 256 << 20;
    widest.chunk_log2 = 12;
    assert_eq!(manifest(&widest).chunk_count(), 65_536);
}

#[test]
fn what_was_signed_after_its_key_set_expired_is_refused() {
    let mut late = draft(1);
    late.issued_at = UnixSeconds(T0 + 365 * DAY);
    assert_eq!(refusal(&late), Refused::KeysExpired);
}

#[test]
fn s_in_a_second_form_is_refused() {
    // The order of the group, little-endian: S and S + L would both satisfy the equation.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut bytes = envelope(&draft(1));
    let start = bytes.len() - 32;
    let mut carry = 0;
    for (place, byte) in bytes[start..].iter_mut().zip(L) {
        let sum = u16::from(*place) + u16::from(byte) + carry;
        *place = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(Manifest::verify(&bytes, &anchor(), audience()).unwrap_err(), Refused::Unsigned);
}

#[test]
fn every_refusal_has_its_own_code_and_says_what_to_do() {
    let version = Version::default();
    let all = [
        Refused::Absurd,
        Refused::AlgorithmMissing,
        Refused::Damaged,
        Refused::Expired,
        Refused::Fork,
        Refused::HashList,
        Refused::IssuedAhead,
        Refused::KeysExpired,
        Refused::KeysUnusable,
        Refused::Malformed,
        Refused::NewerKeys(2),
        Refused::OldKeys,
        Refused::OtherAccount,
        Refused::OtherAudience,
        Refused::OtherGateway,
        Refused::OtherType,
        Refused::Rollback { held: version, offered: version },
        Refused::TooLong,
        Refused::Unsigned,
        Refused::UnknownFormat,
    ];
    for refused in all {
        assert_eq!(all.iter().filter(|other| other.code() == refused.code()).count(), 1);
        let text = std::format!("{refused}");
        assert!(text.contains("; ") && !text.ends_with('.'), "{text}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Manifest::verify(&bytes, &anchor(), audience());
        let _ = KeySet::anchor(&bytes, ACCOUNT);
        let _ = split(&bytes);
        let _ = Floor::decode(&bytes);
    }

    #[test]
    fn no_signed_payload_makes_it_panic(
        mut bytes in proptest::collection::vec(any::<u8>(), 1..300),
        kind in 0..7_usize,
    ) {
        bytes[0] = 1;
        let kind = Kind::ALL[kind];
        let keys: Vec<_> = [1, 2, SNAPSHOT, COLLECTOR].map(key).into_iter().collect();
        let signers: Vec<_> = keys.iter().collect();
        let sealed = seal_payload(kind, &bytes, &signers).unwrap();
        let (gateway, incarnation) = (GatewayId([0; 16]), Incarnation([0; 8]));
        let _ = Manifest::verify(&sealed, &anchor(), audience());
        let _ = KeySet::anchor(&sealed, ACCOUNT);
        let _ = Receipt::verify(&sealed, &anchor(), gateway, incarnation);
        let _ = Status::verify(&sealed, &key(1).verifying_key(), ACCOUNT, gateway);
    }
}
