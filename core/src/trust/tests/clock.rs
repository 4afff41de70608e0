//! Time that is never before what was signed, nor before what was lived through since.

use super::*;
use crate::time::Millis;

const BUILD: UnixSeconds = UnixSeconds(T0 - 100 * DAY);

fn floor() -> Floor {
    let lived = UnixSeconds(T0 + 100);

    Floor { signed: UnixSeconds(T0), lived, agreed: lived, ..Floor::default() }
}

fn shows(clock: u64, synchronised: bool) -> Shown {
    Shown { clock: Some(UnixSeconds(clock)), synchronised }
}

/// Where nothing but the clock and what is agreed moved time, both stand for it.
fn now_is(at: u64, quality: TimeQuality) -> Now {
    Now { at: UnixSeconds(at), quality, backed: UnixSeconds(at) }
}

#[test]
fn e7_a_board_that_starts_in_1970_goes_on_from_signed_time() {
    let time = TrustedTime::new(BUILD, &floor(), Millis(5_000));
    let at = |mono, shown| time.now(Millis(mono), shown);

    assert_eq!(at(5_000, shows(3, false)), now_is(T0 + 100, TimeQuality::Floor));
    assert_eq!(at(65_999, shows(63, false)), now_is(T0 + 160, TimeQuality::Floor));
    assert_eq!(at(65_000, Shown::default()), now_is(T0 + 160, TimeQuality::Floor));
    assert_eq!(at(4_000, Shown::default()), now_is(T0 + 100, TimeQuality::Floor));
}

#[test]
fn a_clock_ahead_of_signed_time_is_taken_and_says_how_good_it_is() {
    let time = TrustedTime::new(BUILD, &floor(), Millis(0));
    let at = |shown| time.now(Millis(0), shown);

    assert_eq!(at(shows(T0 + 500, true)), now_is(T0 + 500, TimeQuality::Synced));
    assert_eq!(at(shows(T0 + 500, false)), now_is(T0 + 500, TimeQuality::Holdover));
    assert_eq!(at(shows(T0 + 99, true)), now_is(T0 + 100, TimeQuality::Floor));
}

#[test]
fn without_anything_signed_only_the_build_time_is_known() {
    let time = TrustedTime::new(BUILD, &Floor::default(), Millis(0));
    assert_eq!(time.now(Millis(0), shows(9, false)), now_is(BUILD.0, TimeQuality::Unknown));
    assert_eq!(time.now(Millis(0), Shown::default()), now_is(BUILD.0, TimeQuality::Unknown));
    assert_eq!(time.now(Millis(0), shows(T0, true)), now_is(T0, TimeQuality::Synced));
}

#[test]
fn what_is_accepted_lifts_time_at_once_and_run_time_is_not_lost() {
    let mut time = TrustedTime::new(BUILD, &floor(), Millis(0));
    let kept = time.kept(&floor(), Millis(50_000), Shown::default(), UnixSeconds(0));
    time.follow(&kept, Millis(50_000));
    assert_eq!(time.now(Millis(60_000), Shown::default()).at, UnixSeconds(T0 + 160));

    let kept = time.kept(&kept, Millis(60_000), Shown::default(), UnixSeconds(0));
    let raised = Floor { signed: UnixSeconds(T0 + DAY), lived: UnixSeconds(T0 + DAY), ..kept };
    time.follow(&raised, Millis(60_000));
    assert_eq!(time.now(Millis(61_000), Shown::default()).at, UnixSeconds(T0 + DAY + 1));
}

#[test]
fn run_time_goes_on_however_often_something_arrives() {
    let mut time = TrustedTime::new(BUILD, &floor(), Millis(0));
    let mut kept = floor();
    for step in 1..=10_000 {
        let mono = Millis(step * 300);
        kept = time.kept(&kept, mono, Shown::default(), UnixSeconds(0));
        time.follow(&kept, mono);
    }
    let now = time.now(Millis(3_000_000), Shown::default());
    assert_eq!((now.at, now.backed), (UnixSeconds(T0 + 3_100), UnixSeconds(T0 + 3_100)));
}

#[test]
fn a_key_set_that_sets_time_back_is_followed() {
    let mut time = TrustedTime::new(BUILD, &floor(), Millis(0));
    let back = UnixSeconds(T0 - DAY);
    time.follow(&Floor { signed: back, lived: back, agreed: back, ..floor() }, Millis(9_000));
    assert_eq!(time.now(Millis(10_000), Shown::default()).at, UnixSeconds(T0 - DAY + 1));
}

#[test]
fn a_clock_that_jumped_ahead_denies_and_does_not_stick() {
    let time = TrustedTime::new(BUILD, &floor(), Millis(0));
    let until = UnixSeconds(T0 + 7 * DAY);
    let jumped = |synchronised| shows(T0 + 9_999 * DAY, synchronised);
    assert_eq!(time.now(Millis(0), jumped(false)).at, UnixSeconds(T0 + 9_999 * DAY));

    let kept = |shown| time.kept(&floor(), Millis(1_000), shown, until).lived;
    assert_eq!(kept(jumped(false)), UnixSeconds(T0 + 101));
    assert_eq!(kept(jumped(true)), until, "at most up to the end of the manifest in force");
    assert_eq!(kept(shows(T0 + 700, true)), UnixSeconds(T0 + 700));
    assert_eq!(kept(shows(T0 - 700, true)), UnixSeconds(T0 + 101));
    assert_eq!(kept(Shown::default()), UnixSeconds(T0 + 101));

    let again = TrustedTime::new(BUILD, &floor(), Millis(0));
    assert_eq!(again.now(Millis(0), shows(T0 + 200, true)).at, UnixSeconds(T0 + 200));
}

#[test]
fn e12_time_stops_at_its_end() {
    let end = Floor { lived: UnixSeconds(u64::MAX), ..floor() };
    let time = TrustedTime::new(BUILD, &end, Millis(0));
    assert_eq!(time.now(Millis(u64::MAX), shows(u64::MAX, true)).at, UnixSeconds(u64::MAX));
}
