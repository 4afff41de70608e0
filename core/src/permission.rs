//! What may be done: permissions, operations and the two built-in roles, all of them data.
//!
//! Bits are frozen and never reused. A bit that this build does not know grants nothing (DOMAIN N6,
//! A16).

use core::fmt;

use crate::token::differs;

/// One permission, by its bit in a set. Always below 64: no value is an alias of another.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Permission(u8);

impl Permission {
    /// Returns the permission with this bit, or none past 63.
    #[must_use]
    pub const fn new(bit: u8) -> Option<Self> {
        if bit < 64 { Some(Self(bit)) } else { None }
    }

    /// Returns the bit, 0 to 63.
    #[must_use]
    pub const fn bit(self) -> u8 {
        self.0
    }

    /// Returns the set of this permission alone.
    #[must_use]
    pub const fn set(self) -> PermissionSet {
        PermissionSet(1 << (self.0 & 63))
    }
}

impl fmt::Debug for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Entry::of(*self) {
            Some(entry) => f.write_str(entry.id),
            None => write!(f, "bit {}", self.0),
        }
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PermissionSet(pub u64);

impl PermissionSet {
    /// No permission.
    pub const EMPTY: Self = Self(0);

    /// Returns whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns what is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns what is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Returns whether `permission` is in the set.
    #[must_use]
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.set().0 != 0
    }

    /// Returns the permissions in ascending order of their bits.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        (0..64).map(Permission).filter(move |permission| self.contains(*permission))
    }

    /// Returns the permission with the lowest bit.
    #[must_use]
    pub fn first(self) -> Option<Permission> {
        // On a machine of 32 bits, the zeros of all 64 are a branch on which half the bit is in.
        let [a, b, c, d, e, f, g, h] = self.0.to_le_bytes();
        let (low, high) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        let in_high = differs(low, 0) ^ u32::MAX;
        let zeros = low.trailing_zeros() & !in_high | (32 + high.trailing_zeros()) & in_high;

        u8::try_from(zeros).ok().and_then(Permission::new)
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<T: IntoIterator<Item = Permission>>(iter: T) -> Self {
        iter.into_iter().fold(Self::EMPTY, |set, permission| set.union(permission.set()))
    }
}

impl fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// What a request does, as far as rights depend on it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum Operation {
    /// Approves somebody's request.
    Approve = 0,
    /// Removes something.
    Delete = 1,
    /// Requests or renews a certificate.
    Issue = 2,
    /// Requests an intermediate CA.
    IssueCa = 3,
    /// Looks at something.
    Read = 4,
    /// Revokes a certificate.
    Revoke = 5,
    /// Makes or changes something.
    Write = 6,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 7] = [
        Self::Approve,
        Self::Delete,
        Self::Issue,
        Self::IssueCa,
        Self::Read,
        Self::Revoke,
        Self::Write,
    ];

    /// Reads the name used in policies, tables and requests.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// Reads the byte of a record or of an extension.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| *operation as u8 == byte)
    }

    /// Returns the name used in policies, tables and requests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Delete => "delete",
            Self::Issue => "issue",
            Self::IssueCa => "issue_ca",
            Self::Read => "read",
            Self::Revoke => "revoke",
            Self::Write => "write",
        }
    }

    /// Returns whether a system user is barred from it, whatever its permissions say (DOMAIN 3.2,
    /// N4).
    #[must_use]
    pub const fn bars_system_users(self) -> bool {
        matches!(self, Self::Approve | Self::Issue | Self::IssueCa)
    }
}

/// A set of operations, one bit each in the order of [`Operation`].
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Operations(pub u8);

impl Operations {
    /// Returns whether `operation` is in the set.
    #[must_use]
    pub const fn contains(self, operation: Operation) -> bool {
        self.0 & (1 << operation as u8) != 0
    }

    /// Returns the set with `operation` in it.
    #[must_use]
    pub const fn with(self, operation: Operation) -> Self {
        Self(self.0 | (1 << operation as u8))
    }
}

/// One row of the permission catalogue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry<'a> {
    /// Its bit.
    pub permission: Permission,
    /// The name used everywhere in Gateward, such as `manage_device`.
    pub id: &'a str,
    /// DigiCert's machine name where one is published, else one after the same pattern.
    pub alias: &'a str,
    /// The words of DigiCert's role tables.
    pub label: &'a str,
    /// Operations that it can grant.
    pub ops: Operations,
    /// Of those, the ones that are refused once the snapshot is stale.
    pub fresh_ops: Operations,
    /// Whether a division limits it.
    pub division_scoped: bool,
}

impl Entry<'static> {
    /// Returns the built-in row of `permission`.
    #[must_use]
    pub fn of(permission: Permission) -> Option<&'static Self> {
        CATALOGUE.iter().find(|entry| entry.permission == permission)
    }

    /// Returns the built-in row called `id`.
    #[must_use]
    pub fn named(id: &str) -> Option<&'static Self> {
        CATALOGUE.iter().find(|entry| entry.id == id)
    }
}

impl Entry<'_> {
    /// Returns the operation that a request means which names this permission alone: the
    /// strictest one it can grant (INTERFACES section 5).
    #[must_use]
    pub fn strictest(&self) -> Operation {
        let mut strictest =
            if self.ops.contains(Operation::Write) { Operation::Write } else { Operation::Read };
        for operation in [Operation::Issue, Operation::IssueCa] {
            if self.ops.contains(operation) {
                strictest = operation;
            }
        }

        strictest
    }

    /// Returns the built-in permission that includes this one for reading, if there is one:
    /// whoever manages certificates may look at them (DOMAIN 3.2, A1, A14).
    #[must_use]
    pub fn read_through(&self) -> Option<&'static Entry<'static>> {
        if self.id == "view_certificate" { Entry::named("manage_certificate") } else { None }
    }
}

/// A role that needs no definition in a policy. The names are ours (DOMAIN Q1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BuiltinRole {
    /// Its name in policies.
    pub id: &'static str,
    /// What it holds.
    pub permissions: PermissionSet,
    /// Whether it is meant for users whose access scope is the system.
    pub system: bool,
}

/// The two built-in roles (DOMAIN section 6).
pub const BUILTIN_ROLES: [BuiltinRole; 2] = [
    BuiltinRole { id: "iot_account_admin", permissions: ACCOUNT_ADMIN, system: false },
    BuiltinRole { id: "iot_system_admin", permissions: SYSTEM_ADMIN, system: true },
];

/// Every built-in permission.
pub const KNOWN: PermissionSet = {
    let mut set = PermissionSet::EMPTY;
    let mut rest: &[Entry<'static>] = &CATALOGUE;
    while let [entry, tail @ ..] = rest {
        set = set.union(entry.permission.set());
        rest = tail;
    }
    set
};

include!(concat!(env!("OUT_DIR"), "/permissions.rs"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n15_the_built_in_roles_have_their_published_masks() {
        let [account, system] = BUILTIN_ROLES;

        assert_eq!(account.permissions.0, 0x3f7ef);
        assert_eq!(system.permissions.0, 0x3fbbf);
        assert_eq!(account.permissions.intersection(system.permissions).0, 0x3f3af);
        assert_eq!(account.permissions.union(system.permissions).0, 0x3ffff);
    }

    #[test]
    fn a_permission_past_63_cannot_be_made() {
        assert!(Permission::new(63).is_some());
        assert!(Permission::new(64).is_none());
    }

    #[test]
    fn left_out_the_operation_is_the_strictest_that_the_permission_can_mean() {
        let strictest = |id| Entry::named(id).unwrap().strictest();

        assert_eq!(strictest("manage_certificate"), Operation::Issue);
        assert_eq!(strictest("manage_iot_ca"), Operation::IssueCa);
        assert_eq!(strictest("view_certificate"), Operation::Read);
        assert_eq!(strictest("manage_device"), Operation::Write);
    }

    #[test]
    fn the_catalogue_has_nineteen_rows_in_the_order_of_their_bits() {
        assert_eq!(CATALOGUE.len(), 19);
        assert!(CATALOGUE.iter().zip(0..).all(|(entry, bit)| entry.permission.bit() == bit));
        assert_eq!(KNOWN.0, 0x7ffff);
    }
}
