//! A manifest, and the message that brings it.

use gateward_core::time::{TimeQuality, UnixSeconds};
use gateward_core::trust::manifest::{CHUNK_LOG2, MAX_EXPIRES_AFTER, split};
use gateward_core::trust::sign::{self, ManifestDraft};
use gateward_core::trust::{Admission, Audience, DeltaRef, Floor, Kind, Manifest, Now, Root};

use crate::cast::{self, ACCOUNT, SNAPSHOT, audience, framed, key, keys, payload, seal};
use crate::{Input, heap};

pub(super) fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.way(4) {
        0 => verified(input.rest()),
        1 => verified(&seal(Kind::Manifest, &framed(input.rest()), &[SNAPSHOT])),
        2 => message(input.rest()),
        _ => drafted(input),
    }
}

/// What is accepted is for us, can be meant, and is what would be written.
fn verified(envelope: &[u8]) {
    let keys = keys();
    let read = heap::within(0, || Manifest::verify(envelope, keys, audience()));
    let manifest = match read {
        Ok(manifest) => manifest,
        Err(why) => return cast::refused(why),
    };
    assert_eq!((manifest.account(), manifest.audience()), (ACCOUNT, audience()));
    assert_eq!(manifest.version().epoch, keys.epoch());
    assert!(CHUNK_LOG2.contains(&manifest.chunk_log2()) && manifest.chunk_count() > 0);
    assert!(manifest.issued_at() <= manifest.stale_at());
    assert!(manifest.stale_at() <= manifest.expires_at());
    assert!(manifest.expires_at().since(manifest.issued_at()) <= u64::from(MAX_EXPIRES_AFTER));
    // A permission that this build does not know grants nothing (DOMAIN N6), so it is not written again;
    // of all bits it alone may differ.
    let known = |payload: &[u8], flags: u8| {
        let mut payload = payload.to_vec();
        payload.iter_mut().skip(allow_at(&manifest)).take(1).for_each(|allow| *allow &= flags);
        payload
    };
    let again = written(&manifest);
    assert_eq!(
        known(payload(envelope), 3),
        known(payload(&again), 3),
        "a second spelling of a manifest"
    );
    admitted(&manifest);
}

/// The manifest, written again from what it says.
fn written(manifest: &Manifest) -> Vec<u8> {
    let seconds = |at: UnixSeconds| u32::try_from(at.since(manifest.issued_at())).unwrap_or(0);
    let draft = ManifestDraft {
        account: manifest.account(),
        audience: manifest.audience(),
        keyset: manifest.version().epoch,
        version: manifest.version().number,
        issued_at: manifest.issued_at(),
        stale_after: seconds(manifest.stale_at()),
        expires_after: seconds(manifest.expires_at()),
        file_len: manifest.file_len(),
        chunk_log2: manifest.chunk_log2(),
        root: manifest.root(),
        revoked_counter: manifest.revoked().number,
        allow_observe: manifest.allow_observe(),
        allow_drop: manifest.allow_drop(),
        deltas: manifest.deltas().to_vec(),
    };

    draft.sign(&[key(SNAPSHOT)]).expect("no more deltas than it had")
}

/// What is admitted raises the floor, and the same again is nothing new.
fn admitted(manifest: &Manifest) {
    let now = Now { at: cast::NOW, quality: TimeQuality::Floor, backed: cast::NOW };
    let floor = Floor::default();
    match floor.admit(manifest, &now) {
        Ok(_) => {
            let floor = floor.with(manifest);
            assert_eq!(floor.admit(manifest, &now), Ok(Admission::Same));
            assert_eq!(Floor::decode(&floor.encode()), Ok(floor));
            assert!(floor.signed >= manifest.issued_at() && floor.lived >= floor.signed);
        }
        Err(why) => cast::refused(why),
    }
}

/// A message as a broker delivers it.
fn message(bytes: &[u8]) {
    match heap::within(0, || split(bytes)) {
        Ok(message) => {
            let deltas: Vec<_> = message.deltas.iter().map(|d| (d.from, d.bytes)).collect();
            let again = sign::message(message.envelope, &deltas).expect("no more than it had");
            assert_eq!(again, bytes, "a second spelling of a message");
            verified(message.envelope);
        }
        Err(why) => cast::refused(why),
    }
}

/// Any fields at all, as a control plane would write them.
fn drafted(mut input: Input<'_>) {
    let draft = ManifestDraft {
        account: ACCOUNT,
        audience: if input.byte() < 240 { audience() } else { Audience(input.array()) },
        keyset: u32::from(input.byte() % 3),
        version: input.u64(),
        issued_at: UnixSeconds(input.u32().into()),
        stale_after: input.u32() % (MAX_EXPIRES_AFTER + 2),
        expires_after: input.u32() % (MAX_EXPIRES_AFTER + 2),
        file_len: input.u32(),
        chunk_log2: input.byte() % 32,
        root: Root(input.array()),
        revoked_counter: input.u64(),
        allow_observe: input.byte() & 1 == 1,
        allow_drop: input.byte() & 1 == 1,
        deltas: (0..input.byte() % 5)
            .map(|_| DeltaRef { from: input.u64(), len: input.u32(), sha256: input.array() })
            .collect(),
    };
    let signers: Vec<_> = (0..input.byte() % 4).map(|_| key(usize::from(input.byte()))).collect();
    let envelope = draft.sign(&signers).expect("four deltas are not too many");

    verified(&envelope);
}

/// Where the byte of permissions stands in a payload: after format, account and audience, the numbers
/// up to the root, and the root.
fn allow_at(manifest: &Manifest) -> usize {
    let seconds = |at: UnixSeconds| at.since(manifest.issued_at());
    let before = [
        manifest.version().epoch.into(),
        manifest.version().number,
        manifest.issued_at().0,
        seconds(manifest.stale_at()),
        seconds(manifest.expires_at()),
        manifest.file_len().into(),
    ];
    let numbers: usize = before.into_iter().map(varint_len).sum();

    1 + 16 + 16 + numbers + 1 + 32 + varint_len(manifest.revoked().number)
}

/// How many bytes a number takes in postcard.
fn varint_len(number: u64) -> usize {
    (64 - number.max(1).leading_zeros()).div_ceil(7) as usize
}
