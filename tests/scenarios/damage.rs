//! What is on the disk is believed only where it verifies; whatever happens to it, a gateway starts
//! and never allows more than before.

use std::fs;
use std::path::Path;

use gateward_tests::{Deck, Gateway};

/// A stopped gateway that was told that a token is gone, and the broker is down.
struct Island {
    deck: Deck,
    gateway: Gateway,
    good: String,
    gone: String,
}

impl Island {
    fn new() -> Self {
        let mut deck = Deck::new();
        let good = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
        let gone = deck.user_token("ana.ruiz", "gone");
        deck.publish();
        let mut gateway = deck.gateway("edge-7a");
        gateway.start_ready();
        deck.disable(&gone);
        gateway.reaches(deck.publish());
        assert!(gateway.stop().success());
        deck.broker.stop();

        Self { deck, gateway, good, gone }
    }

    /// Starts without a broker; returns what both tokens get.
    fn wakes(&mut self) -> [Option<bool>; 2] {
        self.gateway.start();
        let verdicts =
            [&self.good, &self.gone].map(|token| self.gateway.allows(token, "manage_device"));
        assert_ne!(verdicts[1], Some(true), "more is allowed than before");

        verdicts
    }

    /// With the broker back it is as before.
    fn heals(&mut self) {
        self.deck.broker.restart();
        self.gateway.reaches(2);
        assert_eq!(self.gateway.allows(&self.good, "manage_device"), Some(true));
        assert_eq!(self.gateway.allows(&self.gone, "manage_device"), Some(false));
        assert!(self.gateway.stop().success());
        self.deck.broker.stop();
    }
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(path, bytes).expect("our own file");
}

#[test]
fn h12_damaged_snapshots_are_refused_and_fetched_again() {
    let mut island = Island::new();
    let slots = ["a", "b"].map(|slot| island.gateway.state().join("snapshot").join(slot));

    // The list is of use only while a snapshot is fetched: the file verifies without it.
    let nothing = [None, None];
    for (name, left) in
        [("file", nothing), ("manifest", nothing), ("list", [Some(true), Some(false)])]
    {
        for slot in &slots {
            flip(&slot.join(name));
        }
        assert_eq!(island.wakes(), left, "{name}");
        island.heals();
        for slot in &slots {
            fs::write(slot.join(name), b"").expect("our own file");
        }
        assert_eq!(island.wakes(), left, "{name}");
        island.heals();
    }
    fs::remove_dir_all(island.gateway.state().join("snapshot")).expect("our own folder");
    assert_eq!(island.wakes(), [None, None]);
    island.heals();
}

#[test]
fn h12_without_a_floor_the_newest_snapshot_that_verifies_is_taken() {
    let mut island = Island::new();
    let floor = island.gateway.state().join("floor");
    let good = fs::read(&floor).expect("there is one");

    for damaged in [None, Some(vec![]), Some(vec![0; good.len()]), Some(good[1..].to_vec())] {
        match damaged {
            None => fs::remove_file(&floor).expect("there is one"),
            Some(bytes) => fs::write(&floor, bytes).expect("our own file"),
        }
        assert_eq!(island.wakes(), [Some(true), Some(false)]);
        assert_eq!(island.gateway.version(), Some(2));
        let status = island.gateway.status();
        assert_eq!(status["snapshot"]["floor_rebuilt"], true, "{status}");
        island.heals();
    }
}

#[test]
fn the_cache_can_be_damaged_or_deleted_without_changing_a_verdict() {
    let mut island = Island::new();
    let cache = island.gateway.state().join("cache");

    assert!(cache.is_dir());
    fs::remove_dir_all(&cache).expect("our own folder");
    assert_eq!(island.wakes(), [Some(true), Some(false)]);
    island.heals();
    for entry in walk(&cache) {
        fs::write(entry, b"nonsense").expect("our own file");
    }
    assert_eq!(island.wakes(), [Some(true), Some(false)]);
    island.heals();
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("our own folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());

    paths.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
