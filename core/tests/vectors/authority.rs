//! Who signs the vectors: keys from fixed seeds, and objects made wrong on purpose.

use ed25519_dalek::{Signer as _, Verifier as _};
use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::sign::{KeyDraft, KeySetDraft, ManifestDraft};
use gateward_core::trust::{
    Algorithm, Audience, GatewayId, Incarnation, KeyId, Kind, Signers, SigningKey,
};
use sha2::{Digest as _, Sha512};

/// The account, group and gateway of `core/docs/format.md`.
pub(crate) const ACCOUNT: Uuid = Uuid([
    0x01, 0x93, 0xa5, 0xd4, 0x0b, 0x9e, 0x7c, 0x61, 0x8d, 0x5e, 0x3f, 0x1a, 0x7b, 0x2c, 0x9d, 0x10,
]);
pub(crate) const T0: u64 = 1_790_000_000;
pub(crate) const DAY: u64 = 86_400;
pub(crate) const INCARNATION: Incarnation = Incarnation([5; 8]);

/// Seeds of the keys: 32 bytes of this number.
pub(crate) const ROOTS: [u8; 3] = [1, 2, 3];
pub(crate) const SNAPSHOT: u8 = 4;
pub(crate) const SPARE: u8 = 5;
pub(crate) const BEACON: u8 = 6;
pub(crate) const COLLECTOR: u8 = 7;
pub(crate) const LIMITED: u8 = 8;
pub(crate) const STRANGER: u8 = 9;
pub(crate) const GATEWAY: u8 = 10;

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub(crate) fn public(seed: u8) -> [u8; 32] {
    key(seed).verifying_key().to_bytes()
}

pub(crate) fn key_id(seed: u8) -> KeyId {
    KeyId::of(&public(seed))
}

/// One key, of which one must sign.
pub(crate) fn signed_by(seed: u8) -> Signers {
    Signers::of(1, &[(Algorithm::Ed25519, key_id(seed))])
}

pub(crate) fn audience() -> Audience {
    Audience::of(ACCOUNT, "plant-7")
}

pub(crate) fn gateway() -> GatewayId {
    GatewayId::of(ACCOUNT, "edge-7a")
}

/// Three root keys of which two must sign, two snapshot keys and one limited to another group, a
/// beacon key and a collector key.
pub(crate) fn key_set(epoch: u32) -> KeySetDraft {
    let all = |seed: u8, roles: u8| KeyDraft::of(&key(seed), roles);
    let mut keys: Vec<_> = ROOTS.into_iter().map(|seed| all(seed, 1)).collect();
    keys.extend([all(SNAPSHOT, 2), all(SPARE, 2), all(BEACON, 4), all(COLLECTOR, 8)]);
    let other = Audience::of(ACCOUNT, "plant-8");
    keys.push(KeyDraft { audiences: Some(vec![other]), ..all(LIMITED, 2) });

    KeySetDraft {
        account: ACCOUNT,
        epoch,
        issued_at: UnixSeconds(T0 - 30 * DAY + u64::from(epoch.min(9))),
        expires: UnixSeconds(T0 + 365 * DAY),
        thresholds: [2, 1, 1, 1],
        required: [1; 4],
        keys,
        retired: Vec::new(),
        compromised: Vec::new(),
    }
}

pub(crate) fn by_roots(draft: &KeySetDraft) -> Vec<u8> {
    draft.sign(&[&key(1), &key(2)]).unwrap()
}

/// A manifest of `file`, under the first key set.
pub(crate) fn manifest(file: &[u8]) -> ManifestDraft {
    ManifestDraft {
        version: 7,
        ..ManifestDraft::of(ACCOUNT, audience(), UnixSeconds(T0), file, 12).unwrap()
    }
}

/// Bytes in the framing of section 1, written without the code that reads them.
#[derive(Clone, Default)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Bytes {
    pub(crate) fn u8(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub(crate) fn v(mut self, mut number: u64) -> Self {
        while number > 0x7f {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.u8(number.to_le_bytes()[0])
    }

    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        self.v(u64::try_from(bytes.len()).unwrap()).raw(bytes)
    }
}

/// One signature as it stands in an envelope.
pub(crate) struct Signature {
    pub(crate) key: [u8; 8],
    pub(crate) algorithm: u8,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn signature(seed: u8, domain: &[u8], payload: &[u8]) -> Signature {
    let bytes = key(seed).sign(&[domain, payload].concat()).to_bytes().to_vec();

    Signature { key: key_id(seed).0, algorithm: 1, bytes }
}

/// A signature whose R is the neutral point: the equation holds for it, and only strictness refuses
/// it. S is the hash times the secret scalar.
pub(crate) fn of_small_order(seed: u8, domain: &[u8], payload: &[u8]) -> Signature {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let hash = Sha512::new_with_prefix(neutral).chain_update(public(seed));
    let hash = hash.chain_update(domain).chain_update(payload).finalize();
    let secret = key(seed).to_scalar();
    let bits = hash.iter().rev().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let s = bits
        .skip_while(|bit| *bit == 0)
        .skip(1)
        .fold(secret, |s, bit| if bit == 1 { s + s + secret } else { s + s });
    let bytes = [neutral, s.to_bytes()].concat();
    let lax: ed25519_dalek::Signature = bytes.as_slice().try_into().unwrap();
    let message = [domain, payload].concat();
    assert!(key(seed).verifying_key().verify(&message, &lax).is_ok(), "strictness has no work");

    Signature { key: key_id(seed).0, algorithm: 1, bytes }
}

pub(crate) fn envelope(typ: u8, payload: &[u8], signatures: &[Signature]) -> Vec<u8> {
    let mut all =
        Bytes::default().u8(typ).bytes(payload).v(u64::try_from(signatures.len()).unwrap());
    for one in signatures {
        all = all.raw(&one.key).u8(one.algorithm).bytes(&one.bytes);
    }

    all.0
}

/// Signs a payload as what it is, whatever is in it.
pub(crate) fn seal(kind: Kind, payload: &[u8], seeds: &[u8]) -> Vec<u8> {
    let signatures: Vec<_> =
        seeds.iter().map(|seed| signature(*seed, kind.domain(), payload)).collect();

    envelope(kind as u8, payload, &signatures)
}

/// Returns the payload of an envelope that was made well.
pub(crate) fn payload(envelope: &[u8]) -> Vec<u8> {
    let (mut len, mut at, mut shift) = (0, 1, 0);
    loop {
        let byte = envelope[at];
        len |= usize::from(byte & 0x7f) << shift;
        (at, shift) = (at + 1, shift + 7);
        if byte < 0x80 {
            return envelope[at..at + len].to_vec();
        }
    }
}
