//! Large snapshots: through a broker that takes little at a time, and through one as it is installed.

use core::time::Duration;

use gateward_tests::{Deck, Stopwatch, within};

use crate::loopback::Loopback;
use crate::packets::{many_tokens, tokens};

/// Bytes of a packet beside its payload: the longest topic, and what MQTT says about it.
const BESIDE: u32 = 256;

#[test]
fn at_4_kib_a_payload_a_snapshot_and_its_change_come_through_in_smaller_chunks() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    many_tokens(&deck);
    deck.edit_policy("[snapshot]\n", "[snapshot]\nmax_payload_bytes = 4096\n");
    let broker = Loopback::that_takes(4_096 + BESIDE);
    let mut gateway = deck.gateway_at("edge-7a", "plant-7", &broker.url());
    gateway.set("BROKER__MAX_PAYLOAD_BYTES", "4096");
    drop(deck.publish_to(&broker.url()).ok());

    gateway.start_ready();

    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    let payloads = || {
        let topics = broker.retained_topics();
        let retained = topics.iter().filter_map(|topic| Some(broker.retained(topic)?.len()));
        retained.collect::<Vec<_>>()
    };
    assert!(payloads().len() > 32 && payloads().iter().all(|len| *len <= 4_096));
    deck.disable(&ana);
    drop(deck.publish_to(&broker.url()).ok());
    gateway.reaches(2);
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(false));
    // Without the smaller chunks the broker takes nothing, and whoever publishes is told.
    deck.edit_policy("max_payload_bytes = 4096\n", "");
    assert_ne!(deck.publish_to(&broker.url()).code, 0);
    assert_eq!(gateway.version(), Some(2));
}

#[test]
fn a_large_snapshot_arrives_whole_through_mosquitto_with_the_queues_it_has_by_itself() {
    // 48 MB in a soak, which takes two minutes; else a few dozen chunks.
    let soak = std::env::var_os("GATEWARD_SOAK").is_some();
    let count = if soak { 1_000_000 } else { 20_000 };
    let mut deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    tokens(&deck, count);
    deck.broker.with_queues_of_its_own();
    let watch = Stopwatch::start();
    deck.publish();
    let published = watch.elapsed();
    let mut gateway = deck.gateway("edge-7a");

    let watch = Stopwatch::start();
    gateway.start();
    let limit = Duration::from_secs(600);
    let came = within(limit, || (gateway.get("/readyz").status == 200).then_some(()));

    assert!(came.is_some(), "not within {} s", limit.as_secs());
    print_line(&format!(
        "{count} tokens: published in {} ms, in force after {} ms",
        published.as_millis(),
        watch.elapsed().as_millis()
    ));
    let file = std::fs::read(deck.dir().join("state/published/plant-7/file")).expect("published");
    assert!(file.len() as u64 > count * 40);
    assert_eq!(crate::packets::in_force(&gateway), file);
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
}

#[expect(clippy::print_stdout, reason = "a figure for whoever runs the tests")]
fn print_line(text: &str) {
    println!("{text}");
}
