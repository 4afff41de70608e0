//! Who signed something, kept for as long as the gateway goes by it.
//!
//! A key may be called stolen long after it left the key sets, and the lists of stolen keys forget
//! the oldest: so whoever goes by a signature keeps the names, and crosses out one after the other.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::envelope::MAX_SIGNATURES;
use super::keys::KeySet;
use super::role::{Algorithm, KeyId};

/// Marks a key that was called compromised.
const STOLEN: u8 = 0x80;

/// The keys that signed an object, and how many of each algorithm had to. Nobody, who never
/// becomes too few, is [`Signers::default`].
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Eq,
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout,
    PartialEq,
    Unaligned,
)]
#[repr(C)]
pub struct Signers {
    threshold: u8,
    /// 0 where a place is free.
    algorithms: [u8; MAX_SIGNATURES],
    ids: [[u8; 8]; MAX_SIGNATURES],
}

impl Signers {
    /// Starts with none, of whom so many of each algorithm must sign.
    pub(super) fn of_whom_must(threshold: u8) -> Self {
        Self { threshold, ..Self::default() }
    }

    /// Makes one of these keys, as many as there is room for.
    #[cfg(any(test, feature = "build"))]
    #[must_use]
    pub fn of(threshold: u8, keys: &[(Algorithm, KeyId)]) -> Self {
        let mut signers = Self::of_whom_must(threshold);
        let _ = keys.iter().all(|(algorithm, id)| signers.add(*algorithm, *id));

        signers
    }

    /// Adds a key; returns whether there was room.
    #[must_use]
    pub(super) fn add(&mut self, algorithm: Algorithm, id: KeyId) -> bool {
        let free = self.places().find(|(held, _)| **held == 0);

        free.map(|place| (*place.0, *place.1) = (algorithm as u8, id.0)).is_some()
    }

    /// Returns the same without the word of those that are `stolen`, for good.
    #[must_use]
    pub fn without(mut self, stolen: &[KeyId]) -> Self {
        let gone = |id: &[u8; 8]| stolen.contains(&KeyId(*id));
        let of_gone = self.places().filter(|(held, id)| **held != 0 && gone(id));
        of_gone.for_each(|(held, _)| *held |= STOLEN);

        self
    }

    /// Returns whether too few are left without those whom any of `sets` calls compromised: thefts add
    /// up, though the list of a later set may have forgotten the earlier ones.
    pub(super) fn are_too_few_by<'a>(self, sets: impl IntoIterator<Item = &'a KeySet>) -> bool {
        let left = |left: Self, set: &KeySet| left.without(set.compromised());

        !sets.into_iter().fold(self, left).are_enough()
    }

    /// Returns whether of every algorithm that signed as many keys are left as must.
    #[must_use]
    pub fn are_enough(&self) -> bool {
        let left = |algorithm| self.algorithms.iter().filter(|held| **held == algorithm).count();
        let mut signed = self.algorithms.iter().filter(|held| **held != 0);

        signed.all(|held| left(held & !STOLEN) >= usize::from(self.threshold))
    }

    fn places(&mut self) -> impl Iterator<Item = (&mut u8, &mut [u8; 8])> {
        self.algorithms.iter_mut().zip(&mut self.ids)
    }
}
