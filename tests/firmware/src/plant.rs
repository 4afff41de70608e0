//! A plant's snapshot: 1,000 tokens of some forty principals, and one token for every outcome.
//!
//! All cases but those that say otherwise put the same question at the same time: what comes of it
//! hangs on the token alone, so that a machine without a cache must take as many instructions for
//! each (see `counted`).

mod cases;
mod draft;

use gateward_constant_time::Class;
use gateward_core::decide::Reason;
use gateward_core::principal::PrincipalKind;
use gateward_core::snapshot::build::Contents;

use crate::authority::T0;
use crate::question::Question;
use draft::Draft;

/// Tokens of the snapshot.
pub const TOKENS: usize = 1_000;
/// The time of most cases.
pub const NOW: u64 = T0 + 3_600;
/// A question and what must come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is about.
    pub name: String,
    /// The question.
    pub question: Question,
    /// What must come of it.
    pub reason: Reason,
    /// Whether it takes as many instructions as every other such case.
    pub counted: bool,
}

/// The contents of both versions, and the tokens.
#[derive(Debug)]
pub struct Plant {
    /// Version 1.
    pub first: Contents,
    /// Version 2, in which the records of some have changed.
    pub second: Contents,
    /// A token for every outcome, once the first revocation list was taken.
    pub cases: Vec<Case>,
    /// On the first revocation list.
    pub revoked_token: u64,
    /// On the first revocation list.
    pub revoked_principal: u32,
    /// On the second revocation list and not on the first.
    pub revoked_later: Vec<u8>,
    /// Only in version 2.
    pub new: Vec<u8>,
}

impl Plant {
    /// Draws it: the same every time.
    #[must_use]
    pub fn draw() -> Self {
        let mut draft = Draft::new();
        let mut cases: Vec<Case> = Class::ALL.into_iter().map(|class| draft.case(class)).collect();
        let (revoked_token, revoked_principal) = draft.revoked(&cases);
        cases.extend(draft.further_cases());
        let revoked_later = draft.add("later", PrincipalKind::User, |_, _| {});
        draft.fill();
        let first = draft.contents.clone();
        let new = draft.change(revoked_token);

        Self {
            first,
            second: draft.contents,
            cases,
            revoked_token,
            revoked_principal,
            revoked_later,
            new,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::Agent;
    use crate::answer::Answer;
    use crate::firmware::Firmware;
    use crate::fixtures;

    #[test]
    fn every_case_ends_on_both_sides_as_it_says() {
        let plant = Plant::draw();
        let given = fixtures::given(&fixtures::files(&plant));
        let (agent, firmware) = (Agent::open(&given).unwrap(), Firmware::open(&given).unwrap());
        let view = agent.view();
        for Case { name, question, reason, .. } in &plant.cases {
            let expected = agent.answer(&view, question);
            let Answer::Decided { reason: number, .. } = expected else { panic!("{name}") };
            assert_eq!(number, *reason as u32, "{name}");
            assert_eq!(firmware.answer(&view, question), expected, "{name}");
            assert_eq!(firmware.answer_text(&view, question), expected, "{name}");
        }
    }

    #[test]
    fn cases_that_are_counted_differ_in_the_token_and_the_time_alone() {
        let plant = Plant::draw();
        let alike = |case: &Case| {
            let Question { permissions, operation, division, token, .. } = &case.question;
            (*permissions, *operation, division.clone(), token.len())
        };
        let counted: Vec<_> = plant.cases.iter().filter(|case| case.counted).map(alike).collect();

        assert!(counted.len() > Class::ALL.len());
        assert!(counted.windows(2).all(|two| two[0] == two[1]));
        assert_eq!(plant.first.tokens.len(), TOKENS);
    }
}
