//! Where a principal may act: everywhere, or in a set of divisions.
//!
//! `All` is said explicitly and by nothing else; an empty set, a missing one and one that was cut
//! short all mean nowhere (DOMAIN N5).

/// The most divisions a snapshot can hold (TRUST section 1).
pub const MAX_DIVISIONS: usize = 256;

/// The place of a division in one snapshot.
///
/// Made only by looking a division up, so it is never past the table.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DivisionIndex(pub(crate) u16);

impl DivisionIndex {
    /// Returns the place, counted from 0.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// What a request is about, as far as divisions matter (DOMAIN section 4, rule of divisions).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// A division of this snapshot.
    Division(DivisionIndex),
    /// A division that this snapshot does not know: only a principal without limits passes.
    Foreign,
    /// Something that is no division, or two that differ: nobody passes (DOMAIN D13).
    Malformed,
    /// An item that is in no division (DOMAIN D10).
    Unattached,
    /// No permission asked for depends on divisions (DOMAIN D17).
    Unscoped,
    /// Nothing is said about the division, and the caller asks for a final answer (DOMAIN D14).
    Unspecified,
    /// The upstream checks the same key again and learns the scope from us (DOMAIN D11).
    Upstream,
}

/// What the operator decides about requests whose division is open.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DivisionRules {
    /// Denies a limited principal where the division is left to the upstream too.
    pub strict: bool,
    /// Denies a limited principal on an item that is in no division (DOMAIN Q4).
    pub deny_unattached: bool,
}
