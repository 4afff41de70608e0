//! What changes a decision without another snapshot: revocation lists, beacons, key sets.

use std::io;
use std::path::Path;
use std::sync::Arc;

use gateward_core::snapshot::Verified;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::{Admission, Beacon, Manifest, Now, Refused, Revoked, Version};
use tracing::warn;

use super::in_force::{InForce, Missing};
use super::named::Named;
use super::revoked::Held;
use super::slot::Slot;
use super::{NotAdmitted, Store, load, named};

/// What counts already, and could not be written.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// Something that a stolen key signed may lie in a slot.
    stolen: bool,
    /// A key set calls a key stolen that could sign something yet.
    theft: bool,
    keys: Vec<(u32, Vec<u8>)>,
    revoked: bool,
}

impl Store {
    /// Takes the next key set, which must follow the newest held. Where the snapshot in force is left
    /// with too few signers that nobody calls compromised, nothing is in force any more.
    ///
    /// # Errors
    ///
    /// Returns why the key sets stay as they are.
    pub fn accept_keys(&mut self, envelope: &[u8]) -> Result<u32, NotAdmitted> {
        let next = self.keys().follow(envelope)?;
        let epoch = next.epoch();
        self.unwritten.keys.push((epoch, envelope.to_vec()));
        self.unwritten.stolen = true;
        self.unwritten.theft |= next.unsettles();
        self.floor = self.floor.with_keys(&next);
        self.keys.push(next);
        // Before anything is written: a full disk must not keep a stolen key in force.
        self.drop_stolen(epoch);
        self.keys_told.send_replace(self.keys.last().cloned());
        self.renew();
        // Where only this set was lost.
        self.serve_again();
        self.write_news()?;

        Ok(epoch)
    }

    /// Lets go of the snapshot in force and of the revocation list where thieves signed them.
    fn drop_stolen(&mut self, epoch: u32) {
        let current = self.in_force.borrow().clone();
        if current.is_some_and(|now| now.verified.manifest().is_voided_by(&self.keys)) {
            warn!(epoch, "the key that signed the snapshot in force is compromised; denying");
            self.in_force.send_replace(None);
        }
        if self.revoked.is_voided_by(&self.keys, self.audience()) {
            warn!(
                epoch,
                "the key that signed the revocation list is compromised; fetching another"
            );
            self.revoked = Held::voided(epoch);
            self.unwritten.revoked = true;
        }
    }

    /// Writes what counts already and is not on disk: key sets, then the list, then the floor.
    ///
    /// Where they do not fit, a restart must bring back neither what a stolen key signed nor the key:
    /// its manifest goes first, which takes no room, and the floor, which takes little, then says
    /// which key set is lacking. Where that only rotates keys, it is not worth a denial.
    pub(super) fn write_news(&mut self) -> io::Result<()> {
        let removed = self.unwritten.stolen.then(|| self.remove_stolen());
        let stolen = !matches!(removed, None | Some(Ok(false)));
        if let Err(error) = self.write_keys().and_then(|()| self.write_revoked()) {
            if stolen || self.unwritten.theft || self.unwritten.revoked {
                // The error that is told is that of what came first.
                let _ = self.write_floor(self.floor);
            }
            return Err(error);
        }

        self.write_floor(self.floor)
    }

    fn write_revoked(&mut self) -> io::Result<()> {
        if self.unwritten.revoked {
            self.revoked.write(&self.disk)?;
            self.unwritten.revoked = false;
        }

        Ok(())
    }

    fn write_keys(&mut self) -> io::Result<()> {
        while let Some((epoch, envelope)) = self.unwritten.keys.first() {
            self.disk.replace(&load::key_set_path(*epoch), envelope)?;
            self.unwritten.keys.remove(0);
        }
        (self.unwritten.stolen, self.unwritten.theft) = (false, false);

        Ok(())
    }

    /// Removes every manifest that a stolen key signed; returns whether there was one.
    fn remove_stolen(&self) -> io::Result<bool> {
        let mut any = false;
        for slot in Slot::BOTH {
            if named::is_stolen(&self.disk, &self.place, &self.keys, slot) {
                any = true;
                self.disk.remove(&slot.manifest())?;
                self.disk.sync_dir(Path::new(slot.dir()))?;
            }
        }

        Ok(any)
    }

    /// Takes a revocation list, which must be newer than the one held; it counts at once.
    ///
    /// # Errors
    ///
    /// Returns why the list held stays the newest.
    pub fn accept_revoked(&mut self, envelope: &[u8]) -> Result<Admission, NotAdmitted> {
        let list = Revoked::verify(envelope, self.keys(), self.audience())?;
        let admission = self.floor.admit_revoked(self.revoked.number, &list)?;
        if admission == Admission::Same {
            if !self.revoked.is_same(&list) {
                return Err(Refused::Fork.into());
            }
            if self.unwritten.revoked {
                self.write_news()?;
            }
            return Ok(admission);
        }
        let withheld = self.revoked.oldest_served().is_some();
        // Before anything is written: a full disk must not keep a stolen token in force.
        self.revoked = self.revoked.with(&list, envelope, self.snapshot_version());
        self.floor = self.floor.with_revoked(list.number(), list.base());
        self.unwritten.revoked = true;
        self.renew();
        if withheld {
            self.serve_again();
        }
        self.write_news()?;

        Ok(admission)
    }

    /// Returns the snapshot that the floor names, where only a lost list or key set keeps it from being
    /// served.
    pub(super) fn waiting(&self) -> Option<Named> {
        if self.in_force.borrow().is_some() || self.floor.version == Version::default() {
            return None;
        }

        named::named(&self.disk, &self.place, &self.keys, &self.floor).ok()
    }

    /// Puts that snapshot in force again, where it may be by now.
    fn serve_again(&mut self) {
        if self.keys().epoch() < self.floor.keys {
            return;
        }
        let Some((slot, verified)) = self.waiting() else { return };
        let ready = self.ready(verified, self.floor.lived);
        if ready.is_some() {
            self.slot = slot;
            self.in_force.send_replace(ready);
        }
    }

    /// Takes note of a manifest that was admitted and whose file has not arrived: it raises time, and
    /// may speak of a list that is missing.
    ///
    /// # Errors
    ///
    /// The disk is full or fails.
    pub fn hear_of(&mut self, manifest: &Manifest) -> io::Result<()> {
        let floor = self.floor.with_heard(manifest);
        if floor == self.floor {
            return Ok(());
        }
        // Before anything is written: a full disk must not keep what is missing from being known.
        self.floor = floor;
        self.renew();

        self.write_floor(floor)
    }

    /// Takes a beacon: it lifts the time, and may show that something is missing. The floor must be
    /// up to date.
    ///
    /// # Errors
    ///
    /// Returns why nothing of it is believed.
    pub fn accept_beacon(&mut self, envelope: &[u8], now: &Now) -> Result<Admission, NotAdmitted> {
        let beacon = Beacon::verify(envelope, self.keys(), self.audience())?;
        let admission = self.floor.admit_beacon(&beacon, now)?;
        if admission != Admission::Same {
            self.floor = self.floor.with_beacon(&beacon);
            self.renew();
            self.write_floor(self.floor)?;
        }

        Ok(admission)
    }

    /// Returns the number of the revocation list held; 0 for none.
    #[must_use]
    pub const fn revoked_number(&self) -> Version {
        self.revoked.number
    }

    /// Returns the revocation list that has to be held and is not.
    #[must_use]
    pub fn lacks_list(&self) -> Option<Version> {
        self.floor.lacks_list(self.revoked.number)
    }

    /// Returns what this gateway knows that it does not have.
    #[must_use]
    pub fn missing(&self) -> Option<Missing> {
        let lost = self.floor_rebuilt.then_some(Missing::Floor);

        let missing = lost.or_else(|| Missing::of(&self.floor, self.revoked.number))?;
        let refused = self.refused.filter(|version| missing == Missing::Snapshot(*version));

        Some(refused.map_or(missing, Missing::Refused))
    }

    /// Notes that the file of this version arrived as it was signed and cannot be used.
    pub(crate) fn refuse(&mut self, version: Version) {
        self.refused = Some(version);
        self.renew();
    }

    /// Returns the version in force; 0.0 where there is none.
    fn snapshot_version(&self) -> Version {
        let current = self.in_force.borrow();

        current.as_ref().map_or(Version::default(), |now| now.verified.manifest().version())
    }

    /// Puts what is in force in force again, with what is revoked and missing now.
    pub(super) fn renew(&self) {
        let Some(current) = self.in_force.borrow().clone() else { return };
        let verified = current.verified.refreshed(current.verified.manifest().clone());
        let renewed = verified.ok().and_then(|verified| self.ready(verified, current.since));
        self.in_force.send_replace(renewed);
    }

    /// Makes a snapshot ready for decisions; none where that cannot be, and nothing is granted.
    pub(super) fn ready(
        &self,
        verified: Verified<Arc<[u8]>>,
        since: UnixSeconds,
    ) -> Option<Arc<InForce>> {
        let version = verified.manifest().version();
        if !self.revoked.serves(version) {
            warn!(%version, "not all that is revoked beside it is known; denying until it is");
        }
        let bits = self.revoked.bits(&verified.view(), version)?;
        let (revoked, revocations) = (self.revoked.number, self.revoked.count(version));
        let missing = self.missing();

        Some(Arc::new(InForce { verified, since, missing, revoked, revocations, bits }))
    }
}
