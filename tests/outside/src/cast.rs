//! Who signs what in the targets: keys whose secrets stand here, so that hostile bytes can be signed
//! as by somebody who holds them.

use std::sync::OnceLock;

use ed25519_dalek::Signer as _;
use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::sign::{KeyDraft, KeySetDraft, ManifestDraft};
use gateward_core::trust::{
    Audience, GatewayId, Incarnation, KeyId, KeySet, Kind, Manifest, Refused, Role, SigningKey,
};
use serde::{Deserialize, Serialize};

use crate::is_a_message;

/// The moment of everything: 2026-07-01T00:00:00Z.
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_782_864_000);
/// The account of everything that is signed.
pub(crate) const ACCOUNT: Uuid = Uuid([0xac; 16]);
/// The gateway that reads it.
pub(crate) const GATEWAY: GatewayId = GatewayId([0x6a; 16]);
/// Its enrolment.
pub(crate) const INCARNATION: Incarnation = Incarnation([0x1c; 8]);

/// Three root keys, of which two must sign.
pub(crate) const ROOTS: [usize; 3] = [0, 1, 2];
/// Signs for every group.
pub(crate) const SNAPSHOT: usize = 3;
/// Signs for another group.
pub(crate) const OTHER_GROUP: usize = 4;
/// Signs beacons.
pub(crate) const BEACON: usize = 5;
/// Signs receipts.
pub(crate) const COLLECTOR: usize = 6;
/// A snapshot key that signs nothing any more.
pub(crate) const RETIRED: usize = 7;
/// How many keys there are.
pub(crate) const KEYS: usize = 8;

/// The group that everything is for.
pub(crate) fn audience() -> Audience {
    Audience::of(ACCOUNT, "everything")
}

/// The secret key at a place, counted round.
pub(crate) fn key(at: usize) -> &'static SigningKey {
    static ALL: OnceLock<Vec<SigningKey>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        (0..KEYS)
            .map(|at| SigningKey::from_bytes(&[u8::try_from(at).unwrap_or(0) + 1; 32]))
            .collect()
    });

    all.get(at % KEYS).expect("a key")
}

/// What a key at a place may sign.
const fn roles(at: usize) -> Role {
    match at {
        0..=2 => Role::Root,
        BEACON => Role::Beacon,
        COLLECTOR => Role::Collector,
        _ => Role::Snapshot,
    }
}

/// The set of all these keys.
pub(crate) fn draft() -> KeySetDraft {
    let keys = (0..KEYS).map(|at| KeyDraft {
        audiences: (at == OTHER_GROUP).then(|| vec![Audience::of(ACCOUNT, "another")]),
        ..KeyDraft::of(key(at), roles(at).bit())
    });

    KeySetDraft {
        account: ACCOUNT,
        epoch: 1,
        issued_at: NOW,
        expires: NOW.plus(400 * 86_400),
        thresholds: [2, 1, 1, 1],
        required: [1; 4],
        keys: keys.collect(),
        retired: vec![key_id(RETIRED)],
        compromised: Vec::new(),
    }
}

pub(crate) fn key_id(at: usize) -> KeyId {
    KeyId::of(key(at).verifying_key().as_bytes())
}

/// The key set that the gateway holds.
pub(crate) fn keys() -> &'static KeySet {
    static HELD: OnceLock<KeySet> = OnceLock::new();

    HELD.get_or_init(|| {
        let signed = draft().sign(&[key(0), key(1)]).expect("eight keys are not too many");
        KeySet::anchor(&signed, ACCOUNT).expect("two root keys signed")
    })
}

/// A manifest of `file`.
pub(crate) fn manifest_draft(file: &[u8], chunk_log2: u8) -> Option<ManifestDraft> {
    ManifestDraft::of(ACCOUNT, audience(), NOW, file, chunk_log2)
}

/// The manifest of `file`, signed and verified; none where no manifest can name it.
pub(crate) fn manifest(file: &[u8], chunk_log2: u8) -> Option<Manifest> {
    let signed = manifest_draft(file, chunk_log2)?.sign(&[key(SNAPSHOT)]).ok()?;

    Manifest::verify(&signed, keys(), audience()).ok()
}

/// An envelope as TRUST writes it down, apart from the product's own reader.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Envelope<'a> {
    pub(crate) typ: u8,
    pub(crate) payload: &'a [u8],
    #[serde(borrow)]
    pub(crate) signatures: Vec<Signed<'a>>,
}

/// A signature in an envelope.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Signed<'a> {
    pub(crate) key: [u8; 8],
    pub(crate) algorithm: u8,
    pub(crate) bytes: &'a [u8],
}

/// Signs `payload` as a `kind` with each of `signers`.
pub(crate) fn seal(kind: Kind, payload: &[u8], signers: &[usize]) -> Vec<u8> {
    let message = [kind.domain(), payload].concat();
    let signed: Vec<_> =
        signers.iter().map(|at| (key_id(*at), key(*at).sign(&message).to_bytes())).collect();
    let signatures =
        signed.iter().map(|(id, bytes)| Signed { key: id.0, algorithm: 1, bytes }).collect();
    let envelope = Envelope { typ: kind as u8, payload, signatures };

    postcard::to_allocvec(&envelope).expect("memory for an envelope")
}

/// The payload of an envelope that was accepted, which must be spelt as it would be written.
pub(crate) fn payload(envelope: &[u8]) -> &[u8] {
    let read: Envelope<'_> = postcard::from_bytes(envelope).expect("it was accepted");
    let written = postcard::to_allocvec(&read).expect("memory for an envelope");
    assert_eq!(written, envelope, "an envelope in a second spelling was accepted");

    read.payload
}

/// A payload: the format, the account, the fields.
pub(crate) fn framed(fields: &[u8]) -> Vec<u8> {
    [&[1], &ACCOUNT.0[..], fields].concat()
}

/// What is refused says so in one line and has a name.
pub(crate) fn refused(why: Refused) {
    is_a_message(&why.to_string());
    assert!(!why.code().is_empty());
}
