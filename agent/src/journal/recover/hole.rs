//! A hole that a start found, and that a power cut or a full disk kept it from writing down.

use std::collections::VecDeque;
use std::{fs, io};

use super::super::frame::{HEAD_LEN, SegmentHead};
use super::super::medium::is_unreadable;
use super::super::verify::Walk;
use super::super::writer::{Segment, segment_path};
use super::aside::is_damaged;
use super::{End, Recovery};

impl Recovery<'_> {
    /// Returns the numbers before the newest segment that nothing says are missing: the first record of a
    /// segment that begins behind a hole says so, and that is not there. Finds its evidence again, too.
    pub(super) fn untold(
        &mut self,
        segments: &VecDeque<Segment>,
        end: &End,
    ) -> io::Result<Option<(u64, u64)>> {
        let mut newest = segments.iter().rev().map(|segment| segment.first);
        let (Some(first), Some(before)) = (newest.next(), newest.next()) else { return Ok(None) };
        if end.segment != Some(first) || end.good > HEAD_LEN {
            return Ok(None);
        }
        let bytes = match fs::read(segment_path(self.folder, before)) {
            Ok(bytes) => bytes,
            // The upload owns up to what it cannot read.
            Err(error) if is_unreadable(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(head) = SegmentHead::decode(&bytes) else { return Ok(None) };
        let mut walk = Walk::new(&head, &bytes);
        while walk.step().is_some() {}
        if walk.last.saturating_add(1) >= first {
            return Ok(None);
        }
        self.find_evidence(before, first)?;

        Ok(Some((walk.last + 1, first - 1)))
    }

    /// Finds what was set aside of the segments from `before` to one below `first`.
    fn find_evidence(&mut self, before: u64, first: u64) -> io::Result<()> {
        for entry in fs::read_dir(self.folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()?.split('.').next());
            let number = name.and_then(|name| name.parse::<u64>().ok());
            if is_damaged(&path)
                && number.is_some_and(|number| (before..first).contains(&number))
                && !self.found.damaged.contains(&path)
            {
                self.found.damaged.push(path);
            }
        }

        Ok(())
    }
}
