//! What the next key set says, before it is signed.

use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::sign::{KeyDraft, KeySetDraft, PrivateKey, Signer as _};
use gateward_core::trust::{
    Algorithm, Audience, KeyId, KeySet, MAX_REVOKED_KEYS, MAX_SIGNATURES, Role,
};

use super::super::make::LIFE_S;
use super::super::role_name;
use super::{Chain, Fate, Half, NewKey, NotRotated, Policy, Rotation, draw_key};
use crate::day::Day;

/// The next key set, and what it changes.
pub(super) struct Draft {
    set: KeySetDraft,
    pub(super) new: Option<PrivateKey>,
    pub(super) leaving: Vec<(KeyId, Fate)>,
}

impl Draft {
    pub(super) fn make(
        rotation: &Rotation,
        chain: &Chain,
        policy: &Policy,
    ) -> Result<Self, NotRotated> {
        let old = chain.newest();
        let leaving = leaving(rotation, chain)?;
        let mut set = KeySetDraft::after(old);
        // A clock that is behind must not make a set older than the one before it.
        set.issued_at = rotation.now.max(old.issued_at());
        set.expires = expires(rotation.expires, set.issued_at)?;
        let mut drawn = None;
        if let Some(new) = &rotation.new {
            let key = draw_key(algorithm(new, &leaving, old))?;
            let audiences = audiences(new, &leaving, old, policy)?;
            set.keys.push(KeyDraft { audiences, ..KeyDraft::of(&key, new.role.bit()) });
            drawn = Some(key);
        }
        bar(&mut set, &leaving);
        let draft = Self { set, new: drawn, leaving };
        draft.leaves_nobody_out(old, policy)?;
        draft.keeps_roles_apart(rotation)?;

        Ok(draft)
    }

    /// Key sets from elsewhere may give a key two roles. Nothing but their separation goes on with
    /// one, unless a thief has to be shut out first.
    fn keeps_roles_apart(&self, rotation: &Rotation) -> Result<(), NotRotated> {
        let new = rotation.new.as_ref().map_or(0, |new| new.role.bit());
        if self.leaving.iter().any(|(_, fate)| *fate == Fate::Compromised) {
            return Ok(());
        }
        for key in self.set.keys.iter().filter(|key| key.roles & new == 0) {
            let roles: Vec<_> =
                Role::ALL.into_iter().filter(|role| key.roles & role.bit() != 0).collect();
            if let [first, .., last] = roles[..] {
                let names: Vec<_> = roles.iter().map(|role| role_name(*role)).collect();
                let (id, roles) = (KeyId::of(&key.public), names.join(" and "));
                return Err(NotRotated::TwoRoles { id, roles, role: last, other: first });
            }
        }

        Ok(())
    }

    /// Returns the keys of `role` that will be trusted.
    fn keys(&self, role: Role) -> impl Iterator<Item = &KeyDraft> {
        self.set.keys.iter().filter(move |key| key.roles & role.bit() != 0)
    }

    /// Returns how many keys reach `audience`, of the algorithm in `old` that has the fewest.
    fn reach(&self, old: &KeySet, role: Role, audience: Option<Audience>) -> usize {
        let reaches = |key: &&KeyDraft| {
            let own = key.audiences.as_ref();
            own.is_none_or(|own| audience.is_some_and(|one| own.contains(&one)))
        };

        let of = |one| self.keys(role).filter(|key| key.algorithm == one).filter(reaches).count();

        required(old, role).map(of).min().unwrap_or(0)
    }

    /// Whoever had keys enough before has them after.
    fn leaves_nobody_out(&self, old: &KeySet, policy: &Policy) -> Result<(), NotRotated> {
        let left = self.reach(old, Role::Root, None);
        let needed = old.threshold(Role::Root);
        if left < needed {
            return Err(NotRotated::TooFewRootsLeft { left, needed });
        }
        let had = |role, audience| {
            let of = |one| {
                let keys = old.keys().iter().filter(|key| key.algorithm() == one);
                keys.filter(|key| old.trusts(key.id(), role) && key.reaches(audience)).count()
            };
            required(old, role).all(|one| of(one) >= old.threshold(role))
        };
        let lost = |role, audience| {
            had(role, audience) && self.reach(old, role, audience) < old.threshold(role)
        };
        for role in [Role::Snapshot, Role::Beacon] {
            let account = policy.account().id;
            let groups = policy.groups().iter();
            let out = groups.filter(|group| lost(role, Some(Audience::of(account, &group.id))));
            let out: Vec<_> = out.map(|group| format!("group `{}`", group.id)).collect();
            if !out.is_empty() {
                return Err(NotRotated::NoneLeft { role, of: out.join(", ") });
            }
        }
        if lost(Role::Collector, None) {
            let of = "the collector".to_owned();
            return Err(NotRotated::NoneLeft { role: Role::Collector, of });
        }

        Ok(())
    }

    /// Signs with every root key here that the old set or the new one trusts.
    pub(super) fn sign(
        &self,
        old: &KeySet,
        roots: &[Half],
        drawn: Option<&Half>,
    ) -> Result<Vec<u8>, NotRotated> {
        let new_root = drawn.filter(|half| half.role == Role::Root);
        let before: Vec<_> = roots.iter().filter(|half| old.trusts(half.id, Role::Root)).collect();
        let is_after =
            |half: &Half| self.keys(Role::Root).any(|key| KeyId::of(&key.public) == half.id);
        let needed = old.threshold(Role::Root);
        let here = |one| before.iter().filter(|half| half.key.algorithm() == one).count();
        // The new one signs for the set that it is in, not for the one before.
        let after = |one| {
            let stay = before.iter().filter(|half| is_after(half)).copied().chain(new_root);
            stay.filter(|half| half.key.algorithm() == one).count()
        };
        if required(old, Role::Root).any(|one| here(one) < needed || after(one) < needed) {
            let trusted = old.keys().iter().filter(|key| old.trusts(key.id(), Role::Root));
            let absent = trusted.filter(|key| before.iter().all(|half| half.id != key.id()));
            let missing: Vec<_> = absent.map(|key| key.id().to_string()).collect();
            let here = required(old, Role::Root).map(here).min().unwrap_or(0);
            let missing = missing.join(", ");
            return Err(NotRotated::TooFewRoots { here, needed, missing });
        }
        let mut signers: Vec<_> = before.iter().filter(|half| is_after(half)).copied().collect();
        signers.extend(new_root);
        signers.extend(before.iter().filter(|half| !is_after(half)));
        let signers: Vec<_> = signers.iter().take(MAX_SIGNATURES).map(|half| &half.key).collect();

        Ok(self.set.sign(&signers)?)
    }
}

fn required(set: &KeySet, role: Role) -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL.into_iter().filter(move |one| set.requires(role, *one))
}

/// Returns the algorithm of the new key: that of the key which it replaces.
fn algorithm(new: &NewKey, leaving: &[(KeyId, Fate)], old: &KeySet) -> Algorithm {
    let goes = |id| leaving.iter().any(|(other, _)| *other == id);
    let replaced = old.keys().iter().find(|key| key.has(new.role) && goes(key.id()));

    replaced.map_or(Algorithm::Ed25519, gateward_core::trust::Key::algorithm)
}

fn expires(day: Option<Day>, issued_at: UnixSeconds) -> Result<UnixSeconds, NotRotated> {
    match day {
        None => Ok(issued_at.plus(LIFE_S)),
        Some(day) if day.is_over(issued_at) => Err(NotRotated::Expired(day)),
        Some(day) => Ok(UnixSeconds(day.end().0.into())),
    }
}

/// Takes keys out of the set and into its lists.
fn bar(set: &mut KeySetDraft, leaving: &[(KeyId, Fate)]) {
    set.keys.retain(|key| leaving.iter().all(|(id, _)| *id != KeyId::of(&key.public)));
    for &(id, fate) in leaving {
        set.retired.retain(|other| *other != id);
        match fate {
            Fate::Compromised => set.compromised.push(id),
            Fate::Retired => set.retired.push(id),
        }
    }
    // What is in no list and in no set signs nothing either: the oldest ids can go.
    for list in [&mut set.retired, &mut set.compromised] {
        list.drain(..list.len().saturating_sub(MAX_REVOKED_KEYS));
    }
}

/// Returns the keys that leave, with the one that the new key replaces.
fn leaving(rotation: &Rotation, chain: &Chain) -> Result<Vec<(KeyId, Fate)>, NotRotated> {
    let set = chain.newest();
    let mut leaving: Vec<(KeyId, Fate)> = Vec::new();
    for &(id, fate) in &rotation.leaving {
        leaving.retain(|(other, _)| *other != id);
        leaving.push((id, fate));
    }
    if let Some(new) = &rotation.new
        && let Some(fate) = new.old
    {
        let of_role = |(id, _): &(KeyId, Fate)| set.trusts(*id, new.role);
        match new.replaces {
            Some(id) if !set.trusts(id, new.role) => return Err(not_of_role(id, new.role, chain)),
            Some(id) => leaving.push((id, fate)),
            // Whoever names the key that goes has named the one that is replaced.
            None if leaving.iter().any(of_role) => {}
            None => leaving.extend(only(set, new.role)?.map(|id| (id, fate))),
        }
    }
    for &(id, fate) in &leaving {
        let was = chain.sets().iter().any(|set| set.keys().iter().any(|key| key.id() == id));
        let trusted = Role::ALL.into_iter().any(|role| set.trusts(id, role));
        let void = set.compromised().contains(&id);
        match fate {
            _ if !was => return Err(NotRotated::NoSuchKey(id)),
            Fate::Compromised if void => return Err(NotRotated::Barred(id)),
            Fate::Retired if !trusted => return Err(NotRotated::Barred(id)),
            Fate::Compromised | Fate::Retired => {}
        }
    }

    Ok(leaving)
}

fn not_of_role(id: KeyId, role: Role, chain: &Chain) -> NotRotated {
    let mut keys = chain.sets().iter().flat_map(KeySet::keys).filter(|key| key.id() == id);
    match keys.next() {
        None => NotRotated::NoSuchKey(id),
        Some(key) if key.has(role) => NotRotated::Barred(id),
        Some(_) => NotRotated::OtherRole { id, role },
    }
}

/// Returns the only key of `role`; of the root keys one must be named.
fn only(set: &KeySet, role: Role) -> Result<Option<KeyId>, NotRotated> {
    let keys = set.keys().iter().map(gateward_core::trust::Key::id);
    let keys: Vec<_> = keys.filter(|id| set.trusts(*id, role)).collect();
    match keys[..] {
        [] => Ok(None),
        [one] if role != Role::Root => Ok(Some(one)),
        _ => {
            let ids: Vec<_> = keys.iter().map(KeyId::to_string).collect();
            Err(NotRotated::Which { role, count: keys.len(), ids: ids.join(", ") })
        }
    }
}

/// Returns the groups that the new key is limited to: those that were named, or else those of the
/// key that it replaces.
fn audiences(
    new: &NewKey,
    leaving: &[(KeyId, Fate)],
    old: &KeySet,
    policy: &Policy,
) -> Result<Option<Vec<Audience>>, NotRotated> {
    let account: Uuid = policy.account().id;
    if new.groups.is_empty() {
        let replaced = old.keys().iter().filter(|key| {
            old.trusts(key.id(), new.role) && leaving.iter().any(|(id, _)| *id == key.id())
        });
        let mut limits = Vec::new();
        for key in replaced {
            // Where one of several was for everybody, so is the new one.
            let Some(own) = key.audiences() else { return Ok(None) };
            limits.extend_from_slice(own);
        }
        return Ok(Some(limits).filter(|limits| !limits.is_empty()));
    }
    if matches!(new.role, Role::Collector | Role::Root) {
        return Err(NotRotated::NoLimits(new.role));
    }
    let mut audiences = Vec::new();
    for name in &new.groups {
        if policy.group(name).is_none() {
            let groups: Vec<_> = policy.groups().iter().map(|group| group.id.as_str()).collect();
            let (name, groups) = (name.escape_debug().to_string(), groups.join(", "));
            return Err(NotRotated::NoSuchGroup { name, groups });
        }
        audiences.push(Audience::of(account, name));
    }

    Ok(Some(audiences))
}
