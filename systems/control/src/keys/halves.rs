//! Private halves: where they are, and which of them signs.
//!
//! `private/ROLE.key` signs for every group; others of that role, limited to groups or on their way
//! in or out, are `private/ROLE-ID.key`. What signs no more is under `private/retired` and
//! `private/compromised`. Names are for people: which key counts is what the newest key set says,
//! so a folder is usable whatever was moved and whatever not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gateward_core::trust::sign::{PrivateKey, Signer as _};
use gateward_core::trust::{Algorithm, Audience, Key, KeyId, KeySet, Role};

use super::{Chain, PRIVATE, read_key, role_name, secret_path, with_algorithm};
use crate::secret::{Problem, Unusable};

/// The file of a root key in its folder.
pub(super) const ROOT_FILE: &str = "root.key";

/// A private key and its file.
#[derive(Debug)]
pub(super) struct Half {
    pub(super) id: KeyId,
    pub(super) path: PathBuf,
    pub(super) role: Role,
    pub(super) key: PrivateKey,
}

impl Half {
    fn read(path: PathBuf, role: Role) -> Result<Self, Unusable> {
        let key = read_key(&path, role)?;

        Ok(Self { id: key.id(), path, role, key })
    }
}

/// Reads the private keys of `role` that are where `init` and `rotate` put them.
pub(super) fn at_hand(dir: &Path, role: Role) -> Result<Vec<Half>, Unusable> {
    let paths = match role {
        Role::Root => root_files(dir)?,
        Role::Beacon | Role::Collector | Role::Snapshot => role_files(dir, role)?,
    };

    paths.into_iter().map(|path| Half::read(path, role)).collect()
}

/// Reads the root keys at hand, and those in `named`: files, or the folders that they are in.
pub(super) fn roots(dir: &Path, named: &[PathBuf]) -> Result<Vec<Half>, Unusable> {
    let mut halves = at_hand(dir, Role::Root)?;
    for path in named.iter().flat_map(|path| files_of(path)) {
        let half = Half::read(path, Role::Root)?;
        if halves.iter().all(|other| other.id != half.id) {
            halves.push(half);
        }
    }

    Ok(halves)
}

/// Returns the files of root keys in a folder, or the file that was named.
fn files_of(named: &Path) -> Vec<PathBuf> {
    if !named.is_dir() {
        return vec![named.to_owned()];
    }
    let first = named.join(ROOT_FILE);
    let all = Algorithm::ALL.map(|algorithm| with_algorithm(&first, algorithm));
    let here: Vec<_> = all.into_iter().filter(|path| path.exists()).collect();

    // Where there is none, the error is about the first.
    if here.is_empty() { vec![first] } else { here }
}

/// Lists `private`, in an order that does not depend on the file system.
fn entries(dir: &Path) -> Result<Vec<PathBuf>, Unusable> {
    let private = dir.join(PRIVATE);
    let unreadable = |error| Unusable::one(&private, Problem::Unreadable(error));
    let entries = match fs::read_dir(&private) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|one| one.path())).collect();
    let mut paths = paths.map_err(unreadable)?;
    paths.sort();

    Ok(paths)
}

fn role_files(dir: &Path, role: Role) -> Result<Vec<PathBuf>, Unusable> {
    let own = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let middle = name.strip_prefix(role_name(role)).and_then(|rest| rest.strip_suffix(".key"));

        middle.is_some_and(|middle| middle.is_empty() || middle.starts_with('-'))
    };

    Ok(entries(dir)?.into_iter().filter(own).collect())
}

fn root_files(dir: &Path) -> Result<Vec<PathBuf>, Unusable> {
    let is_home = |path: &&PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("root-")
    };
    let entries = entries(dir)?;
    let files = entries.iter().filter(is_home).flat_map(|home| files_of(home));

    Ok(files.filter(|path| path.exists()).collect())
}

/// Returns the file that is named after a key.
pub(super) fn named_path(folder: &Path, role: Role, id: KeyId) -> PathBuf {
    folder.join(format!("{}-{id}.key", role_name(role)))
}

/// The private keys of one role at hand that the newest key set trusts with it.
#[derive(Debug)]
pub struct Signers {
    /// Where the key for every group is, to be named where there is none.
    path: PathBuf,
    /// In the order of the key set, the newest last.
    own: Vec<(Key, PrivateKey)>,
    /// Of which algorithms some must sign.
    required: Vec<Algorithm>,
    /// How many of each.
    threshold: usize,
}

impl Signers {
    /// Reads the private keys of `role` in the policy folder `dir`. What another key signs is refused
    /// by every gateway, so keys that the newest key set does not trust are left out.
    ///
    /// # Errors
    ///
    /// There is none, or a file cannot be used, or others can read it.
    pub fn load(dir: &Path, chain: &Chain, role: Role) -> Result<Self, Unusable> {
        let path = secret_path(dir, role);
        let halves = at_hand(dir, role)?;
        if halves.is_empty() {
            return Err(Unusable::one(&path, Problem::Unreadable(io::ErrorKind::NotFound.into())));
        }
        let set = chain.newest();
        let trusted = set.keys().iter().filter(|key| set.trusts(key.id(), role));
        let own: Vec<_> = trusted
            .filter_map(|key| {
                let half = halves.iter().find(|half| half.id == key.id())?;
                Some((key.clone(), half.key.clone()))
            })
            .collect();
        if own.is_empty() {
            return Err(Unusable::one(&path, Problem::Untrusted));
        }

        let required = Algorithm::ALL.into_iter().filter(|one| set.requires(role, *one)).collect();

        Ok(Self { path, own, required, threshold: set.threshold(role) })
    }

    /// The same; none where no key of `role` is here at all, because another machine has it.
    ///
    /// # Errors
    ///
    /// As [`Signers::load`].
    pub fn load_if_any(dir: &Path, chain: &Chain, role: Role) -> Result<Option<Self>, Unusable> {
        if at_hand(dir, role)?.is_empty() {
            return Ok(None);
        }

        Self::load(dir, chain, role).map(Some)
    }

    /// Returns the keys that sign for the gateways of `audience`, or what is for nobody in
    /// particular: of each algorithm required as many as must, those that are limited to few groups
    /// before those that are not, the newest first.
    ///
    /// # Errors
    ///
    /// There are too few: others are limited to other groups, or not here.
    pub fn reaching(&self, audience: Option<Audience>) -> Result<Vec<&PrivateKey>, Unusable> {
        let mut signers = Vec::new();
        for algorithm in &self.required {
            let of = |(key, _): &&(Key, PrivateKey)| key.algorithm() == *algorithm;
            let all: Vec<_> = self.own.iter().rev().filter(of).collect();
            let path = with_algorithm(&self.path, *algorithm);
            if all.is_empty() {
                return Err(Unusable::one(&path, Problem::Untrusted));
            }
            let mut own: Vec<_> =
                all.into_iter().filter(|(key, _)| key.reaches(audience)).collect();
            if own.len() < self.threshold {
                return Err(Unusable::one(&path, Problem::Limited));
            }
            // It leaves equals as they are.
            own.sort_by_key(|(key, _)| key.audiences().is_none());
            signers.extend(own.into_iter().take(self.threshold).map(|(_, key)| key));
        }

        Ok(signers)
    }
}

/// Returns what is to be moved where, so that names say what `set` says; in this order.
pub(super) fn moves(dir: &Path, set: &KeySet, halves: &[Half]) -> Vec<(PathBuf, PathBuf)> {
    let private = dir.join(PRIVATE);
    let front = |role, algorithm| {
        let at_hand = |key: &&Key| halves.iter().any(|half| half.id == key.id());
        let trusted = |key: &&Key| {
            key.algorithm() == algorithm && set.trusts(key.id(), role) && key.reaches(None)
        };
        set.keys().iter().rev().filter(trusted).find(at_hand).map(Key::id)
    };
    let place = |half: &Half| {
        if set.compromised().contains(&half.id) {
            Some(named_path(&private.join("compromised"), half.role, half.id))
        } else if set.retired().contains(&half.id) {
            Some(named_path(&private.join("retired"), half.role, half.id))
        } else if half.role == Role::Root || !set.trusts(half.id, half.role) {
            None
        } else if front(half.role, half.key.algorithm()) == Some(half.id) {
            Some(with_algorithm(&secret_path(dir, half.role), half.key.algorithm()))
        } else {
            Some(named_path(&private, half.role, half.id))
        }
    };
    let ours = halves.iter().filter(|half| half.path.starts_with(&private));
    let moves = ours.filter_map(|half| Some((half.path.clone(), place(half)?)));
    let mut moves: Vec<_> = moves.filter(|(from, to)| from != to).collect();
    // What takes the name of a role comes after what gives it up.
    moves.sort_by_key(|(_, to)| {
        Role::ALL.iter().map(|role| secret_path(dir, *role)).any(|first| {
            Algorithm::ALL.iter().any(|algorithm| *to == with_algorithm(&first, *algorithm))
        })
    });

    moves
}
