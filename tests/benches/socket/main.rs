//! Whether the reasons of a 401 can be told apart at the socket of a running agent: DOMAIN J1 to J3
//! with the audit on: while each is counted with others that ask the same, while each has a record of
//! its own, and when there is no room for any.
//!
//! One caller asks again as soon as it has its answer, each time about another class, in an order
//! drawn anew for each pass. |t| of Welch's test must be below 4.5 for every pair; a pair that misses
//! it is measured once more and fails where it misses it again on the same side. The class that is
//! delayed by the caller must be found, so that the test shows what it can see.
//!
//! Each look at a setting ends after a while, so that a machine which is too busy to show anything
//! says so instead of taking hours; nothing is proven then, and the run fails.
//!
//! `GATEWARD_TIMING_REQUESTS` says how many requests each class gets where a record counts as written
//! at once; where each waits for the disk, a tenth. Run: `tests/timing`.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program that measures, prints, and stops where it cannot go on"
)]

mod caller;
mod setting;

use core::time::Duration;
use std::process::ExitCode;

use gateward_constant_time::{Draw, Histogram};
use gateward_tests::Stopwatch;

use caller::Caller;
use setting::{Class, Setting, World, written};

/// From here on two classes count as different.
const LIMIT: f64 = 4.5;
/// Nanoseconds of one step of the histogram: it reaches 20 ms.
const STEP: u128 = 20;
/// How long one look takes at most: several times what it needs where nothing else runs.
const LONGEST: Duration = Duration::from_secs(300);
/// Passes that are not counted.
const WARM: usize = 200;

fn main() -> ExitCode {
    let requests = std::env::var("GATEWARD_TIMING_REQUESTS").ok();
    let requests = requests.map_or(100_000, |n| n.parse().expect("a number of requests"));
    let world = World::new();
    let mut draw = Draw::new(u64::from(std::process::id()));
    let mut kept = true;
    let mut gateway = world.gateway();
    for setting in Setting::ALL {
        let requests = if setting.waits_for_the_disk() { requests / 10 } else { requests };
        setting.start(&mut gateway);
        let mut caller = Caller::connect(&gateway, &world, setting.asks_something_else());
        setting.prepare(&mut caller);
        let (before, asked) = (written(&gateway), caller.asked());
        kept &= compare(setting, requests, &mut caller, &mut draw);
        setting.was_kept(&gateway, before, caller.asked() - asked);
        drop(caller);
        assert!(gateway.stop().success(), "the agent should end well");
    }

    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Measures every class, prints what came of it, and says whether all are alike.
fn compare(setting: Setting, requests: usize, caller: &mut Caller, draw: &mut Draw) -> bool {
    let (name, kept) = (setting.name(), setting.kept());
    let times = measure(requests, caller, draw);
    let limit = Histogram::limit(&times, kept);
    let complete = |times: &[Histogram]| times.iter().all(|one| one.total() >= requests as u64);
    let busy = if complete(&times) { "" } else { ", and no more in time: too busy a machine" };
    println!("{name}: {} requests a class{busy}", times[Class::Unknown as usize].total());
    for (class, times) in Class::ALL.iter().zip(&times) {
        let [median, mean] = [times.quantile(0.5) as f64, times.mean(limit)].map(micros);
        println!("  {:<20} median {median:>8.2} us, mean {mean:>8.3} us", class.name());
    }
    let missed: Vec<_> = pairs(&times, limit).filter(|pair| pair.0.abs() >= LIMIT).collect();
    let again = if missed.is_empty() { Vec::new() } else { measure(requests, caller, draw) };
    let again_limit = Histogram::limit(&again, kept);
    let mut alike = true;
    for (t, one, other) in missed {
        let repeated = again[one as usize].t(&again[other as usize], again_limit);
        println!("  missed: {} and {}, t {t:.2}, and then {repeated:.2}", one.name(), other.name());
        alike &= repeated.abs() < LIMIT || repeated.signum() != t.signum();
    }
    let worst = pairs(&times, limit).map(|(t, _, _)| t.abs()).fold(0.0, f64::max);
    let delayed = times[Class::Delayed as usize].t(&times[Class::Unknown as usize], limit);
    let found = delayed >= LIMIT;
    println!(
        "  largest |t| of all pairs {worst:.2}, {}; delayed by {} us: t {delayed:.0}, {}",
        if alike { "alike" } else { "DIFFERENT" },
        caller::DELAY.as_micros(),
        if found { "found" } else { "NOT FOUND" },
    );

    alike && found && complete(&times) && complete(&again)
}

fn measure(requests: usize, caller: &mut Caller, draw: &mut Draw) -> Vec<Histogram> {
    let mut times = vec![Histogram::default(); Class::ALL.len()];
    let mut order = Class::ALL;
    let watch = Stopwatch::start();
    for pass in 0..WARM + requests {
        if watch.elapsed() >= LONGEST {
            break;
        }
        draw.shuffle(&mut order);
        for class in order {
            let took = caller.ask(class);
            if pass >= WARM {
                times[class as usize].add(took.as_nanos() / STEP);
            }
        }
    }

    times
}

/// Returns every pair of classes that nobody delayed, with its t.
fn pairs(times: &[Histogram], limit: usize) -> impl Iterator<Item = (f64, Class, Class)> {
    let all = Class::ALL.into_iter().flat_map(|one| Class::ALL.map(|other| (one, other)));
    let each = all.filter(|(one, other)| one < other && *other != Class::Delayed);

    each.map(move |(one, other)| (times[one as usize].t(&times[other as usize], limit), one, other))
}

fn micros(steps: f64) -> f64 {
    steps * STEP as f64 / 1e3
}
