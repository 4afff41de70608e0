//! How soon a gateway without a snapshot has one, and how soon it is back after its broker was gone.

use std::fs;
use std::thread;
use std::time::Duration;

use gateward_core::snapshot::build::VerifierLen;
use gateward_core::snapshot::chunk;
use gateward_core::topic::{GroupTopic, GroupTopics};
use gateward_core::trust::sign;
use gateward_tests::{Deck, Gateway, Stopwatch};

use crate::ROUNDS;
use crate::agent::{Agent, middle, millis};
use crate::table::Table;
use crate::world::{CHUNK_LOG2, GROUP, Signer, World};

/// The longest rest before the first attempt after a broken connection.
const FIRST_REST_MS: f64 = 1_000.0;

/// For longer than this a connection has to hold before a rest is short again: what breaks sooner is
/// tried ever more seldom.
const HELD: Duration = Duration::from_secs(6);

/// An account of its own: its broker has what no folder published.
pub(crate) fn connected(table: &Table) {
    let mut deck = Deck::new();
    let signer = Signer::of(&deck);
    let gateway = deck.gateway("edge-7a");
    let world = World::new(deck.account(), 100_000);
    first(table, &deck, &signer, &gateway, &world);
    reconnect(table, &mut deck, &gateway);
}

/// From the start of the program, whose state is empty, to its first decision.
fn first(table: &Table, deck: &Deck, signer: &Signer, gateway: &Gateway, world: &World) {
    plant(deck, signer, &world.file(VerifierLen::Full));
    let questions = world.questions();
    let question = questions.first().expect("somebody is allowed");
    let times = (0..ROUNDS).map(|_| {
        fs::remove_dir_all(gateway.state()).expect("the state can be forgotten");
        fs::create_dir(gateway.state()).expect("a folder can be made");
        let watch = Stopwatch::start();
        let agent = Agent::spawn(gateway, &[]);
        agent.decides(question);
        let took = millis(watch);
        drop(agent);
        took
    });
    table.at_most("first sync, 100k tokens, from the start", middle(times), "ms", 1_000.0);
}

/// Has the broker retain what a publish of `file` would send.
fn plant(deck: &Deck, signer: &Signer, file: &[u8]) {
    let admin = deck.admin();
    let topics = GroupTopics::new(signer.account, GROUP).expect("a good name");
    let plant = |what, bytes: &[u8]| admin.plant(&topics.topic(what).to_string(), bytes);
    let root = chunk::root_of(file, CHUNK_LOG2).expect("a snapshot is not that long").short();
    let list: Vec<u8> = chunk::leaves(file, CHUNK_LOG2).flatten().collect();
    for (index, bytes) in (0..).zip(file.chunks(1 << CHUNK_LOG2)) {
        plant(GroupTopic::Chunk { root, index }, bytes);
    }
    for (piece, bytes) in (0..).zip(list.chunks(1 << CHUNK_LOG2)) {
        plant(GroupTopic::List { root, piece }, bytes);
    }
    plant(GroupTopic::Keys, signer.anchor());
    let message = sign::message(&signer.manifest(file), &[]).expect("it is short");
    plant(GroupTopic::Manifest, &message);
}

/// From a broker that takes connections again to a gateway that has one.
fn reconnect(table: &Table, deck: &mut Deck, gateway: &Gateway) {
    let agent = Agent::spawn(gateway, &[]);
    agent.is_connected();
    let times = (0..ROUNDS).map(|_| {
        thread::sleep(HELD);
        deck.broker.stop();
        agent.is_alone();
        deck.broker.restart();
        let watch = Stopwatch::start();
        agent.is_connected();
        millis(watch)
    });
    let times: Vec<_> = times.collect();
    let budget = 1_000.0 + FIRST_REST_MS;
    let name = "reconnect after a broker restart (1 s + first rest)";
    table.at_most(name, middle(times.into_iter()), "ms", budget);
}
