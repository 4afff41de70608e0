//! Who is let in, weighed again the plain way: with branches, and one check after another.

use gateward_core::decide::{Ask, Decision, Mode, decide};
use gateward_core::division::{DivisionRules, Target};
use gateward_core::permission::Operation;
use gateward_core::principal::PrincipalKind;
use gateward_core::route;
use gateward_core::snapshot::{Principal, View};
use gateward_core::token::{Context, Token};

use super::told::verifier_at;
use crate::fixture::fixture;
use crate::{cast, heap};

/// A request that only an added rule knows.
const SCAN: &str = "/net/d1d1d1d1-d1d1-d1d1-d1d1-d1d1d1d1d1d1/scan";
const RULES: [DivisionRules; 2] = [
    DivisionRules { strict: false, deny_unattached: false },
    DivisionRules { strict: true, deny_unattached: true },
];

/// How many tokens are tried with one file.
const TOKENS: usize = 4;

/// Puts a few questions about some tokens of the fixture to any snapshot.
pub(super) fn nobody_else(view: &View<'_>, file: &[u8]) {
    let asks = asks(view);
    // Which ones, depends on the file, so that each finds its own.
    let first = usize::from(file.iter().fold(0, |all, byte| all ^ byte));
    for text in fixture().tokens().iter().cycle().skip(first % 16).take(TOKENS) {
        let token = Token::read(text).expect("a token of ours");
        for (ask, rules) in asks.iter().zip(RULES.iter().cycle()) {
            let decision = heap::within(0, || decide(view, ask, &token, cast::NOW, *rules));
            if decision.principal.is_some() || decision.is_allowed() {
                let owner = holder(view, file, &token);
                assert_eq!(decision.principal.map(|one| one.id()), Some(owner.id()));
                if decision.is_allowed() {
                    allowed(view, &token, &owner, ask, &decision);
                }
            }
        }
    }
}

fn asks(view: &View<'_>) -> Vec<Ask> {
    let permissions = |ids: &[&str], operation, division, mode| {
        Ask::of_permissions(view, ids.iter().copied(), operation, division, mode)
    };
    let mut asks = vec![
        permissions(&["manage_device"], Some(Operation::Read), Some("A"), Mode::Direct),
        permissions(&["manage_device", "scan"], None, None, Mode::Proxy),
        permissions(&["manage_certificate"], Some(Operation::Issue), Some("B"), Mode::Direct),
        permissions(&["view_license"], None, None, Mode::Direct),
    ];
    for (method, target) in
        [("POST", SCAN), ("GET", "/iot/api/v2/device"), ("PUT", "/iot/api/v2/device/1")]
    {
        if let Ok(found) = route::find(method, target, view.ext().routes()) {
            asks.push(Ask::of_route(view, &found, None, Mode::Proxy));
        }
    }

    asks
}

/// The owner of the one row with this number, whose verifier is that of this secret.
fn holder<'v>(view: &View<'v>, file: &[u8], token: &Token) -> Principal<'v> {
    let id = token.lookup.id;
    let (at, row) =
        view.tokens().enumerate().find(|(_, row)| row.id == id).expect("no row, and yet known");
    let verifier = Context::new(&view.account().0).verifier(id, token.secret());
    assert!(verifier.starts_with(verifier_at(file, at)), "another secret, and yet known");

    view.principal(row.owner).expect("an owner")
}

fn allowed(
    view: &View<'_>,
    token: &Token,
    owner: &Principal<'_>,
    ask: &Ask,
    decision: &Decision<'_>,
) {
    let now = cast::NOW;
    let row = view.tokens().find(|row| row.id == token.lookup.id).expect("it has an owner");
    let ended = |end: gateward_core::time::End| end.seconds().is_some_and(|end| end <= now);
    assert!(!row.disabled && !ended(row.end), "a dead token");
    assert!(!owner.is_disabled() && owner.has_iot_access() && !ended(owner.end()), "a dead owner");
    assert!(!view.is_suspended(), "a suspended account");
    assert!(owner.kind().token_kind() as u8 == token.lookup.kind, "a token of another kind");
    assert!(now < view.limits().expires_at, "an expired snapshot");
    assert!(!ask.is_fresh() || now < view.limits().stale_at, "a stale snapshot");
    let system = owner.kind() == PrincipalKind::SystemUser;
    let barred = if system { ask.barred().0 } else { 0 };
    let usable = owner.permissions().intersection(ask.any_of()).0 & !barred;
    let used = decision.permission.expect("a permission was used");
    assert!(usable >> used.bit() & 1 == 1, "a permission that it does not have");
    assert!(reaches(view, owner, ask.target()), "a division out of reach");
}

fn reaches(view: &View<'_>, owner: &Principal<'_>, target: Target) -> bool {
    let mut own = owner.divisions();
    match target {
        _ if owner.reaches_all_divisions() => target != Target::Malformed,
        Target::Division(index) => own.any(|id| view.division_id(index) == Some(id)),
        Target::Unattached | Target::Upstream => own.next().is_some(),
        Target::Unscoped => true,
        Target::Foreign | Target::Malformed | Target::Unspecified => false,
    }
}
