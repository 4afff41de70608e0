//! What comes of a delta is what compiling gives, bit by bit; anything else is refused.

extern crate std;

use std::string::ToString;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::permission::PermissionSet;
use crate::principal::PrincipalKind;
use crate::snapshot::build::{Contents, PrincipalEntry, Scope, TokenEntry, VerifierLen};
use crate::snapshot::tests::{contents, id, next};
use crate::snapshot::{Refused, chunk, unsigned};
use crate::time::End;

mod hostile;
mod message;
mod room;

const LOG2: u8 = 15;

fn compile(contents: &Contents) -> Vec<u8> {
    contents.compile(VerifierLen::Full).unwrap()
}

/// Applies a delta to a file, with little room and with more: nothing but the time may differ.
fn apply(old: &[u8], delta: &[u8]) -> Result<Vec<u8>, NotApplied> {
    let least = apply_with(old, delta, 0);
    assert_eq!(apply_with(old, delta, 50), least);

    least
}

fn apply_with(old: &[u8], delta: &[u8], more: usize) -> Result<Vec<u8>, NotApplied> {
    let delta = Delta::read(delta)?;
    let base = unsigned(old).unwrap();
    let mut marks = vec![Mark::default(); delta.room() + more];
    let ready = delta.on_unsigned(&base, &mut marks)?;
    let mut file = Vec::new();
    ready.write(&mut file)?;
    assert_eq!(file.len(), usize::try_from(ready.file_len()).unwrap());

    Ok(file)
}

/// Goes from one to the other by delta, in both directions.
fn both_ways(old: &Contents, new: &Contents, why: &str) {
    for verifier in [VerifierLen::Full, VerifierLen::Half] {
        let files = [old, new].map(|contents| contents.compile(verifier).unwrap());
        for [from, to] in [[0, 1], [1, 0], [0, 0]] {
            let delta = make(&files[from], &files[to], LOG2).unwrap();
            assert_eq!(apply(&files[from], &delta), Ok(files[to].clone()), "{why}");
        }
    }
}

fn user(name: &str, permissions: u64) -> PrincipalEntry {
    PrincipalEntry {
        id: id(9_000_000),
        name: name.into(),
        kind: PrincipalKind::User,
        disabled: false,
        no_iot_access: false,
        permissions: PermissionSet(permissions),
        scope: Scope::All,
        end: End::NEVER,
    }
}

fn token(principal: u32) -> TokenEntry {
    TokenEntry { principal, disabled: false, end: End::NEVER, verifier: [7; 32] }
}

type Change = (&'static str, fn(&mut Contents));

const CHANGES: [Change; 18] = [
    ("nothing changes", |_| {}),
    ("a token is disabled", |all| {
        all.tokens.first_entry().unwrap().get_mut().disabled ^= true;
    }),
    ("the last token is deleted", |all| {
        all.tokens.pop_last();
    }),
    ("every token is deleted", |all| all.tokens.clear()),
    ("the first and the last possible token come", |all| {
        all.tokens.insert(0, token(9));
        all.tokens.insert(u64::MAX, token(9));
    }),
    ("ten tokens come", |all| {
        let mut state = 77;
        all.tokens.extend((0..10).map(|_| (next(&mut state), token(9))));
    }),
    ("a token changes its owner", |all| {
        let owner = *all.principals.first_key_value().unwrap().0;
        all.tokens.last_entry().unwrap().get_mut().principal = owner;
    }),
    ("an administrator is disabled", |all| {
        all.principals.get_mut(&9).unwrap().disabled ^= true;
    }),
    ("an administrator is renamed", |all| {
        all.principals.get_mut(&9).unwrap().name = "a much longer name than it had before".into();
    }),
    ("a role changes", |all| {
        let old = all.principals[&9].permissions;
        let holders = all.principals.values_mut().filter(|one| one.permissions == old);
        holders.for_each(|one| one.permissions = PermissionSet(0x7_0000_0000));
    }),
    ("the first principal goes with its tokens", |all| remove(all, 0)),
    ("a principal in the middle goes with its tokens", |all| remove(all, 12)),
    ("the last principal goes with its tokens", |all| {
        remove(all, *all.principals.last_key_value().unwrap().0);
    }),
    ("principals come before, between and after", |all| {
        for key in [1, 4, 5, u32::MAX] {
            all.principals.insert(key, user("new", 0x55));
            all.tokens.insert(u64::from(key) << 20, token(key));
        }
    }),
    ("one goes, two come in its place", |all| {
        remove(all, 6);
        all.principals.insert(7, user("after", 0x99));
        all.principals.insert(5, user("before", 0x9a));
        all.tokens.insert(1 << 50, token(7));
    }),
    ("every principal has the same rights", |all| {
        all.principals.values_mut().for_each(|one| one.permissions = PermissionSet(1));
    }),
    ("the account is suspended", |all| all.suspended ^= true),
    ("extensions and resources change", |all| {
        all.ext = if all.ext.is_empty() { vec![0, 0] } else { Vec::new() };
        all.resources.pop_first();
        all.resources.insert((2, id(5)), None);
        if let Some(last) = all.resources.last_entry() {
            *last.into_mut() = all.divisions.keys().next().copied();
        }
    }),
];

fn remove(all: &mut Contents, key: u32) {
    all.principals.remove(&key);
    all.tokens.retain(|_, token| token.principal != key);
}

#[test]
fn every_kind_of_change_is_bit_identical_to_compiling_there_and_back() {
    for tokens in [30, 150, 300] {
        for (why, change) in CHANGES {
            let old = contents(tokens, 5);
            let mut new = old.clone();
            change(&mut new);
            both_ways(&old, &new, why);
        }
    }
}

#[test]
fn every_pair_of_changes_at_once_is_bit_identical() {
    for (first, one) in CHANGES {
        for (second, other) in CHANGES {
            let old = contents(40, 8);
            let mut new = old.clone();
            one(&mut new);
            // Some changes leave nothing for others to change.
            if !new.tokens.is_empty() && new.principals.contains_key(&9) {
                other(&mut new);
            }
            let (old, new) = (compile(&old), compile(&new));
            let delta = make(&old, &new, LOG2).unwrap();
            assert_eq!(apply(&old, &delta), Ok(new), "{first}, {second}");
        }
    }
}

#[test]
fn from_nobody_to_somebody_and_back() {
    let nobody = Contents { account: id(7), ..Contents::default() };
    let mut somebody = nobody.clone();
    somebody.principals.insert(3, user("ana.ruiz", 1));
    let mut with_token = somebody.clone();
    with_token.tokens.insert(5, token(3));

    both_ways(&nobody, &somebody, "a principal");
    both_ways(&nobody, &with_token, "a token");
    both_ways(&somebody, &with_token, "a token of a known principal");
}

#[test]
fn grants_whose_keys_collide_keep_the_keys_that_were_compiled() {
    // Found by trying: the keys of both hang on the same first four bytes, so the greater set gets
    // the next free key, and gives it back when the lesser one goes.
    let (less, more) = collision();
    let mut old = contents(30, 5);
    old.principals.insert(1, user("less", less));
    old.principals.insert(2, user("more", more));
    let mut new = old.clone();
    new.principals.remove(&1);

    both_ways(&old, &new, "the lesser set goes");
}

/// Two permission sets whose keys would be the same.
fn collision() -> (u64, u64) {
    use sha2::{Digest as _, Sha256};
    let mut seen = std::collections::HashMap::new();
    for set in 0..u64::MAX {
        let hash = Sha256::new_with_prefix(b"gwd-grant\0").chain_update(set.to_le_bytes());
        let key: [u8; 4] = hash.finalize()[..4].try_into().unwrap();
        if let Some(before) = seen.insert(key, set) {
            return (before, set);
        }
    }
    unreachable!("four bytes collide soon")
}

#[test]
fn other_divisions_another_account_or_other_verifiers_are_published_whole() {
    let old = contents(30, 5);
    let file = compile(&old);
    let mut divisions = old.clone();
    divisions.divisions.insert(id(5_000), "one more".into());
    let mut renamed = old.clone();
    *renamed.divisions.first_entry().unwrap().get_mut() = "another name".into();
    let account = Contents { account: id(8), ..old.clone() };

    for other in [divisions, renamed, account] {
        assert_eq!(make(&file, &compile(&other), LOG2), Err(NotMade::Unlike));
    }
    let half = old.compile(VerifierLen::Half).unwrap();
    assert_eq!(make(&file, &half, LOG2), Err(NotMade::Unlike));
    assert_eq!(make(&file, &file[1..], LOG2), Err(NotMade::Bad(Refused::UnknownFormat)));
}

#[test]
fn a_sink_that_takes_no_more_ends_it() {
    struct Full(usize);
    impl Sink for Full {
        fn put(&mut self, bytes: &[u8]) -> Result<(), Broken> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(Broken)?;
            Ok(())
        }
    }
    let (old, mut new) = (contents(60, 5), contents(60, 5));
    remove(&mut new, 6);
    let (old, new) = (compile(&old), compile(&new));
    let bytes = make(&old, &new, LOG2).unwrap();
    let delta = Delta::read(&bytes).unwrap();
    let base = unsigned(&old[..]).unwrap();
    let mut marks = vec![Mark::default(); delta.room()];
    let ready = delta.on_unsigned(&base, &mut marks).unwrap();

    for room in 0..new.len() {
        assert_eq!(ready.write(&mut Full(room)), Err(NotApplied::Broken), "{room}");
    }
    assert_eq!(ready.write(&mut Full(new.len())), Ok(()));
}

/// What one step of a random history does.
fn mutate(all: &mut Contents, kind: u8, pick: u64) {
    let at = |len: usize| usize::try_from(pick % len.max(1) as u64).unwrap();
    let owner = all.principals.keys().nth(at(all.principals.len())).copied();
    let known = all.tokens.keys().nth(at(all.tokens.len())).copied();
    match (kind, owner, known) {
        (0, Some(owner), _) => drop(all.tokens.insert(pick, token(owner))),
        (1, _, Some(known)) => drop(all.tokens.remove(&known)),
        (2, _, Some(known)) => all.tokens.get_mut(&known).unwrap().disabled ^= true,
        (3, Some(owner), _) => remove(all, owner),
        (4, _, _) => {
            let mut new = user(&std::format!("user {pick}"), pick & 0x7ffff);
            new.scope = Scope::Only(all.divisions.keys().take(at(9)).copied().collect());
            all.principals.insert(u32::try_from(pick >> 32).unwrap(), new);
        }
        (5, Some(owner), _) => {
            all.principals.get_mut(&owner).unwrap().permissions = PermissionSet(pick % 7);
        }
        (6, Some(owner), _) => {
            all.principals.get_mut(&owner).unwrap().name = pick.to_string();
        }
        (7, Some(owner), Some(known)) => all.tokens.get_mut(&known).unwrap().principal = owner,
        (8, _, _) => drop(all.resources.insert((1, id(pick % 40)), None)),
        (9, _, _) => drop(all.resources.pop_last()),
        (10, _, _) => all.suspended ^= true,
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Step by step, and from every step straight to the last.
    #[test]
    fn any_history_of_changes_is_bit_identical_step_by_step_and_in_one(
        tokens in 0..120_usize,
        seed in any::<u64>(),
        steps in proptest::collection::vec(
            proptest::collection::vec((0..11_u8, any::<u64>()), 0..12),
            1..5,
        ),
    ) {
        let mut now = contents(tokens, seed);
        let mut files = vec![compile(&now)];
        for changes in steps {
            changes.into_iter().for_each(|(kind, pick)| mutate(&mut now, kind, pick));
            files.push(compile(&now));
        }
        let last = files.last().unwrap();
        let mut reached = files[0].clone();
        for file in &files[1..] {
            let delta = make(&reached, file, LOG2).unwrap();
            reached = apply(&reached, &delta).unwrap();
            prop_assert_eq!(&reached, file);
        }
        for file in &files {
            let delta = make(file, last, LOG2).unwrap();
            prop_assert_eq!(&apply(file, &delta).unwrap(), last);
        }
    }
}
