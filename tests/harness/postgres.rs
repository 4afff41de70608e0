//! A real PostgreSQL that one scenario has to itself.
//!
//! It listens on a socket in a folder of its own and nowhere else, unless it is asked for TLS. Started by root, which it refuses, it
//! runs as the user that its package makes.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::mosquitto::free_port;
use crate::program::{Program, run};
use crate::wait::{SOON, until, within};

/// Where Debian has the servers, a folder for each version.
const SERVERS: &str = "/usr/lib/postgresql";
/// Who owns everything in it.
const USER: &str = "gateward";
/// Only the name of the socket, where nothing listens on it.
const PORT: u16 = 5432;

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    program: Program,
    folder: TempDir,
    port: u16,
}

impl Postgres {
    /// Starts a server that forgets what it has when the machine stops, and writes to the file `log`.
    ///
    /// # Panics
    ///
    /// If it is not installed or does not come up.
    #[must_use]
    pub fn start(log: &Path) -> Self {
        Self::begin(log, &["-c", "fsync=off", "-c", "full_page_writes=off"])
    }

    /// Starts a server as operators have it: what was committed is on disk.
    ///
    /// # Panics
    ///
    /// If it is not installed or does not come up.
    #[must_use]
    pub fn durable(log: &Path) -> Self {
        Self::begin(log, &[])
    }

    /// Starts a server that can also be reached through TLS, with the certificate `server.pem` of a
    /// folder.
    ///
    /// # Panics
    ///
    /// If it is not installed or does not come up.
    #[must_use]
    pub fn with_tls(log: &Path, certificate: &Path) -> Self {
        let options = ["listen_addresses=127.0.0.1", "ssl=on", "fsync=off"];
        let options: Vec<_> = options.iter().flat_map(|option| ["-c", option]).collect();

        Self::begin_at(free_port(), log, &options, Some(certificate))
    }

    fn begin(log: &Path, options: &[&str]) -> Self {
        Self::begin_at(PORT, log, options, None)
    }

    fn begin_at(port: u16, log: &Path, options: &[&str], certificate: Option<&Path>) -> Self {
        let user = user();
        // The folders of tests are closed to other users.
        let folder = tempfile::Builder::new().prefix("gateward-postgres-").tempdir_in("/tmp");
        let folder = folder.expect("a folder can be made");
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid)).expect("root may");
        }
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("it is ours");
        let data = folder.path().join("data");
        let mut make = as_user("initdb", user, folder.path());
        make.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "-U", USER, "-D"]);
        drop(run(make.arg(&data), b"").ok());
        if let Some(certificate) = certificate {
            for (from, to) in [("server.pem", "server.crt"), ("server.key", "server.key")] {
                let to = data.join(to);
                fs::copy(certificate.join(from), &to).expect("there is a certificate");
                fs::set_permissions(&to, Permissions::from_mode(0o600)).expect("it is ours");
                if let Some((uid, gid)) = user {
                    std::os::unix::fs::chown(&to, Some(uid), Some(gid)).expect("root may");
                }
            }
        }
        let mut command = as_user("postgres", user, folder.path());
        command.arg("-D").arg(&data).arg("-k").arg(folder.path());
        command.args(["-p", &port.to_string()]);
        command.args(["-c", "listen_addresses=", "-c", "max_connections=40"]).args(options);
        let program = Program::start(&mut command, log);
        let server = Self { program, folder, port };
        until("a database that answers", || (server.psql("SELECT 1").code == 0).then_some(()));

        server
    }

    /// Returns the address for `--postgres`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_as(USER)
    }

    /// The same for another user.
    #[must_use]
    pub fn url_as(&self, user: &str) -> String {
        let (folder, port) = (self.folder.path().display(), self.port);

        format!("host={folder} port={port} user={user} dbname=postgres")
    }

    /// Returns the address for `--postgres` by which it is reached through TLS.
    #[must_use]
    pub fn url_with_tls(&self) -> String {
        let port = self.port;

        format!("postgres://{USER}@/postgres?host=127.0.0.1&port={port}&sslmode=require")
    }

    /// Returns what a statement selects, a row a line and columns with `|` between them.
    ///
    /// # Panics
    ///
    /// If the server refuses.
    #[must_use]
    pub fn ask(&self, sql: &str) -> String {
        self.psql(sql).ok()
    }

    /// Returns the number that a statement selects; 0 where the tables are not there yet.
    #[must_use]
    pub fn number(&self, sql: &str) -> u64 {
        let ran = self.psql(sql);

        ran.out.trim().parse().unwrap_or_default()
    }

    /// Runs statements on a connection of their own, which stays until what is returned is dropped.
    #[must_use]
    pub fn session(&self, sql: &str, log: &Path) -> Program {
        let mut command = self.client();
        command.args(["-c", sql, "-c", "SELECT pg_sleep(600)"]);

        Program::start(&mut command, log)
    }

    fn psql(&self, sql: &str) -> crate::program::Ran {
        run(self.client().args(["-c", sql]), b"")
    }

    fn client(&self) -> Command {
        let mut command = Command::new(server().join("bin/psql"));
        command.args(["-X", "-A", "-t", "-q", "-U", USER, "-d", "postgres", "-h"]);
        command.arg(self.folder.path()).args(["-p", &self.port.to_string()]);

        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.program.ended().is_none() {
            // Does not wait for clients.
            self.program.signal(Signal::INT);
            // Its folder goes next; where it does not end it is killed.
            let _ = within(SOON, || self.program.ended());
        }
    }
}

/// The newest version that is installed.
fn server() -> PathBuf {
    let versions = fs::read_dir(SERVERS).expect("PostgreSQL should be installed");
    let versions = versions.filter_map(|entry| Some(entry.ok()?.path()));
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();

    versions.max_by_key(number).expect("PostgreSQL should be installed")
}

/// Who runs it where we may not: the user of its package, from its line in the list of users.
fn user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("there is a list of users");
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let mut fields = line.expect("the package of PostgreSQL makes a user").split(':').skip(2);
    let mut id = || fields.next()?.parse().ok();

    Some((id().expect("a user has a number"), id().expect("a user has a group")))
}

fn as_user(program: &str, user: Option<(u32, u32)>, folder: &Path) -> Command {
    let mut command = Command::new(server().join("bin").join(program));
    command.current_dir(folder);
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }

    command
}
