//! The next key set: a key comes, others go, and the root keys of both sets sign.
//!
//! The new private key is on the disk before the key set that names it, and nothing is moved before
//! that is: wherever this breaks off, the folder signs with what its newest key set says.

mod draft;
mod error;
mod step;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use gateward_core::time::UnixSeconds;
use gateward_core::trust::sign::{PrivateKey, Signer as _};
use gateward_core::trust::{Algorithm, KeyId, KeySet, Role};

use super::halves::{self, Half, ROOT_FILE, moves, named_path};
use super::make::draw_key;
use super::{Chain, PRIVATE, set_path, text, with_algorithm};
use crate::day::Day;
use crate::lock::Lock;
use crate::policy::Policy;
use crate::whole;
use draft::Draft;
pub use error::NotRotated;
use step::Step;

/// What becomes of a key that leaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// What it signed is void: somebody else has it.
    Compromised,
    /// It signs nothing new; what it signed stays good until it expires.
    Retired,
}

impl Fate {
    /// Returns the word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compromised => "compromised",
            Self::Retired => "retired",
        }
    }
}

/// A key to be drawn.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What it signs.
    pub role: Role,
    /// The groups that it is limited to; none for the limits of the key that it replaces.
    pub groups: Vec<String>,
    /// What becomes of the key that it replaces; none where that one stays.
    pub old: Option<Fate>,
    /// The key that it replaces; none for the only one of the role.
    pub replaces: Option<KeyId>,
    /// The folder of a new root key; none for the next `private/root-N`.
    pub root_out: Option<PathBuf>,
}

/// What the next key set is to say.
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The policy folder.
    pub dir: PathBuf,
    /// A key that comes.
    pub new: Option<NewKey>,
    /// Keys that leave.
    pub leaving: Vec<(KeyId, Fate)>,
    /// Root keys that are not in `private`: their files or folders.
    pub root_keys: Vec<PathBuf>,
    /// The last day of the key set; none for five years.
    pub expires: Option<Day>,
    /// Now.
    pub now: UnixSeconds,
}

/// A key that left.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Left {
    /// Its id.
    pub id: KeyId,
    /// What became of it.
    pub fate: Fate,
    /// Its private half, where that is in the policy folder.
    pub path: Option<PathBuf>,
}

/// What was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rotated {
    /// The epoch of the new key set.
    pub epoch: u32,
    /// When it expires.
    pub expires: UnixSeconds,
    /// Its file.
    pub path: PathBuf,
    /// The new key, what it signs and where its private half is.
    pub new: Option<(KeyId, Role, PathBuf)>,
    /// The keys that left.
    pub left: Vec<Left>,
    /// How many root keys there are, and how many of them must sign the next set.
    pub roots: (usize, usize),
}

/// Makes the key set of the next epoch.
///
/// # Errors
///
/// Too few root keys are here, something would be left without a key, or a file cannot be used. The
/// key set stays as it is then.
pub fn rotate(rotation: &Rotation) -> Result<Rotated, NotRotated> {
    let (_lock, plan) = plan(rotation)?;
    plan.steps.iter().try_for_each(Step::take)?;

    Ok(plan.rotated)
}

/// What is to be done, one step after another.
struct Plan {
    steps: Vec<Step>,
    rotated: Rotated,
}

fn plan(rotation: &Rotation) -> Result<(Lock, Plan), NotRotated> {
    let dir = &rotation.dir;
    let policy = Policy::load(dir)?;
    let lock = lock(dir)?;
    let chain = Chain::load(dir, policy.account().id)?;
    let draft = Draft::make(rotation, &chain, &policy)?;
    let roots = halves::roots(dir, &rotation.root_keys)?;
    let mut steps = Vec::new();
    let drawn = match (draft.new.as_ref(), &rotation.new) {
        (Some(key), Some(new)) => Some(drawn(key, new, dir, &mut steps)?),
        _ => None,
    };
    let envelope = draft.sign(chain.newest(), &roots, drawn.as_ref())?;
    let next = chain.newest().follow(&envelope).map_err(NotRotated::Refused)?;
    steps.push(Step::Write { path: set_path(dir, next.epoch()), bytes: envelope });

    let new = drawn.as_ref().map(|half| half.id);
    let mut halves: Vec<_> = drawn.into_iter().collect();
    for role in Role::ALL {
        halves.extend(halves::at_hand(dir, role)?);
    }
    let moves = moves(dir, &next, &halves);
    let rotated = told(dir, &next, &draft, new, &halves, &moves);
    steps.extend(moves.into_iter().map(|(from, to)| Step::Move { from, to }));

    Ok((lock, Plan { steps, rotated }))
}

/// Says what the folder will be like.
fn told(
    dir: &Path,
    next: &KeySet,
    draft: &Draft,
    new: Option<KeyId>,
    halves: &[Half],
    moves: &[(PathBuf, PathBuf)],
) -> Rotated {
    let find = |id| {
        let half = halves.iter().find(|half| half.id == id)?;
        let moved = moves.iter().find(|(from, _)| *from == half.path);
        Some((half.role, moved.map_or(&half.path, |(_, to)| to).clone()))
    };
    let left = draft.leaving.iter().map(|&(id, fate)| {
        let path = find(id).map(|(_, path)| path);
        Left { id, fate, path }
    });

    Rotated {
        epoch: next.epoch(),
        expires: next.expires(),
        path: set_path(dir, next.epoch()),
        new: new.and_then(|id| find(id).map(|(role, path)| (id, role, path))),
        left: left.collect(),
        roots: (count(next, Role::Root), next.threshold(Role::Root)),
    }
}

/// Returns how many keys may sign as `role`, of the algorithm that has the fewest.
fn count(set: &KeySet, role: Role) -> usize {
    let of = |algorithm| {
        let keys = set.keys().iter();
        keys.filter(|key| key.algorithm() == algorithm && set.trusts(key.id(), role)).count()
    };
    let required = Algorithm::ALL.into_iter().filter(|one| set.requires(role, *one));

    required.map(of).min().unwrap_or(0)
}

/// One rotation at a time: two would make the same epoch.
fn lock(dir: &Path) -> Result<Lock, NotRotated> {
    let state = dir.join("state");
    fs::create_dir_all(&state).map_err(whole::Failed::new("made", &state))?;

    Ok(Lock::take(&state.join("keys.lock"))?)
}

/// Returns the new key with the file that it will be in, under a name that nothing else has.
fn drawn(
    key: &PrivateKey,
    new: &NewKey,
    dir: &Path,
    steps: &mut Vec<Step>,
) -> Result<Half, NotRotated> {
    let (id, role) = (key.id(), new.role);
    let private = dir.join(PRIVATE);
    let root_file = |folder: &Path| with_algorithm(&folder.join(ROOT_FILE), key.algorithm());
    let path = match (role, &new.root_out) {
        (Role::Root, Some(folder)) => root_file(folder),
        (Role::Root, None) => root_file(&vacant(&private)?),
        (Role::Beacon | Role::Collector | Role::Snapshot, _) => named_path(&private, role, id),
    };
    if path.exists() {
        return Err(NotRotated::KeyExists(path));
    }
    steps.push(Step::Secret { path: path.clone(), text: text(key, role) });

    Ok(Half { id, path, role, key: key.clone() })
}

/// Returns the first `root-N` that is not there.
fn vacant(private: &Path) -> Result<PathBuf, NotRotated> {
    let mut folders = (1..=u16::MAX).map(|number| private.join(format!("root-{number}")));

    folders.find(|folder| !folder.exists()).ok_or_else(|| {
        whole::Failed::new("made", private)(io::ErrorKind::AlreadyExists.into()).into()
    })
}
