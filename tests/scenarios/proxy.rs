//! nginx in front: what is not allowed does not arrive, and what arrives says who sent it.

use std::os::unix::net::UnixListener;

use gateward_tests::{Answer, Deck, Gateway, Nginx, PLANT_7, PLANT_8, PROFILE_8, Upstream, lookup};

const DEVICES: &str = "/iot/api/v1/device";
const CERTIFICATES: &str = "/iot/api/v1/certificate";
const AUDIT_LOG: &str = "/iot/api/v1/audit-log";

/// A gateway with a proxy in front of something that shows what arrived.
struct Plant {
    nginx: Nginx,
    gateway: Gateway,
    deck: Deck,
    ana: String,
    ben: String,
    mes: String,
}

impl Plant {
    fn new() -> Self {
        let deck = Deck::new();
        let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
        let ben = deck.user("ben.low", &["--role", "iot_account_admin", "--division", "plant-7"]);
        let mes = deck.service_user("MES sync", &["--permission", "manage_device"]);
        deck.publish();
        let mut gateway = deck.gateway("edge-7a");
        gateway.set("API__TRUSTED_PEERS", "uid:root");
        gateway.start_ready();
        let upstream = Upstream::start();
        let dir = deck.root().join("nginx");
        let nginx = Nginx::start(&dir, &gateway.api(), &upstream, &deck.logs().join("nginx.log"));

        Self { nginx, gateway, deck, ana, ben, mes }
    }

    fn get(&self, target: &str, headers: &[(&str, &str)]) -> Answer {
        self.nginx.send("GET", target, headers)
    }

    fn status(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> u16 {
        self.nginx.send(method, target, headers).status
    }
}

#[test]
fn an_allowed_request_arrives_with_the_name_of_who_sent_it() {
    let plant = Plant::new();

    let answer = plant.get(DEVICES, &[("x-api-key", &plant.mes)]);

    assert_eq!(answer.status, 200);
    let arrived = answer.text();
    for line in [
        "x-gateward-name: mes sync\r\n".to_owned(),
        "x-gateward-kind: service_user\r\n".to_owned(),
        format!("x-gateward-token: {}\r\n", lookup(&plant.mes).to_ascii_lowercase()),
        "x-gateward-divisions: *\r\n".to_owned(),
        "x-gateward-decision: ".to_owned(),
        "x-gateward-id: ".to_owned(),
    ] {
        assert!(arrived.contains(&line), "{line} is missing: {arrived}");
    }
}

#[test]
fn f19_what_a_client_says_about_itself_is_replaced() {
    let plant = Plant::new();
    let forged = [
        ("x-api-key", plant.ben.as_str()),
        ("X-Gateward-Name", "ana.ruiz"),
        ("x-gateward-divisions", "*"),
        ("X-Gateward-Id", "forged"),
        ("X-Gateward-Permission", "manage_device"),
        ("X-HTTP-Method-Override", "DELETE"),
    ];

    let arrived = plant.get(DEVICES, &forged).text();

    assert!(arrived.contains("x-gateward-name: ben.low\r\n"), "{arrived}");
    assert!(arrived.contains(&format!("x-gateward-divisions: {PLANT_7}\r\n")), "{arrived}");
    for gone in ["ana.ruiz", "forged", "x-gateward-permission", "method-override"] {
        assert!(!arrived.contains(gone), "{gone} arrived: {arrived}");
    }
    // One that is passed through without a name has no name.
    let device = plant.nginx.send(
        "GET",
        "/.well-known/est/any/cacerts",
        &[("x-gateward-name", "ana.ruiz"), ("x-gateward-divisions", "*")],
    );
    assert_eq!(device.status, 200);
    assert!(!device.text().contains("x-gateward-name"), "{}", device.text());
    assert!(!device.text().contains("x-gateward-divisions"), "{}", device.text());
}

#[test]
fn a_key_that_is_none_is_401_and_one_that_may_not_is_403() {
    let plant = Plant::new();
    let key = |token| [("x-api-key", token)];

    let refused = plant.get(DEVICES, &key("gwd1.nonsense"));
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    assert_eq!(plant.status("GET", DEVICES, &[]), 401, "F1");
    assert_eq!(plant.status("POST", CERTIFICATES, &key(&plant.mes)), 403);
    assert_eq!(
        plant.status("GET", DEVICES, &[("authorization", &format!("Bearer {}", plant.mes))]),
        200
    );
    assert_eq!(plant.status("GET", DEVICES, &[("X-Api-Key", &plant.mes)]), 200, "F2");
    assert_eq!(plant.status("GET", DEVICES, &[("x_api_key", &plant.mes)]), 401, "F20");
    assert_eq!(plant.status("GET", DEVICES, &[("cookie", &plant.mes)]), 401, "F12");
}

#[test]
fn f3_a_key_that_is_sent_twice_is_refused() {
    let plant = Plant::new();
    let (ana, mes) = (plant.ana.as_str(), plant.mes.as_str());
    let bearer = format!("Bearer {mes}");

    for headers in [
        [("x-api-key", mes), ("x-api-key", mes)],
        [("x-api-key", mes), ("x-api-key", ana)],
        [("x-api-key", "x"), ("x-api-key", mes)],
        [("x-api-key", mes), ("authorization", &bearer)],
    ] {
        assert_eq!(plant.status("GET", DEVICES, &headers), 401, "{headers:?}");
    }
    // This one nginx itself refuses.
    let bearers = [("authorization", bearer.as_str()), ("authorization", &bearer)];
    assert_eq!(plant.status("GET", DEVICES, &bearers), 400);
    assert_eq!(plant.gateway.nginx(&bearers).status, 403);
    assert_eq!(plant.status("GET", DEVICES, &[("x-api-key", &format!("{mes}, {mes}"))]), 401);
}

#[test]
fn f13_f14_f15_a_passcode_goes_where_devices_may_and_nowhere_else() {
    let plant = Plant::new();
    let passcode = ("x-passcode", "4711");

    assert_eq!(plant.status("POST", CERTIFICATES, &[passcode]), 200, "F14");
    assert_eq!(plant.status("PUT", "/iot/api/v1/certificate/1/renew", &[passcode]), 200, "F14");
    assert_eq!(
        plant.status("POST", CERTIFICATES, &[passcode, ("x-api-key", &plant.ana)]),
        401,
        "F13"
    );
    assert_eq!(plant.status("GET", AUDIT_LOG, &[passcode]), 401, "F15");
}

#[test]
fn d11_d12_d15_d16_a_limited_principal_stays_in_its_divisions() {
    let plant = Plant::new();
    let ben = [("x-api-key", plant.ben.as_str())];

    let all = plant.get(DEVICES, &ben);
    assert_eq!(all.status, 200, "D11");
    assert!(all.text().contains(&format!("x-gateward-divisions: {PLANT_7}\r\n")), "D11");
    let of = |division: &str| format!("{DEVICES}?division_id={division}");
    assert_eq!(plant.status("GET", &of(PLANT_7), &ben), 200);
    assert_eq!(plant.status("GET", &of(PLANT_8), &ben), 403, "D12");
    assert_eq!(plant.status("GET", &of(&PLANT_8.to_ascii_uppercase()), &ben), 403, "D13");
    let twice = format!("{DEVICES}?division_id={PLANT_7}&division_id={PLANT_8}");
    assert_eq!(plant.status("GET", &twice, &ben), 403, "D13");
    let profile = format!("/iot/api/v1/enrollment-profile/{PROFILE_8}");
    assert_eq!(plant.status("GET", &profile, &ben), 403);
    assert_eq!(plant.status("GET", &profile, &[("x-api-key", &plant.ana)]), 200);
    let est = format!("/.well-known/est/{PROFILE_8}/cacerts");
    assert_eq!(plant.status("GET", &est, &ben), 401, "D15");
    assert_eq!(plant.status("GET", &est, &[]), 200, "G15");
}

#[test]
fn g1_g2_g3_g4_g10_g11_no_spelling_of_a_path_is_a_weaker_route() {
    let plant = Plant::new();
    let ana = [("x-api-key", plant.ana.as_str())];

    for target in [
        "/account/api/v1/user",
        "/ocsp",
        "/crl/x.crl",
        "/IOT/API/v1/Certificate",
        "/iot/api/v1.0/certificate",
        "/iot/api/v1/certificate%2F1",
        "/iot/api/v1/certificate/%252F",
        "/iot/api/v1/certificate;jsessionid=1",
        "/iot/api/v1/certificate/..%5c",
        "/",
    ] {
        assert_eq!(plant.status("GET", target, &ana), 403, "{target}");
    }
    for target in [
        "/iot/api/v1/certificate/",
        "//iot/api/v1//certificate",
        "/iot/api/v1/health/heartbeat/../../certificate",
        "/iot/api/v1/health/heartbeat/%2e%2e/%2e%2e/certificate",
    ] {
        let status = plant.status("GET", target, &[]);
        assert!(matches!(status, 401 | 403), "{target} without a key is {status}");
    }
    assert_eq!(plant.status("GET", "/iot/api/v1/health/heartbeat", &[]), 200);
    assert_eq!(plant.status("HEAD", DEVICES, &ana), 200, "G6");
    for method in ["OPTIONS", "PROPFIND"] {
        assert_eq!(plant.status(method, DEVICES, &ana), 403, "G7 {method}");
    }
}

#[test]
fn g13_a_path_beyond_measure_is_refused() {
    let plant = Plant::new();
    let ana = [("x-api-key", plant.ana.as_str())];

    let long = format!("{DEVICES}/{}", "x".repeat(8 * 1024));
    assert_eq!(plant.status("GET", &long, &ana), 414);
    let deep = format!("{DEVICES}{}", "/x".repeat(1_500));
    assert_eq!(plant.status("GET", &deep, &ana), 403);
    // Past the proxy, the agent has its own bound.
    let (method, key) = (("x-original-method", "GET"), ("x-api-key", plant.ana.as_str()));
    let answer = plant.gateway.nginx(&[method, key, ("x-original-uri", &long)]);
    assert!(matches!(answer.status, 401 | 403 | 431), "{}", answer.status);
    let answer = plant.gateway.nginx(&[method, key, ("x-original-uri", &deep)]);
    assert_eq!(answer.status, 403);
    assert_eq!(plant.status("GET", DEVICES, &ana), 200);
}

#[test]
fn g9_a_question_about_no_path_or_two_is_refused() {
    let plant = Plant::new();
    let (key, method) = (("x-api-key", plant.ana.as_str()), ("x-original-method", "GET"));
    let target = ("x-original-uri", DEVICES);

    assert_eq!(plant.gateway.nginx(&[key, method, target]).status, 204);
    for headers in [
        &[key][..],
        &[key, method],
        &[key, target],
        &[key, method, target, target],
        &[key, method, method, target],
        &[key, method, ("x-original-uri", "http://iot.example/iot/api/v1/device")],
        &[key, method, ("x-original-uri", "")],
        &[key, method, target, ("x-gateward-permission", "manage_device")],
    ] {
        assert_eq!(plant.gateway.nginx(headers).status, 403, "{headers:?}");
    }
    // A client cannot say it in the proxy's place.
    let headers = [key, ("x-original-uri", DEVICES), ("x-original-method", "GET")];
    assert_eq!(plant.status("GET", "/account/api/v1/user", &headers), 403);
}

#[test]
fn with_the_agent_down_or_silent_nothing_is_let_through() {
    let mut plant = Plant::new();
    let mes = plant.mes.clone();
    let key = [("x-api-key", mes.as_str())];

    assert!(plant.gateway.stop().success());
    assert_eq!(plant.status("GET", DEVICES, &key), 500);
    assert_eq!(plant.status("GET", "/iot/api/v1/health/heartbeat", &[]), 500);
    // Somebody who takes connections and never answers.
    let _ = std::fs::remove_file(plant.gateway.api());
    let silent = UnixListener::bind(plant.gateway.api()).expect("the socket is free");
    assert_eq!(plant.status("GET", DEVICES, &key), 500);
    drop(silent);

    plant.gateway.start_ready();
    assert_eq!(plant.status("GET", DEVICES, &key), 200);
    drop(plant.deck);
}

#[test]
fn i14_i15_reading_the_audit_and_what_passes_through_are_written_down() {
    let plant = Plant::new();
    assert_eq!(plant.status("GET", AUDIT_LOG, &[("x-api-key", &plant.ana)]), 200);
    assert_eq!(plant.status("POST", CERTIFICATES, &[("x-passcode", "4711")]), 200);

    // The answer left after the record was written.
    let tail = plant.gateway.cli(&["audit", "tail", "--format", "json"]).ok();
    let records: Vec<serde_json::Value> =
        tail.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |action: &str| records.iter().find(|record| record["action"] == action);
    let read = of("audit_log/view").expect("I14");
    assert_eq!(read["authentication"], "ana.ruiz");
    assert_eq!(read["decision"], "allow");
    assert_eq!(read["permission"], "view_audit_log");
    assert_eq!(read["path"], AUDIT_LOG);
    assert_eq!(read["source"], "127.0.0.1");
    let device = of("certificate/request").expect("I15");
    assert_eq!(device["authentication_type"], "device");
    assert_eq!(device["decision"], "passthrough");
    assert!(device.get("authentication").is_none());
}
