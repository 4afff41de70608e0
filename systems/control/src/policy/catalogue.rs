//! The permissions there are: the built-in ones, and what an operator adds on free bits so that
//! the same agent serves other products.

use gateward_core::permission::{CATALOGUE, Operation, Operations, Permission, PermissionSet};

use super::fields::{Fields, Text};
use super::folder::Root;
use super::mistake::Mistakes;

/// A permission that the operator added.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Addition {
    /// Its bit, past the built-in ones.
    pub permission: Permission,
    /// Its id.
    pub id: String,
    /// Operations that it can grant.
    pub ops: Operations,
    /// Of those, the ones that are refused once stale.
    pub fresh_ops: Operations,
    /// Whether a division limits it; true where it is left out.
    pub division_scoped: bool,
}

/// Every permission that a policy may name.
#[derive(Clone, Debug, Default)]
pub struct Catalogue(Vec<Addition>);

/// The first bit that is free for additions.
const FIRST_FREE: usize = CATALOGUE.len();

impl Catalogue {
    /// Returns what was added, in the order of bits.
    #[must_use]
    pub fn additions(&self) -> &[Addition] {
        &self.0
    }

    /// Finds a permission by its id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Permission> {
        let built_in = CATALOGUE.iter().find(|entry| entry.id == id).map(|entry| entry.permission);

        built_in
            .or_else(|| self.0.iter().find(|added| added.id == id).map(|added| added.permission))
    }

    /// Returns the ids of a set, in the order of bits.
    #[must_use]
    pub fn ids(&self, set: PermissionSet) -> Vec<String> {
        set.iter().map(|permission| self.id(permission)).collect()
    }

    fn id(&self, permission: Permission) -> String {
        let built_in =
            CATALOGUE.iter().find(|entry| entry.permission == permission).map(|entry| entry.id);
        let added = || self.0.iter().find(|added| added.permission == permission);
        match built_in.or_else(|| added().map(|added| added.id.as_str())) {
            Some(id) => id.to_owned(),
            None => format!("bit {}", permission.bit()),
        }
    }

    pub(super) fn read(root: &Root, mistakes: &mut Mistakes) -> Self {
        let mut catalogue = Self::default();
        for (place, table) in root.many("permissions", mistakes) {
            let mut fields = Fields::new("permissions", place, table, mistakes);
            let addition = catalogue.addition(&mut fields);
            fields.finish();
            catalogue.0.extend(addition);
        }
        catalogue.0.sort_by_key(|added| added.permission);

        catalogue
    }

    fn addition(&self, fields: &mut Fields<'_>) -> Option<Addition> {
        let id = fields.token("id", "_");
        let upper = id.text.contains(|c: char| c.is_ascii_uppercase());
        if upper {
            fields.wrong(id.place, "id", "use lower-case letters, digits and `_`");
        }
        if self.find(&id.text).is_some() {
            let what = format!("`{}` is a permission already; choose another id", id.text);
            fields.wrong(id.place, "id", what);
        }
        let permission = self.free_bit(fields);
        let ops = operations(fields, "ops");
        let fresh_ops = operations(fields, "fresh_ops").unwrap_or_default();
        if ops.is_none_or(|ops| ops == Operations::default()) {
            let what = "must list at least one operation, else the permission grants nothing";
            fields.wrong(fields.place(), "ops", what);
        }
        let ops = ops.unwrap_or_default();
        if fresh_ops.0 & !ops.0 != 0 {
            fields.wrong(fields.place(), "fresh_ops", "lists an operation that `ops` does not");
        }
        let division_scoped = fields.flag("division_scoped").unwrap_or(true);

        Some(Addition { permission: permission?, id: id.text, ops, fresh_ops, division_scoped })
    }

    fn free_bit(&self, fields: &mut Fields<'_>) -> Option<Permission> {
        let Some((place, number)) = fields.number("bit") else {
            fields.wrong(fields.place(), "bit", format!("must be a bit from {FIRST_FREE} to 63"));
            return None;
        };
        let free = |bit: &u8| usize::from(*bit) >= FIRST_FREE;
        let bit = u8::try_from(number).ok().filter(free).and_then(Permission::new);
        match bit {
            None => {
                let what = format!("`{number}`: bits {FIRST_FREE} to 63 are free");
                fields.wrong(place, "bit", what);
            }
            Some(bit) => {
                if let Some(twin) = self.0.iter().find(|added| added.permission == bit) {
                    let what = format!("`{number}` is the bit of `{}`; choose another", twin.id);
                    fields.wrong(place, "bit", what);
                }
            }
        }

        bit
    }

    /// Reads a list of permissions.
    pub(super) fn set(&self, fields: &mut Fields<'_>, key: &'static str) -> PermissionSet {
        let (_, ids) = fields.texts(key).unwrap_or_default();

        ids.iter().filter_map(|id| self.known(fields, key, id)).collect()
    }

    /// Returns the permission called `id`; that there is none is noted.
    pub(super) fn known(
        &self,
        fields: &mut Fields<'_>,
        key: &str,
        id: &Text,
    ) -> Option<Permission> {
        let permission = self.find(&id.text);
        if permission.is_none() {
            let known: Vec<&str> = CATALOGUE
                .iter()
                .map(|entry| entry.id)
                .chain(self.0.iter().map(|added| added.id.as_str()))
                .collect();
            let what = format!(
                "`{}` is no permission; add it under [[permissions]], or choose among {}",
                id.text.escape_debug(),
                known.join(", ")
            );
            fields.wrong(id.place, key, what);
        }

        permission
    }
}

fn operations(fields: &mut Fields<'_>, key: &'static str) -> Option<Operations> {
    let (_, names) = fields.texts(key)?;
    let mut set = Operations::default();
    for name in names {
        if let Some(operation) = Operation::parse(&name.text) {
            set = set.with(operation);
        } else {
            let known: Vec<_> = Operation::ALL.iter().map(|operation| operation.name()).collect();
            let what = format!(
                "`{}` is no operation; choose among {}",
                name.text.escape_debug(),
                known.join(", ")
            );
            fields.wrong(name.place, key, what);
        }
    }

    Some(set)
}
