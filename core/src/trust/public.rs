//! A public key, decoded once, and what it says about a signature.
//!
//! Both algorithms verify over two parts, the domain and the payload as it arrived, and so without
//! a copy of the payload.

#[cfg(any(test, feature = "build"))]
extern crate alloc;

#[cfg(any(test, feature = "build"))]
use alloc::vec::Vec;

use ed25519_dalek::ed25519::signature::MultipartVerifier;
use ed25519_dalek::{Signature, VerifyingKey};

use super::Refused;
#[cfg(feature = "hybrid")]
use super::ml_dsa_65;
use super::role::Algorithm;

/// A public key of an algorithm that this build has.
#[derive(Clone, Debug)]
pub(super) enum Public {
    Ed25519(VerifyingKey),
    #[cfg(feature = "hybrid")]
    MlDsa65(ml_dsa_65::Public),
}

impl Public {
    /// Reads a key of a set; nothing where this build lacks its algorithm.
    pub(super) fn read(algorithm: u8, bytes: &[u8]) -> Option<Result<Self, Refused>> {
        match Algorithm::ALL.into_iter().find(|one| *one as u8 == algorithm)? {
            Algorithm::Ed25519 => Some(ed25519(bytes).map(Self::Ed25519)),
            #[cfg(feature = "hybrid")]
            Algorithm::MlDsa65 => {
                Some(ml_dsa_65::Public::read(bytes).map(Self::MlDsa65).ok_or(Refused::KeysUnusable))
            }
            #[cfg(not(feature = "hybrid"))]
            Algorithm::MlDsa65 => None,
        }
    }

    pub(super) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::Ed25519,
            #[cfg(feature = "hybrid")]
            Self::MlDsa65(_) => Algorithm::MlDsa65,
        }
    }

    #[cfg(any(test, feature = "build"))]
    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => key.as_bytes().to_vec(),
            #[cfg(feature = "hybrid")]
            Self::MlDsa65(key) => key.bytes(),
        }
    }

    /// Returns whether `signature` is one of this key over `domain` ‖ `payload`.
    pub(super) fn verifies(&self, domain: &[u8], payload: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => verify_strict(key, domain, payload, signature).is_some(),
            #[cfg(feature = "hybrid")]
            Self::MlDsa65(key) => key.verifies(domain, payload, signature),
        }
    }
}

/// A key of small order would verify what nobody signed.
fn ed25519(bytes: &[u8]) -> Result<VerifyingKey, Refused> {
    let bytes: [u8; 32] = bytes.try_into().map_err(|_| Refused::KeysUnusable)?;
    let key = VerifyingKey::from_bytes(&bytes).map_err(|_| Refused::KeysUnusable)?;

    if key.is_weak() || !is_reduced(&bytes) { Err(Refused::KeysUnusable) } else { Ok(key) }
}

/// Whether y is below the prime 2^255 - 19, as RFC 8032 section 5.1.3 asks: the few points whose y
/// is not would have a second spelling, and so a second key id.
fn is_reduced(public: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = public;

    *low < 0xed || high & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff)
}

/// Verifies as `VerifyingKey::verify_strict` does: neither the key nor R is of small order, S is
/// canonical.
#[inline(never)]
fn verify_strict(key: &VerifyingKey, domain: &[u8], payload: &[u8], bytes: &[u8]) -> Option<()> {
    let signature = Signature::from_slice(bytes).ok()?;
    if !is_strict(key, &signature) {
        return None;
    }

    key.multipart_verify(&[domain, payload], &signature).ok()
}

/// Whether neither the key nor R is of small order. Not a part of its caller, whose stack the
/// verification needs.
#[inline(never)]
fn is_strict(key: &VerifyingKey, signature: &Signature) -> bool {
    let r = VerifyingKey::from_bytes(signature.r_bytes());

    r.is_ok_and(|r| !key.is_weak() && !r.is_weak())
}
