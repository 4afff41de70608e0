//! A chunk is kept only in its place and whole.

extern crate std;

use std::vec;
use std::vec::Vec;

use super::*;
use crate::name::Uuid;
use crate::time::UnixSeconds;
use crate::trust::sign::{KeyDraft, KeySetDraft, ManifestDraft};
use crate::trust::{Audience, KeySet, Role, SigningKey};

const LOG2: u8 = 12;
const CHUNK: usize = 1 << LOG2;

/// Four chunks, the last one shorter; the second and the third are alike.
fn file() -> Vec<u8> {
    let mut file = vec![1; CHUNK];
    file.extend(vec![2; 2 * CHUNK]);
    file.extend(vec![3; 100]);

    file
}

fn list() -> Vec<u8> {
    leaves(&file(), LOG2).flatten().collect()
}

fn manifest(file_len: usize, chunk_log2: u8, root: Root) -> Manifest {
    let account = Uuid([1; 16]);
    let key = SigningKey::from_bytes(&[1; 32]);
    let roles = Role::ALL.into_iter().fold(0, |bits, role| bits | role.bit());
    let keys = KeySetDraft {
        account,
        epoch: 1,
        issued_at: UnixSeconds(1),
        expires: UnixSeconds(1_000),
        thresholds: [1; 4],
        required: [1; 4],
        keys: vec![KeyDraft::of(&key, roles)],
        retired: vec![],
        compromised: vec![],
    };
    let keys = KeySet::anchor(&keys.sign(&[&key]).unwrap(), account).unwrap();
    let audience = Audience::of(account, "g");
    let draft = ManifestDraft {
        account,
        audience,
        keyset: 1,
        version: 1,
        issued_at: UnixSeconds(10),
        stale_after: 10,
        expires_after: 20,
        file_len: u32::try_from(file_len).unwrap(),
        chunk_log2,
        root,
        revoked_counter: 0,
        allow_observe: false,
        allow_drop: false,
        deltas: vec![],
    };

    Manifest::verify(&draft.sign(&[&key]).unwrap(), &keys, audience).unwrap()
}

fn of_file() -> Manifest {
    manifest(file().len(), LOG2, root_of(&file(), LOG2).unwrap())
}

fn checked() -> HashList<Vec<u8>> {
    HashList::check(list(), &of_file()).unwrap()
}

#[test]
fn hashes_are_made_as_written_down() {
    let chunk = [b"\0\x02\x03\0\0".as_slice(), b"abc"].concat();
    assert_eq!(leaf(0x302, b"abc"), <[u8; 32]>::from(Sha256::digest(chunk)));

    let mut whole = vec![1];
    whole.extend(u32::try_from(file().len()).unwrap().to_le_bytes());
    whole.push(LOG2);
    whole.extend(list());
    assert_eq!(root_of(&file(), LOG2).unwrap().0, <[u8; 32]>::from(Sha256::digest(whole)));
}

#[test]
fn every_chunk_is_accepted_in_its_place_only() {
    let (file, list) = (file(), checked());
    assert_eq!(list.chunk_count(), 4);
    for (index, chunk) in (0..).zip(file.chunks(CHUNK)) {
        assert_eq!(list.chunk_len(index), u32::try_from(chunk.len()).ok());
        for at in 0..6 {
            // Two chunks are alike, and one may stand for the other.
            let alike = file.chunks(CHUNK).nth(at as usize) == Some(chunk);
            assert_eq!(list.accepts(at, chunk), alike, "chunk {index} at {at}");
        }
    }
    assert_eq!((list.chunk_len(4), list.chunk_len(u32::MAX)), (None, None));
    assert!(!list.accepts(u32::MAX, &file[..CHUNK]));
}

#[test]
fn h2_every_flipped_byte_and_every_other_length_of_a_chunk_is_refused() {
    let (file, list) = (file(), checked());
    let last = &file[3 * CHUNK..];
    for len in 0..last.len() {
        assert!(!list.accepts(3, &last[..len]));
    }
    for at in 0..last.len() {
        let mut bad = last.to_vec();
        bad[at] ^= 0x80;
        assert!(!list.accepts(3, &bad));
    }
    assert!(!list.accepts(3, &[last, &[0]].concat()));
    assert!(!list.accepts(0, &file[..CHUNK + 1]));
}

#[test]
fn h2_every_flipped_bit_and_every_truncation_of_a_list_is_refused() {
    let (good, manifest) = (list(), of_file());
    let accepts = |list: &[u8]| HashList::check(list, &manifest).is_ok();
    assert!(accepts(&good));
    for len in 0..good.len() {
        assert!(!accepts(&good[..len]));
    }
    for at in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[at / 8] ^= 1 << (at % 8);
        assert!(!accepts(&bad));
    }
    assert!(!accepts(&[&good[..], &[0; HASH_LEN]].concat()));
}

#[test]
fn a_list_that_swaps_or_repeats_is_refused() {
    let (good, manifest) = (list(), of_file());
    let hashes: Vec<&[u8]> = good.chunks(HASH_LEN).collect();
    for order in [[1, 0, 2, 3], [0, 2, 1, 3], [0, 0, 2, 3], [3, 2, 1, 0]] {
        let bad = order.map(|at| hashes[at]).concat();
        assert!(HashList::check(bad, &manifest).is_err(), "{order:?}");
    }
}

#[test]
fn the_same_list_under_another_length_or_chunk_size_is_refused() {
    let root = of_file().root();
    for (len, log2) in [(file().len() - 1, LOG2), (file().len(), LOG2 + 1)] {
        assert!(HashList::check(list(), &manifest(len, log2, root)).is_err());
    }
}

#[test]
fn a_whole_file_has_one_root_for_every_chunk_size_and_none_out_of_bounds() {
    let file = file();
    let roots: Vec<_> = CHUNK_LOG2.map(|log2| root_of(&file, log2).unwrap()).collect();
    for root in &roots {
        assert_eq!(roots.iter().filter(|other| *other == root).count(), 1);
    }
    assert_eq!((root_of(&file, 11), root_of(&file, 21), root_of(&file, 255)), (None, None, None));
    for at in [0, CHUNK - 1, CHUNK, file.len() - 1] {
        let mut bad = file.clone();
        bad[at] ^= 1;
        assert_ne!(root_of(&bad, LOG2), root_of(&file, LOG2));
    }
}
