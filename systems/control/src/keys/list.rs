//! Every key of an account: what it signs, for whom, whether it still does, and where its private
//! half is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gateward_core::time::UnixSeconds;
use gateward_core::trust::{Algorithm, Audience, KeyId, KeySet, Role};

use super::halves::{at_hand, named_path};
use super::{Chain, NoChain, PRIVATE};
use crate::policy::{Policy, Unusable};
use crate::secret;

/// Whether a key still signs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// What it signed is void.
    Compromised,
    /// It signs nothing new.
    Retired,
    /// It signs.
    Trusted,
}

impl Standing {
    /// Returns the word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compromised => "compromised",
            Self::Retired => "retired",
            Self::Trusted => "trusted",
        }
    }
}

/// A key.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id.
    pub id: KeyId,
    /// What it signs, or did.
    pub roles: Vec<Role>,
    /// The algorithm that it signs with; none where it stands in no key set any more.
    pub algorithm: Option<Algorithm>,
    /// The groups that it is limited to, by name where the policy knows them; none for all.
    pub groups: Option<Vec<String>>,
    /// Whether it still signs.
    pub standing: Standing,
    /// Its private half, where that is in the policy folder.
    pub private: Option<PathBuf>,
}

/// A key set.
#[derive(Clone, Debug)]
pub struct ListedSet {
    /// Its epoch.
    pub epoch: u32,
    /// When it was signed.
    pub issued_at: UnixSeconds,
    /// From when on it accepts nothing new.
    pub expires: UnixSeconds,
    /// Its keys, and those that it calls retired or compromised.
    pub keys: Vec<Listed>,
}

/// Why nothing can be listed.
#[derive(Debug, thiserror::Error)]
pub enum NotListed {
    /// The key sets cannot be read.
    #[error(transparent)]
    Chain(#[from] NoChain),
    /// The policy cannot be read.
    #[error(transparent)]
    Policy(#[from] Unusable),
    /// A private key cannot be used.
    #[error(transparent)]
    Secret(#[from] secret::Unusable),
}

/// Returns the key sets in the policy folder `dir`, the first one first.
///
/// # Errors
///
/// A file cannot be read, or others can read a private key.
pub fn list(dir: &Path) -> Result<Vec<ListedSet>, NotListed> {
    let policy = Policy::load(dir)?;
    let chain = Chain::load(dir, policy.account().id)?;
    let groups = policy.groups().iter();
    let names = groups.map(|group| (Audience::of(policy.account().id, &group.id), &*group.id));
    let mut files = BTreeMap::new();
    for role in Role::ALL {
        files.extend(at_hand(dir, role)?.into_iter().map(|half| (half.id, half.path)));
    }
    let listing = Listing { dir, sets: chain.sets(), names: names.collect(), files };

    Ok(chain.sets().iter().map(|set| listing.set(set)).collect())
}

struct Listing<'a> {
    dir: &'a Path,
    sets: &'a [KeySet],
    names: BTreeMap<Audience, &'a str>,
    files: BTreeMap<KeyId, PathBuf>,
}

impl Listing<'_> {
    fn set(&self, set: &KeySet) -> ListedSet {
        let own = set.keys().iter().map(gateward_core::trust::Key::id);
        let mut ids: Vec<_> = own.collect();
        for id in set.retired().iter().chain(set.compromised()) {
            if !ids.contains(id) {
                ids.push(*id);
            }
        }
        let (epoch, issued_at, expires) = (set.epoch(), set.issued_at(), set.expires());

        ListedSet {
            epoch,
            issued_at,
            expires,
            keys: ids.into_iter().map(|id| self.key(set, id)).collect(),
        }
    }

    fn key(&self, set: &KeySet, id: KeyId) -> Listed {
        let mut all = core::iter::once(set).chain(self.sets).flat_map(KeySet::keys);
        let key = all.find(|key| key.id() == id);
        let roles = Role::ALL.into_iter().filter(|role| key.is_some_and(|key| key.has(*role)));
        let roles: Vec<_> = roles.collect();
        let standing = if set.compromised().contains(&id) {
            Standing::Compromised
        } else if set.retired().contains(&id) {
            Standing::Retired
        } else {
            Standing::Trusted
        };
        let groups = key.and_then(|key| key.audiences()).map(|own| {
            let name = |audience: &Audience| {
                let name = self.names.get(audience);
                name.map_or_else(|| audience.to_string(), |name| (*name).to_owned())
            };
            own.iter().map(name).collect()
        });

        let (algorithm, private) = (key.map(|key| key.algorithm()), self.private(id, &roles));

        Listed { id, roles, algorithm, groups, standing, private }
    }

    fn private(&self, id: KeyId, roles: &[Role]) -> Option<PathBuf> {
        let aside = ["retired", "compromised"].map(|name| self.dir.join(PRIVATE).join(name));
        let mut aside = aside
            .iter()
            .flat_map(|folder| roles.iter().map(move |role| named_path(folder, *role, id)));

        self.files.get(&id).cloned().or_else(|| aside.find(|path| path.exists()))
    }
}
