//! What a key set says, where it arrived, and who vouches for it.
//!
//! Everything about a set is checked before any of it is stored. Its keys are decoded for a
//! signature one at a time, so that a set that has 6 KiB once it is stored takes no room on the stack
//! while it is verified.

use heapless::Vec;

use super::super::envelope::{Envelope, Kind, MAX_SIGNATURES};
use super::super::public::Public;
use super::super::role::{Algorithm, KeyId, Role};
use super::super::wire::Reader;
use super::super::{Audience, Refused, wire};
use super::{Demands, Key, KeySet, MAX_AUDIENCES, MAX_KEYS, MAX_REVOKED_KEYS};
use crate::name::Uuid;
use crate::time::UnixSeconds;

/// A key set that whoever has to has vouched for: it only has to be stored.
pub struct Vouched<'a> {
    said: Said<'a>,
    unsettles: bool,
}

impl core::fmt::Debug for Vouched<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Vouched").field("epoch", &self.said.epoch).finish_non_exhaustive()
    }
}

impl<'a> Vouched<'a> {
    /// As [`KeySet::anchor`].
    ///
    /// # Errors
    ///
    /// As that.
    #[inline(never)]
    pub fn anchor(bytes: &'a [u8], account: Uuid) -> Result<Self, Refused> {
        let envelope = Envelope::open(bytes, Kind::KeySet)?;
        let said = Said::read(envelope.payload)?;
        if said.account != account {
            return Err(Refused::OtherAccount);
        }
        said.is_signed_by_its_own(&envelope)?;

        Ok(Self { said, unsettles: false })
    }

    /// As [`KeySet::follow`].
    ///
    /// # Errors
    ///
    /// As that.
    #[inline(never)]
    pub fn next(held: &KeySet, bytes: &'a [u8]) -> Result<Self, Refused> {
        let envelope = Envelope::open(bytes, Kind::KeySet)?;
        let said = Said::read(envelope.payload)?;
        if said.account != held.account {
            return Err(Refused::OtherAccount);
        }
        if said.epoch <= held.epoch {
            return Err(Refused::OldKeys);
        }
        if said.epoch - held.epoch > 1 {
            return Err(Refused::NewerKeys(said.epoch));
        }
        // First, because nobody vouches for the keys in it yet, and decoding them is work.
        held.signers(&envelope, Kind::KeySet, Role::Root, None)?;
        said.is_signed_by_its_own(&envelope)?;
        let unsettles = unsettles(held, said.keys.map(|key| (key.id(), key.roles)), said.gone());

        Ok(Self { said, unsettles })
    }

    /// Returns the set.
    #[must_use]
    pub fn key_set(&self) -> KeySet {
        let mut set = KeySet::nobody();
        self.store(&mut set);

        set
    }

    /// Writes the set over `set`, whatever that held.
    #[inline(never)]
    pub fn store(&self, set: &mut KeySet) {
        let said = &self.said;
        set.account = said.account;
        set.epoch = said.epoch;
        set.issued_at = said.issued_at;
        set.expires = said.expires;
        set.thresholds = said.thresholds;
        set.required = said.required;
        set.unsettles = self.unsettles;
        // All keys were decoded before, and there is room for as many as may be.
        fill(&mut set.keys, said.keys.filter_map(|key| key.decoded()));
        fill(&mut set.retired, said.retired.iter().copied().map(KeyId));
        fill(&mut set.compromised, said.gone());
    }
}

/// Writes `items` over what is there, as many as there is room for.
fn fill<T, const N: usize>(to: &mut Vec<T, N>, mut items: impl Iterator<Item = T>) {
    to.clear();
    let _ = items.try_for_each(|item| to.push(item).map_err(drop));
}

/// A payload: its shape is checked, and nothing else.
struct Said<'a> {
    account: Uuid,
    epoch: u32,
    issued_at: UnixSeconds,
    expires: UnixSeconds,
    thresholds: [u8; 4],
    required: [u8; 4],
    keys: Keys<'a>,
    retired: &'a [[u8; 8]],
    compromised: &'a [[u8; 8]],
}

impl<'a> Said<'a> {
    fn read(payload: &'a [u8]) -> Result<Self, Refused> {
        let (account, rest) = wire::take_account(payload)?;
        let mut from = Reader::new(rest);
        let said = Self {
            account,
            epoch: from.u32()?,
            issued_at: UnixSeconds(from.u64()?),
            expires: UnixSeconds(from.u64()?),
            thresholds: *from.array()?,
            required: *from.array()?,
            keys: Keys::read(&mut from)?,
            retired: from.arrays(MAX_REVOKED_KEYS)?,
            compromised: from.arrays(MAX_REVOKED_KEYS)?,
        };
        from.end()?;

        Ok(said)
    }

    /// Checks that the set can be used, and that as many of its own root keys signed it as must.
    #[inline(never)]
    fn is_signed_by_its_own(&self, envelope: &Envelope<'_>) -> Result<(), Refused> {
        if self.epoch == 0 || self.issued_at >= self.expires || self.expires.0 > u64::from(u32::MAX)
        {
            return Err(Refused::Absurd);
        }
        self.decodes()?;
        if !self.is_usable() {
            return Err(Refused::KeysUnusable);
        }
        let demands = Demands::of(Role::Root, &self.thresholds, &self.required);
        let decoded = |key: KeyBody<'a>| Some((key.id(), key.public()?.ok()?));

        demands.signers(envelope, Kind::KeySet, |one| self.roots(one).filter_map(decoded)).map(drop)
    }

    /// Checks every key of an algorithm that this build has; what requires others is refused at its
    /// use.
    #[inline(never)]
    fn decodes(&self) -> Result<(), Refused> {
        self.keys.filter_map(|key| key.public()).try_for_each(|key| key.map(drop))
    }

    /// Whether every role asks for Ed25519 and for no more signatures than can stand in one
    /// envelope, every key stands once, and the root keys can reach their threshold: else no set
    /// could ever follow.
    fn is_usable(&self) -> bool {
        let asks = self.required.iter().all(|bits| bits & Algorithm::Ed25519.bit() != 0);
        let counts = self.thresholds.iter().zip(&self.required).all(|(threshold, required)| {
            let signatures = usize::from(*threshold) * required.count_ones() as usize;
            *threshold > 0 && signatures <= MAX_SIGNATURES
        });
        let ours = || self.keys.filter(|key| key.is_ours());
        let mut ids = Vec::<KeyId, MAX_KEYS>::new();
        fill(&mut ids, ours().map(|key| key.id()));
        let once = |id: &KeyId| ids.iter().filter(|other| *other == id).count() == 1;
        let supported =
            Algorithm::ALL.into_iter().filter(|one| one.bit() & Algorithm::SUPPORTED != 0);
        let required = Role::Root.of(&self.required);
        let threshold = usize::from(Role::Root.of(&self.thresholds));
        let roots = supported
            .filter(|one| required & one.bit() != 0)
            .all(|algorithm| self.roots(algorithm).count() >= threshold);

        asks && counts && ids.iter().all(once) && roots
    }

    /// Its root keys of an algorithm that may still sign, and that are limited to no group.
    fn roots(&self, algorithm: Algorithm) -> impl Iterator<Item = KeyBody<'a>> {
        let (retired, compromised) = (self.retired, self.compromised);
        let barred = move |id: KeyId| retired.contains(&id.0) || compromised.contains(&id.0);

        self.keys.filter(move |key| {
            key.algorithm == algorithm as u8
                && key.roles & Role::Root.bit() != 0
                && key.audiences.is_none()
                && !barred(key.id())
        })
    }

    fn gone(&self) -> impl Iterator<Item = KeyId> + Clone + use<'a> {
        self.compromised.iter().copied().map(KeyId)
    }
}

/// Whether a set with these keys calls a key compromised that `held` did not, and that may have told
/// the time. A key that neither set holds any more counts: nobody remembers what it was for.
pub(super) fn unsettles(
    held: &KeySet,
    keys: impl Iterator<Item = (KeyId, u8)> + Clone,
    mut compromised: impl Iterator<Item = KeyId>,
) -> bool {
    let telling = Role::Snapshot.bit() | Role::Beacon.bit();
    let of_held = || held.keys.iter().map(|key| (key.id, key.roles));
    let tells = |id: KeyId| {
        let mut own = of_held().chain(keys.clone()).filter(|(of, _)| *of == id).peekable();
        own.peek().is_none() || own.any(|(_, roles)| roles & telling != 0)
    };

    compromised.any(|id| !held.compromised.contains(&id) && tells(id))
}

/// Keys as they arrived, read one at a time.
#[derive(Clone, Copy)]
struct Keys<'a> {
    from: Reader<'a>,
    left: usize,
}

impl<'a> Keys<'a> {
    /// Walks the list once, so that reading it later never ends early.
    fn read(from: &mut Reader<'a>) -> Result<Self, Refused> {
        let left = from.at_most(MAX_KEYS)?;
        let keys = Self { from: *from, left };
        for _ in 0..left {
            KeyBody::read(from)?;
        }

        Ok(keys)
    }
}

impl<'a> Iterator for Keys<'a> {
    type Item = KeyBody<'a>;

    fn next(&mut self) -> Option<KeyBody<'a>> {
        self.left = self.left.checked_sub(1)?;

        KeyBody::read(&mut self.from).ok()
    }
}

struct KeyBody<'a> {
    public: &'a [u8],
    algorithm: u8,
    roles: u8,
    audiences: Option<&'a [[u8; 16]]>,
}

impl<'a> KeyBody<'a> {
    fn read(from: &mut Reader<'a>) -> Result<Self, Refused> {
        let (public, algorithm, roles) = (from.bytes()?, from.byte()?, from.byte()?);
        let audiences = match from.byte()? {
            0 => None,
            1 => Some(from.arrays(MAX_AUDIENCES)?),
            _ => return Err(Refused::Malformed),
        };

        Ok(Self { public, algorithm, roles, audiences })
    }

    fn id(&self) -> KeyId {
        KeyId::of(self.public)
    }

    /// Whether this build has its algorithm.
    fn is_ours(&self) -> bool {
        let known = |one: &Algorithm| *one as u8 == self.algorithm;

        Algorithm::ALL
            .into_iter()
            .find(known)
            .is_some_and(|one| one.bit() & Algorithm::SUPPORTED != 0)
    }

    /// Decodes the key itself; nothing where this build lacks its algorithm.
    fn public(&self) -> Option<Result<Public, Refused>> {
        Public::read(self.algorithm, self.public)
    }

    fn decoded(&self) -> Option<Key> {
        let public = self.public()?.ok()?;
        let audiences = self.audiences.map(|own| {
            let mut audiences = Vec::new();
            fill(&mut audiences, own.iter().copied().map(Audience));
            audiences
        });

        Some(Key { id: self.id(), public, roles: self.roles, audiences })
    }
}

/// What is read of a payload, as postcard would write it.
#[cfg(test)]
pub(in crate::trust) fn as_written(payload: &[u8]) -> Result<super::Body<'_>, Refused> {
    let said = Said::read(payload)?;
    let key = |KeyBody { public, algorithm, roles, audiences }| {
        let audiences = audiences.map(|own: &[_]| own.iter().copied().map(Audience).collect());
        super::KeyBody { public, algorithm, roles, audiences }
    };

    Ok(super::Body {
        epoch: said.epoch,
        issued_at: said.issued_at.0,
        expires: said.expires.0,
        thresholds: said.thresholds,
        required: said.required,
        keys: said.keys.map(key).collect(),
        retired: said.retired.iter().copied().map(KeyId).collect(),
        compromised: said.compromised.iter().copied().map(KeyId).collect(),
    })
}
