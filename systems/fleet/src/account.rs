//! The control plane: one account, whose gateways are enrolled and whose tokens are revoked.
//!
//! Everything here is a command of `gateward-control`, called instead of typed.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gateward_agent::link::TlsFiles;
use gateward_control::accounts::{Accounts, Kind, NewToken, NewUser, TokenRef};
use gateward_control::broker::Reach;
use gateward_control::enroll::{self, Enrolment};
use gateward_control::fleet::{FleetOptions, Row, fleet};
use gateward_control::keys::{self, NewAccount};
use gateward_control::pki::{self, Authority, Use};
use gateward_control::policy::TokenStatus;
use gateward_control::publish::{PublishOptions, Published, publish};
use gateward_control::{access, clock, secret, whole};
use gateward_core::name::Uuid;
use gateward_core::token::Token;

/// Where the broker is, as its certificate says.
pub(crate) const HOST: &str = "127.0.0.1";
/// Whose tokens there are.
const OWNER: &str = "ana.ruiz";

/// A policy folder.
#[derive(Debug)]
pub(crate) struct Account {
    id: Uuid,
    dir: PathBuf,
    client: PathBuf,
    groups: usize,
}

/// Tokens, and the public part of each.
pub(crate) type Tokens = Vec<(Token, String)>;

/// Returns the name of a group.
pub(crate) fn group_name(group: usize) -> String {
    format!("plant-{group}")
}

/// Returns the name of a gateway.
pub(crate) fn name(gateway: usize) -> String {
    format!("edge-{gateway:05}")
}

impl Account {
    /// Begins an account in `home` whose policy lists that many gateways.
    pub(crate) fn begin(home: &Path, gateways: usize, groups: usize) -> Result<Self> {
        let dir = home.join("control");
        let name = "Fleet".to_owned();
        let new = NewAccount { dir: dir.clone(), name, roots: None, now_ms: clock::now_ms() };
        let id = keys::init(&new)?.account;
        let account = Self { id, dir, client: home.join("publisher"), groups };
        whole::write(
            &account.dir.join("policy.toml"),
            account.policy(gateways)?.as_bytes(),
            0o644,
        )?;
        account.issue(Use::Client(access::CONTROL), &account.client, "client")?;

        Ok(account)
    }

    fn policy(&self, gateways: usize) -> Result<String> {
        let mut text = format!("[account]\nid = \"{}\"\nname = \"Fleet\"\n", self.id);
        for group in 0..self.groups {
            let names: Vec<_> = (group..gateways).step_by(self.groups).map(name).collect();
            write!(text, "\n[[groups]]\nid = \"{}\"\ngateways = {names:?}\n", group_name(group))?;
        }

        Ok(text)
    }

    /// Returns the number of a gateway's group.
    pub(crate) const fn group_of(&self, gateway: usize) -> usize {
        gateway % self.groups
    }

    fn issue(&self, what: Use<'_>, folder: &Path, stem: &str) -> Result<()> {
        let authority = Authority::load(&self.dir)?;
        let issued = authority.issue(what, clock::now())?;
        secret::make_folder(folder)?;
        let key = issued.key.context("a key should be made")?;
        secret::write(&folder.join(format!("{stem}.key")), &key)?;
        let pem = folder.join(format!("{stem}.pem"));
        whole::write(&pem, issued.certificate.as_bytes(), 0o644)?;

        Ok(whole::write(&folder.join(pki::CA), authority.certificate().as_bytes(), 0o644)?)
    }

    /// Fills the broker's folder; nobody but the control plane is on the access list yet.
    pub(crate) fn equip_broker(&self, folder: &Path) -> Result<()> {
        self.issue(Use::Server(HOST), folder, "server")?;
        let list = folder.join(enroll::ACCESS);

        Ok(whole::write(&list, access::control(self.id).as_bytes(), 0o644)?)
    }

    /// Enrols a gateway into the folder `out`; returns its lines of the access list.
    pub(crate) fn enroll(&self, gateway: usize, port: u16, out: &Path) -> Result<String> {
        enroll::enroll(&Enrolment {
            dir: &self.dir,
            gateway: &name(gateway),
            group: &group_name(self.group_of(gateway)),
            out,
            broker: Some(&url(port)),
            request: None,
            now: clock::now(),
        })?;

        Ok(fs::read_to_string(out.join(enroll::ACCESS))?)
    }

    /// Makes that many tokens of one administrator of everything.
    pub(crate) fn add_tokens(&self, number: usize) -> Result<Tokens> {
        let mut accounts = Accounts::open(&self.dir, clock::now())?;
        let roles = vec!["iot_account_admin".to_owned()];
        accounts.add_user(&NewUser { username: OWNER.to_owned(), roles, ..NewUser::default() })?;
        let mut held = Vec::new();
        for token in 1..=number {
            let issued = accounts.new_token(&NewToken {
                kind: Kind::User,
                owner: OWNER.to_owned(),
                name: format!("token {token}"),
                end: None,
            })?;
            held.push((Token::read(issued.text.as_bytes())?, issued.lookup.to_string()));
        }

        Ok(held)
    }

    /// Disables a token in the policy; nothing is published.
    pub(crate) fn disable(&self, lookup: &str) -> Result<()> {
        let token = TokenRef::Lookup(lookup.to_owned());
        let mut accounts = Accounts::open(&self.dir, clock::now())?;
        accounts.set_token_status(&token, TokenStatus::Disabled)?;

        Ok(())
    }

    fn reach(&self, port: u16) -> Result<Reach> {
        let file = |name: &str| self.client.join(name);
        let (ca, cert, key) = (file(pki::CA), file(enroll::CERTIFICATE), file(enroll::KEY));

        Ok(Reach { url: url(port).parse()?, tls: Some(TlsFiles { ca, cert, key }) })
    }

    /// Publishes what changed, for every group.
    pub(crate) async fn publish(&self, port: u16) -> Result<Vec<Published>> {
        let options = PublishOptions {
            dir: self.dir.clone(),
            reach: self.reach(port)?,
            groups: Vec::new(),
            accept_widening: Vec::new(),
            adopt: false,
            now: clock::now(),
        };

        Ok(tokio::spawn(async move { publish(&options).await }).await??)
    }

    /// Asks the broker what every gateway says of itself.
    pub(crate) async fn status(&self, port: u16) -> Result<Vec<Row>> {
        let (dir, reach) = (self.dir.clone(), self.reach(port)?);
        let options = FleetOptions { dir, reach, now: clock::now() };

        Ok(tokio::spawn(async move { fleet(&options).await }).await??)
    }
}

fn url(port: u16) -> String {
    format!("mqtts://{HOST}:{port}")
}
