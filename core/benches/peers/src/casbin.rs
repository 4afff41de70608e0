//! casbin, with roles as it has them: token → owner → role → permission, and owner → division.
//!
//! It authenticates nobody: the public part of a token stands for the caller, and no secret is
//! looked at. It knows no end and is slow for a name that it has never seen (it walks all of them),
//! so a function of the host is asked first, which knows the end of each token. Tokens that are
//! disabled are left out when it is loaded.

use std::collections::HashMap;
use std::sync::RwLock;

use casbin::function_map::OperatorFunction;
use casbin::prelude::*;
use casbin::rhai::{Dynamic, ImmutableString};
use gateward_core::permission::Entry;
use gateward_core::snapshot::build::Scope;
use gateward_core::token::{Lookup, Token};

use crate::Engine;
use crate::workload::{ASKED, NOW, Request, World, division, place};

const MODEL: &str = "
[request_definition]
r = token, permission, division
[policy_definition]
p = who
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = lives(r.token) && g(r.token, r.permission) && g(r.token, r.division)
";

/// When each token ends; a function that casbin calls can hold nothing of its own.
static ENDS: RwLock<Option<HashMap<String, u64>>> = RwLock::new(None);

pub fn engine<'a>(world: &'a World, requests: &'a [Request]) -> Engine<'a> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it starts");
    let enforcer = runtime.block_on(load(world)).expect("the model and its rules are sound");
    let questions: Vec<[ImmutableString; 3]> = requests
        .iter()
        .map(|request| {
            let lookup = Token::read(&request.text).expect("it is well formed").lookup;
            let (_, permission) = ASKED[request.permission];
            [lookup.to_string().into(), permission.into(), division(request.division).into()]
        })
        .collect();

    Box::new(move |at| {
        let question = questions[at].to_vec();
        enforcer.enforce(question).expect("three values were asked for")
    })
}

async fn load(world: &World) -> Result<Enforcer> {
    let mut enforcer = Enforcer::new(DefaultModel::from_str(MODEL).await?, NullAdapter).await?;
    enforcer.add_function("lives", OperatorFunction::Arg1(lives));
    enforcer.add_policy(vec!["anybody".to_owned()]).await?;

    let contents = &world.contents;
    let (mut links, mut ends, mut roles) = (vec![], HashMap::new(), HashMap::new());
    for owner in contents.principals.values().filter(|owner| !owner.disabled) {
        let count = roles.len();
        let role = roles.entry(owner.permissions).or_insert_with(|| format!("role {count}"));
        links.push(vec![owner.name.clone(), role.clone()]);
        if let Scope::Only(held) = &owner.scope {
            links.extend(held.iter().map(|id| vec![owner.name.clone(), division(place(*id))]));
        }
    }
    for (permissions, role) in &roles {
        let held = permissions.iter().filter_map(Entry::of);
        links.extend(held.map(|entry| vec![role.clone(), entry.id.to_owned()]));
    }
    for (id, token) in &contents.tokens {
        let owner = &contents.principals[&token.principal];
        if token.disabled || owner.disabled {
            continue;
        }
        let name = Lookup { kind: owner.kind.token_kind() as u8, id: *id }.to_string();
        links.push(vec![name.clone(), owner.name.clone()]);
        ends.insert(name, u64::from(token.end.0));
    }
    enforcer.add_grouping_policies(links).await?;
    *ENDS.write().expect("nobody panics with it") = Some(ends);

    Ok(enforcer)
}

fn lives(token: Dynamic) -> Dynamic {
    let ends = ENDS.read().expect("nobody panics with it");
    let name = token.into_immutable_string().unwrap_or_default();
    let end = ends.as_ref().and_then(|ends| ends.get(name.as_str()));

    end.is_some_and(|end| *end > NOW.0).into()
}
