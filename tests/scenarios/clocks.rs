//! DOMAIN E at the socket: whatever a clock shows, nothing is allowed too late, and nothing sticks.
//!
//! The agent runs in this process by a clock that is set as the test likes.

use gateward_agent::clock::Simulated;
use gateward_control::clock;
use gateward_control::day::Day;
use gateward_core::time::{End, UnixSeconds};
use gateward_tests::{Aboard, Deck, Gateway, until};
use serde_json::{Value, json};

use crate::loopback::Loopback;

const DAY: u64 = 86_400;

/// A gateway with a snapshot that was signed just now, and its clock.
struct Wall {
    /// Ends before its folder does.
    agent: Option<Aboard>,
    deck: Deck,
    broker: Loopback,
    gateway: Gateway,
    clock: Simulated,
    ana: String,
}

impl Wall {
    fn new() -> Self {
        let (deck, broker) = (Deck::new(), Loopback::new());
        let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
        drop(deck.publish_to(&broker.url()).ok());
        let gateway = deck.gateway_at("edge-7a", "plant-7", &broker.url());
        let clock = Simulated::new(clock::now());
        let agent = Some(gateway.start_by(&clock));
        gateway.is_ready();
        let wall = Self { agent, deck, broker, gateway, clock, ana };
        assert_eq!(wall.asks("manage_device"), "ok");

        wall
    }

    /// What is asked at the socket, and what comes of it: `ok`, or the reason.
    fn asks(&self, permission: &str) -> String {
        let question = json!({ "token": self.ana, "permission": permission, "operation": "write" });
        let body = self.gateway.authorize(&question).json();
        let explained =
            self.gateway.operator("POST", "/v1/explain", question.to_string().as_bytes());
        let reason = explained.json()["reason"].as_str().unwrap_or_default().to_owned();
        let code = body["code"].as_str().unwrap_or_default();
        let allowed = body["allow"] == true;
        assert_eq!(allowed, reason == "ok", "{body} is explained by {reason}");
        assert!(code.is_empty() || code == reason, "{body} is explained by {reason}");

        reason
    }

    fn time(&self) -> (u64, String) {
        let time = self.gateway.status()["time"].clone();

        (time["now"].as_u64().expect("a time"), time["quality"].as_str().unwrap_or_default().into())
    }

    fn restart(&mut self) {
        drop(self.agent.take());
        self.agent = Some(self.gateway.start_by(&self.clock));
    }

    fn publish(&self) {
        drop(self.deck.publish_to(&self.broker.url()).ok());
    }

    fn issued_at(&self) -> u64 {
        self.gateway.status()["snapshot"]["issued_at"].as_u64().expect("a time")
    }
}

/// The day in UTC; it is over at the end of this day.
fn today() -> String {
    let tomorrow = u32::try_from(clock::now().0 + DAY).expect("before 2106");

    Day::of(End(tomorrow)).expect("a day").to_string()
}

/// A token that ends today, in force at the gateway of this wall.
fn ending_today(wall: &Wall) -> String {
    let args = ["--owner", "ana.ruiz", "--name", "short", "--end-date", &today()];
    let short = wall.deck.control("token new", &args).ok();
    wall.publish();
    wall.gateway.reaches(2);
    assert_eq!(wall.gateway.allows(&short, "manage_device"), Some(true));

    short
}

#[test]
fn e8_a_token_that_ended_yesterday_stays_ended_though_the_clock_is_set_back_a_day() {
    for synchronised in [false, true] {
        let mut wall = Wall::new();
        let short = ending_today(&wall);
        let today = clock::now();
        let ended = |wall: &Wall, when: &str| {
            let allowed = wall.gateway.allows(&short, "manage_device");
            assert_eq!(allowed, Some(false), "{when}, synchronised {synchronised}");
        };
        // Either the gateway ran until tomorrow, or it was off, and a clock that may be believed
        // showed tomorrow for as long as it takes to write that down.
        wall.clock.set_synchronised(synchronised);
        if synchronised {
            wall.clock.set_wall(today.plus(DAY + 60));
            ended(&wall, "tomorrow");
            wall.restart();
        } else {
            wall.clock.advance((DAY + 60) * 1_000);
            ended(&wall, "tomorrow");
        }

        wall.clock.set_synchronised(false);
        wall.clock.set_wall(today.plus(60));
        ended(&wall, "set back");
        wall.restart();
        ended(&wall, "after a restart");
        assert_eq!(wall.asks("manage_device"), "ok", "{synchronised}: other tokens go on");
    }
}

#[test]
fn e9_a_clock_that_jumps_ten_years_ahead_denies_and_recovers_and_nothing_sticks() {
    let mut wall = Wall::new();
    let right = wall.clock.clone();
    let before = wall.time().0;

    wall.clock.set_wall(UnixSeconds(before + 3_650 * DAY));
    assert_eq!(wall.asks("manage_device"), "snapshot_expired");
    // Time runs, and is written down several times; a snapshot comes, signed by the right time.
    for _ in 0..6 {
        right.advance(700_000);
    }
    drop(wall.deck.user_token("ana.ruiz", "second"));
    wall.publish();
    until("the refusal of a snapshot that seems to have expired", || {
        let tail = wall.gateway.cli(&["audit", "tail", "--format", "json"]).out;
        tail.contains("expired manifest").then_some(())
    });
    wall.restart();
    assert_eq!(wall.asks("manage_device"), "snapshot_expired");

    wall.clock.set_wall(UnixSeconds(before + 4_200));
    assert_eq!(wall.asks("manage_device"), "ok");
    assert!(wall.time().0 < before + 4_300, "{:?}", wall.time());
    wall.restart();
    assert_eq!(wall.asks("manage_device"), "ok");
    assert!(wall.time().0 < before + 4_300, "{:?}", wall.time());
    wall.gateway.reaches(2);
}

#[test]
fn e10_a_clock_before_the_manifest_was_issued_is_not_believed_and_the_end_comes_all_the_same() {
    let mut wall = Wall::new();
    let issued_at = wall.issued_at();

    for set_back in [UnixSeconds(issued_at - 30 * DAY), UnixSeconds(0)] {
        wall.clock.set_wall(set_back);
        assert_eq!(wall.asks("manage_device"), "ok");
        let (now, quality) = wall.time();
        assert!(now >= issued_at, "{now} is before {issued_at}");
        assert_eq!(quality, "floor");
    }
    // The clock never comes near the end; the time that the gateway ran does.
    let mut run = |days: u64| {
        wall.clock.advance(days * DAY * 1_000);
        wall.clock.set_wall(UnixSeconds(0));
        let reason = wall.asks("manage_settings");
        wall.restart();
        assert_eq!(wall.asks("manage_settings"), reason, "after a restart");
        reason
    };
    assert_eq!(run(2), "snapshot_stale");
    assert_eq!(run(5), "snapshot_expired");
}

#[test]
fn e11_after_a_week_of_suspend_the_first_request_is_judged_by_the_time_that_it_is() {
    let wall = Wall::new();
    let short = ending_today(&wall);
    assert_eq!(wall.asks("manage_settings"), "ok");

    // The machine wakes; both of its clocks have gone on, and no timer has.
    wall.clock.advance(DAY * 1_000 + 60_000);
    assert_eq!(wall.asks("manage_settings"), "snapshot_stale");
    assert_eq!(wall.asks("manage_device"), "ok");
    assert_eq!(wall.gateway.allows(&short, "manage_device"), Some(false), "its day is over");

    wall.clock.advance(6 * DAY * 1_000);
    assert_eq!(wall.asks("manage_device"), "snapshot_expired");
    until("the event of the end", || {
        let tail = wall.gateway.cli(&["audit", "tail", "--format", "json"]).out;
        tail.contains("snapshot_expired").then_some(())
    });
}

#[test]
fn e5_an_end_that_was_moved_earlier_is_not_known_without_a_link_and_its_use_shows_afterwards() {
    let wall = Wall::new();
    let lookup = gateward_tests::lookup(&wall.ana);
    wall.broker.cut();
    drop(wall.deck.control("token set", &[lookup, "--end-date", &today()]).ok());

    wall.clock.advance(DAY * 1_000);
    assert_eq!(wall.asks("manage_device"), "ok", "the end is not known yet");
    wall.broker.mend();
    wall.publish();
    wall.gateway.reaches(2);
    assert_eq!(wall.asks("manage_device"), "token_expired");

    let tail = wall.gateway.cli(&["audit", "tail", "-n", "1000", "--format", "json"]).ok();
    let records = tail.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let used: Vec<_> = records
        .filter(|record| record["decision"] == "allow" && record["authentication"] == "ana.ruiz")
        .collect();
    assert!(used.iter().all(|record| record["snapshot_version"] == 1), "{used:?}");
    assert_eq!(used.len(), 2, "{used:?}");
}
