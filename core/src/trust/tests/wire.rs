//! What is read by hand is what postcard reads, in the one spelling that it writes.

use proptest::collection::vec as many;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::sign::RevokedDraft;
use super::*;
use crate::trust::envelope::Envelope;
use crate::trust::wire::{self, Reader};
use crate::trust::{beacon, keys, manifest, revoked};

/// What becomes of a message on its way.
#[derive(Clone, Debug)]
enum Damage {
    Cut(usize),
    Insert(usize, u8),
    Remove(usize),
    Set(usize, u8),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    // Bytes that say something about a number are more likely than others.
    let byte = || prop_oneof![Just(0), Just(1), Just(0x7f), Just(0x80), Just(0xff), any::<u8>()];
    let one = prop_oneof![
        any::<usize>().prop_map(Damage::Cut),
        (any::<usize>(), byte()).prop_map(|(at, byte)| Damage::Insert(at, byte)),
        any::<usize>().prop_map(Damage::Remove),
        (any::<usize>(), byte()).prop_map(|(at, byte)| Damage::Set(at, byte)),
    ];

    many(one, 0..4)
}

fn damaged(good: &[u8], damages: &[Damage]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for damage in damages {
        let len = bytes.len();
        match *damage {
            Damage::Insert(at, byte) => bytes.insert(at % (len + 1), byte),
            _ if len == 0 => {}
            Damage::Cut(at) => bytes.truncate(at % len),
            Damage::Remove(at) => drop(bytes.remove(at % len)),
            Damage::Set(at, byte) => bytes[at % len] = byte,
        }
    }

    bytes
}

/// Both read the same, or both refuse.
fn agree<'a, T, U: Serialize>(
    bytes: &'a [u8],
    by_hand: Result<U, Refused>,
) -> Result<(), TestCaseError>
where
    T: Deserialize<'a> + Serialize,
{
    let by_postcard = wire::read::<T>(bytes).map(|value| postcard::to_allocvec(&value).unwrap());

    prop_assert_eq!(by_hand.map(|value| postcard::to_allocvec(&value).unwrap()), by_postcard);
    Ok(())
}

/// The payload without format and account.
fn body(envelope: &[u8]) -> &[u8] {
    wire::take_account(Envelope::read(envelope).unwrap().payload).unwrap().1
}

fn key_sets() -> Vec<u8> {
    let mut draft = key_set(1);
    draft.keys[0].audiences = Some(std::vec![audience(), Audience([1; 16])]);
    draft.retired = std::vec![KeyId([2; 8])];
    draft.compromised = std::vec![KeyId([3; 8]), KeyId([4; 8])];

    signed_by_roots(&draft)
}

fn list() -> Vec<u8> {
    let draft = RevokedDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: 1,
        counter: 300,
        base_version: 1,
        issued_at: UnixSeconds(T0),
        tokens: [1, 300, u64::MAX].into(),
        principals: [0, 127, 128, u32::MAX].into(),
    };

    draft.sign(&[&key(SNAPSHOT)]).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_envelope_is_read_as_postcard_reads_it(damages in damages()) {
        let bytes = damaged(&signed_by_roots(&key_set(1)), &damages);
        agree::<Envelope<'_>, _>(&bytes, Envelope::read(&bytes))?;
    }

    #[test]
    fn a_manifest_is_read_as_postcard_reads_it(damages in damages()) {
        let bytes = damaged(body(&envelope(&draft(1))), &damages);
        agree::<manifest::Body, _>(&bytes, manifest::Body::read(&bytes))?;
    }

    #[test]
    fn a_key_set_is_read_as_postcard_reads_it(damages in damages()) {
        let signed = key_sets();
        let bytes = damaged(body(&signed), &damages);
        let payload = [&[1][..], &ACCOUNT.0, &bytes].concat();
        agree::<keys::Body<'_>, _>(&bytes, keys::as_written(&payload))?;
    }

    #[test]
    fn the_numbers_of_beacons_and_lists_are_read_as_postcard_reads_them(damages in damages()) {
        let bytes = damaged(body(&list()), &damages);
        agree::<beacon::Body, _>(&bytes, beacon::Body::read(&bytes))?;
        let mut from = Reader::new(&bytes);
        let head = revoked::Head::read(&mut from).map(|head| (head, from.rest().len()));
        let by_postcard = wire::take::<revoked::Head>(&bytes).map(|(head, rest)| (head, rest.len()));
        let of = |(head, left): (revoked::Head, usize)| (postcard::to_allocvec(&head).unwrap(), left);
        prop_assert_eq!(head.map(of), by_postcard.map(of));
    }

    #[test]
    fn a_number_is_read_as_postcard_reads_it(bytes in many(prop_oneof![0_u8..3, 0x7e_u8..0x83, 0xfe_u8..], 0..12)) {
        let mut from = Reader::new(&bytes);
        let by_hand = from.u64().map(|number| (number, from.rest()));
        prop_assert_eq!(by_hand, wire::take::<u64>(&bytes));
        let mut from = Reader::new(&bytes);
        let by_hand = from.u32().map(|number| (number, from.rest()));
        prop_assert_eq!(by_hand, wire::take::<u32>(&bytes));
    }
}
