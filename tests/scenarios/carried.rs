//! Audit that is carried by hand: a collector holds it, and the gateway may forget, with no broker in
//! between.

use std::fs;

use gateward_tests::{Deck, Gateway, Ran, until};
use serde_json::Value;

/// A gateway that no broker reaches, with a snapshot that was carried to it.
fn island(deck: &Deck, name: &str) -> Gateway {
    let bundle = path(deck, &format!("{name}.bundle"));
    drop(deck.control("compile", &["--group", "plant-7", "--bundle", "--out", &bundle]).ok());
    let gateway = deck.gateway(name);
    drop(gateway.cli(&["snapshot", "import", &bundle]).ok());

    gateway
}

fn path(deck: &Deck, name: &str) -> String {
    deck.root().join(name).display().to_string()
}

fn exported(deck: &Deck, gateway: &Gateway, name: &str) -> String {
    let out = path(deck, name);
    drop(gateway.cli(&["audit", "export", "--out", &out]).ok());

    out
}

/// Takes a stick where the collector is, and writes the receipt `name`.
fn collect(deck: &Deck, stick: &str, name: &str) -> Ran {
    let (out, receipt) = (deck.collected().display().to_string(), path(deck, name));

    deck.control("collect", &["--out", &out, "--stick", stick, "--receipt", &receipt])
}

fn backlog(gateway: &Gateway) -> Option<u64> {
    gateway.status().pointer("/audit/backlog").and_then(Value::as_u64)
}

#[test]
fn audit_carried_to_the_collector_is_there_once_and_its_receipt_lets_the_gateway_forget() {
    let mut deck = Deck::new();
    deck.broker.kill();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let mut gateway = island(&deck, "edge-7a");
    gateway.start_ready();
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));

    let stick = exported(&deck, &gateway, "stick");
    let said = collect(&deck, &stick, "receipt").ok();
    assert!(said.contains("edge-7a: ") && said.contains(" new records"), "{said}");
    let records = deck.records("edge-7a");
    assert!(records.iter().any(|record| record["authentication"] == "ana.ruiz"), "{records:?}");
    let again = collect(&deck, &stick, "again").ok();
    assert!(again.contains("edge-7a: 0 new records"), "a replayed stick: {again}");
    assert_eq!(deck.records("edge-7a").len(), records.len(), "no record twice");

    let receipt = path(&deck, "receipt");
    let said = gateway.cli(&["audit", "receipt", &receipt]).ok();
    assert!(said.contains("a collector holds the records up to"), "{said}");
    until("nothing that is not receipted", || (backlog(&gateway) == Some(0)).then_some(()));
    let said = gateway.cli(&["audit", "receipt", &receipt]).ok();
    assert!(said.contains("nothing new"), "a replayed receipt: {said}");

    // While it is off, too.
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    assert!(gateway.stop().success());
    let stick = exported(&deck, &gateway, "stick");
    drop(collect(&deck, &stick, "receipt").ok());
    let said = gateway.cli(&["audit", "receipt", &receipt]).ok();
    assert!(said.contains("a collector holds the records up to"), "{said}");
    let said = gateway.cli(&["audit", "export", "--out", &stick]).ok();
    assert!(said.contains("no records that are not receipted"), "{said}");
    assert_eq!(gateway.cli(&["audit", "verify"]).code, 0);
}

#[test]
fn i9_a_stick_or_a_receipt_that_is_cut_altered_or_anothers_ends_with_65() {
    let mut deck = Deck::new();
    deck.broker.kill();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let (mut gateway, other) = (island(&deck, "edge-7a"), island(&deck, "edge-7b"));
    gateway.start_ready();
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    let stick = exported(&deck, &gateway, "stick");
    let bytes = fs::read(&stick).expect("it was exported");

    let bad = path(&deck, "bad");
    let mut altered = bytes.clone();
    let middle = altered.len() / 2;
    altered[middle] ^= 1;
    let of_file = |why: &str| format!("`{bad}`: {why}");
    let cut = of_file("the file was cut short or altered; export it again");
    let letter = of_file("the file is none that `gateward audit export` wrote; name another");
    for (what, content, said) in [
        ("altered", &altered[..], "the checkpoint of a batch"),
        ("cut", &bytes[..bytes.len() - 1], &cut),
        ("a letter", b"a letter", &letter),
    ] {
        fs::write(&bad, content).expect("a file can be written");
        let refused = collect(&deck, &bad, "none");
        assert_eq!(refused.code, 65, "{what}: {}", refused.err);
        assert!(refused.err.contains(said), "{what}: {}", refused.err);
    }
    let kept = deck.records("edge-7a");

    drop(collect(&deck, &stick, "receipt").ok());
    let whole = deck.records("edge-7a");
    assert_eq!(whole[..kept.len()], kept, "of a bad stick nothing is kept but what was written");
    let receipt = path(&deck, "receipt");
    let refused = other.cli(&["audit", "receipt", &receipt]);
    assert_eq!(refused.code, 65, "another gateway's: {}", refused.err);
    let mut forged = fs::read(&receipt).expect("it was written");
    let last = forged.len() - 1;
    forged[last] ^= 1;
    fs::write(&bad, forged).expect("a file can be written");
    let refused = gateway.cli(&["audit", "receipt", &bad]);
    assert_eq!(refused.code, 65, "forged: {}", refused.err);
    assert_ne!(backlog(&gateway), Some(0), "nothing is forgotten for it");
    until("a refusal in the audit", || {
        let audit = gateway.cli(&["audit", "tail", "--format", "json"]).ok();
        audit.contains("receipt_refused").then_some(())
    });
    drop(gateway.cli(&["audit", "receipt", &receipt]).ok());
}
