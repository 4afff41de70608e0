//! Where a request says which division it is about.
//!
//! Most routes leave that to the upstream, which checks the same key again; a path or a query that
//! names a division, or something in one, is judged here.

use crate::name::Uuid;

/// Where a request says which division it is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DivisionSource {
    /// The thing is in no division.
    None,
    /// The path names the division: the slot `{division}`, else the first segment of the tail.
    PathDivision,
    /// The path names something of this kind that the resource index ties to a division.
    PathResource(ResourceKind),
    /// The parameter `division_id`; without it the upstream filters by scope (DOMAIN D11, D12).
    Query,
    /// Only the upstream can know (DOMAIN D11, D14).
    Upstream,
}

impl DivisionSource {
    /// Reads the words of the table.
    #[must_use]
    pub fn parse(words: &str) -> Option<Self> {
        match words {
            "none" => Some(Self::None),
            "path:division" => Some(Self::PathDivision),
            "query:division_id else filter" => Some(Self::Query),
            "upstream" => Some(Self::Upstream),
            _ if words.starts_with("upstream(") && words.ends_with(')') => Some(Self::Upstream),
            _ => ResourceKind::parse(words.strip_prefix("path:")?).map(Self::PathResource),
        }
    }

    /// Returns the name of the slot with the id, where the path holds it.
    pub(super) const fn slot(self) -> Option<&'static str> {
        match self {
            Self::PathDivision => Some("division"),
            Self::PathResource(kind) => Some(kind.slot()),
            Self::None | Self::Query | Self::Upstream => None,
        }
    }
}

/// A kind of things in the resource index, as FORMAT numbers them.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ResourceKind(pub(super) u8);

impl ResourceKind {
    /// An enrollment profile; `{ep}` in patterns.
    pub const ENROLLMENT_PROFILE: Self = Self(1);
    /// A certificate management policy of Device Trust Manager; `{policy}` in patterns.
    pub const POLICY: Self = Self(2);

    /// Reads the name used in policies and tables.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::ENROLLMENT_PROFILE, Self::POLICY].into_iter().find(|kind| kind.name() == name)
    }

    /// Reads the number in a snapshot.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        matches!(byte, 1 | 2).then_some(Self(byte))
    }

    /// Returns the number in a snapshot.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self.0
    }

    /// Returns the name used in policies and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        if self.0 == Self::POLICY.0 { "policy" } else { "enrollment_profile" }
    }

    const fn slot(self) -> &'static str {
        if self.0 == Self::POLICY.0 { "policy" } else { "ep" }
    }
}

/// Reads the id of a resource, as paths and policies write it: a UUID, also after `IOT_`.
#[must_use]
pub fn resource_id(text: &str) -> Option<Uuid> {
    Uuid::parse(text.strip_prefix("IOT_").unwrap_or(text))
}
