//! Puts random pairs of a snapshot and a question to agent core and to the C interface: where they
//! differ it says so, with the command that shows it again.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a command line says what it found and what it lacks"
)]

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use gateward_firmware_tests::image::Image;
use gateward_firmware_tests::pair::{Difference, EACH, Tally, compare};

const USAGE: &str = "usage: differential [--pairs N] [--seed S] [--only NUMBER] [--write OUT]\n\
                     OUT holds pairs as bytes, OUT.expected what must come of them";

/// So many pairs meet every reason, whatever the seed is.
const ENOUGH: u64 = 100_000;

struct Args {
    pairs: u64,
    seed: u64,
    only: Option<u64>,
    write: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Some(args) = args() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };

    match args.write {
        Some(to) => written(&Image::draw(args.seed), &to),
        None => compared(&args),
    }
}

fn args() -> Option<Args> {
    let mut args = Args { pairs: 1_000_000, seed: 1, only: None, write: None };
    let mut given = std::env::args().skip(1);
    while let Some(name) = given.next() {
        let value = given.next()?;
        match name.as_str() {
            "--pairs" => args.pairs = value.parse().ok()?,
            "--seed" => args.seed = value.parse().ok()?,
            "--only" => args.only = Some(value.parse().ok()?),
            "--write" => args.write = Some(value.into()),
            _ => return None,
        }
    }

    Some(args)
}

fn written(image: &Image, to: &Path) -> ExitCode {
    let write = || -> io::Result<()> {
        std::fs::write(to, &image.bytes)?;
        let mut expected = to.as_os_str().to_owned();
        expected.push(".expected");
        std::fs::write(expected, &image.expected)
    };
    if let Err(error) = write() {
        eprintln!("{}: {error}", to.display());
        return ExitCode::FAILURE;
    }
    println!("{} pairs, {} bytes", image.tally.total(), image.bytes.len());

    complete(&image.tally)
}

fn compared(args: &Args) -> ExitCode {
    let whole = args.only.map_or(0..args.pairs, |number| number..number + 1);
    let outcome = match args.only {
        Some(_) => compare(args.seed, whole),
        None => side_by_side(args.seed, args.pairs),
    };
    match outcome {
        Ok(tally) => {
            println!("{} pairs, each with one answer from both sides:\n{tally}", tally.total());
            if tally.total() < ENOUGH { ExitCode::SUCCESS } else { complete(&tally) }
        }
        Err(difference) => {
            println!("{difference}");
            ExitCode::FAILURE
        }
    }
}

/// A share for every processor, in whole snapshots.
fn side_by_side(seed: u64, pairs: u64) -> Result<Tally, Difference> {
    let workers = thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let share = pairs.div_ceil(workers).next_multiple_of(EACH);
    thread::scope(|scope| {
        let start = |at: u64| (at * share).min(pairs);
        let one = |at| scope.spawn(move || compare(seed, start(at)..start(at + 1)));
        let running: Vec<_> = (0..workers).map(one).collect();
        let mut all = Tally::default();
        for worker in running {
            all.add(&worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?);
        }

        Ok(all)
    })
}

/// What was never seen was not compared.
fn complete(tally: &Tally) -> ExitCode {
    let missing: Vec<_> = tally.missing().map(|reason| reason.name()).collect();
    if missing.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("never given: {}", missing.join(", "));

    ExitCode::FAILURE
}
