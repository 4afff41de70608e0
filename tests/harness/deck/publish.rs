//! What the control plane does on the broker.

use std::path::Path;

use gateward_agent::link::TlsFiles;
use gateward_control::broker::Reach;
use gateward_control::clock;
use gateward_control::publish::{PublishOptions, publish};
use gateward_core::time::UnixSeconds;

use super::Deck;
use crate::program::Ran;

impl Deck {
    /// Publishes to the broker and returns what it said.
    #[must_use]
    pub fn try_publish(&self) -> Ran {
        self.publish_to(&self.broker.url())
    }

    /// Publishes to a broker; one without TLS gets no certificate.
    #[must_use]
    pub fn publish_to(&self, url: &str) -> Ran {
        self.at_broker("publish", url, &[])
    }

    /// Asks the broker how all gateways are.
    #[must_use]
    pub fn fleet(&self) -> Ran {
        self.fleet_at(&self.broker.url())
    }

    /// Asks any broker how all gateways are.
    #[must_use]
    pub fn fleet_at(&self, url: &str) -> Ran {
        self.at_broker("status", url, &["--format", "json"])
    }

    fn at_broker(&self, word: &str, url: &str, more: &[&str]) -> Ran {
        let mut args = vec!["--broker".to_owned(), url.to_owned()];
        if url.starts_with("mqtts://") {
            args.extend(tls_options(&self.root.path().join("publisher")));
        }
        let args: Vec<_> = args.iter().map(String::as_str).chain(more.iter().copied()).collect();

        self.control(word, &args)
    }

    /// Publishes, and returns the version that group `plant-7` has now.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn publish(&self) -> u64 {
        self.publish_version_to(&self.broker.url())
    }

    /// Publishes to any broker, and returns the version that group `plant-7` has now.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn publish_version_to(&self, url: &str) -> u64 {
        published_version(&self.publish_to(url).ok())
    }

    /// Publishes as if it were `ago` seconds earlier, so that what is published ends soon.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn publish_earlier(&self, ago: u64) {
        let file = |name: &str| self.root.path().join("publisher").join(name);
        let tls =
            TlsFiles { ca: file("ca.pem"), cert: file("client.pem"), key: file("client.key") };
        let url = self.broker.url().parse().expect("a good address");
        let options = PublishOptions {
            dir: self.dir(),
            reach: Reach { url, tls: Some(tls) },
            groups: Vec::new(),
            accept_widening: Vec::new(),
            adopt: false,
            now: UnixSeconds(clock::now().0 - ago),
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let published = runtime.expect("a runtime").block_on(publish(&options));
        drop(published.expect("the policy is good"));
    }
}

/// Returns the version that `publish` says group `plant-7` has.
fn published_version(said: &str) -> u64 {
    let line = said.lines().find(|line| line.starts_with("plant-7: version "));
    let version = line.and_then(|line| line.split(' ').nth(2));
    let number = version.and_then(|version| version.rsplit(['.', '/', ':']).next());

    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("publish should name the version of plant-7: {said}"))
}

pub(super) fn tls_options(certificates: &Path) -> Vec<String> {
    [("--ca", "ca.pem"), ("--cert", "client.pem"), ("--key", "client.key")]
        .into_iter()
        .flat_map(|(option, file)| {
            [option.to_owned(), certificates.join(file).display().to_string()]
        })
        .collect()
}
