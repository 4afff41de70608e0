//! The control plane: an account with its keys, a policy folder, and publishing from it.
//!
//! Everything here is a command of `gateward-control`, called instead of typed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gateward_agent::link::TlsFiles;
use gateward_control::access;
use gateward_control::accounts::{Accounts, Refused};
use gateward_control::broker::Reach;
use gateward_control::clock;
use gateward_control::enroll::{self, Enrolment};
use gateward_control::keys::{self, NewAccount};
use gateward_control::pki::{self, Authority, Use};
use gateward_control::publish::{PublishOptions, Published, publish};
use gateward_control::{secret, whole};
use gateward_core::name::Uuid;
use gateward_core::topic::{GroupTopic, GroupTopics};
use gateward_loopback_broker::Tls;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// The group of gateways that there is.
pub(crate) const GROUP: &str = "plant-7";
/// The one gateway in it.
pub(crate) const GATEWAY: &str = "edge-7a";

const POLICY: &str = include_str!("policy.toml");
/// Where the broker is, as its certificate says.
const HOST: &str = "127.0.0.1";

/// A policy folder, and where its broker is.
#[derive(Debug)]
pub(crate) struct Control {
    account: Uuid,
    dir: PathBuf,
    /// Where certificates of the control plane's own clients are.
    clients: PathBuf,
}

impl Control {
    /// Begins an account in `home`, with a policy as an operator writes it.
    pub(crate) fn begin(home: &Path) -> Result<Self> {
        let dir = home.join("control");
        let name = "Acme Robotics".to_owned();
        let new = NewAccount { dir: dir.clone(), name, roots: None, now_ms: clock::now_ms() };
        let account = keys::init(&new)?.account;
        let policy = POLICY.replace("{account}", &account.to_string());
        whole::write(&dir.join("policy.toml"), policy.as_bytes(), 0o644)?;
        let control = Self { account, dir, clients: home.join("clients") };
        control.issue_client(access::CONTROL)?;
        control.issue_client(access::COLLECTOR)?;

        Ok(control)
    }

    /// Returns the policy folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn issue_client(&self, name: &str) -> Result<()> {
        let authority = Authority::load(&self.dir)?;
        let issued = authority.issue(Use::Client(name), clock::now())?;
        let files = self.files(name);
        secret::make_folder(&self.clients.join(name))?;
        secret::write(&files.key, issued.key.as_ref().context("a key should be made")?)?;
        whole::write(&files.cert, issued.certificate.as_bytes(), 0o644)?;

        Ok(whole::write(&files.ca, authority.certificate().as_bytes(), 0o644)?)
    }

    fn files(&self, name: &str) -> TlsFiles {
        let folder = self.clients.join(name);

        TlsFiles {
            ca: folder.join(pki::CA),
            cert: folder.join(enroll::CERTIFICATE),
            key: folder.join(enroll::KEY),
        }
    }

    /// Issues a certificate for the broker, who believes nobody whom this account did not name.
    pub(crate) fn broker_tls(&self) -> Result<Tls> {
        let authority = Authority::load(&self.dir)?;
        let issued = authority.issue(Use::Server(HOST), clock::now())?;
        let key = issued.key.context("a key should be made")?;

        Ok(Tls {
            authorities: vec![CertificateDer::from_pem_slice(authority.certificate().as_bytes())?],
            chain: vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes())?],
            key: PrivateKeyDer::from_pem_slice(key.as_bytes())?,
        })
    }

    /// Returns the broker's access list before any gateway is enrolled.
    pub(crate) fn access(&self) -> String {
        access::control(self.account) + &access::collector(self.account)
    }

    /// Enrols the gateway into the folder `out`; returns its lines of the access list.
    pub(crate) fn enroll(&self, out: &Path, port: u16) -> Result<String> {
        enroll::enroll(&Enrolment {
            dir: &self.dir,
            gateway: GATEWAY,
            group: GROUP,
            out,
            broker: Some(&url(port)),
            request: None,
            now: clock::now(),
        })?;

        Ok(fs::read_to_string(out.join(enroll::ACCESS))?)
    }

    /// Changes people or tokens.
    pub(crate) fn change<T>(
        &self,
        change: impl FnOnce(&mut Accounts) -> Result<T, Refused>,
    ) -> Result<T> {
        Ok(change(&mut Accounts::open(&self.dir, clock::now())?)?)
    }

    /// Returns how a client of the control plane reaches the broker.
    pub(crate) fn reach(&self, client: &str, port: u16) -> Result<Reach> {
        Ok(Reach { url: url(port).parse()?, tls: Some(self.files(client)) })
    }

    /// Publishes what changed for the one group.
    pub(crate) async fn publish(&self, port: u16) -> Result<Published> {
        let options = PublishOptions {
            dir: self.dir.clone(),
            reach: self.reach(access::CONTROL, port)?,
            groups: Vec::new(),
            accept_widening: Vec::new(),
            adopt: false,
            now: clock::now(),
        };
        // On another thread, so that whoever waits for its effect is not held up by its disk.
        let done = tokio::spawn(async move { publish(&options).await }).await??;

        done.into_iter().next().context("one group should be published")
    }

    /// Returns the name of a topic that the gateways of the group read.
    pub(crate) fn topic(&self, what: GroupTopic) -> Result<String> {
        let topics =
            GroupTopics::new(self.account, GROUP).context("the group should fit a topic")?;

        Ok(topics.topic(what).to_string())
    }
}

fn url(port: u16) -> String {
    format!("mqtts://{HOST}:{port}")
}
