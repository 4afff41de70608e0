//! What comes of a question, in numbers that both sides give.

/// No permission.
pub const NONE: u32 = gateward::GATEWARD_NONE;

/// What comes of a question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Answer {
    /// A decision.
    Decided {
        /// One of `GATEWARD_CLASS_*`.
        verdict: u32,
        /// Number of the reason.
        reason: u32,
        /// Every check that failed.
        failed: u32,
        /// The key of whoever acts.
        principal: Option<u32>,
        /// The bit of the permission, or [`NONE`].
        permission: u32,
        /// Kind and id of the token, as presented.
        token: (u32, u64),
    },
    /// The text cannot be a token, so nothing was weighed.
    NotAToken,
    /// Firmware has no answer, for this status; the agent always has one.
    Status(u32),
}
