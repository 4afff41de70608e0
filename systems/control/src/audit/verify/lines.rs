//! Records as lines of JSON, as a collector's folder has them.

use std::collections::BTreeSet;
use std::io::{self, Read};

use gateward_agent::journal::json::Line;
use gateward_agent::proof::Mistake;
use gateward_core::name::Uuid;
use serde_json::{Map, Value};

use super::super::folder::Lines;
use super::beside::{About, Beside, Form, Proved};

/// The account that the first line is of.
pub(super) fn account(beside: &mut Beside<impl Form>) -> io::Result<Option<Uuid>> {
    let first = beside.peek()?.and_then(parse);

    Ok(first.and_then(|line| Uuid::parse(&line.account_id)))
}

fn parse(text: &[u8]) -> Option<Line<'_>> {
    Line::parse(core::str::from_utf8(text).ok()?).ok()
}

impl<R: Read> Form for Lines<R> {
    fn write(proved: &Proved<'_>, out: &mut Vec<u8>) {
        let Proved { record, origin, snapshot, head } = proved;
        Line::of(record, origin, *snapshot, head).write_json(out);
    }

    fn about(found: &[u8]) -> Option<About> {
        let line = parse(found)?;

        // The first eight digits of its id tell enrolments of a gateway apart.
        Some(About { seq: line.seq, whose: line.decision_id.chars().take(8).collect() })
    }

    fn fields(expected: &[u8], found: &[u8]) -> Vec<String> {
        let read = |text| serde_json::from_slice::<Map<String, Value>>(text).unwrap_or_default();
        let (expected, found) = (read(expected), read(found));
        let names: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
        let differs = |name: &&&String| expected.get(**name) != found.get(**name);

        names.iter().filter(differs).map(|name| (*name).clone()).collect()
    }

    fn take_if(&mut self, expected: &[u8]) -> bool {
        Self::take_if(self, expected)
    }

    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.next_line()
    }

    fn surplus(&self, _about: Option<About>) -> Mistake {
        Mistake::Added { line: self.number() }
    }
}
