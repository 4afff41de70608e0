//! Audit that was carried by hand: the batches of `gateward audit export`, taken as if the broker had
//! brought them, and one receipt to carry back.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use gateward_agent::upload::batch::Batch;
use gateward_agent::upload::stick::{self, BadStick};

use super::folder::Folder;
use super::held::{Held, Trouble};
use super::shared::Shared;
use super::store::Store;
use super::work::{AT_THE_END, Work};
use super::{CollectFailed, Destination, SILENT_AFTER};
use crate::whole;

/// What was carried, and where to.
#[derive(Clone, Debug)]
pub struct StickOptions {
    /// The policy folder, with what `enroll` wrote down of each gateway.
    pub dir: PathBuf,
    /// Where records go.
    pub to: Destination,
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
    pub async fn take(options: &StickOptions) -> Result<Self, CollectFailed> {
        let dir = &options.dir;
        match &options.to {
            Destination::Folder(out) => {
                let mut work = Work::open(dir, Folder::open(out)?, SILENT_AFTER)?;
                work.check()?;
                Self::take_into(work, options).await
            }
            Destination::Postgres(database) => {
                let work = Work::open(dir, Shared::new(database, dir)?, SILENT_AFTER)?;
                Self::take_into(work, options).await
            }
        }
    }

    async fn take_into<S: Store>(
        mut work: Work<S>,
        options: &StickOptions,
    ) -> Result<Self, CollectFailed> {
        work.begin().await?;
        let runtime = tokio::runtime::Handle::current();
        let mut carried = Self { gateway: None, records: 0, through: 0, trouble: None };
        let mut receipt = None;
        let open = || {
            let opened = File::open(&options.stick);
            opened.map_err(|error| CollectFailed::stick(options, BadStick::Io(error)))
        };
        let (first, second) = (open()?, open()?);
        // Nothing else runs here: it may block.
        let taken = tokio::task::block_in_place(|| {
            // In order of numbers, what a gateway has lost is said behind what comes after it.
            let mut ahead = None;
            stick::read(BufReader::new(first), |batch| {
                runtime.block_on(work.learn(batch, &mut ahead)).map_err(Stopped::Failed)
            })?;
            stick::read(BufReader::new(second), |batch| {
                let taken = runtime.block_on(work.take_carried(batch, &mut carried))?;
                receipt = taken.or(receipt.take());
                Ok::<_, Stopped>(())
            })
        });
        taken.map_err(|stopped| match stopped {
            Stopped::Bad(bad) => CollectFailed::stick(options, bad),
            Stopped::Failed(failed) => failed,
        })?;
        work.store.keep_marks(AT_THE_END);
        if let Some(receipt) = receipt {
            whole::write(&options.receipt, &receipt, 0o644)?;
        }

        Ok(carried)
    }
}

impl<S: Store> Work<S> {
    /// Keeps in mind what a batch owns up to, and in `ahead` how far the file leads; what is wrong with it
    /// is told when it is taken.
    async fn learn(&mut self, bytes: &[u8], ahead: &mut Option<Held>) -> Result<(), CollectFailed> {
        let Ok(batch) = Batch::decode(bytes) else { return Ok(()) };
        let id = |one: &&crate::enroll::Enrolled| one.id(self.account) == batch.gateway;
        let Some(enrolled) = self.gateways.values().find(id).cloned() else { return Ok(()) };
        let held = match ahead.take() {
            Some(held) => held,
            None => self.store.held(&enrolled).await?,
        };
        let taken = held.take::<S::Rows>(&batch, &enrolled, self.account, None);
        if let Some(hole) = taken.told.or(taken.lost) {
            self.store.own_up(&enrolled, hole, bytes).await?;
        }
        *ahead = Some(taken.held);

        Ok(())
    }

    /// Takes one batch; returns the receipt for all that is held, where there is one.
    async fn take_carried(
        &mut self,
        bytes: &[u8],
        carried: &mut Carried,
    ) -> Result<Option<Vec<u8>>, Stopped> {
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
        let before = self.through(&name).await.map_err(Stopped::Failed)?;
        let kept = self.keep(&name, &batch, bytes).await.map_err(Stopped::Failed)?;
        if let Some(trouble) = kept.trouble {
            self.note(&name, &trouble).await.map_err(Stopped::Failed)?;
            carried.trouble.get_or_insert_with(|| trouble.to_string());
        }
        let Some(held) = kept.held else { return Ok(None) };
        carried.records += held.through.saturating_sub(before);
        carried.through = held.through;

        Ok(self.receipt(&name, &held))
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
