//! The snapshot to be had next, and how far it has come.

use super::have::Bits;
use super::patch::Patch;
use super::window::Window;
use super::{Dropped, Output};
use crate::snapshot::chunk::HashList;
use crate::time::Millis;
use crate::topic::GroupTopic;
use crate::trust::Manifest;

/// The snapshot to be had next.
#[derive(Debug)]
pub(super) struct Target<B> {
    pub(super) manifest: Manifest,
    pub(super) stage: Stage<B>,
    /// Whether its delta was wanted before; it is not wanted twice.
    pub(super) delta_tried: bool,
}

#[derive(Debug)]
pub(super) enum Stage<B> {
    Listing {
        bytes: B,
        have: Bits,
        /// Whoever sends a wrong list is not asked for another at once.
        not_before: Millis,
    },
    Beginning {
        list: HashList<B>,
        not_before: Millis,
        told: bool,
    },
    Fetching {
        list: HashList<B>,
        have: Bits,
    },
    Checking {
        list: HashList<B>,
        not_before: Millis,
        told: bool,
    },
    /// A delta is awaited or being applied; `room` is for the hash list of what comes of it.
    Patching {
        room: B,
        patch: Patch,
    },
    /// Only while one stage turns into the next.
    Turning,
}

impl<B> Stage<B> {
    pub(super) const fn listing(room: B) -> Self {
        Self::Listing { bytes: room, have: Bits::new(), not_before: Millis(0) }
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Target<B> {
    pub(super) fn turn(&mut self, step: impl FnOnce(Stage<B>) -> Stage<B>) {
        self.stage = step(self.take());
    }

    pub(super) const fn take(&mut self) -> Stage<B> {
        core::mem::replace(&mut self.stage, Stage::Turning)
    }

    /// Turns to the next stage once every piece is there; a list that the root does not cover is
    /// forgotten whole, since nothing says which piece is wrong.
    pub(super) fn check_list(&mut self, window: &mut Window, now: Millis) -> Result<(), Dropped> {
        let Stage::Listing { bytes, have, not_before } = &mut self.stage else { return Ok(()) };
        if have.count() < self.manifest.piece_count() {
            return Ok(());
        }
        if HashList::check(bytes.as_ref(), &self.manifest).is_err() {
            *have = Bits::new();
            window.spoilt(now);
            *not_before = now.plus(window.wait());
            return Err(Dropped::Altered);
        }
        let manifest = &self.manifest;
        if let Stage::Listing { bytes, .. } = core::mem::replace(&mut self.stage, Stage::Turning) {
            let list = HashList::check(bytes, manifest).map_err(|_| Dropped::Altered)?;
            self.stage = Stage::Beginning { list, not_before: Millis(0), told: false };
        }

        Ok(())
    }

    pub(super) fn finish(&mut self, now: Millis) {
        let chunks = self.manifest.chunk_count();
        self.turn(|stage| match stage {
            Stage::Fetching { list, have } if have.count() == chunks => {
                Stage::Checking { list, not_before: now, told: false }
            }
            Stage::Beginning { .. }
            | Stage::Checking { .. }
            | Stage::Fetching { .. }
            | Stage::Listing { .. }
            | Stage::Patching { .. }
            | Stage::Turning => stage,
        });
    }

    pub(super) fn poll(&mut self, now: Millis) -> Option<Output> {
        let (output, not_before, told) = match &mut self.stage {
            Stage::Beginning { not_before, told, .. } => (Output::Begin, not_before, told),
            Stage::Checking { not_before, told, .. } => (Output::Check, not_before, told),
            Stage::Patching { patch, .. } => return patch.poll(now),
            Stage::Fetching { .. } | Stage::Listing { .. } | Stage::Turning => return None,
        };
        if *told || now < *not_before {
            return None;
        }
        *told = true;

        Some(output)
    }

    /// Fills the window with what is missing, and renews what is late.
    pub(super) fn fill(&mut self, window: &mut Window, now: Millis) {
        self.give_up_patch(window, now);
        if self.is_fetching() {
            window.renew(now);
        }
        let root = self.manifest.root().short();
        match &mut self.stage {
            Stage::Listing { have, not_before, .. } if now >= *not_before => {
                *not_before = Millis(0);
                let pieces = self.manifest.piece_count();
                let _ =
                    have.missing(pieces).all(|piece| window.want(GroupTopic::List { root, piece }));
            }
            Stage::Fetching { have, .. } => {
                let chunks = self.manifest.chunk_count();
                let _ = have
                    .missing(chunks)
                    .all(|index| window.want(GroupTopic::Chunk { root, index }));
            }
            Stage::Patching { patch, .. } if patch.is_awaited() => {
                window.want(patch.topic());
            }
            Stage::Beginning { .. }
            | Stage::Checking { .. }
            | Stage::Listing { .. }
            | Stage::Patching { .. }
            | Stage::Turning => {}
        }
    }

    const fn is_fetching(&self) -> bool {
        match &self.stage {
            Stage::Fetching { .. } | Stage::Listing { .. } => true,
            Stage::Patching { patch, .. } => patch.is_awaited(),
            Stage::Beginning { .. } | Stage::Checking { .. } | Stage::Turning => false,
        }
    }

    pub(super) fn fetch_timeout(&self, window: &Window) -> Option<Millis> {
        if !self.is_fetching() {
            return None;
        }
        let mut times = [window.timeout(), None];
        // A list that was wrong is wanted again then.
        if let Stage::Listing { not_before, .. } = &self.stage
            && *not_before > Millis(0)
        {
            times = [window.timeout(), Some(*not_before)];
        }

        times.into_iter().flatten().min()
    }

    pub(super) const fn store_timeout(&self) -> Option<Millis> {
        match &self.stage {
            Stage::Beginning { not_before, told: false, .. }
            | Stage::Checking { not_before, told: false, .. } => Some(*not_before),
            Stage::Patching { patch, .. } => patch.store_timeout(),
            Stage::Beginning { .. }
            | Stage::Checking { .. }
            | Stage::Fetching { .. }
            | Stage::Listing { .. }
            | Stage::Turning => None,
        }
    }
}
