//! How the database is reached: over a socket of this machine as it is, from elsewhere with TLS only.

use std::future::Future;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, fs};

use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};
use tracing::{debug, warn};

use super::tls::Tls;
use crate::secret;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// So long one piece of work may take, such as to write a batch; the longest is to fill a new month's
/// partition with what came for it before.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A collector that hangs must not hold the position of a gateway for ever, and nothing goes on for one
/// that has lost its patience.
const SESSION: &str = "SET idle_in_transaction_session_timeout = '30s'; SET lock_timeout = '30s';
     SET statement_timeout = '120s'; SET client_min_messages = warning;";

/// Which database, and what it takes to be let in.
#[derive(Clone)]
pub struct Database {
    /// `postgres://USER@HOST/NAME`, or words as `psql` takes them.
    pub url: String,
    /// A file with the password, readable by us alone.
    pub password: Option<PathBuf>,
    /// Who vouches for the server, PEM.
    pub ca: Option<PathBuf>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may have a password in it.
        f.debug_struct("Database").field("ca", &self.ca).finish_non_exhaustive()
    }
}

/// Why a database cannot be used as it was given.
#[derive(Debug, thiserror::Error)]
pub enum BadDatabase {
    /// The authority cannot be used.
    #[error("`{}` has no certificates in PEM: {detail}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// There is a network in between.
    #[error("the database is on another machine; say --postgres-ca FILE, who vouches for it")]
    NoTls,
    /// The password cannot be read.
    #[error(transparent)]
    Secret(#[from] secret::Unusable),
    /// It is no address. What it says may be a password, and is not repeated.
    #[error(
        "--postgres is no address of a database, such as postgres://collector@/gateward?host=/run/postgresql"
    )]
    Url,
}

/// Why a database did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseFailed {
    /// A row of ours is not as we wrote it.
    #[error(
        "the table `gateward.position` or `gateward.batch` was altered by somebody else; restore it"
    )]
    Altered,
    /// There is no connection.
    #[error("there is no connection to the database")]
    Away,
    /// There are no tables of ours.
    #[error(
        "no collector has written to this database; say the one that `collect --postgres` names"
    )]
    Empty,
    /// The role may not ask for what the collectors' marks are kept by.
    #[error(
        "this role may not ask which cluster this is, and collectors keep their marks by that; `GRANT EXECUTE ON \
         FUNCTION pg_control_system()` to it, or take out of `private/ratchets` what is of a cluster of the past"
    )]
    Nameless,
    /// Tables of a later program.
    #[error("the tables are of version {found}, and this program knows {known}; use a newer one")]
    Newer {
        /// What the database says.
        found: i64,
        /// The newest that is known here.
        known: u64,
    },
    /// Tables of an earlier program.
    #[error("the tables are of an earlier version; a collector of this one brings them up to date")]
    Older,
    /// As it says itself.
    #[error("the database: {0}")]
    Said(String),
    /// It takes what it is asked, and says nothing.
    #[error("the database has not answered for {} s; look whether it hangs or is overloaded", .0.as_secs())]
    Silent(Duration),
}

impl From<tokio_postgres::Error> for DatabaseFailed {
    fn from(error: tokio_postgres::Error) -> Self {
        if error.code() == Some(&SqlState::UNIQUE_VIOLATION) {
            // What is written under the lock of a position is new, unless that was put back.
            return Self::Altered;
        }
        if let Some(said) = error.as_db_error() {
            return Self::Said(said.to_string());
        }
        let source = std::error::Error::source(&error);

        Self::Said(source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}")))
    }
}

/// What was read of it.
#[derive(Debug)]
pub(super) struct Settings {
    config: Config,
    /// None where only this machine hears what is said.
    tls: Option<Tls>,
    /// How long one piece of work may take.
    pub(super) patience: Duration,
}

impl Settings {
    pub(super) fn read(database: &Database) -> Result<Self, BadDatabase> {
        let mut config: Config = database.url.parse().map_err(|_| BadDatabase::Url)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(BadDatabase::Url);
        }
        if let Some(path) = &database.password {
            config.password(secret::read(path)?.trim_end());
        }
        let needs_tls = !is_here(&config) || config.get_ssl_mode() == SslMode::Require;
        let tls = match (needs_tls, &database.ca) {
            (false, _) => None,
            (true, None) => return Err(BadDatabase::NoTls),
            (true, Some(ca)) => Some(authority(ca)?),
        };
        config
            .ssl_mode(if needs_tls { SslMode::Require } else { SslMode::Disable })
            .application_name("gateward-control collect")
            .connect_timeout(CONNECT)
            .tcp_user_timeout(3 * CONNECT)
            .target_session_attrs(TargetSessionAttrs::ReadWrite);

        Ok(Self { config, tls, patience: PATIENCE })
    }

    /// Connects, and sees to it that what was committed is on disk.
    pub(super) async fn connect(&self) -> Result<(Client, Attendant), DatabaseFailed> {
        let (client, attendant) = match &self.tls {
            None => attend(self.config.connect(NoTls).await?),
            Some(tls) => attend(self.config.connect(tls.clone()).await?),
        };
        client.batch_execute(SESSION).await?;
        let row = client
            .query_one(
                "SELECT current_setting('synchronous_commit') = 'off', current_setting('fsync') = 'off'",
                &[],
            )
            .await?;
        if row.try_get(0)? {
            client.batch_execute("SET synchronous_commit = on").await?;
        }
        if row.try_get(1)? {
            warn!("the database has `fsync = off`: a power cut loses records that were receipted");
        }

        Ok((client, attendant))
    }
}

/// Connects only to read, which a replica of the database serves as well.
pub(crate) async fn connect_to_read(
    database: &Database,
) -> Result<(Client, Attendant), ReadFailed> {
    let mut settings = Settings::read(database)?;
    settings
        .config
        .application_name("gateward-control audit")
        .target_session_attrs(TargetSessionAttrs::Any);

    Ok(match settings.tls {
        None => attend(settings.config.connect(NoTls).await.map_err(DatabaseFailed::from)?),
        Some(tls) => attend(settings.config.connect(tls).await.map_err(DatabaseFailed::from)?),
    })
}

/// Why nothing can be read from a database.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailed {
    /// It cannot be used as it was given.
    #[error(transparent)]
    Bad(#[from] BadDatabase),
    /// It did not do what it was asked.
    #[error(transparent)]
    Failed(#[from] DatabaseFailed),
}

/// Waits for a piece of work, and not for ever: a database may take a connection and never answer.
pub(crate) async fn patiently<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, DatabaseFailed>>,
) -> Result<T, DatabaseFailed> {
    timeout(patience, work).await.unwrap_or(Err(DatabaseFailed::Silent(patience)))
}

/// Works on a connection, which ends when this goes: by itself it would wait for the last answer.
#[derive(Debug)]
pub(crate) struct Attendant(AbortHandle);

impl Drop for Attendant {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Has the connection worked on.
fn attend<S, T>(
    (client, connection): (Client, tokio_postgres::Connection<S, T>),
) -> (Client, Attendant)
where
    tokio_postgres::Connection<S, T>:
        Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
{
    let working = tokio::spawn(async {
        if let Err(error) = connection.await {
            // Whoever asks something next is told.
            debug!(%error, "the connection to the database broke");
        }
    });

    (client, Attendant(working.abort_handle()))
}

/// Whether nothing of it leaves this machine.
fn is_here(config: &Config) -> bool {
    let is_loopback = |name: &str| {
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let here = |host: &Host| match host {
        Host::Tcp(name) => is_loopback(name),
        Host::Unix(_) => true,
    };

    config.get_hosts().iter().all(here)
        && config.get_hostaddrs().iter().all(|address| address.is_loopback())
}

fn authority(path: &Path) -> Result<Tls, BadDatabase> {
    let bad = |detail: String| BadDatabase::Authority { path: path.to_owned(), detail };
    let text = fs::read(path).map_err(|error| bad(error.to_string()))?;

    Tls::trusting(&text).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Settings, BadDatabase> {
        Settings::read(&Database { url: url.to_owned(), password: None, ca: None })
    }

    #[test]
    fn without_an_authority_only_a_database_of_this_machine_is_spoken_to() {
        for here in [
            "postgres://collector@localhost/gateward",
            "postgres://collector@127.0.0.1:5433/gateward",
            "postgres://collector@[::1]/gateward",
            "host=/run/postgresql user=collector",
            "postgres://collector@%2Frun%2Fpostgresql/gateward",
        ] {
            assert!(read(here).unwrap().tls.is_none(), "{here}");
        }
        for far in [
            "postgres://collector@db.example/gateward",
            "postgres://collector@db.example/gateward?sslmode=disable",
            "postgres://collector@localhost,10.0.0.1/gateward",
            "host=localhost hostaddr=10.0.0.1 user=collector",
            "postgres://collector@localhost/gateward?sslmode=require",
        ] {
            assert!(matches!(read(far), Err(BadDatabase::NoTls)), "{far}");
        }
    }

    #[test]
    fn n9_an_address_that_cannot_be_read_is_not_repeated() {
        for bad in ["postgres://u:hunter2@h:port/x", "nonsense hunter2", ""] {
            let said = read(bad).unwrap_err().to_string();
            assert!(!said.contains("hunter2"), "{said}");
        }
        let database =
            Database { url: "postgres://u:hunter2@h/x".to_owned(), password: None, ca: None };
        assert!(!format!("{database:?}").contains("hunter2"));
    }
}
