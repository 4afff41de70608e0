//! Pairs as bytes, for a program without an operating system, and what it must answer.
//!
//! All numbers are little-endian; nothing is aligned.
//!
//! ```text
//! "GWDPAIR1"
//! account 16 bytes, audience 16 bytes
//! number of snapshots u32, number of pairs u32
//! for each snapshot:
//!   time u64, at which everything is taken, synchronised
//!   for each of key set (the anchor), manifest, file: length u32, bytes
//!   number of revocation lists u32, then for each, in the order in which they are taken:
//!     length u32, bytes
//!   number of pairs u32, then for each:
//!     permissions u64, time u64 (synchronised)
//!     operation u32, mode u32, rules u32: as in `struct gateward_request`
//!     length of the division u32, ffffffff where it is not said; length of the token u32
//!     division, token
//! ```
//!
//! What is expected is one line a pair, in the same order: verdict and reason in decimal, a space
//! between. A text that cannot be a token is a status of the C interface, and stands as what the agent
//! answers: `1 4`.

use std::fmt::Write as _;

use gateward_core::decide::Reason;

use crate::agent::Agent;
use crate::answer::Answer;
use crate::authority::{ACCOUNT, audience};
use crate::firmware;
use crate::pair::{self, Tally};
use crate::question::Question;
use crate::world::{Size, World};

/// What every such file begins with.
pub const MAGIC: &[u8; 8] = b"GWDPAIR1";
/// Snapshots of a file.
pub const WORLDS: u64 = 24;
/// Pairs about each.
pub const PAIRS: u64 = 50;

/// Pairs with what is expected of them.
#[derive(Debug, Default)]
pub struct Image {
    /// The pairs.
    pub bytes: Vec<u8>,
    /// What must come of them.
    pub expected: String,
    /// How often which reason is expected.
    pub tally: Tally,
}

impl Image {
    /// Draws it.
    ///
    /// # Panics
    ///
    /// If what it draws cannot be opened.
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut image = Self::default();
        image.bytes.extend(MAGIC);
        image.bytes.extend(ACCOUNT.0);
        image.bytes.extend(audience().0);
        image.u32(WORLDS);
        image.u32(WORLDS * PAIRS);
        for at in 0..WORLDS {
            image.world(seed, at * pair::EACH);
        }

        image
    }

    fn world(&mut self, seed: u64, first: u64) {
        let mut world = pair::world(seed, first, Size::Small);
        world.given.beacon = None;
        let World { given, .. } = &world;
        self.u64(given.at);
        for part in [&given.keys, &given.manifest, &given.file] {
            self.part(part);
        }
        self.len(given.lists.len());
        given.lists.iter().for_each(|list| self.part(list));
        self.u32(PAIRS);
        let agent = Agent::open(given).expect("it was just made");
        let view = agent.view();
        for number in first..first + PAIRS {
            let question = pair::question(seed, number, &world);
            self.question(&question);
            self.expect(agent.answer(&view, &question));
        }
    }

    fn question(&mut self, question: &Question) {
        let division = question.division.as_deref();
        self.u64(question.permissions.0);
        self.u64(question.now);
        for number in firmware::numbers(question) {
            self.u32(number.into());
        }
        match division {
            Some(text) => self.len(text.len()),
            None => self.u32(u32::MAX.into()),
        }
        self.len(question.token.len());
        self.bytes.extend(division.unwrap_or_default().bytes());
        self.bytes.extend(&question.token);
    }

    fn expect(&mut self, answer: Answer) {
        let (verdict, reason) = match answer {
            Answer::Decided { verdict, reason, .. } => (verdict, reason),
            Answer::NotAToken | Answer::Status(_) => {
                (Reason::MalformedToken.class() as u32, Reason::MalformedToken as u32)
            }
        };
        self.tally.count(&answer);
        writeln!(self.expected, "{verdict} {reason}").expect("a string grows");
    }

    fn part(&mut self, bytes: &[u8]) {
        self.len(bytes.len());
        self.bytes.extend(bytes);
    }

    fn len(&mut self, len: usize) {
        self.u32(u64::try_from(len).expect("it is small"));
    }

    fn u32(&mut self, number: u64) {
        let number = u32::try_from(number).expect("it is small");
        self.bytes.extend(number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.bytes.extend(number.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_a_line_for_every_pair_and_every_reason() {
        let image = Image::draw(1);

        const { assert!(WORLDS * PAIRS >= 1_000) };
        assert_eq!(image.tally.total(), WORLDS * PAIRS);
        assert_eq!(image.expected.lines().count() as u64, WORLDS * PAIRS);
        assert_eq!(image.tally.missing().collect::<Vec<_>>(), []);
    }
}
