//! The short way: from the snapshot in force by one delta, before anything else is fetched.
//!
//! It is tried once for each snapshot. Whatever disagrees, or does not come in time, leads to the
//! whole file, and nothing is lost but a moment.

use super::window::Window;
use super::{CatchUp, Dropped, Output, STORE_PAUSE_MS, Stage, Target};
use crate::snapshot::chunk::HashList;
use crate::time::Millis;
use crate::topic::GroupTopic;
use crate::trust::DeltaRef;

/// How far it has come.
#[derive(Debug)]
pub(super) struct Patch {
    delta: DeltaRef,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// It has not come.
    Awaited,
    /// It has come, and is the one that was signed.
    Here { not_before: Millis, told: bool },
}

impl Patch {
    pub(super) const fn is_awaited(&self) -> bool {
        matches!(self.state, State::Awaited)
    }

    pub(super) const fn topic(&self) -> GroupTopic {
        GroupTopic::Delta { from: self.delta.from }
    }

    pub(super) const fn store_timeout(&self) -> Option<Millis> {
        match self.state {
            State::Here { not_before, told: false } => Some(not_before),
            State::Awaited | State::Here { .. } => None,
        }
    }

    pub(super) fn poll(&mut self, now: Millis) -> Option<Output> {
        match &mut self.state {
            State::Here { not_before, told } if !*told && now >= *not_before => {
                *told = true;
                Some(Output::Patch)
            }
            State::Awaited | State::Here { .. } => None,
        }
    }

    pub(super) const fn not_now(&mut self, now: Millis) {
        if let State::Here { .. } = self.state {
            let not_before = now.plus(STORE_PAUSE_MS);
            self.state = State::Here { not_before, told: false };
        }
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> CatchUp<B> {
    /// The snapshot in force has version number `held`: where the target's manifest names a delta
    /// from there, that is what is wanted first. Returns whether it is.
    pub fn by_delta(&mut self, held: u64) -> bool {
        let Some(target) = &mut self.target else { return false };
        let fresh = matches!(&target.stage, Stage::Listing { have, .. } if have.count() == 0);
        let known = target.manifest.deltas().iter().find(|delta| delta.from == held);
        let Some(delta) = known.copied().filter(|_| fresh && !target.delta_tried) else {
            return false;
        };
        target.delta_tried = true;
        target.turn(|stage| match stage {
            Stage::Listing { bytes, .. } => {
                Stage::Patching { room: bytes, patch: Patch { delta, state: State::Awaited } }
            }
            Stage::Beginning { .. }
            | Stage::Checking { .. }
            | Stage::Fetching { .. }
            | Stage::Patching { .. }
            | Stage::Turning => stage,
        });

        true
    }

    /// Returns whether a delta is awaited or being applied.
    #[must_use]
    pub fn is_patching(&self) -> bool {
        self.target.as_ref().is_some_and(|target| matches!(target.stage, Stage::Patching { .. }))
    }

    /// A delta from version number `from` arrived. Where this returns nothing wrong it is the one
    /// that was signed: keep it until [`Output::Patch`].
    ///
    /// # Errors
    ///
    /// Returns why it is of no use; where it was altered, the whole file is fetched instead.
    pub fn delta(&mut self, from: u64, bytes: &[u8], now: Millis) -> Result<(), Dropped> {
        let taken = self.take_delta(from, bytes, now);

        self.passed(taken, now)
    }

    fn take_delta(&mut self, from: u64, bytes: &[u8], now: Millis) -> Result<(), Dropped> {
        let target = self.target.as_mut().ok_or(Dropped::NotAskedFor)?;
        let Stage::Patching { patch, .. } = &mut target.stage else {
            return Err(Dropped::NotAskedFor);
        };
        if patch.delta.from != from {
            return Err(Dropped::NotAskedFor);
        }
        if !patch.is_awaited() {
            return Err(Dropped::Known);
        }
        self.window.arrived(patch.topic(), now);
        if !patch.delta.accepts(bytes) {
            target.whole();
            return Err(Dropped::Altered);
        }
        patch.state = State::Here { not_before: now, told: false };

        Ok(())
    }

    /// The delta was applied, and `list` is the hash list of what came of it, all of which is
    /// written.
    ///
    /// # Errors
    ///
    /// It is not the snapshot that the manifest names; the whole file is fetched instead.
    pub fn patched(&mut self, list: &[u8], now: Millis) -> Result<(), Dropped> {
        let target = self.target.as_mut().ok_or(Dropped::NotAskedFor)?;
        let Stage::Patching { .. } = target.stage else { return Err(Dropped::NotAskedFor) };
        let fits = matches!(&target.stage, Stage::Patching { room, .. }
            if room.as_ref().len() == list.len());
        if !fits || HashList::check(list, &target.manifest).is_err() {
            target.whole();
            return Err(Dropped::Altered);
        }
        if let Stage::Patching { mut room, .. } = target.take() {
            // They are equally long, as was seen above.
            room.as_mut().copy_from_slice(list);
            let list = HashList::check(room, &target.manifest).map_err(|_| Dropped::Altered)?;
            target.stage = Stage::Checking { list, not_before: now, told: false };
        }

        Ok(())
    }

    /// Nothing comes of the delta: the whole file is fetched instead.
    pub fn not_patched(&mut self) {
        if let Some(target) = &mut self.target {
            target.whole();
        }
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Target<B> {
    /// Turns from the delta to the whole file.
    fn whole(&mut self) {
        self.turn(|stage| match stage {
            Stage::Patching { room, .. } => Stage::listing(room),
            Stage::Beginning { .. }
            | Stage::Checking { .. }
            | Stage::Fetching { .. }
            | Stage::Listing { .. }
            | Stage::Turning => stage,
        });
    }

    /// Gives up on a delta that was asked for twice and did not come.
    pub(super) fn give_up_patch(&mut self, window: &mut Window, now: Millis) {
        let Stage::Patching { patch, .. } = &self.stage else { return };
        if patch.is_awaited() && window.is_late_again(patch.topic(), now) {
            window.leave_all();
            self.whole();
        }
    }
}
