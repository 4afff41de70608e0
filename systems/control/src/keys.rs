//! The keys of an account: who may sign key sets, manifests, beacons and receipts.
//!
//! `keys/keyset-N` is public, one file for each epoch. The private halves are under `private/`, one
//! file a key; the root keys belong in places of their own, because a threshold of two is only as
//! good as the distance between them.

mod halves;
mod list;
mod make;
mod rotate;

pub use halves::Signers;
pub use list::{Listed, ListedSet, NotListed, Standing, list};
pub use make::{Made, NewAccount, NotMade, init, init_hybrid};
pub use rotate::{Fate, Left, NewKey, NotRotated, Rotated, Rotation, rotate};

use std::fs;
use std::path::{Path, PathBuf};

use gateward_core::name::{Hex, Uuid};
use gateward_core::trust::sign::{PrivateKey, Signer as _};
use gateward_core::trust::{Algorithm, KeySet, Manifest, Refused, Role};
use zeroize::Zeroizing;

use crate::secret::{self, Problem, Unusable};
use crate::whole;

/// The folder of the private halves.
pub const PRIVATE: &str = "private";
/// The folder of the key sets.
pub const KEYS: &str = "keys";

const FORMAT: &str = "gateward-key 1";
/// Longer than any key set.
const MAX_KEY_SET: usize = 64 * 1024;

/// Returns the word for a role in the files of its keys.
#[must_use]
pub const fn role_name(role: Role) -> &'static str {
    match role {
        Role::Root => "root",
        Role::Snapshot => "snapshot",
        Role::Beacon => "beacon",
        Role::Collector => "collector",
    }
}

/// Returns the word for an algorithm, in the names of files and for people.
#[must_use]
pub const fn algorithm_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "ed25519",
        Algorithm::MlDsa65 => "ml-dsa-65",
    }
}

/// Every key set of an account since the first, each verified with the one before.
#[derive(Clone, Debug)]
pub struct Chain {
    envelopes: Vec<Vec<u8>>,
    sets: Vec<KeySet>,
    newest: KeySet,
}

/// Why there is no chain of key sets.
#[derive(Debug, thiserror::Error)]
pub enum NoChain {
    /// A key set is not the one that belongs there.
    #[error("`{}`: {refused}; restore the file from a backup", path.display())]
    Refused {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        refused: Refused,
    },
    /// A file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] whole::Failed),
}

impl Chain {
    /// Reads the key sets in the policy folder `dir`.
    ///
    /// # Errors
    ///
    /// The first one is missing, or one does not follow from those before.
    pub fn load(dir: &Path, account: Uuid) -> Result<Self, NoChain> {
        let path = set_path(dir, 1);
        let first = fs::read(&path).map_err(whole::Failed::new("read", &path))?;
        let refused = |path: &Path| {
            let path = path.to_owned();
            move |refused| NoChain::Refused { path, refused }
        };
        let mut newest = KeySet::anchor(&first, account).map_err(refused(&path))?;
        let (mut envelopes, mut sets) = (vec![first], vec![newest.clone()]);
        loop {
            let path = set_path(dir, newest.epoch().saturating_add(1));
            let envelope = match fs::read(&path) {
                Ok(envelope) if envelope.len() <= MAX_KEY_SET => envelope,
                Ok(_) => return Err(refused(&path)(Refused::TooLong)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
                Err(error) => return Err(whole::Failed::new("read", &path)(error).into()),
            };
            newest = newest.follow(&envelope).map_err(refused(&path))?;
            sets.push(newest.clone());
            envelopes.push(envelope);
        }

        Ok(Self { envelopes, sets, newest })
    }

    /// Returns the key set that counts.
    #[must_use]
    pub const fn newest(&self) -> &KeySet {
        &self.newest
    }

    /// Returns the signed key sets, the first one first.
    #[must_use]
    pub fn envelopes(&self) -> &[Vec<u8>] {
        &self.envelopes
    }

    /// Returns the key sets, the first one first.
    #[must_use]
    pub fn sets(&self) -> &[KeySet] {
        &self.sets
    }

    /// Returns whether `manifest` is void, because a key that signed it is known as compromised.
    #[must_use]
    pub fn compromises(&self, manifest: &Manifest) -> bool {
        manifest.is_voided_by(&self.sets)
    }

    /// Returns the newest signed key set: what a gateway is given at enrolment.
    #[must_use]
    pub fn anchor(&self) -> &[u8] {
        self.envelopes.last().map_or(&[], Vec::as_slice)
    }
}

/// Returns where the key set of an epoch is.
#[must_use]
pub fn set_path(dir: &Path, epoch: u32) -> PathBuf {
    dir.join(KEYS).join(format!("keyset-{epoch}"))
}

/// Returns where the Ed25519 key of a role is that signs for every group; root keys are wherever
/// [`init`] put them.
#[must_use]
pub fn secret_path(dir: &Path, role: Role) -> PathBuf {
    dir.join(PRIVATE).join(format!("{}.key", role_name(role)))
}

/// Returns where the key of `algorithm` is that stands beside the Ed25519 key at `path`.
fn with_algorithm(path: &Path, algorithm: Algorithm) -> PathBuf {
    match algorithm {
        Algorithm::Ed25519 => path.to_owned(),
        Algorithm::MlDsa65 => {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!("{stem}-{}.key", algorithm_name(algorithm)))
        }
    }
}

/// Reads the Ed25519 key of `role` in the policy folder `dir`.
///
/// # Errors
///
/// The file cannot be used, or others can read it.
pub fn signing_key(dir: &Path, role: Role) -> Result<PrivateKey, Unusable> {
    read_key(&secret_path(dir, role), role)
}

fn read_key(path: &Path, role: Role) -> Result<PrivateKey, Unusable> {
    let text = secret::read(path)?;

    parse(&text, role)
        .ok_or(Problem::Unlike { expected: "the three lines of a key of this role" })
        .map_err(|problem| Unusable::one(path, problem))
}

/// Reads the private keys of `role` that sign what is for no group in particular, and which the
/// newest key set trusts, of each algorithm that it requires: what other keys sign is refused by
/// every gateway.
///
/// # Errors
///
/// There are too few, or a file cannot be used, or others can read it.
pub fn signers(dir: &Path, chain: &Chain, role: Role) -> Result<Vec<PrivateKey>, Unusable> {
    let signers = Signers::load(dir, chain, role)?;

    Ok(signers.reaching(None)?.into_iter().cloned().collect())
}

/// The word in front of a seed says the algorithm; that of Ed25519 is older than the choice.
const fn seed_word(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "key",
        Algorithm::MlDsa65 => algorithm_name(algorithm),
    }
}

fn parse(text: &str, role: Role) -> Option<PrivateKey> {
    let mut lines = text.lines();
    let format = lines.next()?;
    let named = lines.next()?.strip_prefix("role ")?;
    let (word, digits) = lines.next()?.split_once(' ')?;
    let algorithm = Algorithm::ALL.into_iter().find(|one| seed_word(*one) == word)?;
    let seed = secret::hex::<32>(digits)?;
    let right = format == FORMAT && named == role_name(role) && lines.next().is_none();

    right.then(|| PrivateKey::from_seed(algorithm, &seed))
}

fn text(key: &PrivateKey, role: Role) -> Zeroizing<String> {
    let (word, seed) = (seed_word(key.algorithm()), key.seed());

    Zeroizing::new(format!("{FORMAT}\nrole {}\n{word} {}\n", role_name(role), Hex(&*seed)))
}

#[cfg(test)]
mod tests;
