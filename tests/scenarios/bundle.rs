//! What is carried by hand: no broker has to reach a gateway.

use std::fs;

use gateward_tests::{Deck, until};

/// Writes a bundle of group `plant-7`, and returns its path.
fn compiled(deck: &Deck, name: &str) -> String {
    let out = deck.root().join(name).display().to_string();
    drop(deck.control("compile", &["--group", "plant-7", "--bundle", "--out", &out]).ok());

    out
}

#[test]
fn a_bundle_is_in_force_at_once_on_a_gateway_that_no_broker_reaches() {
    let mut deck = Deck::new();
    deck.broker.kill();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let first = compiled(&deck, "first");
    let mut gateway = deck.gateway("edge-7a");

    // While it is off, then while it runs.
    let said = gateway.cli(&["snapshot", "import", &first]).ok();
    assert!(said.contains("version 1.1 is in force"), "{said}");
    gateway.start_ready();
    assert_eq!(gateway.status()["boot"], 1);
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
    let again = gateway.cli(&["snapshot", "import", &first, "--format", "json"]).ok();
    assert!(again.contains("already_in_force"), "{again}");
    deck.disable(&ana);
    let second = compiled(&deck, "second");
    let said = gateway.cli(&["snapshot", "import", &second]).ok();
    assert!(said.contains("version 1.2 is in force"), "{said}");
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(false));

    let left = fs::read_dir(gateway.state()).expect("its folder").filter_map(Result::ok);
    let left = left.filter(|file| file.file_name().to_string_lossy().starts_with("import"));
    assert_eq!(left.count(), 0);
}

#[test]
fn h3_h5_a_bundle_that_may_not_follow_is_refused_with_65_and_the_reason() {
    let mut deck = Deck::new();
    deck.broker.kill();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let first = compiled(&deck, "first");
    deck.disable(&ana);
    let second = compiled(&deck, "second");
    let mut gateway = deck.gateway("edge-7a");
    drop(gateway.cli(&["snapshot", "import", &second]).ok());
    let refused = gateway.cli(&["snapshot", "import", &first]);
    assert_eq!(refused.code, 65, "{}", refused.err);
    gateway.start_ready();

    let refused = gateway.cli(&["snapshot", "import", &first]);
    assert_eq!(refused.code, 65, "{}", refused.err);
    assert!(refused.err.contains("(rollback)"), "{}", refused.err);
    let mut bytes = fs::read(&second).expect("it was compiled");
    bytes.truncate(bytes.len() - 1);
    fs::write(deck.root().join("short"), bytes).expect("a file can be written");
    let short = deck.root().join("short").display().to_string();
    let refused = gateway.cli(&["snapshot", "import", &short]);
    assert_eq!(refused.code, 65, "{}", refused.err);
    assert!(refused.err.contains("(not_a_bundle)"), "{}", refused.err);
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(false));

    until("a refusal in the audit", || {
        let audit = gateway.cli(&["audit", "tail", "--format", "json"]).ok();
        audit.contains("rollback import").then_some(())
    });
}

#[test]
fn what_a_running_gateway_exports_another_one_of_its_group_imports() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    let out = deck.root().join("carried").display().to_string();
    drop(gateway.cli(&["snapshot", "export", "--out", &out]).ok());

    let other = deck.gateway("edge-7b");
    drop(other.cli(&["snapshot", "import", &out]).ok());
    let elsewhere = deck.gateway_at("edge-8a", "plant-8", &deck.broker.url());
    assert_eq!(elsewhere.cli(&["snapshot", "import", &out]).code, 65, "h3: another group");
    let theirs = Deck::new();
    let stranger = theirs.gateway("edge-7a");
    let refused = stranger.cli(&["snapshot", "import", &out]);
    assert_eq!(refused.code, 65, "h4: another account: {}", refused.err);

    let question = ["check", "--snapshot", &out, "--permission", "manage_device"];
    assert_eq!(other.cli_with(&question, ana.as_bytes()).code, 0);
    assert_eq!(other.cli(&["snapshot", "verify"]).code, 0);
}
