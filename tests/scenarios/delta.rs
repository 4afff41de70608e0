//! A revocation travels as a few hundred bytes, and a damaged one costs the whole file.

use gateward_core::trust::manifest;
use gateward_core::trust::sign;
use gateward_tests::{Deck, Gateway, until};

use crate::packets::many_tokens;

/// A gateway that holds a snapshot of 2,000 tokens, and a token that it lets in.
fn ready() -> (Deck, Gateway, String) {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    many_tokens(&deck);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));

    (deck, gateway, ana)
}

fn manifest_topic(deck: &Deck) -> String {
    format!("gateward/v1/{}/plant-7/manifest", deck.account())
}

/// How often the broker was asked for chunks.
fn chunks_asked(deck: &Deck) -> usize {
    let log = std::fs::read_to_string(deck.logs().join("mosquitto.log")).expect("the broker's log");

    log.lines().filter(|line| line.contains("/chunk/")).count()
}

#[test]
fn one_revoked_token_of_two_thousand_switches_a_gateway_by_delta() {
    let (deck, gateway, ana) = ready();
    let asked = chunks_asked(&deck);
    assert!(asked > 0, "the first snapshot came in chunks");

    deck.disable(&ana);
    let version = deck.publish();
    gateway.reaches(version);

    assert_eq!(gateway.allows(&ana, "manage_device"), Some(false));
    assert_eq!(chunks_asked(&deck), asked, "nothing was fetched in chunks");
    let message = deck.admin().retained(&manifest_topic(&deck));
    assert!(message.len() <= 400, "{} bytes", message.len());
    let read = manifest::split(&message).expect("a message");
    let [delta] = &read.deltas[..] else { panic!("one delta rides along") };
    assert_eq!((delta.from, delta.bytes.len()), (version - 1, 94));
}

#[test]
fn a_damaged_delta_is_reported_and_the_whole_file_fetched() {
    let (deck, mut gateway, ana) = ready();
    let asked = chunks_asked(&deck);
    assert!(gateway.stop().success());
    deck.disable(&ana);
    let version = deck.publish();
    // Whoever holds the broker changes one bit of the delta.
    let topic = manifest_topic(&deck);
    let message = deck.admin().retained(&topic);
    let read = manifest::split(&message).expect("a message");
    let mut delta = read.deltas[0].bytes.to_vec();
    delta[50] ^= 4;
    let damaged = sign::message(read.envelope, &[(version - 1, &delta)]).expect("one delta");
    deck.admin().plant(&topic, &damaged);

    gateway.start();
    gateway.reaches(version);

    assert_eq!(gateway.allows(&ana, "manage_device"), Some(false));
    assert!(chunks_asked(&deck) > asked, "the whole file was fetched");
    until("the event", || {
        let audit = gateway.cli(&["audit", "tail", "--format", "json"]).out;
        (audit.contains("bad_delta") && audit.contains("snapshot_rejected")).then_some(())
    });
}
