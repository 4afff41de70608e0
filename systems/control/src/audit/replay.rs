//! What a policy would have answered to requests that were recorded.
//!
//! Core's one check decides, on the snapshot that the policy compiles to; only that the secret
//! matched is taken from the record (DOMAIN N7). What a record does not say is never guessed: where
//! the answer hangs on it, the request is counted as not decided again, by reason (decision 0047).

mod again;
mod recorded;
mod report;

use std::collections::BTreeMap;
use std::path::Path;

use gateward_agent::journal::json::Line;
use gateward_core::decide::Mode;
use gateward_core::division::DivisionRules;
use gateward_core::name::Uuid;
use gateward_core::snapshot::{self, Refused, Unsigned};
use gateward_core::trust::GatewayId;

use self::again::Settings;
use super::folder::Unreadable;
use crate::compile::{self, NotCompiled};
use crate::enroll::Enrolled;
use crate::policy::{Policy, Unusable};
use crate::secret;
pub use again::Undecided;
pub use report::{Change, Replayed};

/// How the gateways are set up, as far as records do not say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gateways {
    /// Who asks them; none where some ask this way and some that.
    pub mode: Option<Mode>,
    /// What their operators decide about divisions.
    pub rules: DivisionRules,
}

/// Why nothing was decided again.
#[derive(Debug, thiserror::Error)]
pub enum NotReplayed {
    /// The policy does not fit the format.
    #[error(transparent)]
    NotCompiled(#[from] NotCompiled),
    /// The policy cannot be used.
    #[error(transparent)]
    Policy(#[from] Unusable),
    /// What was compiled is no snapshot.
    #[error("the compiled policy: {0}")]
    Refused(#[from] Refused),
    /// What was enrolled cannot be read.
    #[error(transparent)]
    Secret(#[from] secret::Unusable),
    /// The records cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// Decides recorded requests again, as the gateways of a policy would.
#[derive(Debug)]
pub struct Replay {
    account: String,
    snapshots: Vec<Unsigned<Vec<u8>>>,
    /// Which snapshot a gateway would have, by its id in records.
    gateways: BTreeMap<String, (String, usize)>,
    settings: Gateways,
    replayed: Replayed,
}

impl Replay {
    /// Compiles the policy folder `dir` for every group.
    ///
    /// # Errors
    ///
    /// The policy has mistakes or does not fit the format.
    pub fn against(dir: &Path, settings: Gateways, keeps_each: bool) -> Result<Self, NotReplayed> {
        let policy = Policy::load(dir)?;

        Self::new(&policy, &Enrolled::all(dir)?, settings, keeps_each)
    }

    /// Begins with a policy and the gateways that were enrolled, which say their groups themselves.
    ///
    /// # Errors
    ///
    /// The policy does not fit the format.
    pub fn new(
        policy: &Policy,
        enrolled: &[Enrolled],
        settings: Gateways,
        keeps_each: bool,
    ) -> Result<Self, NotReplayed> {
        let account = policy.account().id;
        let (mut snapshots, mut gateways) = (Vec::new(), BTreeMap::new());
        for (at, group) in policy.groups().iter().enumerate() {
            snapshots.push(snapshot::unsigned(compile::compile(policy, &group.id)?)?);
            let enrolled = enrolled.iter().filter(|one| one.group == group.id);
            let names = group.gateways.iter().chain(enrolled.map(|one| &one.gateway));
            gateways.extend(names.map(|name| (id(account, name), (name.clone(), at))));
        }
        let (account, replayed) = (account.to_string(), Replayed::new(keeps_each));

        Ok(Self { account, snapshots, gateways, settings, replayed })
    }

    /// Decides the request of one record again; one about the agent itself asks nothing.
    pub fn take(&mut self, line: &Line<'_>) {
        if line.is_event() {
            return;
        }
        let known = self.gateways.get(line.gateway_id.as_ref());
        let gateway = known.map_or(line.gateway_id.as_ref(), |(name, _)| name.as_str());
        let snapshot = known.and_then(|(_, at)| self.snapshots.get(*at));
        let verdict = match snapshot {
            _ if line.account_id != self.account => Err(Undecided::Account),
            None => Err(Undecided::Gateway),
            Some(snapshot) => Settings { gateways: self.settings, snapshot }.again(line),
        };
        self.replayed.add(gateway, line, verdict);
    }

    /// Returns what came of it.
    #[must_use]
    pub fn finish(self) -> Replayed {
        self.replayed
    }
}

fn id(account: Uuid, gateway: &str) -> String {
    Uuid(GatewayId::of(account, gateway).0).to_string()
}
