//! The same promises many times over: a few times in every run, all of it in `tests/soak`.
//!
//! `GATEWARD_SEED` repeats a run.

use core::time::Duration;
use std::collections::BTreeSet;

use gateward_tests::{Collector, Deck, Gateway, Stopwatch, until};
use serde_json::{Value, json};

/// Returns how often to repeat what is repeated `full` times in a soak.
pub(crate) fn times(full: usize) -> usize {
    if is_soak() { full } else { full / 10 }
}

/// Returns whether all of it is asked for.
pub(crate) fn is_soak() -> bool {
    std::env::var_os("GATEWARD_SOAK").is_some()
}

/// Draws numbers that a seed repeats (xorshift; no secret is made of them).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new() -> Self {
        let named = std::env::var("GATEWARD_SEED").ok().and_then(|seed| seed.parse().ok());
        let drawn = || u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let seed = named.unwrap_or_else(drawn).max(1);
        print_line(&format!("GATEWARD_SEED={seed}"));

        Self(seed)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// Everything that can be taken down, and what was answered so far.
struct Scene {
    deck: Deck,
    gateway: Gateway,
    collector: Option<Collector>,
    broker_up: bool,
    token: String,
    answered: Vec<String>,
}

impl Scene {
    fn new() -> Self {
        let deck = Deck::new();
        let token = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
        deck.publish();
        let mut gateway = deck.gateway("edge-7a");
        gateway.set("BROKER__KEEP_ALIVE_S", "1");
        gateway.start_ready();
        let collector = Some(deck.collector());

        Self { deck, gateway, collector, broker_up: true, token, answered: Vec::new() }
    }

    fn ask(&mut self) {
        let question = json!({ "token": self.token, "permission": "manage_device" });
        let answer = self.gateway.authorize(&question).json();
        assert_eq!(answer["allow"], true, "whatever is down, the gateway decides");
        let decision = answer["decision_id"].as_str().expect("each has a number");
        self.answered.push(decision.to_owned());
    }

    /// One thing breaks, or comes back.
    fn step(&mut self, what: u64) -> &'static str {
        match what {
            0 => {
                self.gateway.kill();
                self.gateway.start_ready();
                "agent killed"
            }
            1 => {
                assert!(self.gateway.stop().success());
                self.gateway.start_ready();
                "agent stopped"
            }
            2 if self.broker_up => {
                self.deck.broker.kill();
                self.broker_up = false;
                "broker killed"
            }
            3 if self.broker_up => {
                self.deck.broker.stop();
                self.broker_up = false;
                "broker stopped"
            }
            2 | 3 => {
                self.deck.broker.restart();
                self.broker_up = true;
                "broker back"
            }
            4 if self.broker_up => {
                self.deck.broker.freeze();
                self.ask();
                self.deck.broker.thaw();
                "broker frozen"
            }
            5 => match self.collector.take() {
                Some(collector) => {
                    collector.kill();
                    "collector killed"
                }
                None => {
                    self.collector = Some(self.deck.collector());
                    "collector back"
                }
            },
            _ => "nothing",
        }
    }

    /// Everybody is back, and every answer is kept once, in a chain without a gap.
    fn ends_well(mut self) {
        if !self.broker_up {
            self.deck.broker.restart();
        }
        drop(self.collector.take());
        let collector = self.deck.collector();
        until("a receipt for everything", || {
            (self.gateway.status().pointer("/audit/backlog") == Some(&json!(0))).then_some(())
        });
        let last = self.gateway.status()["audit"]["seq"].as_u64().expect("a number");
        let records = collector.has("edge-7a", last);
        let numbers: Vec<_> = records.iter().filter_map(|record| record["seq"].as_u64()).collect();
        let expected: Vec<_> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, expected);
        let kept: BTreeSet<_> =
            records.iter().filter_map(|record| record["decision_id"].as_str()).collect();
        assert!(self.answered.iter().all(|decision| kept.contains(decision.as_str())));
        let verified = self.gateway.cli(&["audit", "verify", "--format", "json"]).ok();
        let verified: Value = serde_json::from_str(&verified).expect("JSON");
        assert_eq!(verified["gaps"], json!([]), "{verified}");
    }
}

#[test]
fn whatever_breaks_in_whatever_order_no_answer_loses_its_record() {
    let mut dice = Dice::new();
    let mut scene = Scene::new();
    let steps = times(200);
    for step in 0..steps {
        for _ in 0..=dice.below(3) {
            scene.ask();
        }
        let what = scene.step(dice.below(6));
        print_line(&format!("step {step}: {what}"));
    }
    print_line(&format!("{} answers over {steps} faults", scene.answered.len()));
    scene.ends_well();
}

#[test]
fn revocation_takes_moments_again_and_again() {
    let deck = Deck::new();
    drop(deck.user("ana.ruiz", &["--role", "iot_account_admin"]));
    let count = times(200);
    let tokens: Vec<_> =
        (0..count).map(|nth| deck.user_token("ana.ruiz", &format!("token {nth}"))).collect();
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();

    let mut took: Vec<Duration> = tokens
        .iter()
        .map(|token| {
            assert_eq!(gateway.allows(token, "manage_device"), Some(true));
            deck.disable(token);
            let watch = Stopwatch::start();
            std::thread::scope(|scope| {
                let publishing = scope.spawn(|| deck.publish());
                until("the refusal", || {
                    (gateway.allows(token, "manage_device") == Some(false)).then_some(())
                });
                let took = watch.elapsed();
                publishing.join().expect("it is published");
                took
            })
        })
        .collect();
    took.sort();
    let at = |percent: usize| took[(took.len() - 1) * percent / 100].as_millis();
    print_line(&format!(
        "{count} revocations, from the start of `publish` to the refusal: p50 {} ms, p99 {} ms",
        at(50),
        at(99)
    ));
}

#[expect(clippy::print_stdout, reason = "figures and the seed, for whoever runs the tests")]
pub(crate) fn print_line(text: &str) {
    println!("{text}");
}
