//! The short way to a newer snapshot: a delta applied to the one in force, into the free slot.
//!
//! What is written is cut into chunks and hashed on its way, so no more than one chunk is held
//! beside the snapshot in force; whether it is the one that was signed is for its root to say.

use std::io;

use gateward_core::snapshot::chunk;
use gateward_core::snapshot::delta::{Broken, Delta, Mark, NotApplied, Sink};
use gateward_core::trust::Manifest;

use super::disk::Disk;
use super::slot::Incoming;
use super::{NotPatched, Store};

impl Store {
    /// Applies `delta` to the snapshot in force and keeps what comes of it beside that. Returns its
    /// hash list, which says whether it is the snapshot of `manifest`; if so, it is as though every
    /// chunk had been kept, and [`Store::commit`] comes next.
    ///
    /// # Errors
    ///
    /// Returns why nothing came of it; what is in force stays.
    pub fn patch(&mut self, manifest: &Manifest, delta: &[u8]) -> Result<Vec<u8>, NotPatched> {
        self.incoming = None;
        let current = self.in_force.borrow().clone().ok_or(NotPatched::NoBase)?;
        let delta = Delta::read(delta)?;
        // At most four times as much as the delta has bytes, and a small part of the snapshot held.
        let mut marks = vec![Mark::default(); delta.room_on(&current.verified)];
        let ready = delta.on(&current.verified, &mut marks)?;
        if ready.file_len() != manifest.file_len() {
            return Err(NotPatched::OtherLength);
        }
        let incoming = Incoming::empty(&self.disk, self.slot.other(), manifest)?;
        let mut chunks = Chunks::new(&self.disk, incoming, manifest);
        match ready.write(&mut chunks) {
            Err(NotApplied::Broken) => return Err(chunks.failure().into()),
            written => written?,
        }
        let (incoming, list) = chunks.done()?;
        self.disk.replace(&incoming.slot.list(), &list)?;
        self.incoming = Some(incoming);

        Ok(list)
    }
}

/// Cuts what is written into chunks, writes each and hashes it.
struct Chunks<'a> {
    disk: &'a Disk,
    incoming: Incoming,
    part: Vec<u8>,
    chunk_len: usize,
    index: u32,
    list: Vec<u8>,
    failed: Option<io::Error>,
}

impl<'a> Chunks<'a> {
    fn new(disk: &'a Disk, incoming: Incoming, manifest: &Manifest) -> Self {
        let chunk_len = 1 << manifest.chunk_log2();

        Self {
            disk,
            incoming,
            part: Vec::with_capacity(chunk_len),
            chunk_len,
            index: 0,
            list: Vec::new(),
            failed: None,
        }
    }

    fn keep(&mut self) -> io::Result<()> {
        self.list.extend(chunk::leaf(self.index, &self.part));
        self.incoming.write(self.disk, self.index, &self.part)?;
        self.index += 1;
        self.part.clear();

        Ok(())
    }

    fn failure(self) -> io::Error {
        self.failed.unwrap_or_else(|| io::ErrorKind::Other.into())
    }

    fn done(mut self) -> io::Result<(Incoming, Vec<u8>)> {
        if !self.part.is_empty() {
            self.keep()?;
        }

        Ok((self.incoming, self.list))
    }
}

impl Sink for Chunks<'_> {
    fn put(&mut self, mut bytes: &[u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let room = self.chunk_len - self.part.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.part.extend_from_slice(now);
            bytes = later;
            if self.part.len() == self.chunk_len
                && let Err(error) = self.keep()
            {
                self.failed = Some(error);
                return Err(Broken);
            }
        }

        Ok(())
    }
}
