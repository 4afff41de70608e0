//! The commands as a script meets them: what is on stdout, and the exit code.

#![expect(clippy::unwrap_used, reason = "a test that cannot begin has failed")]

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const POLICY: &str = r#"
[account]
id = "0193a5d4-0b9e-7c61-8d5e-3f1a7b2c9d10"
name = "Acme Robotics"

[[divisions]]
id = "0193a5d4-1111-7c61-8d5e-000000000001"
name = "plant-7"

[[groups]]
id = "plant-7"
gateways = ["edge-7a"]
divisions = ["plant-7"]
"#;

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("policy.toml"), POLICY).unwrap();

    dir
}

fn command(dir: &Path, line: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateward-control"));
    command.current_dir(dir).args(line);

    command
}

fn run(dir: &Path, line: &[&str]) -> (i32, String, String) {
    told(&command(dir, line).output().unwrap())
}

fn told(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();

    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn done(dir: &Path, line: &[&str]) -> String {
    let (code, out, err) = run(dir, line);
    assert_eq!(code, 0, "{line:?}: {err}");

    out
}

#[test]
fn people_and_tokens_are_made_compiled_and_compared() {
    let dir = folder();
    let dir = dir.path();
    let id = done(dir, &["user", "add", ".", "ana.ruiz", "--role", "iot_account_admin"]);
    assert_eq!(id.trim().len(), 36);
    let made =
        ["service-user", "add", ".", "MES sync", "--permissions", "manage_device,view_license"];
    done(dir, &[&made[..], &["--division", "plant-7", "--end-date", "2099-06-30"]].concat());

    let token = done(dir, &["token", "new", ".", "--owner", "ana.ruiz", "--name", "plc"]);
    assert_eq!((token.lines().count(), token.trim().len()), (1, 66));
    done(dir, &["compile", ".", "--group", "plant-7", "--out", "old"]);
    assert_eq!(run(dir, &["diff", "old", "."]).0, 0);

    let named = ["token", "disable", ".", "--owner", "ana.ruiz", "--name", "plc"];
    assert_eq!(done(dir, &named), "");
    let (code, words, _) = run(dir, &["diff", "old", "."]);
    assert_eq!((code, words.trim()), (1, &*format!("token `{}` loses access", &token[5..17])));
    let (code, json, _) = run(dir, &["diff", "old", ".", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, &json[0]["effect"]), (1, &"loses".into()));
}

#[test]
fn lists_are_there_for_people_and_programs() {
    let dir = folder();
    let dir = dir.path();
    done(
        dir,
        &[
            "user",
            "add",
            ".",
            "ana.ruiz",
            "--roles",
            "iot_system_admin",
            "--access-scope",
            "system",
        ],
    );
    done(dir, &["user", "set", ".", "ana.ruiz", "--division", "plant-7"]);
    done(dir, &["token", "new", ".", "--owner", "ana.ruiz", "--name", "plc"]);

    let human = done(dir, &["user", "list", "."]);
    assert!(human.contains("ana.ruiz\tactive\tiot_system_admin\tplant-7"), "{human}");
    let json = done(dir, &["user", "list", ".", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["divisions"][0], "plant-7");
    assert_eq!(json[0]["permissions"].as_array().unwrap().len(), 16);
    let json = done(dir, &["token", "list", ".", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json[0]["owner"], &json[0]["status"]), (&"ana.ruiz".into(), &"enabled".into()));
    assert!(json[0].get("verifier").is_none());
}

#[test]
fn a_script_learns_from_the_exit_code_what_went_wrong() {
    let dir = folder();
    let dir = dir.path();
    assert_eq!(run(dir, &["check", "."]), (0, String::new(), String::new()));
    assert_eq!(run(dir, &["check", "nowhere"]).0, 74);
    assert_eq!(run(dir, &["fly"]).0, 2);
    assert_eq!(run(dir, &["compile", ".", "--group", "g", "--out", "f"]).0, 2);
    assert_eq!(run(dir, &["token", "disable", ".", "AQEjRWeJq83v"]).0, 1);
    assert_eq!(run(dir, &["user", "add", ".", "eve", "--role", "pilot"]).0, 65);
    assert_eq!(run(dir, &["service-user", "add", ".", "x", "--end-date", "2106-01-01"]).0, 2);

    fs::write(dir.join("policy.toml"), POLICY.replace("[account]", "[acount]")).unwrap();
    let (code, out, err) = run(dir, &["check", "."]);
    assert_eq!((code, out), (65, String::new()));
    assert!(err.contains("policy.toml:2: acount: is no table of a policy"), "{err}");
}

#[test]
fn a_token_is_imported_from_stdin() {
    let dir = folder();
    done(dir.path(), &["user", "add", ".", "ana.ruiz"]);
    let line = ["token", "import", ".", "--owner", "ana.ruiz", "--name", "old"];
    let import = |text: &str| {
        let mut child = command(dir.path(), &line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        told(&child.wait_with_output().unwrap())
    };

    assert_eq!(import("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n").0, 65);
    let (code, out, err) = import("Zk3v9QpL0sXw7TnB2rYhJ8cUeM5aGd\n");
    assert_eq!((code, out.trim().len()), (0, 12), "{err}");
    assert!(!err.contains("Zk3v9"));
}
