//! What the gateway remembers of a decision or of itself: one [`Record`], its bytes, and the chain
//! that ties it to the one before.
//!
//! The bytes are frozen: fields and codes are added, never moved. The snapshot's root is not in
//! every record; an event carries it at each change, and so does whatever begins a segment
//! (INTERFACES section 7).

mod chain;
mod codec;
mod field;
mod text;

pub use chain::{DecisionId, Head, Ratchet, TAG_LEN, Tag};
pub use codec::{BadRecord, MAX_RECORD, TooLong};
pub use field::{Authentication, Credential, Event, Method, Source, UnixMillis};
pub use text::Text;

use crate::decide::Reason;
use crate::name::Uuid;
use crate::permission::{Operation, Permission};
use crate::time::{Millis, TimeQuality};

/// The most bytes of an action, such as `certificate/request` (DOMAIN section 9).
pub const MAX_ACTION: usize = 32;
/// The most bytes of a resource (DOMAIN section 9).
pub const MAX_RESOURCE: usize = 64;
/// The most bytes of a path (DOMAIN section 9).
pub const MAX_PATH: usize = 256;
/// The most bytes of a caller's request id (DOMAIN section 9).
pub const MAX_REQUEST_ID: usize = 32;

/// One line of the audit: a decision or an event (INTERFACES section 7, DOMAIN section 9).
///
/// What is the same for a whole journal (account, gateway, incarnation) stands in its heads, not
/// here. Texts that a caller chose are masked and cut before they get here; see [`Text`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record<'a> {
    /// Counted from 1 for each incarnation of a gateway, without gaps, across restarts.
    pub seq: u64,
    /// Which start of the agent wrote it, counted from 1.
    pub boot: u32,
    /// When, by the best time known.
    pub created_at: UnixMillis,
    /// When, since the agent's start or the machine's: orders records of one boot when the clock
    /// steps.
    pub mono: Millis,
    /// How far `created_at` can be trusted.
    pub quality: TimeQuality,
    /// What happened.
    pub outcome: Outcome,
    /// What kind of credential it was.
    pub authentication: Authentication,
    /// Who it was; only where the secret matched (DOMAIN N7).
    pub principal: Option<Who<'a>>,
    /// Which credential it was.
    pub credential: Credential,
    /// What was to be done, as a resource and a verb; at most [`MAX_ACTION`] bytes.
    pub action: Option<&'a str>,
    /// The operation asked for.
    pub operation: Option<Operation>,
    /// The permission that was used, or that was missing.
    pub permission: Option<Permission>,
    /// The division that the request was about.
    pub division: Option<Uuid>,
    /// What the request was about; of an event, its particulars. At most [`MAX_RESOURCE`] bytes.
    pub resource: Option<&'a str>,
    /// The method of the request.
    pub method: Option<Method>,
    /// The path of the request, normalised, without its query; at most [`MAX_PATH`] bytes.
    pub path: Option<&'a str>,
    /// The snapshot that decided; 0 where none was in force.
    pub snapshot_version: u64,
    /// The snapshot that an event is about, named whole.
    pub snapshot: Option<SnapshotName>,
    /// Whether the snapshot was stale.
    pub stale: bool,
    /// Where the request came from.
    pub source: Source,
    /// The caller's own number for the request; at most [`MAX_REQUEST_ID`] bytes.
    pub request_id: Option<&'a str>,
    /// Which rule matched the path.
    pub route: Option<u16>,
    /// How many requests this stands for; more than 1 where equal denials were put together.
    pub count: u32,
    /// The numbers that an event is about, first and last.
    pub span: Option<(u64, u64)>,
    /// How many records were lost just before this one.
    pub dropped_before: u32,
}

impl Record<'_> {
    /// A record with nothing in it but what happened, to be filled in.
    #[must_use]
    pub const fn new(outcome: Outcome) -> Self {
        Self {
            seq: 0,
            boot: 0,
            created_at: UnixMillis(0),
            mono: Millis(0),
            quality: TimeQuality::Unknown,
            outcome,
            authentication: Authentication::None,
            principal: None,
            credential: Credential::None,
            action: None,
            operation: None,
            permission: None,
            division: None,
            resource: None,
            method: None,
            path: None,
            snapshot_version: 0,
            snapshot: None,
            stale: false,
            source: Source::Unknown,
            request_id: None,
            route: None,
            count: 1,
            span: None,
            dropped_before: 0,
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The request was allowed.
    Allow(Reason),
    /// The request was denied.
    Deny(Reason),
    /// Something happened to the agent itself.
    Event(Event),
    /// The request carries a device credential, which the upstream checks (DOMAIN I15).
    Passthrough(Reason),
}

impl Outcome {
    /// Returns the name in exports (INTERFACES section 7, `decision`).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow(_) => "allow",
            Self::Deny(_) => "deny",
            Self::Event(_) => "event",
            Self::Passthrough(_) => "passthrough",
        }
    }
}

/// Who acted: a name is not enough, since a friendly name can equal a username (DOMAIN N14).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Who<'a> {
    /// The id of the user or the service user.
    pub id: Uuid,
    /// The username behind an API token, the friendly name of a service user (DOMAIN I1, I2).
    pub name: &'a str,
}

/// A snapshot by everything that tells it from another.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SnapshotName {
    /// The epoch of the key set that signed it.
    pub epoch: u32,
    /// Its version in that epoch.
    pub number: u64,
    /// Its root.
    pub root: [u8; 32],
}

#[cfg(test)]
mod tests;
