//! Private keys: what signs, whichever algorithm it is of.

extern crate alloc;

use alloc::vec::Vec;

use ed25519_dalek::SigningKey;
use ed25519_dalek::ed25519::signature::MultipartSigner as _;
use zeroize::Zeroizing;

#[cfg(feature = "hybrid")]
use crate::trust::ml_dsa_65;
use crate::trust::role::{Algorithm, KeyId};

/// A key that can sign.
pub trait Signer {
    /// Returns the algorithm that it signs with.
    fn algorithm(&self) -> Algorithm;

    /// Returns the public key.
    fn public(&self) -> Vec<u8>;

    /// Returns its signature of `parts`, one after the other.
    fn signature(&self, parts: &[&[u8]]) -> Vec<u8>;

    /// Returns the id of the public key.
    fn id(&self) -> KeyId {
        KeyId::of(&self.public())
    }
}

impl Signer for SigningKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Ed25519
    }

    fn public(&self) -> Vec<u8> {
        self.verifying_key().to_bytes().into()
    }

    fn signature(&self, parts: &[&[u8]]) -> Vec<u8> {
        self.multipart_sign(parts).to_bytes().into()
    }
}

/// A private key of an algorithm that this build has.
#[derive(Clone, Debug)]
pub struct PrivateKey(Own);

#[derive(Clone, Debug)]
enum Own {
    Ed25519(SigningKey),
    #[cfg(feature = "hybrid")]
    MlDsa65(ml_dsa_65::Private),
}

impl PrivateKey {
    /// Derives the key from its seed.
    #[cfg(feature = "hybrid")]
    #[must_use]
    pub fn from_seed(algorithm: Algorithm, seed: &[u8; 32]) -> Self {
        Self(match algorithm {
            Algorithm::Ed25519 => Own::Ed25519(SigningKey::from_bytes(seed)),
            Algorithm::MlDsa65 => Own::MlDsa65(ml_dsa_65::Private::from_seed(seed)),
        })
    }

    /// Returns the seed: whoever has it has the key.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(match &self.0 {
            Own::Ed25519(key) => key.to_bytes(),
            #[cfg(feature = "hybrid")]
            Own::MlDsa65(key) => key.seed(),
        })
    }
}

impl From<SigningKey> for PrivateKey {
    fn from(key: SigningKey) -> Self {
        Self(Own::Ed25519(key))
    }
}

impl Signer for PrivateKey {
    fn algorithm(&self) -> Algorithm {
        match &self.0 {
            Own::Ed25519(key) => key.algorithm(),
            #[cfg(feature = "hybrid")]
            Own::MlDsa65(_) => Algorithm::MlDsa65,
        }
    }

    fn public(&self) -> Vec<u8> {
        match &self.0 {
            Own::Ed25519(key) => key.public(),
            #[cfg(feature = "hybrid")]
            Own::MlDsa65(key) => key.public(),
        }
    }

    fn signature(&self, parts: &[&[u8]]) -> Vec<u8> {
        match &self.0 {
            Own::Ed25519(key) => key.signature(parts),
            #[cfg(feature = "hybrid")]
            Own::MlDsa65(key) => key.sign(parts),
        }
    }
}
