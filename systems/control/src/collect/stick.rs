//! Audit that was carried by hand: the batches of `gateward audit export`, taken as if the broker had
//! brought them, and one receipt to carry back.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use gateward_agent::upload::batch::Batch;
use gateward_agent::upload::stick::{self, BadStick};

use super::held::Trouble;
use super::{CollectFailed, Work};
use crate::whole;

/// What was carried, and where to.
#[derive(Clone, Debug)]
pub struct StickOptions {
    /// The policy folder, with what `enroll` wrote down of each gateway.
    pub dir: PathBuf,
    /// The folder to write records to; one collector at a time.
    pub out: PathBuf,
    /// What `gateward audit export` wrote.
    pub stick: PathBuf,
    /// Where to write the receipt for `gateward audit receipt`.
    pub receipt: PathBuf,
}

/// What became of a file of records.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Carried {
    /// The gateway whose records they are; none where there were no records.
    pub gateway: Option<String>,
    /// How many records are new here.
    pub records: u64,
    /// The last record that is receipted.
    pub through: u64,
    /// Why not all of it was taken.
    pub trouble: Option<String>,
}

impl Carried {
    /// Takes the records of a file, and writes the receipt where there is something to receipt.
    ///
    /// # Errors
    ///
    /// A file cannot be used, or somebody else collects into the folder. What was taken before stays.
    pub fn take(options: &StickOptions) -> Result<Self, CollectFailed> {
        let mut work = Work::open(&options.dir, &options.out)?;
        let mut carried = Self { gateway: None, records: 0, through: 0, trouble: None };
        let mut receipt = None;
        let opened = File::open(&options.stick)
            .map_err(|error| CollectFailed::stick(options, BadStick::Io(error)))?;
        stick::read(BufReader::new(opened), |batch| {
            receipt = work.take(batch, &mut carried)?.or(receipt.take());
            Ok::<_, Stopped>(())
        })
        .map_err(|stopped| match stopped {
            Stopped::Bad(bad) => CollectFailed::stick(options, bad),
            Stopped::Failed(failed) => failed,
        })?;
        if let Some(receipt) = receipt {
            whole::write(&options.receipt, &receipt, 0o644)?;
        }

        Ok(carried)
    }
}

impl Work {
    /// Takes one batch; returns the receipt for all that is held, where there is one.
    fn take(&mut self, bytes: &[u8], carried: &mut Carried) -> Result<Option<Vec<u8>>, Stopped> {
        let Ok(batch) = Batch::decode(bytes) else { return Err(BadStick::Cut.into()) };
        let id = |one: &&crate::enroll::Enrolled| one.id(self.account) == batch.gateway;
        let Some(name) = self.gateways.values().find(id).map(|one| one.gateway.clone()) else {
            carried.trouble.get_or_insert_with(|| Trouble::Unknown.to_string());
            return Ok(None);
        };
        if carried.gateway.get_or_insert_with(|| name.clone()) != &name {
            // One file is one gateway's: there is one receipt.
            return Err(BadStick::Cut.into());
        }
        let before = self.through(&name);
        let kept = self.keep(&name, &batch, bytes).map_err(Stopped::Failed)?;
        if let Some(trouble) = kept.trouble {
            carried.trouble.get_or_insert_with(|| trouble.to_string());
        }
        let Some(held) = kept.held else { return Ok(None) };
        carried.records += held.through.saturating_sub(before);
        carried.through = held.through;

        Ok(self.receipt(&name, &held))
    }

    /// The last record that is held of a gateway in its newest enrolment.
    fn through(&mut self, name: &str) -> u64 {
        let enrolled = self.gateways.get(name).cloned();
        let held = enrolled.and_then(|enrolled| self.store.held(&enrolled).ok());

        held.map_or(0, |held| held.through)
    }
}

impl CollectFailed {
    fn stick(options: &StickOptions, source: BadStick) -> Self {
        Self::Stick { path: options.stick.clone(), source }
    }
}

/// Why reading a file came to an end.
enum Stopped {
    Bad(BadStick),
    Failed(CollectFailed),
}

impl From<BadStick> for Stopped {
    fn from(bad: BadStick) -> Self {
        Self::Bad(bad)
    }
}
