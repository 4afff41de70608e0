//! A real RabbitMQ with its MQTT plugin, from the configuration that we hand out.
//!
//! Erlang takes seconds to start, so a scenario starts one server and does all with it.

use core::time::Duration;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::broker::{Broker, configured, converted, folder};
use crate::mosquitto::free_port;
use crate::program::Program;
use crate::wait::within;

/// The program, and not the wrapper in `sbin`, which becomes the user `rabbitmq`.
const RABBITMQ: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// What tells the server where others are; without one of ours it leaves one behind.
const EPMD: &str = "/usr/bin/epmd";
/// What operators start from.
const CONF: &str = include_str!("../../systems/broker/rabbitmq.conf");
/// What makes users of access lists.
const DEFINITIONS: &str = include_str!("../../systems/broker/rabbitmq-definitions.awk");
/// How long Erlang may take to start on a machine that does much else.
const UP: Duration = Duration::from_secs(120);

/// One RabbitMQ server, on ports of its own.
#[derive(Debug)]
pub struct RabbitMq {
    dir: PathBuf,
    log: PathBuf,
    port: u16,
    // Before its epmd, in which it is registered.
    server: Option<Program>,
    epmd: Option<(u16, Program)>,
}

impl RabbitMq {
    /// Prepares a server in `dir`, with the certificates in `from`.
    #[must_use]
    pub fn new(from: &Path, dir: PathBuf, log: &Path) -> Self {
        let dir = folder(from, dir);
        let port = free_port();
        let listener = "mqtt.listeners.ssl.1 = 0.0.0.0:8883";
        let own = format!("mqtt.listeners.ssl.1 = 127.0.0.1:{port}");
        fs::write(dir.join("rabbitmq.conf"), configured(CONF, &[(listener, own)]))
            .and_then(|()| fs::write(dir.join("enabled_plugins"), "[rabbitmq_mqtt].\n"))
            .expect("a configuration can be written");

        Self { dir, log: log.to_owned(), port, server: None, epmd: None }
    }

    fn command(&self, epmd: u16) -> Command {
        let mut command = Command::new(RABBITMQ);
        command
            .current_dir(&self.dir)
            .env("HOME", &self.dir)
            .env("RABBITMQ_MNESIA_BASE", self.dir.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", self.dir.join("log"))
            .env("RABBITMQ_CONFIG_FILE", self.dir.join("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.dir.join("enabled_plugins"))
            .env("RABBITMQ_LOGS", "-")
            .env("RABBITMQ_NODENAME", format!("gateward-{}@localhost", self.port))
            .env("RABBITMQ_DIST_PORT", free_port().to_string())
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1}",
            )
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", epmd.to_string())
            // Without it the script stays in front of the server, which would outlive it. Nobody
            // is at that address.
            .env("NOTIFY_SOCKET", self.dir.join("nobody"));

        command
    }
}

impl Broker for RabbitMq {
    fn url(&self) -> String {
        format!("mqtts://127.0.0.1:{}", self.port)
    }

    fn start(&mut self, acl: &str) {
        fs::write(self.dir.join("definitions.json"), converted(DEFINITIONS, acl))
            .expect("definitions can be written");
        self.server = None;
        let (epmd, _) = self.epmd.get_or_insert_with(|| {
            let port = free_port();
            let mut command = Command::new(EPMD);
            command.args(["-port", &port.to_string(), "-address", "127.0.0.1"]);

            (port, Program::start(&mut command, &self.log))
        });
        let epmd = *epmd;
        // The server would start an epmd of its own if it were there first.
        let answers = |port| TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(());
        assert!(within(UP, || answers(epmd)).is_some(), "epmd should start; is it installed?");
        let said = |log: &str| log.matches("Server startup complete").count();
        let mut server = Program::start(&mut self.command(epmd), &self.log);
        let before = said(&server.log());
        // Its port is open seconds before anybody answers there.
        let up = within(UP, || match server.ended() {
            Some(_) => Some(false),
            None => (said(&server.log()) > before).then_some(true),
        });
        self.server = Some(server);
        assert_eq!(up, Some(true), "rabbitmq-server should start; is it installed?");
    }

    fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.terminate();
        }
    }

    fn kill(&mut self) {
        self.server = None;
    }
}
