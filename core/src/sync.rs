//! How a gateway catches up with the control plane, as a state machine without I/O.
//!
//! The machine is told what happened and the time, and is then polled until it has nothing more to
//! do. It never waits, and it verifies every chunk itself: what it says to keep is good.
//!
//! ```text
//!                               by_delta            patched
//!                             ┌──────────▶ Patching ───────────────────────────────────────────┐
//!                             │ ┌─────────────┘ altered, late, or not the snapshot that was signed │
//!          aim (newer manifest) ▼    last piece           begun               last chunk kept       ▼
//!   Idle ───────────────────▶ Listing ────────▶ Beginning ─────▶ Fetching ──────────────────▶ Checking
//!    ▲                         ▲   │             ▲   │            ▲   │                        │   │
//!    │                    timeout: ask again    not now      timeout: ask again                │   │
//!    │                                           └───────────────── damaged ◀──────────────────┘   │
//!    └──────────────────────────────── in force, or refused ◀──────────────────────────────────────┘
//! ```
//!
//! A lost link stops nothing but the asking; everything that arrived stays. A newer manifest starts
//! over from any state.

use crate::snapshot::chunk::{HASH_LEN, HashList};
use crate::time::Millis;
use crate::topic::GroupTopic;
use crate::trust::{Manifest, Root};

mod ask;
mod dropped;
mod fetch;
mod have;
mod pace;
mod patch;
mod target;
mod window;

use ask::Control;
pub use ask::Topics;
pub use dropped::Dropped;
use target::{Stage, Target};
pub use window::WINDOW;
use window::Window;

/// The most chunks in a snapshot that a gateway fetches: 256 MiB in chunks of 32 KiB.
pub const MAX_CHUNKS: u32 = 8192;

/// How long to wait after the store could not do what it was told.
const STORE_PAUSE_MS: u64 = 10_000;

/// Something to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// The hash list is verified: make room for the snapshot, then call [`CatchUp::begun`] or
    /// [`CatchUp::not_now`].
    Begin,
    /// Every chunk is kept: verify the whole, put it in force, then call [`CatchUp::settled`] or
    /// [`CatchUp::not_now`].
    Check,
    /// The delta is here and as signed: apply it to the snapshot in force, then call
    /// [`CatchUp::patched`], [`CatchUp::not_patched`] or [`CatchUp::not_now`].
    Patch,
    /// Subscribe in one packet, again where that was done before, so that the broker sends what it
    /// retains.
    Subscribe(Topics),
    /// Unsubscribe in one packet.
    Unsubscribe(Topics),
}

/// What became of a snapshot that was checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Settled {
    /// The bytes on disk are no longer those that were kept: fetch what is missing.
    Damaged,
    /// It is in force.
    InForce,
    /// It is what its manifest says, and still not usable: wait for a newer one.
    Refused,
}

/// Catches up with the control plane. `B` is where a hash list is collected.
#[derive(Debug)]
pub struct CatchUp<B> {
    online: bool,
    control: Control,
    window: Window,
    target: Option<Target<B>>,
    refused: Option<Root>,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Default for CatchUp<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> CatchUp<B> {
    /// Starts offline and with nothing to fetch.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            online: false,
            control: Control::new(),
            window: Window::new(),
            target: None,
            refused: None,
        }
    }

    /// The link is up, and the broker knows of no subscription.
    pub fn link_up(&mut self, now: Millis) {
        self.link_down();
        self.online = true;
        self.control.restart(now);
    }

    /// The link is gone. What has arrived stays.
    pub fn link_down(&mut self) {
        self.online = false;
        self.window.forget();
        self.control.link_down();
    }

    /// A message arrived on `topic`, whatever it says: it need not be asked for again soon.
    pub fn heard(&mut self, topic: GroupTopic, now: Millis) {
        self.control.heard(topic, now);
    }

    /// The key set of `epoch` is held.
    pub fn keys_held(&mut self, epoch: u32, now: Millis) {
        self.control.keys_held(epoch, now);
    }

    /// The key set of `epoch` is held, and was before: the walk goes on from there.
    pub fn keys_known(&mut self, epoch: u32, now: Millis) {
        self.control.keys_known(epoch, now);
    }

    /// Something signed under the key set of `epoch` arrived, and `held` is older: the key sets are
    /// walked one by one (TRUST 3). `epoch` may be a lie; it then costs one subscription.
    pub fn keys_behind(&mut self, held: u32, epoch: u32, now: Millis) {
        self.control.keys_behind(held, epoch, now);
    }

    /// Something accepted speaks of a revocation list that is not held: it is asked for until it
    /// arrives.
    pub fn list_missed(&mut self, now: Millis) {
        self.control.list_missed(now);
    }

    /// Something accepted speaks of a snapshot that is neither in force nor being fetched.
    pub fn snapshot_missed(&mut self, now: Millis) {
        if self.target.is_none() {
            self.control.manifest_missed(now);
        }
    }

    /// Returns the manifest of the snapshot being fetched.
    #[must_use]
    pub fn target(&self) -> Option<&Manifest> {
        self.target.as_ref().map(|target| &target.manifest)
    }

    /// Returns the verified hash list of the snapshot being fetched, once it has arrived.
    #[must_use]
    pub fn list(&self) -> Option<&HashList<B>> {
        match &self.target.as_ref()?.stage {
            Stage::Beginning { list, .. }
            | Stage::Checking { list, .. }
            | Stage::Fetching { list, .. } => Some(list),
            Stage::Listing { .. } | Stage::Patching { .. } | Stage::Turning => None,
        }
    }

    /// Fetches the snapshot of `manifest`, which the caller found newer than the one in force;
    /// `room` has 32 bytes for each of its chunks.
    ///
    /// # Errors
    ///
    /// Returns why the manifest changes nothing.
    pub fn aim(&mut self, manifest: &Manifest, room: B) -> Result<(), Dropped> {
        if self.refused == Some(manifest.root()) {
            return Err(Dropped::RefusedBefore);
        }
        let chunks = manifest.chunk_count();
        if chunks > MAX_CHUNKS || room.as_ref().len() != chunks as usize * HASH_LEN {
            return Err(Dropped::TooManyChunks { chunks });
        }
        if let Some(target) = &mut self.target {
            let (old, new) = (&target.manifest, manifest);
            if new.version() < old.version() {
                return Err(Dropped::Older);
            }
            if new.version() == old.version() {
                let shape = |one: &Manifest| (one.root(), one.file_len(), one.chunk_log2());
                if shape(new) != shape(old) {
                    return Err(Dropped::Fork);
                }
                if new.issued_at() <= old.issued_at() {
                    return Err(Dropped::Known);
                }
                // The same snapshot, valid for longer: what has arrived stays good.
                target.manifest = manifest.clone();
                return Ok(());
            }
        }
        self.window.leave_all();
        let (manifest, stage) = (manifest.clone(), Stage::listing(room));
        self.target = Some(Target { manifest, stage, delta_tried: false });

        Ok(())
    }

    /// Gives up the snapshot being fetched, because the one in force is as new.
    pub fn abandon(&mut self) {
        self.target = None;
        self.window.leave_all();
    }

    /// The store could not do what [`Output::Begin`], [`Output::Check`] or [`Output::Patch`] said,
    /// and may do so later.
    pub fn not_now(&mut self, now: Millis) {
        let Some(target) = &mut self.target else { return };
        match &mut target.stage {
            Stage::Beginning { not_before, told, .. }
            | Stage::Checking { not_before, told, .. } => {
                *not_before = now.plus(STORE_PAUSE_MS);
                *told = false;
            }
            Stage::Patching { patch, .. } => patch.not_now(now),
            Stage::Fetching { .. } | Stage::Listing { .. } | Stage::Turning => {}
        }
    }

    /// The snapshot was checked.
    pub fn settled(&mut self, how: Settled, now: Millis) {
        let Some(target) = &mut self.target else { return };
        match how {
            Settled::Damaged => {
                let not_before = now.plus(STORE_PAUSE_MS);
                target.turn(|stage| {
                    let Stage::Checking { list, .. } = stage else { return stage };
                    Stage::Beginning { list, not_before, told: false }
                });
            }
            Settled::InForce => {
                self.refused = None;
                self.abandon();
            }
            Settled::Refused => {
                self.refused = Some(target.manifest.root());
                self.abandon();
            }
        }
    }

    /// Returns the next thing to do; call it until it returns none.
    pub fn poll(&mut self, now: Millis) -> Option<Output> {
        if let Some(output) = self.target.as_mut().and_then(|target| target.poll(now)) {
            return Some(output);
        }
        if !self.online {
            return None;
        }
        if let Some(topics) = self.control.poll(now) {
            return Some(Output::Subscribe(topics));
        }
        if let Some(target) = &mut self.target {
            target.fill(&mut self.window, now);
        }
        if let Some(topics) = self.window.leave() {
            return Some(Output::Unsubscribe(topics));
        }

        self.window.join(now).map(Output::Subscribe)
    }

    /// Returns when to call [`CatchUp::poll`] next, where nothing happens before.
    #[must_use]
    pub fn timeout(&self) -> Option<Millis> {
        let store = self.target.as_ref().and_then(Target::store_timeout);
        let fetch = self.target.as_ref().and_then(|target| target.fetch_timeout(&self.window));
        let asking = [self.control.timeout(), fetch].into_iter().flatten().filter(|_| self.online);

        asking.chain(store).min()
    }
}

#[cfg(test)]
mod tests;
