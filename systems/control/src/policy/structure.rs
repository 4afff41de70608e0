//! What a policy says about the account as a whole: divisions, groups of gateways, roles,
//! resources.

use std::collections::{BTreeMap, BTreeSet};

use gateward_core::name::Uuid;
use gateward_core::permission::{BUILTIN_ROLES, PermissionSet};
use gateward_core::route::{ResourceKind, resource_id};
use gateward_core::snapshot::build::Scope;

use super::catalogue::Catalogue;
use super::fields::{Fields, Text, bad_token, is_token};
use super::folder::Root;
use super::mistake::{Mistakes, Place};

/// Whose policy it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Account {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Whether everything is refused.
    pub suspended: bool,
}

pub(super) fn account(root: &Root, mistakes: &mut Mistakes) -> Account {
    let Some((place, table)) = root.one("account", mistakes) else {
        let place = Place { file: super::folder::POLICY, line: 1 };
        mistakes.add(place, "account", "is missing; write [account] with id and name");
        return Account::default();
    };
    let mut fields = Fields::new("account", place, table, mistakes);
    let account = Account {
        id: fields.uuid("id"),
        name: fields.name("name"),
        suspended: fields
            .word("status", &[("active", false), ("suspended", true)])
            .unwrap_or_default(),
    };
    fields.finish();

    account
}

/// Ids that are in use, and where: one id never stands for two things, not even after deletion
/// (DOMAIN N11).
#[derive(Debug, Default)]
pub(super) struct Ids(BTreeMap<Uuid, Place>);

impl Ids {
    pub(super) fn take(&mut self, id: Uuid, fields: &mut Fields<'_>) {
        if id == Uuid::default() {
            return;
        }
        if let Some(first) = self.0.insert(id, fields.place()) {
            let what =
                format!("`{id}` is already used at {first}; every entry has an id of its own");
            fields.wrong(fields.place(), "id", what);
        }
    }
}

/// A part of the account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Division {
    /// Its id.
    pub id: Uuid,
    /// Its name, unique among those that are not deleted.
    pub name: String,
    /// Whether it stands here only so that its id is not used again.
    pub deleted: bool,
}

pub(super) fn divisions(root: &Root, ids: &mut Ids, mistakes: &mut Mistakes) -> Vec<Division> {
    let mut divisions: Vec<Division> = Vec::new();
    for (place, table) in root.many("divisions", mistakes) {
        let mut fields = Fields::new("divisions", place, table, mistakes);
        let division = Division {
            id: fields.uuid("id"),
            name: fields.name("name"),
            deleted: fields
                .word("status", &[("active", false), ("deleted", true)])
                .unwrap_or_default(),
        };
        ids.take(division.id, &mut fields);
        if Uuid::parse(&division.name).is_some() {
            fields.wrong(place, "name", "looks like an id; choose a name that cannot be one");
        }
        let twin = |known: &Division| known.name == division.name && !known.deleted;
        if !division.deleted && divisions.iter().any(twin) {
            let what = format!("`{}` is the name of two divisions; rename one", division.name);
            fields.wrong(place, "name", what);
        }
        fields.finish();
        divisions.push(division);
    }

    divisions
}

/// Reads `divisions` of an entry; `All` only where the key is left out (DOMAIN N5).
pub(super) fn scope(fields: &mut Fields<'_>, divisions: &[Division], whose: &str) -> Scope {
    let Some((place, names)) = fields.texts("divisions") else { return Scope::All };
    if names.is_empty() {
        let what = format!(
            "is an empty list: was everything meant, or nothing? Leave the key out for all \
             divisions; for none, {whose}"
        );
        fields.wrong(place, "divisions", what);
    }

    Scope::Only(names.iter().filter_map(|name| division(fields, divisions, name)).collect())
}

fn division(fields: &mut Fields<'_>, divisions: &[Division], name: &Text) -> Option<Uuid> {
    let id = Uuid::parse(&name.text);
    let named = |division: &&Division| division.name == name.text || Some(division.id) == id;
    let mut named = divisions.iter().filter(named);
    let found = named.clone().find(|division| !division.deleted).or_else(|| named.next());
    let shown = name.text.escape_debug();
    match found {
        Some(Division { id, deleted: false, .. }) => return Some(*id),
        Some(_) => {
            let what = format!(
                "`{shown}` is deleted, which never means all divisions; name another one, or leave \
                 the key out if all are meant"
            );
            fields.wrong(name.place, "divisions", what);
        }
        None => {
            let what =
                format!("`{shown}` is no division; add it under [[divisions]] or mend the name");
            fields.wrong(name.place, "divisions", what);
        }
    }

    None
}

/// Gateways that share one snapshot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Group {
    /// Its id, a level of MQTT topics.
    pub id: String,
    /// The names of its gateways.
    pub gateways: Vec<String>,
    /// Only principals that reach one of these are included; none where everybody is.
    pub divisions: Option<BTreeSet<Uuid>>,
}

/// Characters beside letters and digits in the ids of groups, gateways and roles.
const EXTRA: &str = "-_";

pub(super) fn groups(root: &Root, divisions: &[Division], mistakes: &mut Mistakes) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut homes: BTreeMap<String, String> = BTreeMap::new();
    for (place, table) in root.many("groups", mistakes) {
        let mut fields = Fields::new("groups", place, table, mistakes);
        let id = fields.token("id", EXTRA);
        if id.text == "gateway" {
            let what = "`gateway` is reserved in MQTT topics; choose another id";
            fields.wrong(id.place, "id", what);
        }
        if groups.iter().any(|group| group.id == id.text) {
            fields.wrong(id.place, "id", format!("`{}` is the id of two groups", id.text));
        }
        let gateways = gateways(&mut fields, &id.text, &mut homes);
        let divisions = match scope(&mut fields, divisions, "remove the group") {
            Scope::All => None,
            Scope::Only(divisions) => Some(divisions),
        };
        fields.finish();
        groups.push(Group { id: id.text, gateways, divisions });
    }

    groups
}

fn gateways(
    fields: &mut Fields<'_>,
    group: &str,
    homes: &mut BTreeMap<String, String>,
) -> Vec<String> {
    let (_, names) = fields.texts("gateways").unwrap_or_default();
    for name in &names {
        if !is_token(&name.text, EXTRA) {
            fields.wrong(name.place, "gateways", bad_token(&name.text, EXTRA));
        }
        if let Some(home) = homes.insert(name.text.clone(), group.to_owned()) {
            let what = format!(
                "`{}` is in group `{home}` already; a gateway has one snapshot, so remove it there \
                 or here",
                name.text.escape_debug()
            );
            fields.wrong(name.place, "gateways", what);
        }
    }

    names.into_iter().map(|name| name.text).collect()
}

/// Returns what each role holds, the built-in ones too.
pub(super) fn roles(
    root: &Root,
    catalogue: &Catalogue,
    mistakes: &mut Mistakes,
) -> BTreeMap<String, PermissionSet> {
    let mut roles: BTreeMap<_, _> =
        BUILTIN_ROLES.iter().map(|role| (role.id.to_owned(), role.permissions)).collect();
    for (place, table) in root.many("roles", mistakes) {
        let mut fields = Fields::new("roles", place, table, mistakes);
        let id = fields.token("id", EXTRA);
        let scopes = [("account", false), ("system", false), ("partner", true)];
        if fields.word("scope", &scopes) == Some(true) {
            let what = "`partner` is not supported, since what partners may do is not specified; \
                        write `account` or `system`";
            fields.wrong(place, "scope", what);
        }
        let permissions = catalogue.set(&mut fields, "permissions");
        if roles.insert(id.text.clone(), permissions).is_some() {
            let what = format!("`{}` is a role already; choose another id", id.text);
            fields.wrong(id.place, "id", what);
        }
        fields.finish();
    }

    roles
}

/// A thing that a path names, and its division.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Resource {
    /// What it is, as the route table numbers it.
    pub kind: u8,
    /// Its id.
    pub id: Uuid,
    /// Its division; none where it is in no division.
    pub division: Option<Uuid>,
}

pub(super) fn resources(root: &Root, known: &[Division], mistakes: &mut Mistakes) -> Vec<Resource> {
    let kinds = [ResourceKind::ENROLLMENT_PROFILE, ResourceKind::POLICY]
        .map(|kind| (kind.name(), kind.byte()));
    let mut seen = BTreeMap::new();
    let mut resources = Vec::new();
    for (place, table) in root.many("resources", mistakes) {
        let mut fields = Fields::new("resources", place, table, mistakes);
        let kind = fields.word("kind", &kinds);
        if kind.is_none() {
            fields.wrong(place, "kind", "must say what it is, such as \"enrollment_profile\"");
        }
        let text = fields.required("id", "give it its id");
        let id = resource_id(&text.text);
        if id.is_none() {
            let what = format!("`{}` is not a UUID, nor IOT_ and a UUID", text.text.escape_debug());
            fields.wrong(text.place, "id", what);
        }
        let division =
            fields.optional("division").and_then(|name| division(&mut fields, known, &name));
        let (kind, id) = (kind.unwrap_or_default(), id.unwrap_or_default());
        if let Some(first) = seen.insert((kind, id), place) {
            fields.wrong(place, "id", format!("stands at {first} already; remove one"));
        }
        fields.finish();
        resources.push(Resource { kind, id, division });
    }

    resources
}
