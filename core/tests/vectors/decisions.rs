//! Random snapshots and requests, and what this code decides about them.

mod requests;
mod world;

use gateward_core::decide::{self, Ask, Mode, Reason, decide};
use gateward_core::division::DivisionRules;
use gateward_core::permission::Operation;
use gateward_core::route::{self, Sent};
use gateward_core::snapshot::View;
use gateward_core::time::UnixSeconds;
use gateward_core::token::Token;
use serde_json::{Value, json};

use crate::vector::hex;
use requests::Request;
use world::World;

/// What a request can end with beside the reasons of a decision.
const OTHERS: [Reason; 7] = [
    Reason::OkPublic,
    Reason::PassthroughDevice,
    Reason::MissingCredential,
    Reason::CredentialConflict,
    Reason::CredentialNotAccepted,
    Reason::RouteUnknown,
    Reason::MethodNotAllowed,
];

/// Every reason that one snapshot and one request can end with.
pub(crate) fn reasons() -> impl Iterator<Item = Reason> {
    decide::reasons().chain(OTHERS)
}

/// Requests about one snapshot.
const EACH: usize = 40;

/// Numbers that are the same for the same seed, everywhere (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);

        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    /// True in one case of `n`.
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// A few small snapshots with requests, to be committed.
pub(crate) fn sample() -> String {
    let about = "Section 12. A snapshot, then requests about it; `who` is told with the reason.";
    let vectors = lines(&mut Dice(41), 60, 15, World::small);

    serde_json::to_string_pretty(&json!({ "about": about, "vectors": vectors })).unwrap() + "\n"
}

/// As many decisions as asked for, from this seed.
pub(crate) fn random(seed: u64, count: usize) -> Vec<Value> {
    lines(&mut Dice(seed), count, EACH, World::any)
}

fn lines(dice: &mut Dice, count: usize, each: usize, draw: fn(&mut Dice) -> World) -> Vec<Value> {
    let mut lines = Vec::new();
    for _ in 0..count / each {
        let world = draw(dice);
        lines.push(json!({ "snapshot": hex(&world.file) }));
        let opened = world.open();
        let bits = world.revoke(&opened.view());
        let view = opened.view().with_revocation(bits.bits());
        lines.extend((0..each).map(|_| line(dice, &world, &view)));
    }

    lines
}

fn line(dice: &mut Dice, world: &World, view: &View<'_>) -> Value {
    let request = Request::draw(dice, world);
    let (now, rules) = (world.moment(dice), requests::rules(dice));
    let (reason, who) = answer(view, &request, now, rules);

    json!({
        "circumstances": {
            "deny_unattached": rules.deny_unattached,
            "expires_at": world.expires_at,
            "now": now.0,
            "revoked_principals": world.revoked.1.iter().map(|key| format!("{key:x}")).collect::<Vec<_>>(),
            "revoked_tokens": world.revoked.0.iter().map(|id| format!("{id:x}")).collect::<Vec<_>>(),
            "stale_at": world.stale_at,
            "strict": rules.strict,
        },
        "reason": reason.name(),
        "request": request.json(),
        "who": who,
    })
}

/// The order of DOMAIN section 4, as the agent follows it.
fn answer(
    view: &View<'_>,
    request: &Request,
    now: UnixSeconds,
    rules: DivisionRules,
) -> (Reason, Option<String>) {
    let division = request.division.as_deref();
    let ask = match &request.subject {
        requests::Subject::Route { method, target } => {
            let found = match route::find(method, target, view.ext().routes()) {
                Ok(found) => found,
                Err(none) => return (none.reason(), None),
            };
            if let Some(reason) = found.settles(request.sent()) {
                return (reason, None);
            }
            Ask::of_route(view, &found, division, request.mode())
        }
        requests::Subject::Permissions { ids, operation } => {
            match request.sent() {
                Sent::Token => {}
                Sent::Conflict => return (Reason::CredentialConflict, None),
                Sent::Nothing | Sent::Passcode => return (Reason::MissingCredential, None),
            }
            let ids = ids.iter().map(String::as_str);
            let operation = operation.map(|name| Operation::parse(name).unwrap());
            Ask::of_permissions(view, ids, operation, division, request.mode())
        }
    };
    let Ok(token) = Token::read(&request.token) else { return (Reason::MalformedToken, None) };
    let decision = decide(view, &ask, &token, now, rules);

    (decision.reason, decision.principal.map(|one| one.name().to_owned()))
}

/// How a mode is written down.
const fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Direct => "direct",
        Mode::Proxy => "proxy",
    }
}
