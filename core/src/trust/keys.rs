//! Which keys may sign what, and how one set of keys gives way to the next.
//!
//! Payload in postcard after format and account: `epoch u32` ‖ `issued_at u64` ‖ `expires u64` ‖
//! `thresholds [u8; 4]` ‖ `required [u8; 4]` ‖ keys ‖ retired ids ‖ compromised ids. A key is `key`
//! (length, bytes) ‖ `alg u8` ‖ `roles u8` ‖ audiences: 0, or 1 and a list of `[u8; 16]`. The four
//! places are those of [`Role`]; bit n of `roles` is role n, bit n of `required` is algorithm n + 1.

mod said;

pub use said::Vouched;
#[cfg(test)]
pub(super) use said::as_written;

use core::borrow::Borrow;

use heapless::Vec;

use super::envelope::{Envelope, Kind};
use super::public::Public;
use super::role::{Algorithm, KeyId, Role};
use super::signers::Signers;
use super::{Audience, Refused};
use crate::name::Uuid;
use crate::time::UnixSeconds;

/// The most keys in a set.
pub const MAX_KEYS: usize = 16;
/// The most audiences that one key may be limited to.
pub const MAX_AUDIENCES: usize = 8;
/// The most ids in each of the lists of retired and compromised keys.
pub const MAX_REVOKED_KEYS: usize = 32;

/// A payload as postcard frames it.
#[cfg(any(test, feature = "build"))]
#[derive(serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(super) struct Body<'a> {
    pub(super) epoch: u32,
    pub(super) issued_at: u64,
    pub(super) expires: u64,
    pub(super) thresholds: [u8; 4],
    pub(super) required: [u8; 4],
    #[cfg_attr(test, serde(borrow))]
    pub(super) keys: Vec<KeyBody<'a>, MAX_KEYS>,
    pub(super) retired: Vec<KeyId, MAX_REVOKED_KEYS>,
    pub(super) compromised: Vec<KeyId, MAX_REVOKED_KEYS>,
}

#[cfg(any(test, feature = "build"))]
#[derive(serde::Serialize)]
#[cfg_attr(test, derive(serde::Deserialize))]
pub(super) struct KeyBody<'a> {
    pub(super) public: &'a [u8],
    pub(super) algorithm: u8,
    pub(super) roles: u8,
    pub(super) audiences: Option<Vec<Audience, MAX_AUDIENCES>>,
}

/// A key of a set, of an algorithm that this build has.
#[derive(Clone, Debug)]
pub struct Key {
    id: KeyId,
    pub(super) public: Public,
    roles: u8,
    audiences: Option<Vec<Audience, MAX_AUDIENCES>>,
}

impl Key {
    /// Returns its id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the algorithm that it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    /// Returns whether it may sign what `role` signs.
    #[must_use]
    pub const fn has(&self, role: Role) -> bool {
        self.roles & role.bit() != 0
    }

    /// Returns the bits of [`Role`] that it was given.
    #[must_use]
    pub const fn roles(&self) -> u8 {
        self.roles
    }

    /// Returns the groups that it is limited to; none where it may sign for all.
    #[must_use]
    pub fn audiences(&self) -> Option<&[Audience]> {
        self.audiences.as_deref()
    }

    /// Returns whether it may sign for `audience`; a limited key signs nothing that has none.
    #[must_use]
    pub fn reaches(&self, audience: Option<Audience>) -> bool {
        self.audiences.as_ref().is_none_or(|own| audience.is_some_and(|one| own.contains(&one)))
    }
}

/// The keys that a gateway trusts.
///
/// The first is installed at enrolment, every further one is signed by the root keys of the one
/// before and by its own.
#[derive(Clone, Debug)]
pub struct KeySet {
    account: Uuid,
    epoch: u32,
    issued_at: UnixSeconds,
    expires: UnixSeconds,
    thresholds: [u8; 4],
    required: [u8; 4],
    keys: Vec<Key, MAX_KEYS>,
    retired: Vec<KeyId, MAX_REVOKED_KEYS>,
    compromised: Vec<KeyId, MAX_REVOKED_KEYS>,
    unsettles: bool,
}

impl KeySet {
    /// Returns one that trusts nobody, for [`Vouched::store`] to write into.
    #[must_use]
    pub const fn nobody() -> Self {
        Self {
            account: Uuid([0; 16]),
            epoch: 0,
            issued_at: UnixSeconds(0),
            expires: UnixSeconds(0),
            thresholds: [u8::MAX; 4],
            required: [u8::MAX; 4],
            keys: Vec::new(),
            retired: Vec::new(),
            compromised: Vec::new(),
            unsettles: false,
        }
    }

    /// Reads the key set that was installed at enrolment: whoever installed it vouches for it, and
    /// its own root keys must have signed it.
    ///
    /// # Errors
    ///
    /// Returns why it is not one of `account`.
    pub fn anchor(bytes: &[u8], account: Uuid) -> Result<Self, Refused> {
        Vouched::anchor(bytes, account).map(|vouched| vouched.key_set())
    }

    /// Reads the key set of the next epoch, which the threshold of the root keys held and the
    /// threshold of its own root keys must have signed.
    ///
    /// # Errors
    ///
    /// Returns why this one stays the newest.
    pub fn follow(&self, bytes: &[u8]) -> Result<Self, Refused> {
        Vouched::next(self, bytes).map(|vouched| vouched.key_set())
    }

    /// Returns the account.
    #[must_use]
    pub const fn account(&self) -> Uuid {
        self.account
    }

    /// Returns the number of the set, at least 1.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Returns when it was signed.
    #[must_use]
    pub const fn issued_at(&self) -> UnixSeconds {
        self.issued_at
    }

    /// Returns from when on it accepts nothing new; what it accepted before stays (TRUST section 3).
    #[must_use]
    pub const fn expires(&self) -> UnixSeconds {
        self.expires
    }

    /// Returns its keys of algorithms that this build has, retired and compromised ones too.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Returns the keys that sign nothing new.
    #[must_use]
    pub fn retired(&self) -> &[KeyId] {
        &self.retired
    }

    /// Returns the keys whose signatures are void.
    #[must_use]
    pub fn compromised(&self) -> &[KeyId] {
        &self.compromised
    }

    /// Returns whether the key is in the set and may still sign as `role`.
    #[must_use]
    pub fn trusts(&self, id: KeyId, role: Role) -> bool {
        let barred = self.retired.contains(&id) || self.compromised.contains(&id);

        !barred && self.keys.iter().any(|key| key.id == id && key.has(role))
    }

    /// Returns whether what `role` signs must be signed with `algorithm` too.
    #[must_use]
    pub fn requires(&self, role: Role, algorithm: Algorithm) -> bool {
        role.of(&self.required) & algorithm.bit() != 0
    }

    /// Checks what everything says that is signed for one group: whose it is, for whom, and under
    /// which key set.
    pub(super) fn expects(
        &self,
        account: Uuid,
        audience: Audience,
        own: Audience,
        epoch: u32,
    ) -> Result<(), Refused> {
        if account != self.account {
            return Err(Refused::OtherAccount);
        }
        if audience != own {
            return Err(Refused::OtherAudience);
        }
        if epoch < self.epoch {
            return Err(Refused::OldKeys);
        }
        if epoch > self.epoch {
            return Err(Refused::NewerKeys(epoch));
        }

        Ok(())
    }

    /// Makes one that nobody signed and whose keys verify nothing, for models that try very many.
    #[cfg(test)]
    pub(super) fn unsigned(
        held: Option<&Self>,
        issued_at: UnixSeconds,
        keys: impl Iterator<Item = (KeyId, Role)>,
        compromised: Vec<KeyId, MAX_REVOKED_KEYS>,
    ) -> Self {
        let nobodys = ed25519_dalek::VerifyingKey::default();
        let key = |(id, role): (KeyId, Role)| Key {
            id,
            public: Public::Ed25519(nobodys),
            roles: role.bit(),
            audiences: None,
        };
        let mut own = Self {
            account: Uuid([0; 16]),
            epoch: held.map_or(1, |held| held.epoch + 1),
            issued_at,
            expires: UnixSeconds(u32::MAX.into()),
            thresholds: [1; 4],
            required: [1; 4],
            keys: keys.map(key).collect(),
            retired: Vec::new(),
            compromised,
            unsettles: false,
        };
        let named = |key: &Key| (key.id, key.roles);
        own.unsettles = held.is_some_and(|held| {
            said::unsettles(held, own.keys.iter().map(named), own.compromised.iter().copied())
        });

        own
    }

    /// Returns whether it calls a key compromised that the set before did not, and that may have signed
    /// a manifest, a revocation list or a beacon: what single keys said of the time is taken back.
    #[must_use]
    pub const fn unsettles(&self) -> bool {
        self.unsettles
    }

    /// Returns how many keys of each algorithm required must sign as `role`.
    #[must_use]
    pub fn threshold(&self, role: Role) -> usize {
        usize::from(role.of(&self.thresholds))
    }

    /// Returns the thresholds and the required algorithms of all roles.
    #[cfg(any(test, feature = "build"))]
    pub(super) const fn demands(&self) -> ([u8; 4], [u8; 4]) {
        (self.thresholds, self.required)
    }

    /// Returns who signed, where that is enough: for every algorithm that the role requires, as many
    /// keys as must. Signatures of other algorithms count neither for an object nor against it.
    pub(super) fn signers(
        &self,
        envelope: &Envelope<'_>,
        kind: Kind,
        role: Role,
        audience: Option<Audience>,
    ) -> Result<Signers, Refused> {
        let demands = Demands::of(role, &self.thresholds, &self.required);

        demands.signers(envelope, kind, |algorithm| {
            let trusted = self.trusted(role, algorithm).filter(move |key| key.reaches(audience));
            trusted.map(|key| (key.id, &key.public))
        })
    }

    fn trusted(&self, role: Role, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.keys
            .iter()
            .filter(move |key| key.algorithm() == algorithm && self.trusts(key.id, role))
    }
}

/// How many keys of which algorithms must sign in a role.
#[derive(Clone, Copy)]
struct Demands {
    threshold: u8,
    required: u8,
}

impl Demands {
    fn of(role: Role, thresholds: &[u8; 4], required: &[u8; 4]) -> Self {
        Self { threshold: role.of(thresholds), required: role.of(required) }
    }

    /// Returns who of those that are `trusted` signed, where that is enough.
    fn signers<K: Borrow<Public>, I: Iterator<Item = (KeyId, K)>>(
        self,
        envelope: &Envelope<'_>,
        kind: Kind,
        trusted: impl Fn(Algorithm) -> I,
    ) -> Result<Signers, Refused> {
        if self.required & !Algorithm::SUPPORTED != 0 {
            return Err(Refused::AlgorithmMissing);
        }
        let mut signers = Signers::of_whom_must(self.threshold);
        let demanded = |one: &Algorithm| self.required & one.bit() != 0;
        for algorithm in Algorithm::ALL.into_iter().filter(demanded) {
            let mut found = 0_u8;
            for id in envelope.signers(kind, trusted(algorithm)) {
                // Ids differ, and so do their signatures: there is room for all of them.
                signers.add(algorithm, id).then_some(()).ok_or(Refused::Malformed)?;
                found += 1;
            }
            if found < self.threshold {
                return Err(Refused::Unsigned);
            }
        }

        Ok(signers)
    }
}
