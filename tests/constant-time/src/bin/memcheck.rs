//! Every check with everything that is secret marked undefined; memcheck reports each branch and
//! each address that depends on it.
//!
//! `memcheck` alone runs what is shipped, with the name of a leak that leak too. Only under valgrind,
//! and only a release build: in others `subtle` asserts on what it compares.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a proof that cannot go on should stop and say where"
)]

use gateward_constant_time::client_request::{
    hidden_bits, hide, hide_highest_bit, is_watched, publish,
};
use gateward_constant_time::{Class, Copies, Draw, NOW, Plant, Table};
use gateward_core::decide::{Reason, weigh};
use gateward_core::division::DivisionRules;
use gateward_core::snapshot::build::VerifierLen;
use gateward_core::token::Token;

/// How many tables are made for each length of verifiers.
const TABLES: u64 = 2;
/// What is secret of a token of ours: everything behind the second dot.
const SECRET: usize = 18;

fn main() {
    let name = std::env::args().nth(1);
    let plant = name.map(|name| {
        let known = Plant::ALL.into_iter().find(|(known, _)| *known == name);
        known.unwrap_or_else(|| panic!("no leak is called `{name}`")).1
    });
    assert!(is_watched(), "run this under valgrind: `tests/timing`");
    let (mut bits, mut checks) = (0, 0);
    for verifier in [VerifierLen::Full, VerifierLen::Half] {
        for seed in 0..TABLES {
            let table = Table::new(&mut Draw::new(seed), verifier, Copies::One);
            bits += hide_records(&table);
            checks += check_all(&table, plant);
            if plant.is_none() {
                check_opaque(&table);
            }
        }
    }
    println!("{checks} checks of {} outcomes, {bits} bits of records secret", Class::ALL.len());
}

/// Hides everything of the table that a check weighs; returns how many bits that is.
fn hide_records(table: &Table) -> u32 {
    let file = table.file();
    for range in table.places().secrets() {
        hide(file.get(range).expect("it is in the file"));
    }
    for at in table.places().statuses() {
        hide_highest_bit(file.get(at).expect("it is in the file"));
    }
    let revoked = table.revoked().bytes();
    hide(revoked);
    let hidden = [hidden_bits(file), hidden_bits(revoked)];
    assert!(!hidden.contains(&0), "nothing is marked, so nothing would be found");

    hidden.iter().sum()
}

fn check_all(table: &Table, plant: Option<Plant>) -> usize {
    let cases = table.cases();
    for case in &cases {
        hide(case.text.get(SECRET..).expect("a token is longer"));
        let Some(weighed) = case.weigh(plant) else { continue };
        // Here, and only here, what was weighed may be looked at.
        publish(&weighed);
        let reason = weighed.decision().reason;
        assert_eq!(reason, case.class.reason(), "{:?}", case.class);
    }

    cases.len()
}

/// A text that is not of ours is secret as a whole; what it is looked up by, its digest, is not.
fn check_opaque(table: &Table) {
    let text = *b"0123456789-abcdefghijklmnopqrstuvwxyz";
    // Whether it is one of ours shows in its first characters, to whoever sends it.
    hide(text.get(5..).expect("it is longer"));
    let token = Token::read(&text).expect("its length is that of an imported token");
    publish(&token.lookup);
    for case in table.cases() {
        let weighed = weigh(case.view(), case.ask(), &token, NOW, DivisionRules::default());
        publish(&weighed);
        assert_eq!(weighed.decision().reason, Reason::UnknownToken);
    }
}
