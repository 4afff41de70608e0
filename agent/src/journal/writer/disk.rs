//! What the writer does with the disk: writes, syncs, mends, and goes on in a new segment.
//!
//! What a failed write or sync left is mended before anything else is written: see [`super`].

use std::io;

use super::{Chain, SEGMENT, Segment, Writer, len, segment_path};
use crate::journal::Durability;
use crate::journal::frame::{HEAD_LEN, SegmentHead};
use crate::journal::room::Pending;
use crate::journal::thread::Kept;
use crate::store::disk::is_full;

impl Writer {
    /// Appends `frames` to the last segment and, with [`Durability::Group`], waits for the disk.
    pub(super) fn write(&mut self, pending: &Pending) -> io::Result<()> {
        let frames = &*pending.frames;
        if frames.is_empty() {
            return Ok(());
        }
        let at = self.durable.1 + len(&self.unsynced);
        let file = self.file.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        file.write_at(frames, at)?;
        if self.options.sync == Durability::Group {
            self.sync()?;
            self.advance(at + len(frames));
        } else {
            self.unsynced.extend_from_slice(frames);
            self.grown_to(at + len(frames));
        }
        if let Some(last) = self.segments.back_mut() {
            last.bounded += pending.bounded;
        }

        Ok(())
    }

    /// What is written is durable; the key that is no longer needed is overwritten.
    fn advance(&mut self, bytes: u64) {
        self.durable = (self.chain.clone(), bytes);
        self.grown_to(bytes);
        let Chain { seq, head, key, .. } = &self.chain;
        let kept = if self.has_lost_key { Ok(()) } else { self.key.write(*seq, key.expose()) };
        let kept = kept.and_then(|()| self.mark.write(*seq, &head.0));
        if let Err(error) = kept {
            tracing::warn!(%error, "the audit's key or mark was not written; the next record tries again");
        }
        self.let_go();
        if self.checkpoints.is_due(self.durable.0.seq) {
            self.sign();
        }
    }

    fn grown_to(&mut self, bytes: u64) {
        if let Some(last) = self.segments.back_mut() {
            last.bytes = bytes;
        }
    }

    /// Syncs what counts as written already.
    pub(crate) fn flush(&mut self) {
        if let Err(error) = self.try_flush() {
            self.fail(&error, 0);
        }
    }

    fn try_flush(&mut self) -> io::Result<()> {
        self.mend()?;
        if !self.unsynced.is_empty() {
            self.sync()?;
            self.advance_all();
        }

        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let synced = self.file.as_mut().ok_or(io::ErrorKind::NotConnected)?.sync();
        self.forgotten |= synced.is_err();

        synced
    }

    /// All that counts as written is durable.
    fn advance_all(&mut self) {
        let bytes = self.durable.1 + len(&self.unsynced);
        self.unsynced.clear();
        self.advance(bytes);
    }

    /// Does what need not be done for every record; returns whether nothing is left to do.
    pub(crate) fn tidy(&mut self) -> bool {
        self.catch_up();
        let is_tidy = self.settle() && !self.failing && self.unsynced.is_empty();
        let through = self.durable.0.seq;
        if is_tidy
            && through > 0
            && self.key.newest() == through
            && let Some(Kept(then)) = self.kept.take()
        {
            then();
        }

        is_tidy
    }

    /// Writes down what could not be, or has become true without a request.
    pub(crate) fn catch_up(&mut self) {
        if self.failing {
            self.try_again();
        }
        if !self.failing && self.lost.is_some() {
            self.commit([].iter());
        }
        // A newer manifest may have changed what may be dropped.
        self.tell();
    }

    /// Syncs what stands beside the records; returns whether that worked.
    pub(crate) fn settle(&mut self) -> bool {
        let synced = self.key.sync().and_then(|()| self.mark.sync());
        let synced = synced.and_then(|()| self.share.sync()).and_then(|()| self.checkpoints.sync());
        if let Err(error) = &synced {
            tracing::warn!(%error, "the audit's key, mark, share and checkpoints were not synced");
        }

        synced.is_ok()
    }

    /// Only a record on disk shows that there is room again: a file can be cut on a disk that is full.
    fn try_again(&mut self) {
        let refused = self.refused;
        self.commit([].iter());
        if self.failing {
            self.refused = refused;
        }
    }

    pub(super) fn fail(&mut self, error: &io::Error, records: usize) {
        if !self.failing {
            tracing::error!(%error, "audit records cannot be written; nothing is allowed until they can");
            self.why = error.to_string();
        }
        (self.failing, self.torn, self.no_space) = (true, true, is_full(error));
        self.refused = self.refused.saturating_add(u32::try_from(records).unwrap_or(u32::MAX));
    }

    /// Mends a failed write and begins a new segment where one is due.
    pub(super) fn ready(&mut self) -> io::Result<()> {
        self.mend()?;
        let size = SEGMENT.min(self.options.max_bytes / 8);
        let is_due = self.segments.back().is_none_or(|last| last.bytes >= size);
        if self.begins || self.file.is_none() || is_due {
            self.try_flush()?;
            self.begin_segment()?;
        }

        Ok(())
    }

    /// Cuts off what a failed write left. What counts as written stays where the kernel has it: on a disk
    /// that is full there may be no room to write it again. Only what a failed sync made the kernel forget
    /// is written again, on fresh pages.
    fn mend(&mut self) -> io::Result<()> {
        let Some(last) = self.segments.back().filter(|_| self.torn && !self.begins) else {
            return Ok(());
        };
        let kept = if self.forgotten { 0 } else { len(&self.unsynced) };
        // A failed sync is told once to each who has the file open: whoever opens it anew asks for itself.
        let held = self.file.take().filter(|_| !self.forgotten);
        let mut file = match held {
            Some(file) => file,
            None => self.medium.open(&segment_path(&self.folder, last.first))?,
        };
        file.cut(self.durable.1 + kept)?;
        self.file = Some(file);
        self.sync()?;
        if !self.unsynced.is_empty() {
            if self.forgotten {
                let file = self.file.as_mut().ok_or(io::ErrorKind::NotConnected)?;
                file.write_at(&self.unsynced, self.durable.1)?;
                self.sync()?;
            }
            self.advance_all();
        }
        (self.torn, self.forgotten) = (false, false);

        Ok(())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        // So each segment can be checked by itself.
        self.sign();
        let head = SegmentHead {
            gateway: self.gateway,
            incarnation: self.incarnation,
            boot: self.options.boot,
            first: self.chain.seq + 1,
            before: self.chain.head,
            created_at: self.last.created_at.0,
            snapshot: self.chain.snapshot,
        };
        let mut file = self.medium.open(&segment_path(&self.folder, head.first))?;
        file.cut(0)?;
        file.write_at(&head.encode(), 0)?;
        file.sync()?;
        self.begin_checkpoints(head.first);
        self.medium.sync_folder(&self.folder)?;
        let bytes = u64::try_from(HEAD_LEN).unwrap_or_default();
        self.keep_share(head.first);
        self.segments.push_back(Segment { first: head.first, bytes, bounded: 0 });
        self.durable.1 = bytes;
        self.file = Some(file);
        (self.begins, self.torn) = (false, false);

        Ok(())
    }
}
