//! Pairs of a snapshot and a question, put to both sides: the answers have to be the same.
//!
//! A pair is its seed and its number: the same pair comes again whichever others are drawn.

use core::fmt;
use core::ops::Range;
use std::collections::BTreeMap;

use gateward_constant_time::Draw;
use gateward_core::decide::{Reason, reasons};

use crate::agent::Agent;
use crate::answer::Answer;
use crate::firmware::Firmware;
use crate::question::Question;
use crate::world::{Given, Size, World};

/// Questions about one snapshot.
pub const EACH: u64 = 100;

/// How often each reason was given, and how often a text was no token at all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// By the number of the reason.
    pub reasons: BTreeMap<u32, u64>,
    /// Texts that cannot be tokens.
    pub not_tokens: u64,
}

impl Tally {
    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.not_tokens += other.not_tokens;
        for (reason, more) in &other.reasons {
            *self.reasons.entry(*reason).or_default() += more;
        }
    }

    /// Returns how many answers were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.not_tokens + self.reasons.values().sum::<u64>()
    }

    /// Returns the reasons that were never given.
    pub fn missing(&self) -> impl Iterator<Item = Reason> {
        reasons().filter(|reason| !self.reasons.contains_key(&u32::from(*reason as u8)))
    }

    pub(crate) fn count(&mut self, answer: &Answer) {
        match answer {
            Answer::Decided { reason, .. } => {
                *self.reasons.entry(*reason).or_default() += 1;
            }
            Answer::NotAToken => self.not_tokens += 1,
            Answer::Status(_) => {}
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (reason, count) in &self.reasons {
            let known = u8::try_from(*reason).ok().and_then(Reason::from_byte);
            writeln!(f, "{count:>9} {}", known.unwrap_or(Reason::Internal))?;
        }

        write!(f, "{:>9} not a token", self.not_tokens)
    }
}

/// One pair about which the two sides say different things.
#[derive(Debug)]
pub struct Difference {
    seed: u64,
    number: u64,
    what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, number, what } = self;

        write!(f, "differential --seed {seed} --only {number}: {what}")
    }
}

/// Draws the snapshot that pair `number` is about.
#[must_use]
pub fn world(seed: u64, number: u64, size: Size) -> World {
    World::draw(&mut stream(seed, number / EACH, b'w'), size)
}

/// Draws the question of pair `number`.
#[must_use]
pub fn question(seed: u64, number: u64, world: &World) -> Question {
    Question::draw(&mut stream(seed, number, b'q'), world)
}

/// A stream of its own for every number.
fn stream(seed: u64, number: u64, of: u8) -> Draw {
    let mut mixed = Draw::new(seed ^ u64::from(of));
    let seed = mixed.next() ^ Draw::new(number).next();

    Draw::new(seed)
}

/// Puts the pairs with these numbers to both sides; returns what came of them.
///
/// # Errors
///
/// Returns the first pair about which they differ.
pub fn compare(seed: u64, numbers: Range<u64>) -> Result<Tally, Difference> {
    let mut tally = Tally::default();
    let mut number = numbers.start;
    while number < numbers.end {
        let end = numbers.end.min((number / EACH + 1) * EACH);
        tally.add(&compare_in_one_world(seed, number..end)?);
        number = end;
    }

    Ok(tally)
}

fn compare_in_one_world(seed: u64, numbers: Range<u64>) -> Result<Tally, Difference> {
    let world = world(seed, numbers.start, Size::Any);

    compare_given(seed, numbers, &world, [&world.given; 2])
}

/// Compares what the agent says with what firmware says, of what each was given.
fn compare_given(
    seed: u64,
    numbers: Range<u64>,
    world: &World,
    given: [&Given; 2],
) -> Result<Tally, Difference> {
    let first = numbers.start;
    let differs = |number, what| Err(Difference { seed, number, what });
    let agent = match Agent::open(given[0]) {
        Ok(agent) => agent,
        Err(refused) => return differs(first, format!("the agent opens nothing: {refused}")),
    };
    let firmware = match Firmware::open(given[1]) {
        Ok(firmware) => firmware,
        Err(status) => return differs(first, format!("firmware opens nothing: {}", status.code)),
    };
    if let Some(id) = misnamed(world, &firmware) {
        return differs(first, format!("`{id}` is another permission to firmware"));
    }
    let view = agent.view();
    let mut tally = Tally::default();
    for number in numbers {
        let question = question(seed, number, world);
        let expected = agent.answer(&view, &question);
        let answers = [firmware.answer(&view, &question), firmware.answer_text(&view, &question)];
        if answers != [expected; 2] {
            let what =
                format!("agent {expected:?}, check and check_text {answers:?}; {question:?}");
            return differs(number, what);
        }
        tally.count(&expected);
    }

    Ok(tally)
}

/// Returns an id by which firmware does not find the bit that the agent finds.
fn misnamed<'w>(world: &'w World, firmware: &Firmware<'_>) -> Option<&'w str> {
    let named = world.ids.iter().zip(0..).filter_map(|(id, bit)| Some((id.as_deref()?, bit)));
    let mut wrong =
        named.filter(|(id, bit)| firmware.permission(id).is_none_or(|set| set.0 != 1 << bit));

    wrong.next().map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l4_the_same_inputs_give_the_agent_and_the_shim_the_same_decision() {
        let tally = compare(4, 0..10_000).unwrap_or_else(|difference| panic!("{difference}"));

        assert_eq!(tally.total(), 10_000);
        assert_eq!(tally.missing().collect::<Vec<_>>(), []);
    }

    /// The first of many snapshots of which one side is given something else, or nothing of it.
    fn finds(other: impl Fn(&mut Given)) -> bool {
        (0..100).map(|at| at * EACH).any(|first| {
            let world = world(4, first, Size::Any);
            let mut given = world.given.clone();
            other(&mut given);
            let one = [&world.given, &given];
            compare_given(4, first..first + 40, &world, one).is_err()
        })
    }

    #[test]
    fn what_one_side_was_not_given_is_found() {
        assert!(!finds(|_| {}));
        assert!(finds(|given| given.lists.clear()));
        assert!(finds(|given| given.beacon = None));
        assert!(finds(|given| drop(given.lists.pop())));
        assert!(finds(|given| given.lists.reverse()));
    }
}
