//! The policy of one account: what a folder says, once all of it has been found to be right.
//!
//! [`Policy::load`] is the only way to one that is published, so whatever holds a [`Policy`] checks
//! nothing again.
//! One folder is one account: a service user of another account stands in another folder.

mod catalogue;
mod fields;
mod folder;
mod known;
mod mistake;
mod pending;
mod people;
mod routes;
mod snapshot;
mod structure;
mod text;
mod tokens;

pub use catalogue::{Addition, Catalogue};
pub use known::{KnownIds, Widening};
pub use mistake::{Mistake, Mistakes, Place};
pub use people::{Principal, PrincipalStatus};
pub use routes::RouteEntry;
pub use snapshot::{Allows, Sizes, Staleness};
pub use structure::{Account, Division, Group, Resource};
pub use tokens::{Token, TokenStatus};

pub use folder::Sources;
pub(crate) use folder::{POLICY, SERVICE_USERS, TOKENS, USERS};
pub(crate) use pending::Pending;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gateward_core::name::Uuid;

use crate::whole;

/// Everything that an account allows.
#[derive(Clone, Debug)]
pub struct Policy {
    account: Account,
    allows: Allows,
    catalogue: Catalogue,
    divisions: Vec<Division>,
    groups: Vec<Group>,
    principals: Vec<Principal>,
    resources: Vec<Resource>,
    routes: Vec<RouteEntry>,
    sizes: Sizes,
    staleness: Staleness,
    tokens: Vec<Token>,
}

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It says something that is wrong.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
    /// There is no policy there.
    #[error("`{}` is missing, so this is no policy folder; `gateward-control init` makes one", .0.display())]
    Missing(PathBuf),
    /// A file of it cannot be read.
    #[error(transparent)]
    Unreadable(#[from] whole::Failed),
}

impl Policy {
    /// Reads the folder `dir` and compares it with what was last published from there.
    ///
    /// # Errors
    ///
    /// Returns everything that is wrong, or the file that cannot be read.
    pub fn load(dir: &Path) -> Result<Self, Unusable> {
        Ok(Self::check(&Sources::read(dir)?)?)
    }

    /// Checks the texts of a folder.
    ///
    /// # Errors
    ///
    /// Returns everything that is wrong.
    pub fn check(sources: &Sources) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let root = sources.parse(&mut mistakes);
        let policy = Self::read(&root, &mut mistakes);
        match KnownIds::parse(&sources.known) {
            Ok(known) => known.compare(&policy, &mut mistakes),
            Err(place) => mistakes.add(
                place,
                "known-ids",
                "is not a line that `publish` writes; restore the file from a backup",
            ),
        }

        mistakes.none_or(policy)
    }

    /// Returns a policy with nobody in it, which must never be published: it stands for one that
    /// cannot be read while what was published before is kept fresh.
    pub(crate) fn stand_in(
        account: Uuid,
        groups: Vec<Group>,
        (staleness, sizes, allows): (Staleness, Sizes, Allows),
    ) -> Self {
        Self {
            account: Account { id: account, ..Account::default() },
            allows,
            catalogue: Catalogue::default(),
            divisions: Vec::new(),
            groups,
            principals: Vec::new(),
            resources: Vec::new(),
            routes: Vec::new(),
            sizes,
            staleness,
            tokens: Vec::new(),
        }
    }

    fn read(root: &folder::Root, mistakes: &mut Mistakes) -> Self {
        let account = structure::account(root, mistakes);
        let (staleness, sizes, allows) = snapshot::snapshot(root, mistakes);
        let catalogue = Catalogue::read(root, mistakes);
        let mut ids = structure::Ids::default();
        let divisions = structure::divisions(root, &mut ids, mistakes);
        let groups = structure::groups(root, &divisions, mistakes);
        let roles = structure::roles(root, &catalogue, mistakes);
        let people =
            people::Context { catalogue: &catalogue, divisions: &divisions, roles: &roles };
        let principals = people.principals(root, &mut ids, mistakes);
        let tokens = tokens::read(root, &principals, mistakes);
        let resources = structure::resources(root, &divisions, mistakes);
        let routes = routes::read(root, &catalogue, mistakes);

        Self {
            account,
            allows,
            catalogue,
            divisions,
            groups,
            principals,
            resources,
            routes,
            sizes,
            staleness,
            tokens,
        }
    }

    /// Returns whose policy it is.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// Returns what the operators of gateways may choose.
    #[must_use]
    pub const fn allows(&self) -> Allows {
        self.allows
    }

    /// Returns in what sizes a snapshot travels.
    #[must_use]
    pub const fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Returns how long gateways believe a snapshot.
    #[must_use]
    pub const fn staleness(&self) -> Staleness {
        self.staleness
    }

    /// Returns the permissions there are.
    #[must_use]
    pub const fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Returns the divisions, deleted ones too.
    #[must_use]
    pub fn divisions(&self) -> &[Division] {
        &self.divisions
    }

    /// Returns the groups of gateways.
    #[must_use]
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Returns the group called `id`.
    #[must_use]
    pub fn group(&self, id: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.id == id)
    }

    /// Returns users and service users, deleted ones too.
    #[must_use]
    pub fn principals(&self) -> &[Principal] {
        &self.principals
    }

    /// Returns the tokens, deleted ones too.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Returns which resource is in which division.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// Returns the routes that are added to the built-in ones.
    #[must_use]
    pub fn routes(&self) -> &[RouteEntry] {
        &self.routes
    }

    /// Returns the principals by their ids.
    #[must_use]
    pub fn principals_by_id(&self) -> BTreeMap<Uuid, &Principal> {
        self.principals.iter().map(|principal| (principal.id, principal)).collect()
    }
}

#[cfg(test)]
mod tests;
