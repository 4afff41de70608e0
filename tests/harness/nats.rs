//! Real NATS servers with JetStream and MQTT 3.1.1, from the configuration that we hand out: one, or
//! a cluster of three.

use core::array;
use core::time::Duration;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::broker::{Broker, configured, converted, folder};
use crate::mosquitto::free_port;
use crate::program::Program;
use crate::wait::within;

const NATS: &str = "/usr/sbin/nats-server";
/// What operators start from.
const CONF: &str = include_str!("../../systems/broker/nats.conf");
/// What makes users of access lists.
const USERS: &str = include_str!("../../systems/broker/nats-users.awk");
/// How long a server, or an election, may take on a machine that does much else.
const UP: Duration = Duration::from_secs(60);

/// One NATS server, on ports of its own.
#[derive(Debug)]
pub struct Nats {
    dir: PathBuf,
    log: PathBuf,
    port: u16,
    program: Option<Program>,
}

impl Nats {
    /// Prepares a server in `dir`, with the certificates in `from`.
    #[must_use]
    pub fn new(from: &Path, dir: PathBuf, log: &Path) -> Self {
        let port = free_port();
        let conf = configured(CONF, &[listen(port), anywhere()]);

        Self::with(from, dir, log, port, &conf)
    }

    fn with(from: &Path, dir: PathBuf, log: &Path, port: u16, conf: &str) -> Self {
        let dir = folder(from, dir);
        fs::write(dir.join("nats.conf"), conf).expect("a configuration can be written");

        Self { dir, log: log.to_owned(), port, program: None }
    }

    /// Returns how much of the messages that are retained it has written to its disk.
    #[must_use]
    pub fn retained_bytes(&self) -> u64 {
        let messages = self.dir.join("jetstream/jetstream/$G/streams/$MQTT_rmsgs/msgs");
        let files = fs::read_dir(messages).into_iter().flatten().flatten();

        files.filter_map(|file| Some(file.metadata().ok()?.len())).sum()
    }

    fn spawn(&mut self, acl: &str) {
        fs::write(self.dir.join("users.conf"), converted(USERS, acl)).expect("users are written");
        self.program = None;
        let mut command = Command::new(NATS);
        command.args(["-c", "nats.conf"]).current_dir(&self.dir);
        self.program = Some(Program::start(&mut command, &self.log));
    }

    fn is_up(&mut self) {
        let program = self.program.as_mut().expect("it was started");
        let port = self.port;
        let up = within(UP, || match program.ended() {
            Some(_) => Some(false),
            None => TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(true),
        });
        assert_eq!(up, Some(true), "nats-server should start; is it installed?");
    }
}

impl Broker for Nats {
    fn url(&self) -> String {
        format!("mqtts://127.0.0.1:{}", self.port)
    }

    fn start(&mut self, acl: &str) {
        self.spawn(acl);
        self.is_up();
    }

    fn stop(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.terminate();
        }
    }

    fn kill(&mut self) {
        self.program = None;
    }
}

/// Three NATS servers that retain the same messages.
#[derive(Debug)]
pub struct NatsCluster {
    /// Each of them.
    pub nodes: [Nats; 3],
    logs: [PathBuf; 3],
}

impl NatsCluster {
    /// Prepares three servers in folders of `root`, with the certificates in `from`.
    #[must_use]
    pub fn new(from: &Path, root: &Path, logs: &Path) -> Self {
        let ports: [u16; 3] = array::from_fn(|_| free_port());
        let among: [u16; 3] = array::from_fn(|_| free_port());
        let routes = among.map(|port| format!("\"nats://127.0.0.1:{port}\"")).join(", ");
        let log = |at: usize| logs.join(format!("nats-{at}.log"));
        let node = |at: usize, port: u16, own: u16| {
            let name = "server_name: gateward-1\n";
            let three = "\"nats://nats-1:6222\", \"nats://nats-2:6222\", \"nats://nats-3:6222\"";
            let changes = [
                listen(port),
                anywhere(),
                (name, format!("server_name: gateward-{at}\n")),
                ("listen: \"0.0.0.0:6222\"", format!("listen: \"127.0.0.1:{own}\"")),
                (three, routes.clone()),
            ];
            // The lines that say of themselves that they are for a cluster.
            let conf = configured(CONF, &changes).replace("\n  #3 ", "\n  ").replace("\n#3 ", "\n");

            Nats::with(from, root.join(format!("nats-{at}")), &log(at), port, &conf)
        };
        let [a, b, c] = ports;
        let [d, e, f] = among;

        Self { nodes: [node(0, a, d), node(1, b, e), node(2, c, f)], logs: array::from_fn(log) }
    }

    /// Starts all three, and waits until they agree on who leads.
    ///
    /// # Panics
    ///
    /// If they do not.
    pub fn start(&mut self, acl: &str) {
        for node in &mut self.nodes {
            node.spawn(acl);
        }
        for node in &mut self.nodes {
            node.is_up();
        }
        let led = within(UP, || {
            let said = self.logs.iter().filter_map(|log| fs::read_to_string(log).ok());
            said.into_iter().any(|log| log.contains("metadata leader")).then_some(())
        });
        assert!(led.is_some(), "three servers should agree on a leader");
    }
}

fn listen(port: u16) -> (&'static str, String) {
    ("listen: \"0.0.0.0:8883\"", format!("listen: \"127.0.0.1:{port}\""))
}

/// NATS's own protocol is on any free port, because no scenario speaks it.
fn anywhere() -> (&'static str, String) {
    ("listen: \"127.0.0.1:4222\"", "listen: \"127.0.0.1:-1\"".to_owned())
}
