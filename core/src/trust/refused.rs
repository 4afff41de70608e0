//! Why something is not believed.

use core::fmt;

use super::Version;

/// Why an object was not accepted; what was accepted before stays.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused {
    /// A number is outside what can be meant, such as a time past 2106 (DOMAIN E12).
    Absurd,
    /// The key set asks for an algorithm that this build does not have.
    AlgorithmMissing,
    /// The floor on disk is not what was written.
    Damaged,
    /// It has expired at the time that the gateway believes in.
    Expired,
    /// The same version with another root: somebody signs two snapshots under one number
    /// (DOMAIN H7).
    Fork,
    /// The hash list is not the one that the manifest names.
    HashList,
    /// It says a time that is later than a synchronised clock allows (DOMAIN H20).
    IssuedAhead,
    /// The key set it was signed under has expired.
    KeysExpired,
    /// A key set that could not be used: a key twice, a threshold that its keys cannot reach.
    KeysUnusable,
    /// It cannot be read: cut short, continued, or written in a second spelling.
    Malformed,
    /// It belongs to this later epoch: fetch the key sets in between first. Nobody has verified the
    /// number.
    NewerKeys(u32),
    /// It belongs to an earlier epoch than the key set held.
    OldKeys,
    /// It is for another account (DOMAIN H4).
    OtherAccount,
    /// It is for another group of gateways (DOMAIN H3).
    OtherAudience,
    /// It is for another gateway, or for an earlier enrolment of this one.
    OtherGateway,
    /// It is another type of object.
    OtherType,
    /// It is older than what was accepted (DOMAIN H5).
    Rollback {
        /// The version accepted.
        held: Version,
        /// The version refused.
        offered: Version,
    },
    /// It is longer than anything of its type.
    TooLong,
    /// It was issued later than anybody else says that it is: a beacon has to confirm it first
    /// (TRUST section 4, DOMAIN H20).
    Unconfirmed,
    /// Fewer keys signed it than must.
    Unsigned,
    /// It is in a format that this build does not read.
    UnknownFormat,
}

impl Refused {
    /// Returns the name in records, exports and labels.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Absurd => "absurd",
            Self::AlgorithmMissing => "algorithm_missing",
            Self::Damaged => "damaged",
            Self::Expired => "expired",
            Self::Fork => "fork",
            Self::HashList => "bad_hash_list",
            Self::IssuedAhead => "issued_ahead",
            Self::KeysExpired => "keys_expired",
            Self::KeysUnusable => "keys_unusable",
            Self::Malformed => "malformed",
            Self::NewerKeys(_) => "newer_keys",
            Self::OldKeys => "old_keys",
            Self::OtherAccount => "other_account",
            Self::OtherAudience => "other_audience",
            Self::OtherGateway => "other_gateway",
            Self::OtherType => "other_type",
            Self::Rollback { .. } => "rollback",
            Self::TooLong => "too_long",
            Self::Unconfirmed => "unconfirmed",
            Self::Unsigned => "bad_signature",
            Self::UnknownFormat => "unknown_format",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Absurd => "a number is out of all bounds; look at who signs",
            Self::AlgorithmMissing => {
                "the key set asks for an algorithm that this build lacks; update the agent"
            }
            Self::Damaged => "not what was written; restore it or let it be made anew",
            Self::Expired => "expired; publish again, and check the clock",
            Self::Fork => {
                "same version as the one held, other content; find out who signed it twice"
            }
            Self::HashList => "not the hash list that the manifest names; fetch it again",
            Self::IssuedAhead => {
                "says a time more than 10 minutes ahead of a synchronised clock; check both clocks"
            }
            Self::KeysExpired => "signed under a key set that has expired; publish a new key set",
            Self::KeysUnusable => {
                "a key stands twice, is no key, or a threshold is out of reach; make the key set again"
            }
            Self::Malformed => "cannot be read to its end, or in one way only; send it again",
            Self::NewerKeys(epoch) => {
                return write!(
                    f,
                    "says key set {epoch}, which is not held; fetch the key sets first"
                );
            }
            Self::OldKeys => "of an earlier key set than the one held; sign it again",
            Self::OtherAccount => "made for another account; check what was published",
            Self::OtherAudience => "made for another group of gateways; check what was published",
            Self::OtherGateway => {
                "made for another gateway or an earlier enrolment; check the names"
            }
            Self::OtherType => "another type of object than belongs here; check what was published",
            Self::Rollback { held, offered } => {
                return write!(
                    f,
                    "version {offered} is older than {held}, which was accepted; publish again"
                );
            }
            Self::TooLong => "longer than anything of its type; check what was published",
            Self::Unconfirmed => {
                "issued more than 10 minutes ahead of all that is known of the time; waiting for a \
                 beacon that confirms it, or set the clock"
            }
            Self::Unsigned => "not signed by as many of the right keys as must; sign it with those",
            Self::UnknownFormat => "in a format that this build does not read; update the agent",
        };

        f.write_str(text)
    }
}

impl core::error::Error for Refused {}
