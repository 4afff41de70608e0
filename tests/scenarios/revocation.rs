//! A right that is taken away is gone on every connected gateway in a moment.

use gateward_tests::{Deck, Stopwatch, until};

#[test]
fn a_disabled_token_is_refused_soon_after_it_is_published() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let spare = deck.user_token("ana.ruiz", "spare");
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));

    deck.disable(&ana);
    let watch = Stopwatch::start();
    deck.publish();
    let published = watch.elapsed();
    until("the refusal", || (gateway.allows(&ana, "manage_device") == Some(false)).then_some(()));
    print_line(&format!(
        "revocation: {} ms after `publish` was started, which itself took {} ms",
        watch.elapsed().as_millis(),
        published.as_millis()
    ));

    assert_eq!(gateway.allows(&spare, "manage_device"), Some(true), "B7");
    drop(deck.control("user disable", &["ana.ruiz"]).ok());
    let version = deck.publish();
    gateway.reaches(version);
    assert_eq!(gateway.allows(&spare, "manage_device"), Some(false), "B3");
    drop(deck.control("user enable", &["ana.ruiz"]).ok());
    let version = deck.publish();
    gateway.reaches(version);
    assert_eq!(gateway.allows(&spare, "manage_device"), Some(true), "B4");
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(false));
}

#[test]
fn b1_b2_a_token_follows_the_rights_of_its_administrator() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    assert_eq!(gateway.allows(&ana, "view_app_health"), Some(false));

    drop(deck.control("user set", &["ana.ruiz", "--role", "iot_system_admin"]).ok());
    gateway.reaches(deck.publish());

    assert_eq!(gateway.allows(&ana, "view_app_health"), Some(true), "B2");
    assert_eq!(gateway.allows(&ana, "view_license"), Some(false), "B1");
}

#[test]
fn h21_a_swap_during_a_thousand_requests_gives_each_one_exactly_one_snapshot() {
    const REQUESTS: usize = 1_000;
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let old = deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.set("LIMITS__ALLOW_PER_S", "100000");
    gateway.set("AUDIT__DURABILITY", "interval");
    gateway.start_ready();
    drop(deck.control("user set", &["ana.ruiz", "--rename", "ana.lima"]).ok());

    let answers = std::sync::Mutex::new(Vec::new());
    let published = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let question = serde_json::json!({ "token": ana, "permission": "manage_device" });
                // At least its share, and on until the new snapshot has answered too.
                for asked in 0.. {
                    let body = gateway.authorize(&question).json();
                    let version = body["snapshot"]["version"].as_u64();
                    let name = body["principal"]["name"].as_str().map(str::to_owned);
                    answers.lock().expect("nobody panics with it").push((version, name));
                    let new = version > Some(old);
                    if asked >= REQUESTS / 8
                        && (new || published.load(std::sync::atomic::Ordering::Relaxed))
                    {
                        break;
                    }
                }
            });
        }
        let new = deck.publish();
        gateway.reaches(new);
        published.store(true, std::sync::atomic::Ordering::Relaxed);
    });

    let answers = answers.into_inner().expect("nobody panicked");
    assert!(answers.len() >= REQUESTS);
    let seen = |name: &str, version: u64| {
        answers.iter().filter(|answer| **answer == (Some(version), Some(name.to_owned()))).count()
    };
    let (before, after) = (seen("ana.ruiz", old), seen("ana.lima", old + 1));
    assert_eq!(before + after, answers.len(), "B6: a name of one version with the other");
    assert!(before > 0 && after > 0, "{before} before and {after} after");
}

#[expect(clippy::print_stdout, reason = "a figure for whoever runs the tests")]
fn print_line(text: &str) {
    println!("{text}");
}
