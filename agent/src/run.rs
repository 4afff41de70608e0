//! Starts the agent: opens what must be open, then lists the tasks in the order the bytes travel.
//!
//! What can be wrong from the start is found before the first task runs, and named.

mod close;

use core::future::Future;
use std::sync::Arc;
use std::{fs, io};

use gateward_core::audit::Event as Happened;
use gateward_core::division::DivisionRules;
use gateward_core::name::Hex;
use gateward_core::time::TimeQuality;
use gateward_core::trust::{Floor, GatewayId, KeySet};
use thiserror::Error;
use tokio::signal::unix::Signal;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::config::{Config, Durability, ItemWithoutDivision, Mode, WhenFull};
use crate::gate::{Gate, Imports, Judge, NoSocket, Policy, Receipts, Subject};
use crate::identity::{BadIdentity, Identity};
use crate::journal::{self, Draft, Journal, Options};
use crate::link::{self, LinkConfig, TlsFiles, TrustedNow};
use crate::now::{Timekeeper, TrustedClock};
use crate::post::{Outbox, Post, Sealer};
use crate::store::{Current, FloorState, OpenFailed, Opened, Place, Store};
use crate::supervisor::{Stopped, Supervisor};
use crate::sync::{Parts, Standing, Sync};
use crate::upload::Upload;
use crate::{notices, notify, reload};
use close::{JOURNAL, alive, close, spend};

/// How many messages wait between two tasks.
const QUEUE: usize = 64;

/// Why the agent did not run, or did not run on.
#[derive(Debug, Error)]
pub enum RunFailed {
    /// The secrets of this gateway cannot be used.
    #[error(transparent)]
    Identity(#[from] BadIdentity),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] journal::NotOpened),
    /// The key set installed at enrolment cannot be read.
    #[error(
        "`{path}`: the key set cannot be read; `key_set` must name the file that `gateward-control enroll` wrote"
    )]
    KeySet {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A socket of the local API cannot be had.
    #[error(transparent)]
    NoSocket(#[from] NoSocket),
    /// The operator wants what the signed manifest does not permit.
    #[error(
        "`{0}` is not permitted by the signed manifest of this group; set it back, or have the account's administrator permit it"
    )]
    NotPermitted(&'static str),
    /// The secrets are another gateway's.
    #[error(
        "`gateway_key` is that of `{found}` and `gateway` is `{expected}`; install what `gateward-control enroll` wrote for `{expected}`"
    )]
    OtherIdentity {
        /// Whose secrets they are.
        found: String,
        /// Whose they should be.
        expected: String,
    },
    /// A task failed, or would not stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// The state folder cannot be used.
    #[error(transparent)]
    Store(#[from] OpenFailed),
}

/// Runs the agent until `stop` completes or a task fails.
///
/// # Errors
///
/// Returns what was wrong at the start, or which task failed first.
pub async fn run(
    config: Config,
    clock: Clock,
    stop: impl Future<Output = ()>,
) -> Result<(), RunFailed> {
    // From here on SIGHUP does not end the process any more.
    let hangups = reload::hangups();
    let ready = Ready::open(&config, clock).await?;
    let (journal, time) = (ready.journal.clone(), ready.keeper.reader());
    let (outcome, written) = ready.start(&config, hangups, stop).await;

    let last = Draft::event(Happened::Stop, time.stamp(), "");
    let ended = close(journal, last, written).await;
    info!("stopped");

    outcome?;
    Ok(ended?)
}

/// Everything that is open before the first task runs.
struct Ready {
    clock: Clock,
    identity: Identity,
    store: Store,
    opened: Opened,
    keeper: Timekeeper,
    journal: Journal,
    written: oneshot::Receiver<io::Result<()>>,
    gate: Gate,
}

impl Ready {
    async fn open(config: &Config, clock: Clock) -> Result<Self, RunFailed> {
        let identity = identity(config)?;
        let anchor = fs::read(&config.key_set).map_err(|source| RunFailed::KeySet {
            path: config.key_set.display().to_string(),
            source,
        })?;
        let place = Place {
            account: config.account,
            group: config.group.as_str().to_owned(),
            dir: config.state_dir.clone(),
            anchor,
        };
        // Until the floor is read nothing but the clock and the build is known.
        let first = Timekeeper::new(clock.clone(), &Floor::default()).reader().now();
        let (store, opened) = Store::open(place, &first)?;
        permitted(config, &store.current())?;
        let keeper = Timekeeper::new(clock.clone(), store.floor());
        let options = options(config, opened.boot, &keeper.reader());
        let gateway = GatewayId::of(config.account, config.gateway.as_str());
        let journal::Opened { journal, recovered, done } =
            Journal::open(&config.state_dir.join("audit"), gateway, &identity, options)?;
        let current = store.current();
        let permitted = move || {
            let in_force = current.borrow();
            in_force.as_ref().is_some_and(|in_force| in_force.verified.manifest().allow_drop())
        };
        if !journal.drop_while(permitted) {
            warn!("the audit refuses where it could drop its oldest records");
        }
        info!(last = recovered.last, "the journal goes on");
        if recovered.lost_key {
            error!(
                "the audit's key is lost, and collectors refuse its records; enrol this gateway again"
            );
        }
        if identity.first_key().is_some() {
            let (spent, path) = (identity.clone(), config.gateway_key.clone());
            if !journal.when_kept(move || spend(&spent, &path)) {
                warn!("the first key of the audit stays on this disk until the next start");
            }
        }
        let gate = Gate::bind(&config.api, &config.limits, config.metrics.listen).await?;

        Ok(Self { clock, identity, store, opened, keeper, journal, written: done, gate })
    }

    /// Starts the tasks and runs until they have ended; returns what tells that the journal is
    /// closed.
    async fn start(
        self,
        config: &Config,
        hangups: Option<Signal>,
        stop: impl Future<Output = ()>,
    ) -> (Result<(), Stopped>, oneshot::Receiver<io::Result<()>>) {
        let Self { clock, identity, store, opened, keeper, journal, written, gate } = self;
        let time = keeper.reader();
        note_start(&journal, &time, &opened, &store.current());
        let gateway = GatewayId::of(config.account, config.gateway.as_str());
        let (current, keys) = (store.current(), store.follow_keys());
        let standing = Arc::new(Standing::new(
            config.account,
            identity.clone(),
            &store,
            journal.watch(),
            time.clone(),
        ));
        let reload = Arc::new(Notify::new());
        let (link, events, handle) = link::connect(link_config(config, &standing, &time, &reload));
        let (forward, forwarded) = mpsc::channel(QUEUE);
        let (notices, noticed) = mpsc::channel(QUEUE);
        let (heard, hears) = mpsc::channel(QUEUE);
        let (connected, is_connected) = watch::channel(false);
        let (bring, brought) = mpsc::channel(1);
        let sync = Sync::new(Parts {
            ask: handle.clone(),
            account: config.account,
            clock,
            events,
            forward: Some(forward),
            group: config.group.as_str().to_owned(),
            imports: brought,
            notices,
            standing,
            store,
            time: keeper,
        });
        let judge = Judge::new(current, journal.clone(), time.clone(), policy(config));
        let subject = subject(config, opened.boot, is_connected);
        let imports = Imports::new(config.state_dir.clone(), bring);
        let carried = (imports, Receipts::new(heard.clone()));
        let incarnation = identity.incarnation;
        let sealer = Sealer::new(config.account, identity, opened.boot, keys, time.clone());
        let post = Post::new(config.account, config.gateway.as_str(), handle, heard, connected);
        let outbox: Outbox = post.outbox();
        let upload = Upload::new(journal.records(), gateway, incarnation, outbox, sealer);
        upload.has_resumed().await;

        // In the order the bytes travel.
        let mut tasks = Supervisor::new(config.shutdown_grace);
        tasks.spawn("reload", |stop| reload::listen(hangups, reload, stop));
        tasks.spawn("link", |mut stop| async move { link.run(stop.requested()).await });
        tasks.spawn("sync", |_| sync.run());
        tasks.spawn("gate", |stop| gate.run(judge, subject, carried, stop));
        tasks.spawn(JOURNAL, |stop| alive(journal.clone(), stop));
        tasks.spawn("notices", |_| notices::write(noticed, journal, time));
        tasks.spawn("post", |_| post.run(forwarded));
        tasks.spawn("upload", |_| upload.run(hears));
        tasks.spawn("watchdog", notify::feed_watchdog);
        notify::ready();

        let outcome = tasks
            .run(async {
                stop.await;
                notify::stopping();
            })
            .await;
        (outcome, written)
    }
}

fn identity(config: &Config) -> Result<Identity, RunFailed> {
    let identity = Identity::load(&config.gateway_key)?;
    let expected = config.gateway.as_str();
    if identity.gateway != expected {
        let expected = expected.to_owned();
        return Err(RunFailed::OtherIdentity { found: identity.gateway, expected });
    }

    Ok(identity)
}

/// Refuses to start with a setting that the snapshot in force does not permit; one that arrives
/// later is judged at each decision.
fn permitted(config: &Config, current: &Current) -> Result<(), RunFailed> {
    let current = current.borrow();
    let Some(in_force) = current.as_ref() else { return Ok(()) };
    let manifest = in_force.verified.manifest();
    if config.decision.mode == Mode::Observe && !manifest.allow_observe() {
        return Err(RunFailed::NotPermitted("decision.mode = \"observe\""));
    }
    if config.audit.when_full == WhenFull::DropOldest && !manifest.allow_drop() {
        return Err(RunFailed::NotPermitted("audit.when_full = \"drop_oldest\""));
    }

    Ok(())
}

fn options(config: &Config, boot: u32, time: &TrustedClock) -> Options {
    Options {
        sync: match config.audit.durability {
            Durability::Group => journal::Durability::Group,
            Durability::Interval => journal::Durability::Interval(config.audit.flush),
        },
        max_bytes: config.audit.max_bytes,
        drop_oldest: config.audit.when_full == WhenFull::DropOldest,
        account: config.account,
        boot,
        now: time.stamp(),
    }
}

fn policy(config: &Config) -> Policy {
    Policy {
        rules: DivisionRules {
            strict: config.decision.strict_division,
            deny_unattached: config.decision.item_without_division == ItemWithoutDivision::Deny,
        },
        observe: config.decision.mode == Mode::Observe,
        trusted_peers: config.api.trusted_peers.clone(),
        allow_per_s: config.limits.allow_per_s,
        failed_per_s: config.limits.failed_per_s,
    }
}

fn subject(config: &Config, boot: u32, connected: watch::Receiver<bool>) -> Subject {
    Subject {
        account: config.account.to_string(),
        group: config.group.as_str().to_owned(),
        gateway: config.gateway.as_str().to_owned(),
        boot,
        connected,
    }
}

/// Returns how the link of a gateway with this configuration reaches the broker, and what it leaves
/// there; told through `reload`, it reads its certificate again.
#[must_use]
pub fn link_config(
    config: &Config,
    standing: &Arc<Standing>,
    time: &TrustedClock,
    reload: &Arc<Notify>,
) -> LinkConfig {
    let (standing, time) = (Arc::clone(standing), time.clone());
    let gateway = config.gateway.as_str().to_owned();

    LinkConfig {
        brokers: config.broker.url.clone(),
        protocol: config.broker.protocol,
        tls: config.broker.tls.clone().map(TlsFiles::from),
        client_id: Arc::new(move || client_id(&gateway)),
        keep_alive: config.broker.keep_alive,
        max_payload: config.broker.max_payload_bytes,
        will: Arc::new(move || standing.will()),
        reload: Arc::clone(reload),
        verify_time: Arc::new(move || {
            let now = time.now();
            // Without a clock of its own a gateway could otherwise never hear the time.
            let check = !matches!(now.quality, TimeQuality::Floor | TimeQuality::Unknown);
            TrustedNow { unix_seconds: now.at.0, check_not_before: check }
        }),
    }
}

/// Names one connection of this gateway to the broker.
///
/// A broker lets a second client of the same name push the first one off; nobody who holds another
/// gateway's certificate can guess this one.
fn client_id(gateway: &str) -> String {
    let mut drawn = [0; 8];
    // Without randomness the name is as guessable as the gateway's own, and no worse.
    let _ = getrandom::fill(&mut drawn);

    format!("{gateway}-{}", Hex(&drawn))
}

/// Writes down that the agent runs, what it found, and what it decides with.
fn note_start(journal: &Journal, time: &TrustedClock, opened: &Opened, current: &Current) {
    let note = |draft| {
        if !journal.note(draft) {
            warn!("an event of the start was not written down");
        }
    };
    let event = |event, particulars: &str| Draft::event(event, time.stamp(), particulars);
    note(event(Happened::Start, env!("CARGO_PKG_VERSION")));
    if opened.floor == FloorState::Rebuilt {
        note(event(Happened::FloorRebuilt, ""));
    }
    for problem in &opened.problems {
        note(event(Happened::SnapshotRejected, problem));
    }
    if let Some(in_force) = current.borrow().as_ref() {
        let manifest = in_force.verified.manifest();
        note(notices::about(Happened::SnapshotInForce, manifest.version(), manifest.root(), time));
    }
}

/// The newest key set, for whoever has to believe a signature.
pub(crate) type Keys = watch::Receiver<Option<KeySet>>;
