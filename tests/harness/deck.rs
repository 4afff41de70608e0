//! The table on which a scenario is played: a policy folder, its keys, and a broker.

mod people;
mod publish;

pub use people::lookup;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gateward_core::name::Uuid;
use tempfile::TempDir;

use crate::admin::Admin;
use crate::collector::{Collector, records};
use crate::gateway::Gateway;
use crate::mosquitto::Mosquitto;
use crate::postgres::Postgres;
use crate::program::{Program, Ran, append_to, built, run};
use crate::server::Server;

/// The id of division `plant-7`.
pub const PLANT_7: &str = "0193a5d4-1111-7c61-8d5e-000000000007";
/// The id of division `plant-8`.
pub const PLANT_8: &str = "0193a5d4-1111-7c61-8d5e-000000000008";
/// An enrollment profile of division `plant-8`.
pub const PROFILE_8: &str = "IOT_0193a5d4-4444-7c61-8d5e-000000000008";

/// A control plane with one account, and a real broker; gateways are added to it.
#[derive(Debug)]
pub struct Deck {
    /// The broker, until it is taken down.
    pub broker: Mosquitto,
    account: Uuid,
    root: TempDir,
}

impl Deck {
    /// Begins an account, issues certificates and starts a broker. Nothing is published.
    ///
    /// # Panics
    ///
    /// If any of that fails.
    #[must_use]
    pub fn new() -> Self {
        Self::begin(&[])
    }

    /// Begins an account that signs everything with two algorithms.
    ///
    /// # Panics
    ///
    /// If that fails.
    #[must_use]
    pub fn hybrid() -> Self {
        Self::begin(&["--hybrid"])
    }

    fn begin(options: &[&str]) -> Self {
        let root = tempfile::tempdir().expect("a folder can be made");
        fs::create_dir(root.path().join("logs")).expect("a folder can be made");
        let dir = root.path().join("control");
        let said = run(
            Command::new(built("gateward-control"))
                .arg("init")
                .arg(&dir)
                .args(["--account", "Acme"])
                .args(options),
            b"",
        );
        let account = said.ok();
        let account = Uuid::parse(&account).expect("init prints the account's id");
        fs::write(dir.join("policy.toml"), policy(account)).expect("a policy can be written");

        let certificate = |name: &str, kind: &str, out: &str| {
            let mut command = Command::new(built("gateward-control"));
            command
                .arg("certificate")
                .arg(&dir)
                .args([name, kind, "--out"])
                .arg(root.path().join(out));
            drop(run(&mut command, b"").ok());
        };
        certificate("127.0.0.1", "--server", "broker");
        certificate("control", "--client", "publisher");
        certificate("collector", "--client", "collector");
        let lines = ["publisher", "collector"].map(|client| {
            fs::read_to_string(root.path().join(client).join("acl")).expect("its lines")
        });
        fs::write(root.path().join("broker/acl"), lines.concat()).expect("a list can be written");
        let broker =
            Mosquitto::start(&root.path().join("broker"), &root.path().join("logs/mosquitto.log"));

        Self { broker, account, root }
    }

    /// Returns the account.
    #[must_use]
    pub const fn account(&self) -> Uuid {
        self.account
    }

    /// Returns the folder of everything.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Returns the policy folder.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.root.path().join("control")
    }

    /// Returns the folder of everything that was printed and answered.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.root.path().join("logs")
    }

    /// Runs a command of `gateward-control` on the policy folder, which stands after `words`.
    #[must_use]
    pub fn control(&self, words: &str, args: &[&str]) -> Ran {
        let mut command = Command::new(built("gateward-control"));
        command.args(words.split(' ')).arg(self.dir()).args(args);
        let ran = run(&mut command, b"");
        // What makes a token prints it, once, on purpose.
        let out = if matches!(words, "token new" | "token rotate") { "" } else { &ran.out };
        self.note(&format!("$ gateward-control {words} {}\n{out}{}", args.join(" "), ran.err));

        ran
    }

    /// Runs a command of `gateward-control` that is not about the policy folder.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Ran {
        let ran = run(Command::new(built("gateward-control")).args(args), b"");
        self.note(&format!("$ gateward-control {}\n{}{}", args.join(" "), ran.out, ran.err));

        ran
    }

    /// Replaces text of the policy.
    ///
    /// # Panics
    ///
    /// If it is not there.
    pub fn edit_policy(&self, from: &str, to: &str) {
        let path = self.dir().join("policy.toml");
        let policy = fs::read_to_string(&path).expect("there is a policy");
        assert!(policy.contains(from), "the policy has no `{from}`");
        fs::write(path, policy.replace(from, to)).expect("a policy can be written");
    }

    /// Enrols a gateway of group `plant-7` and lets it on the broker.
    ///
    /// # Panics
    ///
    /// If it is refused.
    #[must_use]
    pub fn gateway(&self, name: &str) -> Gateway {
        self.gateway_at(name, "plant-7", &self.broker.url())
    }

    /// Enrols a gateway of any group, whose broker is anywhere.
    ///
    /// # Panics
    ///
    /// If it is refused.
    #[must_use]
    pub fn gateway_at(&self, name: &str, group: &str, broker: &str) -> Gateway {
        let etc = self.root.path().join(format!("etc-{name}"));
        let out = etc.display().to_string();
        let args = [name, "--group", group, "--broker", broker, "--out", &out];
        drop(self.control("enroll", &args).ok());
        self.broker.grant(&fs::read_to_string(etc.join("acl")).expect("its lines"));
        let home = self.root.path().join(name);

        Gateway::new(name, etc, home, self.logs())
    }

    /// Returns the lines of the access list for the control plane and these gateways, for a broker
    /// beside the deck's own.
    ///
    /// # Panics
    ///
    /// If they were not written.
    #[must_use]
    pub fn acl(&self, gateways: &[&Gateway]) -> String {
        let ours = ["publisher", "collector"].map(|client| self.root.path().join(client));
        let folders = ours.iter().map(PathBuf::as_path).chain(gateways.iter().map(|one| one.etc()));
        let lines = folders.map(|one| fs::read_to_string(one.join("acl")).expect("its lines"));

        lines.collect()
    }

    /// Returns the folder with the certificate for brokers.
    #[must_use]
    pub fn broker_certificates(&self) -> PathBuf {
        self.root.path().join("broker")
    }

    /// Starts the collector.
    #[must_use]
    pub fn collector(&self) -> Collector {
        self.collector_at(&self.broker.url())
    }

    /// Starts the collector at any broker with TLS.
    #[must_use]
    pub fn collector_at(&self, url: &str) -> Collector {
        let folder = self.collected();
        let mut command = Command::new(built("gateward-control"));
        command.arg("collect").arg(self.dir());
        command.args(["--broker", url]);
        command.args(publish::tls_options(&self.root.path().join("collector")));
        command.arg("--out").arg(&folder);

        Collector::start(command, &folder, &self.logs().join("collector.log"))
    }

    /// Starts a collector that writes to a database, for the broker on any port of this machine.
    #[must_use]
    pub fn collector_into(&self, database: &Postgres, port: u16) -> Program {
        self.collector_to(&["--postgres", &database.url()], port)
    }

    /// The same with a database that is reached in any way.
    #[must_use]
    pub fn collector_to(&self, database: &[&str], port: u16) -> Program {
        let mut command = Command::new(built("gateward-control"));
        command.arg("collect").arg(self.dir());
        command.args(["--broker", &format!("mqtts://127.0.0.1:{port}")]);
        command.args(publish::tls_options(&self.root.path().join("collector")));
        command.args(database);

        Program::start(&mut command, &self.logs().join("collector.log"))
    }

    /// Starts the control plane as a daemon, which collects too; one for a broker without TLS gets no
    /// certificate.
    #[must_use]
    pub fn serve_to(&self, url: &str, more: &[&str]) -> Server {
        let mut command = Command::new(built("gateward-control"));
        command.arg("serve").arg(self.dir()).args(["--broker", url]).args(more);
        if url.starts_with("mqtts://") {
            command.args(publish::tls_options(&self.root.path().join("publisher")));
        }
        if !more.contains(&"--no-collect") {
            command.arg("--out").arg(self.collected());
        }

        Server::start(command, &self.logs().join("serve.log"))
    }

    /// The same with the broker of the deck.
    #[must_use]
    pub fn serve(&self) -> Server {
        self.serve_to(&self.broker.url(), &[])
    }

    /// Returns the events that the collector has written down.
    ///
    /// # Panics
    ///
    /// If one is not JSON.
    #[must_use]
    pub fn collected_events(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.collected().join("events.jsonl")).unwrap_or_default();

        // What is being written has no end yet.
        let (whole, _) = text.rsplit_once('\n').unwrap_or_default();

        whole.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Returns the folder of the collector.
    #[must_use]
    pub fn collected(&self) -> PathBuf {
        self.root.path().join("collected")
    }

    /// Returns the records that the collector has kept of a gateway.
    #[must_use]
    pub fn records(&self, gateway: &str) -> Vec<serde_json::Value> {
        records(&self.collected(), gateway)
    }

    /// Returns a client that may read and write all topics of the account.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::new(&self.root.path().join("publisher"), self.broker.port())
    }

    fn note(&self, text: &str) {
        use std::io::Write as _;
        let mut file = append_to(&self.logs().join("commands.log"));
        file.write_all(text.as_bytes()).expect("a log can be written");
    }
}

impl Default for Deck {
    fn default() -> Self {
        Self::new()
    }
}

fn policy(account: Uuid) -> String {
    format!(
        r#"[account]
id = "{account}"
name = "Acme Robotics"
status = "active"

[snapshot]
stale_after_s = 86400
expires_after_s = 604800

[[divisions]]
id = "{PLANT_7}"
name = "plant-7"

[[divisions]]
id = "{PLANT_8}"
name = "plant-8"

[[groups]]
id = "plant-7"
gateways = ["edge-7a", "edge-7b"]

[[groups]]
id = "plant-8"
gateways = ["edge-8a"]

[[resources]]
kind = "enrollment_profile"
id = "{PROFILE_8}"
division = "plant-8"
"#
    )
}
