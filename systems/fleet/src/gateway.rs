//! One gateway: the agent's own link, sync task and store, and a [`Witness`] where requests would be.
//!
//! Put together as `gateward_agent::run` does it, without sockets, journal and upload.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use gateward_agent::clock::Clock;
use gateward_agent::config::Config;
use gateward_agent::identity::Identity;
use gateward_agent::journal;
use gateward_agent::link::{self, LinkFailed};
use gateward_agent::link_config;
use gateward_agent::now::Timekeeper;
use gateward_agent::store::{Place, Store};
use gateward_agent::sync::{Parts, Standing, Sync, SyncFailed};
use gateward_control::secret;
use gateward_core::audit::Head;
use gateward_core::trust::Floor;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::witness::Witness;

/// How many notices wait for the witness.
const NOTICES: usize = 64;

/// Nobody decides anything that would be written down.
const NO_RECORDS: journal::Status = journal::Status {
    written: 0,
    seq: 0,
    head: Head::START,
    bytes: 0,
    released: 0,
    full: false,
    failing: false,
    no_space: false,
};

/// A gateway that runs.
#[derive(Debug)]
pub(crate) struct Gateway {
    stop: oneshot::Sender<()>,
    link: JoinHandle<Result<(), LinkFailed>>,
    sync: JoinHandle<Result<(), SyncFailed>>,
    // Stays open: a gateway whose journal is gone is another thing than one that has no records.
    _journal: watch::Sender<journal::Status>,
}

impl Gateway {
    /// Starts the gateway that was enrolled into `etc`, with its state in `home`.
    pub(crate) fn start(etc: &Path, home: &Path, witness: Witness, clock: Clock) -> Result<Self> {
        let config = configuration(etc, home)?;
        let identity = Identity::load(&config.gateway_key)?;
        let place = Place {
            account: config.account,
            group: config.group.as_str().to_owned(),
            dir: config.state_dir.clone(),
            anchor: fs::read(&config.key_set)?,
        };
        let first = Timekeeper::new(clock.clone(), &Floor::default()).reader().now();
        let (store, _) = Store::open_without_cache(place, &first)?;
        let keeper = Timekeeper::new(clock.clone(), store.floor());
        let (current, time) = (store.current(), keeper.reader());
        let (records, written) = watch::channel(NO_RECORDS);
        let standing =
            Arc::new(Standing::new(config.account, identity, &store, written, time.clone()));
        // Nobody renews certificates here.
        let reload = Arc::new(Notify::new());
        let link = link_config(&config, &standing, &time, &reload);
        let (link, events, handle) = link::connect(link);
        let (notices, noticed) = mpsc::channel(NOTICES);
        let (_, imports) = mpsc::channel(1);
        let sync = Sync::new(Parts {
            ask: handle,
            account: config.account,
            clock,
            events,
            forward: None,
            group: config.group.as_str().to_owned(),
            imports,
            notices,
            standing,
            store,
            time: keeper,
        });
        let witness = witness.watch(current, noticed, time);
        // In one task, so that the witness asks before another gateway has its turn.
        let sync = async { tokio::join!(sync.run_in_place(), witness).0 };
        let (stop, stopped) = oneshot::channel();
        let stopped = async {
            // Told or dropped: both are the end.
            let _ = stopped.await;
        };

        Ok(Self {
            stop,
            link: tokio::spawn(link.run(stopped)),
            sync: tokio::spawn(sync),
            _journal: records,
        })
    }

    /// Stops it in good order.
    pub(crate) async fn stop(self) -> Result<()> {
        let Self { stop, link, sync, .. } = self;
        drop(stop);
        link.await??;

        Ok(sync.await??)
    }
}

fn configuration(etc: &Path, home: &Path) -> Result<Config> {
    let (state, run) = (home.join("state"), home.join("run"));
    secret::make_folder(&state)?;
    let env = [("STATE_DIRECTORY", state), ("RUNTIME_DIRECTORY", run)];
    let env = env.map(|(name, path)| (name.to_owned(), path.display().to_string()));

    Ok(Config::load(&etc.join("agent.toml"), env.into_iter())?)
}
