//! What this gateway holds as a bundle, for another one of its group.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use gateward_core::bundle;
use gateward_core::snapshot::chunk;
use gateward_core::trust::{Audience, Floor, KeySet, Revoked, Version};

use super::bundle::{BadBundle, Checked};
use super::disk::Disk;
use super::load::{self, Loaded, key_set_path};
use super::{OpenFailed, Place, Store};

/// How often a folder is read again that the agent changed meanwhile.
const ATTEMPTS: usize = 3;

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum NotExported {
    /// What is held would be refused elsewhere.
    #[error("what this gateway holds would be refused elsewhere: {0}")]
    Bad(BadBundle),
    /// The revocation list held leaves out what only a newer snapshot denies, or is lost; elsewhere
    /// it would let in again who is denied here.
    #[error(
        "version {version} is older than the revocation list needs, or that list is lost; connect the agent until it has both, or import a newer bundle"
    )]
    Behind {
        /// Version of the snapshot in force.
        version: Version,
    },
    /// Nothing is in force.
    #[error("there is no usable snapshot{}; connect the agent once, or import a bundle", because(.problems))]
    Nothing {
        /// What is wrong with the state folder.
        problems: Vec<String>,
    },
    /// The state folder cannot be used.
    #[error(transparent)]
    Open(#[from] OpenFailed),
}

fn because(problems: &[String]) -> String {
    if problems.is_empty() { String::new() } else { format!(" ({})", problems.join("; ")) }
}

impl Store {
    /// Returns the bundle of a state folder, verified, without changing or locking the folder.
    ///
    /// # Errors
    ///
    /// Returns why there is none.
    pub fn export(place: &Place) -> Result<(Vec<u8>, Version), NotExported> {
        // A folder that may not be read would look like one without a snapshot.
        fs::read_dir(&place.dir).map_err(|source| OpenFailed::io(&place.dir, source))?;
        let mut attempt = gather(place);
        for _ in 1..ATTEMPTS {
            if matches!(attempt, Ok(_) | Err(NotExported::Open(_))) {
                break;
            }
            attempt = gather(place);
        }

        attempt
    }
}

/// What may be believed at a state folder, for who only wants to verify.
#[derive(Clone, Debug)]
pub struct Belief {
    /// The newest key set held.
    pub keys: Option<KeySet>,
    /// The floor; empty where it is lost.
    pub floor: Floor,
}

impl Belief {
    /// Reads the state folder without changing or locking it.
    ///
    /// # Errors
    ///
    /// The folder cannot be read, or the key set of enrolment is none.
    pub fn read(place: &Place) -> Result<Self, OpenFailed> {
        let loaded = load::load(&Disk::new(place.dir.clone(), None), place)?;

        Ok(Self { keys: loaded.keys.last().cloned(), floor: loaded.floor })
    }
}

/// Takes the state folder for as long as the file is open, so that no agent starts meanwhile.
///
/// # Errors
///
/// An agent has it, or it cannot be written to.
pub fn hold(place: &Place) -> Result<File, OpenFailed> {
    super::open::lock(&place.dir)
}

fn gather(place: &Place) -> Result<(Vec<u8>, Version), NotExported> {
    let disk = Disk::new(place.dir.clone(), None);
    let failed = |source| OpenFailed::io(&place.dir, source);
    let Loaded { keys, revoked, in_force, problems, .. } = load::load(&disk, place)?;
    let Some((slot, verified)) = in_force else { return Err(NotExported::Nothing { problems }) };
    let version = verified.manifest().version();
    if !revoked.is_whole_for(version) {
        return Err(NotExported::Behind { version });
    }
    let key_sets = key_sets(&disk, place, &keys).map_err(failed)?;
    let manifest = slot.read_manifest(&disk).map_err(failed)?.unwrap_or_default();
    let file = verified.bytes();
    let list: Vec<u8> = chunk::leaves(file, verified.manifest().chunk_log2()).flatten().collect();
    let audience = Audience::of(place.account, &place.group);
    let newest = keys.last();
    // Every snapshot of a later epoch denies what a list of an earlier one revokes.
    let revoked = Some(revoked.envelope())
        .filter(|list| newest.is_some_and(|keys| Revoked::verify(list, keys, audience).is_ok()));
    let key_sets: Vec<_> = key_sets.iter().map(Vec::as_slice).collect();
    let parts = [&manifest[..], &list, file, revoked.unwrap_or_default()];
    let mut bytes = Vec::new();
    let Ok(()) = bundle::write(&key_sets, parts, |piece| {
        bytes.extend_from_slice(piece);
        Ok::<_, core::convert::Infallible>(())
    });
    let anchor = KeySet::anchor(&place.anchor, place.account).map_err(OpenFailed::Anchor)?;
    let version = Checked::new(&bytes, &anchor, audience).map_err(NotExported::Bad)?.version();

    Ok((bytes, version))
}

/// The signed key sets from the one of enrolment on.
fn key_sets(disk: &Disk, place: &Place, keys: &[KeySet]) -> io::Result<Vec<Vec<u8>>> {
    let later = keys.iter().skip(1).map(|keys| {
        let path = key_set_path(keys.epoch());
        let envelope = disk.read(Path::new(&path), load::MAX_KEY_SET)?;
        envelope.ok_or_else(|| io::ErrorKind::NotFound.into())
    });

    core::iter::once(Ok(place.anchor.clone())).chain(later).collect()
}
