//! `gateward audit`: the records on this gateway's disk, shown, checked and carried without the agent.

mod export;
mod follow;
mod records;
mod tail;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;

use super::{Exit, Global, carry};
use crate::export::As;

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
        /// Go on with each record once it is on disk for good, until interrupted
        #[arg(short, long)]
        follow: bool,
    },
    /// Write records for somebody else
    ///
    /// With `--as`, prints all records of this gateway's disk in that form. Without it, writes what
    /// no collector has receipted into a file, to be carried to one, with what proves it.
    Export {
        /// The form to print in: one line a record
        #[arg(long = "as", value_enum, value_name = "FORM")]
        form: Option<As>,
        /// The file to be carried; it may be one that was exported before
        #[arg(
            short,
            long,
            value_name = "FILE",
            required_unless_present = "form",
            conflicts_with = "form"
        )]
        out: Option<PathBuf>,
    },
    /// Take a receipt that was carried from the collector: what it names may be forgotten here
    Receipt {
        /// What `gateward-control collect --stick` wrote
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Follow the chain through all records; 0 where it is whole, 65 where it is broken
    Verify {
        /// The journal, the folder of the agent that it is in, or a file that `export --out` wrote
        /// [default: the configured journal]
        #[arg(value_name = "PATH")]
        path: Option<PathBuf>,
    },
}

impl Args {
    /// Ends with 0, with 65 on a broken chain, with 74 where files cannot be read, or
    /// with 77 where the system does not let this user.
    pub(crate) fn run(self, global: &Global) -> Exit {
        let done = match self.command {
            Command::Tail { lines, follow } => tail::tail(lines, follow, global),
            Command::Export { form: Some(form), .. } => export::print(form, global),
            Command::Export { form: None, out } => {
                Ok(carry::export(&out.unwrap_or_default(), global))
            }
            Command::Receipt { file } => Ok(carry::receipt(&file, global)),
            Command::Verify { path } => verify::verify(path, global),
        };

        done.unwrap_or_else(|exit| exit)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use ed25519_dalek::SigningKey;
    use gateward_core::audit::{Outcome, Ratchet};
    use gateward_core::decide::Reason;
    use gateward_core::trust::{GatewayId, Incarnation};

    use super::*;
    use crate::cli::Format;
    use crate::identity::Identity;
    use crate::journal::{Draft, Durability, Journal, Options, Stamp};

    fn verify_exit(folder: &Path) -> Exit {
        let global = Global { config: None, format: Format::Json };
        let command = Command::Verify { path: Some(folder.to_owned()) };

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
        opened.done.await.unwrap().unwrap();
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
