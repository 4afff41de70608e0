//! What every gateway says that it runs on, and who is behind.
//!
//! A status is signed by its gateway and retained by the broker, who can hold back a newer one: a
//! gateway may be further than it seems, never less far than it once was.

pub(crate) mod alarm;
mod seen;

use std::collections::BTreeMap;
use std::path::PathBuf;

use gateward_core::name::{Hex, Uuid};
use gateward_core::time::UnixSeconds;
use gateward_core::topic::{GatewayTopic, GatewayTopics};
use gateward_core::trust::{Manifest, Refused, Status};
use serde::Serialize;

use crate::broker::{Broker, BrokerFailed, Reach};
use crate::enroll::Enrolled;
use crate::keys::{Chain, NoChain};
use crate::policy::{Policy, Unusable};
use crate::publish::published;
use crate::secret;
use crate::whole;

/// Whose gateways, and where to ask.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// The policy folder.
    pub dir: PathBuf,
    /// How to reach the broker.
    pub reach: Reach,
    /// Now.
    pub now: UnixSeconds,
}

/// One gateway of the policy.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub gateway: String,
    /// Its group.
    pub group: String,
    /// The version number that was published last for its group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<u64>,
    /// Whether it does not run on that.
    pub behind: bool,
    /// What it says; none where it said nothing that may be believed.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
    /// Why it said nothing that may be believed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// What it says and must not say: less than it had said, or another root than its neighbours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alarm: Option<String>,
}

/// What a gateway says of itself.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Said {
    /// Version number of the snapshot in force; 0 for none.
    pub version: u64,
    /// First 16 digits of its root.
    pub root: String,
    /// Epoch of the key set that it holds.
    pub keyset: u32,
    /// Number of the revocation list that it holds; 0 for none.
    pub revoked: u64,
    /// How often its agent has started.
    pub boot: u32,
    /// Seconds since the signed time that it has reached.
    pub age_s: u64,
    /// Signed time and run time since, in seconds since 1970.
    pub floor: u64,
    /// How far its clock can be trusted.
    pub time_quality: &'static str,
    /// Number of its last audit record.
    pub audit_number: u64,
    /// Records that no receipt covers.
    pub backlog: u64,
    /// Whether its connection is gone.
    pub gone: bool,
}

/// Why the fleet cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum NoFleet {
    /// The broker did not do its part.
    #[error(transparent)]
    Broker(#[from] BrokerFailed),
    /// The key sets cannot be read.
    #[error(transparent)]
    Chain(#[from] NoChain),
    /// A file cannot be read.
    #[error(transparent)]
    Failed(#[from] whole::Failed),
    /// The policy cannot be read.
    #[error(transparent)]
    Policy(#[from] Unusable),
    /// What was enrolled cannot be read.
    #[error(transparent)]
    Secret(#[from] secret::Unusable),
}

/// Asks the broker for the status of every gateway in the policy.
///
/// # Errors
///
/// A file cannot be read, or the broker does not answer.
pub async fn fleet(options: &FleetOptions) -> Result<Vec<Row>, NoFleet> {
    let FleetOptions { dir, reach, now } = options;
    let policy = Policy::load(dir)?;
    let account = policy.account().id;
    let chain = Chain::load(dir, account)?;
    let enrolled = Enrolled::all(dir)?;
    let topic = |gateway: &str| {
        let topics = GatewayTopics::new(account, gateway);
        topics.map(|topics| topics.topic(GatewayTopic::Status).to_string()).unwrap_or_default()
    };
    let topics: Vec<_> = enrolled.iter().map(|one| topic(&one.gateway)).collect();
    let broker = Broker::connect(reach, "status").await?;
    let found = broker.retained(account, &topics).await?;
    broker.leave().await;

    let mut rows = Vec::new();
    for group in policy.groups() {
        let published = published(dir, &group.id, &chain)?;
        let mut heard = BTreeMap::new();
        let first = rows.len();
        for gateway in &group.gateways {
            let enrolled = enrolled.iter().find(|one| one.gateway == *gateway);
            let bytes = found.get(&topic(gateway)).filter(|bytes| !bytes.is_empty());
            let status = hear(enrolled, bytes.map(Vec::as_slice), account);
            let mut alarm = None;
            if let (Some(enrolled), Some(bytes), Ok(status)) = (enrolled, bytes, &status) {
                let other = |manifest: &Manifest| alarm::not_as_published(status, manifest);
                alarm = seen::compare(dir, enrolled, account, (bytes, status))?
                    .or_else(|| published.as_ref().and_then(other));
                heard.insert(gateway.as_str(), *status);
            }
            let alarm = alarm.map(|alarm| alarm.to_string());
            rows.push(Row { alarm, ..row(gateway, &group.id, published.as_ref(), status, *now) });
        }
        for row in rows.iter_mut().skip(first) {
            let Some(own) = heard.get(row.gateway.as_str()) else { continue };
            let others = heard.iter().map(|(gateway, status)| (*gateway, status));
            let two = alarm::two_roots(own, others).map(|alarm| alarm.to_string());
            row.alarm = row.alarm.take().or(two);
        }
    }

    Ok(rows)
}

fn hear(
    enrolled: Option<&Enrolled>,
    bytes: Option<&[u8]>,
    account: Uuid,
) -> Result<Status, String> {
    let one = enrolled.ok_or("not enrolled")?;
    let bytes = bytes.ok_or("never heard of")?;

    Status::verify(bytes, &one.key, account, one.id(account))
        .map_err(|refused: Refused| refused.to_string())
}

fn row(
    gateway: &str,
    group: &str,
    published: Option<&Manifest>,
    status: Result<Status, String>,
    now: UnixSeconds,
) -> Row {
    let runs = |manifest: &Manifest| {
        status.as_ref().is_ok_and(|status| {
            (status.version, status.root8) == (manifest.version().number, manifest.root().short())
        })
    };
    let behind = published.is_some_and(|manifest| !runs(manifest));
    let (said, problem) = match status {
        Ok(status) => (Some(Said::new(&status, now)), None),
        Err(problem) => (None, Some(problem)),
    };

    Row {
        gateway: gateway.to_owned(),
        group: group.to_owned(),
        published: published.map(|manifest| manifest.version().number),
        behind,
        said,
        problem,
        alarm: None,
    }
}

impl Said {
    fn new(status: &Status, now: UnixSeconds) -> Self {
        Self {
            version: status.version,
            root: Hex(&status.root8).to_string(),
            keyset: status.keyset,
            revoked: status.revoked_counter,
            boot: status.boot,
            age_s: now.since(status.floor_time),
            floor: status.floor_time.0,
            time_quality: status.time_quality.name(),
            audit_number: status.audit_number,
            backlog: status.backlog,
            gone: status.gone,
        }
    }
}

#[cfg(test)]
mod tests;
