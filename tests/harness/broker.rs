//! What every broker can do, so that one scenario runs on each of them.

use core::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::mosquitto::Mosquitto;
use crate::program::run;

/// A broker of any make, on a port that it keeps when it is started again.
pub trait Broker: Debug {
    /// Returns the address for `--broker`.
    fn url(&self) -> String;

    /// Starts it, or starts it again, with these lines of an access list as mosquitto has them.
    ///
    /// # Panics
    ///
    /// If it is not installed or does not come up.
    fn start(&mut self, acl: &str);

    /// Stops it in good order; it keeps what is retained.
    fn stop(&mut self);

    /// Kills it, as a power cut does.
    fn kill(&mut self);
}

impl Broker for Mosquitto {
    fn url(&self) -> String {
        Self::url(self)
    }

    fn start(&mut self, acl: &str) {
        self.set_acl(acl);
        self.restart();
    }

    fn stop(&mut self) {
        Self::stop(self);
    }

    fn kill(&mut self) {
        Self::kill(self);
    }
}

/// Makes a folder for a broker, with the certificates in `from`.
pub(crate) fn folder(from: &Path, dir: PathBuf) -> PathBuf {
    fs::create_dir_all(&dir).expect("a folder can be made");
    for file in ["ca.pem", "server.pem", "server.key"] {
        fs::copy(from.join(file), dir.join(file)).expect("a certificate can be copied");
    }

    dir
}

/// Runs a script that we hand out on the lines of an access list.
pub(crate) fn converted(script: &str, acl: &str) -> String {
    let ran = run(Command::new("awk").arg(script), acl.as_bytes());

    ran.ok()
}

/// Returns a configuration that we hand out with these places in it changed.
pub(crate) fn configured(conf: &str, changes: &[(&str, String)]) -> String {
    let mut conf = conf.to_owned();
    for (from, to) in changes {
        assert_eq!(conf.matches(from).count(), 1, "the configuration should say `{from}` once");
        conf = conf.replace(from, to);
    }

    conf
}
