//! From a folder that anybody may have touched to what may be served from it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateward_core::snapshot::Verified;
use gateward_core::trust::{Audience, Floor, KeySet, Version};

use super::disk::Disk;
use super::named::{Named, named, open, read_manifest};
use super::revoked::Held;
use super::slot::Slot;
use super::{FLOOR, OpenFailed, Place};

pub(super) const MAX_KEY_SET: u64 = 64 * 1024;
const MAX_FLOOR: u64 = 1024;

/// Whether the file `floor` was there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FloorState {
    /// Neither a floor nor a snapshot: the first start.
    First,
    /// It was read.
    Kept,
    /// It was missing or damaged, and was made anew from the highest snapshot that verifies, if any.
    Rebuilt,
}

/// What one of the two slots holds.
#[derive(Debug)]
pub struct InSlot {
    /// `a` or `b`.
    pub name: &'static str,
    /// Whether the floor names it.
    pub named: bool,
    /// The snapshot, or why it is not one that may be served.
    pub content: Result<Verified<Arc<[u8]>>, String>,
}

/// A state folder as it is.
#[derive(Debug)]
pub struct Look {
    /// Every key set held, the newest last.
    pub keys: Vec<KeySet>,
    /// The floor, or what it would be made anew as.
    pub floor: Floor,
    /// Whether the floor was there.
    pub floor_state: FloorState,
    /// The slots that hold anything.
    pub slots: Vec<InSlot>,
    /// What is wrong.
    pub problems: Vec<String>,
}

pub(super) struct Loaded {
    pub(super) keys: Vec<KeySet>,
    pub(super) floor: Floor,
    pub(super) floor_state: FloorState,
    pub(super) revoked: Held,
    pub(super) in_force: Option<Named>,
    pub(super) problems: Vec<String>,
}

pub(super) fn key_set_path(epoch: u32) -> PathBuf {
    Path::new("trust").join(format!("keyset-{epoch}"))
}

/// Reads everything, checks everything, changes nothing.
pub(super) fn load(disk: &Disk, place: &Place) -> Result<Loaded, OpenFailed> {
    let (keys, mut problems) = key_sets(disk, place)?;
    let found = read_floor(disk).unwrap_or_else(|error| {
        problems.push(error.to_string());
        None
    });
    let audience = Audience::of(place.account, &place.group);
    let newest = found.map_or(Version::default(), |floor| floor.list);
    let (revoked, problem) = Held::load(disk, &keys, audience, newest);
    problems.extend(problem);
    let mut loaded = Loaded {
        keys,
        floor: Floor::default(),
        floor_state: FloorState::Kept,
        revoked,
        in_force: None,
        problems,
    };
    match found {
        Some(floor) => {
            loaded.floor = floor;
            loaded.open_named(disk, place);
        }
        None => loaded.rebuild(disk, place),
    }
    // A key set is on disk before the floor that knows of it.
    for keys in &loaded.keys {
        if keys.epoch() > loaded.floor.keys {
            loaded.floor = loaded.floor.with_keys(keys);
        }
    }
    // So is a list.
    if loaded.revoked.number != Version::default() {
        let Held { number, .. } = loaded.revoked;
        loaded.floor = loaded.floor.with_revoked(number, loaded.revoked.base());
    }

    Ok(loaded)
}

pub(super) fn look(disk: &Disk, place: &Place) -> Result<Look, OpenFailed> {
    let Loaded { keys, floor, floor_state, in_force, problems, .. } = load(disk, place)?;
    let slots = Slot::BOTH.into_iter().filter_map(|slot| {
        let manifest = read_manifest(disk, place, &keys, slot)?;
        let served = in_force.as_ref().is_some_and(|(in_force, _)| *in_force == slot);
        let named = served || manifest.as_ref().is_ok_and(|manifest| floor.names(manifest));
        let content = manifest.and_then(|manifest| open(disk, slot, &manifest));

        Some(InSlot { name: slot.name(), named, content })
    });

    Ok(Look { slots: slots.collect(), keys, floor, floor_state, problems })
}

impl Loaded {
    /// Only what the floor names is served: the other slot is older, and serving it would be the
    /// rollback that the floor is there to prevent.
    fn open_named(&mut self, disk: &Disk, place: &Place) {
        let newest = self.keys.last().map_or(0, KeySet::epoch);
        if newest < self.floor.keys {
            let held = self.floor.keys;
            self.problems.push(format!(
                "the key set of epoch {held} is lost; denying until it is fetched again"
            ));
            return;
        }
        if self.floor.version == Floor::default().version {
            return;
        }
        match named(disk, place, &self.keys, &self.floor) {
            Ok(named) => self.in_force = Some(named),
            Err(reasons) => self.problems.push(format!(
                "no snapshot is usable; denying until version {} is fetched again{}{}",
                self.floor.version,
                if reasons.is_empty() { "" } else { ": " },
                reasons.join("; ")
            )),
        }
    }

    /// The floor is lost: the highest snapshot that verifies is the best guess there is.
    fn rebuild(&mut self, disk: &Disk, place: &Place) {
        let mut best: Option<Named> = None;
        let mut anything = !self.problems.is_empty();
        let mut skipped = false;
        for slot in Slot::BOTH {
            let Some(manifest) = read_manifest(disk, place, &self.keys, slot) else { continue };
            anything = true;
            match manifest.and_then(|manifest| open(disk, slot, &manifest)) {
                // Where entries are lost, the version says whether it is served.
                Ok(verified)
                    if self.revoked.oldest_served().is_none()
                        && !self.revoked.covers(verified.manifest().version()) =>
                {
                    skipped = true;
                    self.problems.push(format!(
                        "{}: what was revoked before it was replaced is no longer known; denying \
                         until a newer snapshot is fetched",
                        slot.dir()
                    ));
                }
                Ok(verified) => {
                    let version = verified.manifest().version();
                    if best.as_ref().is_none_or(|(_, best)| best.manifest().version() < version) {
                        best = Some((slot, verified));
                    }
                }
                Err(reason) => self.problems.push(format!("{}: {reason}", slot.dir())),
            }
        }
        if let Some((_, verified)) = &best {
            let spoken = verified.manifest().revoked();
            self.floor = self.floor.with(verified.manifest());
            self.owe(spoken);
        } else if let Some(before) = skipped.then(|| self.revoked.before_served()).flatten() {
            // What is not served from here must not come back from the broker.
            self.floor.version = before;
        }
        self.floor_state = if anything { FloorState::Rebuilt } else { FloorState::First };
        if anything {
            self.problems
                .push("the floor was lost and was made anew; a newer manifest settles it".into());
        }
        self.in_force = best;
    }

    /// Without a floor nobody knows whether the list that the manifest speaks of was held: nothing
    /// older may take its place, not even on disk, which may have been full when that one came.
    fn owe(&mut self, spoken: Version) {
        if spoken.number == 0 || self.revoked.number >= spoken {
            return;
        }
        self.floor.list = spoken;
        self.revoked = Held::gone();
        self.problems.push(format!(
            "the floor and revocation list {spoken} are lost; denying until the list is fetched"
        ));
    }
}

/// The anchor, and every key set that follows it one by one.
fn key_sets(disk: &Disk, place: &Place) -> Result<(Vec<KeySet>, Vec<String>), OpenFailed> {
    let anchor = KeySet::anchor(&place.anchor, place.account).map_err(OpenFailed::Anchor)?;
    let mut problems = Vec::new();
    let mut keys = vec![anchor];
    while let Some(newest) = keys.last() {
        let path = key_set_path(newest.epoch().saturating_add(1));
        let next = match disk.read(&path, MAX_KEY_SET) {
            Ok(Some(bytes)) => newest.follow(&bytes).map_err(|refused| refused.to_string()),
            Ok(None) => break,
            Err(error) => Err(error.to_string()),
        };
        match next {
            Ok(next) => keys.push(next),
            Err(reason) => {
                problems.push(format!("`{}`: {reason}; it is fetched again", path.display()));
                break;
            }
        }
    }

    Ok((keys, problems))
}

/// None where there is none; an error where it is not one.
fn read_floor(disk: &Disk) -> io::Result<Option<Floor>> {
    let Some(bytes) = disk.read(Path::new(FLOOR), MAX_FLOOR)? else { return Ok(None) };
    let damaged =
        |refused| io::Error::new(io::ErrorKind::InvalidData, format!("`{FLOOR}`: {refused}"));

    Floor::decode(&bytes).map(Some).map_err(damaged)
}
