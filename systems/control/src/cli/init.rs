//! `gateward-control init`

use std::path::PathBuf;

use super::{Failed, note, say};
use crate::clock;
use crate::exit::Exit;
use crate::keys::{self, NewAccount, NotMade};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The policy folder to make
    dir: PathBuf,
    /// The name of the account
    #[arg(long)]
    account: String,
    /// A folder for each root key, best on three media [default: private/root-1 to root-3]
    #[arg(long, num_args = 3, value_names = ["F1", "F2", "F3"])]
    root_out: Option<Vec<PathBuf>>,
    /// Sign everything with Ed25519 and ML-DSA-65, and let gateways demand both
    #[arg(long)]
    hybrid: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        let roots = match self.root_out.map(<[PathBuf; 3]>::try_from) {
            None => None,
            Some(Ok(roots)) => Some(roots),
            Some(Err(_)) => {
                return Err(Failed::new(Exit::Usage, "--root-out: name three folders"));
            }
        };
        let new = NewAccount { dir: self.dir, name: self.account, roots, now_ms: clock::now_ms() };
        let made = if self.hybrid { keys::init_hybrid(&new) } else { keys::init(&new) }?;
        say(made.account)?;
        if made.roots_together {
            note(
                "all three root keys are in one folder: a threshold of two is only as good as the \
                 places; move them to three media that no one person has",
            );
        }
        note(format_args!(
            "edit {}, then enroll the gateways that it lists",
            new.dir.join("policy.toml").display()
        ));

        Ok(Exit::Success)
    }
}

impl From<NotMade> for Failed {
    fn from(failed: NotMade) -> Self {
        let exit = match failed {
            NotMade::Failed(failed) => return failed.into(),
            NotMade::NoAuthority(failed) => return failed.into(),
            NotMade::NoRandomness(_) => Exit::NotNow,
            NotMade::Unsigned(_) => Exit::Data,
            NotMade::BadName { .. } | NotMade::SamePlace(_) => Exit::Usage,
            NotMade::KeyExists(_) | NotMade::NotEmpty(_) => Exit::No,
        };

        Self::new(exit, failed)
    }
}
