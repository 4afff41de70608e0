//! A line that was written, looked up by the number of its record.
//!
//! The numbers of an enrolment ascend and the newest enrolment is at the end, so the file is halved
//! again and again: what it costs when somebody replays an old batch does not grow with the file.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use gateward_core::audit::{DecisionId, Head};
use gateward_core::name::Uuid;
use serde::Deserialize;

use crate::enroll::Enrolled;
use crate::secret;

/// How much is read at once; no two lines are longer.
const STEP: u64 = 32 * 1024;

#[derive(Deserialize)]
struct Line {
    seq: u64,
    boot_id: u32,
    account_id: String,
    decision_id: String,
    head: String,
}

impl Line {
    fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Whether it is of the enrolment, as its id says.
    fn is_of(&self, enrolled: &Enrolled) -> bool {
        let id = |account| {
            DecisionId::new(enrolled.id(account), enrolled.incarnation, self.boot_id, self.seq)
        };

        Uuid::parse(&self.account_id)
            .is_some_and(|account| self.decision_id == id(account).to_string())
    }
}

/// Returns the head after record `seq` of an enrolment, where that is the newest in the file; none where
/// it has no such line that can be read.
pub(super) fn head_at(path: &Path, enrolled: &Enrolled, seq: u64) -> io::Result<Option<Head>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // The line that is looked for begins here or behind that, and not behind `end`.
    let (mut start, mut end) = (0, file.seek(SeekFrom::End(0))?);
    while start < end {
        let middle = start.midpoint(end);
        let is_before = match line_from(&mut file, middle)? {
            Some(bytes) => {
                Line::read(&bytes).is_none_or(|line| line.seq < seq || !line.is_of(enrolled))
            }
            None => false,
        };
        if is_before {
            start = middle + 1;
        } else {
            end = middle;
        }
    }
    let line = line_from(&mut file, start)?.and_then(|bytes| Line::read(&bytes));
    let line = line.filter(|line| line.seq == seq && line.is_of(enrolled));

    Ok(line.and_then(|line| secret::hex(&line.head)).map(|head| Head(*head)))
}

/// Returns the first line that begins at `at` or behind that; none behind the last whole one.
fn line_from(file: &mut File, at: u64) -> io::Result<Option<Vec<u8>>> {
    // The line break before the first byte of a line is where it begins.
    let from = at.saturating_sub(1);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.by_ref().take(STEP).read_to_end(&mut bytes)?;
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    if at > 0 {
        // The rest of the line before.
        lines.next();
    }

    Ok(lines.next().filter(|line| line.ends_with(b"\n")).map(<[u8]>::to_vec))
}
