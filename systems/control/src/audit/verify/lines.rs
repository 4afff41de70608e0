//! The lines of a gateway, held against the records that the batches prove.

use std::collections::BTreeSet;
use std::io::{self, Read};

use gateward_agent::journal::json::Line;
use gateward_agent::proof::{Mistake, Mistakes};
use gateward_core::name::Uuid;
use gateward_core::trust::Incarnation;
use serde_json::{Map, Value};

use super::super::folder::Lines;

/// Where among the lines the comparison is.
#[derive(Debug)]
pub(super) struct Compared<R> {
    lines: Lines<R>,
    /// A line that was read and belongs to no record so far.
    held: Option<Vec<u8>>,
    mistakes: Mistakes,
    /// How the ids of this and of earlier enrolments begin.
    here: String,
    left: BTreeSet<String>,
}

/// What a line says it is about.
struct About {
    seq: u64,
    /// The part of the id that is the same for all records of an enrolment.
    whose: String,
}

impl About {
    fn of(text: &[u8]) -> Option<Self> {
        let line = Line::parse(core::str::from_utf8(text).ok()?).ok()?;

        Some(Self { seq: line.seq, whose: whose(&line) })
    }
}

/// The first eight digits tell enrolments of a gateway apart.
fn whose(line: &Line<'_>) -> String {
    line.decision_id.chars().take(8).collect()
}

impl<R: Read> Compared<R> {
    pub(super) fn new(from: R) -> Self {
        let (here, left) = (String::new(), BTreeSet::new());

        Self { lines: Lines::new(from), held: None, mistakes: Mistakes::default(), here, left }
    }

    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        match self.held.take() {
            Some(held) => Ok(Some(held)),
            None => Ok(self.lines.next_line()?.map(<[u8]>::to_vec)),
        }
    }

    /// The account that the first line is of.
    pub(super) fn account(&mut self) -> io::Result<Option<Uuid>> {
        let first = self.next()?;
        let text = first.as_deref().and_then(|text| core::str::from_utf8(text).ok());
        let line = text.and_then(|text| Line::parse(text).ok());
        let account = line.and_then(|line| Uuid::parse(&line.account_id));
        self.held = first;

        Ok(account)
    }

    /// Counts the lines that are left.
    pub(super) fn count(&mut self) -> io::Result<u64> {
        let mut count = 0;
        while self.next()?.is_some() {
            count += 1;
        }

        Ok(count)
    }

    /// Holds the next line against what the record's should be.
    pub(super) fn hold(&mut self, expected: &Line<'_>, incarnation: Incarnation) -> io::Result<()> {
        let json = expected.to_json();
        // Nearly always, and then nothing is read twice.
        if self.held.is_none() {
            match self.lines.next_line()? {
                Some(text) if text == json.as_bytes() => return Ok(()),
                other => self.held = other.map(<[u8]>::to_vec),
            }
        }
        self.enter(expected);
        let number = expected.seq;
        let removed = Mistake::Removed { incarnation, first: number, last: number };
        loop {
            let Some(text) = self.next()? else {
                self.mistakes.add(removed);
                return Ok(());
            };
            let line = self.lines.number();
            if text == json.as_bytes() {
                return Ok(());
            }
            match About::of(&text) {
                Some(about) if about.whose == self.here && about.seq == number => {
                    let fields = fields(&json, &text);
                    self.mistakes.add(Mistake::Altered { incarnation, number, fields });
                    return Ok(());
                }
                Some(about) if !self.is_before(&about, number) => {
                    self.held = Some(text);
                    self.mistakes.add(removed);
                    return Ok(());
                }
                _ => self.mistakes.add(Mistake::Added { line }),
            }
        }
    }

    fn enter(&mut self, expected: &Line<'_>) {
        let whose = whose(expected);
        if whose != self.here {
            let before = core::mem::replace(&mut self.here, whose);
            self.left.insert(before);
        }
    }

    /// Whether a line that is no record's can only be of what has been passed.
    fn is_before(&self, about: &About, number: u64) -> bool {
        if about.whose == self.here { about.seq < number } else { self.left.contains(&about.whose) }
    }

    /// Returns what is wrong; lines that are left belong to no record.
    pub(super) fn finish(mut self) -> io::Result<Vec<Mistake>> {
        loop {
            if self.next()?.is_none() {
                return Ok(self.mistakes.found().to_vec());
            }
            self.mistakes.add(Mistake::Added { line: self.lines.number() });
        }
    }
}

/// The names of the fields in which two lines differ.
fn fields(expected: &str, found: &[u8]) -> Vec<String> {
    let expected: Map<String, Value> = serde_json::from_str(expected).unwrap_or_default();
    let found: Map<String, Value> = serde_json::from_slice(found).unwrap_or_default();
    let names: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let differs = |name: &&&String| expected.get(**name) != found.get(**name);

    names.iter().filter(differs).map(|name| (*name).clone()).collect()
}
