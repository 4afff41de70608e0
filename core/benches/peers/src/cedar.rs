//! Cedar, with one policy over attributes: the form in which it is fastest here and smallest.
//!
//! It authenticates nobody: the public part of a token is the principal, and no secret is looked
//! at. Requests are built from entity ids that have been parsed before.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    PolicySet, Request as Question, RestrictedExpression as Value,
};
use gateward_core::permission::{Entry, PermissionSet};
use gateward_core::snapshot::build::Scope;
use gateward_core::token::{Lookup, Token};

use crate::Engine;
use crate::workload::{ASKED, NOW, Request, World, division, place};

const POLICY: &str = "
permit(principal, action, resource) when {
    !principal.disabled && principal.end > context.now && !principal.owner.disabled
        && principal.owner.role.permissions.contains(action)
        && principal.owner.divisions.contains(resource)
};
";

pub fn engine<'a>(world: &'a World, requests: &'a [Request]) -> Engine<'a> {
    let types = Types::new();
    let entities = types.entities(world);
    let policies: PolicySet = POLICY.parse().expect("the policy is sound");
    let now = i64::try_from(NOW.0).expect("a year below 292 billion");
    let context = Context::from_pairs([("now".to_owned(), Value::new_long(now))]);
    let context = context.expect("one number is no conflict");
    let questions: Vec<[EntityUid; 3]> = requests
        .iter()
        .map(|request| {
            let token = Token::read(&request.text).expect("it is well formed");
            [
                uid(&types.token, &token.lookup.to_string()),
                uid(&types.action, ASKED[request.permission].1),
                uid(&types.division, &division(request.division)),
            ]
        })
        .collect();
    let authorizer = Authorizer::new();

    Box::new(move |at| {
        let [principal, action, resource] = questions[at].clone();
        let question = Question::new(principal, action, resource, context.clone(), None);
        let question = question.expect("there is no schema to break");
        authorizer.is_authorized(&question, &policies, &entities).decision() == Decision::Allow
    })
}

struct Types {
    action: EntityTypeName,
    division: EntityTypeName,
    owner: EntityTypeName,
    role: EntityTypeName,
    token: EntityTypeName,
}

impl Types {
    fn new() -> Self {
        let name = |name: &str| name.parse().expect("it is an identifier");

        Self {
            action: name("Action"),
            division: name("Division"),
            owner: name("Owner"),
            role: name("Role"),
            token: name("Token"),
        }
    }

    fn entities(&self, world: &World) -> Entities {
        let contents = &world.contents;
        let sets: HashSet<PermissionSet> =
            contents.principals.values().map(|owner| owner.permissions).collect();
        let roles = sets.into_iter().map(|set| {
            let held = set.iter().filter_map(Entry::of);
            let held = held.map(|entry| Value::new_entity_uid(uid(&self.action, entry.id)));
            entity(self.role_of(set), [("permissions", Value::new_set(held))])
        });
        let owners = contents.principals.iter().map(|(key, owner)| {
            let held = match &owner.scope {
                Scope::All => contents.divisions.keys().copied().collect(),
                Scope::Only(held) => held.clone(),
            };
            let held = held.iter().map(|id| uid(&self.division, &division(place(*id))));
            let attributes = [
                ("disabled", Value::new_bool(owner.disabled)),
                ("role", Value::new_entity_uid(self.role_of(owner.permissions))),
                ("divisions", Value::new_set(held.map(Value::new_entity_uid))),
            ];
            entity(self.owner_of(*key), attributes)
        });
        let tokens = contents.tokens.iter().map(|(id, token)| {
            let kind = contents.principals[&token.principal].kind.token_kind() as u8;
            let attributes = [
                ("disabled", Value::new_bool(token.disabled)),
                ("end", Value::new_long(token.end.0.into())),
                ("owner", Value::new_entity_uid(self.owner_of(token.principal))),
            ];
            entity(uid(&self.token, &Lookup { kind, id: *id }.to_string()), attributes)
        });

        Entities::from_entities(roles.chain(owners).chain(tokens), None).expect("ids are unique")
    }

    fn role_of(&self, set: PermissionSet) -> EntityUid {
        uid(&self.role, &set.0.to_string())
    }

    fn owner_of(&self, key: u32) -> EntityUid {
        uid(&self.owner, &key.to_string())
    }
}

fn uid(of: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(id))
}

fn entity<const N: usize>(uid: EntityUid, attributes: [(&str, Value); N]) -> Entity {
    let attributes: HashMap<_, _> =
        attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();

    Entity::new(uid, attributes, HashSet::new()).expect("its attributes are plain")
}
