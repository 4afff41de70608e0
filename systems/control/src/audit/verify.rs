//! Whether what a collector keeps is what gateways wrote: the chain, the checkpoints, the tags, and
//! the lines that people read.
//!
//! The batches prove, as they were received; each line of JSON is made again from them and compared,
//! so no field of a line can be changed unseen. Everything that is wrong is told.

mod beside;
mod counted;
mod database;
mod follow;
mod lines;
mod rows;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use gateward_agent::proof::{Follower, Known, Mistake, Report, of_file};
use gateward_agent::upload::stick::{self, BadStick};
use gateward_core::name::Uuid;
use gateward_core::trust::{GatewayId, Incarnation};

use self::beside::Beside;
use self::counted::Counted;
use self::follow::follow;
use super::folder::{self, Lines, Unreadable};
use super::steps::{Batches, Step};
use super::witnesses::Said;
use crate::collect::shared::{Marks, marks};
use crate::collect::{DatabaseFailed, ReadFailed, batches_path, lines_path};
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

impl From<DatabaseFailed> for NotVerified {
    fn from(failed: DatabaseFailed) -> Self {
        Self::Unreadable(failed.into())
    }
}

impl From<ReadFailed> for NotVerified {
    fn from(failed: ReadFailed) -> Self {
        Self::Unreadable(failed.into())
    }
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
    dir: PathBuf,
}

impl Keys {
    /// Reads what `enroll` wrote down in the policy folder `dir`.
    ///
    /// # Errors
    ///
    /// A file cannot be used.
    pub fn load(dir: &Path) -> Result<Self, NotVerified> {
        let (account, gateways) = (publish::account(dir)?, Enrolled::all(dir)?);

        Ok(Self { account, gateways, dir: dir.to_owned() })
    }

    pub(super) const fn account(&self) -> Uuid {
        self.account
    }

    /// Returns the names of the gateways that are enrolled.
    pub(super) fn names(&self) -> Vec<&str> {
        self.gateways.iter().map(|one| one.gateway.as_str()).collect()
    }

    /// Returns what is said of each gateway: by `words` that it signed, and by a `mark`.
    fn said(
        &self,
        words: impl Fn(&str) -> Vec<Vec<u8>>,
        mark: impl Fn(&Enrolled) -> Option<u64>,
    ) -> Vec<(&str, Said)> {
        let said = |one| Said::of(one, self.account, &words(&one.gateway), mark(one));

        self.gateways.iter().map(|one| (one.gateway.as_str(), said(one))).collect()
    }

    /// Returns how far collectors that share a database have marked that they came. Read before what they wrote to:
    /// they may go on meanwhile.
    ///
    /// # Errors
    ///
    /// A mark cannot be read.
    fn marks(&self) -> Result<Marks, secret::Unusable> {
        marks(&self.dir, &self.gateways)
    }

    /// Returns what is known of an enrolment. Of one that was replaced nothing is kept.
    fn known(&self, gateway: GatewayId, incarnation: Incarnation) -> Option<Known> {
        let of =
            |one: &&Enrolled| (one.id(self.account), one.incarnation) == (gateway, incarnation);
        let one = self.gateways.iter().find(of)?;

        Some(Known { account: self.account, key: one.key, ratchet: Some(one.audit.clone()) })
    }
}

/// What is to be looked at, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// One gateway alone.
    pub only: Option<&'a str>,
    /// With what proves checkpoints and tags.
    pub keys: Option<&'a Keys>,
    /// What is before the first batch was forgotten on purpose, and is no mistake.
    pub begins_later: bool,
}

/// Looks at everything that is kept of every gateway in a collector's folder.
///
/// # Errors
///
/// A file cannot be read; what is wrong with what it says is in the reports.
pub fn verify(folder: &Path, asked: &Asked<'_>) -> Result<Vec<(String, Report)>, NotVerified> {
    // Before the files of records: a collector that goes on writes these last.
    let words = |name: &str| folder::words(folder, name);
    let said = asked.keys.map(|keys| keys.said(words, |_| None)).unwrap_or_default();
    let said: BTreeMap<_, _> = said.into_iter().collect();
    let mut names = folder::gateways(folder)?;
    // By name, one of which nothing is held is asked for in vain, unless somebody says that it was.
    let is_expected = |(_, said): &(&&str, &Said)| asked.only.is_none() || said.is_something();
    names.extend(said.iter().filter(is_expected).map(|(name, _)| (*name).to_owned()));
    let names = folder::of(folder, names, asked.only)?;

    names
        .into_iter()
        .map(|name| Ok((name.clone(), one(folder, &name, said.get(name.as_str()), asked)?)))
        .collect()
}

pub use self::database::verify_database;

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
fn one(
    folder: &Path,
    gateway: &str,
    said: Option<&Said>,
    asked: &Asked<'_>,
) -> Result<Report, NotVerified> {
    let counted = Counted::read(folder, gateway);
    let (lines_at, batches_at) = (lines_path(folder, gateway), batches_path(folder, gateway));
    let failed = |source| whole::Failed::new("read", &lines_at)(source);
    let most = |counted: Option<u64>| counted.unwrap_or(u64::MAX);
    let lines: Box<dyn Read + Send> = match folder::open(&lines_at)? {
        Some(file) => Box::new(file.take(most(counted.as_ref().map(|counted| counted.bytes)))),
        None => Box::new(std::io::empty()),
    };
    let mut lines = Beside::new(Lines::new(lines), asked.begins_later);
    let (mut follower, unproved) = match folder::open(&batches_at)? {
        Some(file) => {
            let batches = most(counted.as_ref().and_then(|counted| counted.batches));
            // The account is no part of a record; every line says the same one, and the gateway's id is
            // made from it.
            let account = match asked.keys {
                Some(keys) => Some(keys.account),
                None => lines::account(&mut lines).map_err(failed)?,
            };
            let account = account.unwrap_or(Uuid([0; 16]));
            follow(OfFile(file.take(batches)), lines, account, asked).map_err(failed)?
        }
        None if !lines_at.exists() => (Follower::new(true), 0),
        None => {
            let mut follower = Follower::new(true);
            follower.note(Mistake::Unproved { lines: lines.count().map_err(failed)? });
            (follower, 0)
        }
    };
    let open = counted.is_none() && (lines_at.exists() || batches_at.exists());
    if let Some(counted) = &counted {
        counted.hold(folder, gateway, &mut follower);
    }
    if let Some(said) = said {
        let counted = counted.filter(|counted| counted.incarnation == said.incarnation);
        said.hold(&mut follower, counted.map_or(0, |counted| counted.through));
    }

    Ok(Report { open, unproved, ..Report::of(follower) })
}

/// Batches one after the other in a file.
struct OfFile<R>(R);

impl<R: Read> Batches for OfFile<R> {
    fn each(self, show: &mut dyn FnMut(Step<'_>)) -> std::io::Result<()> {
        let mut batch = 0;
        let read = stick::read::<BadStick>(BufReader::new(self.0), |message| {
            batch += 1;
            show(Step::Batch(message));
            Ok(())
        });
        if let Err(bad) = read {
            show(Step::Wrong(Mistake::File { batch, why: bad.to_string() }));
        }

        Ok(())
    }
}
