//! A link that is looked after without a restart: its certificate renewed, its broker replaced.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use gateward_tests::{Deck, Gateway, Mosquitto, Signal, until};

/// What the broker has logged.
fn log(deck: &Deck) -> String {
    fs::read_to_string(deck.logs().join("mosquitto.log")).expect("the broker logs")
}

/// The names under which a gateway has connected, in their order.
fn connections(log: &str, gateway: &str) -> Vec<String> {
    let named = |line: &str| {
        let (_, rest) = line.split_once("New client connected from ")?;
        let name = rest.split_once(" as ")?.1.split(' ').next()?;
        name.starts_with(gateway).then(|| name.to_owned())
    };

    log.lines().filter_map(named).collect()
}

fn is_up(gateway: &Gateway) {
    until("a link that is up", || (gateway.status()["link"] == "up").then_some(()));
}

/// Writes a new certificate into the gateway's folder, as an operator does.
fn renew(deck: &Deck, gateway: &Gateway) {
    let (out, url) = (gateway.etc().display().to_string(), deck.broker.url());
    let args = [gateway.name(), "--group", "plant-7", "--broker", &url, "--out", &out, "--renew"];
    let old = fs::read(gateway.etc().join("client.pem")).expect("a certificate");
    drop(deck.control("enroll", &args).ok());
    assert_ne!(fs::read(gateway.etc().join("client.pem")).expect("a certificate"), old);
}

#[test]
fn a_certificate_is_renewed_while_requests_run_and_the_gateway_is_never_gone() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let gone = deck.user_token("ana.ruiz", "gone");
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.set("LIMITS__ALLOW_PER_S", "100000");
    gateway.set("AUDIT__DURABILITY", "interval");
    gateway.start_ready();
    is_up(&gateway);

    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (asked, token, done) = (&gateway, &ana, &done);
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                assert_eq!(asked.allows(token, "manage_device"), Some(true));
            }
        });
        renew(&deck, &gateway);
        gateway.program().signal(Signal::HUP);
        until("a second connection, and the end of the first", || {
            let log = log(&deck);
            let first = connections(&log, "edge-7a-").first().cloned()?;
            log.contains(&format!("Client {first} disconnected")).then_some(())
        });
        is_up(&gateway);
        deck.disable(&gone);
        gateway.reaches(deck.publish());
        done.store(true, Ordering::Relaxed);
    });

    let log = log(&deck);
    let names = connections(&log, "edge-7a-");
    let [first, second] = names.as_slice() else { panic!("two connections: {names:?}") };
    assert_ne!(first, second, "one would have put the other out");
    let up = log.find(&format!("as {second} ")).expect("it connected");
    let bye = log.find(&format!("Client {first} disconnected")).expect("it said good-bye");
    assert!(up < bye, "the old connection ended first: {log}");
    assert_eq!(gateway.allows(&gone, "manage_device"), Some(false));
    let fleet: serde_json::Value = serde_json::from_str(&deck.fleet().out).expect("JSON");
    assert_eq!(fleet[0]["gone"], false, "the will of the old connection stands: {fleet}");
    assert!(gateway.log().contains("connected, with MQTT 5"), "the log names no version");
}

#[test]
fn half_a_renewal_and_any_number_of_hangups_leave_the_agent_and_its_link_alone() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    is_up(&gateway);
    gateway.program().signal(Signal::HUP);
    until("a look at files that are the same", || {
        gateway.log().contains("those in use").then_some(())
    });

    let whole = fs::read(gateway.etc().join("client.key")).expect("a key");
    fs::write(gateway.etc().join("client.key"), &whole[..whole.len() / 2]).expect("half a key");
    gateway.program().signal(Signal::HUP);
    until("a warning", || {
        gateway.log().contains("the renewed certificate is not used").then_some(())
    });
    deck.disable(&ana);
    gateway.reaches(deck.publish());

    fs::write(gateway.etc().join("client.key"), &whole).expect("the rest of it");
    assert!(gateway.runs(), "SIGHUP ended it");
    assert_eq!(connections(&log(&deck), "edge-7a-").len(), 1, "the link was not left alone");
}

#[test]
fn a_gateway_with_two_brokers_hears_of_a_revocation_after_the_first_has_died() {
    let mut deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let mut gateway = deck.gateway("edge-7a");
    let (from, to) = (deck.root().join("broker"), deck.root().join("broker-2"));
    fs::create_dir(&to).expect("a folder can be made");
    for file in ["acl", "ca.pem", "server.key", "server.pem"] {
        fs::copy(from.join(file), to.join(file)).expect("the same for the second broker");
    }
    let second = Mosquitto::start(&to, &deck.logs().join("mosquitto-2.log"));
    deck.publish();
    drop(deck.publish_to(&second.url()).ok());
    gateway.set("BROKER__URL", &format!("{},{}", deck.broker.url(), second.url()));
    gateway.start_ready();
    is_up(&gateway);
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));

    deck.broker.kill();
    deck.disable(&ana);
    drop(deck.publish_to(&second.url()).ok());
    until("the refusal", || (gateway.allows(&ana, "manage_device") == Some(false)).then_some(()));
}
