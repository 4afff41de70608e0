//! An account whose objects are all signed twice, from the first key to the last receipt.

use gateward_core::topic::{GroupTopic, GroupTopics};
use gateward_core::trust::{manifest, sign};
use gateward_tests::{Deck, until};
use serde_json::json;

use crate::hostile::rejections;

/// An id, the algorithm, a length, and the signature.
const CLASSIC: usize = 8 + 1 + 1 + 64;
const QUANTUM: usize = 8 + 1 + 2 + 3_309;

/// The message of a manifest without one of its two signatures.
fn stripped(message: &[u8], quantum: bool) -> Vec<u8> {
    let envelope = manifest::split(message).expect("it was published").envelope;
    let (before, signatures) = envelope.split_at(envelope.len() - QUANTUM - CLASSIC);
    let (payload, count) = before.split_at(before.len() - 1);
    assert_eq!(count, [2], "signatures");
    let kept = if quantum { &signatures[..CLASSIC] } else { &signatures[CLASSIC..] };

    sign::message(&[payload, &[1], kept].concat(), &[]).expect("it is shorter than before")
}

#[test]
fn a_hybrid_account_runs_from_its_first_key_to_a_receipt_and_a_stripped_signature_is_refused() {
    let deck = Deck::hybrid();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));

    let topics = GroupTopics::new(deck.account(), "plant-7").expect("a good name");
    let topic = topics.topic(GroupTopic::Manifest).to_string();
    let admin = deck.admin();
    let good = admin.retained(&topic);
    deck.disable(&ana);
    for quantum in [true, false] {
        let before = gateway.log().matches("bad_signature").count();
        admin.plant(&topic, &stripped(&good, quantum));
        until("the refusal", || {
            (gateway.log().matches("bad_signature").count() > before).then_some(())
        });
    }
    until("a refusal in the audit", || {
        rejections(&gateway).iter().any(|one| one.starts_with("bad_signature")).then_some(())
    });
    admin.plant(&topic, &good);
    gateway.reaches(deck.publish());
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(false));

    // Verified again from the disk, then acknowledged with both signatures.
    assert!(gateway.stop().success());
    gateway.start_ready();
    let collector = deck.collector();
    until("a receipt for everything", || {
        (gateway.status().pointer("/audit/backlog") == Some(&json!(0))).then_some(())
    });
    assert!(!collector.records("edge-7a").is_empty());
}
