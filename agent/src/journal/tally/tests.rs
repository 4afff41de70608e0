//! What counting promises: nothing is lost, and nobody learns from it why a request was refused.

use std::collections::HashMap;

use gateward_core::audit::DecisionId;
use gateward_core::decide::Reason;
use gateward_core::token::Lookup;
use gateward_core::trust::{GatewayId, Incarnation};
use proptest::prelude::*;

use super::super::Stamp;
use super::*;

fn written() -> Written {
    let decision_id = DecisionId::new(GatewayId([0; 16]), Incarnation([0; 8]), 1, 1);

    Written { seq: 1, decision_id }
}

/// A refused token: what was asked, and whether it came with the secret.
fn refusal(id: u64, source: u32, reason: Reason) -> Draft {
    let mut draft = Draft::new(Outcome::Deny(reason), Stamp::default());
    let lookup = Lookup { kind: 1, id };
    draft.credential = Credential::Unverified(lookup);
    draft.source = Source::Uid(source);
    draft.may_be_counted = true;
    if reason == Reason::TokenDisabled {
        draft.credential = Credential::Verified(lookup);
        draft.principal = Some((Uuid([7; 16]), Text::untrusted("ana.ruiz")));
    }

    draft
}

/// Meets `draft`, and writes its record or counts it.
fn meet(tally: &mut Tally, draft: &Draft) -> Met {
    let met = tally.meet(draft, true);
    match met {
        Met::First(place) => tally.began(place, Ok(written())),
        Met::Counted(place) => tally.count(place, draft.clone()),
        Met::Alone | Met::Beyond => {}
    }

    met
}

#[test]
fn i6_a_second_of_equal_refusals_is_its_first_record_and_two_more() {
    let mut tally = Tally::default();
    let unknown = refusal(1, 33, Reason::UnknownToken);

    let met: Vec<_> = (0..10_000).map(|_| meet(&mut tally, &unknown)).collect();
    let counts: Vec<_> = tally.end().iter().map(|sum| sum.draft.count).collect();

    assert_eq!(met[0], Met::First(0));
    assert!(met[1..].iter().all(|met| *met == Met::Counted(0)));
    assert_eq!(counts, [9_998, 1]);
    assert!(!tally.is_open());
}

#[test]
fn n7_another_source_another_token_or_another_question_has_a_record_of_its_own() {
    let mut tally = Tally::default();
    let one = refusal(1, 33, Reason::UnknownToken);
    let mut elsewhere = one.clone();
    elsewhere.path = Text::untrusted("/iot/api/v1/device");

    for (place, draft) in
        [one, refusal(2, 33, Reason::UnknownToken), refusal(1, 34, Reason::UnknownToken), elsewhere]
            .iter()
            .enumerate()
    {
        assert_eq!(meet(&mut tally, draft), Met::First(place));
    }
}

#[test]
fn n7_what_may_not_be_counted_and_what_happens_to_the_agent_has_a_record_each() {
    let mut tally = Tally::default();
    let mut allow = Draft::new(Outcome::Allow(Reason::Ok), Stamp::default());
    assert_eq!(meet(&mut tally, &allow), Met::Alone);
    allow.may_be_counted = true;
    allow.outcome = Outcome::Event(gateward_core::audit::Event::ClockStep);

    assert_eq!(meet(&mut tally, &allow), Met::Alone);
    assert!(!tally.is_open());
}

#[test]
fn n7_the_holder_of_a_disabled_token_is_named_although_wrong_secrets_came_first() {
    let mut tally = Tally::default();
    let (wrong, disabled) =
        (refusal(1, 33, Reason::BadSecret), refusal(1, 33, Reason::TokenDisabled));
    for draft in [&wrong, &wrong, &disabled, &wrong] {
        meet(&mut tally, draft);
    }

    let sums = tally.end();

    let told = |sum: &Sum| (sum.draft.outcome, sum.draft.principal.is_some(), sum.draft.count);
    let counted: Vec<_> = sums.iter().map(told).collect();
    assert_eq!(
        counted,
        [
            (Outcome::Deny(Reason::BadSecret), false, 2),
            (Outcome::Deny(Reason::TokenDisabled), true, 1)
        ]
    );
}

#[test]
fn i6_more_than_can_be_told_apart_is_written_or_where_nobody_waits_left_out() {
    let mut tally = Tally::default();
    for id in 0..MOST as u64 {
        meet(&mut tally, &refusal(id, 33, Reason::UnknownToken));
    }
    let other = refusal(u64::MAX, 33, Reason::UnknownToken);

    assert_eq!(tally.meet(&other, true), Met::Alone);
    assert_eq!(tally.meet(&other, false), Met::Beyond);
    assert_eq!(tally.meet(&refusal(5, 33, Reason::UnknownToken), true), Met::Counted(5));
}

#[test]
fn nobody_is_counted_with_a_record_that_could_not_be_written() {
    let mut tally = Tally::default();
    let (lost, kept) = (refusal(1, 33, Reason::BadSecret), refusal(2, 33, Reason::BadSecret));
    assert_eq!(tally.meet(&lost, true), Met::First(0));
    assert_eq!(tally.meet(&lost, true), Met::Counted(0));
    meet(&mut tally, &kept);
    tally.began(0, Err(NotWritten::Bounded));

    assert_eq!(tally.first(0), Err(NotWritten::Bounded));
    tally.forget_unwritten();

    assert_eq!(meet(&mut tally, &kept), Met::Counted(0));
    assert_eq!(tally.first(0), Ok(written()));
    assert_eq!(tally.meet(&lost, true), Met::First(1));
}

#[test]
fn what_there_is_no_room_for_is_counted_on() {
    let mut tally = Tally::default();
    let unknown = refusal(1, 33, Reason::UnknownToken);
    for _ in 0..5 {
        let _first_and_then_counted = meet(&mut tally, &unknown);
    }
    for sum in tally.end() {
        tally.take_back(sum);
    }

    assert_eq!(meet(&mut tally, &unknown), Met::Counted(0));
    let counts: Vec<_> = tally.end().iter().map(|sum| sum.draft.count).collect();
    assert_eq!(counts, [4, 1]);
}

/// Why one token is refused: it is unknown, or known and its secret is wrong or it is disabled.
fn why(is_known: bool, has_secret: bool) -> Reason {
    match (is_known, has_secret) {
        (false, _) => Reason::UnknownToken,
        (true, false) => Reason::BadSecret,
        (true, true) => Reason::TokenDisabled,
    }
}

proptest! {
    /// Two worlds that differ in which tokens exist and nowhere else: whoever asks, with whatever
    /// secrets, meets the same in both, answer by answer and second by second.
    #[test]
    fn j1_j3_whoever_asks_learns_nothing_from_what_is_counted(
        asked in prop::collection::vec((0..4_u64, 0..2_u32, any::<bool>(), 0..20_u8), 1..200),
        known in any::<(u8, u8)>(),
    ) {
        let run = |known: u8| {
            let (mut tally, mut seen) = (Tally::default(), Vec::new());
            for (id, source, has_secret, then) in &asked {
                let reason = why(known >> id & 1 == 1, *has_secret);
                seen.push((Some(meet(&mut tally, &refusal(*id, *source, reason))), 0));
                if *then == 0 {
                    seen.push((None, tally.end().len()));
                }
            }
            seen.push((None, tally.end().len()));
            seen
        };

        prop_assert_eq!(run(known.0), run(known.1));
    }

    /// Every refusal is in a record, under its own reason and its own owner.
    #[test]
    fn n7_every_refusal_is_counted_once_and_as_what_it_was(
        asked in prop::collection::vec((0..4_u64, any::<bool>(), 0..20_u8), 1..200),
        known in any::<u8>(),
        no_room in any::<u64>(),
    ) {
        let (mut tally, mut wanted, mut kept) = (Tally::default(), HashMap::new(), HashMap::new());
        let mut keep = |draft: &Draft| {
            let Outcome::Deny(reason) = draft.outcome else { unreachable!("all are refused") };
            let named = draft.principal.is_some();
            *kept.entry((reason, draft.credential, named)).or_insert(0) += draft.count;
        };
        for (at, (id, has_secret, then)) in asked.iter().enumerate() {
            let draft = refusal(*id, 33, why(known >> id & 1 == 1, *has_secret));
            let Outcome::Deny(reason) = draft.outcome else { unreachable!("all are refused") };
            *wanted.entry((reason, draft.credential, draft.principal.is_some())).or_insert(0) += 1;
            if let Met::First(_) = meet(&mut tally, &draft) {
                keep(&draft);
            }
            if *then == 0 {
                for sum in tally.end() {
                    let room = no_room >> (at % 64) & 1 == 0;
                    if room { keep(&sum.draft) } else { tally.take_back(sum) }
                }
            }
        }
        tally.end().iter().for_each(|sum| keep(&sum.draft));

        prop_assert_eq!(kept, wanted);
    }
}
