//! Everything that one gateway needs, in one folder to carry to it.
//!
//! Its secrets are written there and nowhere else, but for the first key of its audit, which the
//! collector needs to know forged records from written ones (TRUST section 5).

mod record;

pub use record::Enrolled;

use std::fs;
use std::path::{Path, PathBuf};

use gateward_agent::identity::Identity;
use gateward_agent::link::{BadUrl, BrokerUrl};
use gateward_core::audit::Ratchet;
use gateward_core::name::Uuid;
use gateward_core::time::UnixSeconds;
use gateward_core::trust::{Incarnation, SigningKey};
use zeroize::Zeroizing;

use crate::access;
use crate::draw::{self, NoRandomness};
use crate::keys::{Chain, NoChain};
use crate::pki::{self, Authority, NotIssued, Use};
use crate::policy::{Group, Policy, Unusable};
use crate::{secret, whole};

/// The certificate with which a client connects.
pub const CERTIFICATE: &str = "client.pem";
/// The private key of that certificate.
pub const KEY: &str = "client.key";
/// The lines of the broker's access list.
pub const ACCESS: &str = "acl";

/// The configuration that comes with the product, filled in for one gateway.
const AGENT_TOML: &str = include_str!("../../gateway/agent.toml");
/// What stands in `agent.toml` where no broker was named.
const NO_BROKER: &str = "mqtts://broker.example:8883";

/// Which gateway, and where to put what it needs.
#[derive(Clone, Copy, Debug)]
pub struct Enrolment<'a> {
    /// The policy folder.
    pub dir: &'a Path,
    /// The gateway's name.
    pub gateway: &'a str,
    /// Its group.
    pub group: &'a str,
    /// The folder to fill.
    pub out: &'a Path,
    /// Where the broker is; left out, it is for the operator to write into `agent.toml`.
    pub broker: Option<&'a str>,
    /// A signing request in PEM, where the gateway keeps its own key.
    pub request: Option<&'a str>,
    /// Now.
    pub now: UnixSeconds,
}

/// Why a gateway was not enrolled.
#[derive(Debug, thiserror::Error)]
pub enum NotEnrolled {
    /// It is enrolled.
    #[error(
        "`{gateway}` is enrolled; use --renew for a new certificate, or remove `{}` to enrol it \
         anew, after which its records are numbered from 1 again", path.display()
    )]
    Already {
        /// Its name.
        gateway: String,
        /// Where that is written.
        path: PathBuf,
    },
    /// The broker's address is none.
    #[error("--broker: {0}")]
    BadBroker(#[from] BadUrl),
    /// The keys of the account cannot be read.
    #[error(transparent)]
    Chain(#[from] NoChain),
    /// A file cannot be read or written.
    #[error(transparent)]
    Failed(#[from] whole::Failed),
    /// No certificate can be issued.
    #[error(transparent)]
    NotIssued(#[from] NotIssued),
    /// The policy does not list it.
    #[error("{0}")]
    NotListed(String),
    /// The policy has no such group.
    #[error("{0}")]
    NoSuchGroup(String),
    /// There is nothing to renew.
    #[error("`{0}` is not enrolled; leave --renew out")]
    NotYet(String),
    /// The system gives no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The folder holds something.
    #[error("`{}` is not empty; name a new folder for what the gateway needs", .0.display())]
    OutNotEmpty(PathBuf),
    /// What was enrolled before cannot be read.
    #[error(transparent)]
    Record(#[from] secret::Unusable),
    /// The name is one of the control plane's own.
    #[error("`{0}` is the control plane's own name on the broker; rename the gateway")]
    Reserved(String),
    /// The policy has mistakes.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

/// Enrols a gateway that its group in the policy lists.
///
/// # Errors
///
/// It is not listed or already enrolled, or a file cannot be written.
pub fn enroll(enrolment: &Enrolment<'_>) -> Result<Enrolled, NotEnrolled> {
    let Enrolment { dir, gateway, group, out, request, now, .. } = *enrolment;
    let policy = Policy::load(dir)?;
    let account = policy.account().id;
    let lines = listed(&policy, group, gateway)?;
    let path = Enrolled::path(dir, gateway);
    if path.exists() {
        return Err(NotEnrolled::Already { gateway: gateway.to_owned(), path });
    }
    let config = configuration(enrolment, account)?;
    let chain = Chain::load(dir, account)?;
    let authority = Authority::load(dir)?;
    vacant(out)?;
    let identity = draw_identity(gateway)?;
    let enrolled = Enrolled {
        gateway: gateway.to_owned(),
        group: group.to_owned(),
        incarnation: identity.incarnation,
        key: identity.key.verifying_key(),
        audit: identity.audit.clone(),
    };

    secret::make_folder(out)?;
    certify(&authority, gateway, request, out, now)?;
    secret::write(&out.join("gateway.key"), &identity.encode())?;
    whole::write(&out.join("keyset"), chain.anchor(), 0o644)?;
    whole::write(&out.join(ACCESS), lines.as_bytes(), 0o644)?;
    whole::write(&out.join("agent.toml"), config.as_bytes(), 0o644)?;
    // Last, so that what failed half-way can simply be tried again.
    enrolled.save(dir)?;

    Ok(enrolled)
}

/// Issues a new certificate for a gateway that is enrolled; everything else stays as it is.
///
/// # Errors
///
/// It is not enrolled, or a file cannot be written.
pub fn renew(enrolment: &Enrolment<'_>) -> Result<Enrolled, NotEnrolled> {
    let Enrolment { dir, gateway, group, out, request, now, .. } = *enrolment;
    let policy = Policy::load(dir)?;
    listed(&policy, group, gateway)?;
    if !Enrolled::path(dir, gateway).exists() {
        return Err(NotEnrolled::NotYet(gateway.to_owned()));
    }
    let enrolled = Enrolled::load(dir, gateway)?;
    let authority = Authority::load(dir)?;
    secret::make_folder(out)?;
    certify(&authority, gateway, request, out, now)?;

    Ok(enrolled)
}

/// Returns the gateway's lines of the access list, where its group lists it.
fn listed(policy: &Policy, group: &str, gateway: &str) -> Result<String, NotEnrolled> {
    if access::is_ours(gateway) {
        return Err(NotEnrolled::Reserved(gateway.to_owned()));
    }
    let unlisted = |why: String| NotEnrolled::NotListed(why);
    let Some(found) = policy.group(group) else {
        let known: Vec<_> = policy.groups().iter().map(|group| group.id.as_str()).collect();
        let group = group.escape_debug();
        let why = format!("`{group}` is no group; the groups are {}", known.join(", "));
        return Err(NotEnrolled::NoSuchGroup(why));
    };
    if !found.gateways.iter().any(|name| name == gateway) {
        return Err(unlisted(line_to_add(found, gateway)));
    }
    let no_topic = || format!("`{}` or `{}` cannot stand in a topic", gateway, group);

    access::gateway(policy.account().id, group, gateway).ok_or_else(|| unlisted(no_topic()))
}

fn line_to_add(group: &Group, gateway: &str) -> String {
    let gateway = gateway.escape_debug().to_string();
    let quoted = |name: &str| format!("\"{name}\"");
    let mut names: Vec<_> = group.gateways.iter().map(|name| quoted(name)).collect();
    names.push(quoted(&gateway));

    format!(
        "`{gateway}` is not in group `{id}`; in policy.toml, below id = \"{id}\", write: gateways = \
         [{}]",
        names.join(", "),
        id = group.id
    )
}

fn vacant(out: &Path) -> Result<(), NotEnrolled> {
    match fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(NotEnrolled::OutNotEmpty(out.to_owned())),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(whole::Failed::new("read", out)(error).into()),
    }
}

fn draw_identity(gateway: &str) -> Result<Identity, NoRandomness> {
    let seed = Zeroizing::new(draw::bytes()?);

    Ok(Identity {
        gateway: gateway.to_owned(),
        incarnation: Incarnation(draw::bytes()?),
        key: SigningKey::from_bytes(&seed),
        audit: Ratchet::new(draw::bytes()?),
    })
}

fn certify(
    authority: &Authority,
    gateway: &str,
    request: Option<&str>,
    out: &Path,
    now: UnixSeconds,
) -> Result<(), NotEnrolled> {
    let client = Use::Client(gateway);
    let issued = match request {
        Some(request) => authority.issue_for(request, client, now)?,
        None => authority.issue(client, now)?,
    };
    if let Some(key) = &issued.key {
        secret::write(&out.join(KEY), key)?;
    }
    whole::write(&out.join(CERTIFICATE), issued.certificate.as_bytes(), 0o644)?;
    whole::write(&out.join(pki::CA), authority.certificate().as_bytes(), 0o644)?;

    Ok(())
}

/// Fills in the configuration that comes with the product; its files are beside it.
fn configuration(enrolment: &Enrolment<'_>, account: Uuid) -> Result<String, NotEnrolled> {
    let broker = enrolment.broker.unwrap_or(NO_BROKER);
    broker.parse::<BrokerUrl>()?;
    let values = [
        ("account", account.to_string()),
        ("group", enrolment.group.to_owned()),
        ("gateway", enrolment.gateway.to_owned()),
        ("key_set", "keyset".to_owned()),
        ("gateway_key", "gateway.key".to_owned()),
        ("url", broker.to_owned()),
        ("ca_file", pki::CA.to_owned()),
        ("client_certificate_file", CERTIFICATE.to_owned()),
        ("client_key_file", KEY.to_owned()),
    ];
    let filled = AGENT_TOML.lines().map(|line| {
        let (key, _) = line.trim_start_matches('#').split_once(" = ").unwrap_or_default();
        match values.iter().find(|(name, _)| *name == key) {
            Some((name, value)) => format!("{name} = \"{value}\"\n"),
            None => format!("{line}\n"),
        }
    });

    Ok(filled.collect())
}

#[cfg(test)]
mod tests;
