//! `gateward audit tail`

use std::collections::VecDeque;
use std::io::{self, Write as _};

use super::super::{Exit, Format, Global};
use super::follow::follow;
use super::verify::exit;
use crate::journal::json::{self, Origin};
use crate::journal::{self};

pub(super) fn tail(lines: usize, and_follow: bool, global: &Global) -> Result<Exit, Exit> {
    let config = global.load()?;
    if and_follow {
        return follow(lines, &config, global);
    }
    let folder = config.state_dir.join("audit");
    let account = config.account;
    let mut kept = VecDeque::new();
    let walked = journal::walk(&folder, |segment, record, (head, snapshot)| {
        let origin = Origin { account, gateway: segment.gateway, incarnation: segment.incarnation };
        kept.push_back(match global.format {
            Format::Human => json::human(record),
            Format::Json => json::line(record, &origin, snapshot, head),
        });
        if kept.len() > lines {
            kept.pop_front();
        }
    });
    let printed = if print(&kept).is_ok() { Exit::Success } else { Exit::Io };
    match walked {
        Ok(_) => Ok(printed),
        // What could be read has been shown.
        Err(broken) => Err(global.fail(exit(&broken), &broken)),
    }
}

fn print(lines: &VecDeque<String>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}")?;
    }

    out.flush()
}
