//! Agent and broker restart at random points while snapshots change: once it is quiet the newest is in
//! force, whole, and nothing ever went back.
//!
//! `GATEWARD_SEED` repeats a run; all 1,000 restarts are in `tests/soak`.

use std::fs;

use gateward_core::trust::{Floor, Version};
use gateward_tests::{Deck, Gateway, Stopwatch, until};

use crate::endurance::{Dice, is_soak};
use crate::loopback::Loopback;
use crate::packets::{in_force, many_tokens};

/// So many restarts are tried every time; in a soak it is [`IN_A_SOAK`].
const IN_EVERY_RUN: usize = 25;
const IN_A_SOAK: usize = 1_000;

/// So many restarts between two looks at what came of them.
const BETWEEN_LOOKS: usize = 10;

struct Scene {
    dice: Dice,
    deck: Deck,
    broker: Loopback,
    gateway: Gateway,
    token: String,
    published: u64,
    floor: Version,
    versions: u64,
}

impl Scene {
    fn new() -> Self {
        let (dice, deck, broker) = (Dice::new(), Deck::new(), Loopback::new());
        let token = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
        many_tokens(&deck);
        drop(deck.publish_to(&broker.url()).ok());
        let mut gateway = deck.gateway_at("edge-7a", "plant-7", &broker.url());
        gateway.start_ready();

        Self {
            dice,
            deck,
            broker,
            gateway,
            token,
            published: 1,
            floor: Version::default(),
            versions: 1,
        }
    }

    /// A change, of which gateways hear by delta or by chunks.
    fn publish(&mut self) {
        drop(self.deck.user_token("ana.ruiz", &format!("token {}", self.published)));
        if self.dice.below(2) == 0 {
            let earlier = self.deck.dir().join("state/published/plant-7/earlier");
            // It is made again with every publish.
            let _ = fs::remove_dir_all(earlier);
        }
        drop(self.deck.publish_to(&self.broker.url()).ok());
        self.published += 1;
    }

    /// One of the two ends at a random point of what follows a change.
    fn restart(&mut self) {
        let place = self.dice.below(40);
        let at = self.broker.packets() + place;
        match self.dice.below(3) {
            0 => {
                // With its subscribers; nobody has a session afterwards.
                self.broker.kill_after(place);
                self.passes(at);
                self.broker.mend();
            }
            1 => {
                self.passes(at);
                self.gateway.kill();
                self.gateway.start();
            }
            _ => {
                self.passes(at);
                assert!(self.gateway.stop().success());
                self.gateway.start();
            }
        }
        self.looks();
    }

    /// Waits until so many packets went through the broker, or nothing is left to fetch.
    fn passes(&self, packets: u64) {
        until("the point at which it ends", || {
            let there = self.broker.packets() >= packets;
            (there || self.gateway.version() == Some(self.published)).then_some(())
        });
    }

    /// Nothing went back.
    fn looks(&mut self) {
        let floor =
            fs::read(self.gateway.state().join("floor")).expect("it has accepted something");
        let floor = Floor::decode(&floor).expect("a floor is written whole").version;
        assert!(floor >= self.floor, "the floor went from {} to {floor}", self.floor);
        self.floor = floor;
        let version = self.gateway.version().unwrap_or_default();
        assert!(version >= self.versions, "version {version} after {}", self.versions);
        self.versions = version;
    }

    /// Once it is quiet.
    fn is_whole(&mut self) {
        self.gateway.reaches(self.published);
        let file = self.deck.dir().join("state/published/plant-7/file");
        assert!(in_force(&self.gateway) == fs::read(file).expect("published"), "a mix");
        assert_eq!(self.gateway.allows(&self.token, "manage_device"), Some(true));
        self.looks();
    }
}

#[test]
fn after_restarts_at_random_points_the_newest_is_in_force_and_nothing_went_back() {
    let mut scene = Scene::new();
    let watch = Stopwatch::start();
    let restarts = if is_soak() { IN_A_SOAK } else { IN_EVERY_RUN };
    for restart in 1..=restarts {
        scene.publish();
        scene.restart();
        if restart % BETWEEN_LOOKS == 0 {
            scene.is_whole();
        }
    }
    scene.is_whole();
    let took = watch.elapsed().as_secs();
    print_line(&format!("{restarts} restarts, {} versions, {took} s", scene.published));
}

#[expect(clippy::print_stdout, reason = "a figure for whoever runs the tests")]
fn print_line(text: &str) {
    println!("{text}");
}
