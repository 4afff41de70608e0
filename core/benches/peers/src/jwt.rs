//! Signed tokens that carry their rights, as two sets of bits: the shortest claims there are.
//!
//! Rights are those of the moment of issue: no later change of a role, a division or an owner
//! reaches a token before it ends. Only so that everybody answers the same, a list of the tokens
//! that are disabled is looked at too. An unknown token is one that another key signed.

use std::collections::HashSet;

use ed25519_dalek::SigningKey;
use gateward_core::snapshot::build::Scope;
use gateward_core::time::End;
use gateward_core::token::Token;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::workload::{ASKED, Expected, Request, World, place};

/// What no end is in a token that must have one: the year 2096.
const NEVER: u64 = 4_000_000_000;

#[derive(Deserialize, Serialize)]
struct Claims {
    sub: String,
    jti: u64,
    exp: u64,
    permissions: u64,
    divisions: u64,
}

pub fn hs256<'a>(world: &'a World, requests: &'a [Request]) -> Engine<'a> {
    let [own, other] = [[1; 32], [2; 32]].map(|secret| EncodingKey::from_secret(&secret));

    engine(world, requests, Algorithm::HS256, [own, other], DecodingKey::from_secret(&[1; 32]))
}

pub fn eddsa<'a>(world: &'a World, requests: &'a [Request]) -> Engine<'a> {
    let [own, other] = [[1; 32], [2; 32]].map(|seed| {
        // RFC 8410: what stands before the seed is the same for every key.
        let frame = *b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
        EncodingKey::from_ed_der(&[&frame[..], &seed].concat())
    });
    let public = SigningKey::from_bytes(&[1; 32]).verifying_key();

    engine(
        world,
        requests,
        Algorithm::EdDSA,
        [own, other],
        DecodingKey::from_ed_der(public.as_bytes()),
    )
}

fn engine<'a>(
    world: &'a World,
    requests: &'a [Request],
    algorithm: Algorithm,
    [own, other]: [EncodingKey; 2],
    key: DecodingKey,
) -> Engine<'a> {
    let header = Header::new(algorithm);
    let tokens: Vec<String> = requests
        .iter()
        .map(|request| match request.expected {
            Expected::Unknown => encode(&header, &nobody(), &other),
            _ => encode(&header, &claims(world, request), &own),
        })
        .map(|token| token.expect("claims can be signed"))
        .collect();
    let disabled: HashSet<u64> = world
        .contents
        .tokens
        .iter()
        .filter(|(_, token)| token.disabled || world.contents.principals[&token.principal].disabled)
        .map(|(id, _)| *id)
        .collect();
    let validation = Validation::new(algorithm);

    Box::new(move |at| {
        let Ok(token) = decode::<Claims>(&tokens[at], &key, &validation) else { return false };
        let Claims { jti, permissions, divisions, .. } = token.claims;
        let Request { permission, division, .. } = &requests[at];

        permissions >> ASKED[*permission].0 & divisions >> division & 1 == 1
            && !disabled.contains(&jti)
    })
}

fn claims(world: &World, request: &Request) -> Claims {
    let id = Token::read(&request.text).expect("it is well formed").lookup.id;
    let token = &world.contents.tokens[&id];
    let owner = &world.contents.principals[&token.principal];

    Claims {
        sub: owner.name.clone(),
        jti: id,
        exp: if token.end == End::NEVER { NEVER } else { token.end.0.into() },
        permissions: owner.permissions.0,
        divisions: match &owner.scope {
            Scope::All => u64::MAX,
            Scope::Only(held) => held.iter().fold(0, |all, id| all | 1 << place(*id)),
        },
    }
}

fn nobody() -> Claims {
    let sub = "principal at line 000000".to_owned();

    Claims { sub, jti: 0, exp: NEVER, permissions: u64::MAX, divisions: u64::MAX }
}
