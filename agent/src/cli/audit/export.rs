//! `gateward audit export --as FORM`

use std::io::{self, BufWriter, Write};

use super::super::{Exit, Global};
use super::records::{Durable, Next, Records, durable, missing};
use crate::export::{self, As};

/// Prints all records that are on disk for good, and none of a torn end. Ends with 0, with 65 where some are missing (what is
/// there is printed), with 69 where an agent has the journal and does not answer.
pub(super) fn print(form: As, global: &Global) -> Result<Exit, Exit> {
    let config = global.load()?;
    let mut records = Records::open(&config, 0, global)?;
    let durable = match durable(&config).map_err(|failed| global.fail(failed.exit(), &failed))? {
        Durable::Through(number) => number,
        Durable::Nobody => u64::MAX,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let written = write(&mut records, durable, form, &mut out);
    if records.torn() > 0 {
        // Where even standard error is closed, there is nobody to tell.
        let _ = writeln!(
            io::stderr().lock(),
            "{} bytes behind the last record are no record: the power went while it was written, and the \
             next start of the agent cuts them off",
            records.torn()
        );
    }

    match written.and_then(|holes| out.flush().map(|()| holes)) {
        Ok(holes) if holes.is_empty() => Ok(Exit::Success),
        Ok(holes) => {
            for (first, last) in holes {
                // Where even standard error is closed, the exit code still tells.
                let _ = writeln!(io::stderr().lock(), "{}", missing(first, last));
            }
            Ok(Exit::BadData)
        }
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Success),
        Err(error) => Err(global.fail(Exit::Io.unless_refused(&error), &error)),
    }
}

type Holes = Vec<(u64, Option<u64>)>;

fn write(records: &mut Records, durable: u64, form: As, out: &mut impl Write) -> io::Result<Holes> {
    let mut holes = Vec::new();
    loop {
        match records.next(durable)? {
            Next::End => return Ok(holes),
            Next::Hole(first, last) => holes.push((first, last)),
            Next::Records(piece) => {
                let mut lines = String::new();
                records.show(piece, |_, line| {
                    lines += &export::line(line, form);
                    lines.push('\n');
                })?;
                out.write_all(lines.as_bytes())?;
            }
        }
    }
}
