//! A real mosquitto with mutual TLS and an access list, from the configuration that we hand out.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::program::Program;
use crate::wait::{SOON, within};

const MOSQUITTO: &str = "/usr/sbin/mosquitto";
/// What operators start from.
const CONF: &str = include_str!("../../systems/broker/mosquitto.conf");
/// The line of it that every test replaces.
const LISTENER: &str = "listener 8883\n";

/// A running broker on a port of its own, which it keeps when it is started again.
#[derive(Debug)]
pub struct Mosquitto {
    dir: PathBuf,
    log: PathBuf,
    port: u16,
    program: Option<Program>,
}

impl Mosquitto {
    /// Starts a broker in `dir`, where certificate, key, authority and access list are.
    ///
    /// # Panics
    ///
    /// If mosquitto is not installed or does not come up.
    #[must_use]
    pub fn start(dir: &Path, log: &Path) -> Self {
        // Between finding a free port and mosquitto taking it, another test may; then try again.
        for _ in 0..8 {
            let mut broker =
                Self { dir: dir.to_owned(), log: log.to_owned(), port: free_port(), program: None };
            broker.write_conf();
            if broker.try_start() {
                return broker;
            }
        }
        let said = fs::read_to_string(log).unwrap_or_default();
        panic!("mosquitto should start; is it installed? {said}");
    }

    /// Returns the address for `--broker`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("mqtts://127.0.0.1:{}", self.port)
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again without the limits of its queues that we advise, so with its own.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn with_queues_of_its_own(&mut self) {
        self.stop();
        let path = self.dir.join("mosquitto.conf");
        let conf = fs::read_to_string(&path).expect("it was started with one");
        let ours = |line: &&str| line.starts_with("max_inflight") || line.starts_with("max_queued");
        assert_eq!(conf.lines().filter(ours).count(), 2, "the limits have other names");
        let rest: Vec<_> = conf.lines().filter(|line| !ours(line)).collect();
        fs::write(path, rest.join("\n")).expect("a configuration can be written");
        self.restart();
    }

    /// Kills it, as a power cut does; what it has not saved is gone.
    pub fn kill(&mut self) {
        self.program = None;
    }

    /// Stops it in good order; it saves what is retained.
    pub fn stop(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.terminate();
        }
    }

    /// Starts it again on the same port.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn restart(&mut self) {
        self.program = None;
        assert!(self.try_start(), "mosquitto should start again on port {}", self.port);
    }

    /// Freezes it: connections stay open and nothing moves.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a frozen broker go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Adds lines to the access list, and has it read again.
    ///
    /// # Panics
    ///
    /// If the file cannot be written.
    pub fn grant(&self, lines: &str) {
        let path = self.dir.join("acl");
        let old = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, format!("{old}\n{lines}")).expect("the access list can be written");
        if self.program.is_some() {
            self.signal(Signal::HUP);
        }
    }

    /// Replaces the access list; it counts from the next start.
    pub(crate) fn set_acl(&self, lines: &str) {
        fs::write(self.dir.join("acl"), lines).expect("the access list can be written");
    }

    fn signal(&self, signal: Signal) {
        self.program.as_ref().expect("the broker should be running").signal(signal);
    }

    fn write_conf(&self) {
        assert!(CONF.contains(LISTENER), "systems/broker/mosquitto.conf has no `{LISTENER}`");
        let conf = CONF.replace(LISTENER, &format!("listener {} 127.0.0.1\n", self.port));
        // Started by root it would give up the right to read the key.
        // Scenarios read from its log who asked for what.
        let conf = format!("{conf}\nuser root\nlog_type subscribe\n");
        fs::write(self.dir.join("mosquitto.conf"), conf).expect("a configuration can be written");
    }

    fn try_start(&mut self) -> bool {
        let mut command = Command::new(MOSQUITTO);
        command.args(["-c", "mosquitto.conf"]).current_dir(&self.dir);
        let mut program = Program::start(&mut command, &self.log);
        let port = self.port;
        let up = within(SOON, || match program.ended() {
            Some(_) => Some(false),
            None => TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(true),
        });
        // Somebody else may have taken the port meanwhile, and answered.
        let up = up == Some(true) && program.ended().is_none();
        self.program = Some(program);

        up
    }
}

/// Returns a port that nobody uses now.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");

    listener.local_addr().expect("a listener has an address").port()
}
