//! Where the new file goes: front to back, small pieces gathered, long runs handed on as they are.

use core::num::NonZeroUsize;

use super::NotApplied;

/// Takes the new file from its first byte to its last.
pub trait Sink {
    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// It takes no more; why is for the sink to remember.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Broken>;
}

/// A sink takes no more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Broken;

impl From<Broken> for NotApplied {
    fn from(_: Broken) -> Self {
        Self::Broken
    }
}

/// How much is gathered before the sink is asked: it stands on the stack.
const GATHERED: usize = 512;

/// Gathers small pieces.
pub(super) struct Out<'s, S> {
    sink: &'s mut S,
    gathered: [u8; GATHERED],
    used: usize,
}

impl<'s, S: Sink> Out<'s, S> {
    pub(super) const fn new(sink: &'s mut S) -> Self {
        Self { sink, gathered: [0; GATHERED], used: 0 }
    }

    #[inline]
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        if let Some(room) = self.gathered.get_mut(self.used..self.used + bytes.len()) {
            room.copy_from_slice(bytes);
            self.used += bytes.len();
            return Ok(());
        }
        self.flush()?;
        let Some(room) = self.gathered.get_mut(..bytes.len()) else {
            return self.sink.put(bytes);
        };
        room.copy_from_slice(bytes);
        self.used = bytes.len();

        Ok(())
    }

    /// Puts records of `len` bytes, each changed on its way.
    pub(super) fn put_changed(
        &mut self,
        records: &[u8],
        len: NonZeroUsize,
        mut change: impl FnMut(&mut [u8]) -> Result<(), NotApplied>,
    ) -> Result<(), NotApplied> {
        let mut rest = records;
        while !rest.is_empty() {
            let fit = (GATHERED - self.used) / len * len.get();
            if fit == 0 {
                self.flush()?;
                continue;
            }
            let (now, later) = rest.split_at(fit.min(rest.len()));
            let start = self.used;
            self.put(now)?;
            let put = self.gathered.get_mut(start..self.used).unwrap_or_default();
            put.chunks_exact_mut(len.get()).try_for_each(&mut change)?;
            rest = later;
        }

        Ok(())
    }

    pub(super) fn flush(&mut self) -> Result<(), Broken> {
        let gathered = self.gathered.get(..self.used).unwrap_or_default();
        self.used = 0;

        if gathered.is_empty() { Ok(()) } else { self.sink.put(gathered) }
    }
}
