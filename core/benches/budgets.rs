//! Prints the figures that ARCHITECTURE sets budgets for and that need no process of their own.
//!
//! What is compared runs in turns in one process, so that a shared machine slows both; the ratios
//! are to be believed, the times less so. Run: `cargo bench -p gateward-core`. It fails where a
//! size or a count is over its budget, or a time is over twice its own.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a program that measures, prints, and stops where it cannot go on"
)]

mod allocations;
mod decision;
mod draw;
mod measure;
mod opening;
mod reference;
mod table;
mod workload;

use std::process::ExitCode;

use gateward_core::snapshot::build::VerifierLen;
use gateward_core::snapshot::unsigned;
use table::Table;
use workload::World;

fn main() -> ExitCode {
    let mut table = Table::begin();
    size(&mut table, 1_000, "1k", None, None);
    size(&mut table, 100_000, "100k", Some(10.0), Some(1.0));
    size(&mut table, 1_000_000, "1M", Some(100.0), None);

    table.end()
}

/// Budgets are the milliseconds to open it, and the ratio of a decision.
fn size(
    table: &mut Table,
    api_tokens: usize,
    name: &str,
    opening: Option<f64>,
    deciding: Option<f64>,
) {
    let world = World::new(api_tokens);
    let compiled = |verifier| world.contents.compile(verifier).expect("the workload fits");
    let file = compiled(VerifierLen::Full);
    if deciding.is_some() {
        let lens = [("32", file.len(), 72.0), ("16", compiled(VerifierLen::Half).len(), 54.0)];
        for (verifier, len, budget) in lens {
            let what = format!("snapshot an API token, {verifier}-byte verifiers");
            table.exact(&what, len as f64 / api_tokens as f64, "B", budget);
        }
    }
    if let Some(budget) = opening {
        opening::print(table, name, &world, &file, budget);
    }
    let opened = unsigned(&file[..]).expect("it was just compiled");
    decision::print(table, name, &world, &opened.view(), deciding);
}
