//! Who acts: a user behind an API token, or a service user.

/// What a principal is; the bar on system users hangs on it (DOMAIN 3.2, N4).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[repr(u8)]
pub enum PrincipalKind {
    /// A standard user whose access scope is an account.
    User = 0,
    /// A standard user whose access scope is the system: never requests certificates or
    /// intermediate CAs.
    SystemUser = 1,
    /// A service user: has what it was given, and nothing of whoever made it.
    ServiceUser = 2,
}

impl PrincipalKind {
    /// Reads the byte of a snapshot record.
    #[must_use]
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::User),
            1 => Some(Self::SystemUser),
            2 => Some(Self::ServiceUser),
            _ => None,
        }
    }

    /// Returns the kind of token that acts for this kind of principal.
    #[must_use]
    pub const fn token_kind(self) -> TokenKind {
        match self {
            Self::User | Self::SystemUser => TokenKind::Api,
            Self::ServiceUser => TokenKind::Service,
        }
    }
}

/// The two kinds of token (TRUST section 2).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum TokenKind {
    /// Has its administrator's rights.
    Api = 1,
    /// Has its service user's rights.
    Service = 2,
}

impl TokenKind {
    /// Returns the name used in policies, answers and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api_token",
            Self::Service => "service_user",
        }
    }
}
