//! The long way: the hash list in pieces, then every chunk that is not kept yet.
//!
//! Nothing is taken that was not asked for or that the manifest's root does not cover.

use super::have::Bits;
use super::{CatchUp, Dropped, Stage};
use crate::snapshot::chunk::HASH_LEN;
use crate::time::Millis;
use crate::topic::GroupTopic;

impl<B: AsRef<[u8]> + AsMut<[u8]>> CatchUp<B> {
    /// A piece of a hash list arrived.
    ///
    /// # Errors
    ///
    /// Returns why the piece changes nothing, or that the whole list was wrong and is asked for
    /// again.
    pub fn piece(
        &mut self,
        root: [u8; 8],
        piece: u32,
        bytes: &[u8],
        now: Millis,
    ) -> Result<(), Dropped> {
        let taken = self.take_piece(root, piece, bytes, now);

        self.passed(taken, now)
    }

    fn take_piece(
        &mut self,
        root: [u8; 8],
        piece: u32,
        bytes: &[u8],
        now: Millis,
    ) -> Result<(), Dropped> {
        let target = self.target.as_mut().filter(|target| target.manifest.root().short() == root);
        let target = target.ok_or(Dropped::NotAskedFor)?;
        let (chunks, hashes) = (target.manifest.chunk_count(), target.manifest.hashes_a_piece());
        let Stage::Listing { bytes: list, have, .. } = &mut target.stage else {
            return Err(Dropped::Known);
        };
        if piece >= target.manifest.piece_count() {
            return Err(Dropped::NotAskedFor);
        }
        if have.has(piece) {
            return Err(Dropped::Known);
        }
        let start = (piece * hashes) as usize * HASH_LEN;
        let len = (chunks - piece * hashes).min(hashes) as usize * HASH_LEN;
        let place = list.as_mut().get_mut(start..start + len).ok_or(Dropped::NotAskedFor)?;
        if bytes.len() != len {
            return Err(Dropped::Altered);
        }
        place.copy_from_slice(bytes);
        have.add(piece);
        self.window.arrived(GroupTopic::List { root, piece }, now);

        target.check_list(&mut self.window, now)
    }

    /// What is of no use any more was asked for before all that is still waited for.
    pub(super) fn passed(
        &mut self,
        taken: Result<(), Dropped>,
        now: Millis,
    ) -> Result<(), Dropped> {
        if let Err(Dropped::Known | Dropped::NotAskedFor) = taken {
            self.window.passed(now);
        }

        taken
    }

    /// Storage for the snapshot is ready, and holds `kept` of its chunks, verified against
    /// [`CatchUp::list`].
    pub fn begun(&mut self, kept: impl Iterator<Item = u32>, now: Millis) {
        let Some(target) = &mut self.target else { return };
        let chunks = target.manifest.chunk_count();
        target.turn(|stage| {
            let Stage::Beginning { list, .. } = stage else { return stage };
            let mut have = Bits::new();
            kept.filter(|index| *index < chunks).for_each(|index| have.add(index));
            Stage::Fetching { list, have }
        });
        target.finish(now);
    }

    /// A chunk arrived. Where this returns nothing wrong, the chunk is as signed: write it, sync it
    /// no later than at [`Output::Check`](super::Output::Check), and call [`CatchUp::kept`].
    ///
    /// # Errors
    ///
    /// Returns why the chunk is of no use.
    pub fn chunk(
        &mut self,
        root: [u8; 8],
        index: u32,
        bytes: &[u8],
        now: Millis,
    ) -> Result<(), Dropped> {
        let taken = self.accepts(root, index, bytes);

        self.passed(taken, now)
    }

    fn accepts(&self, root: [u8; 8], index: u32, bytes: &[u8]) -> Result<(), Dropped> {
        let target = self.target.as_ref().filter(|target| target.manifest.root().short() == root);
        let target = target.ok_or(Dropped::NotAskedFor)?;
        let Stage::Fetching { list, have, .. } = &target.stage else {
            return Err(Dropped::NotAskedFor);
        };
        if index >= target.manifest.chunk_count() {
            return Err(Dropped::NotAskedFor);
        }
        if have.has(index) {
            return Err(Dropped::Known);
        }
        if !list.accepts(index, bytes) {
            return Err(Dropped::Altered);
        }

        Ok(())
    }

    /// The chunk is written.
    pub fn kept(&mut self, index: u32, now: Millis) {
        let Some(target) = &mut self.target else { return };
        let root = target.manifest.root().short();
        if let Stage::Fetching { have, .. } = &mut target.stage {
            have.add(index);
            self.window.arrived(GroupTopic::Chunk { root, index }, now);
        }
        target.finish(now);
    }
}
