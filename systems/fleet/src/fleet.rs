//! All parties: an account, a broker, a cable, gateways, and what is seen at them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use gateward_agent::clock::Clock;
use gateward_control::secret;
use gateward_core::time::Millis;
use gateward_core::trust::Version;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::account::{Account, group_name, name};
use crate::args::Args;
use crate::broker::{Broker, Mark};
use crate::cable::Cable;
use crate::gateway::Gateway;
use crate::ledger::Ledger;
use crate::usage::{self, Usage};
use crate::wait::soon;
use crate::witness::Witness;

/// The memory of this machine as a folder.
const IN_MEMORY: &str = "/dev/shm";

/// Everybody, in a folder that is thrown away.
#[derive(Debug)]
pub(crate) struct Fleet {
    // In the order in which they end.
    gateways: Vec<Gateway>,
    pub(crate) cable: Cable,
    pub(crate) broker: Broker,
    pub(crate) account: Account,
    pub(crate) ledger: Arc<Ledger>,
    /// The public parts of the tokens that are watched.
    pub(crate) lookups: Vec<String>,
    /// The newest version of each group.
    pub(crate) newest: Vec<Version>,
    clock: Clock,
    number: usize,
    home: TempDir,
}

/// What everybody had used at some moment.
#[derive(Debug)]
pub(crate) struct Before {
    broker: Mark,
    own: Usage,
    pub(crate) at: Millis,
}

impl Fleet {
    /// Makes everything but the gateways, and publishes; no gateway runs.
    pub(crate) async fn set_up(args: &Args) -> Result<Self> {
        let (number, behind) = (args.gateways, args.behind());
        let home = folder(args.folder.as_deref())?;
        let account = Account::begin(home.path(), number, args.groups)?;
        let dir = home.path().join("broker");
        account.equip_broker(&dir)?;
        let broker = Broker::start(&args.broker, &dir).await?;
        let cable = Cable::lay(broker.port()).await?;
        secret::make_folder(&home.path().join("gateways"))?;
        let mut access = String::new();
        for gateway in 0..number {
            let port = if gateway < behind { cable.port() } else { broker.port() };
            secret::make_folder(&home_of(&home, gateway))?;
            access += &account.enroll(gateway, port, &home_of(&home, gateway).join("etc"))?;
        }
        broker.grant(&access)?;
        let mut tokens = account.add_tokens(args.tokens.max(args.watched()))?;
        tokens.truncate(args.watched());
        let (tokens, lookups) = tokens.into_iter().unzip();
        let clock = Clock::real();
        let groups = (0..number).map(|gateway| account.group_of(gateway));
        let ledger = Arc::new(Ledger::new(clock.clone(), groups, tokens));
        let newest = vec![Version::default(); args.groups];
        let gateways = Vec::new();
        let mut fleet =
            Self { gateways, cable, broker, account, ledger, lookups, newest, clock, number, home };
        fleet.publish().await?;

        Ok(fleet)
    }

    /// Starts the gateways; no more than `at_once` have nothing in force yet at any time.
    pub(crate) async fn start(&mut self, at_once: usize) -> Result<()> {
        let places = Arc::new(Semaphore::new(at_once.max(1)));
        for gateway in 0..self.number {
            let place = soon("room for another gateway", Arc::clone(&places).acquire_owned());
            let witness = Witness::new(Arc::clone(&self.ledger), gateway, place.await??);
            let (home, started) = (home_of(&self.home, gateway), self.clock.now());
            self.ledger.with(gateway, |seen| seen.started = started);
            let clock = self.clock.clone();
            self.gateways.push(Gateway::start(&home.join("etc"), &home, witness, clock)?);
        }

        Ok(())
    }

    /// Publishes what changed, and takes note of what every gateway is to have then.
    pub(crate) async fn publish(&mut self) -> Result<()> {
        let done = self.account.publish(self.broker.port()).await?;
        for (group, newest) in self.newest.iter_mut().enumerate() {
            let mut of_group = done.iter().filter(|done| done.group == group_name(group));
            let published = of_group.next().with_context(|| anyhow!("{group} is not published"))?;
            *newest = published.version;
        }

        Ok(())
    }

    /// Returns what everybody has used by now.
    pub(crate) fn before(&self) -> Before {
        Before { broker: self.broker.mark(), own: usage::of_process("self"), at: self.ledger.now() }
    }

    /// Returns what the broker and this process have used since.
    pub(crate) fn since(&self, before: &Before) -> (Usage, Usage) {
        (self.broker.since(&before.broker), self.own_since(before))
    }

    /// Returns what this process has used since.
    pub(crate) fn own_since(&self, before: &Before) -> Usage {
        usage::of_process("self").since(&before.own)
    }

    /// Ends everybody in good order, and throws everything away.
    pub(crate) async fn end(self) -> Result<()> {
        let Self { gateways, mut broker, home, .. } = self;
        let mut ending: JoinSet<_> = gateways.into_iter().map(Gateway::stop).collect();
        while let Some(ended) = ending.join_next().await {
            ended??;
        }
        broker.stop().await?;

        Ok(home.close()?)
    }
}

fn folder(wanted: Option<&Path>) -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("gateward-fleet-");
    let made = match wanted {
        Some(folder) => builder.tempdir_in(folder),
        // What every gateway waits for on a disk of its own they would all wait for on one.
        None => builder.tempdir_in(IN_MEMORY).or_else(|_| builder.tempdir()),
    };

    made.context("no folder can be made; name another one with --folder")
}

fn home_of(home: &TempDir, gateway: usize) -> PathBuf {
    home.path().join("gateways").join(name(gateway))
}
