//! Random requests about a snapshot: mostly sensible, often just beside what would be.

use gateward_core::decide::Mode;
use gateward_core::division::DivisionRules;
use gateward_core::permission::{CATALOGUE, Operation};
use gateward_core::principal::TokenKind;
use gateward_core::route::{DivisionSource, RULES, RouteOperation, Rule, RuleRecord, Sent};
use gateward_core::token::{self, Lookup, Secret, Token};
use serde_json::{Value, json};

use super::Dice;
use super::world::{World, uuid};
use crate::vector::hex;

/// A question about a credential.
pub(super) struct Request {
    pub(super) token: Vec<u8>,
    sent: &'static str,
    pub(super) subject: Subject,
    pub(super) division: Option<String>,
    proxy: bool,
}

/// What is to be done.
pub(super) enum Subject {
    Permissions { ids: Vec<String>, operation: Option<&'static str> },
    Route { method: String, target: String },
}

impl Request {
    pub(super) fn draw(dice: &mut Dice, world: &World) -> Self {
        let sent = match dice.below(24) {
            0 => "conflict",
            1 => "nothing",
            2 => "passcode",
            _ => "token",
        };
        let subject = if dice.one_in(2) { permissions(dice, world) } else { route(dice, world) };
        let often = if matches!(subject, Subject::Permissions { .. }) { 1 } else { 4 };
        let stated = dice.one_in(often) && !dice.one_in(4);
        let division = stated.then(|| division(dice, world));

        Self { token: token_text(dice, world), sent, subject, division, proxy: dice.one_in(2) }
    }

    pub(super) fn sent(&self) -> Sent {
        match self.sent {
            "conflict" => Sent::Conflict,
            "nothing" => Sent::Nothing,
            "passcode" => Sent::Passcode,
            _ => Sent::Token,
        }
    }

    pub(super) const fn mode(&self) -> Mode {
        if self.proxy { Mode::Proxy } else { Mode::Direct }
    }

    pub(super) fn json(&self) -> Value {
        let mut all = json!({
            "mode": super::mode(self.mode()),
            "sent": self.sent,
            "token": hex(&self.token),
        });
        match &self.subject {
            Subject::Permissions { ids, operation } => {
                all["permissions"] = json!(ids);
                all["operation"] = json!(operation);
            }
            Subject::Route { method, target } => {
                all["method"] = json!(method);
                all["target"] = json!(target);
            }
        }
        all["division"] = json!(self.division);

        all
    }
}

pub(super) fn rules(dice: &mut Dice) -> DivisionRules {
    DivisionRules { strict: dice.one_in(4), deny_unattached: dice.one_in(4) }
}

fn token_text(dice: &mut Dice, world: &World) -> Vec<u8> {
    let strange = Secret(core::array::from_fn(|_| dice.byte()));
    if world.tokens.is_empty() || dice.one_in(24) {
        return token::write(TokenKind::Api, dice.next(), &strange).to_vec();
    }
    let mut text = dice.pick(&world.tokens).clone();
    let Lookup { kind, id } = Token::read(&text).unwrap().lookup;
    let of_kind = if kind == 2 { TokenKind::Service } else { TokenKind::Api };
    let other = if kind == 2 { TokenKind::Api } else { TokenKind::Service };
    let secret = Token::read(&text).unwrap().secret().clone();
    match dice.below(64) {
        0 => token::write(of_kind, id, &strange).to_vec(),
        1 => token::write(other, id, &secret).to_vec(),
        2 => token::write(of_kind, id.wrapping_add(1), &secret).to_vec(),
        3 => {
            let at = dice.below(text.len());
            text[at] = if text[at] == b'A' { b'B' } else { b'A' };
            text
        }
        4 => {
            let at = dice.below(text.len());
            text[at] = dice.byte();
            text
        }
        5 => {
            text.truncate(dice.below(text.len()));
            text
        }
        6 => [&text[..], &[dice.byte()]].concat(),
        _ => text,
    }
}

fn permissions(dice: &mut Dice, world: &World) -> Subject {
    let mut all: Vec<_> = CATALOGUE.iter().map(|entry| entry.id.to_owned()).collect();
    all.extend(world.permissions.iter().cloned());
    if dice.one_in(8) {
        all.push("of_the_future".to_owned());
    }
    let count = if dice.one_in(2) { 1 } else { dice.below(4) };
    let ids: Vec<String> = (0..count).map(|_| dice.pick(&all).clone()).collect();
    let first = CATALOGUE.iter().find(|entry| ids.first().is_some_and(|id| entry.id == id));
    let able = first.map(|entry| Operation::ALL.into_iter().filter(|one| entry.ops.contains(*one)));
    let able: Vec<_> = able.map(Iterator::collect).unwrap_or_default();
    let operation = match dice.below(4) {
        0 => Some(dice.pick(&Operation::ALL).name()),
        1 | 2 if !able.is_empty() => Some(dice.pick(&able).name()),
        _ => None,
    };

    Subject::Permissions { ids, operation }
}

/// A division by name or id, known or not, in either case.
fn division(dice: &mut Dice, world: &World) -> String {
    let all: Vec<_> = world.contents.divisions.iter().collect();
    if all.is_empty() || dice.one_in(8) {
        let strange = uuid(dice).to_string();
        return dice.pick(&[strange, "elsewhere".to_owned(), String::new()]).clone();
    }
    let (id, name) = *dice.pick(&all);

    match dice.below(4) {
        0 => id.to_string(),
        1 => id.to_string().to_uppercase(),
        _ => name.clone(),
    }
}

fn route(dice: &mut Dice, world: &World) -> Subject {
    const METHODS: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get"];
    let (method, pattern) = if !world.routes.is_empty() && dice.one_in(3) {
        dice.pick(&world.routes).clone()
    } else {
        // What a path or a query says is worth more requests than its share of the table.
        let telling = |rule: &&Rule<'_>| {
            matches!(rule.operation, RouteOperation::Needs(_))
                && !matches!(rule.division, DivisionSource::None | DivisionSource::Upstream)
        };
        let some: Vec<_> = RULES.iter().filter(telling).collect();
        let rule = if dice.one_in(2) { *dice.pick(&some) } else { dice.pick(&RULES) };
        // In a record, the methods stand behind the id and its length.
        let record = postcard::to_allocvec(&RuleRecord::of(rule)).unwrap();
        let first = record[1 + rule.id.len()].trailing_zeros();
        let method = METHODS[usize::try_from(first).unwrap()];
        (method.to_owned(), rule.pattern.as_str().to_owned())
    };
    let method = match dice.below(8) {
        0 => (*dice.pick(&METHODS)).to_owned(),
        1 if method == "GET" => "HEAD".to_owned(),
        _ => method,
    };
    let mut target = String::new();
    for piece in pattern.split('/').skip(1) {
        if piece == "**" {
            for _ in 0..dice.below(3) {
                target.push('/');
                target += &segment(dice, world, "{x}");
            }
            continue;
        }
        target.push('/');
        target +=
            &if piece.starts_with('{') { segment(dice, world, piece) } else { piece.to_owned() };
    }
    if target.is_empty() {
        target.push('/');
    }

    Subject::Route { method, target: decorated(dice, world, target) }
}

/// Something for a slot: a version, an id that the snapshot may know, or anything.
fn segment(dice: &mut Dice, world: &World, slot: &str) -> String {
    if slot.ends_with(":ver}") {
        let odd = ["v", "vX", "v123", "V1", "1", "v1."];
        let version =
            if dice.one_in(8) { dice.pick(&odd) } else { dice.pick(&["v1", "v2", "v10"]) };
        return (*version).to_owned();
    }
    let resources: Vec<_> = world.contents.resources.keys().collect();
    let divisions: Vec<_> = world.contents.divisions.keys().collect();
    match dice.below(8) {
        0 | 1 if !resources.is_empty() => format!("IOT_{}", dice.pick(&resources).1),
        2 if !resources.is_empty() => dice.pick(&resources).1.to_string().to_uppercase(),
        3 | 4 if !divisions.is_empty() => dice.pick(&divisions).to_string(),
        5 => uuid(dice).to_string(),
        6 => (*dice.pick(&["7", "größe", "a b", "{x}", "**", "%41", "renew", "iot_"])).to_owned(),
        _ => format!("n{}", dice.below(1_000)),
    }
}

/// The target with a query, or with something that makes it another one, or none.
fn decorated(dice: &mut Dice, world: &World, mut target: String) -> String {
    const SPOILT: [&str; 14] = [
        "/",
        "//",
        "/.",
        "/..",
        "/%2e%2e/x",
        "/%2Fx",
        "/%5c",
        "/;a",
        "/%",
        "/%zz",
        "/%00",
        "/%252e",
        "#x",
        "/%ff",
    ];
    match dice.below(20) {
        0 => target += SPOILT[dice.below(SPOILT.len())],
        1 => {
            // An escape of a plain character is read as that character.
            if let Some(last) = target.pop().filter(|last| last.is_ascii_alphanumeric()) {
                target += &format!("%{:02x}", u32::from(last));
            }
        }
        2 => target.insert(0, 'x'),
        _ => {}
    }
    let all: Vec<_> = world.contents.divisions.keys().collect();
    if !all.is_empty() && dice.one_in(3) {
        // One good parameter, and what a lenient reader may make of the rest.
        const MORE: [&str; 6] =
            ["", "", "&limit=7", ";limit=7", "&Division_ID=", "&division_id[]="];
        target += &format!("?division_id={}{}", dice.pick(&all), MORE[dice.below(MORE.len())]);
    } else if dice.one_in(2) {
        target.push('?');
        let parameters: Vec<_> = (0..=dice.below(2)).map(|_| parameter(dice, world)).collect();
        target += &parameters.join(if dice.one_in(6) { ";" } else { "&" });
    }

    target
}

fn parameter(dice: &mut Dice, world: &World) -> String {
    const NAMES: [&str; 18] = [
        "division_id",
        "division_id",
        "division_id",
        "division_id",
        "division_id",
        "division_id",
        "division_id",
        "Division_ID",
        "division_id[]",
        "division_id.x",
        "+division_id",
        "division%5Fid",
        "division_id%",
        "division_id%5B%",
        "division_idx",
        "xdivision_id",
        "division_id%20",
        "limit",
    ];
    let name = dice.pick(&NAMES);
    let value = match dice.below(8) {
        0 => String::new(),
        1 => format!("%{}", division(dice, world)),
        2 => division(dice, world).replace('-', "%2d"),
        3 => format!("{}=", division(dice, world)),
        _ => {
            let all: Vec<_> = world.contents.divisions.keys().collect();
            if all.is_empty() { uuid(dice).to_string() } else { dice.pick(&all).to_string() }
        }
    };

    if dice.one_in(12) { (*name).to_owned() } else { format!("{name}={value}") }
}
