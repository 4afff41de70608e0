//! `gateward audit`: the records on this gateway's disk, shown, checked and carried without the agent.

use core::fmt;
use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::{Exit, Format, Global, carry};
use crate::journal::json::{self, Origin};
use crate::journal::{self, Broken, Verified};

/// What to do with the records.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the newest records, oldest first
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
        lines: usize,
    },
    /// Write what no collector has receipted into a file, to be carried to one
    Export {
        /// The file; it may be one that was exported before
        #[arg(short, long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Take a receipt that was carried from the collector: what it names may be forgotten here
    Receipt {
        /// What `gateward-control collect --stick` wrote
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Follow the chain through all records; 0 where it is whole, 65 where it is broken
    Verify {
        /// The journal, or the folder of the agent that it is in [default: the configured one]
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
    },
}

impl Args {
    /// Ends with 0, with 65 on a broken chain, with 74 where files cannot be read, or
    /// with 77 where the system does not let this user.
    pub(crate) fn run(self, global: &Global) -> Exit {
        let done = match self.command {
            Command::Tail { lines } => tail(lines, global),
            Command::Export { out } => Ok(carry::export(&out, global)),
            Command::Receipt { file } => Ok(carry::receipt(&file, global)),
            Command::Verify { folder } => verify(folder, global),
        };

        done.unwrap_or_else(|exit| exit)
    }
}

fn tail(lines: usize, global: &Global) -> Result<Exit, Exit> {
    let config = global.load()?;
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

fn verify(folder: Option<PathBuf>, global: &Global) -> Result<Exit, Exit> {
    let folder = match folder {
        Some(folder) => folder,
        None => global.load()?.state_dir,
    };
    let inner = folder.join("audit");
    let folder = if inner.is_dir() { inner } else { folder };
    match journal::verify(&folder) {
        Ok(verified) => {
            let report = Report::new(&folder, &verified);
            Ok(global.print(Exit::Success, &report, &report))
        }
        Err(broken) => Err(global.fail(exit(&broken), &broken)),
    }
}

fn exit(broken: &Broken) -> Exit {
    match broken {
        Broken::Unreadable { .. } => Exit::Io.unless_refused(broken),
        Broken::Checkpoint { .. }
        | Broken::Cut { .. }
        | Broken::Head { .. }
        | Broken::Missing { .. }
        | Broken::Order { .. }
        | Broken::Record { .. } => Exit::BadData,
    }
}

/// A chain that is whole, and what it does not hold.
#[derive(Debug, Serialize)]
struct Report<'a> {
    folder: &'a Path,
    records: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
    gaps: &'a [(u64, u64)],
    damaged: &'a [PathBuf],
}

impl<'a> Report<'a> {
    fn new(folder: &'a Path, verified: &'a Verified) -> Self {
        Self {
            folder,
            records: verified.records,
            first: verified.span.map(|(first, _)| first),
            last: verified.span.map(|(_, last)| last),
            head: verified.head.map(|head| head.to_string()),
            gaps: &verified.gaps,
            damaged: &verified.damaged,
        }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the chain is whole, {} records", self.folder.display(), self.records)?;
        if let (Some(first), Some(last), Some(head)) = (self.first, self.last, &self.head) {
            write!(f, ", {first} to {last}\nhead {head}")?;
        }
        for (first, last) in self.gaps {
            write!(f, "\nrecorded gap: {first} to {last}")?;
        }
        for path in self.damaged {
            write!(f, "\nset aside: {}", path.display())?;
        }

        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ed25519_dalek::SigningKey;
    use gateward_core::audit::{Outcome, Ratchet};
    use gateward_core::decide::Reason;
    use gateward_core::trust::{GatewayId, Incarnation};

    use super::*;
    use crate::identity::Identity;
    use crate::journal::{Draft, Durability, Journal, Options, Stamp};

    fn verify_exit(folder: &Path) -> Exit {
        let global = Global { config: None, format: Format::Json };
        let command = Command::Verify { folder: Some(folder.to_owned()) };

        Args { command }.run(&global)
    }

    #[tokio::test]
    async fn i9_a_record_altered_or_removed_on_disk_ends_verify_with_65() {
        let state = tempfile::tempdir().unwrap();
        let identity = Identity {
            gateway: "edge-7a".to_owned(),
            incarnation: Incarnation([1; 8]),
            key: SigningKey::from_bytes(&[9; 32]),
            audit: Ratchet::new([2; 32]),
        };
        let options = Options {
            account: gateward_core::name::Uuid::default(),
            sync: Durability::Group,
            max_bytes: 1 << 20,
            drop_oldest: false,
            boot: 1,
            now: Stamp::default(),
        };
        let folder = state.path().join("audit");
        let opened = Journal::open(&folder, GatewayId([7; 16]), &identity, options).unwrap();
        for _ in 0..3 {
            let draft = Draft::new(Outcome::Allow(Reason::Ok), Stamp::default());
            opened.journal.append(draft).await.unwrap();
        }
        drop(opened.journal);
        opened.done.await.unwrap();
        assert_eq!(verify_exit(state.path()), Exit::Success);
        assert_eq!(verify_exit(&folder), Exit::Success);

        let segment = folder.join(format!("{:020}.seg", 1));
        let mut bytes = fs::read(&segment).unwrap();
        bytes[180] ^= 1;
        fs::write(&segment, bytes).unwrap();
        assert_eq!(verify_exit(state.path()), Exit::BadData);
        assert_eq!(verify_exit(Path::new("/nowhere/at/all")), Exit::Io);
    }
}
