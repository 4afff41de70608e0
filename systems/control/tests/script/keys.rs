//! Keys as a script rotates them: what is on stdout, and the exit code.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use super::{done, run};

fn account() -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    done(temp.path(), &["init", "acme", "--account", "Acme"]);

    temp
}

fn json(dir: &Path, line: &[&str]) -> Value {
    serde_json::from_str(&done(dir, &[line, &["--format", "json"]].concat())).unwrap()
}

/// Returns the ids of the keys of a role in the newest key set, trusted or not.
fn ids(dir: &Path, role: &str) -> Vec<String> {
    let sets = json(dir, &["keys", "list", "acme"]);
    let newest = sets.as_array().unwrap().last().unwrap().clone();
    let keys = newest.get("keys").unwrap().as_array().unwrap().clone();
    let own = keys.iter().filter(|key| key["roles"] == serde_json::json!([role]));

    own.map(|key| key["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_rotation_is_told_to_people_and_programs_and_then_listed() {
    let temp = account();
    let dir = temp.path();
    let old = ids(dir, "snapshot").remove(0);
    let (code, out, err) = run(dir, &["keys", "rotate", "acme", "--role", "snapshot"]);
    assert_eq!(code, 0, "{err}");
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[0].starts_with("epoch 2, expires 20"), "{out}");
    assert!(lines[1].ends_with(" snapshot, new, acme/private/snapshot.key"), "{out}");
    let aside = format!("acme/private/retired/snapshot-{old}.key");
    assert_eq!(lines[2], format!("  {old} retired, {aside}"));
    assert!(err.contains("gateward-control publish acme"), "{err}");
    let listed = done(dir, &["keys", "list", "acme"]);
    assert!(listed.contains(&format!("  {old} snapshot ed25519, retired, {aside}\n")), "{listed}");

    let stolen = ["keys", "rotate", "acme", "--role", "beacon", "--compromised"];
    let told = json(dir, &[&stolen[..], &["--expires", "2099-12-31"]].concat());
    assert_eq!((&told["epoch"], &told["expires"]), (&3.into(), &"2100-01-01T00:00:00Z".into()));
    assert_eq!(told["left"][0]["status"], "compromised");
    assert_eq!(told["new"]["private"], "acme/private/beacon.key");

    let kept = ["keys", "rotate", "acme", "--role", "snapshot", "--keep", "--group", "plant-1"];
    let told = json(dir, &kept);
    assert_eq!(told["left"], serde_json::json!([]));
    let id = told["new"]["id"].as_str().unwrap();
    let sets = json(dir, &["keys", "list", "acme"]);
    let keys = sets[3]["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["id"] == id).unwrap();
    assert_eq!((&key["groups"][0], &key["trusted"]), (&"plant-1".into(), &true.into()));
    done(dir, &["keys", "rotate", "acme", "--retire", id]);
    let bundle = ["compile", "acme", "--group", "plant-1", "--out", "b", "--bundle"];
    done(dir, &bundle);
}

#[test]
fn a_script_learns_from_the_exit_code_why_no_key_was_rotated() {
    let temp = account();
    let dir = temp.path();
    let root = ids(dir, "root").remove(0);
    let snapshot = ids(dir, "snapshot").remove(0);
    let unknown = "0011223344556677";
    for (args, expected, words) in [
        (&[][..], 2, "--role"),
        (&["--compromised"], 2, "add --role"),
        (&["--compromised", "acme"], 2, "16 hex digits"),
        (&["--role", "snapshot", "--keep", "--compromised"], 2, "without --keep"),
        (&["--role", "snapshot", "--keep", "--replace", &snapshot], 2, "cannot be used with"),
        (&["--role", "snapshot", "--group", "x", "--keep"], 2, "is no group of the policy"),
        (&["--role", "collector", "--group", "plant-1"], 2, "whole account"),
        (&["--role", "root"], 2, "name the one that is replaced with --replace"),
        (&["--role", "beacon", "--replace", &root], 2, "is no beacon key"),
        (&["--role", "beacon", "--expires", "2020-01-01"], 2, "is over"),
        (&["--retire", unknown], 1, "no key set has a key 0011223344556677"),
        (&["--retire", &snapshot], 1, "add --role snapshot"),
        (&["--role", "root", "--replace", &root, "--root-out", "acme/private/root-1"], 1, "exists"),
        (&["--role", "beacon", "--root-key", "nowhere"], 74, "nowhere"),
    ] {
        let (code, out, err) = run(dir, &[&["keys", "rotate", "acme"], args].concat());
        assert_eq!((code, out.as_str()), (expected, ""), "{args:?}: {err}");
        assert!(err.contains(words), "{args:?}: {err}");
    }
    let beacon = ["keys", "rotate", "acme", "--role", "beacon"];
    let key = dir.join("acme/private/root-3/root.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let (code, _, err) = run(dir, &beacon);
    assert!(code == 77 && err.contains("chmod 600"), "{code} {err}");

    fs::remove_file(&key).unwrap();
    fs::remove_file(dir.join("acme/private/root-1/root.key")).unwrap();
    let (code, out, err) = run(dir, &beacon);
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("1 root keys are here and 2 must sign") && err.contains(&root), "{err}");
    assert_eq!(json(dir, &["keys", "list", "acme"]).as_array().unwrap().len(), 1);
}
