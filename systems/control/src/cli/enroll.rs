//! `gateward-control enroll`

use std::fs;
use std::path::PathBuf;

use super::{Failed, note, say};
use crate::clock;
use crate::enroll::{self, Enrolment, KEY, NotEnrolled};
use crate::exit::Exit;
use crate::keys::NoChain;
use crate::pki::NotIssued;
use crate::secret::{Problem, Unusable};
use crate::whole;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The policy folder
    dir: PathBuf,
    /// The gateway's name, which the policy lists
    gateway: String,
    /// Its group
    #[arg(long)]
    group: String,
    /// The folder to fill with everything that the gateway needs
    #[arg(long)]
    out: PathBuf,
    /// Where the broker is, such as mqtts://broker.example:8883 [default: to be written into
    /// agent.toml]
    #[arg(long)]
    broker: Option<String>,
    /// A signing request in PEM, where the gateway keeps its own private key
    #[arg(long)]
    csr: Option<PathBuf>,
    /// Only issue a new certificate to a gateway that is enrolled
    #[arg(long)]
    renew: bool,
}

impl Args {
    pub(super) fn run(self) -> Result<Exit, Failed> {
        let request = match &self.csr {
            Some(path) => Some(fs::read_to_string(path).map_err(whole::Failed::new("read", path))?),
            None => None,
        };
        let enrolment = Enrolment {
            dir: &self.dir,
            gateway: &self.gateway,
            group: &self.group,
            out: &self.out,
            broker: self.broker.as_deref(),
            request: request.as_deref(),
            now: clock::now(),
        };
        let done = if self.renew { enroll::renew(&enrolment) } else { enroll::enroll(&enrolment) }?;
        say(done.incarnation)?;
        let out = self.out.display();
        if request.is_some() {
            note(format_args!("put the private key of the request into {out} as {KEY}, mode 0600"));
        }
        if !self.renew {
            if self.broker.is_none() {
                note(format_args!("write the broker's address into {out}/agent.toml"));
            }
            note(format_args!(
                "copy {out} to /etc/gateward on `{}`, delete it here, and add {out}/acl to the \
                 broker's access list",
                self.gateway
            ));
        }

        Ok(Exit::Success)
    }
}

impl From<NotEnrolled> for Failed {
    fn from(failed: NotEnrolled) -> Self {
        let exit = match failed {
            NotEnrolled::Chain(failed) => return failed.into(),
            NotEnrolled::Failed(failed) => return failed.into(),
            NotEnrolled::NotIssued(failed) => return failed.into(),
            NotEnrolled::Record(failed) => return failed.into(),
            NotEnrolled::Unusable(failed) => return failed.into(),
            NotEnrolled::NoRandomness(_) => Exit::NotNow,
            NotEnrolled::BadBroker(_) | NotEnrolled::NoSuchGroup(_) => Exit::Usage,
            NotEnrolled::Already { .. }
            | NotEnrolled::NotListed(_)
            | NotEnrolled::NotYet(_)
            | NotEnrolled::OutNotEmpty(_)
            | NotEnrolled::Reserved(_) => Exit::No,
        };

        Self::new(exit, failed)
    }
}

impl From<NoChain> for Failed {
    fn from(failed: NoChain) -> Self {
        match failed {
            NoChain::Unreadable(failed) => failed.into(),
            NoChain::Refused { .. } => Self::new(Exit::Data, failed),
        }
    }
}

impl From<NotIssued> for Failed {
    fn from(failed: NotIssued) -> Self {
        let exit = match failed {
            NotIssued::Failed(failed) => return failed.into(),
            NotIssued::Secret(failed) => return failed.into(),
            NotIssued::BadHost(_) => Exit::Usage,
            NotIssued::Authority { .. } | NotIssued::BadRequest(_) | NotIssued::Crypto(_) => {
                Exit::Data
            }
        };

        Self::new(exit, failed)
    }
}

impl From<Unusable> for Failed {
    fn from(failed: Unusable) -> Self {
        let exit = match failed.list() {
            [(_, Problem::Unreadable(error)), ..] => Exit::of_io(error),
            [(_, Problem::Exposed { .. }), ..] => Exit::Permission,
            [(_, Problem::Limited | Problem::Unlike { .. } | Problem::Untrusted), ..] | [] => {
                Exit::Data
            }
        };

        Self::new(exit, failed)
    }
}
