//! From an empty folder to a bundle, as a script does it.

use std::fs;

use super::{done, run};

#[test]
fn an_account_is_begun_checked_enrolled_and_bundled() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    let account = done(dir, &["init", "acme", "--account", "Acme Robotics"]);
    assert_eq!(account.trim().len(), 36);
    assert_eq!(done(dir, &["check", "acme"]), "");
    done(dir, &["user", "add", "acme", "ana.ruiz", "--role", "iot_account_admin"]);
    let enroll = ["enroll", "acme", "edge-1", "--group", "plant-1", "--out", "edge-1"];
    let incarnation = done(dir, &enroll);
    assert_eq!(incarnation.trim().len(), 16);
    for name in ["agent.toml", "keyset", "client.pem", "client.key", "ca.pem", "gateway.key", "acl"]
    {
        assert!(dir.join("edge-1").join(name).exists(), "{name}");
    }
    let config = fs::read_to_string(dir.join("edge-1/agent.toml")).unwrap();
    assert!(config.contains(&format!("\naccount = \"{}\"\n", account.trim())), "{config}");

    let bundle = ["compile", "acme", "--group", "plant-1", "--out", "b", "--bundle"];
    done(dir, &bundle);
    assert!(fs::read(dir.join("b")).unwrap().starts_with(b"GWDBNDL1"));
    let keys = done(dir, &["keys", "list", "acme"]);
    assert!(keys.starts_with("epoch 1, ") && keys.contains(" collector"), "{keys}");
}

#[test]
fn certificates_are_for_the_broker_and_for_the_control_planes_own_names() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    done(dir, &["init", "acme", "--account", "Acme"]);
    done(dir, &["certificate", "acme", "broker.example", "--server", "--out", "broker"]);
    assert!(dir.join("broker/server.key").exists() && !dir.join("broker/acl").exists());
    done(dir, &["certificate", "acme", "control", "--client", "--out", "control"]);
    let lines = fs::read_to_string(dir.join("control/acl")).unwrap();
    assert!(lines.starts_with("user control\ntopic readwrite gateward/v1/"), "{lines}");

    let stranger = ["certificate", "acme", "edge-1", "--client", "--out", "edge"];
    let (code, _, err) = run(dir, &stranger);
    assert!(code == 2 && err.contains("`enroll`"), "{code} {err}");
    let (code, _, err) = run(dir, &["certificate", "acme", "x y", "--server", "--out", "bad"]);
    assert!(code == 2 && err.contains("host name"), "{code} {err}");
}

#[test]
fn what_cannot_be_done_says_why_and_ends_with_its_code() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    done(dir, &["init", "acme", "--account", "Acme"]);
    for (line, expected, words) in [
        (&["init", "acme", "--account", "Acme"][..], 1, "not empty"),
        (&["enroll", "acme", "edge-9", "--group", "plant-1", "--out", "e"], 1, "gateways = ["),
        (&["enroll", "acme", "edge-1", "--group", "g", "--out", "e"], 2, "is no group"),
        (
            &["publish", "acme", "--dry-run", "--group", "g", "--broker", "mqtt://localhost:1"],
            2,
            "is no group",
        ),
        (&["publish", "acme", "--broker", "mqtts://localhost"], 2, "--ca, --cert and --key"),
        (&["publish", "acme", "--broker", "mqtt://broker.example"], 2, "mqtts://"),
        (&["publish", "nowhere", "--broker", "mqtt://localhost:1"], 74, "nowhere"),
    ] {
        let (code, out, err) = run(dir, line);
        assert_eq!((code, out.as_str()), (expected, ""), "{line:?}: {err}");
        assert!(err.contains(words), "{line:?}: {err}");
    }
    let text = fs::read_to_string(dir.join("acme/policy.toml")).unwrap();
    fs::write(dir.join("acme/policy.toml"), text.replace("[\"plant-1\"]", "[\"plant-2\"]"))
        .unwrap();
    let broken = ["publish", "acme", "--broker", "mqtt://localhost:1", "--dry-run"];
    let (code, _, err) = run(dir, &broken);
    assert!(code == 65 && err.contains("policy.toml:"), "{code} {err}");
}

#[test]
fn an_exposed_private_key_is_named_with_its_remedy() {
    use std::os::unix::fs::PermissionsExt as _;

    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path();
    done(dir, &["init", "acme", "--account", "Acme"]);
    let key = dir.join("acme/private/snapshot.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let bundle = ["compile", "acme", "--group", "plant-1", "--out", "b", "--bundle"];
    let (code, _, err) = run(dir, &bundle);

    assert!(code == 77 && err.contains("chmod 600"), "{code} {err}");
}
