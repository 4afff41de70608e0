//! `gateward audit tail --follow`: each record once a power cut cannot take it back.

use core::time::Duration;
use std::collections::VecDeque;
use std::io::{self, Write};

use gateward_core::audit::Record;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::super::{Exit, Format, Global, carry};
use super::records::{Durable, Next, Records, durable, missing};
use crate::config::Config;
use crate::journal::json::{self, Line};

/// How often the agent is asked how far its records are durable.
const EVERY: Duration = Duration::from_millis(250);

/// Prints the last `lines` records and goes on until it is interrupted, or nobody reads any more.
pub(super) fn follow(lines: usize, config: &Config, global: &Global) -> Result<Exit, Exit> {
    let mut records = Records::open(config, 0, global)?;
    let failed = |error: io::Error| global.fail(Exit::Io.unless_refused(&error), &error);
    let mut pause = Pause::new().map_err(failed)?;
    let mut shown = VecDeque::new();
    let mut newest = Some(lines);
    loop {
        read(&mut records, config, global.format, &mut shown, newest)
            .map_err(|failed| global.fail(failed.exit(), &failed))?;
        newest = None;
        match print(&mut shown) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(Exit::Success),
            Err(error) => return Err(failed(error)),
        }
        if pause.is_over() || nobody_reads() {
            return Ok(Exit::Success);
        }
    }
}

/// Reads what there is and may be shown; the first time only the `newest` of it.
fn read(
    records: &mut Records,
    config: &Config,
    format: Format,
    shown: &mut VecDeque<String>,
    newest: Option<usize>,
) -> Result<(), carry::Failed> {
    let (limit, nobody) = match durable(config) {
        Ok(Durable::Through(number)) => (number, false),
        Ok(Durable::Nobody) => (u64::MAX, true),
        // It is asked again.
        Err(failed) if failed.is_late() && newest.is_none() => return Ok(()),
        Err(failed) => return Err(failed),
    };
    let folder = records.folder().clone();
    let io = |source| carry::Failed::Journal { folder: folder.clone(), source };
    loop {
        match records.next(limit).map_err(io)? {
            Next::End => break,
            // Before what is shown first it is no news.
            Next::Hole(first, last) if newest.is_none() => {
                // Where even standard error is closed, nobody wants to know.
                let _ = writeln!(io::stderr().lock(), "{}", missing(first, last));
            }
            Next::Hole(..) => {}
            Next::Records(piece) => {
                let show = |record: &Record<'_>, line: &Line<'_>| {
                    shown.push_back(match format {
                        Format::Human => json::human(record),
                        Format::Json => line.to_json(),
                    });
                };
                records.show(piece, show).map_err(io)?;
                let old = newest.map_or(0, |newest| shown.len().saturating_sub(newest));
                shown.drain(..old);
            }
        }
    }
    if nobody && !shown.is_empty() {
        // An agent that was killed may not have synced them; shown is what the disk keeps.
        carry::settle(&folder)?;
    }

    Ok(())
}

fn print(shown: &mut VecDeque<String>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in shown.drain(..) {
        writeln!(out, "{line}")?;
    }

    out.flush()
}

/// The time between two looks, and what ends it.
struct Pause {
    runtime: tokio::runtime::Runtime,
    interrupt: Signal,
    terminate: Signal,
}

impl Pause {
    fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (interrupt, terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };

        Ok(Self { runtime, interrupt, terminate })
    }

    /// Waits; returns whether somebody wants it to end.
    fn is_over(&mut self) -> bool {
        let Self { runtime, interrupt, terminate } = self;
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => true,
                _ = terminate.recv() => true,
                () = tokio::time::sleep(EVERY) => false,
            }
        })
    }
}

/// Whether whoever read standard output has gone: without a new record no write would tell.
fn nobody_reads() -> bool {
    let out = io::stdout();
    let mut fds = [PollFd::new(&out, PollFlags::empty())];
    let ready = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));

    ready.is_ok() && fds.iter().any(|fd| fd.revents().contains(PollFlags::ERR))
}
