//! A delta with the manifest that names it: what it starts from, and how long the message is.

use sha2::{Digest as _, Sha256};

use super::*;
use crate::snapshot::open;
use crate::time::UnixSeconds;
use crate::trust::sign::{KeyDraft, KeySetDraft, ManifestDraft, message};
use crate::trust::{Audience, DeltaRef, KeySet, Manifest, SigningKey};

/// A hundred thousand tokens of a tenth as many users, with the ids of an account.
fn large() -> Contents {
    let mut state = 3;
    let mut all = Contents { account: id(7), ..Contents::default() };
    for key in 0..10_000 {
        let entry = PrincipalEntry {
            id: id(u64::from(key)),
            name: std::format!("user of plant {key:>10}"),
            ..user("", 0x3f7ef)
        };
        all.principals.insert(key * 400_000, entry);
    }
    for at in 0..100_000 {
        all.tokens.insert(next(&mut state), token(at % 10_000 * 400_000));
    }
    all
}

fn draft(file: &[u8], deltas: Vec<DeltaRef>) -> ManifestDraft {
    ManifestDraft {
        version: 70_001,
        revoked_counter: 70_000,
        deltas,
        ..ManifestDraft::of(
            id(7),
            Audience::of(id(7), "plant-7"),
            UnixSeconds(1_800_000_000),
            file,
            LOG2,
        )
        .unwrap()
    }
}

/// A snapshot that one key of everything vouches for.
fn verified(file: &[u8]) -> Verified<&[u8]> {
    let key = SigningKey::from_bytes(&[7; 32]);
    let keys = KeySetDraft {
        account: id(7),
        epoch: 1,
        issued_at: UnixSeconds(1),
        expires: UnixSeconds(1_900_000_000),
        thresholds: [1; 4],
        required: [1; 4],
        keys: vec![KeyDraft::of(&key, 0b1111)],
        retired: Vec::new(),
        compromised: Vec::new(),
    };
    let keys = KeySet::anchor(&keys.sign(&[&key]).unwrap(), id(7)).unwrap();
    let envelope = draft(file, Vec::new()).sign(&[&key]).unwrap();
    let manifest = Manifest::verify(&envelope, &keys, Audience::of(id(7), "plant-7")).unwrap();

    open(file, manifest).unwrap()
}

/// The whole message on `manifest` with one delta.
fn whole_message(file: &[u8], delta: &[u8]) -> Vec<u8> {
    let sha256 = Sha256::digest(delta).into();
    let one = DeltaRef { from: 70_000, len: u32::try_from(delta.len()).unwrap(), sha256 };
    let envelope = draft(file, vec![one]).sign(&[&SigningKey::from_bytes(&[7; 32])]).unwrap();

    message(&envelope, &[(70_000, delta)]).unwrap()
}

#[test]
fn h19_a_delta_for_a_base_that_is_not_in_force_is_refused() {
    let held = compile(&contents(30, 5));
    let mut later = contents(30, 5);
    later.tokens.pop_first();
    let new = compile(&later);
    later.tokens.pop_first();
    let elsewhere = compile(&later);
    let base = verified(&held);
    let on = |from: &[u8]| {
        let bytes = make(from, &new, LOG2).unwrap();
        let delta = Delta::read(&bytes).unwrap();
        let mut marks = vec![Mark::default(); delta.room()];
        let mut file = Vec::new();
        delta.on(&base, &mut marks).and_then(|ready| ready.write(&mut file)).map(|()| file)
    };

    assert_eq!(on(&held), Ok(new.clone()));
    assert_eq!(on(&elsewhere), Err(NotApplied::OtherBase));
    // The root hangs on the length of a chunk, which the signed manifest says.
    let bytes = make(&held, &new, 12).unwrap();
    let refused = Delta::read(&bytes).unwrap().on(&base, &mut []).err();
    assert_eq!(refused, Some(NotApplied::OtherBase));
}

#[test]
fn revoking_one_token_of_a_hundred_thousand_is_a_message_of_at_most_400_bytes() {
    let old = large();
    let victim = *old.tokens.keys().nth(50_000).unwrap();
    let mut disabled = old.clone();
    disabled.tokens.get_mut(&victim).unwrap().disabled = true;
    let mut deleted = old.clone();
    deleted.tokens.remove(&victim);
    let old = compile(&old);

    let [disabled, deleted] = [disabled, deleted].map(|new| {
        let new = compile(&new);
        let delta = make(&old, &new, LOG2).unwrap();
        let message = whole_message(&new, &delta).len();
        assert_eq!(apply(&old, &delta), Ok(new));
        (delta.len(), message)
    });

    assert_eq!((disabled.0, deleted.0), (94, 53));
    assert!(disabled.1 <= 400 && deleted.1 <= 400, "{disabled:?} {deleted:?}");
}
