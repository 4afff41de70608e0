//! Opening the state folder: by one agent at a time, whatever it finds there.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use gateward_core::trust::Now;
use rustix::fs::{FlockOperation, flock};
use tokio::sync::watch;
use tracing::warn;

use super::cache::Cache;
use super::disk::{Disk, Watcher};
use super::error::OpenFailed;
use super::load::{self, FloorState, Loaded, Look};
use super::news::Unwritten;
use super::slot::Slot;
use super::{FLOOR_REBUILT, Opened, Place, Store, rules};

impl Store {
    /// Opens the state folder, which is made where it does not exist, and puts in force the snapshot
    /// that `floor` names, if it still verifies.
    ///
    /// # Errors
    ///
    /// Returns why the agent cannot start on this folder. Damaged content is not among the reasons:
    /// it is reported, and fetched again (DOMAIN H12).
    pub fn open(place: Place, now: &Now) -> Result<(Self, Opened), OpenFailed> {
        Self::open_watched(place, now, None)
    }

    /// Like [`Store::open`], for something that is done while no agent runs: it is no start.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn open_between_starts(place: Place, now: &Now) -> Result<Self, OpenFailed> {
        Self::open_as(place, now, None, 0, Cache::open).map(|(store, _)| store)
    }

    /// Like [`Store::open`], without a cache, for thousands of agents in one process: each cache has
    /// threads and buffers of its own, and nothing that is decided depends on one.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn open_without_cache(place: Place, now: &Now) -> Result<(Self, Opened), OpenFailed> {
        Self::open_as(place, now, None, 1, Cache::none)
    }

    /// Like [`Store::open`], and shows every change to a file of the truth to `watcher` first.
    ///
    /// # Errors
    ///
    /// As [`Store::open`].
    pub fn open_watched(
        place: Place,
        now: &Now,
        watcher: Option<Watcher>,
    ) -> Result<(Self, Opened), OpenFailed> {
        Self::open_as(place, now, watcher, 1, Cache::open)
    }

    fn open_as(
        place: Place,
        now: &Now,
        watcher: Option<Watcher>,
        starts: u32,
        cache: fn(PathBuf) -> (Cache, Option<&'static str>),
    ) -> Result<(Self, Opened), OpenFailed> {
        let lock = lock(&place.dir)?;
        let disk = Disk::new(place.dir.clone(), watcher);
        for dir in ["trust", "snapshot", Slot::A.dir(), Slot::B.dir()] {
            disk.create_dir(Path::new(dir)).map_err(|source| OpenFailed::io(&place.dir, source))?;
        }
        let Loaded { keys, mut floor, floor_state, revoked, in_force, mut problems } =
            load::load(&disk, &place)?;
        let (cache, problem) = cache(disk.path(Path::new("cache")));
        problems.extend(problem.map(String::from));
        floor.boots = floor.boots.saturating_add(starts);
        let floor_rebuilt =
            floor_state == FloorState::Rebuilt || disk.path(Path::new(FLOOR_REBUILT)).exists();
        let slot = in_force.as_ref().map_or(Slot::B, |(slot, _)| *slot);
        let mut store = Self {
            disk,
            place,
            floor,
            floor_told: watch::Sender::new(floor),
            keys_told: watch::Sender::new(keys.last().cloned()),
            keys,
            floor_rebuilt,
            revoked,
            unwritten: Unwritten::default(),
            refused: None,
            slot,
            incoming: None,
            cache,
            in_force: watch::Sender::new(None),
            _lock: lock,
        };
        let ready = in_force.and_then(|(_, verified)| store.ready(verified, now.at));
        store.in_force.send_replace(ready);
        problems.extend(store.first_writes().err().map(|error| {
            format!("cannot write to the state folder: {error}; make room or mend its permissions")
        }));
        for problem in &problems {
            warn!(problem, "state folder");
        }
        if let Some(in_force) = store.in_force.borrow().as_ref() {
            rules::warn_of_unknown(&in_force.verified.view());
        }

        Ok((store, Opened { boot: floor.boots, floor: floor_state, problems }))
    }

    /// Looks at a state folder without changing or locking it, for the command line.
    ///
    /// # Errors
    ///
    /// Returns why nothing can be said about it.
    pub fn read_only(place: &Place) -> Result<Look, OpenFailed> {
        load::look(&Disk::new(place.dir.clone(), None), place)
    }

    /// A full disk must not keep the agent from starting, so these may fail.
    fn first_writes(&mut self) -> io::Result<()> {
        if let Some(first) = self.keys.first() {
            let path = load::key_set_path(first.epoch());
            if self.disk.read(&path, load::MAX_KEY_SET)?.as_deref() != Some(&self.place.anchor) {
                self.disk.replace(&path, &self.place.anchor)?;
            }
        }
        if self.floor_rebuilt {
            self.disk.replace(Path::new(FLOOR_REBUILT), b"")?;
        }

        self.write_floor(self.floor)
    }
}

/// One agent at a time: two would each undo what the other committed.
pub(super) fn lock(dir: &Path) -> Result<File, OpenFailed> {
    let made = if dir.is_dir() { Ok(()) } else { make_private(dir) };
    let file = made
        .and_then(|()| Disk::new(dir.into(), None).create(Path::new("lock"), 0))
        .map_err(|source| OpenFailed::io(dir, source))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenFailed::Locked { dir: dir.into() }),
        locked => locked.map(|()| file).map_err(|errno| OpenFailed::io(dir, errno.into())),
    }
}

fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}
