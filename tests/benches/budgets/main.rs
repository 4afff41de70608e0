//! Prints the figures that ARCHITECTURE sets budgets for and that need the whole agent: the program
//! that is installed, on a state folder of 100k tokens, with a real broker over mutual TLS.
//!
//! What is compared runs in turns, so that a shared machine slows both; the ratios are to be
//! believed, the times less so. Run: `tests/bench`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program that measures, prints, and stops where it cannot go on"
)]

mod agent;
mod audit;
mod collector;
mod load;
mod refusal;
mod sync;
mod table;
mod world;

use std::fs;
use std::process::Command;
use std::sync::Arc;

use gateward_core::snapshot;
use gateward_core::snapshot::build::VerifierLen;
use gateward_core::trust::{Audience, Manifest};
use gateward_tests::{Deck, Gateway, Stopwatch, built};

use agent::{Agent, middle, millis};
use load::{FOUND, NOT_FOUND};
use table::Table;
use world::{Signer, World};

/// How often each thing is timed.
const ROUNDS: usize = 9;
/// Connections that are kept busy while rates are compared.
const BUSY: [usize; 2] = [1, 16];
/// Callers in flight where one sync serves many.
const CALLERS: usize = 64;

const MIB: f64 = 1_048_576.0;

fn main() {
    let table = Table::begin();
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    // `cargo bench ... -- refusal collector` measures only those.
    let is_asked = |part: &str| words.is_empty() || words.iter().any(|word| word == part);
    if is_asked("size") {
        size(&table);
    }
    let deck = Deck::new();
    let gateway = deck.gateway("edge-7a");
    if ["snapshots", "start", "decisions", "group", "records"].into_iter().any(is_asked) {
        of_100k(&table, &deck, &gateway, is_asked);
    }
    if is_asked("interval") {
        audit::interval(&table);
    }
    if is_asked("sync") {
        sync::connected(&table);
    }
    if is_asked("collector") {
        collector::collector(&table);
    }
    if is_asked("refusal") {
        refusal::refusal(&table, &deck, &gateway);
    }
    if is_asked("1M") {
        opening(&table, &Signer::of(&deck), "1M", 100.0, &World::new(deck.account(), 1_000_000));
    }
}

/// What an agent does that has a snapshot of 100k tokens.
fn of_100k(table: &Table, deck: &Deck, gateway: &Gateway, is_asked: impl Fn(&str) -> bool) {
    let signer = Signer::of(deck);
    let world = World::new(deck.account(), 100_000);
    if is_asked("snapshots") {
        snapshots(table, &signer, &world);
    }
    let file = world.file(VerifierLen::Full);
    let file_mib = file.len() as f64 / MIB;
    signer.install(gateway, &file);
    let questions = world.questions().into();

    if is_asked("start") {
        starts(table, gateway, &questions, file_mib);
    }
    if is_asked("decisions") {
        decisions(table, gateway, &questions);
    }
    if is_asked("group") {
        audit::group(table);
        durable(table, gateway, &questions);
    }
    if is_asked("records") {
        records(table, gateway, &questions);
    }
}

/// The program as it is installed, without symbols.
fn size(table: &Table) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let (whole, bare) = (built("gateward"), folder.path().join("gateward"));
    let done = Command::new("strip").arg("-o").args([&bare, &whole]).status();
    assert!(done.is_ok_and(|status| status.success()), "`strip` of Debian's binutils is needed");
    let bytes = fs::metadata(&bare).expect("it was just written").len();
    table.at_most("agent program, stripped", bytes as f64 / MIB, "MiB", 8.0);
}

fn snapshots(table: &Table, signer: &Signer, world: &World) {
    let per_token = |len| world.file(len).len() as f64 / world.api_tokens as f64;
    table.at_most(
        "snapshot an API token, 32-byte verifiers",
        per_token(VerifierLen::Full),
        "B",
        72.0,
    );
    table.at_most(
        "snapshot an API token, 16-byte verifiers",
        per_token(VerifierLen::Half),
        "B",
        54.0,
    );
    opening(table, signer, "100k", 10.0, world);
}

/// From bytes in memory to a snapshot that may be decided with.
fn opening(table: &Table, signer: &Signer, name: &str, budget: f64, world: &World) {
    let file: Arc<[u8]> = world.file(VerifierLen::Full).into();
    let envelope = signer.manifest(&file);
    let audience = Audience::of(signer.account, world::GROUP);
    let times = (0..ROUNDS).map(|_| {
        let watch = Stopwatch::start();
        let manifest = Manifest::verify(&envelope, &signer.keys, audience);
        let opened = snapshot::open(Arc::clone(&file), manifest.expect("it was just signed"));
        let took = millis(watch);
        assert!(opened.is_ok(), "it was just compiled");
        took
    });
    table.at_most(&format!("open, verify and validate {name} tokens"), middle(times), "ms", budget);
}

/// How soon a start decides, and what an idle agent holds.
fn starts(table: &Table, gateway: &Gateway, questions: &Arc<[Vec<u8>]>, file_mib: f64) {
    let first = questions.first().expect("somebody is allowed");
    let times = (0..ROUNDS).map(|_| {
        let watch = Stopwatch::start();
        let agent = Agent::spawn(gateway, &[]);
        agent.decides(first);
        let took = millis(watch);
        drop(agent);
        took
    });
    table.at_most("start to first decision, 100k tokens", middle(times), "ms", 50.0);

    let agent = Agent::spawn(gateway, &[]);
    agent.decides(first);
    agent.is_connected();
    let idle = agent.rest();
    let budget = file_mib + 12.0;
    table.at_most("RSS idle, 100k tokens (snapshot + 12)", idle.resident_mib, "MiB", budget);
    table.show("  of which not backed by the program's file", idle.anonymous_mib, "MiB");
    table.at_most("wake-ups a second, idle", idle.wake_ups_a_second, "", 1.0);
}

/// Decisions against what the same server does with a constant.
fn decisions(table: &Table, gateway: &Gateway, questions: &Arc<[Vec<u8>]>) {
    let agent = Agent::spawn(gateway, &[("AUDIT__DURABILITY", "interval")]);
    agent.decides(questions.first().expect("somebody is allowed"));
    let constant = [b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec()].into();
    // The same bytes in and about as many out, as JSON, with nothing decided or written between.
    let nowhere = questions.iter().map(|question| world::elsewhere(question)).collect();
    for connections in BUSY {
        let (mut asked, mut answered, mut turned_away) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            answered.push(load::run(&agent, &constant, FOUND, connections));
            turned_away.push(load::run(&agent, &nowhere, NOT_FOUND, connections));
            asked.push(load::run(&agent, questions, FOUND, connections));
        }
        let rate = |runs: &[load::Run]| middle(runs.iter().map(load::Run::rate));
        let cpu = |runs: &[load::Run]| middle(runs.iter().map(load::Run::cpu_us));
        let of = format!("{connections} connection{}", if connections == 1 { "" } else { "s" });
        for (what, runs) in [
            ("GET /livez", &answered),
            ("POST to no endpoint, the same body", &turned_away),
            ("POST /v1/authorize, audit interval", &asked),
        ] {
            table.show(&format!("{what}, {of}"), rate(runs), "/s");
            table.show("  agent's CPU a request", cpu(runs), "us");
        }
        table.at_least("  authorize / livez", rate(&asked) / rate(&answered), "", 0.8);
        table.show("  authorize / no endpoint", rate(&asked) / rate(&turned_away), "");
    }
}

/// What many callers gain by sharing a sync.
fn durable(table: &Table, gateway: &Gateway, questions: &Arc<[Vec<u8>]>) {
    let agent = Agent::spawn(gateway, &[("AUDIT__DURABILITY", "group")]);
    agent.decides(questions.first().expect("somebody is allowed"));
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(load::run(&agent, questions, FOUND, 1).rate());
        together.push(load::run(&agent, questions, FOUND, CALLERS).rate());
    }
    let (alone, together) = (middle(alone.into_iter()), middle(together.into_iter()));
    table.show("POST /v1/authorize, audit group, 1 caller", alone, "/s");
    table.show(&format!("POST /v1/authorize, audit group, {CALLERS} callers"), together, "/s");
    // HTTP bounds it where a sync is fast; below this, callers do not share syncs any more.
    table.at_least("  ratio", together / alone, "", 10.0);
}

/// What a record takes on disk, head, framing and tag included.
fn records(table: &Table, gateway: &Gateway, questions: &Arc<[Vec<u8>]>) {
    let agent = Agent::spawn(gateway, &[("AUDIT__DURABILITY", "interval")]);
    agent.decides(questions.first().expect("somebody is allowed"));
    let before = agent.journal(1);
    let run = load::run(&agent, questions, FOUND, 16);
    let after = agent.journal(before.records + run.requests);
    let bytes = (after.bytes - before.bytes) as f64 / (after.records - before.records) as f64;
    table.at_most("audit record, 24-byte name and resource", bytes, "B", 144.0);
}
