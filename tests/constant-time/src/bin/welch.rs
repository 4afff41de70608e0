//! Whether two outcomes can be told apart by their time: Welch's t of every pair.
//!
//! All classes are measured in one run, in an order drawn anew for each pass, on tables dealt anew
//! every few thousand passes. |t| must be below 4.5; with 300 pairs that is missed by chance
//! once in 500 runs, so a pair that misses it is measured once more, with fresh samples, and fails
//! where it misses it again on the same side. Planted leaks must be found in the same way.
//!
//! `GATEWARD_TIMING_SAMPLES` says how many samples each class gets. Run: `tests/timing`.
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that measures, prints, and stops where it cannot go on"
)]

use core::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use gateward_constant_time::{Case, Class, Copies, Draw, Histogram, Plant, Table};
use gateward_core::snapshot::build::VerifierLen;

/// From here on two classes count as different.
const LIMIT: f64 = 4.5;
/// Checks of one token in one sample: the clock moves in steps.
const CHECKS: usize = 4;
/// Passes over all classes before the table is dealt anew.
const PASSES: usize = 2_500;
/// The share of all samples that is kept; what is longer was interrupted.
const KEPT: f64 = 0.9;
/// How many samples of each class a leak is looked for in.
const FOR_A_LEAK: usize = 50_000;

/// A promise, and the pairs of classes that it is about.
struct Promise {
    name: &'static str,
    about: fn(Class, Class) -> bool,
}

/// What must be found in less than a minute.
const LEAKS: [(Plant, Class, Class); 7] = [
    (Plant::Compare, Class::VerifierFirst, Class::VerifierLast),
    (Plant::Unknown, Class::UnknownNear, Class::SecretFirst),
    (Plant::Revoked, Class::TokenRevoked, Class::UnknownNear),
    (Plant::Status, Class::TokenDisabled, Class::UnknownNear),
    (Plant::End, Class::TokenExpired, Class::UnknownNear),
    (Plant::OwnerStatus, Class::OwnerDisabled, Class::UnknownNear),
    (Plant::Scope, Class::OutOfScope, Class::Allowed),
];

const PROMISES: [Promise; 6] = [
    Promise { name: "J1 unknown id, known id with a wrong secret", about: j1 },
    Promise { name: "J2 first, last byte of the secret or verifier", about: j2 },
    Promise { name: "J3 disabled or revoked, unknown", about: j3 },
    Promise { name: "J4 first, last row of the table", about: j4 },
    Promise { name: "   the same twice", about: same },
    Promise { name: "   every pair", about: |_, _| true },
];

fn main() -> ExitCode {
    let samples = std::env::var("GATEWARD_TIMING_SAMPLES").ok();
    let samples = samples.map_or(1_000_000, |n| n.parse().expect("a number of samples"));
    let mut seed = Draw::new(u64::from(std::process::id()));
    let mut kept = mask(samples, &mut seed);
    for (plant, one, other) in LEAKS {
        let times = measure(FOR_A_LEAK, Some(plant), &mut seed);
        let limit = Histogram::limit(&times, KEPT);
        let t = times[one.index()].t(&times[other.index()], limit);
        let found = t.abs() >= LIMIT;
        kept &= found;
        let verdict = if found { "found" } else { "NOT FOUND" };
        println!("planted {plant:?}: {one:?} and {other:?}, t {t:.0}, {verdict}");
    }

    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures what is shipped, prints what came of it, and says whether every pair is alike.
fn mask(samples: usize, seed: &mut Draw) -> bool {
    let times = measure(samples, None, seed);
    let limit = Histogram::limit(&times, KEPT);
    println!("{:<17} {:>9} {:>10} {:>10}", "class", "samples", "median ns", "mean ns");
    for (class, times) in Class::ALL.iter().zip(&times) {
        let (median, mean) = (times.quantile(0.5), times.mean(limit));
        println!("{:<17} {:>9} {median:>10} {mean:>10.2}", format!("{class:?}"), times.total());
    }
    println!(
        "a sample is {CHECKS} checks from text to mask; means leave out those above {limit} ns"
    );
    let missed = pairs(&times, limit, |t, _, _| t.abs() >= LIMIT);
    let again = if missed.is_empty() { Vec::new() } else { measure(samples, None, seed) };
    let again_limit = Histogram::limit(&again, KEPT);
    let missed_twice = |t: f64, one: Class, other: Class| {
        let repeated = again[one.index()].t(&again[other.index()], again_limit);
        println!("missed: {one:?} and {other:?}, t {t:.2}, and then {repeated:.2}");
        repeated.abs() >= LIMIT && repeated.signum() == t.signum()
    };
    let failed: Vec<_> =
        missed.into_iter().filter(|(t, one, other)| missed_twice(*t, *one, *other)).collect();
    for promise in &PROMISES {
        let about = pairs(&times, limit, |_, one, other| (promise.about)(one, other));
        let worst = about.iter().map(|(t, _, _)| t.abs()).fold(0.0, f64::max);
        let broken = failed.iter().any(|(_, one, other)| (promise.about)(*one, *other));
        let verdict = if broken { "DIFFERENT" } else { "alike" };
        let name = promise.name;
        println!("{name:<48} {:>3} pairs, largest |t| {worst:>5.2}, {verdict}", about.len());
    }

    failed.is_empty()
}

/// Returns the pairs that are `wanted`, each with its t.
fn pairs(
    times: &[Histogram],
    limit: usize,
    wanted: impl Fn(f64, Class, Class) -> bool,
) -> Vec<(f64, Class, Class)> {
    let all = Class::ALL.into_iter().flat_map(|one| Class::ALL.map(|other| (one, other)));
    let each = all.filter(|(one, other)| one < other);

    each.map(|(one, other)| (times[one.index()].t(&times[other.index()], limit), one, other))
        .filter(|(t, one, other)| wanted(*t, *one, *other))
        .collect()
}

fn measure(samples: usize, plant: Option<Plant>, seed: &mut Draw) -> Vec<Histogram> {
    let mut times = vec![Histogram::default(); Class::ALL.len()];
    let mut draw = Draw::new(seed.next());
    for _ in 0..samples.div_ceil(PASSES) {
        let table = Table::new(&mut draw, VerifierLen::Full, Copies::OneEach);
        let cases = table.cases();
        let mut order: Vec<usize> = (0..cases.len()).collect();
        // Nobody's first sample is the first that the table sees.
        for case in &cases {
            black_box(sample(case, plant));
        }
        for _ in 0..PASSES {
            draw.shuffle(&mut order);
            for at in &order {
                let case = &cases[*at];
                times[case.class.index()].add(sample(case, plant));
            }
        }
    }

    times
}

#[inline(never)]
fn sample(case: &Case<'_>, plant: Option<Plant>) -> u128 {
    let start = Instant::now();
    for _ in 0..CHECKS {
        black_box(black_box(case).weigh(plant).is_some());
    }

    start.elapsed().as_nanos()
}

fn is_unknown(class: Class) -> bool {
    matches!(class, Class::UnknownLow | Class::UnknownNear | Class::UnknownHigh)
}

fn between(one: Class, other: Class, left: fn(Class) -> bool, right: fn(Class) -> bool) -> bool {
    left(one) && right(other) || right(one) && left(other)
}

fn j1(one: Class, other: Class) -> bool {
    let wrong = |class| {
        matches!(
            class,
            Class::SecretFirst | Class::SecretLast | Class::VerifierFirst | Class::VerifierLast
        )
    };
    between(one, other, is_unknown, wrong)
}

fn j2(one: Class, other: Class) -> bool {
    matches!(
        (one, other),
        (Class::SecretFirst, Class::SecretLast) | (Class::VerifierFirst, Class::VerifierLast)
    )
}

fn j3(one: Class, other: Class) -> bool {
    let disabled = |class| {
        matches!(
            class,
            Class::TokenDisabled | Class::OwnerDisabled | Class::TokenRevoked | Class::OwnerRevoked
        )
    };
    between(one, other, is_unknown, disabled)
}

fn j4(one: Class, other: Class) -> bool {
    (one, other) == (Class::AllowedFirstRow, Class::AllowedLastRow)
}

fn same(one: Class, other: Class) -> bool {
    (one, other) == (Class::Allowed, Class::AllowedAgain)
}
