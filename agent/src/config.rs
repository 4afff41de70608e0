//! What the operator may set, and what the agent makes of it.
//!
//! [`Config`] is made only by [`Config::load`], which reads `agent.toml`, then
//! `agent.d/*.toml` beside it in the order of their names, then `GATEWARD__SECTION__KEY` from the
//! environment; the last one wins. Everything that is wrong is reported at once, with its place and
//! what to do about it.

mod check;
mod files;
mod mistake;
mod name;
mod peer;
mod settings;
mod text;
mod url;

#[cfg(test)]
mod tests;

use core::net::SocketAddr;
use core::time::Duration;
use std::path::{Path, PathBuf};

use gateward_core::division::DivisionRules;
use gateward_core::name::Uuid;

pub use self::mistake::{BadConfig, Mistake};
pub use self::name::TopicName;
pub use self::peer::Peer;
pub use self::url::{BadUrl, BrokerUrl, Brokers};

use self::files::Places;
use self::settings::Settings;

/// Where the configuration is unless `--config` or `GATEWARD_CONFIG` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/gateward/agent.toml";

/// A configuration that has been checked (INTERFACES section 4).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// The account that this gateway belongs to.
    pub account: Uuid,
    /// The group of gateways that share a snapshot.
    pub group: TopicName,
    /// This gateway's own name.
    pub gateway: TopicName,
    /// Where the agent keeps what must survive a restart; absolute.
    pub state_dir: PathBuf,
    /// The trust anchor installed at enrolment.
    pub key_set: PathBuf,
    /// The secrets that enrolment made for this gateway (TRUST section 5).
    pub gateway_key: PathBuf,
    /// How long the tasks may take to finish once the agent is told to stop.
    pub shutdown_grace: Duration,
    /// How to reach the broker.
    pub broker: Broker,
    /// Where to answer, and whose word is believed about addresses.
    pub api: Api,
    /// What one caller may ask for.
    pub limits: Limits,
    /// How to decide where there is a choice.
    pub decision: Decision,
    /// How records are kept.
    pub audit: Audit,
    /// Where figures are shown.
    pub metrics: Metrics,
}

/// `[broker]`: how to reach the broker, or the brokers.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Broker {
    /// Where they are.
    pub url: Brokers,
    /// Which version of MQTT to speak.
    pub protocol: Protocol,
    /// The certificates; none where all are `mqtt://`, which is only for this machine.
    pub tls: Option<TlsFiles>,
    /// How often to say that this gateway is there.
    pub keep_alive: Duration,
    /// The largest payload that is sent or taken, in bytes.
    pub max_payload_bytes: usize,
}

/// The files of mutual TLS, all in PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// Who may vouch for the broker.
    pub ca: PathBuf,
    /// This gateway's certificate chain.
    pub certificate: PathBuf,
    /// The key of that certificate; secret.
    pub key: PathBuf,
}

/// `[api]`: where to answer.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Api {
    /// The socket for decisions.
    pub socket: PathBuf,
    /// The socket for operators.
    pub admin_socket: PathBuf,
    /// Decisions over TCP; a loopback address.
    pub listen: Option<SocketAddr>,
    /// Whose `X-Real-IP` and `X-Forwarded-For` are believed.
    pub trusted_peers: Vec<Peer>,
}

/// `[limits]`: what one caller may ask for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Allows a second for one credential; the burst is ten times that.
    pub allow_per_s: u32,
    /// Failed attempts a second from one source.
    pub failed_per_s: u32,
    /// Connections open at once.
    pub connections: usize,
    /// How long a caller may take to send the head of a request.
    pub header_timeout: Duration,
}

/// `[decision]`: how to decide where there is a choice.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Decision {
    /// Whether a denial denies.
    pub mode: Mode,
    /// Whether an unknown division denies in proxy mode too.
    pub strict_division: bool,
    /// What a limited principal may do with an item that has no division.
    pub item_without_division: ItemWithoutDivision,
}

impl Decision {
    /// Returns what a decision needs to know of these settings.
    #[must_use]
    pub fn rules(&self) -> DivisionRules {
        DivisionRules {
            strict: self.strict_division,
            deny_unattached: self.item_without_division == ItemWithoutDivision::Deny,
        }
    }
}

/// `[audit]`: how records are kept.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Audit {
    /// When a record counts as written.
    pub durability: Durability,
    /// How often records are synced with [`Durability::Interval`].
    pub flush: Duration,
    /// The disk that all records together may take, in bytes.
    pub max_bytes: u64,
    /// What to do when that is used up.
    pub when_full: WhenFull,
}

/// `[metrics]`: where figures are shown.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// Prometheus text over TCP; a loopback address.
    pub listen: Option<SocketAddr>,
}

/// Which version of MQTT to speak to the broker.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Protocol {
    /// 5, and 3.1.1 where the broker has no 5.
    #[default]
    Auto,
    /// 3.1.1 only.
    V311,
    /// 5 only.
    V5,
}

/// Whether a denial denies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// It does.
    Enforce,
    /// It is written down and let through; only where the signed manifest has `allow_observe`.
    Observe,
}

/// What a principal limited to divisions may do with an item that has none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ItemWithoutDivision {
    /// What its permissions say.
    Allow,
    /// Nothing.
    Deny,
}

/// When a record counts as written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Durability {
    /// After one sync for all answers that wait.
    Group,
    /// Once it is handed to the kernel; synced every [`Audit::flush`].
    Interval,
}

/// What to do when the records have used up their disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WhenFull {
    /// Deny what would have to be written down.
    Deny,
    /// Drop the oldest, with a gap record; only where the signed manifest has `allow_drop`.
    DropOldest,
}

impl Config {
    /// Reads and checks the configuration at `path`.
    ///
    /// `env` is the environment of the process. Beside `GATEWARD__SECTION__KEY` it gives
    /// `STATE_DIRECTORY`, `RUNTIME_DIRECTORY` and `CREDENTIALS_DIRECTORY` of systemd, which move
    /// the *defaults* of `state_dir`, of the sockets, and of every file that has a namesake among
    /// the credentials (`ca.pem`, `client.pem`, `client.key`, `keyset`, `gateway.key`). What the
    /// operator has set stands.
    ///
    /// Relative paths start at the folder of `path`, wherever they are written.
    ///
    /// # Errors
    ///
    /// Returns everything that is wrong: text, values, missing files, and secrets that others may
    /// read.
    pub fn load(
        path: &Path,
        env: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, BadConfig> {
        let env = env.collect::<Vec<_>>();
        let mut settings = Settings::new(path);
        text::read(path, &mut settings);
        settings.add_environment(&env);

        let places = Places::new(path, &env);
        let config = check::check(&mut settings, &places);
        settings.finish(config)
    }
}

/// Returns the environment of this process for [`Config::load`]; what is not UTF-8 is replaced, so
/// that it is refused by name instead of ending the program.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into(), value.to_string_lossy().into()))
}
