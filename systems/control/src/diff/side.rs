//! One side of a comparison: the bytes of a snapshot, also where it begins as a policy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use gateward_core::name::Uuid;
use gateward_core::permission::PermissionSet;
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::build::{BadContents, Scope, VerifierLen};
use gateward_core::snapshot::{Principal, Refused, TokenRow, Unsigned, View, unsigned};
use gateward_core::time::End;
use gateward_core::token::Lookup;

use crate::compile::contents;
use crate::policy::Policy;

/// What a gateway would decide by.
pub struct Side {
    content: Unsigned<Vec<u8>>,
    pub(super) divisions: BTreeMap<Uuid, String>,
    pub(super) people: BTreeMap<Uuid, Person>,
    pub(super) tokens: BTreeMap<u64, TokenSide>,
}

impl fmt::Debug for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Side").field("people", &self.people.len()).finish_non_exhaustive()
    }
}

/// A user or a service user.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) name: String,
    pub(super) kind: PrincipalKind,
    pub(super) disabled: bool,
    pub(super) iot_access: bool,
    pub(super) permissions: BTreeSet<String>,
    pub(super) scope: Scope,
    pub(super) end: End,
}

/// A token.
#[derive(Clone, Copy, Debug)]
pub(super) struct TokenSide {
    pub(super) lookup: Lookup,
    pub(super) owner: Uuid,
    pub(super) disabled: bool,
    pub(super) end: End,
}

/// Why there is nothing to compare.
#[derive(Debug, thiserror::Error)]
pub enum NoSide {
    /// The policy as a whole does not fit one snapshot.
    #[error("{0}; compile each group and compare the files")]
    BadContents(BadContents),
    /// The bytes are no snapshot.
    #[error("not a snapshot: {0}")]
    Refused(Refused),
}

impl Side {
    /// Takes a policy as a gateway would that knows everybody.
    ///
    /// # Errors
    ///
    /// It does not fit one snapshot.
    pub fn of_policy(policy: &Policy) -> Result<Self, NoSide> {
        let bytes =
            contents(policy, None).compile(VerifierLen::Full).map_err(NoSide::BadContents)?;

        Ok(Self::of_snapshot(bytes)?.named_by(policy))
    }

    /// Names tokens as the commands do: a snapshot does not say which were imported, the policy
    /// does, of deleted ones too.
    #[must_use]
    pub fn named_by(mut self, policy: &Policy) -> Self {
        for token in policy.tokens() {
            if let Some(shown) = self.tokens.get_mut(&token.lookup.id) {
                shown.lookup = token.lookup;
            }
        }

        self
    }

    /// Takes the bytes of a snapshot, whoever made them.
    ///
    /// # Errors
    ///
    /// They are not a snapshot.
    pub fn of_snapshot(bytes: Vec<u8>) -> Result<Self, NoSide> {
        let content = unsigned(bytes).map_err(NoSide::Refused)?;
        let view = content.view();
        let divisions = view.divisions().map(|(id, name)| (id, name.to_owned())).collect();
        let people = view.principals().map(|one| (one.id(), person(&view, &one))).collect();
        let tokens = view.tokens().filter_map(|row| Some((row.id, token(&view, &row)?))).collect();

        Ok(Self { divisions, people, tokens, content })
    }

    pub(super) fn view(&self) -> View<'_> {
        self.content.view()
    }

    /// Returns the resources and their divisions.
    pub(super) fn resources(&self) -> BTreeMap<(u8, Uuid), Option<Uuid>> {
        self.view().resources().map(|(kind, id, division)| ((kind, id), division)).collect()
    }

    /// Returns what is added to the built-in permissions and routes, for comparison only.
    pub(super) fn additions(&self) -> BTreeSet<String> {
        let ext = self.view().ext();
        let permissions = ext.permissions().map(|entry| format!("{entry:?}"));

        permissions.chain(ext.routes().map(|rule| format!("{rule:?}"))).collect()
    }
}

fn person(view: &View<'_>, principal: &Principal<'_>) -> Person {
    let scope = if principal.reaches_all_divisions() {
        Scope::All
    } else {
        Scope::Only(principal.divisions().collect())
    };

    Person {
        name: principal.name().to_owned(),
        kind: principal.kind(),
        disabled: principal.is_disabled(),
        iot_access: principal.has_iot_access(),
        permissions: permissions(view, principal.permissions()),
        scope,
        end: principal.end(),
    }
}

fn permissions(view: &View<'_>, set: PermissionSet) -> BTreeSet<String> {
    let id = |permission| match view.ext().entry(permission) {
        Some(entry) => entry.id.to_owned(),
        None => format!("bit {}", permission.bit()),
    };

    set.iter().map(id).collect()
}

fn token(view: &View<'_>, row: &TokenRow<'_>) -> Option<TokenSide> {
    let owner = view.principal(row.owner)?;
    let lookup = Lookup { kind: owner.kind().token_kind() as u8, id: row.id };

    Some(TokenSide { lookup, owner: owner.id(), disabled: row.disabled, end: row.end })
}
