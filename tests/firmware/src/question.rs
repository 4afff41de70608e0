//! A random question about a credential: mostly sensible, often just beside what would be.

use gateward_constant_time::Draw;
use gateward_core::decide::Mode;
use gateward_core::division::DivisionRules;
use gateward_core::permission::{Entry, Operation, Permission, PermissionSet};
use gateward_core::principal::TokenKind;
use gateward_core::token::{self, Secret, Token};

use crate::world::{World, uuid};

/// A question, as both sides are asked it.
#[derive(Clone, Debug)]
pub struct Question {
    /// The text of the token.
    pub token: Vec<u8>,
    /// Any of these suffices, as firmware says it.
    pub permissions: PermissionSet,
    /// The same by their ids, as the agent is asked: one for each bit.
    pub ids: Vec<String>,
    /// What is to be done, where it is said.
    pub operation: Option<Operation>,
    /// The division, where one is said.
    pub division: Option<String>,
    /// Who asks.
    pub mode: Mode,
    /// What the operator decides.
    pub rules: DivisionRules,
    /// The time.
    pub now: u64,
}

impl Question {
    /// Draws one about `world`.
    #[must_use]
    pub fn draw(draw: &mut Draw, world: &World) -> Self {
        let permissions = permissions(draw, world);
        let mut ids: Vec<String> = permissions.iter().map(|one| id(world, one)).collect();
        draw.shuffle(&mut ids);

        Self {
            token: text(draw, world),
            permissions,
            operation: operation(draw, permissions),
            ids,
            division: (!draw.one_in(4)).then(|| division(draw, world)),
            mode: if draw.one_in(2) { Mode::Proxy } else { Mode::Direct },
            rules: DivisionRules { strict: draw.one_in(4), deny_unattached: draw.one_in(4) },
            now: moment(draw, world),
        }
    }
}

fn id(world: &World, permission: Permission) -> String {
    let bit = permission.bit();
    let known = world.ids[usize::from(bit)].clone();

    known.unwrap_or_else(|| format!("nobody_knows_{bit}"))
}

fn permissions(draw: &mut Draw, world: &World) -> PermissionSet {
    let known: Vec<u64> =
        (0..64).filter(|bit| world.ids[*bit].is_some()).map(|bit| 1 << bit).collect();
    if draw.one_in(32) {
        return PermissionSet(draw.next() & draw.next());
    }
    let count = if draw.one_in(2) { 1 } else { draw.below(4) };
    let one = |draw: &mut Draw| match draw.below(12) {
        0 => 1 << draw.below(64),
        1 | 2 if !world.added.is_empty() => 1 << *draw.pick(&world.added),
        _ => *draw.pick(&known),
    };

    PermissionSet((0..count).fold(0, |set, _| set | one(draw)))
}

fn operation(draw: &mut Draw, permissions: PermissionSet) -> Option<Operation> {
    let first = permissions.first().and_then(Entry::of);
    let able = Operation::ALL.into_iter();
    let able: Vec<_> =
        able.filter(|one| first.is_some_and(|entry| entry.ops.contains(*one))).collect();
    match draw.below(4) {
        0 => Some(*draw.pick(&Operation::ALL)),
        1 | 2 if !able.is_empty() => Some(*draw.pick(&able)),
        _ => None,
    }
}

/// A division by name or id, known or not, in either case.
fn division(draw: &mut Draw, world: &World) -> String {
    if world.divisions.is_empty() || draw.one_in(8) {
        let strange = uuid(draw).to_string();
        let others = [strange, "elsewhere".to_owned(), String::new(), "DIVISION 0".to_owned()];
        return draw.pick(&others).clone();
    }
    let (id, name) = draw.pick(&world.divisions);

    match draw.below(4) {
        0 => id.to_string(),
        1 => id.to_string().to_uppercase(),
        _ => name.clone(),
    }
}

/// Mostly while the snapshot is fresh; often to the second at which something ends.
fn moment(draw: &mut Draw, world: &World) -> u64 {
    match draw.below(24) {
        0 => world.stale_at - 1,
        1 | 2 => world.stale_at,
        3 => world.expires_at - 1,
        4 => world.expires_at + draw.next() % 2,
        5 if draw.one_in(4) => u64::MAX,
        6 => world.base + 1,
        7 => world.base - 1,
        // A clock that is behind what was signed.
        8 => 1 + draw.next() % 2_000_000_000,
        _ => world.base,
    }
}

fn text(draw: &mut Draw, world: &World) -> Vec<u8> {
    let strange = draw.secret();
    if world.tokens.is_empty() || draw.one_in(24) {
        return token::write(TokenKind::Api, draw.next(), &strange).to_vec();
    }
    let text = draw.pick(&world.tokens).clone();
    let read = Token::read(&text).expect("its length is right");
    let (kind, other) = match read.lookup.kind {
        2 => (TokenKind::Service, TokenKind::Api),
        _ => (TokenKind::Api, TokenKind::Service),
    };
    let (id, secret) = (read.lookup.id, read.secret());
    match draw.below(64) {
        0 => token::write(kind, id, &strange).to_vec(),
        1 => token::write(other, id, secret).to_vec(),
        2 => token::write(kind, id.wrapping_add(1), secret).to_vec(),
        3 => token::write(kind, id, &one_bit(draw, secret)).to_vec(),
        4..=8 => damaged(draw, text),
        _ => text,
    }
}

fn one_bit(draw: &mut Draw, secret: &Secret) -> Secret {
    let mut secret = secret.clone();
    secret.0[draw.below(32)] ^= 1 << draw.below(8);

    secret
}

fn damaged(draw: &mut Draw, mut text: Vec<u8>) -> Vec<u8> {
    let at = draw.below(text.len());
    match draw.below(5) {
        0 => text[at] = if text[at] == b'A' { b'B' } else { b'A' },
        1 => text[at] = draw.byte(),
        2 => text.truncate(at),
        3 => text.push(draw.byte()),
        // Longer than anything that is looked at.
        _ => text.resize(500 + draw.below(40), b'x'),
    }

    text
}
