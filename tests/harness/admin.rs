//! Whoever holds the broker: reads everything and plants whatever it likes.
//!
//! Mosquitto's own command-line clients, so what is planted is not made by our code.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::program::run;

/// A client that may read and write every topic of the account.
#[derive(Debug)]
pub struct Admin {
    certificates: PathBuf,
    port: u16,
    version: &'static str,
    id: Option<String>,
}

impl Admin {
    /// Connects as the user whose certificate is in `certificates`.
    #[must_use]
    pub fn new(certificates: &Path, port: u16) -> Self {
        Self { certificates: certificates.to_owned(), port, version: "5", id: None }
    }

    /// Speaks MQTT 3.1.1, and is called so, because a broker may tell clients apart by that.
    #[must_use]
    pub fn older(mut self, id: &str) -> Self {
        self.version = "311";
        self.id = Some(id.to_owned());
        self
    }

    /// Publishes a retained message; an empty one takes the old one away.
    ///
    /// # Panics
    ///
    /// If the broker does not take it.
    pub fn plant(&self, topic: &str, payload: &[u8]) {
        let mut command = self.client("mosquitto_pub", topic);
        command.arg("-r");
        if payload.is_empty() {
            command.arg("-n");
        } else {
            command.arg("-s");
        }
        let ran = run(&mut command, payload);
        assert_eq!(ran.code, 0, "planting on {topic}: {}", ran.err);
    }

    /// Publishes a retained message to a broker that may drop it, refuse it, or hang up for it.
    pub fn try_plant(&self, topic: &str, payload: &[u8]) {
        let mut command = self.client("timeout", topic);
        command.args(["-r", "-s"]);
        // Whoever is hung up on connects again and again.
        drop(run(&mut command, payload));
    }

    /// Returns the retained message of a topic.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    pub fn retained(&self, topic: &str) -> Vec<u8> {
        let mut command = self.client("mosquitto_sub", topic);
        command.args(["-C", "1", "-W", "10", "-N"]).stdin(Stdio::null());
        let output = command.output().expect("mosquitto_sub should be installed");
        assert!(output.status.success(), "nothing is retained on {topic}");

        output.stdout
    }

    fn client(&self, program: &str, topic: &str) -> Command {
        let file = |name: &str| self.certificates.join(name);
        let mut command = Command::new(program);
        if program == "timeout" {
            command.args(["2", "mosquitto_pub"]);
        }
        command
            .args(["-V", self.version, "-q", "1", "-h", "127.0.0.1"])
            .args(["-p", &self.port.to_string()])
            .arg("--cafile")
            .arg(file("ca.pem"))
            .arg("--cert")
            .arg(file("client.pem"))
            .arg("--key")
            .arg(file("client.key"))
            .args(["-t", topic]);
        if let Some(id) = &self.id {
            command.args(["-i", id]);
        }

        command
    }
}
