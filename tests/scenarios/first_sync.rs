//! A gateway that was enrolled and can reach the broker decides like the policy says.

use gateward_tests::{Deck, PLANT_8, lookup};
use serde_json::json;

#[test]
fn what_is_published_is_decided_with_as_the_contract_says() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin", "--division", "plant-7"]);
    let mes = deck.service_user("MES sync", &["--permission", "manage_device"]);
    let version = deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();
    assert_eq!(gateway.version(), Some(version));

    let allowed = gateway.authorize(&json!({
        "token": ana, "permission": "manage_device", "operation": "write", "division": "plant-7",
        "resource": "device/123"
    }));
    assert_eq!(allowed.status, 200, "{}", allowed.text());
    assert_eq!(allowed.header("content-type"), Some("application/json"));
    let body = allowed.json();
    assert_eq!(body["allow"], true);
    assert!(body["decision_id"].as_str().is_some_and(|id| id.len() == 36), "{body}");
    let id = body["principal"]["id"].as_str().expect("an id").to_owned();
    let principal =
        json!({ "kind": "api_token", "name": "ana.ruiz", "id": id, "token": lookup(&ana) });
    assert_eq!(body["principal"], principal);
    assert_eq!(body["snapshot"]["version"], version);
    assert_eq!(body["snapshot"]["stale"], false);
    assert!(body["snapshot"]["age_s"].as_u64().is_some_and(|age| age < 60), "{body}");
    assert_eq!(body.as_object().expect("an object").len(), 4);

    let path = json!({ "token": mes, "method": "PUT", "path": "/iot/api/v1/device/77/disable" });
    assert_eq!(gateway.authorize(&path).json()["principal"]["name"], "MES sync");

    let other = json!({ "token": ana, "permission": "manage_device", "division": PLANT_8 });
    let denied = gateway.authorize(&other).json();
    assert_eq!(denied["allow"], false);
    assert_eq!(denied["principal"]["name"], "ana.ruiz");
    assert_eq!(gateway.allows(&mes, "manage_iot_ca"), Some(false));
}

#[test]
fn a_denial_does_not_say_who_or_why() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let old = deck.user_token("ana.ruiz", "old");
    deck.disable(&old);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();

    let (public, secret) = ana.rsplit_once('.').expect("a token has dots");
    let unknown = format!("gwd1.{}.{secret}", "AR0LFOTbAY_t");
    let (_, other) = old.rsplit_once('.').expect("a token has dots");
    let wrong_secret = format!("{public}.{other}");
    let bodies = [&unknown, &wrong_secret, &old].map(|token| {
        let answer = gateway.authorize(&json!({ "token": token, "permission": "manage_device" }));
        assert_eq!(answer.status, 200);
        let mut body = answer.json();
        assert_eq!(body["allow"], false);
        body["decision_id"] = json!("");
        body["snapshot"]["age_s"] = json!(0);
        body.to_string()
    });
    assert!(bodies.iter().all(|body| body == &bodies[0]), "{bodies:?}");
    assert!(!bodies[0].contains("principal"));
}

#[test]
fn a_question_that_is_none_is_a_problem_with_a_stable_code() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    deck.publish();
    let mut gateway = deck.gateway("edge-7a");
    gateway.start_ready();

    for question in [
        json!({ "token": ana }),
        json!({ "token": ana, "permission": "manage_device", "path": "/", "method": "GET" }),
        json!({ "token": ana, "permission": "manage_device", "divison": "plant-7" }),
        json!([]),
    ] {
        let answer = gateway.authorize(&question);
        assert_eq!(answer.status, 400, "{question}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert!(answer.json()["code"].is_string());
        assert!(!answer.text().contains(&ana));
    }
    let long = vec![b' '; 9 * 1024];
    let answer = gateway.try_send("POST", "/v1/authorize", &[], &long).expect("an answer");
    assert_eq!(answer.status, 413);
    let json = [("x-api-key", ana.as_str())];
    let body = json!({ "token": ana, "permission": "manage_device" }).to_string();
    let twice = gateway.try_send("POST", "/v1/authorize", &json, body.as_bytes()).expect("answer");
    assert_eq!(twice.json()["allow"], false);
    assert_eq!(gateway.get("/v1/nothing").status, 404);
}

#[test]
fn the_command_line_says_how_the_gateway_is_with_its_exit_codes() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin", "--division", "plant-7"]);
    let version = deck.publish();
    let mut gateway = deck.gateway("edge-7a");

    assert_eq!(gateway.cli(&["check-config"]).code, 0);
    assert_eq!(gateway.cli(&["status"]).code, 69);
    assert_eq!(gateway.cli(&["healthcheck"]).code, 69);
    assert_eq!(gateway.cli_with(&["check", "--permission", "x"], ana.as_bytes()).code, 69);
    gateway.start_ready();

    assert_eq!(gateway.cli(&["healthcheck"]).code, 0);
    let status = gateway.cli(&["status", "--format", "json"]).ok();
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["snapshot"]["version"], version);
    assert!(gateway.cli(&["status"]).ok().contains("plant-7"));
    let check = |args: &[&str], token: &str| {
        let args: Vec<_> = core::iter::once("check").chain(args.iter().copied()).collect();
        gateway.cli_with(&args, token.as_bytes()).code
    };
    assert_eq!(check(&["--permission", "manage_device", "--division", "plant-7"], &ana), 0);
    assert_eq!(check(&["--permission", "manage_device", "--division", "plant-8"], &ana), 1);
    assert_eq!(check(&["--permission", "manage_device", "--explain"], &ana), 1);
    assert_eq!(check(&["--method", "GET", "--path", "/iot/api/v1/device"], &ana), 1);
    assert_eq!(check(&["--permission", "manage_device"], "nonsense"), 1);
    assert_eq!(check(&[], &ana), 2);
    assert_eq!(gateway.cli(&["audit", "verify"]).code, 0);
    assert!(gateway.cli(&["audit", "tail", "--format", "json"]).ok().contains("ana.ruiz"));
    assert_eq!(gateway.cli(&["snapshot", "verify"]).code, 0);
}

#[test]
fn h1_before_the_first_snapshot_keys_are_refused_and_devices_pass() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let mut gateway = deck.gateway("edge-7a");
    gateway.start();

    assert_eq!(gateway.get("/livez").status, 200);
    let ready = gateway.get("/readyz?verbose");
    assert_eq!(ready.status, 503);
    assert!(ready.text().starts_with("refusing"), "{}", ready.text());
    assert_eq!(gateway.cli(&["healthcheck"]).code, 1);
    let keyed = gateway.authorize(&json!({ "token": ana, "permission": "manage_device" }));
    assert_eq!(keyed.status, 503);
    assert!(keyed.header("retry-after").is_some());
    assert_eq!(keyed.json()["code"], "no_snapshot");
    let est = "/.well-known/est/any/cacerts";
    let device = gateway.nginx(&[("x-original-method", "GET"), ("x-original-uri", est)]);
    assert_eq!(device.status, 204);
    let route = [("x-original-method", "GET"), ("x-original-uri", "/iot/api/v1/device")];
    let keyed = gateway.nginx(&[route[0], route[1], ("x-api-key", &ana)]);
    assert_eq!(keyed.status, 403);

    let version = deck.publish();
    gateway.reaches(version);
    assert_eq!(gateway.allows(&ana, "manage_device"), Some(true));
}
