//! Shape: what `build` writes is read back, and nothing else is taken for a snapshot.
#![expect(clippy::cast_possible_truncation, reason = "the numbers of a test are small")]

extern crate std;

use std::collections::BTreeSet;
use std::format;
use std::string::ToString;
use std::vec::Vec;

use super::build::{BadContents, Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use super::*;
use crate::division::Target;
use crate::permission::PermissionSet;
use crate::principal::PrincipalKind;
use crate::time::End;

/// A repeatable stream of numbers.
pub(crate) fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub(crate) fn id(n: u64) -> Uuid {
    let mut bytes = [0x11; 16];
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    Uuid(bytes)
}

/// `tokens` tokens of a third as many principals in up to 130 divisions.
pub(crate) fn contents(tokens: usize, seed: u64) -> Contents {
    let mut state = seed;
    let mut contents = Contents { account: id(7), ..Contents::default() };
    for at in 0..(tokens as u64 % 131) {
        contents.divisions.insert(id(at), format!("division {at}"));
    }
    let divisions: Vec<Uuid> = contents.divisions.keys().copied().collect();
    for key in 0..(tokens as u32).div_ceil(3) {
        let scope = match next(&mut state) % 3 {
            0 => Scope::All,
            1 => Scope::Only(BTreeSet::new()),
            _ => Scope::Only(
                divisions.iter().copied().filter(|_| next(&mut state).is_multiple_of(4)).collect(),
            ),
        };
        contents.principals.insert(
            key * 3,
            PrincipalEntry {
                id: id(1000 + u64::from(key)),
                name: format!("principal {key}"),
                kind: [PrincipalKind::User, PrincipalKind::SystemUser, PrincipalKind::ServiceUser]
                    [key as usize % 3],
                disabled: key % 7 == 0,
                no_iot_access: key % 11 == 0,
                permissions: PermissionSet(next(&mut state) & 0x7ffff & !(u64::from(key % 5) << 3)),
                scope,
                end: if key % 3 == 2 { End(2_000_000_000) } else { End::NEVER },
            },
        );
    }
    let keys: Vec<u32> = contents.principals.keys().copied().collect();
    for _ in 0..tokens {
        let token = TokenEntry {
            principal: keys[next(&mut state) as usize % keys.len()],
            disabled: next(&mut state).is_multiple_of(9),
            end: End(next(&mut state) as u32),
            verifier: [next(&mut state) as u8; 32],
        };
        contents.tokens.insert(next(&mut state), token);
    }
    for at in 0..tokens as u64 / 4 {
        let division = divisions.get(at as usize % (divisions.len() + 1)).copied();
        contents.resources.insert((1, id(at)), division);
    }
    contents
}

#[test]
fn h15_every_size_from_none_to_many_is_read_back_as_it_was_written() {
    for tokens in (0..300).chain([10_000]) {
        let contents = contents(tokens, tokens as u64);
        for verifier in [VerifierLen::Full, VerifierLen::Half] {
            let file = contents.compile(verifier).unwrap();
            let opened = unsigned(&file[..]).unwrap();
            let view = opened.view();

            assert_eq!(view.token_count(), contents.tokens.len());
            for (at, known) in contents.tokens.keys().enumerate() {
                assert_eq!(view.rank(*known), at);
            }
            for (row, (known, token)) in view.tokens().zip(&contents.tokens) {
                assert_eq!((row.id, row.disabled, row.end), (*known, token.disabled, token.end));
                assert_eq!(view.principal(row.owner).unwrap().key(), token.principal);
                assert!(token.verifier.starts_with(row.verifier));
            }
            for (principal, (key, entry)) in view.principals().zip(&contents.principals) {
                assert_eq!(principal.key(), *key);
                assert_eq!(principal.name(), entry.name);
                assert_eq!(principal.permissions(), entry.permissions);
                assert_eq!(principal.kind(), entry.kind);
                let scope = if principal.reaches_all_divisions() {
                    Scope::All
                } else {
                    Scope::Only(principal.divisions().collect())
                };
                assert_eq!(scope, entry.scope);
            }
            assert!(view.resources().eq(contents.resources.iter().map(|((k, i), d)| (*k, *i, *d))));
        }
    }
}

#[test]
fn j4_the_first_id_of_the_table_is_held_against_as_many_as_the_last_and_as_any_other() {
    for tokens in [1, 2, 3, 300, 10_000] {
        let contents = contents(tokens, 4);
        let file = contents.compile(VerifierLen::Full).unwrap();
        let opened = unsigned(&file[..]).unwrap();
        let view = opened.view();
        let ids = || contents.tokens.keys();
        let absent = [0, u64::MAX].into_iter().chain(ids().map(|id| id ^ 1));
        let (_, window) = view.window(*ids().next().unwrap());

        for id in ids().copied().chain(absent) {
            assert_eq!(view.window(id).1.len(), window.len(), "{id:x} of {tokens}");
        }
        for id in ids() {
            assert!(view.window(*id).1.iter().any(|other| other.get() == *id), "{id:x}");
        }
    }
}

#[test]
fn same_contents_same_bytes() {
    let one = contents(200, 1).compile(VerifierLen::Full).unwrap();

    assert_eq!(one, contents(200, 1).compile(VerifierLen::Full).unwrap());
}

#[test]
fn two_divisions_of_one_name_are_refused() {
    let mut contents = contents(40, 9);
    let last = contents.divisions.last_entry().unwrap().into_mut();
    assert_eq!(core::mem::replace(last, "division 3".into()), "division 39");
    let file = contents.compile(VerifierLen::Full).unwrap();

    assert_eq!(unsigned(&file[..]).unwrap_err(), Refused::Name);
}

#[test]
fn d8_every_truncation_is_refused_whole() {
    let file = contents(40, 9).compile(VerifierLen::Full).unwrap();
    for len in 0..file.len() {
        assert!(unsigned(&file[..len]).is_err(), "{len}");
    }
    let longer = [&file[..], &[0]].concat();
    assert!(unsigned(&longer[..]).is_err());
}

#[test]
fn h2_no_flipped_byte_makes_anything_panic_and_every_structural_one_is_refused() {
    let contents = contents(40, 9);
    let file = contents.compile(VerifierLen::Full).unwrap();
    for at in 0..file.len() {
        for flip in [1, 0x80, 0xff] {
            let mut bad = file.clone();
            bad[at] ^= flip;
            let Ok(opened) = unsigned(&bad[..]) else { continue };
            let view = opened.view();
            // What passes is another snapshot of good shape: only the signature tells them apart.
            let _ =
                view.principals().map(|p| p.divisions().count() + p.name().len()).sum::<usize>();
            let _ = view.tokens().count() + view.rank(0) + view.rank(u64::MAX);
            assert!(at >= 8 && bad[..8] == MAGIC);
        }
    }
}

#[test]
fn h16_a_token_id_that_stands_twice_is_refused() {
    let file = contents(9, 3).compile(VerifierLen::Full).unwrap();
    let opened = unsigned(&file[..]).unwrap();
    let view = opened.view();
    let [first, second, ..] = view.ids else { panic!("there are nine") };
    let needle = second.get().to_le_bytes();
    let at = file.windows(8).position(|window| window == needle).unwrap();
    let mut bad = file.clone();
    bad[at..at + 8].copy_from_slice(&first.get().to_le_bytes());

    assert_eq!(unsigned(&bad[..]).unwrap_err(), Refused::Order);
}

#[test]
fn h9_an_unknown_format_or_critical_feature_is_refused_and_another_feature_is_not() {
    let file = contents(9, 3).compile(VerifierLen::Full).unwrap();
    let with = |at: usize, byte: u8| {
        let mut other = file.clone();
        other[at] = byte;
        unsigned(other).map(|_| ())
    };

    assert_eq!(with(7, b'2'), Err(Refused::UnknownFormat));
    assert_eq!(with(52, 1), Err(Refused::UnknownFeature));
    assert_eq!(with(56, 1), Ok(()));
    assert_eq!(with(68, 2), Err(Refused::UnknownStatus));
}

#[test]
fn b9_an_owner_past_the_table_is_refused() {
    let contents = contents(9, 3);
    let file = contents.compile(VerifierLen::Full).unwrap();
    let words = contents.divisions.len().div_ceil(64);
    let rows = 80
        + contents.divisions.len() * 22
        + unsigned(&file[..]).unwrap().view().grants.len() * 16
        + contents.principals.len() * (40 + 8 * words)
        + contents.tokens.len() * 8;
    let mut bad = file;
    bad[rows..rows + 4].copy_from_slice(&(contents.principals.len() as u32).to_le_bytes());

    assert_eq!(unsigned(&bad[..]).unwrap_err(), Refused::Reference);
}

#[test]
fn n5_all_divisions_beside_a_set_is_refused() {
    let mut contents = contents(0, 1);
    contents.divisions.insert(id(1), "a".to_string());
    contents.principals.insert(
        5,
        PrincipalEntry {
            id: id(2),
            name: "p".to_string(),
            kind: PrincipalKind::User,
            disabled: false,
            no_iot_access: false,
            permissions: PermissionSet::EMPTY,
            scope: Scope::Only([id(1)].into()),
            end: End::NEVER,
        },
    );
    let mut file = contents.compile(VerifierLen::Full).unwrap();
    let flags = 80 + 22 + 16 + 28;
    assert_eq!(file[flags], 0);
    file[flags] = SCOPE_ALL;

    assert_eq!(unsigned(&file[..]).unwrap_err(), Refused::Scope);
}

#[test]
fn h17_a_header_that_claims_4_gib_is_refused_before_anything_is_made() {
    let file = contents(9, 3).compile(VerifierLen::Full).unwrap();
    for at in [24, 28, 40, 44, 60, 64] {
        let mut bad = file.clone();
        bad[at..at + 4].fill(0xff);
        assert!(matches!(unsigned(&bad[..]).unwrap_err(), Refused::Counts | Refused::Length));
    }
}

#[test]
fn what_does_not_fit_is_refused_when_it_is_written() {
    let mut crowded = contents(0, 1);
    crowded.principals = contents(3, 1).principals;
    crowded.principals.values_mut().for_each(|p| p.scope = Scope::All);
    let entry = TokenEntry { principal: 0, disabled: false, end: End::NEVER, verifier: [0; 32] };
    crowded.tokens = (0..65).map(|low| (low, entry.clone())).collect();
    assert_eq!(crowded.compile(VerifierLen::Full), Err(BadContents::Crowded));

    let mut orphan = crowded.clone();
    orphan.tokens = [(1, TokenEntry { principal: 99, ..entry })].into();
    assert_eq!(orphan.compile(VerifierLen::Full), Err(BadContents::UnknownOwner(99)));

    let mut nowhere = contents(0, 1);
    nowhere.resources.insert((1, id(1)), Some(id(9)));
    assert_eq!(nowhere.compile(VerifierLen::Full), Err(BadContents::UnknownDivision(id(9))));
}

#[test]
fn a_division_is_found_by_name_and_by_id_and_any_other_is_foreign() {
    let contents = contents(70, 1);
    let file = contents.compile(VerifierLen::Full).unwrap();
    let opened = unsigned(&file[..]).unwrap();
    let view = opened.view();

    let by_name = view.division("division 66");
    assert!(matches!(by_name, Target::Division(index) if view.division_id(index) == Some(id(66))));
    assert_eq!(view.division(&id(66).to_string()), by_name);
    assert_eq!(view.division("division 71"), Target::Foreign);
    assert_eq!(view.division(&id(71).to_string()), Target::Foreign);
}
