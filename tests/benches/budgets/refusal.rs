//! How soon a connected gateway refuses a token that was disabled: from the start of `publish`, over a
//! real broker with mutual TLS, while nothing else is asked and while very much is.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gateward_tests::{Deck, Gateway, Stopwatch};

use crate::agent::{Agent, millis};
use crate::load;
use crate::table::Table;
use crate::world;

/// Tokens that are revoked one after the other, so that the 99th of a hundred is a figure.
const REVOCATIONS: usize = 100;
/// Tokens that others ask with meanwhile.
const ASKING: usize = 320;
/// Decisions a second meanwhile.
const RATE: f64 = 20_000.0;
/// How many of them one request asks for: whoever asks that much has queues to ask from.
const BATCH: usize = 32;
/// Requests a second.
const REQUESTS: f64 = RATE / BATCH as f64;
/// Connections that share them.
const CONNECTIONS: u32 = 16;
/// The budget of the slowest but one in a hundred.
const P99_MS: f64 = 100.0;

/// Revokes a hundred tokens twice: idle, and under load.
pub(crate) fn refusal(table: &Table, deck: &Deck, gateway: &Gateway) {
    fs::remove_dir_all(gateway.state()).expect("the state can be forgotten");
    fs::create_dir(gateway.state()).expect("a folder can be made");
    drop(deck.user("ana.ruiz", &["--role", "iot_account_admin"]));
    let draw = |name: String| deck.user_token("ana.ruiz", &name);
    let revoked: Vec<_> = (0..2 * REVOCATIONS).map(|n| draw(format!("revoked {n}"))).collect();
    let asking: Vec<_> = (0..ASKING).map(|n| draw(format!("asking {n}"))).collect();
    let batches: Arc<[Vec<u8>]> = asking.chunks(BATCH).map(world::batch).collect();
    deck.publish();
    let agent = Agent::spawn(gateway, &[("AUDIT__DURABILITY", "interval")]);
    agent.decides(&world::question(asking.first().expect("there are some"), None));
    agent.is_connected();

    let (idle, busy) = revoked.split_at(REVOCATIONS);
    show(table, "idle", revoke(deck, &agent, idle));
    let stop = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let load = scope.spawn(|| load::paced(&agent, &batches, CONNECTIONS, REQUESTS, &stop));
        let times = revoke(deck, &agent, busy);
        stop.store(true, Ordering::Relaxed);
        let rate = load.join().expect("every answer is an answer").rate() * BATCH as f64;
        // A pace is kept to within one request of each connection.
        table.at_least("decisions a second meanwhile, 32 a request", rate, "/s", 0.99 * RATE);
        show(table, "under that load", times);
    });
}

/// Milliseconds from the start of each `publish` to the refusal, ascending.
fn revoke(deck: &Deck, agent: &Agent, tokens: &[String]) -> Vec<f64> {
    let time = |token: &String| {
        let question = world::question(token, None);
        agent.decides(&question);
        deck.disable(token);
        let watch = Stopwatch::start();
        std::thread::scope(|scope| {
            scope.spawn(|| deck.publish());
            agent.refuses(&question);
            millis(watch)
        })
    };
    let mut times: Vec<_> = tokens.iter().map(time).collect();
    times.sort_by(f64::total_cmp);

    times
}

fn show(table: &Table, when: &str, times: Vec<f64>) {
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(f64::NAN);
    table.show(&format!("`publish` begun to refusal, {when}, p50"), at(50), "ms");
    let p99 = times.get(times.len() * 99 / 100 - 1).copied().unwrap_or(f64::NAN);
    table.at_most("  p99", p99, "ms", P99_MS);
    table.show("  longest", times.last().copied().unwrap_or(f64::NAN), "ms");
}
