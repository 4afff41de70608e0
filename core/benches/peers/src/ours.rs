//! Gateward and the table that it is measured by: from the text of a token to the verdict, the
//! secret checked.

use gateward_core::decide::{Ask, Mode, decide};
use gateward_core::division::DivisionRules;
use gateward_core::permission::Operation;
use gateward_core::snapshot::build::VerifierLen;
use gateward_core::snapshot::{Unsigned, View, unsigned};
use gateward_core::token::Token;

use crate::Engine;
use crate::reference::Reference;
use crate::workload::{ASKED, NOW, Request, World, division};

/// Every question is resolved once, as a program does that asks the same again and again.
pub fn decides<'a>(world: &'a World, requests: &'a [Request]) -> Engine<'a> {
    let snapshot = snapshot(world);
    let asks: Vec<Ask> = requests.iter().map(|request| ask(&snapshot.view(), request)).collect();

    Box::new(move |at| allows(&snapshot.view(), &asks[at], &requests[at]))
}

/// Permission and division are names, looked up for each request.
pub fn resolves<'a>(world: &'a World, requests: &'a [Request]) -> Engine<'a> {
    let snapshot = snapshot(world);
    Box::new(move |at| {
        let view = snapshot.view();
        allows(&view, &ask(&view, &requests[at]), &requests[at])
    })
}

pub fn reference<'a>(world: &'a World, requests: &'a [Request]) -> Engine<'a> {
    let table = Reference::new(world);
    Box::new(move |at| {
        let Request { text, permission, division, .. } = &requests[at];
        table.allows(text, *permission, *division)
    })
}

fn snapshot(world: &World) -> Unsigned<Vec<u8>> {
    let file = world.contents.compile(VerifierLen::Full).expect("the workload fits");

    unsigned(file).expect("it was just compiled")
}

fn ask(view: &View<'_>, request: &Request) -> Ask {
    let (_, id) = ASKED[request.permission];
    let division = division(request.division);
    let ids = [id].into_iter();

    Ask::of_permissions(view, ids, Some(Operation::Read), Some(&division), Mode::Direct)
}

fn allows(view: &View<'_>, ask: &Ask, request: &Request) -> bool {
    let Ok(token) = Token::read(&request.text) else { return false };

    decide(view, ask, &token, NOW, DivisionRules::default()).is_allowed()
}
