//! What counting promises: nothing is lost, and nobody learns from it why a request was refused.

use std::collections::HashMap;

use gateward_core::audit::DecisionId;
use gateward_core::name::Uuid;
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
    draft.asked = Some(0);
    if reason == Reason::TokenDisabled {
        draft.credential = Credential::Verified(lookup);
        draft.principal = Some((Uuid([7; 16]), Text::untrusted("ana.ruiz")));
    }

    draft
}

/// Meets `draft`, and writes its record or counts it.
fn meet(tally: &mut Tally, draft: &Draft) -> Met {
    let mut draft = draft.clone();
    let met = tally.meet(&mut draft, true);
    match met {
        Met::First(place) => tally.began(place, Ok(written())),
        Met::Counted(place) => tally.count(place, draft),
        Met::Alone => {}
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
    elsewhere.asked = Some(1);

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
    allow.asked = Some(0);
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
fn i6_n7_more_than_can_be_told_apart_is_written_or_where_nobody_waits_counted_by_outcome() {
    let mut tally = Tally::default();
    for id in 0..MOST as u64 {
        meet(&mut tally, &refusal(id, 33, Reason::UnknownToken));
    }
    let other = |id| refusal(id, 34, Reason::RateLimited);

    assert_eq!(tally.meet(&mut other(1_000), true), Met::Alone);
    let mut first = other(1_001);
    assert_eq!(tally.meet(&mut first, false), Met::First(MOST));
    assert_eq!((first.source, first.credential), (Source::Unknown, Credential::None));
    assert_eq!(tally.meet(&mut other(1_002), false), Met::Counted(MOST));
    let known = &mut refusal(5, 33, Reason::UnknownToken);
    assert_eq!(tally.meet(known, true), Met::Counted(5));
}

#[test]
fn nobody_is_counted_with_a_record_that_could_not_be_written() {
    let mut tally = Tally::default();
    let (mut lost, kept) = (refusal(1, 33, Reason::BadSecret), refusal(2, 33, Reason::BadSecret));
    assert_eq!(tally.meet(&mut lost.clone(), true), Met::First(0));
    assert_eq!(tally.meet(&mut lost.clone(), true), Met::Counted(0));
    meet(&mut tally, &kept);
    tally.began(0, Err(NotWritten::Bounded));

    assert_eq!(tally.first(0), Err(NotWritten::Bounded));
    tally.forget_unwritten();

    assert_eq!(meet(&mut tally, &kept), Met::Counted(0));
    assert_eq!(tally.first(0), Ok(written()));
    assert_eq!(tally.meet(&mut lost, true), Met::First(1));
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

/// What somebody sends, as far as it matters here.
#[derive(Clone, Debug)]
struct Sent {
    id: u64,
    source: u32,
    question: u64,
    /// The text cannot be read, whatever stands in the snapshot.
    unreadable: Option<Reason>,
    /// The secret is the one that was issued, if any was.
    has_secret: bool,
    /// The second ends after it.
    then_ends: bool,
}

/// What is there and what is not: tokens, and divisions that a question may name.
#[derive(Clone, Copy, Debug)]
struct World {
    tokens: u8,
    divisions: u8,
}

impl Sent {
    fn refusal(&self, world: World) -> Draft {
        let is_known = world.tokens >> self.id & 1 == 1;
        let reason = match (self.unreadable, is_known, self.has_secret) {
            (Some(unreadable), _, _) => unreadable,
            (None, false, _) => Reason::UnknownToken,
            (None, true, false) => Reason::BadSecret,
            (None, true, true) => Reason::TokenDisabled,
        };
        let mut draft = refusal(self.id, self.source, reason);
        draft.asked = Some(self.question);
        draft.division = (world.divisions >> self.question & 1 == 1).then_some(Uuid([9; 16]));

        draft
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let unreadable = prop_oneof![
        4 => Just(None),
        1 => Just(Some(Reason::BadChecksum)),
        1 => Just(Some(Reason::MalformedToken)),
    ];
    let what =
        (0..3_u64, 0..2_u32, 0..2_u64, unreadable, any::<bool>(), prop::bool::weighted(0.05));
    what.prop_map(|(id, source, question, unreadable, has_secret, then_ends)| Sent {
        id,
        source,
        question,
        unreadable,
        has_secret,
        then_ends,
    })
}

fn world() -> impl Strategy<Value = World> {
    any::<(u8, u8)>().prop_map(|(tokens, divisions)| World { tokens, divisions })
}

proptest! {
    /// Two worlds that differ in which tokens and divisions there are and nowhere else: whoever asks,
    /// with whatever secrets, meets the same in both, answer by answer and second by second.
    #[test]
    fn j1_j3_whoever_asks_learns_nothing_from_what_is_counted(
        asked in prop::collection::vec(sent(), 1..200),
        worlds in (world(), world()),
    ) {
        let run = |world: World| {
            let (mut tally, mut seen) = (Tally::default(), Vec::new());
            for sent in &asked {
                seen.push((Some(meet(&mut tally, &sent.refusal(world))), 0));
                if sent.then_ends {
                    seen.push((None, tally.end().len()));
                }
            }
            seen.push((None, tally.end().len()));
            seen
        };

        prop_assert_eq!(run(worlds.0), run(worlds.1));
    }

    /// Every refusal is in a record, under its own reason and its own owner.
    #[test]
    fn n7_every_refusal_is_counted_once_and_as_what_it_was(
        asked in prop::collection::vec(sent(), 1..200),
        world in world(),
        no_room in any::<u64>(),
    ) {
        let (mut tally, mut wanted, mut kept) = (Tally::default(), HashMap::new(), HashMap::new());
        let mut keep = |draft: &Draft| {
            let Outcome::Deny(reason) = draft.outcome else { unreachable!("all are refused") };
            let named = draft.principal.is_some();
            *kept.entry((reason, draft.credential, named)).or_insert(0) += draft.count;
        };
        for (at, sent) in asked.iter().enumerate() {
            let draft = sent.refusal(world);
            let Outcome::Deny(reason) = draft.outcome else { unreachable!("all are refused") };
            *wanted.entry((reason, draft.credential, draft.principal.is_some())).or_insert(0) += 1;
            if let Met::First(_) = meet(&mut tally, &draft) {
                keep(&draft);
            }
            if sent.then_ends {
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
