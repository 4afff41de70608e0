//! The tokens that people and service users act with.

use std::collections::BTreeMap;
use std::fmt;

use gateward_core::name::{Uuid, unhex};
use gateward_core::principal::TokenKind;
use gateward_core::token::Lookup;

use super::fields::Fields;
use super::folder::Root;
use super::mistake::{Mistakes, Place};
use super::people::Principal;
use crate::day::Day;

/// Whether a token can be used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TokenStatus {
    /// It can, until its end date.
    #[default]
    Enabled,
    /// It cannot, until it is enabled again.
    Disabled,
    /// It never will; the entry keeps its id from being used again.
    Deleted,
}

impl TokenStatus {
    /// Returns the word of a policy.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
        }
    }
}

/// A token: everything about it but its secret, which nobody keeps.
#[derive(Clone, Eq, PartialEq)]
pub struct Token {
    /// Whose rights it has.
    pub kind: TokenKind,
    /// The id of its owner.
    pub owner: Uuid,
    /// Its name, unique per owner among those that are not deleted.
    pub name: String,
    /// The public part of its text.
    pub lookup: Lookup,
    /// See [`gateward_core::token::Context::verifier`]; zeros where it is deleted.
    pub verifier: [u8; 32],
    /// Whether it can be used.
    pub status: TokenStatus,
    /// Its last day.
    pub end: Option<Day>,
    /// Where it stands.
    pub place: Place,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("lookup", &self.lookup)
            .field("owner", &self.owner)
            .field("name", &self.name)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

pub(super) fn read(root: &Root, principals: &[Principal], mistakes: &mut Mistakes) -> Vec<Token> {
    let owners: BTreeMap<_, _> = principals.iter().map(|owner| (owner.id, owner)).collect();
    let (mut ids, mut names) = (BTreeMap::new(), BTreeMap::new());
    let mut tokens = Vec::new();
    for (place, table) in root.many("tokens", mistakes) {
        let mut fields = Fields::new("tokens", place, table, mistakes);
        let token = token(&mut fields, &owners);
        if let Some(first) = ids.insert(token.lookup.id, place)
            && token.lookup.id != 0
        {
            let what = format!(
                "`{}` is already used at {first}; a token's id is never used again, so let `token \
                 new` draw one",
                token.lookup
            );
            fields.wrong(place, "lookup", what);
        }
        let twin = token.status != TokenStatus::Deleted && !token.name.is_empty();
        if twin && let Some(first) = names.insert((token.owner, token.name.clone()), place) {
            let shown = token.name.escape_debug();
            let what =
                format!("`{shown}` names another token of this owner at {first}; rename one");
            fields.wrong(place, "name", what);
        }
        fields.finish();
        tokens.push(token);
    }

    tokens
}

fn token(fields: &mut Fields<'_>, owners: &BTreeMap<Uuid, &Principal>) -> Token {
    let kinds = [("api_token", TokenKind::Api), ("service_token", TokenKind::Service)];
    let kind = fields.word("kind", &kinds);
    if kind.is_none() {
        fields.wrong(fields.place(), "kind", "must be \"api_token\" or \"service_token\"");
    }
    let kind = kind.unwrap_or(TokenKind::Api);
    let status = fields
        .word(
            "status",
            &[
                ("enabled", TokenStatus::Enabled),
                ("disabled", TokenStatus::Disabled),
                ("deleted", TokenStatus::Deleted),
            ],
        )
        .unwrap_or_default();

    Token {
        kind,
        owner: owner(fields, kind, owners),
        name: fields.plain_name("name"),
        lookup: lookup(fields, kind),
        verifier: verifier(fields, status == TokenStatus::Deleted),
        status,
        end: fields.day("end_date"),
        place: fields.place(),
    }
}

fn owner(fields: &mut Fields<'_>, kind: TokenKind, owners: &BTreeMap<Uuid, &Principal>) -> Uuid {
    let id = fields.uuid("owner_id");
    let name = fields.optional("owner");
    let Some(owner) = owners.get(&id) else {
        if id != Uuid::default() {
            let what = format!(
                "`{id}` is no user or service user; put its entry back, with status = \"deleted\" \
                 where it is gone"
            );
            fields.wrong(fields.place(), "owner_id", what);
        }
        return id;
    };
    if let Some(name) = name
        && name.text != owner.name
    {
        let what = format!(
            "`{}` is not the name of {id}, which is `{}`; mend whichever is wrong",
            name.text.escape_debug(),
            owner.name.escape_debug()
        );
        fields.wrong(name.place, "owner", what);
    }
    if owner.kind.token_kind() != kind {
        let (is, fits) = if owner.is_service() {
            ("a service user", "service_token")
        } else {
            ("a user", "api_token")
        };
        let what = format!("does not fit its owner, who is {is}; write \"{fits}\"");
        fields.wrong(fields.place(), "kind", what);
    }

    id
}

fn lookup(fields: &mut Fields<'_>, kind: TokenKind) -> Lookup {
    let text = fields.required("lookup", "let `token new` write the entry");
    let lookup = Lookup::parse(&text.text);
    // Kind 0 is a token that was imported: its text does not say what it is.
    let fits = lookup.is_some_and(|lookup| lookup.kind == 0 || lookup.kind == kind as u8);
    if !fits && !text.text.is_empty() {
        let what = format!(
            "`{}` is not the public part of such a token; copy the 12 characters between its dots",
            text.text.escape_debug()
        );
        fields.wrong(text.place, "lookup", what);
    }

    lookup.unwrap_or(Lookup { kind: 0, id: 0 })
}

/// Reads 64 hex digits; a deleted entry needs none. What stands there is not repeated in a message.
fn verifier(fields: &mut Fields<'_>, deleted: bool) -> [u8; 32] {
    let Some(text) = fields.optional("verifier") else {
        if !deleted {
            fields.wrong(fields.place(), "verifier", "is missing; make the token again");
        }
        return [0; 32];
    };
    let mut verifier = [0; 32];
    // A person may write it in capitals.
    if !unhex(&text.text.to_ascii_lowercase(), &mut verifier) {
        fields.wrong(text.place, "verifier", "is not 64 hex digits; make the token again");
    }

    verifier
}
