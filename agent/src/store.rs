//! What the agent keeps on disk, and what is in force.
//!
//! The file `floor` names the version and root in force; writing it is the commit. Nothing on disk
//! is believed: every signature and every hash is checked again at each start, and a slot that
//! `floor` does not name is never served from, because that would be a way back.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateward_core::name::Uuid;
use gateward_core::snapshot::Verified;
use gateward_core::snapshot::chunk::HashList;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::{Admission, Audience, Floor, KeySet, Manifest, Now, Refused, Version};
use tokio::sync::watch;
use tracing::info;

pub(crate) mod bundle;
mod cache;
mod delta;
pub(crate) mod disk;
mod error;
mod export;
mod import;
mod in_force;
mod load;
mod named;
mod news;
mod open;
mod revoked;
mod rules;
mod slot;

pub use bundle::BadBundle;
use cache::Cache;
use disk::Disk;
pub use disk::{Step, Watcher};
pub use error::{NotAdmitted, NotPatched, NotStored, OpenFailed};
pub use export::{Belief, NotExported, hold};
pub use import::{Imported, NotImported, Outcome};
pub use in_force::{InForce, Missing};
pub use load::{FloorState, InSlot, Look};
use news::Unwritten;
use revoked::Held;
use slot::{Incoming, Slot};

const FLOOR: &str = "floor";

/// There while the floor is a guess, so that another restart does not make it a certainty.
const FLOOR_REBUILT: &str = "floor-rebuilt";

/// What the agent must be told to find and believe its state.
#[derive(Clone, Debug)]
pub struct Place {
    /// The account; everything signed for another one is refused.
    pub account: Uuid,
    /// The group that the gateway is in; everything signed for another one is refused.
    pub group: String,
    /// The state folder.
    pub dir: PathBuf,
    /// The signed key set installed at enrolment.
    pub anchor: Vec<u8>,
}

/// Follows what is in force. A request borrows it once and so sees exactly one snapshot
/// (DOMAIN H21).
pub type Current = watch::Receiver<Option<Arc<InForce>>>;

/// What was found at start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opened {
    /// How often the agent has started on this state folder, this time included.
    pub boot: u32,
    /// Whether the floor was there.
    pub floor: FloorState,
    /// What is wrong with the state folder and was worked around; each is an event.
    pub problems: Vec<String>,
}

/// The state folder of the one agent that runs on it.
pub struct Store {
    disk: Disk,
    place: Place,
    /// Never empty; ascending by epoch, the newest last.
    keys: Vec<KeySet>,
    floor: Floor,
    floor_told: watch::Sender<Floor>,
    keys_told: watch::Sender<Option<KeySet>>,
    floor_rebuilt: bool,
    revoked: Held,
    unwritten: Unwritten,
    /// The newest version that was refused in this run.
    refused: Option<Version>,
    slot: Slot,
    incoming: Option<Incoming>,
    cache: Cache,
    in_force: watch::Sender<Option<Arc<InForce>>>,
    _lock: File,
}

impl Store {
    /// Follows what is in force.
    #[must_use]
    pub fn current(&self) -> Current {
        self.in_force.subscribe()
    }

    /// Returns the newest key set held.
    #[must_use]
    pub fn keys(&self) -> &KeySet {
        // Never empty: the anchor is the first one, and nothing is ever taken out.
        #[expect(clippy::expect_used, reason = "made with the anchor and only ever extended")]
        self.keys.last().expect("the anchor is held")
    }

    /// Returns the floor: what was accepted so far, and the signed time.
    #[must_use]
    pub const fn floor(&self) -> &Floor {
        &self.floor
    }

    /// Takes over how far time has come; it is written down with the next thing that is accepted.
    pub const fn bring_up_to_date(&mut self, floor: Floor) {
        self.floor = floor;
    }

    /// Follows the floor as it is written down; the time in it may be ahead of that.
    #[must_use]
    pub fn follow_floor(&self) -> watch::Receiver<Floor> {
        self.floor_told.subscribe()
    }

    /// Returns where the newest key set is told.
    #[must_use]
    pub fn follow_keys(&self) -> watch::Receiver<Option<KeySet>> {
        self.keys_told.subscribe()
    }

    /// Checks a manifest and whether it may follow what was accepted.
    ///
    /// [`Admission::Same`] with nothing in force means that its file must be fetched again.
    ///
    /// # Errors
    ///
    /// Returns why the gateway goes on with what it has.
    pub fn admit(&self, envelope: &[u8], now: &Now) -> Result<(Manifest, Admission), Refused> {
        let manifest = Manifest::verify(envelope, self.keys(), self.audience())?;
        let admission = self.floor.admit(&manifest, now)?;

        Ok((manifest, admission))
    }

    /// Returns what manifests are newer by: version, then the time of signing. None where it is not
    /// signed.
    pub(crate) fn age_of(&self, envelope: &[u8]) -> Option<(Version, UnixSeconds)> {
        let manifest = Manifest::verify(envelope, self.keys(), self.audience()).ok()?;

        Some((manifest.version(), manifest.issued_at()))
    }

    /// Returns a hash list on disk that belongs to `manifest`, so that it need not be fetched.
    #[must_use]
    pub fn list_of(&self, manifest: &Manifest) -> Option<Vec<u8>> {
        Slot::BOTH.into_iter().find_map(|slot| {
            let list = slot.read_list(&self.disk).ok()??;
            HashList::check(list.as_slice(), manifest).is_ok().then_some(list)
        })
    }

    /// Makes room for the snapshot of `manifest` beside the one in force. Returns the chunks that
    /// need not be fetched, each verified.
    ///
    /// # Errors
    ///
    /// The disk is full or fails; what is in force stays (DOMAIN H11).
    pub fn begin<B: AsRef<[u8]>>(
        &mut self,
        manifest: &Manifest,
        list: &HashList<B>,
    ) -> io::Result<Vec<u32>> {
        self.incoming = None;
        let hint = self.cache.chunks(&manifest.root().0);
        let current = self.in_force.borrow().clone();
        let waiting = self.waiting();
        let (slot, held) = match (&current, &waiting) {
            (Some(current), _) => (self.slot.other(), Some(&current.verified)),
            (None, Some((slot, verified))) => (self.free_slot(list, Some(*slot)), Some(verified)),
            (None, None) => (self.free_slot(list, None), None),
        };
        let bytes = held.map(Verified::bytes);
        let (incoming, kept) = Incoming::begin(&self.disk, slot, manifest, list, hint, bytes)?;
        self.incoming = Some(incoming);

        Ok(kept)
    }

    /// Where nothing is in force: the one that holds most of what is wanted, else one that holds
    /// nothing which is served again as soon as a list or a key set is back.
    fn free_slot<B: AsRef<[u8]>>(&self, list: &HashList<B>, waiting: Option<Slot>) -> Slot {
        let holds = |slot: &Slot| {
            slot.read_list(&self.disk).ok().flatten().is_some_and(|old| old == list.bytes())
        };
        let free = || waiting.map_or(Slot::A, Slot::other);

        Slot::BOTH.into_iter().find(holds).unwrap_or_else(free)
    }

    /// Writes a chunk that the state machine found to be as signed.
    ///
    /// # Errors
    ///
    /// The disk is full or fails, or nothing was begun.
    pub fn keep_chunk(&mut self, index: u32, chunk: &[u8]) -> io::Result<()> {
        let incoming = self.incoming.as_mut().ok_or(io::ErrorKind::NotFound)?;
        if incoming.write(&self.disk, index, chunk)? {
            self.cache.set_chunks(&incoming.root, incoming.hint());
        }

        Ok(())
    }

    /// Puts the snapshot that was begun in force: everything synced, the whole file verified, then
    /// `floor` written, then the swap.
    ///
    /// # Errors
    ///
    /// Returns why the one in force stays.
    pub fn commit(
        &mut self,
        manifest: &Manifest,
        envelope: &[u8],
        now: &Now,
    ) -> Result<(), NotStored> {
        let incoming = self.incoming.take().ok_or(NotStored::NotBegun)?;
        if incoming.root != manifest.root().0 {
            return Err(NotStored::NotBegun);
        }
        let admission = self.floor.admit(manifest, now).map_err(NotStored::NotAdmitted)?;
        incoming.sync(&self.disk)?;
        self.disk.replace(&incoming.slot.manifest(), envelope)?;
        let verified = incoming.slot.open(&self.disk, manifest)?;
        self.write_floor(self.floor.with(manifest))?;
        self.slot = incoming.slot;
        self.swap(verified, admission, now);

        Ok(())
    }

    /// Takes a later manifest of the snapshot in force.
    ///
    /// # Errors
    ///
    /// Returns why the manifest in force stays.
    pub fn refresh(
        &mut self,
        manifest: &Manifest,
        envelope: &[u8],
        now: &Now,
    ) -> Result<(), NotStored> {
        let admission = self.floor.admit(manifest, now).map_err(NotStored::NotAdmitted)?;
        let current = self.in_force.borrow().clone().ok_or(NotStored::NotBegun)?;
        let verified = current.verified.refreshed(manifest.clone()).map_err(NotStored::Refused)?;
        self.disk.replace(&self.slot.manifest(), envelope)?;
        self.write_floor(self.floor.with(manifest))?;
        self.swap(verified, admission, now);

        Ok(())
    }

    fn swap(&mut self, verified: Verified<Arc<[u8]>>, admission: Admission, now: &Now) {
        // Only a manifest that is newer than the guess says what is newest.
        if self.floor_rebuilt && admission != Admission::Same {
            self.floor_rebuilt = self.disk.remove(Path::new(FLOOR_REBUILT)).is_err();
        }
        info!(version = %verified.manifest().version(), "snapshot in force");
        rules::warn_of_unknown(&verified.view());
        self.in_force.send_replace(self.ready(verified, now.at));
    }

    /// Writes down how far time has come (TRUST 4), once the floor is up to date: call it every 10
    /// minutes at the latest, and at stop.
    ///
    /// # Errors
    ///
    /// The disk is full or fails.
    pub fn keep_time(&mut self) -> io::Result<()> {
        self.cache_written_chunks();
        self.write_news()
    }

    /// Lets those who follow the floor see how far time has come, written down or not.
    pub(crate) fn tell_time(&self) {
        self.floor_told.send_if_modified(|told| {
            let before = told.lived;
            told.lived = before.max(self.floor.lived);

            told.lived > before
        });
    }

    fn cache_written_chunks(&mut self) {
        if let Some(incoming) = &self.incoming {
            self.cache.set_chunks(&incoming.root, incoming.hint());
        }
        self.cache.flush();
    }

    /// Keeps a refused message as evidence; only the newest few are kept.
    pub fn keep_evidence(&mut self, code: &str, message: &[u8]) {
        self.cache.keep_evidence(code, message);
    }

    fn write_floor(&mut self, floor: Floor) -> io::Result<()> {
        self.disk.replace(Path::new(FLOOR), floor.encode().as_ref())?;
        self.floor = floor;
        self.floor_told.send_replace(floor);

        Ok(())
    }

    fn audience(&self) -> Audience {
        Audience::of(self.place.account, &self.place.group)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.place.dir).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
