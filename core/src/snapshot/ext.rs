//! What an operator adds to the built-in catalogue and route table, at the end of a snapshot.
//!
//! Postcard: a list of permissions, then a list of routes. Read when a snapshot is opened and by
//! the agent, never by the constant-time check (TRUST section 1).

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::permission::{Entry, Operations, Permission, PermissionSet};
use crate::route::{Rule, RuleRecord};
use crate::trust::wire;

/// The most entries of either list.
pub const MAX_ADDED: u16 = 1_024;

/// The extensions of one snapshot; empty where it has none.
#[derive(Clone, Copy)]
pub struct Ext<'a>(&'a [u8]);

/// The extensions are not two lists of known things.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BadExt;

/// A permission that the operator added, as it is written.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct PermissionRecord<'a> {
    /// Its bit, 19 to 63.
    pub bit: u8,
    /// Its id.
    pub id: &'a str,
    /// Operations that it can grant, as [`Operations`].
    pub ops: u8,
    /// Of those, the ones that are refused once stale.
    pub fresh_ops: u8,
    /// Whether a division limits it.
    pub division_scoped: bool,
}

impl<'a> PermissionRecord<'a> {
    fn entry(self) -> Option<Entry<'a>> {
        let permission = Permission::new(self.bit)?;
        let free = !crate::permission::KNOWN.contains(permission);
        let ops_known = (self.ops | self.fresh_ops) >> 7 == 0;

        (free && ops_known).then_some(Entry {
            permission,
            id: self.id,
            alias: "",
            label: "",
            ops: Operations(self.ops),
            fresh_ops: Operations(self.fresh_ops),
            division_scoped: self.division_scoped,
        })
    }
}

impl<'a> Ext<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Returns the permissions that were added.
    pub fn permissions(self) -> impl Iterator<Item = Entry<'a>> + Clone + use<'a> {
        List::<PermissionRecord<'a>>::new(self.0).filter_map(|record| record.ok()?.entry())
    }

    /// Returns the routes that were added, or that replace a built-in one of the same id.
    pub fn routes(self) -> impl Iterator<Item = Rule<'a>> + Clone + use<'a> {
        let mut permissions = List::<PermissionRecord<'a>>::new(self.0);
        while let Some(Ok(_)) = permissions.next() {}
        List::<RuleRecord<'a>>::new(permissions.rest).filter_map(|record| record.ok()?.rule())
    }

    /// Finds the row of a permission by its id, the built-in ones first.
    #[must_use]
    pub fn permission(self, id: &str) -> Option<Entry<'a>> {
        Entry::named(id).copied().or_else(|| self.permissions().find(|entry| entry.id == id))
    }

    /// Finds the row of a permission by its bit, the built-in ones first: the same rows that ids lead
    /// to. One whose id is taken can be asked for in neither way.
    #[must_use]
    pub fn entry(self, permission: Permission) -> Option<Entry<'a>> {
        let leads_here = |entry: &Entry<'a>| self.permission(entry.id).as_ref() == Some(entry);
        let added = || self.permissions().find(|entry| entry.permission == permission);

        Entry::of(permission).copied().or_else(|| added().filter(leads_here))
    }

    /// Reads everything once, so that the iterators leave nothing out.
    pub(super) fn validate(self) -> Result<(), BadExt> {
        if self.0.is_empty() {
            return Ok(());
        }
        let mut seen = PermissionSet::EMPTY;
        let mut permissions = List::<PermissionRecord<'a>>::new(self.0);
        while let Some(record) = permissions.next_in_one_spelling() {
            let entry = record?.entry().ok_or(BadExt)?;
            if seen.contains(entry.permission) {
                return Err(BadExt);
            }
            seen = seen.union(entry.permission.set());
        }
        if permissions.bad {
            return Err(BadExt);
        }
        let mut routes = List::<RuleRecord<'a>>::new(permissions.rest);
        while let Some(record) = routes.next_in_one_spelling() {
            record?.rule().ok_or(BadExt)?;
        }

        if routes.bad || !routes.rest.is_empty() { Err(BadExt) } else { Ok(()) }
    }
}

impl fmt::Debug for Ext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ext({} bytes)", self.0.len())
    }
}

/// Reads a postcard list one entry at a time, without room for all of it.
struct List<'a, T> {
    rest: &'a [u8],
    left: u16,
    bad: bool,
    kind: core::marker::PhantomData<T>,
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        Self { rest: self.rest, left: self.left, bad: self.bad, kind: self.kind }
    }
}

impl<'a, T> List<'a, T> {
    fn new(bytes: &'a [u8]) -> Self {
        let kind = core::marker::PhantomData;
        match wire::take::<u16>(bytes) {
            Ok((left, rest)) if left <= MAX_ADDED => Self { rest, left, bad: false, kind },
            Ok(_) | Err(_) => Self { rest: bytes, left: 0, bad: !bytes.is_empty(), kind },
        }
    }
}

impl<'a, T: Deserialize<'a> + Serialize> List<'a, T> {
    /// Like `next`, for the one time when everything is checked: one content has one file.
    fn next_in_one_spelling(&mut self) -> Option<Result<T, BadExt>> {
        let before = self.rest;
        let record = self.next()?;

        Some(record.and_then(|_| wire::take(before).map(|(record, _)| record).map_err(|_| BadExt)))
    }
}

impl<'a, T: Deserialize<'a>> Iterator for List<'a, T> {
    type Item = Result<T, BadExt>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        match postcard::take_from_bytes(self.rest) {
            Ok((record, rest)) => {
                self.rest = rest;
                Some(Ok(record))
            }
            Err(_) => {
                self.left = 0;
                self.bad = true;
                Some(Err(BadExt))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::CATALOGUE;

    #[test]
    fn a_bit_leads_to_the_row_that_its_id_leads_to_or_nowhere() {
        let row =
            |bit, id| PermissionRecord { bit, id, ops: 0x7f, fresh_ops: 0, division_scoped: false };
        let rows =
            [row(20, "scan"), row(21, "scan"), row(22, "manage_device"), row(23, "stamp")].to_vec();
        let bytes = postcard::to_allocvec(&(rows, 0_u8)).unwrap();
        let ext = Ext::new(&bytes);
        ext.validate().unwrap();
        let found = |bit| ext.entry(Permission::new(bit).unwrap()).map(|entry| entry.id);

        assert_eq!([0, 20, 23].map(found), [Some(CATALOGUE[0].id), Some("scan"), Some("stamp")]);
        assert_eq!([21, 22, 24].map(found), [None; 3]);
    }
}
