//! ML-DSA-65 (FIPS 204): what the feature `hybrid` adds beside Ed25519.
//!
//! The context of every signature is empty: the domain stands in front of the payload, as it does
//! for Ed25519, and no verifier needs a second place to look for it.

extern crate alloc;

use alloc::sync::Arc;
#[cfg(any(test, feature = "build"))]
use alloc::vec::Vec;
use core::fmt;

#[cfg(any(test, feature = "build"))]
use ml_dsa::SigningKey;
#[cfg(any(test, feature = "build"))]
use ml_dsa::signature::MultipartSigner as _;
use ml_dsa::signature::MultipartVerifier as _;
use ml_dsa::{EncodedVerifyingKey, MlDsa65, Signature, VerifyingKey};

/// A decoded key, which is some 40 KiB: a copy of it is another look at the same.
#[derive(Clone)]
pub(super) struct Public(Arc<VerifyingKey<MlDsa65>>);

impl Public {
    /// Every text of the right length is a key.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let encoded = EncodedVerifyingKey::<MlDsa65>::try_from(bytes).ok()?;

        Some(Self(Arc::new(VerifyingKey::decode(&encoded))))
    }

    pub(super) fn verifies(&self, domain: &[u8], payload: &[u8], signature: &[u8]) -> bool {
        Signature::<MlDsa65>::try_from(signature)
            .is_ok_and(|signature| self.0.multipart_verify(&[domain, payload], &signature).is_ok())
    }

    #[cfg(any(test, feature = "build"))]
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.encode().to_vec()
    }
}

impl fmt::Debug for Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MlDsa65")
    }
}

/// A private key, from its seed.
#[cfg(any(test, feature = "build"))]
#[derive(Clone, Debug)]
pub(super) struct Private(SigningKey<MlDsa65>);

#[cfg(any(test, feature = "build"))]
impl Private {
    pub(super) fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_seed(&(*seed).into()))
    }

    pub(super) fn seed(&self) -> [u8; 32] {
        (*self.0.as_seed()).into()
    }

    pub(super) fn public(&self) -> Vec<u8> {
        self.0.as_ref().encode().to_vec()
    }

    /// Signs the same bytes the same way each time.
    pub(super) fn sign(&self, parts: &[&[u8]]) -> Vec<u8> {
        let signature: Signature<MlDsa65> = self.0.multipart_sign(parts);

        signature.encode().to_vec()
    }
}
