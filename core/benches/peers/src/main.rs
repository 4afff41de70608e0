//! Prints the decision beside other ways to make it, as a table for `core/docs/performance.md`.
//!
//! Everybody answers the same requests, rightly or not at all, and is timed in turns in one
//! process. Run, from the root of the repository:
//! `cargo run --release -j1 --manifest-path core/benches/peers/Cargo.toml`; sizes other than 1000
//! and 100000 API tokens are arguments.

mod casbin;
mod cedar;
mod jwt;
#[path = "../../measure.rs"]
mod measure;
mod ours;
#[path = "../../reference.rs"]
mod reference;
#[path = "../../workload.rs"]
mod workload;

use std::fs;

use measure::{each, middle, once};
use workload::{Expected, Request, World};

/// Different requests.
const REQUESTS: usize = 16_384;
/// How often each of them is timed.
const ROUNDS: usize = 5;
const MIB: f64 = 1_048_576.0;

/// Answers the request at a place in the list that it was made for.
type Engine<'a> = Box<dyn Fn(usize) -> bool + 'a>;
type Make = for<'a> fn(&'a World, &'a [Request]) -> Engine<'a>;

const ENGINES: [(&str, Make); 7] = [
    ("Gateward", ours::decides),
    ("Gateward, question resolved from its names each time", ours::resolves),
    ("two-bucket table written for speed alone (`reference.rs`)", ours::reference),
    ("JWT HS256, jsonwebtoken 11.1", jwt::hs256),
    ("JWT EdDSA, jsonwebtoken 11.1", jwt::eddsa),
    ("casbin 2.20", casbin::engine),
    ("Cedar 4.14", cedar::engine),
];

/// What one engine took for one size.
struct Taken {
    nanoseconds: f64,
    load_seconds: f64,
    memory: f64,
}

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 100_000] } else { sizes };
    let taken: Vec<_> = sizes.iter().map(|api_tokens| run(*api_tokens)).collect();

    let (mut head, mut rule) = ("| per decision |".to_owned(), "|---|".to_owned());
    for size in &sizes {
        head += &format!(" {size} API tokens | load | memory |");
        rule += "---|---|---|";
    }
    println!("{head}\n{rule}");
    for (at, (name, _)) in ENGINES.iter().enumerate() {
        let mut line = format!("| {name} |");
        for taken in taken.iter().map(|size| &size[at]) {
            let Taken { nanoseconds, load_seconds, memory } = taken;
            line += &format!(" {nanoseconds:.0} ns | {load_seconds:.3} s | {memory:.1} MiB |");
        }
        println!("{line}");
    }
}

fn run(api_tokens: usize) -> Vec<Taken> {
    let world = World::new(api_tokens);
    let requests = world.requests(REQUESTS);
    let engines = ENGINES.map(|(name, make)| {
        let before = resident();
        let (load_seconds, engine) = once(|| make(&world, &requests));
        let memory = resident() - before;
        for (at, request) in requests.iter().enumerate() {
            let right = request.expected == Expected::Allowed;
            assert_eq!(engine(at), right, "{name} where {:?} is right", request.expected);
        }
        eprintln!("{name}: {api_tokens} API tokens loaded, {REQUESTS} answers as the others'");
        (engine, load_seconds, memory)
    });

    let places: Vec<usize> = (0..REQUESTS).collect();
    let mut times = ENGINES.map(|_| vec![]);
    for _ in 0..ROUNDS {
        for ((engine, ..), times) in engines.iter().zip(&mut times) {
            let (nanoseconds, allowed) = each(&places, |at| engine(*at));
            assert_eq!(allowed, REQUESTS / 2);
            times.push(nanoseconds);
        }
    }

    let taken = engines.iter().zip(times).map(|((_, load_seconds, memory), times)| Taken {
        nanoseconds: middle(times),
        load_seconds: *load_seconds,
        memory: *memory,
    });
    taken.collect()
}

/// Returns the MiB of memory that the process has.
fn resident() -> f64 {
    let pages = fs::read_to_string("/proc/self/statm").expect("Linux says");
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok());

    pages.expect("the second number is there") * 4_096.0 / MIB
}
