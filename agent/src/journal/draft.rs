//! A record before it has a number: what the gate and the other tasks hand over.

use gateward_core::audit::{
    Authentication, Credential, Event, MAX_ACTION, MAX_PATH, MAX_REQUEST_ID, MAX_RESOURCE, Method,
    Outcome, Record, SnapshotName, Source, Text, UnixMillis, Who,
};
use gateward_core::decide::Reason;
use gateward_core::name::{MAX_NAME, Uuid};
use gateward_core::permission::{Operation, Permission};
use gateward_core::time::{Millis, TimeQuality};

/// When something happened, as the clock told it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Stamp {
    /// By the best time known.
    pub created_at: UnixMillis,
    /// Since the start; never steps.
    pub mono: Millis,
    /// How far `created_at` can be trusted.
    pub quality: TimeQuality,
}

/// Everything of a [`Record`] but its number, its boot and what was dropped before it, and whether it
/// must be one of its own.
///
/// Texts can only be made by masking and cutting, so no token gets in by a path or a request id
/// (DOMAIN I4).
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the fields are those of `Record`, with the same names")]
pub struct Draft {
    pub stamp: Stamp,
    pub outcome: Outcome,
    pub authentication: Authentication,
    pub principal: Option<(Uuid, Text<MAX_NAME>)>,
    pub credential: Credential,
    pub action: Text<MAX_ACTION>,
    pub operation: Option<Operation>,
    pub permission: Option<Permission>,
    pub division: Option<Uuid>,
    pub resource: Text<MAX_RESOURCE>,
    pub method: Option<Method>,
    pub path: Text<MAX_PATH>,
    pub snapshot_version: u64,
    pub snapshot: Option<SnapshotName>,
    pub stale: bool,
    pub source: Source,
    pub request_id: Text<MAX_REQUEST_ID>,
    pub route: Option<u16>,
    pub count: u32,
    pub span: Option<(u64, u64)>,
    /// What was asked, as a number, where it may be counted with others of the same second that ask
    /// the same; none where somebody is let through to something guarded.
    pub asked: Option<u64>,
}

impl Draft {
    /// A draft that says what happened and when, to be filled in; an empty text is left out.
    #[must_use]
    pub fn new(outcome: Outcome, stamp: Stamp) -> Self {
        Self {
            stamp,
            outcome,
            authentication: Authentication::None,
            principal: None,
            credential: Credential::None,
            action: Text::default(),
            operation: None,
            permission: None,
            division: None,
            resource: Text::default(),
            method: None,
            path: Text::default(),
            snapshot_version: 0,
            snapshot: None,
            stale: false,
            source: Source::Unknown,
            request_id: Text::default(),
            route: None,
            count: 1,
            span: None,
            asked: None,
        }
    }

    /// An event of the agent itself; `particulars` become the record's resource.
    #[must_use]
    pub fn event(event: Event, stamp: Stamp, particulars: &str) -> Self {
        Self { resource: Text::untrusted(particulars), ..Self::new(Outcome::Event(event), stamp) }
    }

    /// What is kept of a request that came too fast: who sent it, not what it was about.
    ///
    /// Who holds the token is kept only where the answer tells it too (DOMAIN J3).
    #[must_use]
    pub(crate) fn rate_limited(self, is_known: bool) -> Self {
        let limited = Self {
            snapshot_version: self.snapshot_version,
            stale: self.stale,
            source: self.source,
            asked: Some(0),
            ..Self::new(Outcome::Deny(Reason::RateLimited), self.stamp)
        };
        if !is_known {
            return limited;
        }

        Self {
            authentication: self.authentication,
            principal: self.principal,
            credential: self.credential,
            ..limited
        }
    }

    /// The record under a number.
    #[must_use]
    pub fn record(&self, seq: u64, boot: u32, dropped_before: u32) -> Record<'_> {
        Record {
            seq,
            boot,
            created_at: self.stamp.created_at,
            mono: self.stamp.mono,
            quality: self.stamp.quality,
            outcome: self.outcome,
            authentication: self.authentication,
            principal: self
                .principal
                .as_ref()
                .map(|(id, name)| Who { id: *id, name: name.as_str() }),
            credential: self.credential,
            action: self.action.non_empty(),
            operation: self.operation,
            permission: self.permission,
            division: self.division,
            resource: self.resource.non_empty(),
            method: self.method,
            path: self.path.non_empty(),
            snapshot_version: self.snapshot_version,
            snapshot: self.snapshot,
            stale: self.stale,
            source: self.source,
            request_id: self.request_id.non_empty(),
            route: self.route,
            count: self.count,
            span: self.span,
            dropped_before,
        }
    }
}
