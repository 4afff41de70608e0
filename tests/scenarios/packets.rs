//! Wherever the connection breaks, a gateway ends up with the same snapshot, whole.
//!
//! The broker of these scenarios counts packets and dies after any of them; the agent is the real
//! program. A full list of all places is short enough to be tried every time.

use std::fs;
use std::path::Path;
use std::process::Command;

use gateward_core::principal::TokenKind;
use gateward_core::token::Lookup;
use gateward_tests::{Deck, Gateway, run, until};
use serde_json::Value;

use crate::loopback::Loopback;

/// A user with so many tokens that the snapshot has several chunks.
pub(crate) fn many_tokens(deck: &Deck) {
    tokens(deck, 2_000);
}

/// A user with `count` tokens.
pub(crate) fn tokens(deck: &Deck, count: u64) {
    let owner = deck.control("user add", &["many", "--role", "iot_account_admin"]).ok();
    let lines: String = (1..=count)
        .map(|id| {
            // Drawn ids lie far apart; so do these.
            let id = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let lookup = Lookup { kind: TokenKind::Api as u8, id };
            format!(
                "{{\"kind\":\"api_token\",\"owner_id\":\"{owner}\",\"name\":\"{id}\",\
                 \"lookup\":\"{lookup}\",\"verifier\":\"{id:064x}\"}}\n"
            )
        })
        .collect();
    let path = deck.dir().join("tokens.jsonl");
    let old = fs::read_to_string(&path).unwrap_or_default();
    fs::write(path, old + &lines).expect("a table can be written");
}

/// What a gateway has in the end, on disk and in its answers.
fn outcome(gateway: &Gateway, token: &str) -> (Value, Vec<u8>, Option<bool>) {
    let root = gateway.status().pointer("/snapshot/root").cloned().unwrap_or_default();

    (root, in_force(gateway), gateway.allows(token, "manage_device"))
}

/// Returns the file of the snapshot in force, which is on disk and has the root that it should.
pub(crate) fn in_force(gateway: &Gateway) -> Vec<u8> {
    let status = gateway.status();
    let root = status.pointer("/snapshot/root").cloned().unwrap_or_default();

    ["a", "b"]
        .iter()
        .filter_map(|slot| fs::read(gateway.state().join("snapshot").join(slot).join("file")).ok())
        .find(|bytes| root_of(bytes) == root.as_str().unwrap_or_default())
        .expect("what is in force is on disk")
}

fn root_of(file: &[u8]) -> String {
    use gateward_core::snapshot::chunk;
    let leaves = file.chunks(1 << 15).zip(0..).map(|(bytes, index)| chunk::leaf(index, bytes));

    chunk::root(u32::try_from(file.len()).expect("a small file"), 15, leaves).to_string()
}

fn copy(from: &Path, to: &Path) {
    // There may be nothing yet.
    let _ = fs::remove_dir_all(to);
    let ran = run(Command::new("cp").arg("-a").arg(from).arg(to), b"");
    assert_eq!(ran.code, 0, "{}", ran.err);
}

/// Waits until the broker has died after `packets`, or the gateway has `version` first.
fn struck(fragile: &Loopback, gateway: &Gateway, packets: u64, version: u64) {
    until("the end of the broker", || {
        let dead = fragile.packets() >= packets;
        (dead || gateway.version() == Some(version)).then_some(())
    });
}

#[test]
fn a_broker_killed_after_every_packet_of_a_first_sync_leads_to_the_same_state() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    many_tokens(&deck);
    let fragile = Loopback::new();
    drop(deck.publish_to(&fragile.url()).ok());
    let mut gateway = deck.gateway_at("edge-7a", "plant-7", &fragile.url());
    let before = fragile.packets();
    gateway.start_ready();
    until("a gateway that has said what it has", || {
        fragile.retained_topics().iter().any(|topic| topic.ends_with("/status")).then_some(())
    });
    let packets = fragile.packets() - before;
    let expected = outcome(&gateway, &ana);
    assert!(expected.1.len() > 2 << 15, "several chunks");
    assert_eq!(expected.2, Some(true));
    gateway.kill();

    for place in 0..=packets {
        fs::remove_dir_all(gateway.state()).expect("our own folder");
        fs::create_dir(gateway.state()).expect("our own folder");
        let at = fragile.packets() + place;
        fragile.kill_after(place);
        gateway.start();
        struck(&fragile, &gateway, at, 1);
        fragile.mend();
        gateway.reaches(1);

        assert_eq!(outcome(&gateway, &ana), expected, "after packet {place}");
        gateway.kill();
    }
    print_line(&format!("a first sync of {packets} packets, broken after each of them"));
}

#[test]
fn h10_an_agent_killed_after_every_packet_of_an_update_has_the_old_snapshot_or_the_new() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    many_tokens(&deck);
    let fragile = Loopback::new();
    drop(deck.publish_to(&fragile.url()).ok());
    let mut gateway = deck.gateway_at("edge-7a", "plant-7", &fragile.url());
    gateway.start_ready();
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    gateway.kill();
    let kept = deck.root().join("kept");
    copy(&gateway.state(), &kept);
    deck.disable(&ana);
    drop(deck.publish_to(&fragile.url()).ok());
    let before = fragile.packets();
    gateway.start();
    gateway.reaches(2);
    let packets = fragile.packets() - before;
    let expected = outcome(&gateway, &ana);
    assert_eq!(expected.2, Some(false));
    gateway.kill();

    let mut halfway = 0;
    for place in 0..=packets {
        copy(&kept, &gateway.state());
        let at = fragile.packets() + place;
        fragile.kill_after(place);
        gateway.start();
        struck(&fragile, &gateway, at, 2);
        gateway.kill();
        // With the broker still dead: one of the two, whole, and its answers.
        gateway.start_ready();
        let version = gateway.version();
        assert!(matches!(version, Some(1 | 2)), "after packet {place}: {version:?}");
        // A revocation list that has arrived counts before the snapshot that says the same.
        let list = gateway.status()["snapshot"]["revoked"]["counter"].as_u64();
        let allowed = version == Some(1) && list == Some(0);
        assert_eq!(gateway.allows(&ana, "manage_device"), Some(allowed), "list {list:?}");
        halfway += u64::from(version == Some(1));
        fragile.mend();
        gateway.reaches(2);

        assert_eq!(outcome(&gateway, &ana), expected, "after packet {place}");
        assert_eq!(gateway.cli(&["audit", "verify"]).code, 0, "after packet {place}");
        gateway.kill();
    }
    assert!(halfway > 0, "none was interrupted");
    print_line(&format!("an update of {packets} packets, killed after each of them"));
}

#[expect(clippy::print_stdout, reason = "a figure for whoever runs the tests")]
fn print_line(text: &str) {
    println!("{text}");
}
