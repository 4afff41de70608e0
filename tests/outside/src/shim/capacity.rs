//! DOMAIN L1: what is larger than the place that is kept for it comes to a status, and what was there
//! before is there still.
#![expect(unsafe_code, reason = "the C interface is called as C calls it")]

use gateward::*;
use gateward_core::snapshot::{MAX_FILE, MAX_TOKENS};
use gateward_core::trust::sign::ManifestDraft;
use gateward_core::trust::{Kind, SigningKey};

use super::pool::{What, pool};
use crate::cast::{self, ACCOUNT, NOW, SNAPSHOT, audience, framed, key, seal};

/// Memory for one thing of the interface, nothing in it yet.
struct Place<T>(Box<T>);

impl<T> Place<T> {
    fn new() -> Self {
        // SAFETY: all of the interface's types are numbers, pointers and bytes.
        Self(unsafe { Box::<T>::new_zeroed().assume_init() })
    }

    fn at(&mut self) -> *mut T {
        &raw mut *self.0
    }

    fn bytes(&self) -> Vec<u8> {
        // SAFETY: it is there, and nobody writes meanwhile.
        unsafe { std::slice::from_raw_parts((&raw const *self.0).cast(), size_of::<T>()) }.to_vec()
    }
}

fn anchor(keys: &mut Place<Keys>, envelope: &[u8]) -> Status {
    // SAFETY: every pointer leads to what its length says.
    unsafe {
        gateward_keys_anchor(envelope.as_ptr(), envelope.len(), ACCOUNT.0.as_ptr(), keys.at())
    }
}

fn held() -> Place<Keys> {
    let mut keys = Place::new();
    assert_eq!(anchor(&mut keys, &pool(What::KeySet)[0]), GATEWARD_OK);

    keys
}

/// A key as it stands in a set: its bytes, algorithm, roles and audiences.
type KeyFields = (Vec<u8>, u8, u8, Option<Vec<[u8; 16]>>);

/// A key set with as many keys, audiences of the last one, and retired keys.
fn key_set(count: u8, audiences: u8, retired: u8) -> Vec<u8> {
    let mut keys: Vec<KeyFields> = (1..=count)
        .map(|seed| {
            let public = SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes().to_vec();
            (public, 1, 1 << u8::from(seed > 2), None)
        })
        .collect();
    keys[usize::from(count) - 1].3 =
        (audiences > 0).then(|| (0..audiences).map(|n| [n; 16]).collect());
    let retired: Vec<[u8; 8]> = (0..retired).map(|n| [n; 8]).collect();
    let none: Vec<[u8; 8]> = Vec::new();
    let head = (1_u32, NOW.0, NOW.plus(86_400).0, [2_u8, 1, 1, 1], [1_u8; 4]);
    let fields = postcard::to_allocvec(&(head, keys, retired, none)).expect("memory for a key set");

    seal(Kind::KeySet, &framed(&fields), &[0, 1])
}

#[test]
fn l1_a_key_set_that_is_larger_than_its_place_leaves_the_one_held() {
    for fits in [key_set(16, 0, 0), key_set(4, 8, 0), key_set(4, 0, 32)] {
        assert_eq!(anchor(&mut Place::new(), &fits), GATEWARD_OK);
    }
    let mut keys = held();
    let before = keys.bytes();
    for larger in [key_set(17, 0, 0), key_set(200, 0, 0), key_set(4, 9, 0), key_set(4, 0, 33)] {
        assert_eq!(anchor(&mut keys, &larger), GATEWARD_REFUSED_MALFORMED);
        assert_eq!(keys.bytes(), before);
    }
    let mut epoch = 0;
    // SAFETY: both are there.
    assert_eq!(unsafe { gateward_keys_epoch(keys.at(), &raw mut epoch) }, GATEWARD_OK);
    assert_eq!(epoch, 1);
}

fn verify(keys: &mut Place<Keys>, envelope: &[u8], manifest: &mut Place<Manifest>) -> Status {
    let (audience, len) = (audience(), envelope.len());
    // SAFETY: every pointer leads to what its length says.
    unsafe {
        gateward_manifest_verify(
            keys.at(),
            audience.0.as_ptr(),
            envelope.as_ptr(),
            len,
            manifest.at(),
        )
    }
}

/// The fields of a manifest with as many deltas.
fn with_deltas(count: u64) -> Vec<u8> {
    let draft = cast::manifest_draft(&pool(What::File)[0], 15).expect("a file of ours");
    let numbers = (draft.stale_after, draft.expires_after, draft.file_len, draft.chunk_log2);
    let deltas: Vec<(u64, u32, [u8; 32])> = (0..count).map(|from| (from, 9, [9; 32])).collect();
    let head = (draft.audience.0, draft.keyset, draft.version, draft.issued_at.0);
    let rest = (draft.root.0, draft.revoked_counter, 0_u8, deltas);
    let fields = postcard::to_allocvec(&(head, numbers, rest)).expect("memory for a manifest");

    seal(Kind::Manifest, &framed(&fields), &[SNAPSHOT])
}

#[test]
fn l1_a_manifest_that_is_larger_than_its_place_leaves_the_one_held() {
    let (mut keys, mut manifest) = (held(), Place::new());
    assert_eq!(verify(&mut keys, &with_deltas(4), &mut manifest), GATEWARD_OK);
    let before = manifest.bytes();
    for count in [5, 6, 100] {
        let larger = with_deltas(count);
        let status = verify(&mut keys, &larger, &mut manifest);
        assert!([GATEWARD_REFUSED_MALFORMED, GATEWARD_REFUSED_TOO_LONG].contains(&status));
        assert_eq!(manifest.bytes(), before);
    }
    let file = &pool(What::File)[0];
    let draft = cast::manifest_draft(file, 15).expect("a file of ours");
    let file_len = u32::try_from(MAX_FILE + 1).expect("a limit below 4 GiB");
    let huge = ManifestDraft { file_len, ..draft }.sign(&[key(SNAPSHOT)]).expect("one signer");
    assert_eq!(verify(&mut keys, &huge, &mut manifest), GATEWARD_REFUSED_ABSURD);
    assert_eq!(manifest.bytes(), before);
}

/// A machine with the first snapshot of the pool open.
struct Open {
    keys: Place<Keys>,
    manifest: Place<Manifest>,
    floor: Place<Floor>,
    snapshot: Place<Snapshot>,
}

impl Open {
    fn new() -> Self {
        let mut open = Self {
            keys: held(),
            manifest: Place::new(),
            floor: Place::new(),
            snapshot: Place::new(),
        };
        // SAFETY: it is there.
        assert_eq!(unsafe { gateward_floor_start(open.floor.at()) }, GATEWARD_OK);
        assert_eq!(open.take(&pool(What::Manifest)[0], &pool(What::File)[0]), GATEWARD_OK);

        open
    }

    fn take(&mut self, envelope: &[u8], file: &'static [u8]) -> Status {
        assert_eq!(verify(&mut self.keys, envelope, &mut self.manifest), GATEWARD_OK);
        let now = Now { at: NOW.0 + 30, backed: NOW.0 + 30, quality: 0, zero: 0 };
        let (at, len) = (file.as_ptr(), file.len());
        let (manifest, keys) = (self.manifest.at(), self.keys.at());
        let (floor, to) = (self.floor.at(), self.snapshot.at());
        // SAFETY: every pointer leads to what its length says, and the file stays.
        unsafe { gateward_snapshot_open(manifest, keys, floor, &raw const now, at, len, to) }
    }

    fn revoke(&mut self, list: &[u8], bits: &'static mut [u8]) -> Status {
        let (snapshot, keys, floor) = (self.snapshot.at(), self.keys.at(), self.floor.at());
        let (audience, len) = (audience(), bits.len());
        let bits = bits.as_mut_ptr();
        // SAFETY: every pointer leads to what its length says, and the bits stay.
        unsafe {
            let given = List {
                envelope: list.as_ptr(),
                envelope_len: list.len(),
                bits,
                bits_len: len,
                kept: 0,
                kept_epoch: 0,
                zero: 0,
            };
            gateward_revoked_take(
                snapshot,
                keys,
                keys,
                audience.0.as_ptr(),
                floor,
                &raw const given,
            )
        }
    }
}

#[test]
fn l1_a_snapshot_past_a_limit_leaves_the_one_in_force() {
    let mut open = Open::new();
    let before = open.snapshot.bytes();
    let mut file = pool(What::File)[0].clone();
    let tokens = u32::try_from(MAX_TOKENS + 1).expect("a limit below 4 GiB");
    file[24..28].copy_from_slice(&tokens.to_le_bytes());
    let file = Box::leak(file.into_boxed_slice());
    let draft = cast::manifest_draft(file, 15).expect("a file of a good length");
    let envelope = draft.sign(&[key(SNAPSHOT)]).expect("one signer");

    assert_eq!(open.take(&envelope, file), GATEWARD_SNAPSHOT_COUNTS);
    assert_eq!(open.snapshot.bytes(), before);
}

/// A list of as many tokens.
fn list(count: u64) -> Vec<u8> {
    let head = (audience().0, 1_u32, 1_u64, 1_u64, NOW.0);
    let tokens: Vec<u64> = (0..count).collect();
    let none: Vec<u32> = Vec::new();
    let fields = postcard::to_allocvec(&(head, tokens, none)).expect("memory for a list");

    seal(Kind::Revoked, &framed(&fields), &[SNAPSHOT])
}

fn room(open: &mut Open) -> usize {
    let mut bytes = 0;
    // SAFETY: both are there.
    let status = unsafe { gateward_revoked_room(open.snapshot.at(), &raw mut bytes) };
    assert_eq!(status, GATEWARD_OK);

    bytes
}

fn bits(len: usize) -> (&'static mut [u8], *const u8) {
    let bits = vec![0x55; len].leak();
    let at = bits.as_ptr();

    (bits, at)
}

#[test]
fn l1_a_revocation_list_past_a_limit_or_its_bits_leaves_those_held() {
    let mut open = Open::new();
    let room = room(&mut open);
    let before = (open.snapshot.bytes(), open.floor.bytes());
    for (count, len, status) in [
        (4_097, room, GATEWARD_REFUSED_MALFORMED),
        (4_096, room - 1, GATEWARD_LENGTH),
        (4_096, 0, GATEWARD_LENGTH),
    ] {
        let (bits, at) = bits(len);
        assert_eq!(open.revoke(&list(count), bits), status);
        assert_eq!((open.snapshot.bytes(), open.floor.bytes()), before);
        // SAFETY: they are never freed.
        assert!(unsafe { std::slice::from_raw_parts(at, len) }.iter().all(|byte| *byte == 0x55));
    }
    assert_eq!(open.revoke(&list(4_096), bits(room).0), GATEWARD_OK);
}
