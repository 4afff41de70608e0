//! What came of following a chain, for people and programs.

use core::fmt;
use std::io::Read;

use gateward_core::trust::{GatewayId, Incarnation};
use serde::Serialize;
use serde::ser::SerializeStruct as _;

use super::{Follower, Known, Mistake, Mistakes, Seen};
use crate::upload::stick::{self, BadStick};

/// What was looked at, and what is wrong with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// How much was looked at.
    pub seen: Seen,
    /// The numbers that records own up to having lost.
    pub gaps: Vec<(u64, u64)>,
    /// The number of the first record, where those before it may be missing; 1 otherwise.
    pub begins: u64,
    /// How many lines or rows stand before the first batch, where those may be missing: nothing proves them.
    pub unproved: u64,
    /// The enrolment, the last number and the head of the chain after it; none where nothing is there.
    pub end: Option<(Incarnation, u64, String)>,
    /// Nothing says where the records should end, so a tail that was cut off cannot be seen.
    pub open: bool,
    /// All that is wrong.
    pub mistakes: Mistakes,
}

impl Report {
    /// Ends the walk.
    #[must_use]
    pub fn of(follower: Follower) -> Self {
        let end = follower.at().map(|at| (at.incarnation, at.last, at.head.to_string()));
        let begins = follower.begins();
        let (seen, gaps, mistakes) = follower.finish();

        Self { seen, gaps, begins, unproved: 0, end, open: false, mistakes }
    }
}

/// Follows the chain through a file of batches that a gateway exported.
pub fn of_file(file: impl Read, known: impl Fn(GatewayId, Incarnation) -> Option<Known>) -> Report {
    let mut follower = Follower::new(false);
    let mut batch = 0;
    let read = stick::read::<BadStick>(file, |message| {
        batch += 1;
        follower.take(message, &known, |_, _, _| ());
        Ok(())
    });
    if let Err(bad) = read {
        follower.note(Mistake::File { batch, why: bad.to_string() });
    }

    Report::of(follower)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen { records, checkpoints, unsigned, tags } = self.seen;
        let whole = if self.mistakes.is_empty() { "the chain is whole" } else { "NOT whole" };
        write!(f, "{whole}: {records} records, {checkpoints} checkpoints signed by the gateway")?;
        if tags > 0 {
            write!(f, ", {tags} tags of its key")?;
        }
        if unsigned > 0 {
            write!(f, "; {unsigned} checkpoints not looked at, for want of its public key")?;
        }
        if self.begins > 1 {
            write!(f, "\nbegins with record {}; what was before it is not looked at", self.begins)?;
        }
        if self.unproved > 0 {
            write!(
                f,
                "\n{} lines or rows stand before that, and nothing proves them",
                self.unproved
            )?;
        }
        if let Some((incarnation, last, head)) = &self.end {
            write!(f, "\nends with record {last} of enrolment {incarnation}, head {head}")?;
        }
        if self.open {
            f.write_str(
                "\nnothing here says where the records should end, so a tail that was cut off is not seen: \
                 the collector's folder `state` is missing or closed to this user",
            )?;
        }
        for (first, last) in &self.gaps {
            write!(f, "\nrecorded gap: {first} to {last}")?;
        }
        for mistake in self.mistakes.found() {
            write!(f, "\n{mistake}")?;
        }
        match self.mistakes.more() {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

impl Serialize for Report {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            mistake: &'a str,
            text: String,
        }
        let mistakes: Vec<_> = self
            .mistakes
            .found()
            .iter()
            .map(|mistake| Told { mistake: mistake.code(), text: mistake.to_string() })
            .collect();
        let mut report = to.serialize_struct("Report", 13)?;
        report.serialize_field("records", &self.seen.records)?;
        report.serialize_field("checkpoints", &self.seen.checkpoints)?;
        report.serialize_field("checkpoints_unsigned", &self.seen.unsigned)?;
        report.serialize_field("tags", &self.seen.tags)?;
        report.serialize_field("enrolment", &self.end.as_ref().map(|end| end.0.to_string()))?;
        report.serialize_field("last", &self.end.as_ref().map(|end| end.1))?;
        report.serialize_field("head", &self.end.as_ref().map(|end| &end.2))?;
        report.serialize_field("begins", &self.begins)?;
        report.serialize_field("unproved", &self.unproved)?;
        report.serialize_field("end_unknown", &self.open)?;
        report.serialize_field("gaps", &self.gaps)?;
        report.serialize_field("mistakes", &mistakes)?;
        report.serialize_field("mistakes_more", &self.mistakes.more())?;
        report.end()
    }
}
