//! Nothing that a run leaves behind holds a secret (DOMAIN N9).
//!
//! Everything is searched: what was logged and answered, what the collector keeps, the journal and
//! the rest of the gateway's disk. Only the files that exist to hold a secret may hold that one.

use std::fs;
use std::path::{Path, PathBuf};

use gateward_tests::{Deck, Nginx, Upstream};
use serde_json::json;

/// A secret in one of its spellings.
struct Needle {
    what: String,
    bytes: Vec<u8>,
}

fn needle(what: &str, bytes: &[u8]) -> Needle {
    assert!(bytes.len() >= 16, "{what} is too short to search for");

    Needle { what: what.to_owned(), bytes: bytes.to_vec() }
}

/// Returns bytes as such, in hexadecimal and in Base64.
fn spellings(what: &str, bytes: &[u8]) -> Vec<Needle> {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let list: Vec<_> = bytes.iter().map(|byte| byte.to_string()).collect();

    vec![
        needle(&format!("{what}, raw"), bytes),
        needle(&format!("{what}, hex"), hex.as_bytes()),
        needle(&format!("{what}, HEX"), hex.to_ascii_uppercase().as_bytes()),
        needle(&format!("{what}, Debug"), list.join(", ").as_bytes()),
        needle(&format!("{what}, Base64"), base64(bytes, b"+/").as_bytes()),
        needle(&format!("{what}, Base64 of URLs"), base64(bytes, b"-_").as_bytes()),
    ]
}

fn base64(bytes: &[u8], last: &[u8; 2]) -> String {
    let alphabet: Vec<u8> =
        (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(last.iter().copied()).collect();
    let digit = |value: u32| char::from(alphabet[(value & 63) as usize]);
    // Whole groups only: the end depends on padding, and what comes before it is enough.
    bytes
        .chunks_exact(3)
        .flat_map(|group| {
            let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
            [digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), digit(bits)]
        })
        .collect()
}

fn unbase64url(text: &str) -> Vec<u8> {
    let value = |digit: u8| match digit {
        b'A'..=b'Z' => u32::from(digit - b'A'),
        b'a'..=b'z' => u32::from(digit - b'a') + 26,
        b'0'..=b'9' => u32::from(digit - b'0') + 52,
        b'-' => 62,
        _ => 63,
    };
    text.as_bytes()
        .chunks_exact(4)
        .flat_map(|group| {
            let bits = group.iter().fold(0, |bits, digit| bits << 6 | value(*digit));
            [bits >> 16, bits >> 8, bits].map(|byte| u8::try_from(byte & 0xff).expect("a byte"))
        })
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();

    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).expect("a byte"))
        .collect()
}

/// Returns the secrets of tokens: as they are written, and what is behind.
fn of_tokens(tokens: &[&str]) -> Vec<Needle> {
    let mut needles = Vec::new();
    for token in tokens {
        let (_, secret) = token.rsplit_once('.').expect("a token has dots");
        assert_eq!(secret.len(), 48);
        needles.push(needle("a token's secret as written", &secret.as_bytes()[..40]));
        let bytes = unbase64url(secret);
        needles.extend(spellings("a token's secret", &bytes[..32]));
    }

    needles
}

/// Returns the verifiers of all tokens.
fn of_verifiers(deck: &Deck) -> Vec<Needle> {
    let lines = fs::read_to_string(deck.dir().join("tokens.jsonl")).expect("there are tokens");
    let verifiers = lines.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        unhex(line["verifier"].as_str().expect("a verifier"))
    });

    verifiers.flat_map(|verifier| spellings("a verifier", &verifier)).collect()
}

/// Returns the private keys in a file: every line of its PEM, every long hexadecimal number.
fn of_key_file(path: &Path) -> Vec<Needle> {
    let text = fs::read_to_string(path).expect("a key file is text");
    let name = path.display().to_string();
    let mut needles = Vec::new();
    for line in text.lines() {
        let word = line.rsplit(' ').next().unwrap_or_default();
        let is_key = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        // One that is spent is zeros.
        if is_key && word.bytes().any(|byte| byte != b'0') {
            needles.extend(spellings(&name, &unhex(word)));
        } else if !is_key && line.len() >= 40 && !line.contains(' ') {
            needles.push(needle(&name, line.as_bytes()));
        }
    }
    assert!(!needles.is_empty(), "{name} holds no key");

    needles
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("it").path());

    entries
        .flat_map(|path| match path.symlink_metadata().expect("it is there") {
            found if found.is_dir() => files(&path),
            found if found.is_file() => vec![path],
            _ => Vec::new(),
        })
        .collect()
}

/// Returns what was found where.
fn search(paths: &[PathBuf], needles: &[Needle]) -> Vec<String> {
    let mut found = Vec::new();
    for path in paths {
        let bytes = fs::read(path).expect("it is there");
        for Needle { what, bytes: needle } in needles {
            if bytes.windows(needle.len()).any(|window| window == needle) {
                found.push(format!("{what} is in {}", path.display()));
            }
        }
    }

    found
}

/// Uses everything, rightly and wrongly.
fn use_everything(deck: &Deck, ana: &str, mes: &str) {
    let mut gateway = deck.gateway("edge-7a");
    gateway.set("API__TRUSTED_PEERS", "uid:root");
    gateway.start_ready();
    let collector = deck.collector();
    let upstream = Upstream::start();
    let dir = deck.root().join("nginx");
    let nginx = Nginx::start(&dir, &gateway.api(), &upstream, &deck.logs().join("nginx.log"));
    let device = "/iot/api/v1/device";
    for token in [ana, mes] {
        let (public, secret) = token.rsplit_once('.').expect("a token has dots");
        let wrong = format!("gwd1.AR0LFOTbAY_t.{secret}");
        let cut = &token[..token.len() - 1];
        let long = format!("{token}x");
        for presented in [token, &wrong, cut, &long, public] {
            for headers in [
                [("x-api-key", presented), ("x-request-id", "1")],
                [("x-api-key", presented), ("x-request-id", presented)],
                [("x-api-key", presented), ("x-passcode", presented)],
                [("authorization", presented), ("x-request-id", "1")],
            ] {
                drop(nginx.send("GET", device, &headers));
            }
            drop(gateway.authorize(&json!({ "token": presented, "permission": "manage_device",
                "resource": presented, "division": presented })));
            drop(gateway.authorize(&json!({ "token": presented, "permission": presented })));
            drop(gateway.authorize(&json!({ "tokn": presented })));
            let path = format!("{device}/{presented}?division_id={presented}");
            drop(gateway.authorize(&json!({ "token": token, "method": "GET", "path": path })));
            drop(
                gateway.authorize(&json!({ "token": token, "method": presented, "path": device })),
            );
            let body = json!({ "token": presented, "permission": "manage_device" }).to_string();
            drop(gateway.operator("POST", "/v1/explain", body.as_bytes()));
            drop(gateway.try_send(
                "POST",
                "/v1/authorize",
                &[],
                &body.as_bytes()[..body.len() - 1],
            ));
            drop(gateway.get(&format!("/{presented}")));
            drop(
                gateway
                    .cli_with(&["check", "--permission", "x", "--explain"], presented.as_bytes()),
            );
        }
    }
    for args in [
        &["status"][..],
        &["audit", "tail", "-n", "1000"],
        &["audit", "verify"],
        &["snapshot", "inspect"],
        &["snapshot", "verify"],
        &["check-config"],
        &["healthcheck"],
    ] {
        drop(gateway.cli(args));
        drop(gateway.cli(&[args, &["--format", "json"]].concat()));
    }
    drop(gateway.operator("GET", "/v1/status", b""));
    drop(gateway.operator("GET", "/metrics", b""));
    for words in ["token list", "user list", "service-user list", "check", "keys list"] {
        drop(deck.control(words, &[]));
    }
    let last = gateway.status()["audit"]["seq"].as_u64().expect("a number");
    drop(collector.has("edge-7a", last));
    assert!(gateway.stop().success());
    assert!(collector.stop().success());
}

#[test]
fn n9_no_token_secret_verifier_or_key_is_in_anything_that_a_run_leaves_behind() {
    let deck = Deck::new();
    let ana = deck.user("ana.ruiz", &["--role", "iot_account_admin"]);
    let mes = deck.service_user("MES sync", &["--permission", "manage_device"]);
    deck.publish();
    use_everything(&deck, &ana, &mes);

    // The nginx access log shows paths: that is nginx's, and the recipe leaves the query out.
    let everything: Vec<_> = files(deck.root())
        .into_iter()
        .filter(|path| !path.starts_with(deck.root().join("nginx")))
        .collect();
    let token_secrets = of_tokens(&[&ana, &mes]);
    assert_eq!(search(&everything, &token_secrets), Vec::<String>::new());

    // Verifiers belong into snapshots and into the policy, on either side of the broker.
    let gateway = deck.root().join("edge-7a/state");
    let home =
        [deck.dir(), deck.root().join("broker"), gateway.join("snapshot"), gateway.join("cache")];
    let elsewhere: Vec<_> = everything
        .iter()
        .filter(|path| !home.iter().any(|home| path.starts_with(home)))
        .cloned()
        .collect();
    for found in
        ["logs/edge-7a.log", "logs/answers.log", "logs/commands.log", "collected/edge-7a.jsonl"]
    {
        assert!(elsewhere.contains(&deck.root().join(found)), "{found} is not searched");
    }
    assert!(elsewhere.iter().any(|path| path.starts_with(gateway.join("audit"))));
    assert_eq!(search(&elsewhere, &of_verifiers(&deck)), Vec::<String>::new());
    // The search finds them where they belong.
    let snapshot = files(&gateway.join("snapshot"));
    assert!(!search(&snapshot, &of_verifiers(&deck)).is_empty());

    // Each private key is in its own file, and k0 of the audit at the collector's too.
    let mut keys = files(&deck.dir().join("private"));
    keys.extend(
        [
            "publisher/client.key",
            "collector/client.key",
            "broker/server.key",
            "etc-edge-7a/client.key",
            "etc-edge-7a/gateway.key",
        ]
        .map(|name| deck.root().join(name)),
    );
    keys.retain(|path| path.extension().is_some_and(|kind| kind == "key"));
    assert!(keys.len() >= 11, "{keys:?}");
    for key in &keys {
        let home = deck.dir().join("private/gateways");
        let others: Vec<_> = everything
            .iter()
            .filter(|path| *path != key && !path.starts_with(&home))
            .cloned()
            .collect();
        let needles = of_key_file(key);
        assert_eq!(search(&others, &needles), Vec::<String>::new());
        assert!(!search(core::slice::from_ref(key), &needles).is_empty());
    }
}

#[test]
fn a_secret_in_any_spelling_would_be_found() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let token = format!("gwd1.AR0LFOTbAY_t.{}", "Zm9yIHRoZSB0ZXN0LCBub3QgYSBzZWNyZXQgYXQgYWxs_-_-");
    let path = folder.path().join("log");
    for Needle { what, bytes } in of_tokens(&[&token]) {
        fs::write(&path, [b"before ", bytes.as_slice(), b" after"].concat()).expect("our own file");
        let found = search(core::slice::from_ref(&path), &of_tokens(&[&token]));
        assert!(found.iter().any(|found| found.starts_with(&what)), "{what}");
    }
    fs::write(&path, token).expect("our own file");
    assert!(
        !search(
            core::slice::from_ref(&path),
            &of_tokens(&["gwd1.x.Zm9yIHRoZSB0ZXN0LCBub3QgYSBzZWNyZXQgYXQgYWxs_-_-"])
        )
        .is_empty()
    );
}
