//! Lines that were written, looked up from the end: what a gateway sends again is mostly its newest.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use gateward_core::audit::Head;
use serde::Deserialize;

use crate::secret;

/// How much is read at once.
const STEP: u64 = 64 * 1024;

#[derive(Deserialize)]
struct Line {
    seq: u64,
    head: String,
}

/// Returns the head after record `seq` of the newest enrolment in the file.
pub(super) fn head_at(path: &Path, seq: u64) -> io::Result<Option<Head>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut start = file.seek(SeekFrom::End(0))?;
    // The beginning of a line whose end was read before.
    let mut tail = Vec::new();
    while start > 0 {
        let step = start.min(STEP);
        start -= step;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.by_ref().take(step).read_to_end(&mut bytes)?;
        bytes.append(&mut tail);
        let mut lines = bytes.rsplit(|byte| *byte == b'\n').peekable();
        while let Some(line) = lines.next() {
            if lines.peek().is_none() && start > 0 {
                tail = line.to_vec();
                break;
            }
            let Ok(line) = serde_json::from_slice::<Line>(line) else { continue };
            if line.seq == seq {
                return Ok(secret::hex(&line.head).map(|head| Head(*head)));
            }
            // Numbers only fall from here to the first of this enrolment.
            if line.seq < seq || line.seq == 1 {
                return Ok(None);
            }
        }
    }

    Ok(None)
}
