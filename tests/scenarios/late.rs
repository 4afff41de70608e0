//! What comes late, twice, or for a base that is not held.

use gateward_tests::{Deck, until};

use crate::hostile::events;
use crate::hostile_broker::{Siege, give, only};
use crate::loopback::Loopback;

#[test]
fn h18_retained_is_old_live_is_new_and_each_comes_twice_and_out_of_order() {
    let mut siege = Siege::new();
    let (third, fourth) = (siege.publish("third"), siege.publish("fourth"));
    give(&siege.hostile, &third);
    siege.gateway.reaches(3);

    // Live the newest, and what was retained behind it, twice; then the newest twice again.
    for set in [&fourth, &third, &third, &fourth, &fourth] {
        give(&siege.hostile, set);
    }
    siege.gateway.reaches(4);
    siege.stands(4);
    // What is retained now is old, as at a broker that keeps live messages from being retained.
    give(&siege.hostile, &third);
    siege.hostile.cut();
    siege.hostile.mend();
    until("the link", || (siege.gateway.status()["link"] == "up").then_some(()));
    give(&siege.hostile, &siege.publish("fifth"));
    siege.gateway.reaches(5);

    siege.stands(5);
    until("the event of the fifth", || {
        (events(&siege.gateway, "snapshot_accepted").len() >= 5).then_some(())
    });
    assert_eq!(events(&siege.gateway, "snapshot_accepted").len(), 5, "each once");
}

#[test]
fn h19_what_a_list_denies_counts_at_once_and_without_its_base_the_whole_file_is_fetched() {
    let (deck, honest, broker) = (Deck::new(), Loopback::new(), Loopback::new());
    let good = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let gone: Vec<_> = (0..5).map(|n| deck.user_token("ana.ruiz", &format!("gone {n}"))).collect();
    let publish = || {
        drop(deck.publish_to(&honest.url()).ok());
        crate::hostile_broker::set_of(&honest, "plant-7")
    };
    give(&broker, &publish());
    let mut gateway = deck.gateway_at("edge-7a", "plant-7", &broker.url());
    gateway.start_ready();
    assert!(gateway.stop().success());
    // Deltas are named from the three versions before; this gateway is five behind.
    let mut set = Vec::new();
    for token in &gone {
        deck.disable(token);
        set = publish();
    }
    assert!(only(&set, "/delta/").all(|(topic, _)| !topic.ends_with("/delta/1")));
    let (large, small): (Vec<_>, Vec<_>) = set
        .into_iter()
        .partition(|(topic, _)| topic.contains("/chunk/") || topic.contains("/delta/"));
    give(&broker, &small);

    gateway.start_ready();

    for token in &gone {
        until("what the list denies", || {
            (gateway.allows(token, "manage_device") == Some(false)).then_some(())
        });
    }
    assert_eq!(gateway.version(), Some(1), "nothing else has come");
    assert_eq!(gateway.allows(&good, "manage_device"), Some(true));
    give(&broker, &large);
    gateway.reaches(6);
    assert_eq!(gateway.allows(&good, "manage_device"), Some(true));
    assert!(gone.iter().all(|token| gateway.allows(token, "manage_device") == Some(false)));
    assert!(!gateway.log().contains("delta applied"), "there is none from version 1");
}
