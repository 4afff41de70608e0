//! Revocation lists: read where they arrived, in one spelling, in one order.

use super::*;
use crate::trust::envelope::Kind;
use crate::trust::revoked::MAX_ENTRIES;
use crate::trust::sign::{RevokedDraft, TooMany, seal_payload};

fn revoked_draft(counter: u64, tokens: impl IntoIterator<Item = u64>) -> RevokedDraft {
    RevokedDraft {
        account: ACCOUNT,
        audience: audience(),
        keyset: 1,
        counter,
        base_version: 9,
        issued_at: UnixSeconds(T0),
        tokens: tokens.into_iter().collect(),
        principals: [5, 300].into(),
    }
}

fn envelope(draft: &RevokedDraft) -> Vec<u8> {
    draft.sign(&[&key(SNAPSHOT)]).unwrap()
}

fn verify(bytes: &[u8]) -> Result<Revoked<'_>, Refused> {
    Revoked::verify(bytes, &anchor(), audience())
}

fn version(epoch: u32, number: u64) -> Version {
    Version { epoch, number }
}

#[test]
fn what_was_signed_is_read_in_order() {
    let bytes = envelope(&revoked_draft(4, [u64::MAX, 7, 300]));
    let list = verify(&bytes).unwrap();

    assert_eq!((list.number(), list.base()), (version(1, 4), version(1, 9)));
    assert_eq!(list.issued_at(), UnixSeconds(T0));
    assert_eq!(list.tokens().collect::<Vec<_>>(), [7, 300, u64::MAX]);
    assert_eq!(list.principals().collect::<Vec<_>>(), [5, 300]);
    assert_eq!((list.tokens().len(), list.principals().len()), (3, 2));
}

#[test]
fn the_message_that_revokes_one_token_has_at_most_250_bytes() {
    let mut one = revoked_draft(u64::from(u32::MAX), [u64::MAX]);
    one.base_version = u64::from(u32::MAX);
    one.principals.clear();
    let len = envelope(&one).len();

    assert!(len <= 250, "{len} bytes");
}

#[test]
fn every_flipped_bit_and_every_truncation_of_a_list_is_refused() {
    every_damage_is_refused(&envelope(&revoked_draft(4, [1, 2])), |bytes| verify(bytes).is_ok());
}

#[test]
fn h3_h4_a_list_for_others_or_by_others_is_refused() {
    let mut other = revoked_draft(4, [1]);
    other.audience = Audience::of(ACCOUNT, "line-2");
    assert_eq!(verify(&envelope(&other)).unwrap_err(), Refused::OtherAudience);
    other = revoked_draft(4, [1]);
    other.account = OTHER;
    assert_eq!(verify(&envelope(&other)).unwrap_err(), Refused::OtherAccount);
    other = revoked_draft(4, [1]);
    other.keyset = 3;
    assert_eq!(verify(&envelope(&other)).unwrap_err(), Refused::NewerKeys(3));
    for stranger in [BEACON, COLLECTOR, STRANGER, 1] {
        let bytes = revoked_draft(4, [1]).sign(&[&key(stranger)]).unwrap();
        assert_eq!(verify(&bytes).unwrap_err(), Refused::Unsigned, "key {stranger}");
    }
}

#[test]
fn signed_nonsense_is_refused() {
    let head = (1_u8, ACCOUNT.0, audience(), 1_u32, 4_u64, 9_u64, T0);
    let head = postcard::to_allocvec(&head).unwrap();
    let signed = |lists: &[u8]| {
        seal_payload(Kind::Revoked, &[&head[..], lists].concat(), &[&key(SNAPSHOT)]).unwrap()
    };

    assert!(verify(&signed(&[1, 7, 1, 5])).is_ok());
    let descending: &[u8] = &[2, 8, 7, 0];
    let twice: &[u8] = &[0, 2, 5, 5];
    let overlong: &[u8] = &[1, 0x87, 0x00, 0];
    let remainder: &[u8] = &[0, 0, 0];
    let cut: &[u8] = &[2, 7];
    let four_gib: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    let wide_principal: &[u8] = &[0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    for (what, lists) in [
        ("descending", descending),
        ("twice", twice),
        ("overlong varint", overlong),
        ("remainder", remainder),
        ("cut", cut),
        ("4 GiB", four_gib),
        ("principal past u32", wide_principal),
    ] {
        assert_eq!(verify(&signed(lists)).unwrap_err(), Refused::Malformed, "{what}");
    }
    let mut absurd = revoked_draft(4, [1]);
    absurd.issued_at = UnixSeconds(u64::MAX);
    assert_eq!(verify(&envelope(&absurd)).unwrap_err(), Refused::Absurd);
}

#[test]
fn a_list_has_at_most_4096_entries_of_both_kinds_together() {
    let entries = MAX_ENTRIES as u64 - 2;
    let full = envelope(&revoked_draft(4, (0..entries).map(|n| u64::MAX - n)));
    assert!(full.len() < MAX_ENVELOPE);
    assert!(verify(&full).is_ok());
    let more = revoked_draft(4, 0..=entries);
    assert_eq!(more.sign(&[&key(SNAPSHOT)]), Err(TooMany("revocations")));

    let head = (1_u8, ACCOUNT.0, audience(), 1_u32, 4_u64, 9_u64, T0);
    let ids: Vec<u64> = (0..=entries).collect();
    let payload = postcard::to_allocvec(&(head, ids, [5_u32, 300].as_slice())).unwrap();
    let signed = seal_payload(Kind::Revoked, &payload, &[&key(SNAPSHOT)]).unwrap();
    assert_eq!(verify(&signed).unwrap_err(), Refused::Malformed);
}

#[test]
fn an_older_list_is_refused_and_the_next_epoch_starts_again() {
    let floor = Floor::default().with_keys(&anchor()).with(&manifest(&draft(10)));
    let bytes = |counter| envelope(&revoked_draft(counter, [1]));
    let admit = |held, counter| floor.admit_revoked(held, &verify(&bytes(counter)).unwrap());
    let held = version(1, 4);

    assert_eq!(admit(held, 5), Ok(Admission::Newer));
    assert_eq!(admit(held, 4), Ok(Admission::Same));
    assert_eq!(admit(held, 3), Err(Refused::Rollback { held, offered: version(1, 3) }));

    let next = anchor().follow(&signed_by_roots(&key_set(2))).unwrap();
    let mut recovered = revoked_draft(1, [1]);
    recovered.keyset = 2;
    let bytes = envelope(&recovered);
    let list = Revoked::verify(&bytes, &next, audience()).unwrap();
    let floor = floor.with_keys(&next);
    assert_eq!(floor.admit_revoked(version(1, u64::MAX), &list), Ok(Admission::Newer));
}

#[test]
fn h19_a_list_that_is_lost_comes_back_and_no_older_one_instead() {
    let floor = Floor::default().with_keys(&anchor()).with(&manifest(&draft(10)));
    let floor = floor.with_revoked(version(1, 4), version(1, 9));
    let lost = Floor::decode(&floor.encode()).unwrap();
    let none = Version::default();
    let admit = |counter| {
        let bytes = envelope(&revoked_draft(counter, [1]));
        lost.admit_revoked(none, &verify(&bytes).unwrap())
    };

    let refused = Refused::Rollback { held: version(1, 4), offered: version(1, 3) };
    assert_eq!(admit(3), Err(refused));
    assert_eq!(admit(4), Ok(Admission::Newer), "what it says is not held");
    assert_eq!(admit(5), Ok(Admission::Newer));
}

#[test]
fn a_list_that_was_only_heard_of_keeps_no_earlier_one_out() {
    let mut heard = draft(10);
    heard.revoked_counter = 9;
    let floor = Floor::default().with_keys(&anchor()).with(&manifest(&heard));
    let bytes = envelope(&revoked_draft(4, [1]));

    let admitted = floor.admit_revoked(version(1, 3), &verify(&bytes).unwrap());
    assert_eq!(admitted, Ok(Admission::Newer));
}

#[test]
fn a_list_that_builds_on_a_snapshot_not_held_shows_that_there_is_one() {
    let floor = Floor::default().with_keys(&anchor()).with(&manifest(&draft(8)));
    let bytes = envelope(&revoked_draft(4, [1]));
    let behind = floor.with_revoked(verify(&bytes).unwrap().number(), version(1, 9));

    assert_eq!(behind.lacks_snapshot(), Some(version(1, 9)));
    assert_eq!(behind.lacks_list(version(1, 4)), None);
    assert_eq!(behind.lacks_list(version(1, 3)), Some(version(1, 4)));
}

#[test]
fn a_list_signed_with_a_compromised_key_is_void() {
    let bytes = envelope(&revoked_draft(4, [1]));
    let list = verify(&bytes).unwrap();
    let mut next = key_set(2);
    next.compromised = vec![id(&key(BEACON))];
    let other = anchor().follow(&signed_by_roots(&next)).unwrap();
    next.compromised = vec![id(&key(SNAPSHOT))];
    let theft = anchor().follow(&signed_by_roots(&next)).unwrap();

    assert!(!list.is_voided_by([&other]));
    assert!(list.is_voided_by([&theft]));
}
