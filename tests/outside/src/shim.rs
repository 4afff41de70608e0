//! The C interface: a program that calls it in any order, with anything.
//!
//! An input is a list of calls: a byte says which function, the next ones where each of its pointers
//! leads. A call comes to a status that is known; where it is no success, not a byte of the caller's
//! has changed; where it is, the floor has not gone down and what was decided can be recorded.

mod arena;
mod args;
#[cfg(test)]
mod capacity;
mod decide;
mod pool;
mod rules;
mod trust;
mod values;

use gateward::{GATEWARD_OK, Status};

use self::args::Run;
use crate::Input;

/// The most calls of one input.
const MOST: usize = 64;

/// A function of the interface, called with what the input says.
pub(crate) struct Call {
    pub(crate) name: &'static str,
    run: fn(&mut Run<'_>) -> Status,
}

/// Every function of the interface.
pub(crate) fn calls() -> impl Iterator<Item = &'static Call> + Clone {
    trust::CALLS.iter().chain(decide::CALLS)
}

pub(super) fn run(data: &[u8]) {
    let mut run = Run::new(Input(data));
    if run.input.way(2) == 1 {
        begin(&mut run);
    }
    for _ in 0..MOST {
        if run.input.is_over() {
            return;
        }
        let which = usize::from(run.input.byte()) % calls().count();
        let call = calls().nth(which).expect("one of them");
        step(&mut run, call);
    }
}

/// A snapshot in force, so that what follows has something to work on.
fn begin(run: &mut Run<'_>) {
    let input = std::mem::replace(&mut run.input, Input(&[]));
    for name in [
        "gateward_floor_start",
        "gateward_keys_anchor",
        "gateward_manifest_verify",
        "gateward_hash_list_check",
        "gateward_snapshot_open",
        "gateward_snapshot_commit",
        "gateward_token_read",
        "gateward_ask_prepare",
    ] {
        let call = calls().find(|call| call.name == name).expect("a function of the interface");
        assert_eq!(step(run, call), GATEWARD_OK, "{name}");
    }
    run.input = input;
}

fn step(run: &mut Run<'_>, call: &Call) -> Status {
    let before = run.arena.bytes();
    let status = (call.run)(run);
    rules::known(status);
    if status == GATEWARD_OK {
        rules::floors_rise(run, call.name, &before);
    } else {
        assert!(run.arena.is_as(&before), "{} failed with {status:?} and wrote", call.name);
    }

    status
}

/// The input that makes these calls with these choices, after a good beginning or at once.
pub(crate) fn script(begun: bool, steps: &[(&str, &[u8])]) -> Vec<u8> {
    let mut input = vec![u8::from(begun)];
    for (name, choices) in steps {
        let which = calls().position(|call| call.name == *name).expect("a function of it");
        input.push(u8::try_from(which).expect("fewer than 256"));
        input.extend(*choices);
    }

    input
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_function_of_the_interface_is_called() {
        let header = include_str!("../../../firmware-shim/include/gateward.h");
        let words = header.split(|c: char| !(c.is_ascii_alphanumeric() || "_(".contains(c)));
        let declared = words.filter_map(|word| Some(word.split_once('(')?.0));
        let declared: BTreeSet<_> = declared.filter(|name| name.starts_with("gateward_")).collect();
        let called: BTreeSet<_> = calls().map(|call| call.name).collect();

        assert!(declared.len() > 30);
        assert_eq!(called, declared);
    }

    #[test]
    fn a_good_input_gets_as_far_as_it_means_to() {
        let mut run = Run::new(Input(&[]));
        begin(&mut run);
        for name in ["gateward_check", "gateward_record_start", "gateward_record_encode"] {
            let call = calls().find(|call| call.name == name).expect("a function");
            assert_eq!(step(&mut run, call), GATEWARD_OK, "{name}");
        }
    }
}
