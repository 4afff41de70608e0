//! DOMAIN E2 with the programs themselves: what zone a machine is in changes no end.

use std::fs;
use std::process::Command;

use gateward_control::clock;
use gateward_control::day::Day;
use gateward_core::time::End;
use gateward_tests::{Deck, Ran, built, run};

const DAY: u64 = 86_400;

/// The first and the last zone to see a day, by name and as they are spelled where no names are
/// installed. At every hour one of them has another day than UTC.
const ZONES: [&str; 5] = ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "<+14>-14", "<-12>12"];

/// The day that is over in so many seconds of UTC at most.
fn day_over_in(seconds: u64) -> String {
    let end = u32::try_from(clock::now().0 + seconds).expect("before 2106");

    Day::of(End(end)).expect("a day").to_string()
}

fn control(deck: &Deck, zone: &str, words: &str, args: &[&str]) -> Ran {
    let mut command = Command::new(built("gateward-control"));
    command.env("TZ", zone).args(words.split(' ')).arg(deck.dir()).args(args);

    run(&mut command, b"")
}

/// A token with this end date, made by a machine in this zone.
fn token(deck: &Deck, zone: &str, name: &str, end: &str) -> Ran {
    control(deck, zone, "token new", &["--owner", "ana.ruiz", "--name", name, "--end-date", end])
}

#[test]
fn e2_the_zone_of_no_machine_moves_an_end() {
    let deck = Deck::new();
    drop(deck.user("ana.ruiz", &["--role", "iot_account_admin"]));
    let (yesterday, today, tomorrow) = (day_over_in(0), day_over_in(DAY), day_over_in(2 * DAY));
    let made = |(at, zone): (usize, &&str)| token(&deck, zone, &format!("zone {at}"), &today).ok();
    let running: Vec<_> = ZONES.iter().enumerate().map(made).collect();
    let over = token(&deck, "UTC", "over", &tomorrow).ok();
    // No command makes a token that is over.
    let tokens = deck.dir().join("tokens.jsonl");
    let text = fs::read_to_string(&tokens).expect("there are tokens");
    assert_eq!(text.matches(&tomorrow).count(), 1);
    fs::write(&tokens, text.replace(&tomorrow, &yesterday)).expect("tokens can be written");

    let mut gateway = deck.gateway("edge-7a");
    let mut snapshots = Vec::new();
    for zone in ZONES {
        let refused = token(&deck, zone, "late", &yesterday);
        assert_ne!(refused.code, 0, "{zone}: {yesterday} is over everywhere");
        let path = deck.root().join("compiled").display().to_string();
        let compile = ["--group", "plant-7", "--out", &path];
        drop(control(&deck, zone, "compile", &compile).ok());
        snapshots.push(fs::read(&path).expect("it was compiled"));
        drop(control(&deck, zone, "compile", &[&compile[..], &["--bundle"]].concat()).ok());

        gateway.set_env("TZ", zone);
        let asks = |token: &str| {
            let question = ["check", "--snapshot", &path, "--permission", "manage_device"];
            gateway.cli_with(&question, token.as_bytes())
        };
        for one in &running {
            assert_eq!(asks(one).code, 0, "{zone}: {today} is not over");
        }
        let ended = asks(&over);
        assert!(ended.out.contains("token_expired"), "{zone}: {}{}", ended.out, ended.err);
    }
    assert!(snapshots.iter().all(|one| *one == snapshots[0]), "they differ by zone");

    let version = deck.publish();
    for zone in ["Pacific/Kiritimati", "Etc/GMT+12"] {
        gateway.set_env("TZ", zone);
        gateway.start_ready();
        gateway.reaches(version);
        assert_eq!(gateway.allows(&running[0], "manage_device"), Some(true), "{zone}");
        assert_eq!(gateway.allows(&over, "manage_device"), Some(false), "{zone}");
        assert!(gateway.stop().success());
    }
}
