//! Every outcome that a table and a token can lead to while the request stays the same.

use gateward_core::decide::{self, Reason};

/// One way in which a check can end.
///
/// A suspended account and an expired snapshot are not here: they are the same for every token.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[expect(missing_docs, reason = "the names say what is given; `reason` says what comes of it")]
pub enum Class {
    Allowed,
    /// The same once more, with another token: what equals itself must look equal.
    AllowedAgain,
    AllowedFirstRow,
    AllowedLastRow,
    /// The first byte of the secret is another one.
    SecretFirst,
    SecretLast,
    /// The verifier held differs in its first byte: how far a comparison gets.
    VerifierFirst,
    VerifierLast,
    /// Below every id of the table.
    UnknownLow,
    /// One below an id of the table, so that the look-up ends at that row.
    UnknownNear,
    UnknownHigh,
    /// A service user's token whose id is an API token's.
    OtherKind,
    /// A character outside the alphabet in the secret.
    Malformed,
    BadChecksum,
    /// On the revocation list, and in the snapshot as good as ever.
    TokenRevoked,
    OwnerRevoked,
    TokenDisabled,
    TokenExpired,
    OwnerDisabled,
    OwnerExpired,
    NoIotAccess,
    Stale,
    NoPermission,
    Barred,
    OutOfScope,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 25] = [
        Self::Allowed,
        Self::AllowedAgain,
        Self::AllowedFirstRow,
        Self::AllowedLastRow,
        Self::SecretFirst,
        Self::SecretLast,
        Self::VerifierFirst,
        Self::VerifierLast,
        Self::UnknownLow,
        Self::UnknownNear,
        Self::UnknownHigh,
        Self::OtherKind,
        Self::Malformed,
        Self::BadChecksum,
        Self::TokenRevoked,
        Self::OwnerRevoked,
        Self::TokenDisabled,
        Self::TokenExpired,
        Self::OwnerDisabled,
        Self::OwnerExpired,
        Self::NoIotAccess,
        Self::Stale,
        Self::NoPermission,
        Self::Barred,
        Self::OutOfScope,
    ];

    /// Returns what must come of it: a class that ends otherwise would prove nothing.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Allowed | Self::AllowedAgain | Self::AllowedFirstRow | Self::AllowedLastRow => {
                Reason::Ok
            }
            // The checksum of these texts is right for the secret that they carry.
            Self::SecretFirst | Self::SecretLast | Self::VerifierFirst | Self::VerifierLast => {
                Reason::BadSecret
            }
            Self::UnknownLow | Self::UnknownNear | Self::UnknownHigh | Self::OtherKind => {
                Reason::UnknownToken
            }
            Self::Malformed => Reason::MalformedToken,
            Self::BadChecksum => Reason::BadChecksum,
            Self::TokenRevoked | Self::OwnerRevoked => Reason::Revoked,
            Self::TokenDisabled => Reason::TokenDisabled,
            Self::TokenExpired => Reason::TokenExpired,
            Self::OwnerDisabled => Reason::OwnerDisabled,
            Self::OwnerExpired => Reason::OwnerExpired,
            Self::NoIotAccess => Reason::NoIotAccess,
            Self::Stale => Reason::SnapshotStale,
            Self::NoPermission => Reason::PermissionMissing,
            Self::Barred => Reason::SystemUserBarred,
            Self::OutOfScope => Reason::DivisionDenied,
        }
    }

    /// Returns whether the caller is told the fixed 401 and nothing else.
    #[must_use]
    pub fn is_unauthenticated(self) -> bool {
        self.reason().class() == decide::Class::Authn
    }

    /// Returns its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_stands_at_its_place() {
        for (at, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), at);
        }
    }
}
