//! Whether what a collector keeps is what gateways wrote: the chain, the checkpoints, the tags, and
//! the lines that people read.
//!
//! The batches prove, as they were received; each line of JSON is made again from them and compared,
//! so no field of a line can be changed unseen. Everything that is wrong is told.

mod counted;
mod lines;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use gateward_agent::journal::json::{Line, Origin};
use gateward_agent::proof::{Follower, Known, Mistake, Report, of_file};
use gateward_agent::upload::stick::{self, BadStick};
use gateward_core::name::Uuid;
use gateward_core::trust::{GatewayId, Incarnation};

use self::counted::Counted;
use self::lines::Compared;
use super::folder::{self, Unreadable};
use crate::collect::{batches_path, lines_path};
use crate::enroll::Enrolled;
use crate::policy::Unusable;
use crate::{publish, secret, whole};

/// Why nothing could be looked at.
#[derive(Debug, thiserror::Error)]
pub enum NotVerified {
    /// The policy folder cannot be read.
    #[error(transparent)]
    Policy(#[from] Unusable),
    /// What was enrolled cannot be read.
    #[error(transparent)]
    Secret(#[from] secret::Unusable),
    /// The store cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl From<whole::Failed> for NotVerified {
    fn from(failed: whole::Failed) -> Self {
        Self::Unreadable(failed.into())
    }
}

/// What the policy folder knows of gateways: the keys that prove.
#[derive(Clone, Debug)]
pub struct Keys {
    account: Uuid,
    gateways: Vec<Enrolled>,
}

impl Keys {
    /// Reads what `enroll` wrote down in the policy folder `dir`.
    ///
    /// # Errors
    ///
    /// A file cannot be used.
    pub fn load(dir: &Path) -> Result<Self, NotVerified> {
        Ok(Self { account: publish::account(dir)?, gateways: Enrolled::all(dir)? })
    }

    /// Returns what is known of an enrolment. Of one that was replaced nothing is kept.
    fn known(&self, gateway: GatewayId, incarnation: Incarnation) -> Option<Known> {
        let of =
            |one: &&Enrolled| (one.id(self.account), one.incarnation) == (gateway, incarnation);
        let one = self.gateways.iter().find(of)?;

        Some(Known { account: self.account, key: one.key, ratchet: Some(one.audit.clone()) })
    }
}

/// Looks at everything that is kept of every gateway, or of `only` one.
///
/// # Errors
///
/// A file cannot be read; what is wrong with what it says is in the reports.
pub fn verify(
    folder: &Path,
    only: Option<&str>,
    keys: Option<&Keys>,
) -> Result<Vec<(String, Report)>, NotVerified> {
    let gateways = folder::gateways(folder, only)?;

    gateways
        .into_iter()
        .map(|gateway| Ok((gateway.clone(), one(folder, &gateway, keys)?)))
        .collect()
}

/// Looks at a file that a gateway exported.
///
/// # Errors
///
/// It cannot be opened.
pub fn verify_file(path: &Path, keys: Option<&Keys>) -> Result<Report, NotVerified> {
    let file = File::open(path).map_err(whole::Failed::new("read", path))?;
    let known = |gateway, incarnation| keys.and_then(|keys| keys.known(gateway, incarnation));

    Ok(of_file(BufReader::new(file), known))
}

/// A collector that goes on meanwhile adds to its files before it counts what it added.
fn one(folder: &Path, gateway: &str, keys: Option<&Keys>) -> Result<Report, NotVerified> {
    let counted = Counted::read(folder, gateway);
    let (lines_at, batches_at) = (lines_path(folder, gateway), batches_path(folder, gateway));
    let failed = |source| whole::Failed::new("read", &lines_at)(source);
    let most = |counted: Option<u64>| counted.unwrap_or(u64::MAX);
    let lines: Box<dyn Read> = match folder::open(&lines_at)? {
        Some(file) => Box::new(file.take(most(counted.as_ref().map(|counted| counted.bytes)))),
        None => Box::new(std::io::empty()),
    };
    let mut compared = Compared::new(lines);
    let mut follower = Follower::new(true);
    match folder::open(&batches_at)? {
        Some(file) => {
            let batches = most(counted.as_ref().and_then(|counted| counted.batches));
            follow(file.take(batches), keys, &mut follower, &mut compared).map_err(failed)?;
        }
        None => {
            let lines = compared.count().map_err(failed)?;
            follower.note(Mistake::Unproved { lines });
        }
    }
    for mistake in compared.finish().map_err(failed)? {
        follower.note(mistake);
    }
    if let Some(counted) = counted {
        counted.hold(folder, gateway, &mut follower);
    }

    Ok(Report::of(follower))
}

/// Follows the batches and holds the lines against them.
fn follow(
    file: impl Read,
    keys: Option<&Keys>,
    follower: &mut Follower,
    compared: &mut Compared<Box<dyn Read>>,
) -> std::io::Result<()> {
    let (mut batch, mut unread) = (0, None);
    let mut unknown = Vec::new();
    // The account is no part of a record; every line says the same one, and the gateway's id is made
    // from it.
    let account = match keys {
        Some(keys) => Some(keys.account),
        None => compared.account()?,
    };
    let read = stick::read::<BadStick>(BufReader::new(file), |message| {
        batch += 1;
        let known = |gateway, incarnation| {
            let known = keys.and_then(|keys| keys.known(gateway, incarnation));
            if keys.is_some() && known.is_none() {
                unknown.push(incarnation);
            }
            known
        };
        follower.take(message, known, |at, entry, snapshot| {
            let origin = Origin {
                account: account.unwrap_or(Uuid([0; 16])),
                gateway: at.gateway,
                incarnation: at.incarnation,
            };
            let line = Line::of(&entry.record, &origin, snapshot, &entry.head);
            if let Err(error) = compared.hold(&line, at.incarnation) {
                unread.get_or_insert(error);
            }
        });
        for incarnation in unknown.drain(..) {
            follower.note(Mistake::Unknown(incarnation));
        }
        Ok(())
    });
    if let Err(bad) = read {
        follower.note(Mistake::File { batch, why: bad.to_string() });
    }

    unread.map_or(Ok(()), Err)
}
