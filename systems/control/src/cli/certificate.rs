//! `gateward-control certificate`: for the broker itself, and for the control plane's own clients.

use std::path::PathBuf;

use super::{Failed, note, say};
use crate::access;
use crate::clock;
use crate::enroll::{ACCESS, CERTIFICATE, KEY};
use crate::exit::Exit;
use crate::pki::{self, Authority, Use};
use crate::policy::Policy;
use crate::{secret, whole};

#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("use").required(true).args(["server", "client"]))]
pub(super) struct Args {
    /// The policy folder
    dir: PathBuf,
    /// With --server the broker's host name or address; with --client `control` or `collector`
    name: String,
    /// A certificate for the broker
    #[arg(long)]
    server: bool,
    /// A certificate for whoever publishes (`control`) or collects (`collector`)
    #[arg(long)]
    client: bool,
    /// The folder to fill with certificate, key, authority and the lines of the access list
    #[arg(long)]
    out: PathBuf,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        let account = Policy::load(&self.dir)?.account().id;
        let (what, certificate, key, lines) = if self.server {
            (Use::Server(&self.name), "server.pem", "server.key", None)
        } else {
            let lines = match self.name.as_str() {
                access::CONTROL => access::control(account),
                access::COLLECTOR => access::collector(account),
                _ => return Err(not_ours(&self.name)),
            };
            (Use::Client(&self.name), CERTIFICATE, KEY, Some(lines))
        };
        let authority = Authority::load(&self.dir)?;
        let issued = authority.issue(what, clock::now())?;
        secret::make_folder(&self.out)?;
        if let Some(text) = &issued.key {
            secret::write(&self.out.join(key), text)?;
        }
        let write =
            |name: &str, text: &str| whole::write(&self.out.join(name), text.as_bytes(), 0o644);
        write(certificate, &issued.certificate)?;
        write(pki::CA, authority.certificate())?;
        if let Some(lines) = lines {
            write(ACCESS, &lines)?;
            note(format_args!(
                "add {} to the broker's access list",
                self.out.join(ACCESS).display()
            ));
        }
        say(self.out.join(certificate).display())?;

        Ok(Exit::Success)
    }
}

fn not_ours(name: &str) -> Failed {
    let text = format!(
        "`{}` is neither `{}` nor `{}`; gateways get their certificates from `enroll`",
        name.escape_debug(),
        access::CONTROL,
        access::COLLECTOR
    );

    Failed::new(Exit::Usage, text)
}
