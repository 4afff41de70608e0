//! One principal and one token of a snapshot, as they stand in the file.

use zerocopy::little_endian::U64;

use super::{View, text};
use crate::name::Uuid;
use crate::permission::PermissionSet;
use crate::principal::PrincipalKind;
use crate::snapshot::DISABLED;
use crate::snapshot::layout::{NO_IOT_ACCESS, PrincipalRecord, SCOPE_ALL};
use crate::time::End;

/// A principal of one snapshot.
#[derive(Clone, Copy)]
pub struct Principal<'a> {
    pub(crate) record: &'a PrincipalRecord,
    pub(super) scope: &'a [U64],
    pub(super) view: View<'a>,
}

impl<'a> Principal<'a> {
    /// Returns its number in the snapshots of this account; stable over versions.
    #[must_use]
    pub const fn key(&self) -> u32 {
        self.record.key.get()
    }

    /// Returns its id, which outlives its name (DOMAIN B6, N14).
    #[must_use]
    pub const fn id(&self) -> Uuid {
        Uuid(self.record.id)
    }

    /// Returns the bytes of its id, where they stand.
    #[must_use]
    pub const fn id_bytes(&self) -> &'a [u8; 16] {
        &self.record.id
    }

    /// Returns the username, or the friendly name of a service user.
    #[must_use]
    pub fn name(&self) -> &'a str {
        text(self.view.heap, self.record.name_off, self.record.name_len).unwrap_or_default()
    }

    /// Returns what it is.
    #[must_use]
    pub fn kind(&self) -> PrincipalKind {
        // `validate` has refused every other byte; the narrowest kind stands in.
        PrincipalKind::from_byte(self.record.kind).unwrap_or(PrincipalKind::SystemUser)
    }

    /// Returns what it may do.
    #[must_use]
    pub fn permissions(&self) -> PermissionSet {
        let grant = self.view.grants.get(usize::from(self.record.grant.get()));
        grant.map_or(PermissionSet::EMPTY, |grant| PermissionSet(grant.permissions.get()))
    }

    /// Returns whether it is disabled.
    #[must_use]
    pub const fn is_disabled(&self) -> bool {
        self.record.flags & DISABLED != 0
    }

    /// Returns whether it has access to IoT Trust Manager.
    #[must_use]
    pub const fn has_iot_access(&self) -> bool {
        self.record.flags & NO_IOT_ACCESS == 0
    }

    /// Returns whether it may act in every division.
    #[must_use]
    pub const fn reaches_all_divisions(&self) -> bool {
        self.record.flags & SCOPE_ALL != 0
    }

    /// Returns the divisions that it is limited to; none where it reaches all or none.
    pub fn divisions(&self) -> impl Iterator<Item = Uuid> + use<'a> {
        let scope = self.scope;
        self.view.divisions.iter().zip(0_usize..).filter_map(move |(division, at)| {
            let word = scope.get(at / 64)?;
            (word.get() >> (at % 64) & 1 == 1).then_some(Uuid(division.id))
        })
    }

    /// Returns its end.
    #[must_use]
    pub const fn end(&self) -> End {
        End(self.record.end.get())
    }
}

impl core::fmt::Debug for Principal<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Principal")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// A token of one snapshot.
#[derive(Clone, Copy)]
pub struct TokenRow<'a> {
    /// What it is looked up by.
    pub id: u64,
    /// Place of its owner; see [`View::principal`].
    pub owner: usize,
    /// Whether it is disabled.
    pub disabled: bool,
    /// Its end.
    pub end: End,
    /// Not shown anywhere; compared with another snapshot's to tell a rotation.
    pub(crate) verifier: &'a [u8],
}

impl TokenRow<'_> {
    /// Returns whether both rows hold the same secret.
    #[must_use]
    pub fn has_the_secret_of(&self, other: &TokenRow<'_>) -> bool {
        self.verifier == other.verifier
    }
}

impl core::fmt::Debug for TokenRow<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TokenRow")
            .field("id", &self.id)
            .field("owner", &self.owner)
            .field("disabled", &self.disabled)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}
