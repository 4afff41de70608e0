//! What a gateway allowed after it had been revoked here: it was away, and could not know (DOMAIN B10).
//!
//! That is no mistake of the gateway, which decides by what it has; somebody has to look at what was
//! done. The time is that of the gateway, as far as it can be trusted.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gateward_core::audit::{Credential, Outcome, Record};
use gateward_core::name::Uuid;
use gateward_core::token::Lookup;
use tracing::warn;

use super::held::Trouble;
use crate::revocations::{Id, Revocations};

/// A record that allowed something to somebody.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Use {
    seq: u64,
    /// Milliseconds since 1970.
    at: u64,
    token: Option<Lookup>,
    principal: Option<Uuid>,
    name: String,
    version: u64,
}

impl Use {
    pub(super) fn of(record: &Record<'_>) -> Option<Self> {
        let Outcome::Allow(_) = record.outcome else { return None };
        let token = match record.credential {
            Credential::Verified(lookup) => Some(lookup),
            Credential::Certificate(_) | Credential::None | Credential::Unverified(_) => None,
        };

        let who = record.principal;
        let who = (who.map(|who| who.id), who.map_or("", |who| who.name));

        Some(Self::new((record.seq, record.snapshot_version), record.created_at.0, token, who))
    }

    pub(super) fn new(
        (seq, version): (u64, u64),
        at: u64,
        token: Option<Lookup>,
        (principal, name): (Option<Uuid>, &str),
    ) -> Self {
        Self { seq, at, token, principal, name: name.to_owned(), version }
    }
}

/// Records of one batch that were late in the same way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct LateUse {
    what: Id,
    name: String,
    /// Milliseconds since 1970.
    since: u64,
    first: u64,
    last: u64,
    count: u64,
    version: u64,
}

impl fmt::Display for LateUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, name, since, first, last, count, version } = self;
        write!(
            f,
            "used after revocation: {what} of `{}` was revoked at {} and allowed {count} times since, \
             in records {first} to {last}, by a gateway that had version {version}",
            name.escape_debug(),
            when(*since),
        )
    }
}

/// As the records have it, without the fraction.
fn when(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1_000).unwrap_or(i64::MAX);

    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}

impl LateUse {
    /// What a script needs beside the text.
    pub(super) fn details(&self) -> serde_json::Map<String, serde_json::Value> {
        let Self { what, name, since, first, last, count, version } = self;
        let (kind, id) = match what {
            Id::Account(id) => ("account_id", id.to_string()),
            Id::Principal(id) => ("authentication_id", id.to_string()),
            Id::Token(lookup) => ("credential_id", lookup.to_string()),
        };

        [
            (kind, id.into()),
            ("authentication", name.clone().into()),
            ("revoked_at", when(*since).into()),
            ("first", (*first).into()),
            ("last", (*last).into()),
            ("count", (*count).into()),
            ("snapshot_version", (*version).into()),
        ]
        .map(|(key, value): (&str, serde_json::Value)| (key.to_owned(), value))
        .into_iter()
        .collect()
    }
}

/// Looks up what was revoked, and reads that again where it has changed.
#[derive(Debug)]
pub(super) struct Late {
    dir: PathBuf,
    account: Uuid,
    read: Option<(SystemTime, u64)>,
    revocations: Revocations,
}

impl Late {
    pub(super) fn new(dir: &Path, account: Uuid) -> Self {
        let revocations = Revocations::default();

        Self { dir: dir.to_owned(), account, read: None, revocations }
    }

    /// Returns which of `uses` were late, those of one kind together.
    pub(super) fn uses(&mut self, uses: &[Use]) -> Vec<Trouble> {
        if !uses.is_empty() {
            self.follow();
        }
        let mut late: BTreeMap<(Id, u64, u64), LateUse> = BTreeMap::new();
        for one in uses {
            let Some((what, since)) = self.revoked(one) else { continue };
            let (name, first, version) = (one.name.clone(), one.seq, one.version);
            let kind = late.entry((what, since, version));
            let kind = kind.or_insert_with(|| LateUse {
                what,
                name,
                since,
                first,
                last: first,
                count: 0,
                version,
            });
            kind.last = one.seq;
            kind.count += 1;
        }

        late.into_values().map(Trouble::UsedAfterRevocation).collect()
    }

    fn revoked(&self, one: &Use) -> Option<(Id, u64)> {
        let token = one.token.map(Id::Token);
        let principal = one.principal.map(Id::Principal);
        let ids = [token, principal, Some(Id::Account(self.account))];

        ids.into_iter().flatten().find_map(|id| Some((id, self.revocations.since(id, one.at)?)))
    }

    /// Where it cannot be read, what was read before counts: records must be kept all the same. It is
    /// not moved here, for another process may be writing it.
    fn follow(&mut self) {
        let facts = std::fs::metadata(Revocations::path(&self.dir)).ok();
        let stamp = facts.and_then(|facts| Some((facts.modified().ok()?, facts.len())));
        if stamp == self.read {
            return;
        }
        match Revocations::load(&self.dir) {
            Ok(revocations) => (self.revocations, self.read) = (revocations, stamp),
            Err(failed) => {
                warn!(
                    "{failed}: {}; uses after a revocation may not be listed until the next \
                     `publish`, which sets a damaged file aside",
                    failed.source
                );
                // What is damaged is said once; whatever else it is may have passed next time.
                if failed.source.kind() == std::io::ErrorKind::InvalidData {
                    self.read = stamp;
                }
            }
        }
    }
}
