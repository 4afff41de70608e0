//! One decision, from the text of a token to the verdict, beside the reference in turns.
//!
//! Budget: 1.3 times the reference without the decoding of the text, plus the decoding once.

use gateward_core::decide::{Ask, Mode, Reason, decide};
use gateward_core::division::DivisionRules;
use gateward_core::permission::Operation;
use gateward_core::snapshot::View;
use gateward_core::token::Token;

use crate::allocations;
use crate::measure::{each, middle};
use crate::reference::Reference;
use crate::table::Table;
use crate::workload::{ASKED, DIVISIONS, Expected, NOW, Request, World, division};

/// Different requests: enough that a table of 100k tokens is used all over.
const REQUESTS: usize = 32_768;
/// How often each of them is timed.
const ROUNDS: usize = 21;

pub fn print(table: &mut Table, name: &str, world: &World, view: &View<'_>, budget: Option<f64>) {
    let reference = Reference::new(world);
    let requests = world.requests(REQUESTS);
    let asks = asks(view);
    let ours = |request: &Request| verdict(view, &asks, request) == Reason::Ok;
    let theirs =
        |request: &Request| reference.allows(&request.text, request.permission, request.division);
    agree(&requests, |request| verdict(view, &asks, request), theirs);

    let (mut decoding, mut deciding, mut looking) = (vec![], vec![], vec![]);
    let (mut over, mut allocated) = (vec![], 0);
    for _ in 0..ROUNDS {
        let (decode, read) = each(&requests, |request| {
            Token::read(&request.text).is_ok_and(|token| token.is_well_formed())
        });
        let (refer, known) = each(&requests, theirs);
        let (count, (decide, allowed)) = allocations::during(|| each(&requests, ours));
        assert_eq!((read, known, allowed), (REQUESTS, REQUESTS / 2, REQUESTS / 2));
        over.push(decide / (1.3 * (refer - decode) + decode));
        decoding.push(decode);
        looking.push(refer);
        deciding.push(decide);
        allocated += count;
    }

    table.show(&format!("token text decoded and its CRC, {name}"), middle(decoding), "ns");
    table.show(&format!("reference, text to verdict, {name}"), middle(looking), "ns");
    table.show(&format!("decision, text to verdict, {name}"), middle(deciding), "ns");
    let what = "  over 1.3 x reference + decoding";
    match budget {
        Some(budget) => table.timed(what, middle(over), "", budget),
        None => table.show(what, middle(over), ""),
    }
    let decisions = REQUESTS * ROUNDS;
    table.exact(&format!("  allocations in {decisions} decisions"), allocated as f64, "", 0.0);
}

/// Every question that is asked, resolved once, by permission and division.
fn asks(view: &View<'_>) -> Vec<Ask> {
    let read = Some(Operation::Read);
    let questions = ASKED.iter().flat_map(|(_, id)| (0..DIVISIONS).map(|at| (*id, division(at))));

    questions
        .map(|(id, division)| {
            Ask::of_permissions(view, [id].into_iter(), read, Some(&division), Mode::Direct)
        })
        .collect()
}

#[inline(never)]
fn verdict(view: &View<'_>, asks: &[Ask], request: &Request) -> Reason {
    let Ok(token) = Token::read(&request.text) else { return Reason::MalformedToken };
    let ask = &asks[request.permission * DIVISIONS + request.division];

    decide(view, ask, &token, NOW, DivisionRules::default()).reason
}

/// Nothing is timed that does not give the right answer to each request.
fn agree(
    requests: &[Request],
    ours: impl Fn(&Request) -> Reason,
    theirs: impl Fn(&Request) -> bool,
) {
    for request in requests {
        let reasons: &[_] = match request.expected {
            Expected::Allowed => &[Reason::Ok],
            Expected::Disabled => &[Reason::TokenDisabled, Reason::OwnerDisabled],
            Expected::Expired => &[Reason::TokenExpired],
            Expected::OtherDivision => &[Reason::DivisionDenied],
            Expected::PermissionMissing => &[Reason::PermissionMissing],
            Expected::Unknown => &[Reason::UnknownToken],
        };
        let said = ours(request);
        assert!(reasons.contains(&said), "{said:?} where {:?} is right", request.expected);
        assert_eq!(theirs(request), request.expected == Expected::Allowed);
    }
}
