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
}

impl Admin {
    /// Connects as the user whose certificate is in `certificates`.
    #[must_use]
    pub fn new(certificates: &Path, port: u16) -> Self {
        Self { certificates: certificates.to_owned(), port }
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
        command
            .args(["-V", "5", "-q", "1", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .arg("--cafile")
            .arg(file("ca.pem"))
            .arg("--cert")
            .arg(file("client.pem"))
            .arg("--key")
            .arg(file("client.key"))
            .args(["-t", topic]);

        command
    }
}
