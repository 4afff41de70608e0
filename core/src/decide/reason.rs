//! Why a request is allowed or denied: a closed list, appended to and never renumbered.

use core::fmt;

/// What a reason means for the caller (DOMAIN section 4).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Class {
    /// The request may go on.
    Allow,
    /// The credential is not good: 401, one fixed answer.
    Authn,
    /// The credential is good and may not do this: 403, without the reason.
    Authz,
    /// No answer can be given now: 503 or 429 with `Retry-After`.
    Unavailable,
}

macro_rules! reasons {
    ($($number:literal $variant:ident $name:literal $class:ident $text:literal;)*) => {
        /// Why a request is allowed or denied.
        ///
        /// The numbers are those of records; the names are those of exports, `explain` and metric
        /// labels (DOMAIN section 4).
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        #[repr(u8)]
        pub enum Reason {
            $(#[doc = $text] $variant = $number,)*
        }

        impl Reason {
            /// Every reason, in the order of the numbers.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Returns the name in exports and labels.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns what it means for the caller.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)* }
            }

            /// Returns one sentence for operators; callers are not told.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

reasons! {
    0 Ok "ok" Allow "every check passed";
    1 OkPublic "ok_public" Allow "the route needs no credential";
    2 PassthroughDevice "passthrough_device" Allow "a device credential, for the upstream to check";
    3 MissingCredential "missing_credential" Authn "no credential was sent";
    4 MalformedToken "malformed_token" Authn "the text is not a token";
    5 BadChecksum "bad_checksum" Authn "the checksum is not the text's";
    6 UnknownToken "unknown_token" Authn "no such token in this snapshot";
    7 BadSecret "bad_secret" Authn "the secret is not this token's";
    8 TokenDisabled "token_disabled" Authn "the token is disabled";
    9 TokenExpired "token_expired" Authn "the token's end date has passed";
    10 OwnerDisabled "owner_disabled" Authn "the owner is disabled";
    11 OwnerExpired "owner_expired" Authn "the owner's end date has passed";
    12 CertUnknown "cert_unknown" Authn "no such client certificate in this snapshot";
    13 CertDisabled "cert_disabled" Authn "the client certificate is disabled";
    14 CertExpired "cert_expired" Authn "the client certificate's end date has passed";
    15 AccountSuspended "account_suspended" Authn "the account is suspended";
    16 IpNotAllowed "ip_not_allowed" Authn "the address is not in the allowed ranges";
    17 CredentialConflict "credential_conflict" Authn "more than one credential was sent";
    18 CredentialNotAccepted "credential_not_accepted" Authn "this route takes device credentials only";
    19 Revoked "revoked" Authn "the credential is on the revocation list";
    20 NoIotAccess "no_iot_access" Authz "the principal has no access to IoT Trust Manager";
    21 PermissionMissing "permission_missing" Authz "none of the permissions asked for is held";
    22 SystemUserBarred "system_user_barred" Authz "system users cannot request or approve";
    23 DivisionDenied "division_denied" Authz "the division is outside the principal's scope";
    24 DivisionUnspecified "division_unspecified" Authz "a limited principal must name a division";
    25 RouteUnknown "route_unknown" Authz "no rule knows this path";
    26 MethodNotAllowed "method_not_allowed" Authz "no rule knows this method on this path";
    27 SnapshotStale "snapshot_stale" Authz "the operation needs a fresher snapshot";
    28 NoSnapshot "no_snapshot" Unavailable "no usable snapshot is held";
    29 SnapshotExpired "snapshot_expired" Unavailable "the snapshot has expired";
    30 ClockUntrusted "clock_untrusted" Unavailable "no time is known that could be trusted";
    31 AuditUnavailable "audit_unavailable" Unavailable "the record could not be written";
    32 RateLimited "rate_limited" Unavailable "too many requests";
    33 Internal "internal" Unavailable "the gateway made a mistake";
}

impl Reason {
    /// Reads the number of a record.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_places_are_the_same_so_that_a_record_can_be_read_back() {
        for (at, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(usize::from(*reason as u8), at);
            assert_eq!(Reason::from_byte(*reason as u8), Some(*reason));
        }
        assert_eq!(Reason::from_byte(34), None);
    }
}
